"""Options, profiles and the one device under test, `dut`.

A test that takes `dut` runs unchanged on an emulated board and on metal; none may know which it is.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from host.devices import open_device
from host.errors import HostError
from host.link.client import Client

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


class _Device:
    """The one device of a test session; opened when it is first needed, and again if it was lost."""

    def __init__(self, config: pytest.Config):
        self._where = config.getoption("--board"), config.getoption("--port")
        self._client: Client | None = None

    def fresh(self) -> Client:
        if self._client is not None:
            try:
                self._client.reset()
                return self._client
            except HostError:
                self.close()  # what an earlier test did to it must not fail this one
        self._client = open_device(*self._where)
        self._client.connect()
        self._client.reset()
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


@pytest.fixture(scope="session")
def _device(request: pytest.FixtureRequest):
    device = _Device(request.config)
    yield device
    device.close()


@pytest.fixture
def dut(_device: _Device) -> Client:
    """The device under test, connected and freshly reset: it holds no plan."""
    return _device.fresh()
