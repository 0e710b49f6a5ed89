"""What the frames of a monitored network tell: speeds, classes, heat of the layers, trouble. No I/O, no clock.

A device that counts cycles of a real clock gives frames per second of its own: clock divided by cycles. One that counts
instructions, as emulators do, gives none; the cycle model may predict them, and then they are called so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from host.link.hello import Hello
from host.link.session import LinkCounts
from host.monitor.classes import Verdict
from host.report.result import Prediction

HISTORY = 120  # frames that sparklines show
RECENT_S = 3.0  # time over which the end to end speed is a mean
SCHEMA = 1


@dataclass(frozen=True)
class Layer:
    """A step of the plan."""

    op: str
    kernel: str


@dataclass(frozen=True)
class Setting:
    """What does not change while a network runs. `prediction` is only there for emulated devices."""

    model: str
    hello: Hello
    port: str
    source: str
    layers: tuple[Layer, ...]
    class_names: tuple[str, ...] = ()
    prediction: Prediction | None = None

    @property
    def measures_time(self) -> bool:
        """Whether the device's counts are cycles of a clock that exists."""
        return self.hello.counter == "cycles" and self.hello.clock_hz > 0 and not self.hello.emulated

    def class_name(self, index: int) -> str:
        """The class for people: its number, and its name if there is one."""
        name = self.class_names[index] if index < len(self.class_names) else ""
        return f"{index} {name}" if name not in ("", str(index)) else str(index)


@dataclass(frozen=True)
class Frame:
    """One inference. `at_s` is when its result was here, on the host's clock; `begin_s` when its input was at hand.

    `count` and `layer_counts` are in the unit of the device's counter. `exact` is None if nothing was compared, and
    `difference` says what differs.
    """

    name: str
    begin_s: float
    at_s: float
    count: int
    layer_counts: tuple[int, ...]
    verdict: Verdict = field(default_factory=Verdict)
    label: int | None = None
    exact: bool | None = None
    difference: str = ""
    link: LinkCounts = field(default_factory=LinkCounts)


class State:
    """Everything that was seen so far."""

    def __init__(self, setting: Setting):
        self.setting = setting
        self.frames = 0
        self.last: Frame | None = None
        self.labelled = 0
        self.correct = 0
        self.compared = 0
        self.inexact = 0
        self.first_difference = ""
        self.end_to_end_history: deque[float] = deque(maxlen=HISTORY)
        self.count_history: deque[int] = deque(maxlen=HISTORY)
        self._recent: deque[Frame] = deque()

    def add(self, frame: Frame) -> None:
        """Takes the next frame in."""
        previous, self.last = self.last, frame
        self.frames += 1
        if frame.label is not None and frame.verdict.index is not None:
            self.labelled += 1
            self.correct += frame.verdict.index == frame.label
        if frame.exact is not None:
            self.compared += 1
            if not frame.exact:
                self.inexact += 1
                self.first_difference = self.first_difference or f"{frame.name}: {frame.difference}"
        begin_s = previous.at_s if previous else frame.begin_s
        if frame.at_s > begin_s:
            self.end_to_end_history.append(1 / (frame.at_s - begin_s))
        self.count_history.append(frame.count)
        self._recent.append(frame)
        while len(self._recent) > 2 and frame.at_s - self._recent[1].at_s >= RECENT_S:
            self._recent.popleft()

    @property
    def device_fps(self) -> float | None:
        """Frames per second that the device itself reaches, by its clock and the last count."""
        if self.last is None or not self.setting.measures_time or not self.last.count:
            return None
        return self.setting.hello.clock_hz / self.last.count

    @property
    def fps(self) -> float | None:
        """device_fps, or what the cycle model predicts; fps_source says which."""
        if self.setting.measures_time:
            return self.device_fps
        return self.setting.prediction.fps if self.setting.prediction else None

    @property
    def fps_source(self) -> str | None:
        """`device`, `model`, or None if no speed is known."""
        if self.setting.measures_time:
            return "device"
        return "model" if self.setting.prediction else None

    @property
    def end_to_end_fps(self) -> float | None:
        """Frames per second with link and host, mean of the last RECENT_S seconds."""
        if not self._recent:
            return None
        first, last = self._recent[0], self._recent[-1]
        frames, begin_s = len(self._recent) - 1, first.at_s
        if frames == 0:
            frames, begin_s = 1, first.begin_s
        return frames / (last.at_s - begin_s) if last.at_s > begin_s else None

    @property
    def heat(self) -> list[float]:
        """Each layer's part of the last frame's count, from 0 to 1."""
        counts: Sequence[int] = self.last.layer_counts if self.last else ()
        total = sum(counts)
        return [count / total if total else 0.0 for count in counts]

    def hottest(self, most: int) -> list[tuple[int, float]]:
        """Index and part of the layers that take most, the hottest first."""
        ranked = sorted(enumerate(self.heat), key=lambda item: (-item[1], item[0]))
        return [item for item in ranked[:most] if item[1] > 0]

    def record(self) -> dict[str, Any]:
        """The last frame as one object of `--json`."""
        frame, setting = self.last, self.setting
        assert frame is not None
        return {
            "schema": SCHEMA,
            "frame": self.frames,
            "input": frame.name,
            "model": setting.model,
            "board": setting.hello.board,
            "emulated": setting.hello.emulated,
            "clock_hz": setting.hello.clock_hz,
            "counter": setting.hello.counter,
            "count": frame.count,
            "fps": self.fps,
            "fps_source": self.fps_source,
            "end_to_end_fps": self.end_to_end_fps,
            "class": frame.verdict.index,
            "confidence": frame.verdict.confidence,
            "error": frame.verdict.error,
            "label": frame.label,
            "exact": frame.exact,
            "layers": list(frame.layer_counts),
            "link": asdict(frame.link),
        }
