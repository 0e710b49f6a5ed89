"""Compares ways to convolve on the shapes of known networks: the figure of Dukhan's paper, for Cortex-M.

    gemm      the matrix product alone, on windows that somebody has gathered: what the others are measured by
    im2col    windows gathered tile by tile, then the product
    indirect  rows expanded into a ring, windows read through a table of offsets
    winograd  3x3 in the transformed domain; the fastest of its kernels that fits

Source: M. Dukhan, The Indirect Convolution Algorithm, 2019 (arXiv 1907.02129). There im2col gathers a whole matrix and
indirection is a pointer for each tap of each pixel; here both take tiles or rows, for want of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from math import exp, inf, log
from typing import Any

from host.bench.case import Case
from host.bench.measure import Bench, Result, bench, compiled_with
from host.bench.networks import Shape, all_shapes
from host.boards import Board
from host.cyclemodel.chips import Chip
from host.experiment import STREAMED_BYTES, pool_bytes
from host.plan.banks import COUNT_BYTES
from host.runner import Progress, no_progress

SCHEMA = 1
# Kernels of each way in groups; the first group with a kernel for the shape is taken, of a group the fastest that fits.
METHODS: dict[str, tuple[tuple[str, ...], ...]] = {
    "gemm": (("conv2d_s8_hwc_pointwise_bytepairs",), ("conv2d_s8_hwc_pointwise_pairs",)),
    "im2col": (("conv2d_s8_hwc_im2col_bytepairs",), ("conv2d_s8_hwc_im2col_pairs",)),
    "indirect": (("conv2d_s8_hwc_indirect",),),
    "winograd": (
        (
            "conv2d_s8_hwc_winograd4_3x3",
            "conv2d_s8_hwc_winograd2_3x3",
            "conv2d_s8_hwc_winograd2_3x3_stride2",
        ),
    ),
}


@dataclass
class Comparison:
    """A shape, as it is and as it was run, and what each way took; a way without an entry does not support it.

    `gemm_rows` are the output rows of the product alone, which has to hold gathered windows.
    """

    shape: Shape
    run: Shape
    gemm_rows: int
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def scaling(self) -> str:
        """How the shape was made to fit; empty if it is what it was."""
        parts = []
        if self.run.size != self.shape.size:
            parts.append(f"image {self.shape.size} to {self.run.size}")
        if (self.run.in_c, self.run.out_c) != (self.shape.in_c, self.shape.out_c):
            parts.append(
                f"channels {self.shape.in_c}->{self.shape.out_c} to {self.run.in_c}->{self.run.out_c}"
            )
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """One entry of `shapes`."""
        return {
            "network": self.shape.network,
            "layer": self.shape.layer,
            "shape": str(self.shape),
            "macs": self.shape.macs,
            "im2col_matrix_bytes": self.shape.matrix_bytes,
            "run": str(self.run),
            "scaling": self.scaling,
            "run_macs": self.run.macs,
            "run_im2col_matrix_bytes": self.run.matrix_bytes,
            "gemm_rows": self.gemm_rows,
            "methods": {method: result.to_json() for method, result in self.results.items()},
        }


@dataclass
class Comparisons:
    """All shapes on a device."""

    bench: Bench
    shapes: list[Comparison]

    def of(self, network: str) -> list[Comparison]:
        """Those of one network."""
        return [shape for shape in self.shapes if shape.shape.network == network]

    def ratio(self, method: str, other: str, spatial: bool) -> float | None:
        """Geometric mean of what a way takes a MAC, by what another takes, over the shapes that both can do.

        `spatial`: over those that are no matrix product as they are, else over those that are.
        """
        logs = []
        for shape in self.shapes:
            rate, by = (cost(shape.results.get(name)) for name in (method, other))
            if shape.shape.pointwise != spatial and rate and by:
                logs.append(log(rate / by))
        return exp(sum(logs) / len(logs)) if logs else None

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        head = self.bench.to_json()
        del head["results"]
        return {**head, "schema": SCHEMA, "shapes": [shape.to_json() for shape in self.shapes]}


def cost(result: Result | None) -> float | None:
    """Modelled cycles per MAC, or counts where none were modelled; None for what was not run."""
    if result is None:
        return None
    return result.rate if result.cycles is None else result.cycle_rate


def select(network: str = "*", shape: str = "*") -> list[Shape]:
    """The shapes that match, as the table writes them."""
    return [s for s in all_shapes() if fnmatch(s.network, network) and fnmatch(str(s), shape)]


@dataclass(frozen=True)
class Room:
    """What the board has: RAM, of which a plan that is streamed takes its part, and flash for plans."""

    ram_bytes: int
    flash_bytes: int
    streamed: bool

    def holds(self, case: Case, kernel: str) -> bool | None:
        """Whether the case fits with that kernel; None if the kernel does not support it."""
        compiled = compiled_with(case, kernel)
        if compiled is None:
            return None
        plan, net = len(compiled.plan), compiled.net
        in_ram = self.streamed or plan <= STREAMED_BYTES
        ram = net.arena_bytes + COUNT_BYTES * len(net.steps) + (plan if in_ram else 0)
        return ram <= self.ram_bytes and (in_ram or plan <= self.flash_bytes)


def room_of(board: Board, port: str | None) -> Room:
    """What a board has for the bench."""
    return Room(pool_bytes(board), board.plan_region.bytes, not board.emulated or port is not None)


def _kernels(method: str, case: Case, room: Room) -> list[str] | None:
    """The kernels of a way that run the case: those that fit, of the first group that supports it, if there is one."""
    for group in METHODS[method]:
        held = {kernel: room.holds(case, kernel) for kernel in group}
        if any(fits is not None for fits in held.values()):
            return [kernel for kernel, fits in held.items() if fits]
    return None


def fit(shape: Shape, room: Room) -> Shape:
    """The shape, with its image or channels halved until every way that supports it fits.

    Channels are halved where plans are too large, else the image.
    """
    ample = replace(room, ram_bytes=1 << 62)
    while True:
        case = shape.case()
        short = [m for m in METHODS if m != "gemm" and _kernels(m, case, room) == []]
        if not short:
            return shape
        if room.streamed:  # plans and tensors share the RAM
            by_channels = shape.weights > shape.activations
        else:
            by_channels = any(_kernels(m, case, ample) == [] for m in short)
        smaller = shape.smaller(by_channels) or shape.smaller(not by_channels)
        if smaller is None:
            return shape
        shape = smaller


def _gemm_rows(shape: Shape, room: Room) -> int:
    """Output rows whose gathered windows fit, with their outputs: all of them if possible."""
    rows = shape.out_size
    while rows > 1 and not _kernels("gemm", shape.product(rows), room):
        rows = (rows + 1) // 2
    return rows


def compare(
    board: Board,
    shapes: Sequence[Shape],
    *,
    port: str | None = None,
    chip: Chip | None = None,
    progress: Progress = no_progress,
    say: Callable[[str], None] = lambda text: None,
) -> Comparisons:
    """Runs every way on every shape, each result checked; with a `chip` also its modelled cycles.

    Raises what opening and running a device raise; a wrong result is an entry, not an exception.
    """
    room = room_of(board, port)
    compared: list[Comparison] = []
    wanted: list[tuple[Comparison, str, str, list[str]]] = []  # and way, case, kernels
    selection: dict[str, tuple[Case, list[str]]] = {}
    for done, shape in enumerate(shapes):
        progress("fitting", done, len(shapes))
        run = fit(shape, room)
        comparison = Comparison(shape, run, _gemm_rows(run, room))
        compared.append(comparison)
        for method in METHODS:
            case = run.product(comparison.gemm_rows) if method == "gemm" else run.case()
            kernels = _kernels(method, case, room) or []
            wanted.append((comparison, method, case.name, kernels))
            _, names = selection.setdefault(case.name, (case, []))
            names += [kernel for kernel in kernels if kernel not in names]
    progress("fitting", len(shapes), len(shapes))
    done = bench(board, list(selection.values()), port=port, chip=chip, progress=progress, say=say)
    results = {(r.case, r.kernel): r for r in done.results}
    for comparison, method, case_name, kernels in wanted:
        found = [results[case_name, kernel] for kernel in kernels]
        if found:
            comparison.results[method] = min(found, key=lambda r: cost(r) or inf)
    return Comparisons(done, compared)
