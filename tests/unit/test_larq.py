"""Larq Compute Engine's operators: written, read again and computed alike; what is refused, and how.

That the oracle computes what LCE does was checked once against larq-compute-engine 0.16.0, which is no dependency: 1050
random networks of these strategies, reference and optimised kernels, no difference wherever LCE runs them (it refuses
padding of 0 with an odd number of channels, and crashes on padding of 0 with outputs of bits).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import FloatModelError, TruncatedModelError, UnsupportedError
from host.model import graph as g
from host.model import tflite_write
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.oracle import binary
from host.oracle.run import run_graph
from host.plan.lower import lower
from tests import nets
from tests.nets.binary import network

INT8, INT32, FLOAT32 = np.dtype("int8"), np.dtype("int32"), np.dtype("float32")


def layer(channels: int = 40, out_c: int = 3, bits: bool = False) -> g.Graph:
    """x, binarised, a 3x3 convolution of +1 weights with SAME padding; to int8, or to bits and from there to int8."""
    one = g.Quant(np.ones(1, np.float32), 0)
    tensors = [
        g.Tensor("x", (1, 4, 4, channels), INT8, one),
        g.Tensor("x bits", (1, 4, 4, binary.words_of(channels)), INT32),
        g.Tensor("w", (out_c, 3, 3, binary.words_of(channels)), INT32, None,
                 np.zeros((out_c, 3, 3, binary.words_of(channels)), np.int32)),
        g.Tensor("y", (1, 4, 4, out_c), INT8, one),
        g.Tensor("m", (out_c,), FLOAT32, None, np.full(out_c, 0.25, np.float32)),
        g.Tensor("b", (out_c,), FLOAT32, None, np.zeros(out_c, np.float32)),
        g.Tensor("t", (out_c,), INT32, None, np.full(out_c, 9 * channels // 2, np.int32)),
        g.Tensor("y bits", (1, 4, 4, binary.words_of(out_c)), INT32),
    ]  # fmt: skip
    padding = g.Padding(1, 1, 1, 1)
    ops: list[g.Op] = [g.Binarise((0,), (1,), 0)]
    if bits:
        ops.append(g.BinaryConv2D((1, 2, -1, -1, 6), (7,), 1, channels, padding=padding))
        ops.append(g.Unbinarise((7,), (3,), 2))
    else:
        ops.append(g.BinaryConv2D((1, 2, 4, 5, -1), (3,), 1, channels, padding=padding))
    return network("layer", tensors, ops)


@pytest.mark.parametrize("name", ["binarise", "binary_conv2d", "binary_max_pool"])
def test_written_and_read_again_it_is_the_same(name: str) -> None:
    @given(nets.STRATEGIES[name](), st.data())
    def check(graph: g.Graph, data: st.DataObject) -> None:
        try:
            content = write_tflite(graph)
        except UnsupportedError:  # padding that is neither SAME nor VALID
            return
        inputs = data.draw(nets.inputs_for(graph))
        again = import_tflite(content)
        expected = run_graph(graph, inputs)[graph.outputs[0].tensor]
        np.testing.assert_array_equal(run_graph(again, inputs)[again.outputs[0].tensor], expected)

    check()


@pytest.mark.parametrize("bits", [False, True])
def test_the_oracle_is_the_sum_of_products(bits: bool) -> None:
    graph = layer(bits=bits)
    x = np.full((1, 4, 4, 40), 5, np.int8)
    y = run_graph(graph, [x])[3]
    # All +1, padding too: 360 products; a quarter of that saturates, and no threshold is exceeded.
    assert (y == (1 if bits else 90)).all()
    y = run_graph(graph, [-x])[3]
    interior = -1 if bits else -90
    assert (y[0, 1:3, 1:3] == interior).all()
    assert (y[0, 0, 0] == (1 if bits else (5 * 40 - 4 * 40) // 4)).all()
    graph.ops[1].one_padding = False
    y = run_graph(graph, [-x])[3]
    assert (y[0, 0, 0] == (-1 if bits else -40)).all()


def test_what_the_importer_refuses() -> None:
    def refused(change, match: str, error: type = UnsupportedError, bits: bool = False) -> None:
        graph = layer(bits=bits)
        change(graph)
        with pytest.raises(error, match=match):
            import_tflite(write_tflite(graph))

    def tensor(index: int, **fields):
        def change(graph: g.Graph) -> None:
            graph.tensors[index] = replace(graph.tensors[index], **fields)

        return change

    def weights(shape: tuple[int, ...], value: int = 0, dtype: type = np.int32):
        return tensor(2, shape=shape, dtype=np.dtype(dtype), data=np.full(shape, value, dtype))

    refused(weights((3, 3, 3, 3)), "3, 3, 3, 3.*40 input channels")
    refused(weights((3, 3, 3, 1)), "grouped convolution")
    refused(weights((3, 3, 3, 2), -1), "bits behind channel 40")
    refused(weights((3, 3, 3, 2), 1, np.int8), "weights are int8.*binary weights are")
    refused(tensor(1, shape=(1, 4, 4, 1)), "must have shape|40 channels are 2 words")
    refused(tensor(3, dtype=FLOAT32), "tensor y is float32", FloatModelError)
    refused(tensor(0, dtype=FLOAT32, quant=None), "float32", FloatModelError)
    refused(
        tensor(4, shape=(2,), data=np.zeros(2, np.float32)), "input 2 is float32.*must be a constant float32"
    )
    refused(tensor(5, data=np.full(3, np.nan, np.float32)), "input 3 holds values that are not numbers")
    refused(tensor(6, shape=(2,), data=np.zeros(2, np.int32)), "input 4 is int32", bits=True)
    refused(tensor(4, data=np.full(3, 2.0**40, np.float32)), "no integers equal its multiplier")

    def relu(graph: g.Graph) -> None:
        graph.ops[1].activation = "RELU"

    refused(relu, "thresholds contain it", bits=True)


@pytest.mark.parametrize(
    ("options", "match"),
    [({}, "lack channels_in"), ({"pad_values": 2}, "pad_values 2"), ({"channels_in": 0}, "channels_in 0"),
     ({"stride_height": 0}, "stride"), ({"padding": 7}, "leaves no output"), ({"padding": "SAME"}, "option padding")],
)  # fmt: skip
def test_options_out_of_range(monkeypatch, options: dict, match: str) -> None:
    write = tflite_write._FileOp

    def changed(*args, custom=None, **fields):
        if custom:
            custom = custom | options if options else {"padding": 0}
        return write(*args, custom=custom, **fields)

    monkeypatch.setattr(tflite_write, "_FileOp", changed)
    with pytest.raises((UnsupportedError, TruncatedModelError), match=match):
        import_tflite(write_tflite(layer()))


def test_what_the_lowering_refuses() -> None:
    graph = layer()
    graph.tensors[2] = replace(graph.tensors[2], data=np.full((3, 3, 3, 2), -1, np.int32))
    with pytest.raises(UnsupportedError, match="bits behind channel 40"):
        lower(graph)
    graph = layer()
    graph.tensors[1] = replace(graph.tensors[1], shape=(1, 4, 4, 3))
    with pytest.raises(UnsupportedError, match="40 channels are 2 int32 words"):
        lower(graph)


@pytest.mark.parametrize("scale", [1e-3, 0.05, 3.0])
@pytest.mark.parametrize("products", [1, 64, 577, 4608])
def test_integers_equal_the_float_form_for_every_sum(products: int, scale: float) -> None:
    rng = np.random.default_rng(products)
    count = 32
    multiplier = (rng.normal(0, 40 / np.sqrt(products), count) * scale).astype(np.float32)
    bias = (rng.normal(0, 30, count) * scale).astype(np.float32)
    tensors = [
        g.Tensor("x", (1, 1, 1, binary.words_of(products)), INT32),
        g.Tensor("w", (count, 1, 1, binary.words_of(products)), INT32, None,
                 np.zeros((count, 1, 1, binary.words_of(products)), np.int32)),
        g.Tensor("m", (count,), FLOAT32, None, multiplier),
        g.Tensor("b", (count,), FLOAT32, None, bias),
        g.Tensor("y", (1, 1, 1, count), INT8, g.Quant(np.array([scale], np.float32), -7)),
    ]  # fmt: skip
    op = g.BinaryConv2D((0, 1, 2, 3, -1), (4,), 0, products, one_padding=False)
    graph = g.Graph("", tensors, [op], [], [])
    r = binary.affine_records(graph, op)
    sums = np.arange(-products, products + 1, 1 if products % 2 else 2, dtype=np.int64)[:, None]
    lifted = sums << r.lift
    y = (r.offset + (lifted * r.multiplier.astype(np.int64) >> 32)) >> r.down
    np.testing.assert_array_equal(np.clip(y, -128, 127), binary.int8_of_sums(graph, op, sums))
