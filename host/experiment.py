"""One `host run` from file to report, as a library function: the command only parses and prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from host import boards, build, inputs, runner
from host.boards import Board
from host.compile import Compiled, compile_file, compile_graph
from host.devices import is_emulated, open_device
from host.errors import DeviceError, DoesNotFitError, HostError, ToolMissingError
from host.link.client import Client, PlanInfo
from host.link.hello import Hello
from host.model.graph import Graph
from host.plan import banks, choose
from host.plan.costs import costs_for
from host.report.result import Prediction, RunResult

# A plan beyond this is placed in an emulated board's flash rather than streamed: the emulated line is slow.
STREAMED_BYTES = 24 * 1024
# A plan may cost this part more than the fastest one if that makes its arena smaller.
SLACK = 0.0075
DEFAULT_SOURCE = "random:1"


@dataclass(frozen=True)
class Options:
    """What `host run` can be told; see its --help."""

    board: str
    port: str | None = None
    source: str | None = None
    resize: bool = False
    runs: int = 1
    check: str = "output"
    pipelined: bool = False
    place: str = "auto"
    kernels: str = "all"
    slimmed: bool = True
    arena_bytes: int | None = None
    plan_bytes: int | None = None
    copy_bytes: int = 0
    firmware: Path | None = None
    predict: bool = True


@dataclass(frozen=True)
class Outcome:
    """The report, the inputs as the network's tensors, and the outputs in the file's own types."""

    result: RunResult
    samples: inputs.Samples
    outputs: list[list[np.ndarray]]


def _silent(text: str) -> None:
    pass


def run(
    network: Path | Graph,
    options: Options,
    *,
    arrays: Sequence[np.ndarray] | None = None,
    progress: runner.Progress = runner.no_progress,
    say: Callable[[str], None] = _silent,
    built_in: bool = False,
) -> Outcome:
    """Compiles, opens the device, loads, runs and checks. Raises any of host.errors.

    `arrays`, one an input, take the place of the options' source.
    """
    board = boards.load_board(options.board)
    compiled = compile_for(network, board, options)
    if arrays is None:
        samples = load_samples(compiled, options, built_in)
    else:
        tensors = inputs.from_arrays(arrays, compiled.original, "inputs", resize=options.resize)
        samples = inputs.Samples(tensors, None, "arrays")
    return run_compiled(compiled, board, options, samples, progress=progress, say=say)


def run_compiled(
    compiled: Compiled,
    board: Board,
    options: Options,
    samples: inputs.Samples,
    *,
    progress: runner.Progress = runner.no_progress,
    say: Callable[[str], None] = _silent,
) -> Outcome:
    """run() of a network that is compiled already."""
    with loaded(compiled, board, options, progress=progress, say=say) as device:
        measured = runner.measure(
            device.client,
            compiled,
            device.info,
            samples,
            runs=options.runs,
            check=options.check,
            pipelined=options.pipelined,
            progress=progress,
        )
        hello = device.client.ask_hello()
    result = _result(compiled, board, hello, samples, options, device, measured)
    result.prediction = prediction(compiled, board, device.in_flash, options, say)
    return Outcome(result, samples, measured.outputs)


@dataclass(frozen=True)
class Loaded:
    """A connected device that holds a network, ready for inputs."""

    client: Client
    info: PlanInfo
    in_flash: bool


@contextmanager
def loaded(
    compiled: Compiled,
    board: Board,
    options: Options,
    *,
    progress: runner.Progress = runner.no_progress,
    say: Callable[[str], None] = _silent,
) -> Iterator[Loaded]:
    """Opens the options' device, makes sure that it is that board, and loads the network; closes it afterwards."""
    in_flash = lies_in_flash(compiled, board, options)
    client = open_device(
        board, options.port, plan=compiled.plan if in_flash else None, firmware=options.firmware, progress=say
    )
    with client:
        _check_board(board, client.hello)
        if options.place == "auto" and not is_emulated(board, options.port):
            in_flash = place_on_device(client, compiled, say)
        yield Loaded(client, runner.load(client, compiled, in_flash, progress), in_flash)


def compile_for(network: Path | Graph, board: Board, options: Options) -> Compiled:
    """A network with the kernels that are cheapest on the board under the options' limits, and its own if possible.

    Raises DoesNotFitError if the options' limits cannot be met; what the board's memory cannot hold is refused later,
    with what it needs and what there is. Where a slow bank would cost much, a plan for the fastest one is preferred.
    """
    compile_ = compile_file if isinstance(network, Path) else compile_graph
    admits = choose.admission(options.kernels)
    costs = costs_for(board.id)
    asked = choose.Limits(options.plan_bytes, options.arena_bytes, copy_bytes=options.copy_bytes)
    of_board = choose.Limits(
        options.plan_bytes or board.plan_region.bytes or None,
        options.arena_bytes or pool_bytes(board) - options.copy_bytes,
        SLACK,
        options.copy_bytes,
    )

    def within(limits: choose.Limits) -> Compiled:
        return compile_(network, admits, slimmed=options.slimmed, costs=costs, limits=limits)

    try:
        compiled = within(of_board)
    except DoesNotFitError:
        return within(asked)
    return _for_fast_bank(compiled, board, of_board, within)


def _for_fast_bank(
    compiled: Compiled, board: Board, limits: choose.Limits, within: Callable[[choose.Limits], Compiled]
) -> Compiled:
    """The network again with an arena for the fastest bank, unless that costs more than it does to use a slower one."""
    fast, penalty = banks.rooms_of(board)[0] - limits.copy_bytes, banks.slow_penalty(board)
    if penalty == 0 or compiled.net.arena_bytes <= fast:
        return compiled
    try:
        smaller = within(replace(limits, arena_bytes=fast))
    except DoesNotFitError:
        return compiled
    return smaller if smaller.price.cost <= compiled.price.cost * (1 + penalty) else compiled


def arena_bank(compiled: Compiled, board: Board, options: Options) -> str | None:
    """Where the board will put the arena; None if it has no place for it."""
    pools = banks.pools_of(board)
    try:
        return pools[
            banks.place(pools, runner.demand(compiled, lies_in_flash(compiled, board, options)))
        ].name
    except DoesNotFitError:
        return None


def pool_bytes(board: Board) -> int:
    """The largest arena that the board has room for, beside a plan in flash."""
    return max(banks.rooms_of(board))


def prediction(
    compiled: Compiled, board: Board, in_flash: bool, options: Options, say: Callable[[str], None]
) -> Prediction | None:
    """The speed of an emulated board's chip by the cycle model; None, and why, if it cannot be modelled here.

    Always with the same input, so that it can be kept: cycles hardly depend on it. None too for a board that measures
    itself, and if the options want no prediction.
    """
    from host.cyclemodel import model

    if not board.emulated or options.port or not options.predict:
        return None
    try:
        chip = model.chip_of(board)
        tensors = model.fixed_inputs(compiled)
        modelled = model.model(board, chip, compiled, tensors, in_flash, firmware=options.firmware, say=say)
    except HostError as error:
        say(f"no speed is modelled: {error}")
        return None
    return Prediction(
        chip.name, chip.clock_hz, round(modelled.cycles), modelled.error_percent, modelled.error_text
    )


def load_samples(compiled: Compiled, options: Options, built_in: bool = False) -> inputs.Samples:
    """The samples that the options name; those that come with the built-in network if they name none."""
    if built_in and options.source is None:
        from host.data import digits

        images, labels = digits.test_images()
        graph = compiled.original
        tensors = inputs.from_arrays([images], graph, "test images")
        return inputs.Samples(tensors, labels, "the handwritten digits' test images")
    return inputs.load(options.source or DEFAULT_SOURCE, compiled.original, resize=options.resize)


def lies_in_flash(compiled: Compiled, board: Board, options: Options) -> bool:
    """Whether the plan goes to the flash region: large ones, and those that leave too little RAM."""
    if options.place != "auto":
        return options.place == "flash"
    if is_emulated(board, options.port) and len(compiled.plan) > STREAMED_BYTES:
        return True
    return not banks.fits(banks.pools_of(board), runner.demand(compiled, in_flash=False))


def place_on_device(client: Client, compiled: Compiled, say: Callable[[str], None] = _silent) -> bool:
    """Whether a board that keeps its flash runs the plan from there: if it lies there, or if RAM cannot take it.

    Then runner.load() tells, if it does not lie there, to write it with `host flash`.
    """
    if runner.flash_holds(client, compiled):
        say("the plan in flash is this one")
        return True
    return not banks.fits(banks.pools_told(client.hello), runner.demand(compiled, in_flash=False))


def _check_board(board: Board, hello: Hello) -> None:
    if hello.board != board.id:
        raise DeviceError(f"the device is a {hello.board}, not a {board.id}", f"use --board {hello.board}")


def _code_bytes(board: Board, hello: Hello, options: Options) -> int | None:
    """Flash that the device's firmware takes, if it is the one that we build."""
    if options.firmware:
        raw = options.firmware.suffix == ".bin"
        return options.firmware.stat().st_size if raw else build.elf_sizes(options.firmware).code_bytes
    try:
        firmware = build.build(board)
    except ToolMissingError:
        return None
    return firmware.code_bytes if firmware.build_hash == hello.build else None


def _result(
    compiled: Compiled,
    board: Board,
    hello: Hello,
    samples: inputs.Samples,
    options: Options,
    device: Loaded,
    measured: runner.Measurement,
) -> RunResult:
    net, pools = compiled.net, banks.pools_told(hello)
    per_inference = round(sum(measured.totals) / len(measured.totals))
    timed = hello.counter == "cycles" and hello.clock_hz and per_inference
    return RunResult(
        model=net.name,
        board=board.id,
        core=f"cortex-{board.core}",
        emulated=hello.emulated,
        clock_hz=hello.clock_hz,
        counter=hello.counter,
        runs=options.runs,
        check=options.check,
        bit_exact=None if options.check == "none" else measured.mismatches == 0,
        mismatches=measured.mismatches,
        first_mismatch=measured.first_mismatch,
        per_inference=per_inference,
        measured_fps=hello.clock_hz / per_inference if timed and not hello.emulated else None,
        end_to_end_fps=None if hello.emulated else len(measured.totals) / measured.seconds,
        macs=net.macs,
        macs_original=compiled.original.total_macs,
        arena_bytes=net.arena_bytes,
        arena_bank=pools[device.info.arena_pool].name,
        copy_bytes=net.copy_bytes,
        code_bytes=_code_bytes(board, hello, options),
        plan_bytes=len(compiled.plan),
        plan_place="flash" if device.in_flash else "ram",
        plan_bank=None if device.in_flash else pools[banks.largest(pools)].name,
        firmware={
            "build": hello.build,
            "compiler": hello.compiler,
            "flags": hello.flags,
            "hot_code_bytes": hello.hot_code_bytes,
            "stack_bytes": hello.stack_bytes,
            "stack_used": hello.stack_used,
            "clock_source": hello.clock_source,
            "last_fault": str(hello.fault) if hello.fault else None,
        },
        layers=runner.layer_results(net, measured),
        source=samples.source,
        samples=len(samples.tensors),
        classes=runner.classes(compiled.original, measured),
        labels=[int(y) for y in samples.labels] if samples.labels is not None else None,
    )
