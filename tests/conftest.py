"""Options, profiles and the one device under test, `dut`.

A test that takes `dut` or `board` runs unchanged on an emulated board and on metal, here and in tests/hil; none may
know which it is. What not every device can, a test asks for: `@pytest.mark.needs("clock")`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from host.link.client import Client
from tests.station import Entry, Station

_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", **_COMMON, max_examples=50)
settings.register_profile("ci", **_COMMON, max_examples=100, derandomize=True)
settings.register_profile("long", **_COMMON, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

# Commands without --board must not pick a board that happens to be plugged in.
os.environ["TINYCONV_BOARD"] = "emu_stm32f405"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tinyconv")
    group.addoption("--board", default="emu_stm32f405", help="board id of the device under test")
    group.addoption("--port", help="its serial port or URL; needless for an emulated board")
    group.addoption("--rig", help="tests/hil: a file that names several devices; replaces --board and --port")
    group.addoption("--hil-json", metavar="FILE", help="tests/hil: write results by board")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*capabilities): what the device must have; tests/hil/README.md")
    config.addinivalue_line("markers", "slow: more than a few seconds")


@pytest.fixture(scope="session")
def entry(request: pytest.FixtureRequest) -> Entry:
    """The device that the options name."""
    board = request.config.getoption("--board")
    return Entry(board, board, request.config.getoption("--port"))


@pytest.fixture(scope="session")
def station(entry: Entry) -> Iterator[Station]:
    """The device for the session; opened when it is first needed, and again if it was lost."""
    station = Station(entry)
    yield station
    station.close()


@pytest.fixture
def dut(station: Station) -> Client:
    """The device under test, connected and freshly reset: it holds no plan."""
    return station.fresh()


@pytest.fixture
def board(station: Station) -> dict[str, str | None]:
    """Board and port as experiment.Options has them, for tests that open the device by themselves."""
    station.release()
    return {"board": station.entry.board, "port": station.entry.port}


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("needs")
    if marker is None:
        return
    station = request.getfixturevalue("station")
    missing = sorted(set(marker.args) - station.capabilities)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}, which {station.entry.name} has not")
