"""Measures which kernel is fastest for every layer of a network, in the network itself.

A round gives each step its next candidate kernel; the whole network runs, its outputs are checked, and every step's
cost is noted. As many rounds as the step with most candidates has, so a network with four candidates a layer takes four
runs. Costs are what the board counts, or the cycle model's cycles, which know loads, branches and flash stalls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from host import boards, runner
from host.boards import Board
from host.compile import Compiled, compile_file
from host.cyclemodel.chips import Chip
from host.cyclemodel.model import fixed_inputs, model
from host.devices import is_emulated, open_device
from host.errors import NotExactError
from host.inputs import Samples
from host.plan import arena, choose, serialise
from host.plan.costs import Costs
from host.plan.network import Step


@dataclass(frozen=True)
class Tuned:
    """One step: the cost of every candidate, cheapest first."""

    index: int
    step: Step
    ranking: list[tuple[str, int]]

    @property
    def margin(self) -> float | None:
        """How many times the second best costs what the best does; None if there is no second."""
        return self.ranking[1][1] / max(1, self.ranking[0][1]) if len(self.ranking) > 1 else None


def tune(
    path: Path,
    board_id: str,
    *,
    port: str | None = None,
    chip: Chip | None = None,
    slimmed: bool = True,
    progress: runner.Progress = runner.no_progress,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Costs, list[Tuned]]:
    """Measures all candidates of all steps; with a `chip` in its modelled cycles, else in the board's counts.

    Raises NotExactError if a kernel's result is wrong, and what running a network raises.
    """
    board = boards.load_board(board_id)
    compiled = compile_file(path, slimmed=slimmed)
    net = compiled.net
    candidates = [choose.candidates_of(step) for step in net.steps]
    rounds = max(map(len, candidates))
    costs = Costs(chip.name if chip else "counts", board.id)
    measured: list[dict[str, int]] = [{} for _ in net.steps]
    for turn in range(rounds):
        progress("rounds", turn, rounds)
        for step, names in zip(net.steps, candidates, strict=True):
            choose.assign(step, names[turn % len(names)])
        arena.plan_memory(net)
        trial = replace(compiled, plan=serialise.serialise(net))
        counts, unit = _measure(trial, board, port, chip, say)
        costs.unit = unit
        for step, count, entry in zip(net.steps, counts, measured, strict=True):
            entry[step.kernel] = count
            costs.add(step, step.kernel, count)
    progress("rounds", rounds, rounds)
    ranked = [sorted(entry.items(), key=lambda item: item[1]) for entry in measured]
    return costs, [Tuned(i, step, r) for i, (step, r) in enumerate(zip(net.steps, ranked, strict=True))]


def _measure(
    trial: Compiled, board: Board, port: str | None, chip: Chip | None, say: Callable[[str], None]
) -> tuple[list[int], str]:
    """The cost of each step, and its unit."""
    inputs = fixed_inputs(trial)
    in_flash = is_emulated(board, port)
    with open_device(board, port, plan=trial.plan if in_flash else None, progress=say) as client:
        info = runner.load(client, trial, in_flash)
        result = runner.measure(client, trial, info, Samples([inputs], None, "tuning"))
        if result.mismatches:
            raise NotExactError(f"{trial.net.name}: {result.first_mismatch}")
        counts, unit = [int(c) for c in result.layer_totals // result.counted], client.hello.counter
    if chip is None:
        return counts, unit
    modelled = model(board, chip, trial, inputs, in_flash, say=say)
    return [round(step.total.cycles) for step in modelled.steps], f"cycles {chip.name}"
