"""Board manifests: `boards/<id>.json`, checked and as dataclasses. boards/README.md documents the fields.

Addresses and sizes are in bytes, frequencies in Hz. A manifest that is wrong raises HostError and names the field.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from host.errors import HostError, UnknownBoardError
from host.project import boards_dir, firmware_dir

DEFAULT_BOARD = "emu_stm32f405"  # where no board is attached and none is named
CORES = ("m4", "m7", "m33")
BANK_KINDS = ("flash", "ram")
DISPLAY_KINDS = ("rk043fn48h",)
PIN = r"P[A-K](\d|1[0-5])"
SPEEDS = ("no_wait", "wait_states", "tightly_coupled")
ALIGN = 8
MAX_POOLS = 4  # PORT_MAX_POOLS of firmware/port/port.h

T = TypeVar("T")


@dataclass(frozen=True)
class Region:
    """A range of addresses."""

    address: int
    bytes: int

    @property
    def end(self) -> int:
        """First address after it."""
        return self.address + self.bytes

    def holds(self, other: Region) -> bool:
        """Whether the other region lies inside this one."""
        return self.address <= other.address and other.end <= self.end

    def overlaps(self, other: Region) -> bool:
        """Whether an address belongs to both."""
        return self.address < other.end and other.address < self.end


@dataclass(frozen=True)
class MemoryBank(Region):
    """A memory of the chip."""

    name: str
    kind: str
    speed: str


@dataclass(frozen=True)
class Clock:
    """Core clock that start-up aims at, and the crystal (with `bypass`: the signal) that it comes from; 0 for none."""

    hz: int
    crystal_hz: int
    bypass: bool


@dataclass(frozen=True)
class Uart:
    """The serial line that the link uses; pins and alternate function are None where the family has none.

    `lpuart` tells LPUART<instance> from USART<instance>.
    """

    instance: int
    baud: int
    tx: str | None
    rx: str | None
    af: int | None
    lpuart: bool


@dataclass(frozen=True)
class Emulator:
    """QEMU's name of the machine, the icount shift that its port's counter is made for, and the chip of
    host/cyclemodel/chips.py whose cycles are modelled when nobody names another.
    """

    machine: str
    icount_shift: int
    cycle_model: str


@dataclass(frozen=True)
class Probe:
    """What debuggers call the chip; of an on-board ST-Link the label of its USB drive and the ids of its board, one a
    revision.
    """

    pyocd_target: str
    openocd_target: str
    drive: str | None = None
    board_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Display:
    """A panel on the chip's display controller: `pins` with their alternate functions; `high` are held high."""

    kind: str
    width: int
    height: int
    pins: tuple[tuple[str, int], ...]
    high: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """One manifest."""

    id: str
    name: str
    vendor: str
    url: str
    mcu: str
    family: str
    core: str
    emulated: bool
    emulator: Emulator | None
    clock: Clock
    memory: tuple[MemoryBank, ...]
    firmware_region: Region
    plan_region: Region
    pools: tuple[MemoryBank, ...]
    hot_code: MemoryBank | None
    uart: Uart
    energy_pin: str | None
    watchdog_ms: int
    display: Display | None
    probe: Probe | None
    cmsis_pack: str | None

    @property
    def ram_bytes(self) -> int:
        """Size of all banks that hold stack, data and pools."""
        return sum(bank.bytes for bank in self.pools)


def board_ids() -> list[str]:
    """Names of all manifests, sorted."""
    return sorted(path.stem for path in boards_dir().glob("*.json"))


def manifest_path(board_id: str) -> Path:
    """Where the board's manifest is."""
    return boards_dir() / f"{board_id}.json"


def all_boards() -> list[Board]:
    """Every board, sorted by id."""
    return [load_board(board_id) for board_id in board_ids()]


def load_board(board_id: str) -> Board:
    """The board of that id. Raises UnknownBoardError, or HostError if its manifest is wrong."""
    known = board_ids()
    if board_id not in known:
        close = difflib.get_close_matches(board_id, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise UnknownBoardError(f"no board is named {board_id!r}", f"{hint}known: {', '.join(known)}")
    path = manifest_path(board_id)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HostError(f"boards/{path.name} is not JSON: {error}") from None
    return parse_board(board_id, manifest)


def parse_board(board_id: str, manifest: Any) -> Board:
    """Checks a parsed manifest. Raises HostError with the field's path."""
    top = _Fields(f"boards/{board_id}.json", manifest)
    build, upload, ours = top.group("build"), top.group("upload"), top.group("tinyconv")
    if top.take("platform", str) != "tinyconv":
        raise top.wrong("platform", 'must be "tinyconv"')

    banks = tuple(_bank(entry) for entry in ours.groups("memory"))
    for i, bank in enumerate(banks):
        if any(bank.overlaps(other) or bank.name == other.name for other in banks[:i]):
            raise ours.wrong("memory", f"bank {bank.name!r} has the name or addresses of another")
    by_name = {bank.name: bank for bank in banks}

    placed = ours.group("firmware")
    bank = by_name.get(placed.take("bank", str))
    if bank is None or bank.kind != "flash":
        raise placed.wrong("bank", "must name a memory bank of kind flash")
    firmware = Region(bank.address, placed.positive("bytes"))
    placed.finish()
    if not bank.holds(firmware):
        raise placed.wrong("bytes", f"is more than bank {bank.name!r} has")

    plan = Region(0, 0)
    if "plan" in ours:
        region = ours.group("plan")
        plan = Region(region.address("address"), region.positive("bytes"))
        region.finish()
        inside = any(b.kind == "flash" and b.holds(plan) for b in banks)
        if not inside or plan.overlaps(firmware) or plan.address % ALIGN:
            raise region.wrong("address", f"must be inside flash, after the firmware, a multiple of {ALIGN}")

    pools = _pools(ours, by_name)
    hot_code = by_name.get(ours.take("hot_code", str)) if "hot_code" in ours else None
    if "hot_code" in ours and (hot_code is None or hot_code.kind != "ram" or hot_code in pools):
        raise ours.wrong("hot_code", "must name a memory bank of kind ram that is no pool")

    family = ours.take("family", str)
    if not (firmware_dir() / "port" / family / "family.h").is_file():
        raise ours.wrong("family", f"there is no firmware/port/{family}")
    emulated = ours.take("emulated", bool)
    if emulated != ("emulator" in ours):
        raise ours.wrong("emulator", "must be there if and only if emulated is true")

    clock = _clock(ours.group("clock"))
    board = Board(
        id=board_id,
        name=top.take("name", str),
        vendor=top.take("vendor", str),
        url=top.take("url", str),
        mcu=build.take("mcu", str),
        family=family,
        core=ours.choice("core", CORES),
        emulated=emulated,
        emulator=_emulator(ours.group("emulator")) if emulated else None,
        clock=clock,
        memory=banks,
        firmware_region=firmware,
        plan_region=plan,
        pools=pools,
        hot_code=hot_code,
        uart=_uart(ours.group("uart")),
        energy_pin=_pin(ours, "energy_pin", ours.take("energy_pin", str)) if "energy_pin" in ours else None,
        watchdog_ms=ours.positive("watchdog_ms") if "watchdog_ms" in ours else 0,
        display=_display(ours.group("display")) if "display" in ours else None,
        probe=_probe(ours.group("probe")) if "probe" in ours else None,
        cmsis_pack=ours.take("cmsis_pack", str) if "cmsis_pack" in ours else None,
    )
    ours.finish()
    # PlatformIO wants some facts in places of its own
    if build.take("f_cpu", str) != f"{clock.hz}L":
        raise build.wrong("f_cpu", f'must repeat tinyconv.clock.hz: "{clock.hz}L"')
    if build.take("cpu", str) != f"cortex-{board.core}":
        raise build.wrong("cpu", f'must repeat tinyconv.core: "cortex-{board.core}"')
    if upload.take("maximum_size", int) != firmware.bytes:
        raise upload.wrong("maximum_size", f"must repeat tinyconv.firmware.bytes: {firmware.bytes}")
    if upload.take("maximum_ram_size", int) != pools[0].bytes:
        raise upload.wrong("maximum_ram_size", f"must repeat the first pool's bytes: {pools[0].bytes}")
    return board


def _pools(ours: _Fields, banks: dict[str, MemoryBank]) -> tuple[MemoryBank, ...]:
    names = ours.take("pools", list)
    if not 1 <= len(names) <= MAX_POOLS or len(set(map(str, names))) < len(names):
        raise ours.wrong("pools", f"must name 1 to {MAX_POOLS} memory banks, each once")
    for name in names:
        if not isinstance(name, str) or name not in banks or banks[name].kind != "ram":
            raise ours.wrong("pools", f"{name!r} is no memory bank of kind ram")
    return tuple(banks[name] for name in names)


def _bank(fields: _Fields) -> MemoryBank:
    bank = MemoryBank(
        fields.address("address"),
        fields.positive("bytes"),
        fields.take("name", str),
        fields.choice("kind", BANK_KINDS),
        fields.choice("speed", SPEEDS),
    )
    fields.finish()
    return bank


def _clock(fields: _Fields) -> Clock:
    bypass = fields.take("bypass", bool) if "bypass" in fields else False
    clock = Clock(fields.positive("hz"), fields.take("crystal_hz", int), bypass)
    if bypass and clock.crystal_hz == 0:
        raise fields.wrong("bypass", "needs crystal_hz, the frequency of the signal")
    fields.finish()
    return clock


def _emulator(fields: _Fields) -> Emulator:
    emulator = Emulator(
        fields.take("machine", str), fields.take("icount_shift", int), fields.take("cycle_model", str)
    )
    fields.finish()
    return emulator


def _uart(fields: _Fields) -> Uart:
    uart = Uart(
        instance=fields.take("instance", int),
        baud=fields.positive("baud"),
        tx=fields.take("tx", str) if "tx" in fields else None,
        rx=fields.take("rx", str) if "rx" in fields else None,
        af=fields.take("af", int) if "af" in fields else None,
        lpuart=fields.take("lpuart", bool) if "lpuart" in fields else False,
    )
    for role in ("tx", "rx"):
        pin = getattr(uart, role)
        if pin is not None:
            _pin(fields, role, pin)
    fields.finish()
    return uart


def _display(fields: _Fields) -> Display:
    functions = fields.group("pins")
    pins = []
    for af in [str(af) for af in range(16) if str(af) in functions]:
        pins += [(_pin(functions, af, pin), int(af)) for pin in functions.take(af, list)]
    functions.finish()
    display = Display(
        kind=fields.choice("kind", DISPLAY_KINDS),
        width=fields.positive("width"),
        height=fields.positive("height"),
        pins=tuple(pins),
        high=tuple(_pin(fields, "high", pin) for pin in fields.take("high", list)),
    )
    fields.finish()
    return display


def _pin(fields: _Fields, field: str, name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(PIN, name):
        raise fields.wrong(field, f"{name!r} is no pin like PA9")
    return name


def _probe(fields: _Fields) -> Probe:
    probe = Probe(
        fields.take("pyocd_target", str),
        fields.take("openocd_target", str),
        fields.take("drive", str) if "drive" in fields else None,
        tuple(fields.take("board_id", str).split()) if "board_id" in fields else (),
    )
    if not all(re.fullmatch(r"[0-9A-F]{4}", board_id) for board_id in probe.board_ids):
        raise fields.wrong("board_id", 'must be four hexadecimal digits like "0777", or several of these')
    fields.finish()
    return probe


class _Fields:
    """A JSON object that remembers where it stands and which fields were read."""

    def __init__(self, path: str, values: Any):
        if not isinstance(values, dict):
            raise HostError(f"{path}: must be an object")
        self._path, self._values, self._read = path, values, set()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def wrong(self, name: str, why: str) -> HostError:
        """The error to raise about a field."""
        return HostError(f"{self._path}: {name}: {why}")

    def take(self, name: str, kind: type[T]) -> T:
        """The field's value, which must be of that type."""
        self._read.add(name)
        value = self._values.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(name, "is missing" if value is None else f"must be {kind.__name__}")
        return value

    def positive(self, name: str) -> int:
        """A whole number above 0."""
        value = self.take(name, int)
        if value <= 0:
            raise self.wrong(name, "must be above 0")
        return value

    def address(self, name: str) -> int:
        """An address as a string like "0x08000000"."""
        text = self.take(name, str)
        if not re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text):
            raise self.wrong(name, 'must be a string like "0x08000000"')
        return int(text, 16)

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of the known words."""
        value = self.take(name, str)
        if value not in known:
            raise self.wrong(name, f"must be one of {', '.join(known)}")
        return value

    def group(self, name: str) -> _Fields:
        """An object inside this one."""
        return _Fields(f"{self._path}: {name}", self.take(name, dict))

    def groups(self, name: str) -> list[_Fields]:
        """A list of objects inside this one."""
        entries = self.take(name, list)
        return [_Fields(f"{self._path}: {name}[{i}]", entry) for i, entry in enumerate(entries)]

    def finish(self) -> None:
        """Refuses fields that nobody read: a misspelt one must not be ignored."""
        for name in sorted(set(self._values) - self._read):
            raise self.wrong(name, "is no field that we know")
