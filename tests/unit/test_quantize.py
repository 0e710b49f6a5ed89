"""Float networks: import, arithmetic against LiteRT's, ranges, and the int8 networks that they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from host.data import digits
from host.errors import FloatModelError, InputError, QuantizeError, UnsupportedError
from host.model import graph as g
from host.model import scales
from host.model.builder import Builder
from host.model.tflite_float import import_tflite_float
from host.model.tflite_import import import_tflite
from host.model.tflite_write import _File, _FileOp, _FileTensor, _serialise, write_tflite
from host.oracle.run import dequantize_output, quantize_input, run_graph
from host.quantize import convert, files, samples
from host.quantize.compare import compare
from host.quantize.convert import Choices, quantise_graph
from host.quantize.floats import OPS, run_float
from host.quantize.ranges import Histogram, MinMax, calibrate, observer_of
from tests import nets
from tests.float_nets import FLOAT, dequantised, inputs_of, small
from tests.litert import Reference
from tests.unit.test_builder import binary_network
from tests.unit.test_plan import check_natively

# What LiteRT has in float: not its own QUANTIZE, and none of the operators that are ours alone.
IN_LITERT = sorted(set(nets.STRATEGIES) & {
    "add", "average_pool", "concatenation", "conv2d", "depthwise", "fully_connected", "max_pool", "mean", "pad",
    "reshape", "resize", "softmax", "transpose", "grouped", "transposed_conv2d",
})  # fmt: skip


def close(got: np.ndarray, wanted: np.ndarray, what: str) -> None:
    """Within float32's rounding of a sum of as many terms as there are here."""
    assert got.shape == wanted.shape, what
    np.testing.assert_allclose(
        got, wanted, rtol=1e-4, atol=1e-5 * max(1e-30, np.abs(wanted).max()), err_msg=what
    )


@pytest.mark.parametrize("name", IN_LITERT)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_an_operator_computes_what_litert_does(name: str, data: st.DataObject) -> None:
    graph = dequantised(data.draw(nets.STRATEGIES[name](False), label="graph"))
    rng = np.random.default_rng(data.draw(nets.seeds))
    inputs = [rng.normal(0, 3, graph.tensors[b.tensor].shape).astype(FLOAT) for b in graph.inputs]
    content = write_tflite(graph)
    (wanted,) = Reference(content).run(inputs)
    close(run_float(graph, inputs)[graph.outputs[0].tensor], wanted, name)
    again = import_tflite_float(content)
    close(run_float(again, inputs)[again.outputs[0].tensor], wanted, f"{name}, imported")


@pytest.mark.parametrize("name", IN_LITERT)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_an_operator_is_quantised_and_exact_in_litert(name: str, data: st.DataObject) -> None:
    graph = dequantised(data.draw(nets.STRATEGIES[name](False), label="graph"))
    samples = inputs_of(graph, 3, data.draw(nets.seeds))
    choices = Choices(data.draw(st.booleans()))
    observer = observer_of(data.draw(st.sampled_from(["minmax", "percentile:99"])))
    ranges = calibrate(graph, samples, observer)
    # 6 / scale must be an int32: below this LiteRT refuses RELU6, and so do we
    assume(all(high - low == 0 or high - low > 1e-5 for low, high in ranges.values()))
    try:
        quantised = quantise_graph(graph, ranges, choices)
    except QuantizeError as error:
        # where an activation cuts off nearly all of the sums, they leave int32 in the output's steps
        assert "its sums overflow" in str(error)
        reject()
    content = write_tflite(quantised)
    again, reference = import_tflite(content), Reference(content)
    (wanted,) = reference.run(samples[0])
    inputs = [quantize_input(again, b, x) for b, x in zip(again.inputs, samples[0], strict=True)]
    border = again.outputs[0]
    np.testing.assert_array_equal(
        dequantize_output(again, border, run_graph(again, inputs)[border.tensor]), wanted
    )


def test_every_operator_of_the_graph_has_a_float_form_or_is_of_integers() -> None:
    for cls in (g.Conv2D, g.TransposedConv2D, g.DeformableConv2D, g.ResizeNearest, g.Concatenation):
        assert cls in OPS
    assert g.Quantize not in OPS


def convolutions(**options) -> tuple[Builder, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return Builder(), rng.normal(0, 1, (6, 3, 3, 4)), rng.normal(0, 1, (1, 7, 5, 4)).astype(FLOAT)


def test_a_grouped_convolution_is_its_groups_side_by_side() -> None:
    net, weights, image = convolutions()
    x = net.input((7, 5, 4))
    net.output(net.conv2d(x, weights[..., :2], groups=2))
    graph = net.graph()
    got = run_float(graph, [image])[graph.outputs[0].tensor]
    for k in range(2):
        part = Builder()
        y = part.conv2d(part.input((7, 5, 2)), weights[3 * k : 3 * k + 3, ..., :2])
        part.output(y)
        alone = run_float(part.graph(), [image[..., 2 * k : 2 * k + 2]])[y.index]
        close(got[..., 3 * k : 3 * k + 3], alone, f"group {k}")


@pytest.mark.parametrize(
    ("stride", "padding", "extra"), [(1, "SAME", 0), (2, "SAME", 0), (2, "VALID", 0), (3, 1, 1)]
)
def test_a_transposed_convolution_is_the_adjoint(stride: int, padding: str | int, extra: int) -> None:
    net, weights, image = convolutions()
    y = net.transposed_conv2d(
        net.input((7, 5, 4)), weights, stride=stride, padding=padding, output_padding=extra
    )
    net.output(y)
    graph = net.graph()
    up = run_float(graph, [image])[y.index]
    other = np.random.default_rng(4).normal(0, 1, up.shape)
    down = np.zeros(image.shape)
    p = graph.ops[0].padding
    for iy, ix, ky, kx in np.ndindex(7, 5, 3, 3):
        oy, ox = iy * stride + ky - p.top, ix * stride + kx - p.left
        if 0 <= oy < up.shape[1] and 0 <= ox < up.shape[2]:
            down[0, iy, ix] += weights[:, ky, kx].T @ other[0, oy, ox]
    np.testing.assert_allclose((up * other).sum(), (image * down).sum(), rtol=1e-4)


def deformed(image: np.ndarray, weights: np.ndarray, offsets: np.ndarray, mask: np.ndarray | None, **options):
    net = Builder()
    x, o = net.input(image.shape[1:]), net.input(offsets.shape[1:])
    m = None if mask is None else net.input(mask.shape[1:])
    y = net.deformable_conv2d(x, o, weights, mask=m, **options)
    net.output(y)
    inputs = [image, offsets] if mask is None else [image, offsets, mask]
    return run_float(net.graph(), [a.astype(FLOAT) for a in inputs])[y.index]


def test_a_deformable_convolution_without_offsets_is_a_convolution() -> None:
    net, weights, image = convolutions()
    y = net.conv2d(net.input((7, 5, 4)), weights, stride=2, padding=1)
    net.output(y)
    wanted = run_float(net.graph(), [image])[y.index]
    zeros = np.zeros((1, 4, 3, 18))
    close(deformed(image, weights, zeros, None, stride=2, padding=1), wanted, "no mask")
    half = np.full((1, 4, 3, 9), 0.5)
    close(deformed(image, weights, zeros, half, stride=2, padding=1), wanted / 2, "mask of one half")


def test_offsets_move_each_tap_and_group_and_interpolate() -> None:
    _, _, image = convolutions()
    weights = np.ones((1, 1, 1, 4))
    offsets = np.zeros((1, 7, 5, 4))
    offsets[..., 0], offsets[..., 3] = (
        1,
        -0.25,
    )  # the first group a row down, the second a quarter to the left
    got = deformed(image, weights, offsets, None, offset_groups=2, padding="VALID")[0, ..., 0]
    down = np.pad(image[0, 1:, :, :2], ((0, 1), (0, 0), (0, 0))).sum(2)
    left = np.pad(image[0, :, :-1, 2:], ((0, 0), (1, 0), (0, 0)))
    np.testing.assert_allclose(
        got, down + (0.75 * image[0, ..., 2:] + 0.25 * left).sum(2), rtol=1e-4, atol=1e-5
    )


# --- Ranges.


def test_minmax_holds_zero() -> None:
    observer = MinMax()
    for values in ([3.0, 5.0], [4.0, 9.0]):
        observer.add(np.array(values))
    assert observer.range() == (0.0, 9.0)


@pytest.mark.parametrize("percent", [99.0, 99.9])
def test_percentiles_are_right_to_a_bin(percent: float) -> None:
    rng = np.random.default_rng(0)
    chunks = [rng.normal(0.5, 10.0**k, 5000) for k in (-2, 0, -1, 1)]  # the histogram has to widen twice
    observer = Histogram(percent)
    for chunk in chunks:
        observer.add(chunk)
    values = np.concatenate(chunks)
    cut, (low, high) = round((100 - percent) / 200, 9), observer.range()
    # the bin at each end holds the value at which the tail has its share
    assert np.mean(values < low) <= cut <= np.mean(values < low + observer.width)
    assert np.mean(values >= high) <= cut <= np.mean(values >= high - observer.width)
    whole = Histogram(percent)
    whole.add(values)
    assert observer.width == whole.width and np.array_equal(observer.counts, whole.counts)


def test_a_percentile_of_everything_is_minmax() -> None:
    observer = observer_of("percentile:100")()
    observer.add(np.array([-1.0, 0.25, 7.0]))
    assert observer.range() == (-1.0, 7.0)
    nothing = observer_of("percentile")()
    nothing.add(np.zeros(3))
    assert nothing.range() == (0.0, 0.0)


@pytest.mark.parametrize(
    "spec", ["", "max", "percentile:", "percentile:50", "percentile:101", "percentile:x"]
)
def test_wrong_ranges_are_refused(spec: str) -> None:
    with pytest.raises(QuantizeError, match="minmax"):
        observer_of(spec)


# --- Formulas.


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_zero_is_exact_and_the_range_is_held(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    quant = scales.activation_quant(low, high)
    assert -128 <= quant.zero_point <= 127 and scales.quantise(np.zeros(1), quant)[0] == quant.zero_point
    step = float(quant.scale[0])
    for value in (low, high):
        q = float(scales.quantise(np.array([value]), quant)[0])
        assert (
            abs((q - quant.zero_point) * step - value) <= 0.5001 * step + 1e-6 * abs(value)
            or low == high == 0
        )


def test_a_bias_that_would_saturate_widens_its_channels_scale() -> None:
    weights, bias = np.full((3, 4), 1e-6), np.array([1e-3, 1e3, 0.0])
    weights[2] = 0
    scale = scales.weight_scales(weights, bias, 0.01, 0, per_channel=True)
    q = scales.quantise_bias(bias, np.float32(0.01) * scale)
    assert np.abs(q.astype(np.int64)).max() <= scales.BIAS_LIMIT * 1.001
    np.testing.assert_allclose(q * (0.01 * scale), bias, rtol=1e-3, atol=1e-9)
    assert scale[0] == np.float32(1e-6 / 127) and scale[2] == 1


# --- Conversion.


def quantised_small(**choices) -> tuple[g.Graph, g.Graph]:
    graph = small()
    return graph, quantise_graph(graph, calibrate(graph, inputs_of(graph, 12)), Choices(**choices))


@pytest.mark.parametrize("per_channel", [True, False])
def test_a_quantised_network_is_close_written_and_exact(per_channel: bool) -> None:
    graph, quantised = quantised_small(per_channel=per_channel)
    found = compare(graph, quantised, inputs_of(graph, 6, seed=9))
    for layer in found.layers:
        assert layer.sqnr_db is not None and layer.sqnr_db > 20, (layer.name, layer.sqnr_db)
    again = import_tflite(write_tflite(quantised))
    inputs = [np.random.default_rng(1).integers(-128, 128, (1, 8, 8, 4), dtype=np.int8) for _ in range(2)]
    for border, wanted in zip(again.outputs, quantised.outputs, strict=True):
        assert border.dtype == np.float32
        got = run_graph(again, inputs)[border.tensor]
        np.testing.assert_array_equal(got, run_graph(quantised, inputs)[wanted.tensor])
    check_natively(quantised, inputs)
    assert all((len(quantised.tensors[op.inputs[1]].quant.scale) > 1) == per_channel
               for op in quantised.ops if isinstance(op, g.Weighted))  # fmt: skip


def test_scales_are_shared_where_nothing_rescales() -> None:
    _, quantised = quantised_small()
    tensors = quantised.tensors
    for op in quantised.ops:
        if isinstance(op, g.Concatenation | g.Pool2D | g.Pad | g.Reshape | g.Transpose | g.ResizeNearest):
            assert (
                len(
                    {
                        (tensors[i].quant.scale[0], tensors[i].quant.zero_point)
                        for i in (*op.inputs, *op.outputs)
                    }
                )
                == 1
            )
    softmax, requantised = (
        next(op for op in quantised.ops if isinstance(op, cls)) for cls in (g.Softmax, g.Quantize)
    )
    assert requantised.inputs == softmax.outputs
    assert (
        tensors[softmax.outputs[0]].quant.scale[0]
        == 1 / 256
        != tensors[requantised.outputs[0]].quant.scale[0]
    )


def test_probabilities_that_are_only_moved_keep_the_scale_of_softmax() -> None:
    net = Builder()
    x = net.input((6,))
    net.output(net.reshape(net.softmax(x), (2, 3)))
    graph = net.graph()
    quantised = quantise_graph(graph, calibrate(graph, inputs_of(graph, 3)))
    assert [op.kind for op in quantised.ops] == ["SOFTMAX", "RESHAPE"]
    assert quantised.tensors[quantised.outputs[0].tensor].quant.scale[0] == 1 / 256


def test_weights_that_two_operators_share_are_quantised_for_each() -> None:
    net = Builder()
    x = net.input((4, 4, 2))
    y = net.conv2d(x, np.eye(2).reshape(2, 1, 1, 2) * 5, np.ones(2))
    z = net.conv2d(y, np.eye(2).reshape(2, 1, 1, 2), np.ones(2))
    net.output(z)
    graph = net.graph()
    first, second = graph.ops
    second.inputs = (second.inputs[0], *first.inputs[1:])
    found = compare(graph, quantise_graph(graph, calibrate(graph, inputs_of(graph, 4))), inputs_of(graph, 4))
    assert found.outputs[0].sqnr_db > 35
    assert graph.tensors[first.inputs[1]].dtype == FLOAT  # the float graph is as it was


def test_a_silent_network_and_constants_are_quantised() -> None:
    net = Builder()
    x = net.input((4,))
    x = net.fully_connected(x, np.zeros((3, 4)), np.zeros(3), activation="RELU")
    x = net.add(x, net.constant(np.array([0.5, -2.0, 0.0])))
    net.output(net.fully_connected(x, np.ones((2, 3)), np.array([1e-3, 100.0])))
    graph = net.graph()
    found = compare(graph, quantise_graph(graph, calibrate(graph, inputs_of(graph, 4))), inputs_of(graph, 2))
    assert found.outputs[0].max_error < 0.5
    assert found.layers[0].max_error == 0 and found.layers[0].sqnr_db is None


def test_what_cannot_be_calibrated_is_refused() -> None:
    graph = small()
    with pytest.raises(QuantizeError, match="no samples"):
        calibrate(graph, [])
    huge = [[np.full(x.shape, 3e38, FLOAT) for x in sample] for sample in inputs_of(graph, 1)]
    with pytest.raises(QuantizeError, match=r"add.* is not finite in sample 0"):
        calibrate(graph, huge)


def test_sums_that_overflow_are_refused_with_the_operator() -> None:
    net = Builder()
    x = net.input((4, 4, 2))
    net.output(net.conv2d(x, np.full((1, 1, 1, 2), 1e4), name="loud"))
    graph = net.graph()
    silent = [[np.full((1, 4, 4, 2), 1e-6, FLOAT) * np.array([1, -1], FLOAT)]]
    ranges = calibrate(graph, silent) | {
        graph.outputs[0].tensor: (0.0, 1e-7),
        graph.inputs[0].tensor: (-1.0, 1.0),
    }
    with pytest.raises(QuantizeError, match=r"CONV_2D \(operator 0, loud\): its sums overflow"):
        quantise_graph(graph, ranges)


@pytest.mark.parametrize("with_mask", [False, True])
def test_a_deformable_network_is_quantised_and_exact(with_mask: bool) -> None:
    rng = np.random.default_rng(6)
    net = Builder()
    x = net.input((9, 8, 4))
    smooth = net.average_pool(net.conv2d(x, rng.normal(0, 0.2, (4, 3, 3, 4))), 3, stride=1, padding="SAME")
    offsets = net.conv2d(x, rng.normal(0, 0.2, (36, 3, 3, 4)))
    mask = net.conv2d(x, rng.normal(0, 0.2, (18, 1, 1, 4)), np.full(18, 0.5)) if with_mask else None
    y = net.deformable_conv2d(
        smooth, offsets, rng.normal(0, 0.3, (6, 3, 3, 2)), rng.normal(0, 1, 6), mask=mask, groups=2, offset_groups=2,
        activation="RELU",
    )  # fmt: skip
    net.output(y)
    graph = net.graph()
    quantised = quantise_graph(graph, calibrate(graph, inputs_of(graph, 12)), Choices(input_type="int8"))
    found = compare(graph, quantised, inputs_of(graph, 6, seed=2))
    assert found.outputs[0].sqnr_db > 25
    check_natively(quantised, [rng.integers(-128, 128, (1, 9, 8, 4), dtype=np.int8)])
    again = import_tflite(write_tflite(quantised))
    assert [op.kind for op in again.ops] == [op.kind for op in quantised.ops]


def padded_pool(activation: str) -> g.Graph:
    """PyTorch's way of padding: a pool with one row at each side, and a transposed convolution with two."""
    rng = np.random.default_rng(8)
    net = Builder()
    x = net.conv2d(
        net.input((8, 8, 3)), rng.normal(0, 0.3, (4, 3, 3, 3)), rng.normal(0, 1, 4), activation=activation
    )
    x = net.max_pool(x, 3, stride=2, padding=1)
    x = net.transposed_conv2d(x, rng.normal(0, 0.3, (3, 3, 3, 4)), stride=2, padding=1, output_padding=1)
    net.output(x)
    return net.graph()


def test_padding_that_the_format_does_not_have_is_written_exactly() -> None:
    graph = padded_pool("RELU")
    quantised = quantise_graph(graph, calibrate(graph, inputs_of(graph, 6)))
    content = write_tflite(quantised)
    again, reference = import_tflite(content), Reference(content)
    sample = inputs_of(graph, 1)[0]
    (wanted,) = reference.run(sample)
    x = quantize_input(again, again.inputs[0], sample[0])
    border = again.outputs[0]
    got = run_graph(again, [x])[border.tensor]
    np.testing.assert_array_equal(dequantize_output(again, border, got), wanted)
    np.testing.assert_array_equal(got, run_graph(quantised, [x])[quantised.outputs[0].tensor])
    assert compare(graph, quantised, inputs_of(graph, 3, seed=5)).outputs[0].sqnr_db > 30
    graph = padded_pool("NONE")
    quantised = quantise_graph(graph, calibrate(graph, inputs_of(graph, 6)))
    with pytest.raises(UnsupportedError, match=r"MAX_POOL_2D.*neither SAME nor VALID"):
        write_tflite(quantised)


def with_axes() -> g.Graph:
    """A network whose file has channels first, at both ends."""
    net = Builder()
    x = net.conv2d(net.input((4, 5, 3)), np.random.default_rng(9).normal(0, 1, (2, 3, 3, 3)))
    net.output(x)
    graph = net.graph()
    for border in (*graph.inputs, *graph.outputs):
        border.axes = (0, 3, 1, 2)
    return graph


def test_a_float_border_keeps_the_axes_of_the_file() -> None:
    graph = with_axes()
    quantised = quantise_graph(graph, calibrate(graph, inputs_of(graph, 4)))
    content = write_tflite(quantised)
    again = import_tflite(content)
    assert [op.kind for op in again.ops] == ["CONV_2D"]
    assert again.inputs[0].axes == again.outputs[0].axes == (0, 3, 1, 2)
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 4, 5)).astype(FLOAT)
    (wanted,) = Reference(content).run([x])
    border = again.outputs[0]
    got = run_graph(again, [quantize_input(again, again.inputs[0], x)])[border.tensor]
    np.testing.assert_array_equal(dequantize_output(again, border, got), wanted)
    assert wanted.shape == (1, 2, 4, 5)


def test_an_int8_border_has_channels_last() -> None:
    graph = with_axes()
    choices = Choices(input_type="int8", output_type="int8")
    again = import_tflite(write_tflite(quantise_graph(graph, calibrate(graph, inputs_of(graph, 4)), choices)))
    assert again.tensors[again.inputs[0].tensor].shape == (1, 4, 5, 3) and not again.inputs[0].axes


def test_an_input_that_is_transposed_and_is_not_has_no_one_meaning() -> None:
    perm = np.array([0, 2, 1], np.int32)
    tensors = [
        _FileTensor("x", (1, 2, 2), FLOAT), _FileTensor("perm", (3,), perm.dtype, data=perm),
        _FileTensor("t", (1, 2, 2), FLOAT), *(_FileTensor(n, (1, 2, 2), np.dtype("int8"), np.ones(1)) for n in "abc"),
    ]  # fmt: skip
    ops = [
        _FileOp("TRANSPOSE", (0, 1), (2,), "TransposeOptions"), _FileOp("QUANTIZE", (0,), (3,), "QuantizeOptions"),
        _FileOp("QUANTIZE", (2,), (4,), "QuantizeOptions"), _FileOp("ADD", (3, 4), (5,), "AddOptions"),
    ]  # fmt: skip
    with pytest.raises(FloatModelError, match=r"QUANTIZE \(operator 1\)"):
        import_tflite(_serialise(_File(tensors, ops), [0], [5], "twice"))


def test_a_float_binary_network_is_quantised_around_its_bits() -> None:
    graph = import_tflite_float(write_tflite(binary_network(None)))
    quantised = quantise_graph(graph, calibrate(graph, inputs_of(graph, 12)))
    assert any(op.kind == "LceBconv2d" for op in quantised.ops)
    found = compare(graph, quantised, inputs_of(graph, 6, seed=2))
    assert {d.kind for d in found.layers} >= {"LceBconv2d", "LceDequantize"}
    assert found.layers[0].sqnr_db > 35 and all(
        o.sqnr_db > 8 for o in found.outputs
    )  # a sign that flips costs much
    inputs = [np.random.default_rng(1).integers(-128, 128, (1, 8, 8, 6), dtype=np.int8)]
    check_natively(quantised, inputs)
    again = import_tflite(write_tflite(quantised))
    for mine, theirs in zip(quantised.outputs, again.outputs, strict=True):
        wanted = run_graph(quantised, inputs)[mine.tensor]
        np.testing.assert_array_equal(run_graph(again, inputs)[theirs.tensor], wanted)


def test_a_binary_channel_without_integers_gets_a_scale_that_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # about one random channel of two thousand has none, and which ones hangs on the last bit of the scale
    net = Builder()
    y = net.binary_conv2d(net.binarize(net.input((4, 4, 64))), np.ones((2, 3, 3, 64)), 0.02)
    pooled = net.max_pool(y, 2)
    net.output(pooled)
    graph = net.graph()
    ranges = calibrate(graph, inputs_of(graph, 4))
    plain = quantise_graph(graph, ranges).tensors[y.index].quant.scale[0]
    answers = iter([False, False, True])
    monkeypatch.setattr(convert, "_has_integers", lambda *_: next(answers))
    quantised = quantise_graph(graph, ranges)
    scale = quantised.tensors[y.index].quant.scale[0]
    np.testing.assert_allclose(scale, plain * convert.NUDGE**2, rtol=1e-6)
    assert quantised.tensors[pooled.index].quant.scale[0] == scale
    monkeypatch.setattr(convert, "_has_integers", lambda *_: False)
    assert quantise_graph(graph, ranges).tensors[y.index].quant.scale[0] < plain * 1.04


# --- The digits.


@pytest.fixture(scope="module")
def float_digits(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.tflite"
    path.write_bytes(write_tflite(dequantised(import_tflite(digits.model_path()))))
    return path


@pytest.fixture(scope="module")
def digit_images(tmp_path_factory) -> Path:
    x, y = digits.test_images()
    path = tmp_path_factory.mktemp("images") / "digits.npz"
    np.savez(path, x=x, y=y)
    return path


@pytest.mark.parametrize("ranges", ["minmax", "percentile"])
def test_digits_are_classified_as_well_as_in_float(
    float_digits: Path, digit_images: Path, ranges: str
) -> None:
    done = files.quantise_file(float_digits, str(digit_images), files.Options(ranges, input_range=(0.0, 1.0)))
    c = done.comparison
    assert c.samples == 195 and c.float_accuracy >= 0.98
    assert c.int8_accuracy >= c.float_accuracy - 0.011 and c.agreement >= 0.98
    x = done.graph.tensors[done.graph.inputs[0].tensor]
    assert (x.quant.scale[0], x.quant.zero_point) == (np.float32(1 / 255), -128)
    assert done.to_json()["accuracy"]["int8"] == c.int8_accuracy and "layers" not in done.to_json()


def test_pixels_are_taken_as_numbers_unless_a_range_is_given(digit_images: Path) -> None:
    graph = dequantised(import_tflite(digits.model_path()))
    plain, spread = (
        samples.load(str(digit_images), graph),
        samples.load(str(digit_images), graph, (-1.0, 1.0)),
    )
    assert plain.pixels == (0,) and len(plain.labels) == 195
    x, _ = digits.test_images()
    np.testing.assert_array_equal(plain.tensors[5][0][0], x[5])
    np.testing.assert_allclose(spread.tensors[5][0][0], x[5] / 127.5 - 1, atol=1e-6)


# --- Files.


def float_file(
    *ops: _FileOp, shapes: tuple[tuple[int, ...], ...], constants: dict[int, np.ndarray] | None = None
) -> bytes:
    """A float file of these operators; tensor 0 is the input, the last one the output."""
    data = constants or {}
    tensors = [
        _FileTensor(f"t{i}", shape, FLOAT if i not in data else data[i].dtype, data=data.get(i))
        for i, shape in enumerate(shapes)
    ]
    return _serialise(_File(tensors, list(ops)), [0], [len(shapes) - 1], "float")


@pytest.fixture(autouse=True)
def more_operators(monkeypatch) -> None:
    """Operators and types that float files have and we never write."""
    import tflite

    from host.model import tflite_write

    monkeypatch.setitem(tflite_write._VERSIONS, "RELU", 1)
    monkeypatch.setitem(tflite_write._DTYPES, np.dtype("float16"), tflite.TensorType.FLOAT16)


def test_an_activation_of_its_own_fuses() -> None:
    add, relu = _FileOp("ADD", (0, 0), (1,), "AddOptions"), _FileOp("RELU", (1,), (2,))
    content = float_file(add, relu, shapes=((1, 4),) * 3)
    graph = import_tflite_float(content)
    assert [(op.kind, op.activation, op.outputs) for op in graph.ops] == [("ADD", "RELU", (2,))]
    x = np.array([[-1, 2, 0, 5]], FLOAT)
    np.testing.assert_array_equal(run_float(graph, [x])[2], Reference(content).run([x])[0])
    ops = add, relu, _FileOp("ADD", (1, 2), (3,), "AddOptions")
    with pytest.raises(UnsupportedError, match=r"RELU \(operator 1\): on \(1, 4\): only an activation that"):
        import_tflite_float(float_file(*ops, shapes=((1, 4),) * 4))
    content = float_file(*ops, shapes=((1, 2, 2, 1),) * 4)
    graph, x = import_tflite_float(content), x.reshape(1, 2, 2, 1)
    assert [op.kind for op in graph.ops] == ["ADD", "MAX_POOL_2D", "ADD"]
    np.testing.assert_array_equal(run_float(graph, [x])[3], Reference(content).run([x])[0])


def test_weights_stored_as_float16_are_unpacked() -> None:
    weights = np.arange(8, dtype=np.float16).reshape(2, 4)
    content = float_file(
        _FileOp("DEQUANTIZE", (1,), (2,), "DequantizeOptions"),
        _FileOp("FULLY_CONNECTED", (0, 2), (3,), "FullyConnectedOptions"),
        shapes=((1, 4), (2, 4), (2, 4), (1, 2)), constants={1: weights},
    )  # fmt: skip
    graph = import_tflite_float(content)
    assert run_float(graph, [np.ones((1, 4), FLOAT)])[3].tolist() == [[6, 22]]


def test_int8_networks_and_other_operators_are_refused(float_digits: Path, digit_images: Path) -> None:
    with pytest.raises(UnsupportedError, match="quantised already"):
        files.quantise_file(digits.model_path(), str(digit_images), files.Options())
    with pytest.raises(FloatModelError, match="host quantize"):
        import_tflite(float_digits)
    content = float_file(_FileOp("RELU", (0,), (1,)), shapes=((1, 4),) * 2)
    with pytest.raises(UnsupportedError, match="RELU"):
        import_tflite_float(content)


def test_an_int8_form_that_has_no_kernel_or_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 1, (4, 8, 8, 3)).astype(FLOAT))
    (tmp_path / "net.py").write_text(
        "from tests.unit.test_quantize import padded_pool\nnetwork = padded_pool('NONE')\n"
    )
    with pytest.raises(QuantizeError, match=r"as int8 .* MAX_POOL_2D \(operator 1\): its padding is neither"):
        files.quantise_file(tmp_path / "net.py", str(tmp_path / "x.npy"), files.Options())
    net = Builder()
    net.output(net.mean(net.input((8, 8, 3)), (1, 3)))
    graph = net.graph()
    (tmp_path / "net.tflite").write_bytes(write_tflite(graph))
    with pytest.raises(QuantizeError, match=r"as int8 .* are not neighbours"):
        files.quantise_file(tmp_path / "net.tflite", str(tmp_path / "x.npy"), files.Options())


@pytest.mark.parametrize(
    ("array", "error", "saying"),
    [
        (np.zeros((0, 32, 32, 1), np.float32), QuantizeError, "there are no samples"),
        (np.zeros((3, 31, 32, 1), np.float32), InputError, r"shape \[3, 31, 32, 1\] does not fit"),
        (np.zeros((3, 32, 32, 1), np.int8), InputError, "holds int8; samples are floats, or images"),
        (np.full((1, 32, 32, 1), np.nan), InputError, "no finite numbers"),
    ],
)
def test_wrong_samples_are_refused(tmp_path: Path, float_digits: Path, array, error, saying) -> None:
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(error, match=saying):
        files.quantise_file(float_digits, str(tmp_path / "bad.npy"), files.Options())


def test_a_folder_of_images_is_a_batch(tmp_path: Path, float_digits: Path) -> None:
    from PIL import Image

    x, _ = digits.test_images()
    for i in range(3):
        Image.fromarray(x[i, :, :, 0]).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no image")
    loaded = samples.load(str(tmp_path), import_tflite_float(float_digits), (0.0, 1.0))
    assert len(loaded.tensors) == 3
    np.testing.assert_allclose(loaded.tensors[1][0][0] * 255, x[1], atol=1e-3)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(QuantizeError, match="no images"):
        samples.load(str(empty), import_tflite_float(float_digits))


def test_a_result_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "out.tflite"
    target.write_bytes(b"before")

    def interrupted(*arguments) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files.os, "replace", interrupted)
        files.write(target, b"after")
    assert target.read_bytes() == b"before" and list(tmp_path.iterdir()) == [target]
    files.write(target, b"after")
    assert target.read_bytes() == b"after" and list(tmp_path.iterdir()) == [target]
