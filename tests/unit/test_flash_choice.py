"""Facts by which `host flash` recognises boards and chips, and what it asks a board afterwards."""

from __future__ import annotations

import pytest

from host import boards, errors
from host.flashing import answer, chips, flash
from host.flashing.flash import choose_method
from host.link.client import Client
from host.probes import Probe, boards_of
from tests.debug.boards import F7, f767, refused
from tests.fake_device import FakeDevice, make_plan

REAL = [board for board in boards.all_boards() if board.probe]


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.id)
def test_every_real_board_can_be_recognised(board):
    assert chips.dev_id(board) is not None and chips.registers(board) is not None
    assert choose_method(board, "pyocd") == ("pyocd", "asked for")


@pytest.mark.parametrize("board", [b for b in REAL if b.probe.board_ids], ids=lambda board: board.id)
def test_board_ids_are_those_that_pyocd_knows(board):
    """pyOCD's table is a source of its own: its name for the chip begins as the manifest's."""
    from pyocd.board.board_ids import BOARD_ID_TO_INFO

    for board_id in board.probe.board_ids:
        info = BOARD_ID_TO_INFO[board_id]
        assert info.target[:9] == board.mcu[:9]
        assert boards_of(Probe("S", "P", board_id), boards.all_boards()) == (board,)
        name = info.name.lower().replace("-", "_")
        assert name.startswith(board.id.removesuffix("_q")), f"{board_id} is {info.name}"
    assert board.probe.drive is None or board.mcu[5:9].upper() in board.probe.drive


def test_two_boards_never_share_an_id():
    ids = [board_id for board in REAL for board_id in board.probe.board_ids]
    assert len(ids) == len(set(ids))


def test_pyocd_and_we_agree_on_dev_ids():
    """pyOCD's target of the H743 checks the same number."""
    import inspect

    from pyocd.target.builtin import target_STM32H743xx as module

    assert f"{chips.dev_id(boards.load_board('nucleo_h743zi')):#x}" in inspect.getsource(module)
    assert chips.registers(boards.load_board("nucleo_h743zi")).idcode == module.DBGMCU.IDC


@pytest.fixture
def device(bench, monkeypatch):
    """A board behind a serial port, with the probe whose port it is; HELLO comes from the fake device."""
    fake = FakeDevice(description="fake")
    opened = []

    def open_device(board, port, **_):
        opened.append(port)
        return Client(fake, fake.now)

    bench.plug(f767(), board_id="0818")
    monkeypatch.setattr(answer, "open_device", open_device)
    monkeypatch.setattr(flash.choice, "port_of", lambda board, probe: "/dev/ttyACM7" if probe else None)
    fake.opened = opened
    return fake


def says(fake: FakeDevice, board: str, build: str) -> None:
    """What its HELLO says."""
    fixed = fake._hello

    def hello() -> bytes:
        plain = fixed()
        names = b"\4fake\6python"
        assert names in plain
        named = plain.replace(names, bytes([len(board)]) + board.encode() + b"\6python")
        return named[:4] + bytes.fromhex(build) + named[12:]

    fake._hello = hello


def test_the_board_is_asked_over_its_probes_port(bench, device, host):
    says(device, F7, bench.firmware.build_hash)
    status, out, err = host("--board", F7)
    assert (status, err) == (0, "")
    assert device.opened == ["/dev/ttyACM7"] and "the board answers with this build" in out


def test_a_board_that_runs_another_build(bench, device, host):
    says(device, F7, "00" * 8)
    refused(host("--board", F7), errors.FlashError, "runs build 0000000000000000, not", "reset the board")


def test_a_port_that_leads_to_another_board(bench, device, host):
    says(device, "nucleo_f446re", bench.firmware.build_hash)
    refused(host("--board", F7), errors.FlashError, "/dev/ttyACM7 leads to nucleo_f446re", "--port")


def test_a_board_that_does_not_answer(bench, device, host):
    device.mute = True
    refused(
        host("--board", F7), errors.LinkError, "the flash was written, but", "does not answer", "reset button"
    )


def test_the_plan_is_checked_by_the_board(bench, device, host):
    from host.data import digits

    says(device, F7, bench.firmware.build_hash)
    network = str(digits.model_path())
    device.flash_plan = make_plan(16, 4)
    refused(
        host(network, "--board", F7), errors.FlashError, "has plan", "in its flash, not", "`host flash` again"
    )
    device.flash_plan = b""
    device.restart()
    refused(host(network, "--board", F7), errors.DeviceError, "refuses the plan in its flash")


def test_what_the_board_says_it_has_is_not_dragged_again(bench, device, host, monkeypatch):
    from host.flashing import drag

    monkeypatch.setattr(drag, "mount_points", lambda: [bench.folder / "NODE_F767ZI"])
    monkeypatch.setattr(drag, "_copy", lambda *_: pytest.fail("it is there already"))
    says(device, F7, bench.firmware.build_hash)
    status, out, err = host("--board", F7, "--method", "drag", "--port", "P")
    assert (status, err) == (0, "") and "40,000 bytes  up to date" in out
