"""Models the cycles of a compiled network: runs it once under the plugin, adds up, keeps the result.

The model needs an emulator of its own: without -icount, which cuts blocks at places that depend on the time of day.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from host import build, runner
from host.boards import Board
from host.compile import Compiled
from host.cyclemodel import plugin
from host.cyclemodel.chips import (
    FETCH_ERROR_PERCENT,
    FETCH_SHARE,
    Chip,
    chip_names,
    find_chip,
    plugin_settings,
)
from host.errors import EmulatorError, HostError
from host.inputs import random_inputs
from host.project import build_dir

STEP_FUNCTION = "plan_run_step"  # firmware/runtime/plan.c: one call is one step
KEPT_RESULTS = 400
DEFAULT_M7 = "f746-itcm"  # for code of a Cortex-M4 board


@dataclass(frozen=True)
class Modelled:
    """What one inference would take on the chip; `steps` is in the order of the plan.

    `instructions` are those inside plan_run_step, a few less a step than the device counts around it.
    """

    chip: Chip
    steps: list  # of account.StepCost
    in_flash: bool

    @property
    def cycles(self) -> float:
        """Of one inference."""
        return sum(s.total.cycles for s in self.steps)

    @property
    def instructions(self) -> int:
        """Of one inference."""
        return sum(s.total.instructions for s in self.steps)

    @property
    def fps(self) -> float:
        """Inferences a second at the chip's clock."""
        return self.chip.clock_hz / self.cycles

    @property
    def error_percent(self) -> int:
        """How far cycles and FPS may be off, see CALIBRATION.md."""
        fetching = sum(s.total.flash_code for s in self.steps)
        calibrated = fetching <= FETCH_SHARE * self.cycles
        return self.chip.error_percent if calibrated else max(self.chip.error_percent, FETCH_ERROR_PERCENT)

    @property
    def error_text(self) -> str:
        """The reason for error_percent."""
        if self.error_percent == self.chip.error_percent:
            return self.chip.error_text
        return f"{self.chip.error_text}; more than {100 * FETCH_SHARE:.0f} % of the cycles wait for code"


def chip_of(
    board: Board,
    flash: str | None = None,
    core: str | None = None,
    mem: str | None = None,
    clock_hz: int | None = None,
) -> Chip:
    """The chip to model a board's firmware on: the board's own unless `flash` (Cortex-M4) or `mem` (M7) names one.

    Raises HostError for a combination that makes no sense.
    """
    if not board.emulated or board.emulator is None:
        raise HostError(f"{board.id} is a real board: it measures cycles itself, `host run` shows them")
    core = core or ("m7" if mem else "m4" if flash else board.core)
    if core == "m4" and board.core == "m7":
        raise HostError(
            "Cortex-M7 code cannot be modelled on a Cortex-M4",
            "take an emulated Cortex-M4 board, or --core m7",
        )
    if (flash and core != "m4") or (mem and core != "m7"):
        raise HostError("--flash is for --core m4, --mem for --core m7")
    name = flash or mem or (board.emulator.cycle_model if core == board.core else DEFAULT_M7)
    chip = find_chip(name, clock_hz)
    if chip.core != core:
        raise HostError(f"{name} has no Cortex-{core.upper()}", f"there are: {', '.join(chip_names(core))}")
    return chip


def fixed_inputs(compiled: Compiled, seed: int = 1) -> list[np.ndarray]:
    """The tensors of --input random:SEED."""
    return random_inputs(compiled.original, seed)


def model(
    board: Board,
    chip: Chip,
    compiled: Compiled,
    inputs: Sequence[np.ndarray],
    in_flash: bool,
    *,
    firmware: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Modelled:
    """The modelled cost of one inference of `inputs`, kept for the next time.

    Raises what building and running on an emulator raise.
    """
    from host.cyclemodel.account import StepCost

    elf = firmware or build.build(board, progress=say).elf
    path = (
        build_dir() / "cyclemodel" / "results" / f"{_key(board, chip, compiled, inputs, in_flash, elf)}.json"
    )
    try:
        steps = [StepCost.from_dict(value) for value in json.loads(path.read_text())]
        os.utime(path)
    except (OSError, ValueError, KeyError, TypeError):
        say(f"modelling cycles on {chip.name}")
        steps = simulate(board, chip, compiled, inputs, in_flash, elf)
        _keep(path, [step.to_dict() for step in steps])
    return Modelled(chip, steps, in_flash)


def _key(
    board: Board, chip: Chip, compiled: Compiled, inputs: Sequence[np.ndarray], in_flash: bool, elf: Path
) -> str:
    """Hash of all that a result depends on, the model's own sources among it; not of the clock."""
    digest = hashlib.sha256(_own_sources())
    facts = [board.id, chip.name, chip.core, repr(chip.memory), str(in_flash)]
    for part in (
        *(f.encode() for f in facts),
        compiled.plan,
        *(x.tobytes() for x in inputs),
        elf.read_bytes(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]


@cache
def _own_sources() -> bytes:
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted([*here.glob("*.py"), *here.glob("plugin/*.[ch]")]):
        digest.update(path.read_bytes())
    return digest.digest()


def simulate(
    board: Board, chip: Chip, compiled: Compiled, inputs: Sequence[np.ndarray], in_flash: bool, elf: Path
) -> list:
    """Runs one inference under the plugin; the account.StepCost of each step. Keeps nothing."""
    from host.cyclemodel import account, windows
    from host.devices import open_device

    symbols = account.Symbols(elf)
    flash = next(b for b in board.memory if b.kind == "flash")
    with tempfile.TemporaryDirectory(prefix="tinyconv-") as folder:
        out = Path(folder) / "profile"
        settings = plugin_settings(chip, flash.address, flash.bytes)
        client = open_device(
            board,
            plan=compiled.plan if in_flash else None,
            firmware=elf,
            extra=plugin.options(out, symbols.address(STEP_FUNCTION), settings),
            counted=False,
        )
        with client:
            runner.load(client, compiled, in_flash)
            for tensor, array in zip(compiled.net.inputs, inputs, strict=True):
                client.write_tensor(tensor, array.tobytes())
            client.run()
            with open(out) as file:
                found = windows.parse(file)
    if len(found) != len(compiled.net.steps):
        raise EmulatorError(f"the cycle model saw {len(found)} of {len(compiled.net.steps)} steps")
    return account.costs(found, chip, symbols)


def _keep(path: Path, value: object) -> None:
    """Stores a result; the oldest make room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(value, file)
    os.replace(file.name, path)
    for stale in sorted(path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime)[:-KEPT_RESULTS]:
        stale.unlink(missing_ok=True)
