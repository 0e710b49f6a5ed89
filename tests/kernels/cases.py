"""Hypothesis strategies of raw kernel calls: parameters, blobs and tensors, without a graph behind them.

They reach what no quantised network has: multipliers that are not normalised, sums that wrap, weights of -128
with a zero point, clamps of one value. Sizes are small. `SHAPES` steers towards what a kernel name promises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from host import defs, native
from host.plan import fuse, pack
from host.plan.network import Step
from tests.kernels import cases_binary, cases_separable

ROUND_DOUBLE, ROUND_SINGLE = 0, 1
INT32_MAX = 2**31 - 1
# Weights layouts that host.plan.pack makes from OHWI, or of OHWI and BMS together.
PACKED = (
    "WINOGRAD4",
    "WINOGRAD2",
    "WINOGRAD2_STRIDE2",
    "PLANES_3X3",
    "PLANES_3X3_STRIDE2",
    "PLANES_REGISTERS",
    "PLANES_WIDE",
    "SEPARABLE",
    "SEPARABLE_BYTEPAIRS",
    "PAIRS",
    "BYTEPAIRS",
    "GATHERED_PAIRS",
    "GATHERED_BYTEPAIRS",
    "TRANSPOSED_BYTEPAIRS",
    "TRANSPOSED_PAIRS",
    "TRANSPOSED_WINOGRAD2",
    "ROWS4",
    "SAMPLES",
    "COUNTED_BITS",
)

_int8 = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 0, 127]))
_channels = st.one_of(st.integers(1, 9), st.sampled_from([4, 8, 12, 16, 17, 20]))
_multipliers = st.one_of(
    st.integers(1 << 30, INT32_MAX), st.integers(0, INT32_MAX), st.sampled_from([0, 1, 1 << 30, INT32_MAX])
)
_kinds = st.sampled_from(["uniform", "uniform", "uniform", "extremes", "lowest", "highest", "ramp"])


@dataclass(frozen=True)
class Case:
    """One kernel call. `seed` and `kind` made the tensors and blobs."""

    op: str
    params: dict[str, int]
    seed: int
    kind: str

    @property
    def packed(self) -> bytes:
        return defs.operators()[self.op].pack(**self.params)


def int8_data(rng: np.random.Generator, count: int, kind: str) -> bytes:
    """Tensor or weights of one kind."""
    if kind == "extremes":
        data = rng.choice(np.array([-128, 127], np.int8), count)
    elif kind in ("lowest", "highest"):
        data = np.full(count, -128 if kind == "lowest" else 127, np.int8)
    elif kind == "ramp":
        data = np.arange(count, dtype=np.int64).astype(np.int8)
    else:
        data = rng.integers(-128, 128, count).astype(np.int8)
    return data.tobytes()


def _records(rng: np.random.Generator, count: int, kind: str, layout: str) -> bytes:
    """Channel records: mostly those of real networks, some at every limit."""
    usual = rng.integers(0, 2, count, dtype=bool) | (kind == "ramp") | (rng.random() < 0.6)
    multiplier = np.where(usual, rng.integers(1 << 30, 1 << 31, count), rng.integers(0, 1 << 31, count))
    limits = np.array([0, 1, 1 << 30, (1 << 30) - 1, INT32_MAX])
    multiplier = np.where(rng.random(count) < rng.choice([0, 0.1]), rng.choice(limits, count), multiplier)
    shift = np.where(usual, rng.integers(-12, -1, count), rng.integers(-31, 31, count))
    reach = 1 << int(rng.integers(0, 32))
    bias = np.clip(rng.integers(-reach, reach, count), -(2**31), INT32_MAX)
    columns = [bias, multiplier, shift]
    if layout == "BMSN":
        nudge = np.int64(1) << (30 - shift)
        far = rng.random(count) < 0.2
        nudge = np.where(far, rng.integers(-(1 << 62), 1 << 62, count), nudge)
        columns += list(nudge.astype("<i8").view("<u4").reshape(-1, 2).T.astype(np.int64))
    return np.stack(columns, axis=1).astype(np.uint32).tobytes()


def _table(rng: np.random.Generator, kind: str) -> bytes:
    """Softmax exponentials: falling ones, or any at all."""
    falling = (2.0**31 - 1) * np.exp(-np.arange(256) * 2.0 ** float(rng.uniform(-10, 3)))
    table = rng.integers(0, 1 << 31, 256) if kind == "extremes" else falling.astype(np.int64)
    table[0] = INT32_MAX
    return table.astype("<i4").tobytes()


def blobs(case: Case, kernel: defs.KernelDef, *, hostile: bool = False) -> tuple[bytes | None, bytes]:
    """(weights, channels) of the case in the kernel's layouts; layouts of one operator get equal content.

    Weights are None if the packer refuses their values. `hostile`: any bytes where layouts are packed.
    """
    if case.op == fuse.OP:
        return _pair_blobs(case, kernel, hostile)
    rng = np.random.default_rng((case.seed, 1))
    packed = case.packed
    size = native.weights_bytes(kernel.name, packed)
    if kernel.weights == "U16":
        p = case.params
        rows, columns = rng.integers(0, p["in_h"], p["out_h"]), rng.integers(0, p["in_w"], p["out_w"])
        weights = np.concatenate([rows, columns]).astype("<u2").tobytes()
    elif kernel.weights == "SOFTMAX_TABLE":
        weights = _table(rng, case.kind)
    elif "outer" in case.kind and kernel.weights == "OHWI":
        weights = cases_separable.ohwi(rng, case.kind, case.op, case.params)
    else:
        weights = int8_data(rng, size, case.kind)
        if kernel.weights == "BITS":
            weights = cases_binary.clear_tails(case.op, case.params, weights)
    rng = np.random.default_rng((case.seed, 2))
    words = {"NONE": 0, "BMS": 3, "BMSN": 5, "AFFINE": 2}[kernel.channels]
    channels = b""
    if words:
        count = native.channels_bytes(kernel.name, packed) // (4 * words)
        if kernel.channels == "AFFINE":
            channels = cases_binary.records(rng, count, case.params)
        else:
            channels = _records(rng, count, case.kind, kernel.channels)
    if kernel.weights in PACKED and not hostile:
        weights = _packed(case, kernel)
    elif kernel.weights.startswith(("PLANES", "SEPARABLE")):
        weights = bytes(4) + weights[4:]
    return weights, channels


def _packed(case: Case, kernel: defs.KernelDef) -> bytes | None:
    """What the packer makes of the weights and channels that the twin gets as they are."""
    twin = [k for k in defs.kernels().values() if k.op == case.op][-1]
    weights, channels = blobs(case, twin)
    p = case.params
    shapes = {
        "conv2d": ("out_c", "kernel_h", "kernel_w", "group_c"),
        "deformable_conv2d": ("out_c", "kernel_h", "kernel_w", "group_c"),
        "depthwise": ("one", "kernel_h", "kernel_w", "out_c"),
        "transposed_conv2d": ("out_c", "kernel_h", "kernel_w", "in_c"),
        "fully_connected": ("out_c", "in_c"),
        "planes_conv2d": ("out_c", "kernel_h", "kernel_w", "weight_planes", "words"),
    }
    sizes = p | {"group_c": p["in_c"] // p.get("groups", 1), "words": -(-p["in_c"] // 32)}
    shape = [sizes.get(name, 1) for name in shapes[case.op]]
    step = Step(
        case.op, (0,), 1, case.params, 0, "", "", 1,
        weights=np.frombuffer(weights, "<i4" if "words" in shapes[case.op] else np.int8).reshape(shape),
        channels=np.frombuffer(channels, "<i4").reshape(p["out_c"], -1),
    )  # fmt: skip
    return pack.weights(kernel, step) if pack.accepts(kernel, step) else None


def pair_steps(case: Case) -> tuple[Step, Step]:
    """The depthwise and the pointwise step of a case of the fused operator, with weights and records."""
    p = case.params
    middle_c = p["in_c"] * p["depth_multiplier"]
    steps = []
    for i, (op, shape) in enumerate(
        (
            ("depthwise", (1, p["kernel_h"], p["kernel_w"], middle_c)),
            ("conv2d", (p["out_c"], 1, 1, middle_c)),
        )
    ):
        rng = np.random.default_rng((case.seed, 1, i))
        weights = np.frombuffer(int8_data(rng, int(np.prod(shape)), case.kind), np.int8).reshape(shape)
        count = middle_c if op == "depthwise" else p["out_c"]
        records = np.frombuffer(_records(rng, count, case.kind, "BMS"), "<i4").reshape(count, 3)
        params = {f: p.get(f, 0) for f in defs.operators()[op].fields}
        params |= dict(out_c=middle_c, output_zero=p["middle_zero"]) if i == 0 else {}
        params |= dict(clamp_min=p["middle_min"], clamp_max=p["middle_max"]) if i == 0 else {}
        if i == 1:
            ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "groups")
            params |= {name: 1 for name in ones if name in params}
            params |= dict(in_h=p["out_h"], in_w=p["out_w"], in_c=middle_c, pad_top=0, pad_left=0)
            params |= dict(weights_zero=p["weights1_zero"], input_zero=p["middle_zero"])
        steps.append(Step(op, (i,), i + 1, params, i, "", "", i + 1, weights=weights, channels=records))
    return steps[0], steps[1]


def _pair_blobs(case: Case, kernel: defs.KernelDef, hostile: bool) -> tuple[bytes | None, bytes]:
    """Blobs of both parts; `hostile` ones are those of the twin where the sizes are the same, else any bytes."""
    step = fuse.fused_step(*pair_steps(case), case.params["strip_rows"])
    if hostile and "ref" not in kernel.name:
        rng = np.random.default_rng((case.seed, 4))
        first = int8_data(rng, native.weights_bytes(kernel.name, case.packed), case.kind)
        second = int8_data(rng, native.channels_bytes(kernel.name, case.packed), case.kind)
        first = bytes(4) + first[4:] if kernel.weights != "OHWI_BMS" else pack.weights(kernel, step)
        return first, second
    if not pack.accepts(kernel, step):
        return None, b""
    return pack.weights(kernel, step), pack.channels(kernel, step)


def tensors(case: Case) -> tuple[list[bytes], int]:
    """The inputs and the bytes of the output of the case."""
    rng = np.random.default_rng((case.seed, 3))
    inputs, out = native.tensor_bytes(case.op, case.packed)
    data = [int8_data(rng, size, case.kind) for size in inputs]
    return [cases_binary.clear_tails(case.op, case.params, d) for d in data], out


def _weights_zero(tokens: tuple[str, ...]) -> st.SearchStrategy[int]:
    """0 for fast kernels: they support nothing else."""
    return st.one_of(st.just(0), _int8) if "ref" in tokens else st.just(0)


def _case(op: str, tokens: tuple[str, ...]) -> st.SearchStrategy[Case]:
    kinds = st.sampled_from(cases_separable.KINDS) if "separable" in tokens else _kinds
    return st.builds(Case, st.just(op), CASES[op](tokens), st.integers(0, 2**32 - 1), kinds)


@st.composite
def _clamps(draw: st.DrawFn) -> dict[str, int]:
    low, high = sorted((draw(_int8), draw(_int8)))
    full = draw(st.booleans())
    return dict(clamp_min=-128 if full else low, clamp_max=127 if full else high)


@st.composite
def _axis(draw: st.DrawFn, *, pool: bool, shape: str) -> dict[str, int]:
    """in, out, kernel, stride, dilation, pad of one direction; suffix-free names."""
    size = draw(st.integers(1, 9))
    if shape == "1x1":
        return dict(size=size, out=size, kernel=1, stride=1, dilation=1, pad=0)
    if shape == "3x3":
        stride = draw(st.integers(1, 2))
        pad = draw(st.integers(0, 1))
        reach = size + pad + draw(st.integers(0, 1)) - 3
        return dict(size=size, out=max(reach // stride + 1, 1), kernel=3, stride=stride, dilation=1, pad=pad)
    if shape == "plane 3x3":
        return dict(size=3, out=3, kernel=3, stride=1, dilation=1, pad=1)
    if shape.startswith("filter3x3"):
        stride = 2 if shape.endswith("stride2") else 1
        dilation = draw(st.sampled_from([1, 1, 2, 3]))
        size += draw(st.sampled_from([0, 8]))
        pad = draw(st.integers(0, dilation + 1))
        reach = size + pad + draw(st.integers(0, dilation + 1)) - 2 * dilation - 1
        out = max(reach // stride + 1, 1)
        return dict(size=size, out=out, kernel=3, stride=stride, dilation=dilation, pad=pad)
    if shape.startswith("planes"):
        return _planes_axis(draw, shape)
    if shape == "phases":
        dilation = draw(st.sampled_from([1, 1, 2, 3, 4]))
        size = dilation + draw(st.one_of(st.integers(0, 9), st.integers(0, 30)))
        pad = draw(st.integers(0, 2 * dilation))
        out = max(size + pad + draw(st.integers(0, 2 * dilation)) - 2 * dilation, 2 * dilation)
        return dict(size=size, out=out, kernel=3, stride=1, dilation=dilation, pad=pad)
    kernel = draw(st.integers(1, 5))
    stride = draw(st.integers(1, 4))
    dilation = 1 if pool or shape == "any undilated" else draw(st.sampled_from([1, 1, 2, 3]))
    pad = draw(st.integers(0, kernel - 1 if pool else (kernel - 1) * dilation + 2))
    if shape == "same":
        if draw(st.booleans()):
            kernel, dilation, pad = 3, 1, 1
        return dict(size=size, out=size, kernel=kernel, stride=1, dilation=dilation, pad=pad)
    beyond = 0 if pool else draw(st.integers(0, 6))
    out = draw(st.integers(1, (size + pad + beyond - 1) // stride + 1))
    return dict(size=size, out=out, kernel=kernel, stride=stride, dilation=dilation, pad=pad)


def _planes_axis(draw: st.DrawFn, shape: str) -> dict[str, int]:
    """Any padding below the kernel; outputs no wider than the input, now and then a wide image."""
    kernels = {"planes wide": [5, 7], "planes separable": [3, 5, 7]}
    kernel = draw(st.sampled_from(kernels.get(shape, [3])))
    strides = {"planes stride2": [2], "planes wide": [1, 2]}
    stride = draw(st.sampled_from(strides.get(shape, [1])))
    size = draw(st.one_of(st.integers(1, 9), st.integers(1, 30)))
    pad = draw(st.integers(0, kernel - 1))
    after = draw(st.integers(0, kernel - 1))
    out = min(max((size + pad + after - kernel) // stride + 1, 1), size)
    return dict(size=size, out=out, kernel=kernel, stride=stride, dilation=1, pad=pad)


# Token of a kernel's name: window shapes to draw. Others draw from all.
SHAPES = {
    "pointwise": ["1x1"],
    "same": ["same"],
    "planes": ["planes"],
    "stride2": ["planes stride2"],
    "wide": ["planes wide"],
    "separable": ["planes separable", "planes separable", "any undilated"],
    "phases": ["phases"],
    "registers": ["plane 3x3"],
    "winograd4": ["filter3x3"],
    "winograd2": ["filter3x3"],
    "ref": ["any", "any", "same", "1x1", "3x3"],
}


@st.composite
def _window(draw: st.DrawFn, *, pool: bool = False, tokens: tuple[str, ...] = ("ref",)) -> dict[str, int]:
    known = [SHAPES[t] for t in tokens if t in SHAPES] or [SHAPES["ref"]]
    shapes = ["any", "any", "same"] if pool else known[-1]
    shape = draw(st.sampled_from(shapes))
    if shape == "planes stride2" and "winograd2" in tokens:
        shape = "filter3x3 stride2"
    v, h = draw(_axis(pool=pool, shape=shape)), draw(_axis(pool=pool, shape=shape))
    if shape == "same" and pool:
        v["pad"], h["pad"] = (min(a["pad"], a["kernel"] - 1) for a in (v, h))
    values = dict(
        in_h=v["size"], in_w=h["size"], out_h=v["out"], out_w=h["out"],
        kernel_h=v["kernel"], kernel_w=h["kernel"], stride_h=v["stride"], stride_w=h["stride"],
        pad_top=v["pad"], pad_left=h["pad"],
    )  # fmt: skip
    return values if pool else values | dict(dilation_h=v["dilation"], dilation_w=h["dilation"])


@st.composite
def _filter(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    """What convolutions and depthwise ones share; in_c among it."""
    return (
        draw(_window(tokens=tokens))
        | draw(_clamps())
        | dict(
            in_c=draw(_channels),
            input_zero=draw(_int8),
            weights_zero=draw(_weights_zero(tokens)),
            output_zero=draw(_int8),
            rounding=draw(st.sampled_from([0, 0, 1])),
        )
    )


# Algorithms of convolutions with any number of groups.
_GROUPED = {"ref", "winograd4", "winograd2", "pointwise", "indirect", "gathered"}


@st.composite
def _conv2d(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    values = draw(_filter(tokens)) | dict(out_c=draw(_channels), groups=1)
    if _GROUPED & set(tokens):
        groups = draw(st.sampled_from([1, 1, 2, 3]))
        values |= dict(groups=groups, in_c=values["in_c"] * groups, out_c=values["out_c"] * groups)
    return values


@st.composite
def _deformable_conv2d(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    """Offsets from less than a step of the grid to far outside the image."""
    values = draw(_conv2d(("ref",))) | dict(weights_zero=draw(_weights_zero(tokens)))
    offset_groups = draw(st.sampled_from([1, 1, 2, 3]))
    reach = draw(st.one_of(st.integers(18, 31), st.sampled_from([0, 31])))
    offset_bytes = draw(st.integers(1, 2))
    zeros = _int8 if offset_bytes == 1 else st.integers(-(2**15), 2**15 - 1)
    return values | dict(
        in_c=values["in_c"] * offset_groups, offset_groups=offset_groups, offset_bytes=offset_bytes,
        offset_zero=draw(zeros), offset_multiplier=draw(st.integers(0, (1 << reach) - 1)),
        masked=draw(st.integers(0, 1)), mask_zero=draw(_int8),
    )  # fmt: skip


@st.composite
def _depthwise(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    values = draw(_filter(tokens))
    multiplied = {"ref", "phases"} & set(tokens)
    values["depth_multiplier"] = draw(st.sampled_from([1, 1, 2, 3])) if multiplied else 1
    return values | dict(out_c=values["in_c"] * values["depth_multiplier"])


@st.composite
def _transposed_conv2d(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    """Any crop, any size of the output: phases without taps, rows that no input reaches."""
    values = draw(_clamps()) | dict(
        in_c=draw(_channels), out_c=draw(_channels), input_zero=draw(_int8), output_zero=draw(_int8),
        weights_zero=draw(_weights_zero(tokens)), rounding=draw(st.sampled_from([0, 0, 1])),
    )  # fmt: skip
    for axis, pad in (("h", "pad_top"), ("w", "pad_left")):
        kernel, stride = draw(st.integers(1, 6)), draw(st.sampled_from([1, 2, 2, 2, 3, 4]))
        size = draw(st.one_of(st.integers(1, 3), st.integers(1, 9)))
        if "winograd2" in tokens:
            kernel, stride = 3, 2
        values |= {f"in_{axis}": size, f"kernel_{axis}": kernel, f"stride_{axis}": stride}
        values[pad] = draw(st.integers(0, kernel + stride))
        values[f"out_{axis}"] = draw(st.integers(1, (size - 1) * stride + kernel + 2))
    return values


@st.composite
def _depthwise_pointwise(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    """A depthwise step and what its pointwise step adds; every other one with inputs enough for `bytepairs`."""
    tokens = tuple(t for t in tokens if t != "pointwise")  # it speaks of the second part
    values = draw(_depthwise(tokens))
    if "ref" not in tokens:
        values["in_c"] = draw(st.one_of(_channels, st.sampled_from([17, 20, 24, 36])))  # multiplier 1
    clamps = draw(_clamps())
    return values | dict(
        out_c=draw(_channels), middle_zero=draw(_int8), middle_min=clamps["clamp_min"],
        middle_max=clamps["clamp_max"], weights1_zero=draw(_weights_zero(tokens)),
        strip_rows=draw(st.integers(1, values["out_h"])),
    )  # fmt: skip


@st.composite
def _fully_connected(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
    return draw(_clamps()) | dict(
        rows=draw(st.integers(1, 3)), in_c=draw(st.integers(1, 70)), out_c=draw(_channels),
        weights_zero=draw(_weights_zero(tokens)), output_zero=draw(_int8), rounding=ROUND_SINGLE,
    )  # fmt: skip


@st.composite
def _add(draw: st.DrawFn) -> dict[str, int]:
    values = draw(_clamps()) | dict(
        elems=draw(st.one_of(st.integers(1, 40), st.integers(500, 600))),
        left_shift=draw(st.sampled_from([20, 20, 0, 7])),
    )
    for name in ("input0", "input1", "output"):
        values |= {f"{name}_zero": draw(_int8), f"{name}_multiplier": draw(_multipliers)}
        values[f"{name}_shift"] = draw(st.one_of(st.integers(-20, 0), st.integers(-31, 0)))
    return values


@st.composite
def _pool(draw: st.DrawFn, average: bool) -> dict[str, int]:
    values = draw(_window(pool=True)) | draw(_clamps()) | dict(in_c=draw(_channels))
    if average:
        values["half_up"] = draw(st.integers(0, 1))
    for axis in ("h", "w"):  # the last window must begin inside the image
        pad = values["pad_top" if axis == "h" else "pad_left"]
        most = (values[f"in_{axis}"] + pad - 1) // values[f"stride_{axis}"] + 1
        values[f"out_{axis}"] = min(values[f"out_{axis}"], most)
    return values


@st.composite
def _mean(draw: st.DrawFn) -> dict[str, int]:
    return dict(
        outer=draw(st.integers(1, 3)), reduce=draw(st.integers(1, 50)), inner=draw(_channels),
        input_zero=draw(_int8), multiplier=draw(_multipliers), shift=draw(st.integers(-31, 30)),
        output_zero=draw(_int8), rounding=draw(st.integers(0, 1)),
    )  # fmt: skip


@st.composite
def _pad(draw: st.DrawFn) -> dict[str, int]:
    values = dict(value=draw(_int8))
    for d in "nhwc":
        most = draw(st.sampled_from([0, 3]))
        size, before, after = draw(st.integers(1, 5)), draw(st.integers(0, most)), draw(st.integers(0, most))
        values |= {f"in_{d}": size, f"before_{d}": before, f"out_{d}": size + before + after}
    return values


@st.composite
def _transpose(draw: st.DrawFn) -> dict[str, int]:
    perm = draw(st.permutations(range(4)))
    values = {f"in_{d}": draw(st.integers(1, 6)) for d in range(4)}
    return values | {f"perm_{d}": perm[d] for d in range(4)}


@st.composite
def _copy_slice(draw: st.DrawFn) -> dict[str, int]:
    inner, before, after = draw(st.integers(1, 9)), draw(st.integers(0, 9)), draw(st.integers(0, 9))
    return dict(
        outer=draw(st.integers(1, 5)), in_inner=inner, out_offset=before, out_inner=before + inner + after
    )


@st.composite
def _resize_nearest(draw: st.DrawFn) -> dict[str, int]:
    return {n: draw(st.integers(1, 9)) for n in ("in_h", "in_w", "out_h", "out_w")} | dict(
        in_c=draw(_channels)
    )


@st.composite
def _requantize(draw: st.DrawFn) -> dict[str, int]:
    return dict(
        elems=draw(st.one_of(st.integers(1, 40), st.integers(500, 600))), input_zero=draw(_int8),
        multiplier=draw(_multipliers), shift=draw(st.integers(-31, 30)), output_zero=draw(_int8),
        rounding=draw(st.integers(0, 1)),
    )  # fmt: skip


_softmax = st.fixed_dictionaries(
    dict(rows=st.integers(1, 4), depth=st.one_of(st.integers(1, 40), st.integers(1, 4095)))
)

CASES: dict[str, Callable[[tuple[str, ...]], st.SearchStrategy[dict[str, int]]]] = {
    "conv2d": _conv2d,
    "deformable_conv2d": _deformable_conv2d,
    "depthwise": _depthwise,
    "transposed_conv2d": _transposed_conv2d,
    "depthwise_pointwise": _depthwise_pointwise,
    "fully_connected": _fully_connected,
    "add": lambda _: _add(),
    "average_pool": lambda _: _pool(True),
    "max_pool": lambda _: _pool(False),
    "mean": lambda _: _mean(),
    "softmax": lambda _: _softmax,
    "pad": lambda _: _pad(),
    "transpose": lambda _: _transpose(),
    "copy_slice": lambda _: _copy_slice(),
    "resize_nearest": lambda _: _resize_nearest(),
    "requantize": lambda _: _requantize(),
    **cases_binary.cases(_window, _clamps, _channels, _int8),
}


def cases(op: str, kernel: str = "ref") -> st.SearchStrategy[Case]:
    """Calls of an operator of params.def, most of which the kernel supports."""
    return _case(op, tuple(kernel.split("_")))
