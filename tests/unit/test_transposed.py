"""Transposed convolution on the host: free padding, the rewrite of stride 1, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from host.compile import compile_graph
from host.errors import UnsupportedError
from host.model import graph as g
from host.model import tflite_write
from host.model.rewrites import flip_transposed
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.oracle.run import run_graph
from host.plan.lower import lower
from tests import nets
from tests.litert import Reference

INT8, INT32 = np.dtype("int8"), np.dtype("int32")


def network(
    size: tuple[int, int] = (3, 4),
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (2, 2),
    padding: g.Padding | None = None,
    out: tuple[int, int] = (6, 8),
) -> g.Graph:
    """2 channels to 3; the default is SAME."""
    rng = np.random.default_rng(1)
    tensors = [
        g.Tensor("x", (1, *size, 2), INT8, nets.make_quant(0.05, 7)),
        g.Tensor("w", (3, *kernel, 2), INT8, nets.make_quant(np.array([0.01, 0.02, 0.03]), 0),
                 rng.integers(-127, 128, (3, *kernel, 2)).astype(np.int8)),
        g.Tensor("b", (3,), INT32, nets.make_quant(0.0005, 0), np.array([900, -900, 0], np.int32)),
        g.Tensor("y", (1, *out, 3), INT8, nets.make_quant(0.2, -4)),
    ]  # fmt: skip
    op = g.TransposedConv2D((0, 1, 2), (3,), 0, stride, padding or g.Padding())
    return nets.one_operator("transposed", tensors, op)


def flipped(graph: g.Graph) -> g.Graph:
    graph = graph.copy()
    flip_transposed(graph)
    return graph


@settings(deadline=None)
@given(data=st.data())
def test_any_padding_is_a_part_of_what_litert_has(data: st.DataObject) -> None:
    """LiteRT's VALID on an output that begins at the first product and holds the part that is left of it."""
    graph = data.draw(nets.STRATEGIES["transposed_conv2d_free"]())
    op, x, y = graph.ops[0], graph.tensors[0], graph.tensors[2]
    (top, left), kernel = (op.padding.top, op.padding.left), graph.tensors[1].shape[1:3]
    (_, h, w, _), (_, oh, ow, oc) = x.shape, y.shape
    whole = tuple((n - 1) * s + k for n, s, k in zip((h, w), op.stride, kernel, strict=True))
    inner = (min(oh, whole[0] - top), min(ow, whole[1] - left))
    assume(min(inner) > 0)
    valid = graph.copy()
    valid.tensors[2].shape = (1, *whole, oc)
    valid.ops[0] = dataclasses.replace(op, padding=g.Padding())
    inputs = data.draw(nets.inputs_for(graph))
    reference = Reference(write_tflite(valid))
    reference.run(nets.file_inputs(valid, inputs))
    expected = reference.tensor(2)[:, top:, left:][:, : inner[0], : inner[1]]
    np.testing.assert_array_equal(run_graph(graph, inputs)[2][:, : inner[0], : inner[1]], expected)


@settings(deadline=None)
@given(data=st.data())
def test_stride_1_is_a_convolution(data: st.DataObject) -> None:
    graph = data.draw(
        nets.STRATEGIES[data.draw(st.sampled_from(["transposed_conv2d", "transposed_conv2d_free"]))]()
    )
    rewritten = flipped(graph)
    assert type(graph.ops[0]) is g.TransposedConv2D
    if graph.ops[0].stride != (1, 1):
        assert rewritten.ops == graph.ops
    inputs = data.draw(nets.inputs_for(graph))
    np.testing.assert_array_equal(run_graph(rewritten, inputs)[2], run_graph(graph, inputs)[2])


@pytest.mark.parametrize(
    ("padding", "out", "is_flipped"),
    [
        (g.Padding(1, 1, 1, 1), (3, 4), True),
        (g.Padding(), (5, 6), True),
        (g.Padding(top=2, left=2), (1, 2), True),
        (g.Padding(top=3), (2, 6), False),  # a crop
        (g.Padding(), (6, 6), False),  # output padding
        (g.Padding(top=2, left=2), (1, 1), False),
    ],
)
def test_what_is_flipped(padding: g.Padding, out: tuple[int, int], is_flipped: bool) -> None:
    graph = network(stride=(1, 1), padding=padding, out=out)
    rewritten = flipped(graph)
    assert type(rewritten.ops[0]) is (g.Conv2D if is_flipped else g.TransposedConv2D)
    kernels = [step.op for step in compile_graph(graph).net.steps]
    assert kernels == ["conv2d" if is_flipped else "transposed_conv2d"]


def test_weights_that_another_operator_reads_stay_as_they_are() -> None:
    graph = network(stride=(1, 1), padding=g.Padding(1, 1, 1, 1), out=(3, 4))
    before = graph.tensors[1].data.copy()
    rewritten = flipped(graph)
    np.testing.assert_array_equal(rewritten.tensors[1].data, before)
    assert graph.ops[0].inputs == (0, 1, 2) and len(graph.tensors) == 4


def test_macs_are_those_of_the_adjoint_convolution() -> None:
    graph = network()
    assert graph.total_macs == 3 * 4 * 2 * 3 * 3 * 3
    assert lower(graph).macs == graph.total_macs


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(out=(7, 8)), r"an output of \(7, 8\) belongs to an input of \(4, 4\), not \(3, 4\)"),
        (dict(out=(6, 3)), r"an output of \(6, 3\) belongs to an input of \(3, 2\), not \(3, 4\)"),
    ],
)
def test_sizes_that_do_not_belong_together_are_refused(
    changes, reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite_write, "_adjoint_scheme", lambda *_: 0)
    with pytest.raises(UnsupportedError, match=rf"TRANSPOSE_CONV \(operator 0\): {reason}"):
        import_tflite(write_tflite(network(**changes)))


@pytest.mark.parametrize(
    ("tensor", "change", "reason"),
    [
        (0, dict(shape=(1, 3, 4, 5)), "5 input channels, weights for 2"),
        (1, dict(quant=nets.make_quant(0.1, 3)), "zero point 3"),
        (1, dict(quant=nets.make_quant(np.full(2, 0.1), 0, axis=3)), "for the output channels"),
        (2, dict(data=np.zeros(2, np.int32), shape=(2,)), "bias"),
        (3, dict(quant=nets.make_quant(1e-12, 0)), "overflow"),
    ],
)
def test_refusals_of_the_importer(tensor: int, change: dict, reason: str) -> None:
    graph = network()
    graph.tensors[tensor] = dataclasses.replace(graph.tensors[tensor], **change)
    with pytest.raises(UnsupportedError, match=reason):
        import_tflite(write_tflite(graph))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (np.array([6, 8, 3]), "4 numbers"),
        (np.array([1, 6, 9, 3]), "must have shape"),
        (np.array([1, 6, 8, 3], np.int8), "input 0 must be an int32 constant"),
    ],
)
def test_a_wrong_output_shape_is_refused(shape, reason, monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(file, name, _values):
        dtype = INT8 if shape.dtype == np.int8 else INT32
        return file.add(tflite_write._FileTensor(name, shape.shape, dtype, data=shape.astype(dtype)))

    monkeypatch.setattr(tflite_write._File, "constant", constant)
    with pytest.raises(UnsupportedError, match=reason):
        import_tflite(write_tflite(network()))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_free_padding_is_written_as_a_wider_kernel_with_sames(data: st.DataObject) -> None:
    graph = data.draw(nets.STRATEGIES["transposed_conv2d_free"]())
    (_, h, w, _), (sh, sw) = graph.tensors[0].shape, graph.ops[0].stride
    out = [data.draw(st.integers((n - 1) * s + 1, n * s)) for n, s in ((h, sh), (w, sw))]
    graph.tensors[2].shape = (1, *out, graph.tensors[2].shape[3])
    content = write_tflite(graph)
    again = import_tflite(content)
    inputs = data.draw(nets.inputs_for(graph))
    reference = Reference(content)
    (wanted,) = reference.run(nets.file_inputs(graph, inputs))
    got = run_graph(again, inputs)[again.outputs[0].tensor]
    np.testing.assert_array_equal(got, run_graph(graph, inputs)[2])
    np.testing.assert_array_equal(got, reference.tensor(graph.outputs[0].tensor))
    assert wanted.shape == got.shape


def test_an_output_of_another_size_has_no_place_in_a_file() -> None:
    with pytest.raises(UnsupportedError, match="neither SAME's nor VALID's"):
        write_tflite(network(padding=g.Padding(top=1), out=(7, 8)))


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (network(padding=g.Padding(top=-1)), "negative padding"),
        (network(padding=g.Padding(left=70000), out=(6, 8)), "pad_left is out of the range"),
        (network(stride=(70000, 1)), "stride_h is out of the range"),
    ],
)
def test_refusals_of_the_compiler(graph: g.Graph, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"operator 0 \(TRANSPOSE_CONV.*{reason}"):
        compile_graph(graph)


def test_a_batch_is_refused() -> None:
    graph = network()
    graph.tensors[0].shape, graph.tensors[3].shape = (2, 3, 4, 2), (2, 6, 8, 3)
    with pytest.raises(UnsupportedError, match="batch"):
        compile_graph(graph)
