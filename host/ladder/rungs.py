"""The rungs, from the textbook's loops to what `host run` does.

Each rung is the one before with one change: kernels that are used wherever they can do a step, memory shared in place,
the network slimmed, or everything left to measured costs. So a rung is a complete, exact build, and its gain is that of
the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from host import defs
from host.errors import InputError
from host.plan.choose import Admission, InTurn, Patterns, any_kernel, reference_only

CONVOLUTIONS = ("conv2d", "depthwise")


@dataclass(frozen=True)
class Rung:
    """One build. `change` is what is new in it, `why` it is better.

    `tiers` are patterns of kernels; a step takes the cheapest kernel of the first tier that has one for it, else the
    reference's. With `tuned` all kernels compete by measured costs, and the arena is made small as for `host run`.
    """

    name: str
    change: str
    why: str
    tiers: tuple[tuple[str, ...], ...]
    in_place: bool = False
    slimmed: bool = False
    tuned: bool = False

    @property
    def admits(self) -> Admission:
        """Which kernels the rung may use."""
        if self.tuned:
            return any_kernel
        return InTurn((*map(Patterns, self.tiers), reference_only))


def _others() -> tuple[str, ...]:
    """The kernels of all operators but the convolutions."""
    kernels = defs.kernels().values()
    return tuple(k.name for k in kernels if k.op not in CONVOLUTIONS and any_kernel(k.name))


@cache
def all_rungs() -> tuple[Rung, ...]:
    """The ladder, slowest first."""
    naive = ("*_ladder_naive",)
    reordered = ("*_ladder_reordered",)
    unrolled = ("*_ladder_unrolled",)
    im2col = ("*_ladder_im2col",)
    simd = ("*_ladder_simd", "depthwise_*_rows", *_others())
    chw = ("depthwise_*_planes*", "depthwise_*_registers*")
    indirect = ("conv2d_*_indirect", "conv2d_*_pointwise_bytepairs")
    winograd = ("conv2d_*_winograd*", *indirect)
    plain = (im2col, unrolled, reordered, naive)
    fast = (simd, ("conv2d_*_gathered_pairs",), *plain)  # the second for groups
    return (
        Rung(
            "naive", "the textbook's loops: out_c, out_y, out_x, in_c, k_y, k_x; checks and zero point innermost",
            "one product at a time, and for each the address, four comparisons and a subtraction",
            (naive,),
        ),
        Rung(
            "reorder", "in_c innermost, as it lies in memory; what it does not change outside; zero point in the bias",
            "two loads and a multiply-add are left of the innermost body",
            (reordered, naive),
        ),
        Rung(
            "unroll", "four output channels at a time, their sums in registers; the loop unrolled four times",
            "an input is loaded once for four products, and fewer branches are taken",
            plain[1:],
        ),
        Rung(
            "im2col", "windows copied to a buffer, then a matrix product, two pixels by two channels",
            "the product's loop has no taps and no borders, and weights serve two pixels; the buffer is the price",
            plain,
        ),
        Rung(
            "simd", "SMLAD and SXTB16: two products an instruction; SMMLAR requantises; other operators fast, too",
            "half the multiplications, a third of the loads, a tenth of the requantisation",
            fast,
        ),
        Rung(
            "chw", "depthwise planes in CHW order, NHWC for the rest; weights packed with them",
            "a window of one channel has neighbours to pair; in NHWC each tap is a gather of its own",
            (chw, *fast),
        ),
        Rung(
            "in-place", "a depthwise output takes its input's place; additions and products likewise",
            "the same instructions, but a layer no longer needs both tensors in RAM",
            (chw, *fast), in_place=True,
        ),
        Rung(
            "indirect", "windows read where they lie, through a table of offsets; two bytes of weights in a lane",
            "no im2col copy, each row expanded once, and a word of weights is unpacked once instead of twice",
            (indirect, chw, *fast), in_place=True,
        ),
        Rung(
            "winograd", "3x3 convolutions in exact integer Winograd where it is cheaper",
            "a tile of 4x4 outputs takes 36 products instead of 144; its weights take more flash",
            (winograd, chw, *fast), in_place=True,
        ),
        Rung(
            "slim", "channels that provably cannot change an output removed",
            "ReLU and rounding have made some channels constants; what is not there takes no time",
            (winograd, chw, *fast), in_place=True, slimmed=True,
        ),
        Rung(
            "tuned", "every kernel competes on every layer, by measured costs; layers streamed by rows for the arena",
            "few inputs, odd channels and small images each have a kernel of their own that is best",
            (), in_place=True, slimmed=True, tuned=True,
        ),
    )  # fmt: skip


def select(names: str) -> list[Rung]:
    """The rungs that `--rungs` names, in the ladder's order: `all`, or names with commas.

    Raises InputError for a name that no rung has.
    """
    rungs = all_rungs()
    if names == "all":
        return list(rungs)
    wanted = names.split(",")
    known = [rung.name for rung in rungs]
    for name in wanted:
        if name not in known:
            raise InputError(f"the ladder has no rung {name!r}", f"there are {', '.join(known)}")
    return [rung for rung in rungs if rung.name in wanted]
