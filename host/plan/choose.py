"""Chooses a kernel for every step: the cheapest, then cheaper ones in memory until the plan fits its limits.

Costs are measured (host.plan.costs). Two limits can make a faster kernel unaffordable: the plan's size (Winograd's
weights take eight times the flash) and the arena (scratch, outputs that cannot lie over inputs). Each is met by the
exchange that costs least per byte it saves, again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from host import defs, native
from host.errors import DoesNotFitError, InputError, UnsupportedError
from host.plan import arena, fuse, memory, pack, serialise, stream
from host.plan.costs import Costs, default_costs
from host.plan.network import Network, Step


@dataclass(frozen=True)
class Limits:
    """Most bytes of the plan (flash) and of the arena (RAM); None is no limit.

    `slack` is the part of the cheapest plan's cost that a smaller arena may cost on top. `copy_bytes` of RAM beside the
    arena may hold copies of weights.
    """

    plan_bytes: int | None = None
    arena_bytes: int | None = None
    slack: float = 0.0
    copy_bytes: int = 0


@dataclass(frozen=True)
class Option:
    """A kernel that computes a step: its cost in the table's unit, and the bytes that it takes."""

    kernel: str
    cost: float
    scratch_bytes: int
    blob_bytes: int


@dataclass(frozen=True)
class Price:
    """What the limits cost: the sums of the chosen kernels' costs, and of those that would be chosen without limits."""

    unit: str
    cost: float
    unlimited_cost: float


NO_LIMITS = Limits()
MOST_PLACEMENTS = 3
PREFERENCE = 0.99  # what an unmeasured kernel costs of the best that kernels.def puts behind it
SMALLER = (0.92, 0.97)  # by which factors an arena is made smaller as long as that costs little
MOST_STREAMED_CHAINS = 3
MARGINS = (1.0, 0.93, 0.86)  # room that a placement's gaps may take
TRIALS = 3  # ways to stream a chain, of those with as much room, whose kernels are really chosen
STRIP_OVERHEAD_MACS = 200  # what one step more costs: its call and its first and last rows


TEACHING = "_ladder_"  # in the names of kernels that show a step towards the fast ones


def any_kernel(name: str) -> bool:
    """Admits every kernel but those of the teaching ladder, which run only where a pattern names them."""
    return TEACHING not in name


def reference_only(name: str) -> bool:
    """Admits only the obvious twins."""
    return name.endswith("_ref")


def named(name: str, pattern: str) -> bool:
    """Whether a pattern means the kernel; one of the teaching ladder only if the pattern says so."""
    return fnmatch(name, pattern) and (any_kernel(name) or TEACHING.strip("_") in pattern)


@dataclass(frozen=True)
class Patterns:
    """Admits kernels that one of the patterns means."""

    patterns: tuple[str, ...]

    def __call__(self, name: str) -> bool:
        """Whether a pattern means it."""
        return any(named(name, pattern) for pattern in self.patterns)


@dataclass(frozen=True)
class InTurn:
    """Several admissions: a step takes its kernel from the first that has one for it."""

    tiers: tuple[Callable[[str], bool], ...]


Admission = Callable[[str], bool] | InTurn


def admission(kernels: str) -> Admission:
    """What `--kernels` asks for: all, ref, or names and patterns separated by commas, used wherever they can.

    Raises InputError if a pattern matches no kernel.
    """
    if kernels == "all":
        return any_kernel
    if kernels == "ref":
        return reference_only
    patterns = tuple(kernels.split(","))
    for pattern in patterns:
        if not any(named(name, pattern) for name in defs.kernels()):
            raise InputError(f"no kernel is named {pattern!r}", f"there are {', '.join(defs.kernels())}")
    return InTurn((Patterns(patterns), any_kernel))


def choose(
    net: Network,
    admits: Admission = any_kernel,
    costs: Costs | None = None,
    limits: Limits = NO_LIMITS,
) -> tuple[Network, Price]:
    """The network with every step's kernel chosen and its memory placed, and what the limits cost.

    Pairs of steps of which only fused kernels are admitted become fused steps (host.plan.fuse). If kernels alone do not
    meet the arena's limit, other pairs do too, or chains of convolutions are streamed by rows (host.plan.stream). The
    network returned may have other steps than the one given. Then the arena is made smaller as long as that costs at
    most `limits.slack` of the cheapest plan.
    Raises UnsupportedError with operator, index and reason if no admitted kernel can do a step, DoesNotFitError if
    no choice meets the limits.
    """
    costs = costs or default_costs()
    net = _fused_as_asked(net, admits)
    unlimited = _choose_kernels(net, admits, costs, replace(limits, arena_bytes=None))
    cheapest = _choose_kernels(net, admits, costs, NO_LIMITS) if limits.plan_bytes is not None else unlimited
    whole = net
    net, cost = _meet(whole, admits, costs, limits)
    arena_bytes = net.arena_bytes
    budget = max(cost, unlimited * (1 + limits.slack))
    for factor in SMALLER if limits.slack > 0 else ():
        while True:
            target = int(arena_bytes * factor)
            try:
                smaller, price = _meet(whole, admits, costs, replace(limits, arena_bytes=target))
            except DoesNotFitError:
                break
            if price > budget:
                break
            net, cost, arena_bytes = smaller, price, smaller.arena_bytes
    # what was tried last may have left other kernels behind
    _choose_kernels(net, admits, costs, replace(limits, arena_bytes=arena_bytes))
    _copy_to_ram(net, limits.copy_bytes)
    return net, Price(costs.unit, cost, cheapest)


def _copy_to_ram(net: Network, budget: int) -> None:
    """Marks the steps whose blobs gain most in RAM, as far as they fit: those that read each weight most often."""

    def reads(step: Step) -> float:
        parts = step.parts or (step,)
        return step.macs / max(1, sum(part.weights.size for part in parts if part.weights is not None))

    for step in sorted((s for s in net.steps if s.arrays), key=reads, reverse=True):
        params = step.packed_params
        blobs = (native.weights_bytes(step.kernel, params), native.channels_bytes(step.kernel, params))
        size = sum(map(memory.align, blobs))
        step.in_ram = size <= budget
        budget -= size if step.in_ram else 0


def _meet(net: Network, admits: Admission, costs: Costs, limits: Limits) -> tuple[Network, float]:
    """Network and cost under the limits: by choice of kernels or by fusing, whichever costs less, else by streaming."""
    met: list[tuple[float, Network]] = []
    refused = None
    try:
        met.append((_choose_kernels(net, admits, costs, limits), net))
    except DoesNotFitError as error:
        if limits.arena_bytes is None:
            raise
        refused = error
    fused = _fused(net, admits, costs, limits)
    if fused:
        met.append(fused)
    if met:
        cost, best = min(met, key=lambda choice: choice[0])
        return best, cost
    streamed = _streamed(net, admits, costs, limits)
    if streamed is None:
        assert refused is not None
        raise DoesNotFitError(
            refused.message, "computing in strips of rows does not get there either"
        ) from refused
    return streamed, _choose_kernels(streamed, admits, costs, limits)


def _choose_kernels(net: Network, admits: Admission, costs: Costs, limits: Limits) -> float:
    """Sets every step's kernel and places the network's memory; the sum of the costs."""
    options = [_options(step, admits, costs) for step in net.steps]
    chosen = [min(o, key=lambda option: option.cost) for o in options]
    _set(net, chosen)
    if limits.plan_bytes is not None:
        _meet_plan_limit(net, options, chosen, limits.plan_bytes)
    arena.plan_memory(net)
    if limits.arena_bytes is not None:
        _meet_arena_limit(net, options, chosen, limits)
    return sum(option.cost for option in chosen)


def _fused_as_asked(net: Network, admits: Admission) -> Network:
    """The network with those pairs fused for which a fused kernel is admitted sooner than one for either part."""

    def asked(pair: fuse.Pair) -> bool:
        first, second = net.steps[pair.depthwise], net.steps[pair.pointwise]
        fused = fuse.fused_step(first, second, fuse.USUAL_ROWS)
        for tier in _tiers(admits):
            if _able(first, tier) or _able(second, tier):
                return False
            if _able(fused, tier):
                return True
        return False

    chosen = [pair for pair in fuse.pairs(net) if asked(pair)]
    return fuse.fuse(net, chosen, fuse.USUAL_ROWS) if chosen else net


def _fused(net: Network, admits: Admission, costs: Costs, limits: Limits) -> tuple[float, Network] | None:
    """Cost and network with those pairs fused whose cheapest kernels need more than the limit, if it is met then."""
    limit = limits.arena_bytes
    if limit is None:
        return None
    needs = arena.Needs(net)

    def is_large(index: int) -> bool:
        cheapest = min(_options(net.steps[index], admits, costs), key=lambda option: option.cost)
        return needs.of(index, cheapest.kernel, cheapest.scratch_bytes) > limit

    large = [p for p in fuse.pairs(net) if is_large(p.depthwise) or is_large(p.pointwise)]
    ways = [fuse.fuse(net, large, rows) for rows in fuse.ROWS] if large else []
    priced = [(_least_cost(way, admits, costs, limit), i) for i, way in enumerate(ways)]
    for _, i in sorted((price, i) for price, i in priced if price is not None):
        try:
            return _choose_kernels(ways[i], admits, costs, limits), ways[i]
        except DoesNotFitError:
            continue
    return None


def _least_cost(net: Network, admits: Admission, costs: Costs, limit: int) -> float | None:
    """What the fused steps cost with kernels that fit the limit wherever tensors lie; None if one has none."""
    needs = arena.Needs(net)
    total = 0.0
    for i, step in enumerate(net.steps):
        if not step.parts:
            continue
        options = _options(step, admits, costs) if candidates_of(step, admits) else []
        fitting = [o.cost for o in options if needs.of(i, o.kernel, o.scratch_bytes) <= limit]
        if not fitting:
            return None
        total += min(fitting)
    return total


def _streamed(net: Network, admits: Admission, costs: Costs, limits: Limits) -> Network | None:
    """The network with its fullest chains streamed by rows until kernels can be chosen within the limits, or None."""
    limit = limits.arena_bytes
    assert limit is not None
    if limit < max(net.tensors[t].bytes for t in (*net.inputs, *net.outputs)):
        return None
    for _ in range(MOST_STREAMED_CHAINS):
        needs = arena.step_bytes(net)
        fullest = needs.index(max(needs))
        trials = []
        for strips in stream.strips_around(net, fullest):
            trial = stream.stream(net, strips)
            if trial is None:
                continue
            added = len(trial.steps) - len(net.steps)
            # steps are replaced with their kernels, so what they need now is nearly what they will need
            region = max(arena.step_bytes(trial)[strips.first : strips.last + 1 + added])
            trials.append((region, trial.macs + added * STRIP_OVERHEAD_MACS, len(trials), trial))
        if not trials:
            return None
        for margin in MARGINS:
            fitting = sorted(t[1:] for t in trials if t[0] <= limit * margin)
            for _, _, trial in fitting[:TRIALS]:
                try:
                    _choose_kernels(trial, admits, costs, limits)
                    return trial
                except DoesNotFitError:
                    continue
        net = min(trials)[3]
        _choose_kernels(net, admits, costs, replace(limits, arena_bytes=None))
        if max(arena.step_bytes(net)) >= max(needs):
            return None
    return None


def candidates_of(step: Step, admits: Admission = any_kernel) -> list[str]:
    """Names of all admitted kernels that compute this step, in the order of kernels.def."""
    return next(filter(None, (_able(step, tier) for tier in _tiers(admits))), [])


def _tiers(admits: Admission) -> tuple[Callable[[str], bool], ...]:
    return admits.tiers if isinstance(admits, InTurn) else (admits,)


def _able(step: Step, tier: Callable[[str], bool]) -> list[str]:
    params = step.packed_params
    if native.params_valid(step.op, params) is not None:
        return []
    kernels = [k for k in defs.kernels().values() if k.op == step.op and tier(k.name)]
    return [k.name for k in kernels if native.supports(k.name, params) and _accepts(k, step)]


def _accepts(kernel: defs.KernelDef, step: Step) -> bool:
    """pack.accepts(), remembered by the step and its strips, which share weights."""
    if kernel.name not in step.accepted:
        step.accepted[kernel.name] = pack.accepts(kernel, step)
    return step.accepted[kernel.name]


def _options(step: Step, admits: Admission, costs: Costs) -> list[Option]:
    names = candidates_of(step, admits)
    if not names:
        bad = native.params_valid(step.op, step.packed_params)
        reason = (
            f"its {bad} is out of the range of the kernels"
            if bad
            else "no kernel supports its shape and values"
        )
        raise UnsupportedError(f"operator {step.op_index} ({step.op_kind}, {step.name!r}): {reason}")
    params = step.packed_params
    return [
        Option(
            name,
            cost,
            native.scratch_bytes(name, params),
            native.weights_bytes(name, params) + native.channels_bytes(name, params),
        )
        for name, cost in zip(names, _costs(step, names, costs), strict=True)
    ]


def _costs(step: Step, names: list[str], costs: Costs) -> list[float]:
    """Costs of candidates; one that nobody measured is a little better than all behind it in kernels.def."""
    result: list[float] = []
    for name in reversed(names):
        preferred = bool(result) and not costs.knows(name) and not step.parts
        result.insert(0, PREFERENCE * min(result) if preferred else costs.cost(step, name))
    return result


def assign(step: Step, kernel: str) -> None:
    """Gives a step one of its candidates."""
    step.kernel, step.scratch_bytes = kernel, native.scratch_bytes(kernel, step.packed_params)


def _set(net: Network, chosen: list[Option]) -> None:
    for step, option in zip(net.steps, chosen, strict=True):
        step.kernel, step.scratch_bytes = option.kernel, option.scratch_bytes


def _meet_plan_limit(net: Network, options: list[list[Option]], chosen: list[Option], limit: int) -> None:
    """Exchanges kernels until the serialised plan is small enough."""
    while (size := len(serialise.serialise(net))) > limit:
        exchanges = [
            ((option.cost - now.cost) / (now.blob_bytes - option.blob_bytes), i, option)
            for i, now in enumerate(chosen)
            for option in options[i]
            if option.blob_bytes < now.blob_bytes
        ]
        if not exchanges:
            raise DoesNotFitError(
                f"{net.name}: the plan needs at least {size:,} bytes, {limit:,} are allowed"
            )
        _, i, option = min(exchanges, key=lambda e: e[0])
        chosen[i] = option
        _set(net, chosen)


def _meet_arena_limit(
    net: Network, options: list[list[Option]], chosen: list[Option], limits: Limits
) -> None:
    """Gives every step that needs more than the limit its cheapest kernel that does not; then places the memory.

    A placement with gaps counts as a limit that is lower by as much.
    """
    limit = goal = limits.arena_bytes
    assert limit is not None and goal is not None
    needs = arena.Needs(net)
    for _ in range(MOST_PLACEMENTS):
        for i, now in enumerate(chosen):
            if needs.of(i, now.kernel, now.scratch_bytes) <= goal:
                continue
            least = min(needs.of(i, o.kernel, o.scratch_bytes) for o in options[i])
            fitting = [o for o in options[i] if needs.of(i, o.kernel, o.scratch_bytes) <= goal]
            if not fitting:
                raise DoesNotFitError(
                    f"{net.name}: the arena needs at least {least:,} bytes, {limit:,} are allowed"
                )
            chosen[i] = min(fitting, key=lambda option: option.cost)
        _set(net, chosen)
        if limits.plan_bytes is not None and (size := len(serialise.serialise(net))) > limits.plan_bytes:
            raise DoesNotFitError(
                f"{net.name}: with {limit:,} bytes of arena the plan takes {size:,}, {limits.plan_bytes:,} are allowed"
            )
        arena.plan_memory(net, limit)
        if net.arena_bytes <= limit:
            return
        goal -= net.arena_bytes - limit
    raise DoesNotFitError(f"{net.name}: the arena takes {net.arena_bytes:,} bytes, {limit:,} are allowed")
