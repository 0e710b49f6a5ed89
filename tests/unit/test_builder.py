"""Networks composed in Python: what they become, and a clear line for everything that does not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import host.data
from host.errors import FloatModelError, InputError, NetworkError
from host.inputs import from_arrays, load, random_inputs
from host.model import graph as g
from host.model.builder import Builder, Value
from host.model.load import load_graph
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.model.windows import transposed_window, window
from host.oracle.binary import unpack_bits
from host.oracle.run import run_graph
from host.quantize.floats import run_float
from tests.unit.test_plan import check_natively

EXAMPLES = Path(host.data.__file__).parent / "examples"
rng = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return rng.integers(-127, 128, shape, dtype=np.int8)


def started(shape: tuple[int, ...] = (8, 8, 6)) -> tuple[Builder, Value]:
    net = Builder("test")
    return net, net.input(shape, scale=0.05, zero_point=3)


def every_operator() -> Builder:
    """One of each that LiteRT has too."""
    net, x = started()
    x = net.pad(x, ((1, 0), (0, 1), (0, 0)))
    x = net.conv2d(x, weights(8, 3, 3, 6), weight_scale=0.01, scale=0.1, activation="RELU6")
    y = net.conv2d(x, rng.normal(0, 0.1, (8, 2, 2, 8)), rng.normal(0, 1, 8), scale=0.1, dilation=2, padding=1)
    x = net.add(net.max_pool(x, 3, stride=1, padding="SAME"), net.pad(y, ((0, 0), (0, 0), (0, 0))), scale=0.2)
    x = net.separable_conv2d(
        x, weights(1, 3, 3, 16), rng.normal(0, 0.1, (4, 1, 1, 16)), stride=2, scale=0.1,
        depthwise_scale=0.1, depthwise_weight_scale=np.full(16, 0.02),
    )  # fmt: skip
    x = net.resize_nearest(x, (6, 4))
    x = net.concatenate([x, net.transpose(net.transpose(x, (0, 2, 1, 3)), (0, 2, 1, 3))])
    x = net.requantize(net.average_pool(x, (2, 1)), scale=0.3, zero_point=-5)
    x = net.add(x, net.constant(rng.normal(0, 1, (3, 4, 8)), scale=0.05), scale=0.2)
    y = net.mean(x, scale=0.15)
    x = net.fully_connected(
        net.flatten(x), weights(8, 96), np.arange(8, dtype=np.int32), weight_scale=0.01, scale=0.3
    )
    x = net.add(x, net.reshape(y, (-1,)), scale=0.3)
    net.output(net.softmax(x), "probabilities")
    return net


def test_every_operator_is_written_imported_and_computed_the_same():
    graph = every_operator().graph()
    again = import_tflite(write_tflite(graph))
    inputs = random_inputs(graph, 1)
    wanted = run_graph(graph, inputs)[graph.outputs[0].tensor]
    np.testing.assert_array_equal(run_graph(again, inputs)[again.outputs[0].tensor], wanted)
    assert graph.outputs[0].name == "probabilities" and len(np.unique(wanted)) > 1


def test_the_hash_is_that_of_the_contents():
    def network(value: int) -> g.Graph:
        net, x = started()
        net.output(net.conv2d(x, np.full((2, 1, 1, 6), value, np.int8), weight_scale=0.1, scale=0.1))
        return net.graph()

    assert network(1).source_sha256 == network(1).source_sha256 != network(2).source_sha256


def test_real_weights_are_quantised_for_each_channel():
    net, x = started()
    real = rng.normal(0, 1, (4, 3, 3, 6)) * np.array([1, 10, 100, 0])[:, None, None, None]
    y = net.conv2d(x, real, np.array([0.5, 1, 2, 3]), scale=0.1)
    net.output(y)
    graph = net.graph()
    w, b = (graph.tensors[i] for i in graph.ops[0].inputs[1:])
    np.testing.assert_allclose(
        w.data * w.quant.scale[:, None, None, None], real, atol=np.abs(real).max() / 250
    )
    np.testing.assert_allclose(b.data * b.quant.scale, [0.5, 1, 2, 3], rtol=0.01)
    assert np.abs(w.data[:3]).reshape(3, -1).max(1).tolist() == [127] * 3


def test_a_float_network_has_no_scales():
    net = Builder()
    x = net.input((4, 4, 2))
    x = net.conv2d(x, rng.normal(0, 1, (3, 3, 3, 2)), rng.normal(0, 1, 3), activation="RELU")
    net.output(net.softmax(net.mean(x)))
    graph = net.graph()
    assert all(t.quant is None and t.dtype == np.float32 for t in graph.tensors)


CONV = (4, 3, 3, 6)
MISTAKES = {
    "4 groups do not divide 6 input": lambda n, x: n.conv2d(x, weights(*CONV), weight_scale=1, scale=1, groups=4),
    "2 groups do not divide 6 input and 5 output": lambda n, x: n.conv2d(
        x, weights(5, 3, 3, 3), weight_scale=1, scale=1, groups=2
    ),
    "the last dimension must be 3": lambda n, x: n.conv2d(x, weights(*CONV), weight_scale=1, scale=1, groups=2),
    "the last dimension must be 6": lambda n, x: n.conv2d(x, weights(4, 3, 3, 5), weight_scale=1, scale=1),
    "needs a scale": lambda n, x: n.conv2d(x, weights(*CONV), weight_scale=1),
    "need a weight_scale": lambda n, x: n.conv2d(x, weights(*CONV), scale=1),
    "goes with int8 weights": lambda n, x: n.conv2d(x, np.zeros(CONV), scale=1, weight_scale=1),
    "one positive number, or 4": lambda n, x: n.conv2d(x, weights(*CONV), weight_scale=[1, 2], scale=1),
    "weights of int64": lambda n, x: n.conv2d(x, np.zeros(CONV, np.int64), scale=1),
    "[oc, kh, kw, ic / groups] is needed": lambda n, x: n.conv2d(x, weights(3, 3, 6), weight_scale=1, scale=1),
    "no finite numbers": lambda n, x: n.conv2d(x, np.full(CONV, np.nan), scale=1),
    "a bias of shape [3] for 4": lambda n, x: n.conv2d(x, np.ones(CONV), np.zeros(3), scale=1),
    "give int32, or real numbers": lambda n, x: n.conv2d(x, np.ones(CONV), np.zeros(4, np.int64), scale=1),
    "does not fit an image of 8x8": lambda n, x: n.conv2d(x, np.ones((1, 9, 1, 6)), scale=1, padding="VALID"),
    "reaches further than a kernel": lambda n, x: n.conv2d(x, np.ones(CONV), scale=1, padding=3),
    "padding 'FULL'": lambda n, x: n.conv2d(x, np.ones(CONV), scale=1, padding="FULL"),
    "stride 0": lambda n, x: n.conv2d(x, np.ones(CONV), scale=1, stride=0),
    "activation 'GELU'": lambda n, x: n.conv2d(x, np.ones(CONV), scale=1, activation="GELU"),
    "scale -1": lambda n, x: n.conv2d(x, np.ones(CONV), scale=-1),
    "zero point 200": lambda n, x: n.conv2d(x, np.ones(CONV), scale=1, zero_point=200),
    "depthwise weights [1, 3, 3, 7] for 6": lambda n, x: n.depthwise_conv2d(x, np.ones((1, 3, 3, 7)), scale=1),
    "output padding": lambda n, x: n.transposed_conv2d(x, np.ones(CONV), scale=1, output_padding=1),
    "must be less than the stride": lambda n, x: n.transposed_conv2d(
        x, np.ones(CONV), scale=1, stride=2, padding=1, output_padding=2
    ),
    "offsets have shape [8, 8, 6], [8, 8, 18]": lambda n, x: n.deformable_conv2d(x, x, np.ones(CONV), scale=1),
    "mask have shape [8, 8, 6], [8, 8, 9]": lambda n, x: n.deformable_conv2d(
        x, n.input((8, 8, 18), scale=1, dtype="int16"), np.ones(CONV), mask=x, scale=1
    ),
    "4 offset groups do not divide 6": lambda n, x: n.deformable_conv2d(
        x, x, np.ones(CONV), scale=1, offset_groups=4
    ),
    "int8 is needed here": lambda n, x: n.max_pool(n.input((8, 8, 6), scale=1, dtype="int16"), 2),
    "an input is int8 or int16": lambda n, x: n.input((8, 8, 6), scale=1, dtype="int32"),
    "holds nothing": lambda n, x: n.input((8, 0, 6), scale=1),
    "the last dimension must be 384": lambda n, x: n.fully_connected(x, weights(2, 384), weight_scale=1, scale=1),
    "the shapes must be equal": lambda n, x: n.add(x, n.max_pool(x, 2), scale=1),
    "int8 and float tensors": lambda n, x: n.add(x, n.input((8, 8, 6)), scale=1),
    "is no image": lambda n, x: n.max_pool(n.flatten(x), 2),
    "reshape() of": lambda n, x: n.reshape(x, (7, -1)),
    "the batch stays the first": lambda n, x: n.transpose(x, (1, 0, 2, 3)),
    "needs 3 pairs": lambda n, x: n.pad(x, ((0, 1),)),
    "mean() over axes": lambda n, x: n.mean(x, (0,)),
    "different scales": lambda n, x: n.concatenate([x, n.softmax(x)]),
    "equal but in axis 3": lambda n, x: n.concatenate([x, n.max_pool(x, 2)]),
    "no value of this network": lambda n, x: n.max_pool(started()[1], 2),
    "a float network has no scales": lambda n, x: n.softmax(n.add(f := n.input((2,)), f, scale=1)),
    "int8 weights on a float tensor": lambda n, x: n.conv2d(n.input((8, 8, 6)), weights(*CONV)),
    "two inputs are named": lambda n, x: n.input((2,), name="input"),
}  # fmt: skip


@pytest.mark.parametrize("saying", MISTAKES)
def test_a_mistake_is_named(saying: str):
    net, x = started()
    with pytest.raises(NetworkError) as caught:
        MISTAKES[saying](net, x)
    assert saying in str(caught.value)


def test_an_incomplete_network_and_overflowing_sums_are_refused():
    net, x = started()
    with pytest.raises(NetworkError, match="no operator"):
        net.graph()
    bias = np.full(4, 2**31 - 1, np.int32)
    net.output(net.conv2d(x, np.full(CONV, 127, np.int8), bias, weight_scale=0.1, scale=1, name="big"))
    with pytest.raises(NetworkError, match=r"big \(CONV_2D\): its sums overflow"):
        net.graph()


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "extra", "out", "top"),
    [
        (5, 3, 2, "SAME", 0, 10, 0),  # TensorFlow: input * stride
        (5, 4, 2, "SAME", 0, 10, 1),
        (5, 3, 2, "VALID", 0, 11, 0),
        (5, 2, 3, "VALID", 0, 15, 0),
        (5, 3, 2, 1, 0, 9, 1),  # PyTorch: (5 - 1) * 2 - 2 * 1 + 3
        (5, 3, 2, 1, 1, 10, 1),
    ],
)
def test_sizes_of_transposed_convolutions(size, kernel, stride, padding, extra, out, top):
    sides, both = transposed_window(
        (size, 1), (kernel, 1), (stride, 1), padding if padding != 1 else g.Padding(1, 1), (extra, 0)
    )
    assert both == (out, 1) and sides.top == top


def test_sizes_of_windows():
    assert window((8, 7), (3, 3), (2, 2), (1, 1), "SAME") == (g.Padding(0, 1, 1, 1), (4, 4))
    assert window((8, 7), (3, 3), (1, 1), (2, 2), "VALID") == (g.Padding(), (4, 3))
    assert window((8, 7), (3, 3), (1, 1), (1, 1), 1) == (g.Padding(1, 1, 1, 1), (8, 7))


# --- Bits.


def binary_network(scale: float | None) -> g.Graph:
    """Bits in both forms, between float layers or int8 ones."""
    random = np.random.default_rng(7)

    def signs(*shape: int) -> np.ndarray:
        return np.where(random.random(shape) < 0.5, -1, 1)

    quant = {} if scale is None else {"scale": scale}
    net = Builder("binary")
    x = net.input((8, 8, 6), **quant)
    x = net.conv2d(x, random.normal(0, 0.3, (40, 3, 3, 6)), random.normal(0, 0.3, 40), **quant)
    b = net.binarize(x)
    b = net.binary_conv2d(b, signs(36, 3, 3, 40), random.normal(0, 1, 36), random.normal(0, 9, 36), bits=True)
    b = net.binary_max_pool(b, 2)
    y = net.binary_conv2d(b, signs(5, 3, 3, 36), random.uniform(0.01, 0.03, 5), one_padding=False, **quant)
    z = net.unbinarize(b, **quant)
    net.output(net.mean(z, keep_dims=True), "signs")
    net.output(net.fully_connected(net.flatten(y), random.normal(0, 0.2, (3, 80)), **quant), "scores")
    return net.graph()


def test_bits_are_what_the_signs_say():
    graph = binary_network(None)
    x = rng.normal(0, 1, (1, 8, 8, 6)).astype(np.float32)
    values = run_float(graph, [x])
    first, conv, pool, last, ones = (
        values[op.outputs[0]] for op in graph.ops if op.kind in ("CONV_2D",) or op.kind.startswith("Lce")
        if op.kind != "LceQuantize"
    )  # fmt: skip
    # the same in float: convolutions of signs, with padding of +1 in the first
    by_kind = [op for op in graph.ops if isinstance(op, g.BinaryConv2D)]
    signs = np.where(first < 0, -1.0, 1.0)
    assert conv.dtype == pool.dtype == np.int32 and conv.shape[-1] == 2
    weights = [1.0 - 2.0 * unpack_bits(graph.tensors[op.inputs[1]].data, op.channels_in) for op in by_kind]
    random = np.random.default_rng(7)
    random.normal(0, 0.3, (40, 3, 3, 6)), random.normal(0, 0.3, 40)
    original = np.where(random.random((36, 3, 3, 40)) < 0.5, -1, 1)
    factor, offset = random.normal(0, 1, 36), random.normal(0, 9, 36)
    flipped = original * np.where(factor < 0, -1, 1)[:, None, None, None]
    np.testing.assert_array_equal(weights[0], flipped)
    wanted = (
        plain_conv(np.pad(signs, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=1), original) * factor
        + offset
    )
    got = np.where(unpack_bits(conv, 36), -1, 1)
    np.testing.assert_array_equal(got, np.where(wanted < 0, -1, 1))
    pooled = got.reshape(1, 4, 2, 4, 2, 36).max((2, 4))
    np.testing.assert_array_equal(np.where(unpack_bits(pool, 36), -1, 1), pooled)
    np.testing.assert_array_equal(ones, pooled)
    sums = plain_conv(np.pad(pooled, ((0, 0), (1, 1), (1, 1), (0, 0))), weights[1])
    np.testing.assert_allclose(last, sums * graph.tensors[by_kind[1].inputs[2]].data, rtol=1e-5)


def plain_conv(padded: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Stride 1, no more padding."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[1:3], (1, 2))
    return np.einsum("nyxckl,oklc->nyxo", windows, weights)


def test_a_binary_network_is_written_imported_and_runs_the_same():
    graph = binary_network(0.05)
    again = import_tflite(write_tflite(graph))
    inputs = random_inputs(graph, 1)
    check_natively(graph, inputs)
    for mine, theirs in zip(graph.outputs, again.outputs, strict=True):
        wanted = run_graph(graph, inputs)[mine.tensor]
        np.testing.assert_array_equal(run_graph(again, inputs)[theirs.tensor], wanted)


def test_planes_are_levels():
    net = Builder()
    x = net.input((5, 5, 3), scale=0.1, zero_point=-128)
    weights = rng.choice(np.array([-3, -1, 1, 3], np.int8), (4, 3, 3, 3))
    y = net.planes_conv2d(
        net.bit_planes(x, 2), weights, np.arange(4.0), weight_planes=2, weight_scale=0.5, scale=0.2
    )
    net.output(y)
    graph = net.graph()
    inputs = [rng.integers(-128, -124, (1, 5, 5, 3)).astype(np.int8)]
    levels = np.pad((inputs[0] + 128.0) * 0.1, ((0, 0), (1, 1), (1, 1), (0, 0)))
    got = run_graph(graph, inputs)[y.index] * 0.2
    # double rounding is up to three quarters of a step off
    np.testing.assert_allclose(got, plain_conv(levels, weights * 0.5) + np.arange(4), atol=0.1501)
    check_natively(graph, inputs)


BINARY_MISTAKES = {
    "weight 2 is not binary": lambda n, b: n.binary_conv2d(b, np.full((4, 1, 1, 6), 2), scale=1),
    "[oc, kh, kw, 6] is needed": lambda n, b: n.binary_conv2d(b, np.ones((4, 1, 1, 5)), scale=1),
    "multiplier of shape [3]": lambda n, b: n.binary_conv2d(b, np.ones((4, 1, 1, 6)), np.ones(3), scale=1),
    "bits have no scale": lambda n, b: n.binary_conv2d(b, np.ones((4, 1, 1, 6)), bits=True, scale=1),
    "activation RELU on bits": lambda n, b: n.binary_conv2d(b, np.ones((4, 1, 1, 6)), bits=True, activation="RELU"),
    "int8 is needed here": lambda n, b: n.max_pool(b, 2),
    "is not what binarize()": lambda n, b: n.binary_max_pool(n.input((4, 4, 6), scale=1), 2),
    "is not what bit_planes()": lambda n, b: n.planes_conv2d(
        b, np.ones((4, 1, 1, 6), np.int8), weight_planes=1, weight_scale=1, scale=1
    ),
    "5 planes": lambda n, b: n.bit_planes(n.input((4, 4, 6), scale=1), 5),
    "odd numbers from -1 to 1": lambda n, b: n.planes_conv2d(
        n.bit_planes(n.input((4, 4, 6), scale=1), 1), np.full((4, 1, 1, 6), 2, np.int8),
        weight_planes=1, weight_scale=1, scale=1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("saying", BINARY_MISTAKES)
def test_a_mistake_with_bits_is_named(saying: str):
    net, x = started()
    with pytest.raises(NetworkError) as caught:
        BINARY_MISTAKES[saying](net, net.binarize(x))
    assert saying in str(caught.value)


# --- Scripts.


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "net.py"
    path.write_text(text)
    return path


BEGIN = """import numpy as np
from host.model.builder import Builder
net = Builder("scripted")
x = net.input((4, 4, 2), scale=0.1)
"""
OUTPUT = "net.output(net.max_pool(x, 2))\n"


@pytest.mark.parametrize("end", ["network = net", "network = net.graph()", "def network():\n    return net"])
def test_a_script_leaves_its_network(tmp_path: Path, end: str):
    graph = load_graph(script(tmp_path, BEGIN + OUTPUT + end))
    assert graph.name == "scripted" and [op.kind for op in graph.ops] == ["MAX_POOL_2D"]
    assert len(graph.source_sha256) == 64


def test_a_script_imports_what_lies_beside_it(tmp_path: Path):
    (tmp_path / "parts_of_net.py").write_text("SIZE = 2\n")
    path = script(
        tmp_path, BEGIN + "import parts_of_net\nnet.output(net.max_pool(x, parts_of_net.SIZE))\nnetwork = net"
    )
    before = list(sys.path)
    assert load_graph(path).ops
    assert sys.path == before


def test_what_a_script_prints_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    load_graph(script(tmp_path, BEGIN + OUTPUT + "print('trained for a week')\nnetwork = net"))
    assert capsys.readouterr() == ("", "trained for a week\n")


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        (BEGIN + "x = net.max_pool(x, 5)\n", ("net.py:5: ", "does not fit an image of 4x4")),
        (BEGIN + "net.output(x", ("net.py:5: SyntaxError",)),
        (BEGIN + "\nweights = np.load('no.npy')\n", ("net.py:6: FileNotFoundError", "no.npy")),
        (BEGIN + "def network():\n    return 1 / 0\n", ("net.py:6: ZeroDivisionError",)),
        (BEGIN + "raise SystemExit(3)\n", ("net.py:5: SystemExit: 3",)),
        (BEGIN + "network = net\n", ("net.py: ", "no operator")),
        (BEGIN, ("net.py: `network` is missing",)),
        ("network = 7\n", ("net.py: `network` is a int",)),
        ("\0", ("net.py",)),
    ],
)
def test_errors_of_a_script_name_their_line(tmp_path: Path, text: str, saying: tuple[str, ...]):
    with pytest.raises(NetworkError) as caught:
        load_graph(script(tmp_path, text))
    assert all(words in str(caught.value) for words in saying) and "\n" not in str(caught.value)


def test_a_float_script_is_for_quantize(tmp_path: Path):
    with pytest.raises(FloatModelError, match="host quantize"):
        load_graph(script(tmp_path, BEGIN.replace(", scale=0.1", "") + OUTPUT + "network = net"))


def test_the_readmes_example_runs(tmp_path: Path):
    readme = (Path(host.data.__file__).parents[1] / "model" / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    path = script(tmp_path, code)
    assert load_graph(path).ops
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "(1, 1, 10)" in done.stdout


# --- Inputs.


def two_inputs() -> g.Graph:
    net = Builder("two")
    a, b = net.input((3, 4), scale=0.1, name="a"), net.input((3, 4), scale=0.2, zero_point=5, name="b")
    net.output(net.add(a, b, scale=0.3))
    return net.graph()


def test_several_inputs_come_by_name(tmp_path: Path):
    graph, path = two_inputs(), tmp_path / "in.npz"
    a, b = rng.integers(-128, 128, (5, 3, 4), dtype=np.int8), rng.normal(0, 1, (5, 3, 4))
    np.savez(path, b=b, a=a, y=np.arange(5))
    samples = load(str(path), graph)
    assert len(samples.tensors) == 5 and samples.labels.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(samples.tensors[3][0], a[3][None])
    assert np.abs((samples.tensors[3][1] - 5.0) * 0.2 - b[3]).max() <= 0.1001
    assert [t.shape for t in load("random:1", graph).tensors[0]] == [(1, 3, 4)] * 2


@pytest.mark.parametrize(
    ("arrays", "saying"),
    [
        ({"a": np.zeros((3, 4), np.int8)}, "has no array named b"),
        (
            {"a": np.zeros((2, 3, 4), np.int8), "b": np.zeros((3, 3, 4), np.int8)},
            "different numbers of samples",
        ),
        ({"a": np.zeros((3, 4), np.int8), "b": np.zeros((4, 4), np.int8)}, "in.npz, b: shape"),
        (
            {"a": np.zeros((3, 4), np.int8), "b": np.zeros((3, 4), np.int16)},
            "holds int16; the network takes int8",
        ),
    ],
)
def test_wrong_arrays_for_several_inputs(tmp_path: Path, arrays: dict[str, np.ndarray], saying: str):
    np.savez(tmp_path / "in.npz", **arrays)
    with pytest.raises(InputError, match=saying):
        load(str(tmp_path / "in.npz"), two_inputs())


def test_one_array_and_one_image_are_one_input(tmp_path: Path):
    np.save(tmp_path / "in.npy", np.zeros((3, 4), np.int8))
    (tmp_path / "in.png").write_bytes(b"")
    for name, saying in (("in.npy", "one array for 2 inputs"), ("in.png", "an image is one input")):
        with pytest.raises(InputError, match=saying):
            load(str(tmp_path / name), two_inputs())


def test_channels_that_come_first_are_named():
    net, x = started((5, 4, 3))
    net.output(net.max_pool(x, 2))
    for shape in ((3, 5, 4), (7, 3, 5, 4)):
        with pytest.raises(InputError, match="has its channels first"):
            from_arrays([np.zeros(shape, np.int8)], net.graph(), "x.npy")


def test_random_offsets_are_small():
    net = Builder()
    net.input((4, 4, 18), scale=1 / 256, dtype="int16")
    (offsets,) = random_inputs(net._graph, 1)
    assert offsets.dtype == np.int16 and 400 < np.abs(offsets).max() <= 512
