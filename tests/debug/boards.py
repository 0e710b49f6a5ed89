"""Boards and chips for tests of `host flash`: manifests of their own, so that no test depends on the real ones."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from host import boards, build
from host.build import Firmware, Sizes
from host.cli import main
from host.errors import HostError
from host.project import root
from tests.debug.chip import Chip
from tests.debug.controllers import F4Controller, FlashArray, H7Controller

F7_SECTORS = [32 * 1024] * 4 + [128 * 1024] + [256 * 1024] * 7
F4_SECTORS = [16 * 1024] * 4 + [64 * 1024] + [128 * 1024] * 7
H7_SECTORS = [128 * 1024] * 16
F7, H7, F4 = "test_f767", "test_h743", "test_f405"


def manifest(mcu: str, core: str, flash_bytes: int, ram: tuple[int, int], **probe: str) -> dict:
    facts = json.loads((root() / "boards" / "adafruit_feather_f405.json").read_text())
    ours = facts["tinyconv"]
    ours["memory"] = [
        {
            "name": "flash",
            "kind": "flash",
            "address": "0x08000000",
            "bytes": flash_bytes,
            "speed": "wait_states",
        },
        {"name": "sram", "kind": "ram", "address": f"{ram[0]:#x}", "bytes": ram[1], "speed": "no_wait"},
    ]
    ours["core"], facts["build"]["mcu"], facts["build"]["cpu"] = core, mcu, f"cortex-{core}"
    ours["pools"] = ["sram"]
    ours["plan"] = {"address": "0x08040000", "bytes": flash_bytes - 0x40000}
    ours["probe"] = {"openocd_target": "target/stm32f7x.cfg", **probe}
    facts["upload"]["maximum_ram_size"] = ram[1]
    facts["name"] = f"Test board with {mcu}"
    return facts


MANIFESTS = {
    F7: (manifest, ("stm32f767zit6", "m7", 2 << 20, (0x20000000, 0x80000)),
         {"pyocd_target": "stm32f767zi", "board_id": "0818", "drive": "NODE_F767ZI"}),
    H7: (manifest, ("stm32h743zit6", "m7", 2 << 20, (0x24000000, 0x80000)),
         {"pyocd_target": "stm32h743xx", "board_id": "0813"}),
    F4: (manifest, ("stm32f405rgt6", "m4", 1 << 20, (0x20000000, 0x20000)), {"pyocd_target": "stm32f405rgtx"}),
}  # fmt: skip


def f767(rdp: int = 0xAA) -> Chip:
    array = FlashArray(0x08000000, F7_SECTORS)
    controller = F4Controller(array, 0xFFFF00FD | rdp << 8)
    chip = Chip("m7", array, controller, [(0x20000000, 0x80000)], (0xE0042000, 0x10016451))
    chip.system = {0x1FF0F440: 2048 << 16}
    return chip


def f405() -> Chip:
    array = FlashArray(0x08000000, F4_SECTORS)
    return Chip("m4", array, F4Controller(array), [(0x20000000, 0x20000)], (0xE0042000, 0x10076413))


def h743() -> Chip:
    array = FlashArray(0x08000000, H7_SECTORS)
    ram = [(0x20000000, 0x20000), (0x24000000, 0x80000)]
    return Chip("m7", array, H7Controller(array), ram, (0x5C001000, 0x20036450))


def firmware_of(folder: Path, seed: int, size: int = 40_000) -> Firmware:
    """A built firmware that is nothing but bytes."""
    data = b"\x00\x10\x00\x20\x01\x02\x00\x08" + random.Random(seed).randbytes(size - 8)
    path = folder / "firmware.bin"
    path.write_bytes(data)
    return Firmware(folder / "firmware.elf", path, hashlib.sha256(data).hexdigest()[:16], Sizes(size, 0, 0))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Manifests of test boards beside the emulated ones, no probe plugged in, and a firmware that needs no build."""
    from pyocd.probe import aggregator

    from tests.debug.probe import SimulatedProbe

    folder = tmp_path / "boards"
    folder.mkdir()
    for name, (make, arguments, probe) in MANIFESTS.items():
        (folder / f"{name}.json").write_text(json.dumps(make(*arguments, **probe)))
    for path in boards.boards_dir().glob("emu_*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(boards, "boards_dir", lambda: folder)
    monkeypatch.setattr(aggregator, "PROBE_CLASSES", {"simulated": SimulatedProbe})
    monkeypatch.setattr(SimulatedProbe, "plugged", [])
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))  # no pack of this computer's user
    firmware = firmware_of(tmp_path, seed=1)
    monkeypatch.setattr(build, "build", lambda board, **_: firmware)
    return Bench(tmp_path, firmware)


class Bench:
    """What a test changes: which probes are plugged in, which firmware the build gives."""

    def __init__(self, folder: Path, firmware: Firmware):
        self.folder, self.firmware = folder, firmware

    def plug(self, chip: Chip, serial: str = "066BFF303435554157", board_id: str | None = None, **kind):
        from tests.debug.probe import SimulatedProbe

        probe = SimulatedProbe(serial, chip, board_id, **kind)
        SimulatedProbe.plugged.append(probe)
        return probe

    def rebuild(self, seed: int, size: int = 40_000) -> None:
        """The next build gives other bytes."""
        vars(self.firmware).update(vars(firmware_of(self.folder, seed, size)))

    @property
    def image(self) -> bytes:
        return self.firmware.bin.read_bytes()


@pytest.fixture
def host(bench, capsys):
    """Runs `host flash` in this process: exit status, standard output, standard error."""

    def run(*arguments: str, command: str = "flash") -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([command, *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def refused(result: tuple[int, str, str], error: type[HostError], *words: str) -> None:
    """The command ended with that error's status and one line on standard error that has these words."""
    status, out, err = result
    assert status == error.exit_status, err
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1, err
    missing = [word for word in words if word not in err]
    assert not missing, f"{missing} not in {err!r}"
