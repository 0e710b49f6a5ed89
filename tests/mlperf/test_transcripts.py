"""The kept transcripts follow the benchmark's specification; tests/emulator/test_mlperf.py makes them again."""

from __future__ import annotations

import re

import pytest

from host.mlperf.models import MODELS, SQUARED_ERROR, Model
from host.project import firmware_dir
from tests.mlperf.transcripts import RUNS, WARM_UPS, kept

SCORES = {"kws01": 12, "vww01": 2, "ic01": 10, "ad01": 1}
NUMBER = r"-?\d+\.\d{3}"


def exchanges(model: Model) -> list[tuple[str, list[str]]]:
    """Commands, "" for the banner, and the lines that follow."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in kept(model).read_text().splitlines():
        if line.startswith("> "):
            found.append((line[2:], []))
        elif line.startswith("< "):
            found[-1][1].append(line[2:])
        else:
            assert re.fullmatch(r"\.\.\. [\d,]+ more", line)
    return found


@pytest.mark.parametrize("model", MODELS.values(), ids=str)
def test_every_reply_is_the_specification_s(model):
    banner, *said = exchanges(model)
    assert banner[1] == ["m-timestamp-mode-performance", "m-init-done", "m-ready"]
    assert all(command.endswith("%") and reply[-1] == "m-ready" for command, reply in said)
    replies = {command: reply[:-1] for command, reply in said}
    assert re.fullmatch(r"m-name-dut-\[[^]]+]", *replies.pop("name%"))
    assert replies.pop("profile%") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        f"m-model-[{model.name}]",
    ]
    assert replies.pop("help%")[0] == "ULPMark for tinyML Firmware V0.0.1"
    assert replies.pop("timestamp%") == ["m-lap-us-US"]
    assert replies.pop(f"db load {model.raw_bytes}%") == [f"m-[Expecting {model.raw_bytes} bytes]"]
    results = "m-results-" + (rf"\[{NUMBER}" + rf",{NUMBER}" * (SCORES[model.name] - 1)) + "]"
    *inference, last = replies.pop(f"infer {RUNS} {WARM_UPS}%")
    assert inference == [
        f"m-warmup-start-{WARM_UPS}", "m-warmup-done", f"m-infer-start-{RUNS}", "m-lap-us-US", inference[4],
        "m-infer-done",
    ]  # fmt: skip
    assert float(re.fullmatch(r"m-lap-us-US \+ (\d+\.\d) ms", inference[4])[1]) > 0
    assert re.fullmatch(results, last) and replies.pop("results%") == [last]
    if model.result_kind != SQUARED_ERROR:
        assert sum(map(float, re.findall(NUMBER, last))) == pytest.approx(1, abs=0.02)
    (first, nothing), (end, done) = replies.items()
    assert re.fullmatch(r"db [0-9a-f]{62}%", first) and nothing == []
    assert re.fullmatch(r"db ([0-9a-f]{2}){1,31}%", end) and done == ["m-load-done"]


def test_the_manual_shows_one_of_them():
    text = kept(MODELS["kws01"]).read_text()
    manual = (firmware_dir() / "app" / "mlperf" / "MLPERF.md").read_text()
    assert text[text.index("> db load") : text.index("> results%")] in manual
