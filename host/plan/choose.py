"""Chooses a kernel for every step: the cheapest, then cheaper ones in memory until the plan fits its limits.

Costs are measured (host.plan.costs). Two limits can make a faster kernel unaffordable: the plan's size (Winograd's
weights take eight times the flash) and the arena (scratch, outputs that cannot lie over inputs). Each is met by the
exchange that costs least per byte it saves, again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host import defs, native
from host.errors import DoesNotFitError, UnsupportedError
from host.plan import arena, pack, serialise
from host.plan.costs import Costs, default_costs
from host.plan.network import Network, Step


@dataclass(frozen=True)
class Limits:
    """Most bytes of the plan (flash) and of the arena (RAM); None is no limit."""

    plan_bytes: int | None = None
    arena_bytes: int | None = None


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


def any_kernel(name: str) -> bool:
    """Admits every kernel."""
    return True


def reference_only(name: str) -> bool:
    """Admits only the obvious twins."""
    return name.endswith("_ref")


def choose(
    net: Network,
    admits: Callable[[str], bool] = any_kernel,
    costs: Costs | None = None,
    limits: Limits = NO_LIMITS,
) -> Price:
    """Sets every step's kernel, and places the network's memory.

    Raises UnsupportedError with operator, index and reason if no admitted kernel can do a step, DoesNotFitError if
    no choice meets the limits.
    """
    costs = costs or default_costs()
    options = [_options(step, admits, costs) for step in net.steps]
    chosen = [min(o, key=lambda option: option.cost) for o in options]
    unlimited = sum(option.cost for option in chosen)
    _set(net, chosen)
    if limits.plan_bytes is not None:
        _meet_plan_limit(net, options, chosen, limits.plan_bytes)
    arena.plan_memory(net)
    if limits.arena_bytes is not None:
        _meet_arena_limit(net, options, chosen, limits)
    return Price(costs.unit, sum(option.cost for option in chosen), unlimited)


def candidates_of(step: Step, admits: Callable[[str], bool] = any_kernel) -> list[str]:
    """Names of all admitted kernels that compute this step, in the order of kernels.def."""
    params = step.packed_params
    if native.params_valid(step.op, params) is not None:
        return []
    kernels = [k for k in defs.kernels().values() if k.op == step.op and admits(k.name)]
    return [k.name for k in kernels if native.supports(k.name, params) and pack.accepts(k, step)]


def _options(step: Step, admits: Callable[[str], bool], costs: Costs) -> list[Option]:
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
            costs.cost(step, name),
            native.scratch_bytes(name, params),
            native.weights_bytes(name, params) + native.channels_bytes(name, params),
        )
        for name in names
    ]


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
    """Exchanges kernels, one at a time, until the arena is small enough.

    Progress is that fewer bytes exceed the limit in single steps, or with equally many, that the placement shrinks.
    """
    limit = limits.arena_bytes
    assert limit is not None

    def place(trial: list[Option]) -> tuple[int, int]:
        _set(net, trial)
        arena.plan_memory(net)
        return sum(max(0, n - limit) for n in arena.step_bytes(net)), net.arena_bytes

    state = place(chosen)
    while state[1] > limit:
        needs = arena.step_bytes(net)
        fullest = [i for i, n in enumerate(needs) if n > limit] or [
            i for i, n in enumerate(needs) if n == max(needs)
        ]
        exchanges = []
        for i in fullest:
            for option in options[i]:
                trial = [*chosen[:i], option, *chosen[i + 1 :]]
                after = place(trial)
                if after < state and not _plan_too_large(net, limits):
                    saved = (state[0] - after[0]) or (state[1] - after[1])
                    exchanges.append(((option.cost - chosen[i].cost) / saved, i, option))
        if not exchanges:
            place(chosen)
            raise DoesNotFitError(
                f"{net.name}: the arena needs at least {net.arena_bytes:,} bytes, {limit:,} are allowed"
            )
        _, i, option = min(exchanges, key=lambda e: e[0])
        chosen[i] = option
        state = place(chosen)


def _plan_too_large(net: Network, limits: Limits) -> bool:
    return limits.plan_bytes is not None and len(serialise.serialise(net)) > limits.plan_bytes
