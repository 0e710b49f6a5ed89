"""A chip's models without firmware: a test writes registers by their fields' names and lets time pass."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from host.emulate import families
from host.emulate.fields import FieldPeripheral
from host.emulate.line import Line
from host.emulate.peripheral import Chip, Options

# How often a driver polls a flag before it gives up.
POLLS = 200
POLL_US = 20.0


class Core:
    """A processor that executes as many instructions as the test says."""

    def __init__(self):
        self.count = 0

    def instructions(self) -> int:
        return self.count

    def cycles(self) -> int:
        return self.count

    def pc(self) -> int:
        return 0x08000100

    def set_interrupt(self, number: int, level: bool) -> None:
        pass

    def call_at(self, cycles: int, function: Callable[[], None]) -> None:
        raise AssertionError("nothing in here waits")


class Bench:
    """The models of a family for a board that is made up, or named as one whose wiring matters."""

    def __init__(
        self,
        family: str,
        mcu: str,
        core: str,
        *,
        crystal_hz: int = 0,
        bypass: bool = False,
        board: str = "bench",
        options: Options | None = None,
    ):
        clock = SimpleNamespace(hz=0, crystal_hz=crystal_hz, bypass=bypass)
        made_up = SimpleNamespace(id=board, mcu=mcu, core=core, family=family, clock=clock)
        module = families.load(family)
        self.chip = Chip(made_up, Core(), options or Options(), pin_functions=module.PIN_FUNCTIONS)
        self.chip.line = Line(115200, "PA9", "PA10")
        self.chip.add(module.peripherals(self.chip))

    @property
    def said(self) -> list[str]:
        """What the violations so far say."""
        return [violation.what for violation in self.chip.violations]

    @property
    def clocks(self) -> dict[str, int]:
        """Every clock in Hz."""
        return self.chip.clock.frequencies()

    def _register(self, where: str) -> tuple[FieldPeripheral, str, int]:
        block, name = where.split(".")
        peripheral = self.chip.find(block)
        return peripheral, name, peripheral.register(name).offset

    def read(self, where: str) -> int:
        """The register `BLOCK.NAME`."""
        peripheral, _, offset = self._register(where)
        return peripheral.read(offset, 4)

    def write(self, where: str, value: int) -> None:
        """The whole register."""
        peripheral, _, offset = self._register(where)
        peripheral.write(offset, value, 4)

    def get(self, where: str, field: str) -> int:
        """A field as the bus reads it."""
        peripheral, name, _ = self._register(where)
        return peripheral.field(name, field).of(self.read(where))

    def set(self, where: str, **fields: int) -> None:
        """Reads, changes these fields, writes."""
        peripheral, name, _ = self._register(where)
        value = self.read(where)
        for of, number in fields.items():
            field = peripheral.field(name, of)
            assert number << field.low & ~field.mask == 0, f"{of} = {number}"
            value = value & ~field.mask | number << field.low
        self.write(where, value)

    def pause(self, us: float) -> None:
        """Lets emulated time pass."""
        self.chip.core.count += self.chip.cycles_in(us)

    def wait(self, where: str, field: str, value: int = 1) -> bool:
        """Polls until a field has the value; False if it never comes."""
        for _ in range(POLLS):
            if self.get(where, field) == value:
                return True
            self.pause(POLL_US)
        return False


# A step of a sequence: what is done, with the bench it is done to.
Step = Callable[[Bench], object]


def run(bench: Bench, steps: dict[str, Step], without: str | None = None) -> Bench:
    """Does the steps in order, but for the one named."""
    assert without is None or without in steps
    for name, step in steps.items():
        if name != without:
            step(bench)
    return bench
