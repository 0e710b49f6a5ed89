"""The deformable convolution's oracle: against floats and the plain convolution, its arithmetic and its refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.bench.deformable import deformable_cases
from host.errors import UnsupportedError
from host.model import graph as g
from host.model.deformable import check_deformable, tensors_of
from host.oracle import deformable as d
from host.oracle import params
from host.oracle.convolution import convolution_output
from host.oracle.run import run_graph
from host.plan.lower import lower
from tests import nets
from tests.nets.common import data_of
from tests.onnx_nets import Maker, reference


def deform_conv2d(
    x: np.ndarray,
    w: np.ndarray,
    offsets: np.ndarray,
    mask: np.ndarray | None,
    op: g.DeformableConv2D,
) -> np.ndarray:
    """torchvision.ops.deform_conv2d in float64, without bias; returns [oh,ow,oc].

    x [h,w,c], w [oc,kh,kw,ic/groups], offsets [oh,ow,og,taps,2], mask [oh,ow,og,taps].
    """
    h, width, in_c = x.shape
    oh, ow, offset_groups, taps, _ = offsets.shape
    oc, _, kw, group_c = w.shape
    out = np.zeros((oh, ow, oc))
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))  # corners of cells at the edge
    for oy, ox, tap, group in np.ndindex(oh, ow, taps, offset_groups):
        ky, kx = divmod(tap, kw)
        y = oy * op.stride[0] - op.padding.top + ky * op.dilation[0] + offsets[oy, ox, group, tap, 0]
        z = ox * op.stride[1] - op.padding.left + kx * op.dilation[1] + offsets[oy, ox, group, tap, 1]
        if not (-1 < y < h and -1 < z < width):
            continue
        iy, ix = int(np.floor(y)), int(np.floor(z))
        fy, fx = y - iy, z - ix
        first, count = group * (in_c // offset_groups), in_c // offset_groups
        cell = padded[iy + 1 : iy + 3, ix + 1 : ix + 3, first : first + count]
        rows = cell[0] * (1 - fy) + cell[1] * fy
        sample = rows[0] * (1 - fx) + rows[1] * fx
        if mask is not None:
            sample = sample * mask[oy, ox, group, tap]
        for c in range(count):
            ic = first + c
            outputs = slice(ic // group_c * (oc // op.groups), (ic // group_c + 1) * (oc // op.groups))
            out[oy, ox, outputs] += w[outputs, ky, kx, ic % group_c] * sample[c]
    return out


def real(tensor: g.Tensor, q: np.ndarray) -> np.ndarray:
    """float64 values of quantised ones; one scale."""
    return (q.astype(np.float64) - tensor.quant.zero_point) * np.float64(tensor.quant.scale[0])


def operands(graph: g.Graph, inputs: list[np.ndarray]) -> list[np.ndarray | None]:
    """Values of x, offsets and mask of a network of one deformable convolution."""
    values = {b.tensor: x for b, x in zip(graph.inputs, inputs, strict=True)}
    op = graph.ops[0]
    found = [
        values.get(i, graph.tensors[i].data) if i >= 0 else None for i in (op.inputs[0], *tensors_of(op))
    ]
    return found


def float_output(graph: g.Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The output in steps of its scale, float64, clamped but not rounded."""
    op = graph.ops[0]
    tensors = graph.tensors
    x, offsets, mask = operands(graph, inputs)
    w, y = tensors[op.inputs[1]], tensors[op.outputs[0]]
    scales = np.broadcast_to(w.quant.scale.astype(np.float64), w.shape[0])
    weights = w.data.astype(np.float64) * scales[:, None, None, None]
    taps = w.shape[1] * w.shape[2]
    places = (*offsets.shape[1:3], op.offset_groups, taps)
    offset_index, mask_index = tensors_of(op)
    out = deform_conv2d(
        real(tensors[op.inputs[0]], x)[0],
        weights,
        real(tensors[offset_index], offsets).reshape(*places, 2),
        None if mask is None else real(tensors[mask_index], mask).reshape(places),
        op,
    )
    out += params.bias_of(graph, op, w.shape[0]) * np.float64(tensors[op.inputs[0]].quant.scale[0]) * scales
    steps = out / np.float64(y.quant.scale[0]) + y.quant.zero_point
    return np.clip(steps, *params.activation_range(y, op.activation))[None]


def bound(graph: g.Graph) -> np.ndarray:
    """What host/oracle/deformable.py promises for each output channel, in steps, and the roundings of both sides.

    3/4: double rounding of a right shift by one. 1/2: the float's. A multiplier's own rounding, 2**-32, is far below.
    """
    op = graph.ops[0]
    offset_index, mask_index = tensors_of(op)
    r = d.deformable_params(graph, op)
    limits = np.iinfo(graph.tensors[offset_index].dtype)
    n = max(abs(limits.min - r.offset_zero), abs(limits.max - r.offset_zero))
    sample = 510 * (2.0**-13 + n * 2.0**-30) + 510 * 2.0**-15
    weights = np.abs(graph.tensors[op.inputs[1]].data.astype(np.float64)).sum(axis=(1, 2, 3))
    if mask_index < 0:
        sums = weights * (sample + 2.0**-9) + 0.5
    else:
        sums = weights * (255 * sample + 1) / 512 + 1
    return np.maximum(r.requant.real, 2.0**-31) * sums + 0.75 + 0.5


@settings(deadline=None)
@given(st.data())
def test_the_error_is_within_what_is_stated(data):
    graph = data.draw(nets.STRATEGIES["deformable_conv2d"]())
    inputs = data.draw(nets.inputs_for(graph))
    try:
        d.deformable_params(graph, graph.ops[0])
    except UnsupportedError:
        return
    got = run_graph(graph, inputs)[graph.outputs[0].tensor].astype(np.float64)
    expected = float_output(graph, inputs)
    excess = np.abs(got - expected) - (bound(graph) - 0.5)  # the float output is not rounded here
    assert excess.max() <= 0, (
        f"{excess.max()} beyond the bound at {np.unravel_index(excess.argmax(), got.shape)}"
    )


@pytest.mark.parametrize("case", deformable_cases()[:3], ids=lambda c: c.name)
def test_layers_like_trained_ones_are_within_one_step_of_floats(case):
    graph, inputs = case.graph(), case.inputs()
    got = run_graph(graph, inputs)[graph.outputs[0].tensor]
    rounded = np.rint(float_output(graph, inputs))
    error = np.abs(got - rounded)
    assert error.max() <= 1
    assert (error == 0).mean() > 0.98


def plain(graph: g.Graph) -> g.Graph:
    """The network with a plain convolution in place of the deformable one."""
    op = graph.ops[0]
    conv = g.Conv2D(
        op.inputs[:3], op.outputs, 0, op.stride, op.dilation, op.padding, op.activation, op.groups
    )
    return replace(graph, ops=[conv], inputs=[b for b in graph.inputs if b.tensor == op.inputs[0]])


def with_offsets(graph: g.Graph, offsets: np.ndarray, scale: float, zero: int) -> g.Graph:
    """The network with constant offsets and without a mask."""
    index, _ = tensors_of(graph.ops[0])
    changed = graph.copy()
    changed.tensors[index].data = offsets
    changed.tensors[index].dtype = offsets.dtype
    changed.tensors[index].quant = nets.make_quant(scale, zero)
    changed.ops[0].inputs = changed.ops[0].inputs[:4]
    changed.inputs = [b for b in changed.inputs if b.tensor == changed.ops[0].inputs[0]]
    return changed


@given(st.data(), st.sampled_from([2.0**-40, 2.0**-30, 0.01, 1.0, 3.99]), st.integers(-128, 127))
def test_zero_offsets_are_the_plain_convolution(data, scale, zero):
    graph = data.draw(nets.STRATEGIES["deformable_conv2d"]())
    offsets = np.full(graph.tensors[tensors_of(graph.ops[0])[0]].shape, zero, np.int8)
    graph = with_offsets(graph, offsets, scale, zero)
    x = nets.int8_data(np.random.default_rng(data.draw(nets.seeds)), graph.tensors[0].shape, "uniform")
    try:
        expected = run_graph(plain(graph), [x])
    except UnsupportedError:
        return
    got = run_graph(graph, [x])
    np.testing.assert_array_equal(got[graph.outputs[0].tensor], expected[graph.outputs[0].tensor])


@given(st.data(), st.sampled_from([np.int8, np.int16]))
def test_offsets_too_small_for_the_grid_are_the_plain_convolution(data, dtype):
    """Their scale rounds to nothing, or all of them to less than half a step of the grid."""
    graph = data.draw(nets.STRATEGIES["deformable_conv2d"]())
    rng = np.random.default_rng(data.draw(nets.seeds))
    shape = graph.tensors[tensors_of(graph.ops[0])[0]].shape
    scale = 2.0**-31 if dtype == np.int16 else 2.0**-22
    graph = with_offsets(graph, data_of(rng, shape, np.dtype(dtype), "extremes"), scale, 0)
    x = nets.int8_data(rng, graph.tensors[0].shape, "uniform")
    try:
        expected = run_graph(plain(graph), [x])
    except UnsupportedError:
        return
    np.testing.assert_array_equal(
        run_graph(graph, [x])[graph.outputs[0].tensor], expected[graph.outputs[0].tensor]
    )


@given(st.data(), st.sampled_from([(np.int8, 0), (np.int8, -2), (np.int16, 0), (np.int16, -9)]))
def test_whole_pixels_are_shifted_reads(data, kind):
    dtype, exponent = kind
    graph = data.draw(nets.STRATEGIES["deformable_conv2d"]())
    op = graph.ops[0]
    rng = np.random.default_rng(data.draw(nets.seeds))
    w = graph.tensors[op.inputs[1]]
    _, oh, ow, count = graph.tensors[tensors_of(op)[0]].shape
    reach = data.draw(st.sampled_from([2, 12, 31]))
    pixels = rng.integers(-reach, reach + 1, (oh, ow, op.offset_groups, count // op.offset_groups // 2, 2))
    steps = (pixels * 2.0**-exponent).astype(dtype)
    graph = with_offsets(graph, steps.reshape(1, oh, ow, count), 2.0**exponent, 0)
    x = nets.int8_data(rng, graph.tensors[0].shape, "uniform")
    try:
        r = params.conv_requant(graph, graph.ops[0])
    except UnsupportedError:
        return
    sums = deform_conv2d(
        x[0].astype(np.float64) - r.input_zero, w.data.astype(np.float64), pixels.astype(np.float64), None, op
    )
    expected = convolution_output(np.rint(sums).astype(np.int64) + r.bias, r)[None]
    np.testing.assert_array_equal(run_graph(graph, [x])[graph.outputs[0].tensor], expected)


@pytest.mark.parametrize("offset", [-(2**15), 2**15 - 1])
def test_samples_far_outside_are_zero(offset):
    """With every sample outside only the bias is left."""
    graph = deformable_cases()[0].graph()
    shape = graph.tensors[3].shape
    far = with_offsets(graph, np.full(shape, offset, np.int16), 3.99, 0)
    x = np.full(graph.tensors[0].shape, 127, np.int8)
    r = params.conv_requant(far, far.ops[0])
    expected = np.broadcast_to(convolution_output(r.bias.astype(np.int64), r), (1, *shape[1:3], 16))
    np.testing.assert_array_equal(run_graph(far, [x])[far.outputs[0].tensor], expected)


def test_corner_weights_are_exact_sums_and_close():
    """All fractions: none negative, together 2**14, each within half a step of the product."""
    fx = np.arange(4096)
    for fy in np.split(np.arange(4096), 64):
        weights = d.corner_weights(fy[:, None], fx[None, :])
        assert weights.min() >= 0 and weights.max() <= 1 << 14
        assert (weights.sum(axis=0) == 1 << 14).all()
        y, x = fy[:, None] / 4096, fx[None, :] / 4096
        products = np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x])
        assert np.abs(weights / 2.0**14 - products).max() <= 2.0**-15


def test_positions_fit_int32_and_are_rounded_once():
    steps = np.array([-65535, -32768, -1, 0, 1, 32767, 65535], object)
    for multiplier in (0, 1, 1 << 16, 1 << 29, (1 << 31) - 1):
        moved = [(int(s) * multiplier + (1 << 16)) >> 17 for s in steps]
        for base in (-65535, 196604):
            assert all(-(2**31) <= (base << 12) + m < 2**31 for m in moved)
        assert all(abs(m - int(s) * multiplier / 2**17) <= 0.5 for m, s in zip(moved, steps, strict=True))
    assert d.POSITION_BITS == 12 and d.OFFSET_BITS == 17


@pytest.mark.parametrize(("input_zero", "mask_zero"), [(-128, -128), (127, 127), (-128, 127), (0, 0)])
def test_masked_samples_are_int16(input_zero, mask_zero):
    low, high = d.masked_sample_bounds(input_zero, mask_zero)
    assert -(2**15) <= low <= 0 <= high < 2**15


def case_graph(masked: bool = True) -> g.Graph:
    """16x16, 3x3, 16 channels or, masked, 32; inputs x, weights, bias, offsets, mask."""
    return deformable_cases()[2 if masked else 0].graph()


REFUSALS = [
    ("offsets must have shape", lambda graph: setattr(graph.tensors[3], "shape", (1, 16, 16, 9))),
    ("offsets must have shape", lambda graph: setattr(graph.tensors[3], "shape", (1, 15, 16, 18))),
    ("offsets must be int8 or int16", lambda graph: setattr(graph.tensors[3], "dtype", np.dtype("int32"))),
    ("offsets must have one scale", lambda graph: setattr(graph.tensors[3], "quant", None)),
    ("mask must have shape", lambda graph: setattr(graph.tensors[4], "shape", (1, 16, 16, 18))),
    ("mask must be int8", lambda graph: setattr(graph.tensors[4], "dtype", np.dtype("int16"))),
    ("3 groups do not divide 32 input", lambda graph: setattr(graph.ops[0], "groups", 3)),
    ("weights for 32 input channels in 2 groups", lambda graph: setattr(graph.ops[0], "groups", 2)),
    ("5 offset groups do not divide 32", lambda graph: setattr(graph.ops[0], "offset_groups", 5)),
    ("offsets must have shape", lambda graph: setattr(graph.ops[0], "offset_groups", 2)),
    ("output must have shape", lambda graph: setattr(graph.ops[0], "stride", (2, 2))),
    ("stride", lambda graph: setattr(graph.ops[0], "stride", (0, 1))),
    ("works on", lambda graph: setattr(graph.tensors[0], "shape", (2, 16, 16, 32))),
    ("needs input, weights", lambda graph: setattr(graph.ops[0], "inputs", (0, 1, 2))),
    ("needs input, weights", lambda graph: setattr(graph.ops[0], "inputs", (0, 1, 2, -1))),
    ("int8 constant", lambda graph: setattr(graph.tensors[1], "data", None)),
]


@pytest.mark.parametrize(("reason", "spoil"), REFUSALS, ids=lambda v: v if isinstance(v, str) else "")
def test_tensors_that_do_not_suit_each_other_are_refused(reason, spoil):
    graph = case_graph()
    check_deformable(graph.tensors, graph.ops[0])
    spoil(graph)
    with pytest.raises(UnsupportedError, match=reason):
        check_deformable(graph.tensors, graph.ops[0])
    with pytest.raises(UnsupportedError, match=rf"operator 0 \(DEFORM_CONV_2D\): .*{reason}"):
        lower(graph)


def test_output_channels_that_groups_do_not_divide_are_refused():
    graph = case_graph()
    graph.ops[0].groups = 4
    graph.tensors[1].data = graph.tensors[1].data[:30, ..., :8]
    graph.tensors[1].shape = graph.tensors[1].data.shape
    with pytest.raises(UnsupportedError, match="4 groups do not divide 30 output channels"):
        lower(graph)


def test_a_step_of_four_pixels_is_refused():
    graph = case_graph(masked=False)
    graph.tensors[3].quant = nets.make_quant(4.0, 0)
    with pytest.raises(UnsupportedError, match="a step of its offsets is 4 pixels: less than 4"):
        lower(graph)
    graph.tensors[3].quant = nets.make_quant(np.nextafter(np.float32(4), np.float32(0)), 0)
    assert lower(graph).steps[0].params["offset_multiplier"] < 2**31


def test_a_mask_that_lets_the_bias_overflow_is_refused():
    graph = case_graph()
    graph.tensors[4].quant = nets.make_quant(2.0**-30, 0)
    with pytest.raises(UnsupportedError, match="sums overflow an int32"):
        lower(graph)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_float_form_is_onnxruntimes(masked, seed):
    rng = np.random.default_rng(seed)
    groups, offset_groups = [(1, 1), (2, 1), (2, 2)][seed]
    op = g.DeformableConv2D((), (), 0, (1, 2), (2, 1), g.Padding(2, 1, 1, 2), groups, offset_groups)
    x = rng.normal(size=(7, 8, 4))
    w = rng.normal(size=(6, 3, 2, 4 // groups))
    oh, ow = (7 + 3 - 5) + 1, (8 + 3 - 2) // 2 + 1
    offsets = rng.normal(scale=2, size=(oh, ow, offset_groups, 6, 2))
    mask = rng.uniform(0, 2, size=(oh, ow, offset_groups, 6)) if masked else None
    axes = (2, 0, 1)
    inputs = [x.transpose(axes), offsets.reshape(oh, ow, -1).transpose(axes)]
    maker = Maker((1, *inputs[0].shape), opset=19)
    names = ["x", maker.constant("w", w.transpose(0, 3, 1, 2).astype(np.float32))]
    names.append(maker.input("offsets", (1, *inputs[1].shape)))
    if mask is not None:
        inputs.append(mask.reshape(oh, ow, -1).transpose(axes))
        names += ["", maker.input("mask", (1, *inputs[2].shape))]
    maker.node(
        "DeformConv", names, "y", strides=op.stride, dilations=op.dilation, pads=[2, 1, 1, 2], group=groups,
        offset_group=offset_groups,
    )  # fmt: skip
    (expected,) = reference(maker.bytes("y"), *[i[None].astype(np.float32) for i in inputs])
    got = deform_conv2d(x, w, offsets, mask, op)
    np.testing.assert_allclose(got, expected[0].transpose(1, 2, 0), rtol=1e-4, atol=1e-4)
