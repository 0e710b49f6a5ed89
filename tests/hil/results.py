"""What the tests found, by device, as one JSON object: a plugin of the process that sees all reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SCHEMA = 1
HELLO_FACTS = (
    "core",
    "build",
    "clock_hz",
    "clock_source",
    "counter",
    "emulated",
    "icache",
    "dcache",
    "prefetch",
)


class Results:
    """Collects reports of tests that recorded a device; writes them at the end if a file was named."""

    def __init__(self, file: str | None):
        self._file = Path(file) if file else None
        self._devices: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Part of a test has ended: its set-up, itself, or its tear-down, which has all that it recorded."""
        facts = dict(report.user_properties)
        if "device" not in facts:
            return
        device = self._devices.setdefault(
            facts["device"], {"name": facts["device"], "passed": 0, "failed": 0, "skipped": 0, "tests": {}}
        )
        device.update({name: facts[name] for name in ("board", *HELLO_FACTS) if name in facts})
        test = device["tests"].setdefault(
            report.nodeid, {"name": report.nodeid, "outcome": "passed", "seconds": 0.0, "message": ""}
        )
        test["seconds"] += report.duration
        if report.outcome != "passed" and test["outcome"] == "passed":
            test.update(outcome=report.outcome, message=_message(report))
        if report.when == "teardown":
            test.update({name: facts[name] for name in ("runs", "count") if name in facts})
            device[test["outcome"]] += 1

    def pytest_sessionfinish(self) -> None:
        """Writes the file."""
        if self._file is not None:
            self._file.write_text(json.dumps(self.to_json(), indent=1) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line a device."""
        for device in self.to_json()["devices"]:
            terminalreporter.write_line(
                f"{device['name']}: {device['passed']} passed, {device['failed']} failed, {device['skipped']} skipped; "
                f"firmware {device.get('build', 'unknown')}"
            )

    def to_json(self) -> dict[str, Any]:
        """The object that README.md describes."""
        devices = [
            {**device, "tests": list(device["tests"].values())} for _, device in sorted(self._devices.items())
        ]
        return {"schema": SCHEMA, "devices": devices}


def _message(report: pytest.TestReport) -> str:
    """One line that says why."""
    if isinstance(report.longrepr, tuple):  # a skip: file, line, reason
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    return text.strip().splitlines()[0] if text.strip() else ""
