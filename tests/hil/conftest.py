"""The device tests on the boards of a rig: one run of each test a board, results by board.

Collected only if this folder or --rig is named, since on the default device they are what tests/emulator runs already.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import HostError
from host.link.client import Client
from tests.hil.results import HELLO_FACTS, Results
from tests.hil.rig import load_rig
from tests.station import Entry, Station

HERE = Path(__file__).parent


def _asked_for(config: pytest.Config) -> bool:
    places = [Path(str(argument).split("::")[0]).resolve() for argument in config.args]
    return bool(config.getoption("--rig")) or any(HERE in (place, *place.parents) for place in places)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if _asked_for(config) else True


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # all tests of a board in one process: it has one line
    if getattr(config.option, "dist", None) == "load":
        config.option.dist = "loadgroup"
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(config.getoption("--hil-json")), "hil-results")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "entry" not in metafunc.fixturenames:
        return
    options = metafunc.config
    if options.getoption("--rig"):
        try:
            entries = load_rig(Path(options.getoption("--rig")))
        except HostError as error:
            raise pytest.UsageError(str(error)) from None
    else:
        board = options.getoption("--board")
        entries = [Entry(board, board, options.getoption("--port"))]
    marked = [pytest.param(e, id=e.name, marks=pytest.mark.xdist_group(e.name)) for e in entries]
    metafunc.parametrize("entry", marked, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "entry" in callspec.params:
        entry = callspec.params["entry"]
        item.user_properties += [("device", entry.name), ("board", entry.board)]


@pytest.fixture(autouse=True)
def _recorded(station: Station, record_property, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Firmware, clock and caches, and what the test's inferences counted, into JUnit's and our own results."""
    counts: list[int] = []
    run = Client.run

    def counted(self: Client, *args, **kwargs):
        result = run(self, *args, **kwargs)
        counts.append(result.total)
        return result

    monkeypatch.setattr(Client, "run", counted)
    yield
    record_property("runs", len(counts))
    record_property("count", sum(counts))
    for name in HELLO_FACTS if station.hello is not None else ():
        record_property(name, getattr(station.hello, name))
