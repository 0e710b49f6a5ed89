"""Options, profiles and the one device under test, `dut`.

A test that takes `dut` runs unchanged on an emulated board and on metal; none may know which it is.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", **_COMMON, max_examples=50)
settings.register_profile("ci", **_COMMON, max_examples=100, derandomize=True)
settings.register_profile("long", **_COMMON, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tinyconv")
    group.addoption("--board", default="emu_stm32f405", help="board id of the device under test")
    group.addoption("--port", help="its serial port or URL; needless for an emulated board")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "metal: needs a real board")
    config.addinivalue_line("markers", "slow: more than a few seconds")


@pytest.fixture(scope="session")
def dut_session(request: pytest.FixtureRequest):
    """The connected Client of the device under test, started once."""
    from host.devices import open_device

    client = open_device(request.config.getoption("--board"), request.config.getoption("--port"))
    try:
        client.connect()
        yield client
    finally:
        client.close()


@pytest.fixture
def dut(dut_session):
    """The device under test, freshly reset: it holds no plan."""
    try:
        dut_session.reset()
    except Exception:
        dut_session.connect()  # an earlier test left the line in a state that RESET did not survive
        dut_session.reset()
    return dut_session
