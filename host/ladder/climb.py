"""Builds and runs every rung of the ladder for one network, checks it, and models its cycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from host import boards, runner
from host.boards import Board
from host.compile import Compiled, compile_graph
from host.cyclemodel.chips import Chip
from host.errors import DoesNotFitError, FlashError
from host.experiment import SLACK, Options, lies_in_flash, load_samples, pool_bytes, run_compiled
from host.ladder.rungs import Rung
from host.model.graph import Graph
from host.model.load import load_graph
from host.plan.choose import Limits
from host.plan.costs import costs_for
from host.report.result import Prediction

SCHEMA = 1
LADDER_CHIP = "f746-itcm"  # whose cycles are modelled on any emulated board: an STM32F746 at 216 MHz


@dataclass
class RungResult:
    """What a rung takes for one inference.

    `count` is in the unit of the ladder's counter, the mean of all samples; None if the rung does not fit the board
    (`trouble` says). `kernels` are those of the plan and in how many steps. `predictions` are the cycle model's, one a
    chip. `measured_fps` is a real board's.
    """

    rung: Rung
    count: int | None = None
    macs: int = 0
    arena_bytes: int = 0
    plan_bytes: int = 0
    exact: bool | None = None
    trouble: str = ""
    measured_fps: float | None = None
    predictions: list[Prediction] = field(default_factory=list)
    kernels: dict[str, int] = field(default_factory=dict)


@dataclass
class Ladder:
    """A whole `host ladder`. The rungs are in their order; `counter` is `cycles` or `instructions`."""

    model: str
    board: str
    counter: str
    source: str
    rungs: list[RungResult]

    def speedup(self, result: RungResult) -> float | None:
        """How many times less the rung takes than the first that fits."""
        counts = [r.count for r in self.rungs if r.count]
        return counts[0] / result.count if result.count else None

    @property
    def wrong(self) -> list[RungResult]:
        """Those whose outputs differ from the oracle's."""
        return [r for r in self.rungs if r.exact is False]

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "board": self.board,
            "counter": self.counter,
            "input": self.source,
            "rungs": [
                {
                    "name": r.rung.name,
                    "change": r.rung.change,
                    "why": r.rung.why,
                    "count": r.count,
                    "speedup": self.speedup(r),
                    "exact": r.exact,
                    "trouble": r.trouble,
                    "macs": r.macs,
                    "arena_bytes": r.arena_bytes,
                    "plan_bytes": r.plan_bytes,
                    "measured_fps": r.measured_fps,
                    "predictions": [{**asdict(p), "fps": p.fps} for p in r.predictions],
                    "kernels": r.kernels,
                }
                for r in self.rungs
            ],
        }


def compile_rung(graph: Graph, rung: Rung, board: Board) -> Compiled:
    """The network as the rung has it, within the board's memory.

    Raises UnsupportedError, DoesNotFitError.
    """
    limits = Limits(board.plan_region.bytes or None, pool_bytes(board), SLACK if rung.tuned else 0.0)
    return compile_graph(
        graph, rung.admits, slimmed=rung.slimmed, costs=costs_for(board.id), limits=limits, in_place=rung.in_place
    )  # fmt: skip


def climb(
    path: Path,
    rungs: Sequence[Rung],
    options: Options,
    *,
    chips: Sequence[Chip] = (),
    progress: runner.Progress = runner.no_progress,
    say: Callable[[str], None] = lambda text: None,
) -> Ladder:
    """Compiles, runs and checks every rung with the options' board, input and check; models its cycles on `chips`.

    A rung that does not fit the board is an entry with a reason, as is one that a real board would need flashed first,
    and a wrong one. Raises what running a network raises.
    """
    board = boards.load_board(options.board)
    graph = load_graph(path)
    ladder = Ladder(graph.name, board.id, "", "", [])
    for done, rung in enumerate(rungs):
        progress("rungs", done, len(rungs))
        result = RungResult(rung)
        ladder.rungs.append(result)
        try:
            compiled = compile_rung(graph, rung, board)
            _run(compiled, board, options, ladder, result, say)
        except (DoesNotFitError, FlashError) as error:
            result.trouble = error.message.removeprefix(f"{graph.name}: ")
            continue
        for chip in chips:
            result.predictions.append(_predict(compiled, board, chip, options, say))
    progress("rungs", len(rungs), len(rungs))
    return ladder


def _run(
    compiled: Compiled, board: Board, options: Options, ladder: Ladder, result: RungResult, say: Callable[[str], None]
) -> None:  # fmt: skip
    outcome = run_compiled(compiled, board, options, load_samples(compiled, options), say=say)
    run = outcome.result
    ladder.counter, ladder.source = run.counter, run.source
    result.macs, result.arena_bytes, result.plan_bytes = run.macs, run.arena_bytes, run.plan_bytes
    result.kernels = dict(Counter(step.kernel for step in compiled.net.steps))
    result.exact = run.bit_exact
    if run.first_mismatch:
        result.trouble = str(run.first_mismatch)
    result.count, result.measured_fps = run.per_inference, run.measured_fps


def _predict(
    compiled: Compiled, board: Board, chip: Chip, options: Options, say: Callable[[str], None]
) -> Prediction:
    from host.cyclemodel.model import fixed_inputs, model

    in_flash = lies_in_flash(compiled, board, options)
    modelled = model(board, chip, compiled, fixed_inputs(compiled), in_flash, say=say)
    return Prediction(
        chip.name, chip.clock_hz, round(modelled.cycles), modelled.error_percent, modelled.error_text
    )
