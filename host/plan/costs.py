"""What a kernel costs on a shape: measured where somebody measured it, else estimated from the nearest shape.

A table maps shapes to kernels to counts. The committed table (host/data/costs.json) has the shapes of common networks
and of `host bench`, in modelled cycles of an STM32L4R5; `host tune` measures a network's own shapes on a board and
keeps them beside the builds. It is made again by `host tune NET --flash l4r5`, with and without `--no-slim`, for the
networks of the README, then `host bench --cycles --flash l4r5 --costs` of the table that tune kept. Counts of one
table are in one unit; choices compare only counts of the same table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from host import defs
from host.errors import InputError
from host.plan import fuse
from host.plan.network import Step
from host.project import build_dir

# Fields that say nothing about how long a kernel takes.
_VALUES = frozenset(
    ("input_zero", "weights_zero", "output_zero", "clamp_min", "clamp_max", "rounding", "multiplier", "shift",
     "value", "left_shift", "input0_zero", "input0_multiplier", "input0_shift",
     "input1_zero", "input1_multiplier", "input1_shift", "output_multiplier", "output_shift", "half_up",
     "middle_zero", "middle_min", "middle_max", "weights1_zero", "offset_zero", "offset_multiplier", "mask_zero",
     "sum_min", "sum_max", "lift", "down", "value_clear", "value_set")
)  # fmt: skip
UNKNOWN_RATE = 8.0  # counts per unit of work for a kernel that nobody measured on any shape


def shape_of(step: Step) -> str:
    """The step's operator and geometry as one line, the key of the table."""
    fields = (f for f in defs.operators()[step.op].fields if f not in _VALUES)
    return " ".join([step.op, *(f"{f}={step.params[f]}" for f in fields)])


def work_of(step: Step) -> int:
    """What the count should be proportional to: MACs, or output elements where there are none."""
    return step.macs or math.prod(step.out_shape) or 1


@dataclass
class Costs:
    """A table. `entries[shape][kernel]` is a count, `work[shape]` the shape's MACs or elements."""

    unit: str
    source: str
    entries: dict[str, dict[str, int]] = field(default_factory=dict)
    work: dict[str, int] = field(default_factory=dict)

    def measured(self, step: Step, kernel: str) -> int | None:
        """The count of the kernel on the very shape of the step."""
        return self.entries.get(shape_of(step), {}).get(kernel)

    def knows(self, kernel: str) -> bool:
        """Whether somebody measured the kernel on any shape."""
        return any(kernel in counts for counts in self.entries.values())

    def cost(self, step: Step, kernel: str) -> float:
        """Measured, or the work times the rate of the nearest measured shape; of a fused step, what its parts cost."""
        count = self.measured(step, kernel)
        if count is not None:
            return float(count)
        if step.parts:
            parts = zip(step.parts, fuse.part_kernels(kernel), strict=True)
            return fuse.cost(step, *(self.cost(part, name) for part, name in parts))
        return work_of(step) * self._rate(step, kernel)

    def add(self, step: Step, kernel: str, count: int) -> None:
        """Notes a measurement."""
        shape = shape_of(step)
        self.entries.setdefault(shape, {})[kernel] = count
        self.work[shape] = work_of(step)

    def _rate(self, step: Step, kernel: str) -> float:
        nearest, rate = math.inf, UNKNOWN_RATE
        for shape, counts in self.entries.items():
            if kernel in counts:
                distance = _distance(step.params, _params_of(shape))
                if distance < nearest:
                    nearest, rate = distance, counts[kernel] / self.work[shape]
        return rate

    def updated(self, other: Costs, source: str) -> Costs:
        """This table with the other's counts over its own; both are in one unit."""
        entries = {shape: dict(counts) for shape, counts in self.entries.items()}
        for shape, counts in other.entries.items():
            entries.setdefault(shape, {}).update(counts)
        return Costs(self.unit, source, entries, self.work | other.work)

    def save(self, path: Path) -> None:
        """Writes the table as JSON, sorted, so that changes show in a diff."""
        path.parent.mkdir(parents=True, exist_ok=True)
        value = {
            "unit": self.unit,
            "source": self.source,
            "shapes": {
                s: {"work": self.work[s], "counts": dict(sorted(c.items()))}
                for s, c in sorted(self.entries.items())
            },
        }
        path.write_text(json.dumps(value, indent=1) + "\n")


def load(text: str) -> Costs:
    """A table from its JSON text."""
    value = json.loads(text)
    shapes = value["shapes"]
    return Costs(
        value["unit"],
        value["source"],
        {shape: dict(entry["counts"]) for shape, entry in shapes.items()},
        {shape: entry["work"] for shape, entry in shapes.items()},
    )


@cache
def default_costs() -> Costs:
    """The committed table."""
    return load(resources.files("host.data").joinpath("costs.json").read_text())


def tuned_path(board: str) -> Path:
    """Where `host tune` keeps what it measured on a board."""
    return build_dir() / "tuned" / f"{board}.json"


def costs_for(board: str | None) -> Costs:
    """The committed table, with what was tuned on that board over it if it is in the same unit."""
    default = default_costs()
    path = tuned_path(board) if board else None
    if path is None or not path.is_file():
        return default
    tuned = load(path.read_text())
    if tuned.unit != default.unit:
        return tuned
    return default.updated(tuned, f"{default.source}; {tuned.source}")


def keep(costs: Costs, path: Path) -> None:
    """Adds measurements to a table's file; one of another unit is replaced. Raises InputError for another file."""
    try:
        kept = load(path.read_text()) if path.is_file() else costs
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no table of costs", "name another file") from error
    (kept.updated(costs, costs.source) if kept.unit == costs.unit else costs).save(path)


@cache
def _params_of(shape: str) -> Mapping[str, int]:
    return {name: int(value) for name, value in (part.split("=") for part in shape.split(" ")[1:])}


def _distance(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Between two geometries: sizes by their ratio, so that 8 to 16 is as far as 64 to 128."""
    return sum(abs(math.log2((1 + a.get(name, 0)) / (1 + value))) for name, value in b.items())
