"""Importing .tflite files: what is refused and how, damaged files, and what round trips."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import tflite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.errors import (
    FloatModelError,
    HostError,
    InputError,
    NotATfliteError,
    TruncatedModelError,
    UnsupportedError,
)
from host.model import graph as g
from host.model import tflite_write
from host.model.tflite_import import import_tflite
from host.model.tflite_operators import IMPORTERS
from host.model.tflite_write import write_tflite
from host.oracle.run import quantize_input, run_graph
from tests import nets

SHARED = os.environ.get("TINYCONV_SHARED")
needs_shared = pytest.mark.skipif(
    not SHARED, reason="TINYCONV_SHARED is unset: the real networks are elsewhere"
)
INT8, INT32 = np.dtype("int8"), np.dtype("int32")

damage = settings(
    max_examples=300, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def quant(scale: float | list[float] = 0.5, zero: int = 0, axis: int = 0) -> g.Quant:
    return g.Quant(np.atleast_1d(np.asarray(scale, np.float32)), zero, axis)


def small_network() -> g.Graph:
    """CONV_2D 3x3 with scales per channel, ADD to itself, RESHAPE; uint8-free, 8-bit borders."""
    rng = np.random.default_rng(0)
    tensors = [
        g.Tensor("x", (1, 6, 6, 2), INT8, quant(0.05, 3)),
        g.Tensor(
            "w", (4, 3, 3, 2), INT8, quant([0.1, 0.2, 0.3, 0.4]), nets.int8_data(rng, (4, 3, 3, 2), "uniform")
        ),
        g.Tensor("b", (4,), INT32, quant([0.005, 0.01, 0.015, 0.02]), np.arange(4, dtype=np.int32)),
        g.Tensor("y", (1, 6, 6, 4), INT8, quant(5.0, -7)),
        g.Tensor("z", (1, 6, 6, 4), INT8, quant(9.0, 1)),
        g.Tensor("flat", (1, 144), INT8, quant(9.0, 1)),
    ]
    ops = [
        g.Conv2D((0, 1, 2), (3,), 0, padding=g.Padding(1, 1, 1, 1), activation="RELU"),
        g.Add((3, 3), (4,), 1),
        g.Reshape((4,), (5,), 2),
    ]
    return g.Graph("small", tensors, ops, [g.Border(0, "x", INT8)], [g.Border(5, "flat", INT8)])


def refused(graph: g.Graph, reason: str, operator: str = "") -> None:
    """The graph's file is refused as unsupported, for that reason."""
    with pytest.raises(UnsupportedError, match=reason) as caught:
        import_tflite(write_tflite(graph))
    if operator:
        assert caught.value.message.startswith(operator)
        assert all(name in caught.value.hint for name in IMPORTERS)


def test_round_trip_keeps_everything() -> None:
    graph = small_network()
    content = write_tflite(graph)
    again = import_tflite(content, name="small")
    assert again.ops == graph.ops
    assert (again.inputs, again.outputs) == (graph.inputs, graph.outputs)
    assert again.name == "small" and len(again.source_sha256) == 64
    for before, after in zip(graph.tensors, again.tensors, strict=False):
        assert (before.name, before.shape, before.dtype) == (after.name, after.shape, after.dtype)
        np.testing.assert_array_equal(before.quant.scale, after.quant.scale)
        assert before.quant.zero_point == after.quant.zero_point
        if before.data is not None:
            np.testing.assert_array_equal(before.data, after.data)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
def test_borders(dtype: str) -> None:
    graph = small_network()
    if dtype == "uint8":
        # Every activation and the weights: the legacy scheme is all or nothing.
        for tensor in graph.tensors:
            tensor.unsigned = tensor.dtype == np.int8
        graph.tensors[1].quant = quant(0.1, 5)
    graph.inputs[0].dtype = graph.outputs[0].dtype = np.dtype(dtype)
    graph.inputs[0].name, graph.outputs[0].name = "user input", "user output"
    again = import_tflite(write_tflite(graph))
    assert [b.dtype for b in again.inputs + again.outputs] == [np.dtype(dtype)] * 2
    assert [b.tensor for b in again.inputs + again.outputs] == [0, 5]
    if dtype == "float32":
        assert (again.inputs[0].name, again.outputs[0].name) == ("user input", "user output")
    x = nets.int8_data(np.random.default_rng(1), (1, 6, 6, 2), "uniform")
    np.testing.assert_array_equal(run_graph(graph, [x])[5], run_graph(again, [x])[5])


def test_name_comes_from_the_path(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(write_tflite(small_network()))
    assert import_tflite(path).name == "net"
    with pytest.raises(InputError):
        import_tflite(tmp_path / "absent.tflite")


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0ONNX" + bytes(64), bytes(1000)])
def test_other_files(content: bytes) -> None:
    with pytest.raises(NotATfliteError):
        import_tflite(content)


@pytest.mark.parametrize(("fill", "exact"), [(3, True), (0, False)])
def test_padv2(fill: int, exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """PADV2 with the zero point is PAD; the writer never makes one."""
    shape = (1, 4, 4, 2)
    tensors = [g.Tensor(n, s, INT8, quant(0.5, 3)) for n, s in (("x", (1, 2, 2, 2)), ("y", shape))]
    op = g.Pad((0,), (1,), 0, ((0, 0), (1, 1), (2, 0), (0, 0)))
    graph = g.Graph("pad", tensors, [op], [g.Border(0, "x", INT8)], [g.Border(1, "y", INT8)])

    def write_padv2(file: tflite_write._File, graph: g.Graph, op: g.Pad) -> None:
        value = tflite_write._FileTensor("v", (1,), INT8, np.array([0.5]), 3, 0, np.array([fill], np.int8))
        operands = (0, file.constant("paddings", np.array(op.pads)), file.add(value))
        file.ops.append(tflite_write._FileOp("PADV2", operands, op.outputs, "PadV2Options"))

    monkeypatch.setitem(tflite_write._VERSIONS, "PADV2", 2)
    monkeypatch.setitem(tflite_write._WRITERS, "PAD", write_padv2)
    if exact:
        assert import_tflite(write_tflite(graph)).ops == [op]
    else:
        refused(graph, "pad value", "PADV2 (operator 0)")


def test_infinite_and_absent_numbers() -> None:
    graph = small_network()
    border = g.Border(0, "x", np.dtype("float32"))
    x = np.full((1, 6, 6, 2), np.inf, np.float32)
    assert np.all(quantize_input(graph, border, x) == 127)
    assert np.all(quantize_input(graph, border, -x) == -128)
    with pytest.raises(InputError, match="not numbers"):
        quantize_input(graph, border, np.full_like(x, np.nan))


@pytest.mark.parametrize("x", [np.zeros((1, 6, 6, 2), np.uint8), np.zeros((6, 6, 2), np.int8)])
def test_inputs_of_another_kind(x: np.ndarray) -> None:
    graph = small_network()
    with pytest.raises(InputError, match="input x: needs int8"):
        run_graph(graph, [x])
    with pytest.raises(InputError, match="input x: needs int8"):
        quantize_input(graph, graph.inputs[0], x)
    with pytest.raises(InputError, match="1 inputs, 0 were given"):
        run_graph(graph, [])


def test_unknown_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small_network()
    # ADD and SUB share the shape of their inputs; the options' type is looked at only later.
    monkeypatch.setitem(tflite_write._VERSIONS, "SUB", 1)
    monkeypatch.setattr(g.Add, "KIND", "SUB")
    monkeypatch.setitem(tflite_write._WRITERS, "SUB", tflite_write._write_add)
    refused(graph, r"SUB \(operator 1\): not supported", "SUB (operator 1)")


def test_float_arithmetic() -> None:
    graph = small_network()
    for tensor in graph.tensors[3:]:
        tensor.dtype, tensor.quant = np.dtype("float32"), None
    with pytest.raises(FloatModelError, match=r"CONV_2D \(operator 0\)"):
        import_tflite(write_tflite(graph))


def test_float_border_without_quantize() -> None:
    graph = small_network()
    graph.tensors[0].dtype = np.dtype("float32")
    with pytest.raises(FloatModelError):
        import_tflite(write_tflite(graph))


def test_dequantize_inside() -> None:
    graph = small_network()
    graph.outputs.append(g.Border(3, "float", np.dtype("float32")))
    assert [b.tensor for b in import_tflite(write_tflite(graph)).outputs] == [5, 3]


@pytest.mark.parametrize(
    ("tensor", "change", "reason"),
    [
        (0, {"quant": None}, "needs one scale"),
        (0, {"quant": quant(0.0)}, "not a positive"),
        (0, {"quant": quant(-1.0)}, "not a positive"),
        (0, {"quant": quant(float("nan"))}, "not a positive"),
        (0, {"quant": quant(float("inf"))}, "not a positive"),
        (3, {"quant": quant(1.0, 200)}, "zero point 200"),
        (3, {"quant": quant([1.0] * 4, axis=3)}, "needs one scale"),
        (1, {"quant": quant(0.1, 3)}, "int8 weights with zero point 3"),
        (1, {"quant": quant([0.1] * 3, axis=0)}, "3 scales along dimension 0"),
        (1, {"quant": quant([0.1] * 3, axis=1)}, "scales per channel"),
        (1, {"quant": None}, "with scales"),
        (1, {"quant": quant(1e30)}, "overflow"),
        (2, {"data": np.zeros(3, np.int32), "shape": (3,)}, "bias"),
        (0, {"unsigned": True}, "mixed"),
        (3, {"shape": (1, 5, 5, 4)}, r"must have shape \(1, 6, 6, 4\)"),
        (0, {"shape": (2, 6, 6, 2)}, "batch 2"),
        (0, {"shape": (1, 6, 6, 3)}, "3 input channels do not divide into groups of 2"),
        (0, {"shape": (1, 6, 6, 1)}, "1 input channels do not divide into groups of 2"),
        (0, {"shape": (1, 6, 6, 6)}, "4 output channels do not divide into 3 groups"),
        (0, {"shape": (1, 6, 12)}, "4 dimensions"),
        (0, {"shape": (1, -1, 6, 2)}, "dynamic"),
        (3, {"quant": quant(1e-37)}, "activation|overflow"),
    ],
)
def test_refusals(tensor: int, change: dict, reason: str) -> None:
    graph = small_network()
    graph.tensors[tensor] = dataclasses.replace(graph.tensors[tensor], **change)
    refused(graph, reason)


def test_broadcasting_is_refused() -> None:
    graph = small_network()
    graph.tensors[0].shape = (1, 1, 1, 4)
    graph.tensors[0].data = np.zeros((1, 1, 1, 4), np.int8)
    graph.tensors[3].data = None
    graph.ops = [g.Add((3, 0), (4,), 0)]
    graph.inputs = [g.Border(3, "y", INT8)]
    graph.outputs = [g.Border(4, "z", INT8)]
    refused(graph, "broadcasting", "ADD (operator 0)")


def test_small_output_scale_of_add_is_refused() -> None:
    graph = small_network()
    graph.tensors[4].quant = quant(1e-6)
    refused(graph, "output scale too small", "ADD (operator 1)")


def test_concatenation_of_two_scales_is_refused() -> None:
    graph = small_network()
    graph.ops[1] = g.Concatenation((3, 3), (4,), 1, axis=3)
    graph.tensors[4].shape, graph.tensors[5].shape = (1, 6, 6, 8), (1, 288)
    refused(graph, "one scale and zero point", "CONCATENATION (operator 1)")


def test_operators_out_of_order() -> None:
    graph = small_network()
    graph.ops.reverse()
    refused(graph, "has no value yet")


def test_data_of_another_size() -> None:
    graph = small_network()
    graph.tensors[1].data = np.zeros(7, np.int8)
    with pytest.raises(TruncatedModelError, match="7 bytes of data"):
        import_tflite(write_tflite(graph))


def test_tensor_index_out_of_range() -> None:
    graph = small_network()
    graph.ops[2].inputs = (77,)
    with pytest.raises(TruncatedModelError, match="tensor 77"):
        import_tflite(write_tflite(graph))


def test_several_subgraphs() -> None:
    model = bytearray(write_tflite(small_network()))
    table = tflite.Model.GetRootAs(bytes(model))
    position = table._tab.Vector(table._tab.Offset(8)) - 4
    model[position] = 2
    with pytest.raises(UnsupportedError, match="2 subgraphs"):
        import_tflite(bytes(model))


def import_or_refuse(content: bytes) -> None:
    """The property of damaged files: a graph that runs, or a HostError on one line; nothing else."""
    try:
        graph = import_tflite(content)
    except HostError as error:
        assert error.message and "\n" not in str(error)
        return
    shapes = [graph.tensors[b.tensor].shape for b in graph.inputs]
    # Damage may blow a shape up; importing must survive that, the oracle's memory need not.
    if all(graph.tensors[i].elems < 1 << 16 for op in graph.ops for i in op.outputs):
        values = run_graph(graph, [np.zeros(shape, np.int8) for shape in shapes])
        assert all(values[b.tensor].shape == graph.tensors[b.tensor].shape for b in graph.outputs)


def test_every_truncation_of_a_small_file() -> None:
    content = write_tflite(small_network())
    for length in range(len(content)):
        import_or_refuse(content[:length])


@needs_shared
@pytest.mark.parametrize("name", ["kws_ref_model", "te_vww"])
def test_truncations_of_a_real_file(name: str) -> None:
    content = Path(SHARED, "models", f"{name}.tflite").read_bytes()
    for length in np.random.default_rng(0).integers(8, len(content), 60):
        with pytest.raises(HostError):
            import_tflite(content[:length])


SMALL = write_tflite(small_network())


@damage
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_byte_flips(flips: list[tuple[int, int]]) -> None:
    content = bytearray(SMALL)
    for position, value in flips:
        content[position] = value
    import_or_refuse(bytes(content))


@damage
@given(st.integers(0, len(SMALL) // 4 - 1), st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**24, 64]))
def test_word_flips(word: int, value: int) -> None:
    # Extreme lengths and offsets, which single bytes seldom make.
    content = bytearray(SMALL)
    content[word * 4 : word * 4 + 4] = value.to_bytes(4, "little")
    import_or_refuse(bytes(content))
