"""What a board's firmware takes and leaves, as `host boards --sizes` tells it."""

from __future__ import annotations

import json

from click.testing import CliRunner

from host import boards, build
from host.commands.boards import command
from host.sizes import sizes


def test_what_is_left_is_what_the_firmware_does_not_take(monkeypatch):
    f746 = boards.load_board("disco_f746ng")
    monkeypatch.setattr(
        build, "build", lambda board: build.Firmware(None, None, "", build.Sizes(100, 20, 3000, 40))
    )
    stages = []
    (found,) = sizes([f746], lambda *stage: stages.append(stage))
    assert found.to_json() == {
        "code_bytes": 120,
        "code_region_bytes": 262144,
        "own_ram_bytes": 3020,
        "free": {"dtcm": 65536 - 3020, "sram": 262144},
        "hot_code_bytes": 40,
    }
    assert stages == [("building disco_f746ng", 0, 1), ("building disco_f746ng", 1, 1)]


def test_the_command_lists_every_board_with_its_sizes(monkeypatch):
    monkeypatch.setattr(
        build, "build", lambda board: build.Firmware(None, None, "", build.Sizes(100_000, 20, 3000, 1000))
    )
    told = json.loads(CliRunner().invoke(command, ["--sizes", "--json", "-"]).stdout)
    assert [b["id"] for b in told] == boards.board_ids()
    assert all(b["code_bytes"] == 100_020 and list(b["free"]) == list(b["pools"]) for b in told)
    text = CliRunner().invoke(command, ["--sizes"]).stdout
    row = next(line for line in text.splitlines() if line.startswith("disco_f746ng"))
    assert "100,020" in row and "dtcm 62,516, sram 262,144" in row and "1,000 of 16,384" in row
    plain = json.loads(CliRunner().invoke(command, ["--json", "-"]).stdout)
    assert "free" not in plain[0] and plain[0]["pools"]
