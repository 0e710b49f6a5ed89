"""`host flash --method drag`: a folder and a thread play the ST-Link's USB drive."""

from __future__ import annotations

import threading
import time

import pytest

from host import errors, probes
from host.flashing import drag
from tests.debug.boards import F4, F7, f767, refused


class Drive:
    """A mounted drive that takes a file away once it is whole, as an ST-Link does, and may leave a FAIL.TXT."""

    def __init__(self, folder, expected_bytes: int):
        self.folder = folder / "NODE_F767ZI"
        self.folder.mkdir()
        self.failure: str | None = None
        self.written = b""
        self._bytes = expected_bytes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        file = self.folder / drag.FILE_NAME
        while not self._ended.wait(0.01):
            if file.is_file() and file.stat().st_size >= self._bytes:
                self.written = file.read_bytes()
                if self.failure is not None:
                    (self.folder / drag.FAILURE_NAME).write_text(self.failure)
                file.unlink()
                return

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def drive(bench, monkeypatch):
    drive = Drive(bench.folder, 40_000)
    monkeypatch.setattr(drag, "mount_points", lambda: [bench.folder, drive.folder])
    monkeypatch.setattr(drag, "POLL_S", 0.01)
    yield drive
    drive.close()


def test_firmware_goes_as_one_file(bench, drive, host):
    status, out, err = host("--board", F7, "--method", "drag")
    assert (status, err) == (0, "")
    assert drive.written == bench.image
    assert "method drag (asked for)" in out and "not verified: this method cannot read the flash back" in out


def test_firmware_and_plan_lie_where_they_belong(bench, drive, host):
    from host.data import digits

    drive._bytes = 0x40000 + 1
    status, _, err = host(str(digits.model_path()), "--board", F7, "--method", "drag")
    assert (status, err) == (0, "")
    assert drive.written[:40_000] == bench.image
    assert set(drive.written[40_000:0x40000]) == {0xFF} and drive.written[0x40000:0x40004] == b"TCPN"


def test_what_fail_txt_says_is_shown(drive, host):
    drive.failure = "Error: the interface firmware could not\r\nhalt the target\r\n"
    refused(
        host("--board", F7, "--method", "drag"), errors.FlashError,
        f"the ST-Link could not write {F7}", "could not halt the target", "held by a debugger",
    )  # fmt: skip


def test_a_protected_chip(drive, host):
    drive.failure = "The flash is read protected"
    refused(host("--board", F7, "--method", "drag"), errors.ProtectedError, "unlock the chip yourself")


def test_no_drive(bench, host):
    refused(
        host("--board", F7, "--method", "drag"), errors.ProbeMissingError, "no drive NODE_F767ZI is mounted"
    )


def test_a_board_without_a_drive(bench, host):
    refused(
        host("--board", F4, "--method", "drag"), errors.FlashError, f"the manifest of {F4} names no USB drive"
    )


def test_two_drives_of_the_same_name(bench, host, monkeypatch):
    both = [bench.folder / "NODE_F767ZI", bench.folder / "NODE_F767ZI1"]
    monkeypatch.setattr(drag, "mount_points", lambda: both)
    refused(host("--board", F7, "--method", "drag"), errors.ProbeChoiceError, "2 drives are named", "unplug")


def test_of_two_drives_the_one_of_the_chosen_probe(bench, drive, host, monkeypatch):
    monkeypatch.setattr(drag, "mount_points", lambda: [bench.folder / "NODE_F767ZI1", drive.folder])
    bench.plug(f767(), "AAA1", "0818")
    bench.plug(f767(), "BBB2", "0818")
    monkeypatch.setattr(probes, "_drives", lambda: {"BBB2": str(drive.folder)})
    status, _, err = host("--board", F7, "--method", "drag", "--probe", "BBB")
    assert (status, err) == (0, "") and drive.written == bench.image


def test_a_drive_that_does_nothing(bench, host, monkeypatch):
    folder = bench.folder / "NODE_F767ZI"
    folder.mkdir()
    monkeypatch.setattr(drag, "mount_points", lambda: [folder])
    monkeypatch.setattr(drag, "RETURN_TIMEOUT_S", 0.05)
    monkeypatch.setattr(drag, "POLL_S", 0.01)
    refused(host("--board", F7, "--method", "drag"), errors.ProbeTimeoutError, "took the file", "did nothing")


def test_a_drive_that_does_not_come_back(bench, host, monkeypatch):
    folder = bench.folder / "NODE_F767ZI"
    folder.mkdir()
    copy = drag._copy

    def copy_and_vanish(where, data, progress):
        copy(where, data, progress)
        folder.rename(bench.folder / "elsewhere")

    monkeypatch.setattr(drag, "_copy", copy_and_vanish)
    monkeypatch.setattr(drag, "mount_points", lambda: [folder])
    monkeypatch.setattr(drag, "RETURN_TIMEOUT_S", 0.05)
    monkeypatch.setattr(drag, "POLL_S", 0.01)
    refused(
        host("--board", F7, "--method", "drag"), errors.ProbeTimeoutError, "did not come back", "FAIL.TXT"
    )


def test_unplugged_while_copying(bench, host, monkeypatch):
    folder = bench.folder / "NODE_F767ZI"
    folder.mkdir()
    monkeypatch.setattr(drag, "mount_points", lambda: [folder])

    def fail(descriptor: int) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(drag.os, "fsync", fail)
    refused(host("--board", F7, "--method", "drag"), errors.ProbeLostError, "partial firmware", "plug it in")


def test_dry_run_copies_nothing(bench, drive, host):
    status, out, _ = host("--board", F7, "--method", "drag", "--dry-run")
    time.sleep(0.05)
    assert status == 0 and "40,000 bytes  unknown" in out and drive.written == b""
    assert list(drive.folder.iterdir()) == []


def test_the_kernels_list_of_mounts_is_read(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\n/dev/sdb /media/me/NODE_F446RE vfat rw 0 0\n/dev/sdc /media/me/A\\040B vfat rw 0 0\n"
    )
    monkeypatch.setattr(drag, "MOUNTS", mounts)
    assert [p.name for p in drag.mounted("NODE_F446RE")] == ["NODE_F446RE"]
    assert [p.name for p in drag.mounted("A B")] == ["A B"]
