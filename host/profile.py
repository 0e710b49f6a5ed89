"""One `host profile` from file to report, as a library function: the command only parses and prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host import boards, experiment
from host.boards import Board
from host.compile import Compiled
from host.cyclemodel.account import Cost
from host.cyclemodel.model import Modelled, chip_of, model

SCHEMA = 1


@dataclass(frozen=True)
class Profile:
    """A network on a modelled chip; its steps are those of `compiled.net`."""

    board: Board
    compiled: Compiled
    modelled: Modelled
    source: str

    def functions(self) -> dict[str, Cost]:
        """The cost of each function in all steps, the costliest first."""
        sums: dict[str, Cost] = {}
        for step in self.modelled.steps:
            for name, cost in step.functions.items():
                sums.setdefault(name, Cost()).add(cost)
        return dict(sorted(sums.items(), key=lambda item: -item[1].cycles))

    def total(self) -> Cost:
        """The cost of one inference."""
        total = Cost()
        for step in self.modelled.steps:
            total.add(step.total)
        return total

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`. `split` adds up to `cycles`, but for rounding."""
        m, net = self.modelled, self.compiled.net
        return {
            "schema": SCHEMA,
            "modelled": True,
            "model": net.name,
            "board": self.board.id,
            "chip": m.chip.name,
            "core": f"cortex-{m.chip.core}",
            "clock_hz": m.chip.clock_hz,
            **self.total().to_json(),
            "fps": m.fps,
            "fps_source": "model",
            "error_percent": m.error_percent,
            "error_text": m.error_text,
            "macs": net.macs,
            "plan_place": "flash" if m.in_flash else "ram",
            "input": self.source,
            "layers": [
                {
                    "index": i,
                    "name": step.name,
                    "op": step.op_kind,
                    "kernel": step.kernel,
                    "out": list(step.out_shape),
                    "macs": step.macs,
                    **cost.total.to_json(),
                    "functions": {name: c.to_json() for name, c in cost.functions.items()},
                }
                for i, (step, cost) in enumerate(zip(net.steps, m.steps, strict=True))
            ],
            "functions": {name: cost.to_json() for name, cost in self.functions().items()},
        }


def profile(
    path: Path,
    options: experiment.Options,
    *,
    flash: str | None = None,
    core: str | None = None,
    mem: str | None = None,
    clock_hz: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Profile:
    """Models one inference of the first sample. `flash`, `core` and `mem` choose the chip, see model.chip_of.

    Raises any of host.errors.
    """
    board = boards.load_board(options.board)
    chip = chip_of(board, flash, core, mem, clock_hz)
    compiled = experiment.compile_for(path, board, options)
    samples = experiment.load_samples(compiled, options)
    in_flash = experiment.lies_in_flash(compiled, board, options)
    modelled = model(board, chip, compiled, samples.tensors[0], in_flash, firmware=options.firmware, say=say)
    return Profile(board, compiled, modelled, samples.source)
