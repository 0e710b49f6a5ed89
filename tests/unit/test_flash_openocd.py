"""`host flash --method openocd`: the real OpenOCD, where it is installed, drives the simulated chip over JTAG wires.

What it printed is kept in tests/data/openocd and played back by a script in its place everywhere.

TINYCONV_RECORD=1 keeps the output of each run anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyocd.probe import aggregator

from host import errors
from host.errors import HostError
from host.flashing import openocd
from host.project import build_dir
from tests.debug.boards import F4, F7, f405, f767, refused
from tests.debug.chip import Chip
from tests.debug.jtag import Server
from tests.debug.probe import SimulatedProbe

RECORDINGS = Path(__file__).parents[1] / "data" / "openocd"
REAL = shutil.which("openocd")
FIRMWARE = 0x08000000


def written(chip: Chip, image: bytes) -> None:
    chip.array.data[: len(image)] = image


def one_bit_off(chip: Chip, image: bytes) -> None:
    written(chip, image)
    chip.array.data[35_000] ^= 0x10


def stuck(chip: Chip, image: bytes) -> None:
    chip.array.stuck[FIRMWARE + 5000] = 0xFF


def foreign(chip: Chip, image: bytes) -> None:
    chip.idcode = {0xE0042000: 0x10016449}


def protected(chip: Chip, image: bytes) -> None:
    chip.controller.optcr &= ~0xFF00


def silent(chip: Chip, image: bytes) -> None:
    chip.powered = False


@dataclass
class Case:
    """A situation, what `host flash` says then, and its exit status' error; None for success."""

    words: tuple[str, ...]
    error: type[HostError] | None = None
    prepare: Callable[[Chip, bytes], None] = lambda chip, image: None
    arguments: tuple[str, ...] = ()
    unplug: Callable[[Chip], bool] = lambda chip: False
    wired: bool = True
    usb: str = ""  # how the ST-Link that the real driver sees fails: tests/debug/usb.c


CASES = {
    "written": Case(("40,000 bytes  written", "verified by reading back")),
    "up_to_date": Case(("40,000 bytes  up to date", "verified by reading back"), prepare=written),
    "one_sector": Case(("40,000 bytes  written",), prepare=one_bit_off),
    "dry_run": Case(("40,000 bytes  to be written", "nothing was written"), arguments=("--dry-run",)),
    "wrong_chip": Case(
        ("is STM32F746 (DEV_ID 0x449)", "nothing was written"), errors.WrongBoardError, foreign
    ),
    "protected": Case(
        ("is read-protected (level 1, RDP 0x00)", "STM32_Programmer_CLI"), errors.ProtectedError, protected
    ),
    "verify": Case(("the firmware is wrong at 0x08001388: wrote",), errors.VerifyError, stuck),
    "unplugged": Case(
        ("was unplugged while writing", "the board now holds a partial firmware", "run `host flash` again"),
        errors.ProbeLostError,
        unplug=lambda chip: chip.array.programmed_bytes > 20_000,
    ),
    "no_answer": Case(
        ("gets no answer from the chip", "nothing was written", "powered"), errors.FlashError, silent
    ),
    "no_permission": Case(
        ("cannot be opened: this user has no permission", "host udev"),
        errors.ProbeMissingError,
        wired=False,
        usb="access",
    ),
    "busy": Case(
        ("openocd cannot use probe", "does not say why", "another program"),
        errors.ProbeBusyError,
        wired=False,
        usb="busy",
    ),
    "gone": Case(
        ("was unplugged while connected; nothing was written",),
        errors.ProbeLostError,
        wired=False,
        usb="gone",
    ),
    "no_probe": Case(("openocd finds no ST-Link", "USB cable"), errors.ProbeMissingError, wired=False),
}


@pytest.mark.skipif(REAL is None, reason="openocd is not installed; its recorded output is tested instead")
@pytest.mark.parametrize("name", CASES)
def test_the_real_openocd(bench, host, tmp_path, monkeypatch, name):
    case, chip = CASES[name], f767()
    case.prepare(chip, bench.image)
    probe = bench.plug(chip)

    def unplugged() -> bool:
        if case.unplug(chip):
            SimulatedProbe.plugged = []
            return True
        return False

    server = Server(chip, unplugged)
    if case.wired:
        interface = tmp_path / "scripts" / "interface" / "stlink.cfg"
        interface.parent.mkdir(parents=True)
        interface.write_text(
            f"adapter driver remote_bitbang\nremote_bitbang port {server.port}\nremote_bitbang host 127.0.0.1\n"
            "gdb_port disabled\ntcl_port disabled\ntelnet_port disabled\n"
        )
        target = tmp_path / "scripts" / "target" / "stm32f7x.cfg"
        target.parent.mkdir()
        target.write_text(
            f"source {Path(REAL).parents[1]}/share/openocd/scripts/target/stm32f7x.cfg\n"
            # they set the adapter's speed, which this driver does not have, and a clock that the model does not have
            "stm32f7x.cpu configure -event reset-start {}\nstm32f7x.cpu configure -event reset-init {}\n"
        )
        monkeypatch.setenv("OPENOCD_SCRIPTS", str(tmp_path / "scripts"))
    if case.usb:
        library = tmp_path / "usb.so"
        source = Path(__file__).parents[1] / "debug" / "usb.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        stand_in(tmp_path, monkeypatch, f'USB_FAILS={case.usb} LD_PRELOAD={library} exec {REAL} "$@"')
    if case.usb == "gone":
        vanish(probe, monkeypatch)
    status, out, err = host("--board", F7, "--method", "openocd", *case.arguments)
    server.close()
    assert server.failure is None
    if os.environ.get("TINYCONV_RECORD"):
        RECORDINGS.mkdir(exist_ok=True)
        shutil.copy(build_dir() / "openocd.log", RECORDINGS / f"{name}.txt")
    check(case, (status, out, err))
    if name in ("written", "one_sector", "up_to_date"):
        assert chip.array.data[:40_000] == bench.image
        assert chip.array.erased_sectors == {"written": [0, 1], "one_sector": [0, 1], "up_to_date": []}[name]
    elif name not in ("verify", "unplugged"):
        assert chip.array.erased_sectors == [] and chip.array.programmed_bytes == 0


@pytest.mark.parametrize("name", CASES)
def test_what_the_real_one_printed(bench, host, tmp_path, monkeypatch, name):
    case = CASES[name]
    probe = bench.plug(f767())
    *lines, last = (RECORDINGS / f"{name}.txt").read_text().splitlines()
    assert last.startswith("exit status ")
    status = int(last.removeprefix("exit status ")) & 0xFF
    (tmp_path / "lines").write_text("\n".join(lines) + "\n")
    arguments = stand_in(tmp_path, monkeypatch, f"cat {tmp_path}/lines >&2; exit {status}")
    if name in ("unplugged", "gone"):
        vanish(probe, monkeypatch)
    check(case, host("--board", F7, "--method", "openocd", *case.arguments))
    given = arguments.read_text().splitlines()
    assert given[:5] == ["-f", "interface/stlink.cfg", "-c", f"adapter serial {probe.serial}", "-f"]
    assert given[-2:] == ["-f", str(openocd.SCRIPT)]
    assert f"set force 0; set dry_run {int('--dry-run' in case.arguments)}" in given[-3]


def vanish(probe: SimulatedProbe, monkeypatch) -> None:
    """The probe is there when it is chosen, and not afterwards."""
    looks = iter([[probe], []])
    kind = type("Vanishing", (SimulatedProbe,), {})
    kind.get_all_connected_probes = classmethod(lambda cls, *_: next(looks))
    monkeypatch.setattr(aggregator, "PROBE_CLASSES", {"simulated": kind})


def stand_in(folder: Path, monkeypatch, body: str) -> Path:
    """Puts a script named openocd before everything on PATH; returns the file with its arguments."""
    script = folder / "openocd"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/arguments"\n{body}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "arguments"


@pytest.mark.parametrize(
    ("message", "error", "words"),
    [
        ("Error: init mode failed (unable to connect to the target)", errors.FlashError, ("powered",)),
        ("embedded:startup.tcl:28: Error: Can't find target/stm32f7x.cfg", errors.FlashError, ("older than the chip",)),
        ("Error: something else", errors.FlashError, ("something else", "nothing was written", "openocd.log")),
    ],
)  # fmt: skip
def test_other_messages(bench, host, tmp_path, monkeypatch, message, error, words):
    """From OpenOCD's sources and libusb's names of errors, not recorded."""
    bench.plug(f767())
    (tmp_path / "lines").write_text(message + "\n")
    stand_in(tmp_path, monkeypatch, f"cat {tmp_path}/lines >&2; exit 1")
    refused(host("--board", F7, "--method", "openocd"), error, *words)


def test_it_is_ended_when_it_takes_too_long(bench, host, tmp_path, monkeypatch):
    bench.plug(f767())
    stand_in(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; echo tinyconv writing firmware >&2; sleep 60")
    monkeypatch.setattr(openocd, "TIMEOUT_S", 1.0)
    refused(
        host("--board", F7, "--method", "openocd"), errors.ProbeTimeoutError,
        "did not end within 1 s", "partial firmware",
    )  # fmt: skip
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_it_is_chosen_where_pyocd_does_not_know_the_chip(bench, host, tmp_path, monkeypatch):
    bench.plug(f405())
    (tmp_path / "lines").write_text("tinyconv same firmware\ntinyconv verified firmware\ntinyconv done\n")
    stand_in(tmp_path, monkeypatch, f"cat {tmp_path}/lines >&2")
    status, out, _ = host("--board", F4)
    assert status == 0
    assert "method openocd (pyOCD does not know stm32f405rgtx and no CMSIS pack for it is installed)" in out


def test_it_is_not_installed(bench, host, monkeypatch):
    bench.plug(f767())
    monkeypatch.setenv("PATH", str(bench.folder))
    refused(host("--board", F7, "--method", "openocd"), errors.ToolMissingError, "apt-get install openocd")


def check(case: Case, result: tuple[int, str, str]) -> None:
    if case.error:
        refused(result, case.error, *case.words)
    else:
        status, out, err = result
        assert (status, err) == (0, "")
        assert not [word for word in case.words if word not in out], out
