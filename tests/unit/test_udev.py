"""The udev rules: what they say, and how they are put in place, without touching this computer's /etc."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from host import udev
from host.commands.udev import command
from host.errors import HostError, PortDeniedError
from host.ports import STLINK_KINDS


def host_udev(*arguments: object):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=True)


def test_every_product_has_a_rule_for_probe_and_port():
    lines = udev.rules().splitlines()
    for product in [f"{p:04x}" for products in STLINK_KINDS.values() for p in products]:
        mine = [line for line in lines if f'"{product}"' in line]
        assert len(mine) == 2, product
        assert all('idVendor}=="0483"' in line and 'TAG+="uaccess"' in line for line in mine)
        assert mine[0].startswith('SUBSYSTEM=="usb"') and 'MODE="0660"' in mine[0]
        assert mine[1].startswith('SUBSYSTEM=="tty"') and "ATTRS{idProduct}" in mine[1]
    # udev's grammar: key, operator, quoted value; a label that GOTO names
    for line in lines:
        assert not line or line.startswith("#") or all('="' in part for part in line.split(", ")), line
    assert lines[-1] == 'LABEL="tinyconv_end"'


def test_the_rules_come_before_those_that_give_access():
    assert udev.RULES_PATH.name < "73-seat-late.rules"


def test_install_state_remove(tmp_path):
    path = tmp_path / udev.RULES_PATH
    assert udev.state(tmp_path) == "missing"
    assert "missing; sudo " in host_udev("--root", tmp_path).output
    assert host_udev("--install", "--root", tmp_path).output == f"{path}: written\n"
    assert path.read_text() == udev.rules() and stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == [path.name]  # no temporary file stays
    assert host_udev("--root", tmp_path).output == f"{path}: installed\n"
    path.write_text("# an older version\n")
    assert udev.state(tmp_path) == "outdated"
    host_udev("--install", "--root", tmp_path)
    assert udev.state(tmp_path) == "installed"
    assert host_udev("--remove", "--root", tmp_path).output == f"{path}: removed\n"
    assert host_udev("--remove", "--root", tmp_path).output == f"{path}: there is none\n"


def test_without_rights_the_command_to_type_is_shown(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(udev.tempfile, "NamedTemporaryFile", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    for action, option in ((udev.install, "--install"), (udev.remove, "--remove")):
        with pytest.raises(PortDeniedError) as e:
            action(tmp_path)
        assert e.value.hint.startswith("sudo /") and e.value.hint.endswith(f"host udev {option}")


@pytest.fixture
def udevadm(tmp_path, monkeypatch):
    """A script in udevadm's place, and the file with its command lines."""

    def install(body: str) -> Path:
        script = tmp_path / "udevadm"
        script.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/calls"\n{body}\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "calls"

    return install


def test_udev_is_told(udevadm):
    calls = udevadm("exit 0")
    assert udev.reload() is True
    assert calls.read_text().splitlines() == [
        "control --reload",
        "trigger --action=change --subsystem-match=usb --attr-match=idVendor=0483",
        "trigger --action=change --subsystem-match=tty",
    ]


def test_udev_refuses(udevadm):
    udevadm("echo 'Failed to send reload request' >&2; exit 1")
    with pytest.raises(HostError, match="udevadm control failed: Failed to send reload request; unplug"):
        udev.reload()


def test_no_udev_to_tell(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert udev.reload() is False


def test_the_hint_follows_the_state(monkeypatch):
    monkeypatch.setattr(udev.sys, "platform", "linux")
    monkeypatch.setattr(udev, "state", lambda: "missing")
    assert "host udev --install" in udev.hint() and "dialout" in udev.hint()
    monkeypatch.setattr(udev, "state", lambda: "installed")
    assert "--install" not in udev.hint() and "plug it in again" in udev.hint()
    monkeypatch.setattr(udev.sys, "platform", "darwin")
    assert "udev" not in udev.hint()
