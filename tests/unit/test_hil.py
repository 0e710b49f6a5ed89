"""The rig file and the station: what is said about wrong ones, and about devices that go away."""

from __future__ import annotations

import pytest

from host.errors import HostError, PortBusyError, PortMissingError, UnknownBoardError
from host.link.client import Client
from host.transport.lock import PortLock
from tests.fake_device import FakeDevice
from tests.hil.rig import load_rig, parse_rig
from tests.station import LOST_AFTER, Entry, Station

BOARD = "emu_stm32f405"
REAL = "adafruit_feather_f405"


def test_a_rig_is_read(tmp_path):
    file = tmp_path / "rig.toml"
    file.write_text(
        f'[[device]]\nboard = "{BOARD}"\n\n'
        f'[[device]]\nname = "feather"\nboard = "{REAL}"\nport = "/dev/ttyACM0"\nprobe = "066A"\nflash = true\n'
        'without = ["cycles"]\nlock_timeout_s = 5\n'
    )
    first, second = load_rig(file)
    assert first == Entry(BOARD, BOARD)
    assert second == Entry("feather", REAL, "/dev/ttyACM0", "066A", True, frozenset({"cycles"}), 5)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([], "must hold [[device]] tables"),
        ([{}], "device 0: board: is missing"),
        ([{"board": BOARD, "prot": "x"}], "device 0: prot: is no field"),
        ([{"board": BOARD, "flash": 1}], "device 0: flash: must be bool"),
        ([{"board": BOARD, "lock_timeout_s": True}], "device 0: lock_timeout_s: must be a number"),
        ([{"board": BOARD, "without": [1]}], "without: must be a list of strings"),
        ([{"board": REAL}], "port: is missing"),
        ([{"board": BOARD}, {"board": BOARD}], f"{BOARD}: name '{BOARD}' is also that of {BOARD}"),
        (
            [{"board": BOARD, "name": n, "port": "/dev/x"} for n in "ab"],
            "b: port '/dev/x' is also that of a",
        ),
    ],
)
def test_a_wrong_rig_is_refused_by_field(devices, message):
    with pytest.raises(HostError) as refused:
        parse_rig({"device": devices}, "rig.toml")
    assert message in str(refused.value)
    assert str(refused.value).startswith("rig.toml")


def test_two_emulated_devices_may_share_a_url():
    twins = [{"board": REAL, "name": n, "port": "emulate://"} for n in "ab"]
    assert [e.name for e in parse_rig({"device": twins}, "rig")] == ["a", "b"]


def test_files_that_are_no_rig(tmp_path):
    with pytest.raises(HostError, match="cannot read the rig"):
        load_rig(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[[device]\n")
    with pytest.raises(HostError, match="is not TOML"):
        load_rig(tmp_path / "bad.toml")
    with pytest.raises(UnknownBoardError):
        parse_rig({"device": [{"board": "nucleo"}]}, "rig")


class Bench:
    """Opens fake devices, or fails as told."""

    def __init__(self, **facts):
        self.facts = facts
        self.opened, self.unplugged = 0, False
        self.device: FakeDevice | None = None

    def __call__(self, board, port) -> Client:
        self.opened += 1
        if self.unplugged:
            raise PortMissingError(f"the port {port} does not exist")
        self.device = FakeDevice(**self.facts)
        return Client(self.device)


@pytest.fixture
def ours(monkeypatch) -> str:
    """The build that fake devices run is this checkout's."""
    hello = Client(FakeDevice()).connect()

    class Built:
        build_hash = hello.build

    monkeypatch.setattr("tests.station.build.build", lambda board: Built)
    monkeypatch.setattr("tests.station.load_board", lambda board: None)
    return hello.board


def test_a_device_is_kept_released_and_opened_again(ours):
    bench = Bench(flash_plan=bytes(8))
    station = Station(Entry("a", ours), bench)
    assert station.fresh() is station.fresh()
    assert bench.opened == 1
    station.release()
    station.fresh().ping(b"x")
    assert bench.opened == 2
    assert {"flash_plan"} <= station.capabilities
    station.close()
    station.close()


def test_capabilities_that_the_rig_denies(ours):
    station = Station(Entry("a", ours, without=frozenset({"flash_plan"})), Bench(flash_plan=bytes(8)))
    assert "flash_plan" not in station.capabilities


def test_a_lost_device_fails_at_once_after_some_tries(ours):
    bench = Bench()
    station = Station(Entry("a", ours, "/dev/x"), bench)
    station.fresh()
    station.release()
    bench.unplugged = True
    for _ in range(LOST_AFTER):
        with pytest.raises(PortMissingError, match="a: the port /dev/x does not exist"):
            station.fresh()
    opened = bench.opened
    with pytest.raises(
        HostError, match=f"a: the port /dev/x does not exist; given up after {LOST_AFTER} tries"
    ):
        station.fresh()
    assert bench.opened == opened
    station.close()


def test_another_board_or_firmware_is_refused(ours, monkeypatch):
    with pytest.raises(HostError, match=f"a: the device is a {ours}, not a {REAL}"):
        Station(Entry("a", REAL), Bench()).fresh()
    monkeypatch.setattr("tests.station.build.build", lambda board: type("B", (), {"build_hash": "00" * 8}))
    with pytest.raises(HostError, match=r"runs firmware .*, this checkout's is 0000000000000000"):
        Station(Entry("a", ours), Bench()).fresh()


def test_a_board_in_use_is_waited_for(ours, tmp_path):
    port = str(tmp_path / "tty")
    entry = Entry("a", ours, port, lock_timeout_s=0)
    held = PortLock(f"hil://{port}")
    with pytest.raises(PortBusyError, match=r"a: .* is in use"):
        Station(entry, Bench()).fresh()
    held.release()
    station = Station(entry, Bench())
    station.fresh()
    with pytest.raises(PortBusyError):
        PortLock(f"hil://{port}")
    station.release()  # the device's port is free, the board is not
    with pytest.raises(PortBusyError):
        PortLock(f"hil://{port}")
    station.close()
    PortLock(f"hil://{port}").release()
