"""Probes as pyOCD lists them: what each tells, and what pyOCD's complaints become."""

from __future__ import annotations

import logging

import pytest
from pyocd.core import exceptions
from pyocd.core.helpers import ConnectHelper

from host import probes
from host.probes import Found, Probe, find_probes


class StLink:
    """As much of pyOCD's probe as we look at."""

    def __init__(self, serial: str, board_id: str | Exception | None):
        self.unique_id, self.product_name, self._board_id = serial, "STM32 STLink", board_id

    @property
    def board_id(self) -> str | None:
        if isinstance(self._board_id, Exception):
            raise self._board_id
        return self._board_id


class CmsisDap:
    unique_id, product_name = "DAP1", None


@pytest.fixture
def attached(monkeypatch):
    """Sets what pyOCD finds, where drives are mounted, and what it logs meanwhile."""

    def attach(found: list, drives: dict[str, str] | None = None, log: str = "") -> None:
        def get_all(blocking: bool, print_wait_message: bool) -> list:
            assert not blocking and not print_wait_message
            if log:
                logging.getLogger("pyocd.probe.stlink.usb").warning(log)
            return found

        monkeypatch.setattr(ConnectHelper, "get_all_connected_probes", get_all)
        monkeypatch.setattr(probes, "_drives", lambda: drives or {})

    return attach


def test_what_probes_tell(attached):
    attached(
        [
            StLink("BBB", "0777"),
            StLink("aaa", "0000"),
            CmsisDap(),
            StLink("CCC", exceptions.ProbeError("busy")),
        ],
        {"BBB": "/media/NODE_F446RE"},
    )
    assert find_probes() == Found(
        (
            Probe("BBB", "STM32 STLink", "0777", "NUCLEO-F446RE", "/media/NODE_F446RE"),
            Probe("CCC", "STM32 STLink"),
            Probe("DAP1", ""),
            Probe("aaa", "STM32 STLink"),
        )
    )


def test_a_lack_of_permission_is_told_apart(attached, capfd):
    attached(
        [], log="[Errno 13] while trying to get ... This can probably be remedied with a udev rule. See ..."
    )
    assert find_probes() == Found((), refused=True)
    attached([], log="Could not get disk devices by id")
    assert find_probes() == Found((), refused=False)
    assert capfd.readouterr() == ("", "")  # nothing of pyOCD's reaches the terminal


@pytest.mark.parametrize("volumes", [OSError("no /sys/class/block"), []])
def test_drives(monkeypatch, volumes):
    from pyocd.probe.stlink.detect import factory

    class Detector:
        def list_mbeds(self):
            if isinstance(volumes, Exception):
                raise volumes
            return [{"target_id_usb_id": "bbb", "mount_point": "/media/N"}]

    monkeypatch.setattr(factory, "create_mbed_detector", Detector)
    assert probes._drives() == ({} if isinstance(volumes, Exception) else {"BBB": "/media/N"})
    monkeypatch.setattr(factory, "create_mbed_detector", lambda: None)
    assert probes._drives() == {}
