"""Ports tied to probes and boards, who holds a port, and the choice of a device, whatever is plugged in here."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace

import pytest

from host import ports, selection
from host.boards import all_boards, load_board
from host.errors import (
    DeviceError,
    LinkError,
    PortBusyError,
    PortChoiceError,
    PortMissingError,
    ProtocolMismatchError,
    UnknownBoardError,
)
from host.link.client import Client
from host.ports import SerialPort
from host.probes import Found, Probe, boards_of
from host.selection import Answer, Surroundings, select_device
from host.transport.holder import describe, holders
from tests.fake_device import FakeDevice
from tests.serial_line import SerialLine

REAL = "nucleo_f446re"  # board id 0777
OTHER = "disco_f746ng"  # 0815
HELLO = Client(FakeDevice()).connect()


def stlink(number: int, kind: str = "V2-1", serial: str | None = None) -> SerialPort:
    product = "0483:374b" if kind == "V2-1" else "0483:374e"
    serial = f"066F{number:020d}" if serial is None else serial
    return SerialPort(f"/dev/ttyACM{number}", "STM32 STLink", product, serial, True, kind, f"1-{number}:1.2")


LEGACY = SerialPort("/dev/ttyS0", "", "", "", False)


def around(found: list[SerialPort], answers: dict[str, object] | None = None, probes: list[Probe] = ()):
    """Surroundings with these ports; a port's answer is a board id, an error, or nothing at all."""
    asked = []

    def ask(port: str) -> Answer:
        asked.append(port)
        answer = (answers or {}).get(port)
        if isinstance(answer, str):
            return Answer(replace(HELLO, board=answer))
        return Answer(error=answer or LinkError("no answer"))

    world = Surroundings(lambda: found, lambda: Found(tuple(probes)), ask)
    return world, asked


def chosen(board: str | None, port: str | None, world: Surroundings) -> tuple[str, str | None, list[str]]:
    said: list[str] = []
    device = select_device(board, port, said.append, world)
    return device.board.id, device.port, said


def test_nothing_attached_means_the_emulated_board():
    world, asked = around([LEGACY])
    assert chosen(None, None, world) == ("emu_stm32f405", None, [])
    assert asked == []


@pytest.mark.parametrize("board", ["emu_stm32f405", "emu_cortex_m7"])
def test_an_emulated_board_needs_no_port_whatever_is_attached(board):
    world, asked = around([stlink(0), stlink(1)])
    assert chosen(board, None, world) == (board, None, [])
    assert asked == []


def test_a_port_and_a_board_are_taken_as_they_are():
    world, asked = around([stlink(0)])
    for port in ("/dev/ttyUSB3", "rfc2217://lab:2217", "emulate://"):
        assert chosen(REAL, port, world) == (REAL, port, [])
    assert asked == []


def test_the_only_attached_board_is_used_and_named():
    world, asked = around([stlink(0), LEGACY], {"/dev/ttyACM0": REAL})
    assert chosen(None, None, world) == (REAL, "/dev/ttyACM0", [f"using {REAL} at /dev/ttyACM0"])
    assert chosen(REAL, None, world) == (REAL, "/dev/ttyACM0", [])
    assert asked == ["/dev/ttyACM0"] * 2


def test_a_port_alone_is_asked():
    world, _ = around([], {"socket://lab:1": REAL})
    assert chosen(None, "socket://lab:1", world) == (
        REAL,
        "socket://lab:1",
        [f"{REAL} answers at socket://lab:1"],
    )
    with pytest.raises(UnknownBoardError, match="--board"):
        chosen(None, "emulate://", world)


def test_a_silent_board_says_how_to_go_on():
    world, _ = around([stlink(0)])
    with pytest.raises(LinkError) as e:
        chosen(None, None, world)
    assert str(e.value) == (
        "the board at /dev/ttyACM0 does not answer; write the firmware with `host flash --board BOARD`, "
        "or emulate: --board emu_stm32f405"
    )
    with pytest.raises(LinkError, match=f"host flash --board {REAL}"):
        chosen(REAL, None, world)


def test_a_silent_board_is_named_if_its_probe_tells():
    world, _ = around([stlink(0)], probes=[Probe(stlink(0).serial, "STLINK", "0777")])
    with pytest.raises(LinkError, match=f"the {REAL} at /dev/ttyACM0 .*host flash --board {REAL}"):
        chosen(None, None, world)


def test_the_wrong_board_is_refused_with_both_names():
    world, _ = around([stlink(0)], {"/dev/ttyACM0": "disco_f746ng"})
    with pytest.raises(DeviceError) as e:
        chosen(REAL, None, world)
    assert "the board at /dev/ttyACM0 is a disco_f746ng, not a nucleo_f446re" in str(e.value)


@pytest.mark.parametrize("error", [PortBusyError("x is in use"), ProtocolMismatchError("version 9")])
def test_what_ails_the_port_is_passed_on(error):
    world, _ = around([stlink(0)], {"/dev/ttyACM0": error})
    for board in (None, REAL):
        with pytest.raises(type(error), match=str(error)):
            chosen(board, None, world)


def test_several_boards_are_listed_and_never_guessed():
    world, asked = around([stlink(0), stlink(1, "V3")])
    with pytest.raises(PortChoiceError) as e:
        chosen(None, None, world)
    for words in ("2 boards", "/dev/ttyACM0 (ST-Link V2-1, 066F", "/dev/ttyACM1 (ST-Link V3", "--port"):
        assert words in str(e.value)
    world, asked = around([stlink(0), stlink(1)], probes=[Probe(stlink(1).serial, "", "0777")])
    with pytest.raises(PortChoiceError, match=rf"/dev/ttyACM1 \({REAL}, ST-Link"):
        chosen(None, None, world)
    assert asked == []


def test_one_of_several_is_found_by_hello():
    world, _ = around([stlink(0), stlink(1)], {"/dev/ttyACM0": OTHER, "/dev/ttyACM1": REAL})
    assert chosen(REAL, None, world) == (REAL, "/dev/ttyACM1", [])
    world, _ = around([stlink(0), stlink(1)], {"/dev/ttyACM0": REAL, "/dev/ttyACM1": REAL})
    with pytest.raises(PortChoiceError, match="several boards may be the"):
        chosen(REAL, None, world)
    world, _ = around([stlink(0), stlink(1)], {f"/dev/ttyACM{i}": OTHER for i in (0, 1)})
    with pytest.raises(PortChoiceError, match=f"none of the 2 attached boards is a {REAL}"):
        chosen(REAL, None, world)


def test_one_of_several_is_found_by_its_probe():
    probes = [Probe(stlink(0).serial, "", "0815"), Probe(stlink(1).serial.lower(), "", "0777")]
    world, asked = around([stlink(0), stlink(1)], {"/dev/ttyACM1": REAL}, probes)
    assert chosen(REAL, None, world) == (REAL, "/dev/ttyACM1", [])
    assert asked == ["/dev/ttyACM1"]  # the other board is left alone
    world, _ = around([stlink(0), stlink(1)], {}, probes)
    with pytest.raises(LinkError, match="/dev/ttyACM1 does not answer"):
        chosen(REAL, None, world)


def test_no_board_at_all_for_a_real_one():
    world, _ = around([LEGACY])
    with pytest.raises(PortChoiceError, match=f"{REAL} is a real board, and no ST-Link"):
        chosen(REAL, None, world)


def test_a_probe_with_two_ports_is_one_board():
    first, second = stlink(0, "V3", "S"), stlink(1, "V3", "S")
    world, asked = around([first, second], {"/dev/ttyACM0": REAL})
    assert chosen(None, None, world)[1] == "/dev/ttyACM0"
    assert asked == ["/dev/ttyACM0"]


def test_a_board_that_no_manifest_describes():
    world, _ = around([stlink(0)], {"/dev/ttyACM0": "someone_elses"})
    with pytest.raises(UnknownBoardError, match="someone_elses"):
        chosen(None, None, world)


def test_the_only_port_is_found_without_asking():
    world, asked = around([stlink(0), LEGACY])
    assert selection.only_port(around=world) == "/dev/ttyACM0"
    with pytest.raises(PortChoiceError, match="no ST-Link with a serial port is attached"):
        selection.only_port(around=around([LEGACY])[0])
    with pytest.raises(PortChoiceError, match="2 boards are attached"):
        selection.only_port(around=around([stlink(0), stlink(1)])[0])
    assert asked == []


# Saying hello


def test_asking_several_ports_at_once(monkeypatch):
    monkeypatch.setattr(selection, "_ASK_TIMEOUTS_S", (0.02, 0.5))
    silent = FakeDevice(latency_s=0)
    silent.mute = True
    with (
        SerialLine(FakeDevice(latency_s=0)) as answering,
        SerialLine(silent) as mute,
        SerialLine(FakeDevice(latency_s=0, version=9)) as other_version,
    ):
        paths = [answering.path, mute.path, "/dev/ttyNOPE", other_version.path]
        answers = selection.ask_all(paths)
    assert answers[0].hello.board == "fake" and answers[0].error is None
    assert [type(a.error) for a in answers[1:]] == [
        LinkError, PortMissingError, ProtocolMismatchError,
    ]  # fmt: skip
    assert all(a.hello is None for a in answers[1:])


# The table


def test_ports_and_probes_are_one_row():
    boards = all_boards()
    probes = Found(
        (
            Probe(stlink(1).serial.lower(), "STM32 STLink", "0777", "NUCLEO-F446RE", "/media/NODE_F446RE"),
            Probe("303030303030303030303031", "STM32 STLink"),
        )
    )
    rows = ports.join(
        [stlink(0), stlink(1), LEGACY], probes, boards,
        holders_of=lambda device: ["process 7, minicom"] if device == "/dev/ttyACM0" else [],
    )  # fmt: skip
    assert [(r.port, r.probe, r.kind) for r in rows] == [
        ("/dev/ttyACM0", stlink(0).serial, "V2-1"),
        ("/dev/ttyACM1", stlink(1).serial.lower(), "V2-1"),
        ("/dev/ttyS0", "", ""),
        ("", "303030303030303030303031", ""),
    ]
    assert (rows[1].board_name, rows[1].drive, rows[1].busy) == ("NUCLEO-F446RE", "/media/NODE_F446RE", "")
    assert rows[1].boards == (REAL,) and rows[0].boards == ()
    assert rows[0].busy == "process 7, minicom" and rows[0].board_id == ""


def test_the_board_of_a_probe():
    f405 = load_board("adafruit_feather_f405")
    known = [f405, replace(f405, id="nucleo_h7a3zi_q"), load_board(REAL)]
    assert boards_of(Probe("1", "", "0860", "NUCLEO-H7A3ZI-Q"), known) == (known[1],)  # by its name
    assert boards_of(Probe("1", "", "0777"), known) == (known[2],)  # by its id
    assert boards_of(Probe("1", "", "0001", "SOMETHING"), known) == ()
    assert boards_of(Probe("1", "STLINK-V3"), known) == ()


# Who has it open


def test_the_holder_of_a_device_is_named():
    ours, theirs = pty.openpty()
    path = os.ttyname(theirs)
    assert holders(path) == []  # this process does not count
    code = f"import os; os.open({path!r}, os.O_RDWR | os.O_NOCTTY); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        found = holders(path)
        other.stdin.write(b"\n")
    assert len(found) == 1 and found[0].startswith(f"process {other.pid}, python")
    os.close(theirs)
    os.close(ours)


def test_where_proc_tells_nothing(tmp_path):
    assert holders("/dev/ttyACM0", tmp_path / "none") == []
    (tmp_path / "12").mkdir()
    (tmp_path / "self").mkdir()
    assert holders("/dev/ttyACM0", tmp_path) == []
    assert describe(12, tmp_path) == "process 12"
