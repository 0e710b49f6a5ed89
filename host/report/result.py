"""What a run found out: one structure, printed as tables for people and as JSON for scripts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1


@dataclass
class Mismatch:
    """The first element of a tensor that differs from the oracle's."""

    sample: int
    layer: str
    tensor: str
    element: tuple[int, ...]
    got: int
    expected: int
    differing: int
    elems: int

    def __str__(self) -> str:
        """One line that names layer and element."""
        return (
            f"sample {self.sample}: {self.layer}, tensor {self.tensor!r}: {self.differing} of {self.elems} "
            f"elements differ, first at {list(self.element)}: device {self.got}, oracle {self.expected}"
        )


@dataclass
class LayerResult:
    """One step: `count` in the unit of the report's counter, per inference; `inputs`, `output` are shapes."""

    index: int
    name: str
    op: str
    kernel: str
    inputs: list[list[int]]
    output: list[int]
    macs: int
    count: int


@dataclass
class Prediction:
    """What the cycle model says of a chip: cycles of one inference, and how far they may be off and why."""

    chip: str
    clock_hz: int
    cycles: int
    error_percent: int
    error_text: str

    @property
    def fps(self) -> float:
        """Inferences a second."""
        return self.clock_hz / self.cycles


@dataclass
class RunResult:
    """A whole `host run`. Counts are the mean of all inferences, rounded.

    `bit_exact` is None if nothing was checked. `macs_original` are those of the file before rewrites.
    `accuracy` is None without labels. `scores[i]` are the dequantised outputs of sample i.
    `measured_fps` is the device's alone, None if no real clock was counted. `end_to_end_fps` counts transfers and the
    comparison too; None for emulated boards, whose line has no rate. Banks are named as in the manifest; a plan in
    flash has none.
    """

    model: str
    board: str
    core: str
    emulated: bool
    clock_hz: int
    counter: str
    runs: int
    check: str
    bit_exact: bool | None
    mismatches: int
    first_mismatch: Mismatch | None
    per_inference: int
    measured_fps: float | None
    end_to_end_fps: float | None
    macs: int
    macs_original: int
    arena_bytes: int
    arena_bank: str
    copy_bytes: int
    code_bytes: int
    plan_bytes: int
    plan_place: str
    plan_bank: str | None
    firmware: dict[str, Any]
    layers: list[LayerResult]
    source: str
    samples: int
    classes: list[int] = field(default_factory=list)
    labels: list[int] | None = None
    prediction: Prediction | None = None

    @property
    def fps(self) -> float | None:
        """Frames per second, from where fps_source says."""
        if self.measured_fps is not None:
            return self.measured_fps
        return self.prediction.fps if self.prediction else None

    @property
    def fps_source(self) -> str | None:
        """`device` if a real board's clock was counted, `model` if the cycle model predicts them, else None."""
        if self.measured_fps is not None:
            return "device"
        return "model" if self.prediction else None

    @property
    def correct(self) -> int | None:
        """Samples whose class is their label's, None without labels."""
        if self.labels is None:
            return None
        return sum(int(c == y) for c, y in zip(self.classes, self.labels, strict=True))

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "board": self.board,
            "core": self.core,
            "emulated": self.emulated,
            "clock_hz": self.clock_hz,
            "counter": self.counter,
            "runs": self.runs,
            "check": self.check,
            "bit_exact": self.bit_exact,
            "mismatches": self.mismatches,
            "first_mismatch": str(self.first_mismatch) if self.first_mismatch else None,
            "per_inference": self.per_inference,
            "fps": self.fps,
            "fps_source": self.fps_source,
            "end_to_end_fps": self.end_to_end_fps,
            "prediction": asdict(self.prediction) if self.prediction else None,
            "macs": self.macs,
            "macs_original": self.macs_original,
            "arena_bytes": self.arena_bytes,
            "arena_bank": self.arena_bank,
            "copy_bytes": self.copy_bytes,
            "flash_bytes": {"code": self.code_bytes, "plan": self.plan_bytes},
            "plan_place": self.plan_place,
            "plan_bank": self.plan_bank,
            "firmware": self.firmware,
            "input": {"source": self.source, "samples": self.samples},
            "classes": self.classes,
            "labels": self.labels,
            "correct": self.correct,
            "layers": [
                {
                    "index": layer.index,
                    "name": layer.name,
                    "op": layer.op,
                    "kernel": layer.kernel,
                    "in": layer.inputs,
                    "out": layer.output,
                    "macs": layer.macs,
                    "count": layer.count,
                }
                for layer in self.layers
            ],
        }
