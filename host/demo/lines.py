"""The lines that a device in demo mode prints (firmware/app/demo/line.c), read and shown."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

PREFIX = "tinyconv demo"
_REFUSED = re.compile(rf"{PREFIX}: not run, (.*)")
_NUMBER = r"[\d,]+(?:\.\d+)?"
_LINE = re.compile(
    rf"{PREFIX} (?P<network>.*?): "
    rf"(?:(?P<fps>{_NUMBER}) FPS, (?P<cycles>{_NUMBER}) cycles a frame"
    rf"|(?P<instructions>{_NUMBER}) instructions a frame \(emulated, as if one instruction took one cycle"
    rf" at (?P<mhz>{_NUMBER}) MHz: (?P<nominal>{_NUMBER}) FPS\)"
    rf"|(?P<frames>{_NUMBER}) frames, speed unknown)"
    rf"(?:, (?P<drawn>{_NUMBER}) with display)?"
    rf'(?:, class (?P<index>{_NUMBER})(?: "(?P<name>.*?)")?(?: (?P<percent>\d+) %)?)?'
    rf"(?:, (?P<right>{_NUMBER}) of (?P<labelled>{_NUMBER}) right)?"
)


@dataclass(frozen=True)
class DemoLine:
    """One line. `per_frame` is the mean cost of an inference in the unit of `counter`, "cycles" or "instructions".

    `fps` is a board's speed; None if the device is emulated. Then `fps_at_one_cycle` is what it would be if every
    instruction took one cycle at the board's clock, and nothing more. `fps_with_display` includes drawing, copying the
    inputs and printing; emulated it is as nominal. `right` of the `labelled` samples had their class.
    """

    network: str
    counter: str | None
    per_frame: int | None
    fps: float | None
    fps_at_one_cycle: float | None = None
    clock_mhz: float | None = None
    fps_with_display: float | None = None
    class_index: int | None = None
    class_name: str | None = None
    percent: int | None = None
    right: int | None = None
    labelled: int | None = None

    @property
    def emulated(self) -> bool:
        """Whether the speed is none."""
        return self.counter == "instructions"

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        """The line as a device that knows all of this prints it."""
        parts = []
        if self.counter == "cycles":
            parts.append(f"{_fps(self.fps)} FPS, {self.per_frame:,} cycles a frame")
        elif self.counter == "instructions":
            at = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
            parts.append(
                f"{self.per_frame:,} instructions a frame (emulated, as if one instruction took one cycle"
                f"{at}: {_fps(self.fps_at_one_cycle)} FPS)"
            )
        else:
            parts.append("speed unknown")
        if self.fps_with_display is not None:
            parts.append(f"{_fps(self.fps_with_display)} with display")
        if self.class_index is not None:
            name = f' "{self.class_name}"' if self.class_name is not None else ""
            percent = f" {self.percent} %" if self.percent is not None else ""
            parts.append(f"class {self.class_index}{name}{percent}")
        if self.labelled is not None:
            parts.append(f"{self.right} of {self.labelled} right")
        return f"{PREFIX} {self.network}: {', '.join(parts)}"


def refusal(text: str) -> str | None:
    """Why the device does not run its demo, if the line says so."""
    match = _REFUSED.match(text)
    return match[1] if match else None


def parse(text: str) -> DemoLine | None:
    """The line's contents; None for any other text."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    cycles, instructions = match["cycles"], match["instructions"]
    return DemoLine(
        network=match["network"],
        counter="cycles" if cycles else "instructions" if instructions else None,
        per_frame=_whole(cycles or instructions),
        fps=_real(match["fps"]),
        fps_at_one_cycle=_real(match["nominal"]),
        clock_mhz=_real(match["mhz"]),
        fps_with_display=_real(match["drawn"]),
        class_index=_whole(match["index"]),
        class_name=match["name"],
        percent=_whole(match["percent"]),
        right=_whole(match["right"]),
        labelled=_whole(match["labelled"]),
    )


def on_emulator(line: DemoLine, clock_hz: int) -> DemoLine:
    """The line of a board's own image in the register-model emulator: its cycle counter counts instructions there, and
    the image cannot know that.
    """
    if line.counter != "cycles":
        return line
    return replace(
        line, counter="instructions", fps=None, fps_at_one_cycle=line.fps, clock_mhz=clock_hz / 1e6
    )


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text.replace(",", ""))


def _real(text: str | None) -> float | None:
    return None if text is None else float(text.replace(",", ""))


def _fps(value: float | None) -> str:
    """As text_add_ratio() in firmware/app/demo/text.c."""
    if value is None:
        return "?"
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
