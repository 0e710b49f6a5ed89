"""Exact slimming: the same outputs for every input, whatever was removed; and that it removes what it can."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from host.commands import inspect
from host.errors import UnsupportedError
from host.model import graph as g
from host.model.rewrites import rewrite
from host.model.slim import Slimming, filters, intervals, liveness, rebuild, slim
from host.model.slim.report import REASONS
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.oracle.run import run_graph
from tests import nets
from tests.litert import Reference
from tests.slim_nets import Builder, planted_graphs
from tests.unit.test_plan import check_natively

SHARED = Path(os.environ["TINYCONV_SHARED"]) if os.environ.get("TINYCONV_SHARED") else None
# MACs before and after slimming.
NETWORKS = {
    "ad01_int8": (264_192, 264_192),
    "kws_ref_model": (2_656_768, 2_656_768),
    "pretrainedResnet_quant": (12_501_632, 12_501_632),
    "te_vww": (11_578_816, 10_931_325),
    "vww_96_int8": (7_489_664, 3_727_313),
}
KINDS = ("uniform", "uniform", "extremes", "lowest", "highest")


def some_inputs(graph: g.Graph, seed: int = 0) -> list[list[np.ndarray]]:
    """Inputs of every kind."""
    rng = np.random.default_rng(seed)
    return [
        [nets.int8_data(rng, graph.tensors[b.tensor].shape, kind) for b in graph.inputs] for kind in KINDS
    ]


def check(graph: g.Graph, slimmed: g.Graph, slimming: Slimming, inputs: list[np.ndarray]) -> None:
    """All that is left of every tensor has its old value, and borders have their shapes."""
    whole, rest = run_graph(graph, inputs), run_graph(slimmed, inputs)
    for border in (*graph.inputs, *graph.outputs):
        assert border.tensor not in slimming.kept
    for op in slimmed.ops:
        (y,) = op.outputs
        assert rest[y].size and rest[y].shape == slimmed.tensors[y].shape
        wanted = slimming.remaining(y, whole[y])
        assert np.array_equal(rest[y], wanted), f"{op.kind} (operator {op.index})"
    for border in graph.outputs:
        assert np.array_equal(rest[border.tensor], whole[border.tensor])


def check_kinds(graph: g.Graph) -> tuple[g.Graph, Slimming]:
    """Slims the graph and checks it with inputs of every kind."""
    slimmed, slimming = slim(graph)
    for inputs in some_inputs(graph):
        check(graph, slimmed, slimming, inputs)
    return slimmed, slimming


def channels_of(graph: g.Graph, tensor: int) -> int:
    """Channels of an image."""
    return graph.tensors[tensor].shape[-1]


# Properties


@given(planted_graphs(), st.integers(0, 2**32 - 1))
def test_every_remaining_value_is_the_same(graph, seed):
    slimmed, slimming = slim(graph)
    for inputs in some_inputs(graph, seed):
        check(graph, slimmed, slimming, inputs)


@given(planted_graphs())
def test_slimming_again_removes_nothing(graph):
    # Of an image with one channel left that is then transposed, the second time may follow another axis.
    assume(not any(isinstance(op, g.Transpose) for op in graph.ops))
    slimmed, _ = slim(graph)
    again, slimming = slim(slimmed)
    assert again.total_macs == slimmed.total_macs
    assert slimming == Slimming()


@given(planted_graphs(), st.data())
def test_slimmed_networks_run_exactly_through_a_plan(graph, data):
    try:
        check_natively(graph, data.draw(nets.inputs_for(graph)))
    except UnsupportedError as refused:
        assert "operator" in str(refused)


@given(planted_graphs())
def test_litert_gives_the_same_for_the_slimmed_network(graph):
    slimmed, _ = slim(graph)
    inputs = some_inputs(graph)[0]
    whole = run_graph(graph, inputs)
    outputs = Reference(write_tflite(slimmed)).run(inputs)
    for border, got in zip(graph.outputs, outputs, strict=True):
        assert np.array_equal(got, whole[border.tensor])


@given(planted_graphs(), st.data())
def test_bounds_hold_and_constants_are_reached(graph, data):
    axes = rebuild.channel_axes(graph)
    found = intervals.analyse(graph, axes)
    values = run_graph(graph, data.draw(nets.inputs_for(graph)))
    for index, bounds in found.bounds.items():
        if graph.tensors[index].dtype == np.int8:
            value = np.moveaxis(np.atleast_1d(values[index]), axes[index], 0)
            value = value.reshape(len(value), -1)
            assert (bounds.low <= value.min(1)).all() and (value.max(1) <= bounds.high).all()


@given(st.data())
def test_networks_of_one_operator_keep_their_borders(data):
    graph = data.draw(nets.any_graph())
    slimmed, slimming = slim(graph)
    check(graph, slimmed, slimming, data.draw(nets.inputs_for(graph)))


def test_the_planted_networks_show_every_case():
    """The properties above would say little if their networks had nothing to remove."""
    reasons: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    gone: Counter[str] = Counter()

    @given(planted_graphs())
    @settings(max_examples=300, derandomize=True, database=None)
    def collect(graph):
        for layer in slim(graph)[1].layers:
            reasons.update(layer.reasons)
            kinds[layer.kind] += 1
            gone[layer.kind] += not layer.channels_after

    collect()
    assert set(reasons) == set(REASONS)
    assert set(kinds) >= {
        "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "CONCATENATION", "AVERAGE_POOL_2D", "MAX_POOL_2D",
        "MEAN", "PAD", "QUANTIZE", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE",
    }  # fmt: skip
    assert gone["CONV_2D"] and gone["ADD"]


# One case each


def constant_before(
    kernel: int, same: bool, zero_point: int, plant: str = "clamped high"
) -> tuple[g.Graph, int]:
    """Two channels, the first constant, before a convolution with all weights nonzero."""
    b = Builder(1, zero_point)
    x = b.input((1, 6, 5, 3))
    y = b.conv(x, 2, plants=[plant, "live"])
    return b.graph(b.conv(y, 2, kernel, same=same, plants=["live", "live"])), y


@pytest.mark.parametrize(("kernel", "same"), [(1, True), (3, False)])
def test_a_constant_folds_where_there_is_no_padding(kernel, same):
    graph, y = constant_before(kernel, same, 5)
    slimmed, slimming = check_kinds(graph)
    assert channels_of(slimmed, y) == 1
    assert slimming.layers[0].reasons == {"clamped": 1}


@pytest.mark.parametrize("plant", ["clamped high", "clamped low"])
def test_a_constant_before_padding_stays(plant):
    graph, y = constant_before(3, True, 5, plant)
    slimmed, _ = check_kinds(graph)
    assert channels_of(slimmed, y) == 2
    assert not slim(graph)[1].layers


def test_bounds_cover_every_window():
    """One tap in a corner of the kernel: windows at two borders see nothing of it, all others all."""
    b = Builder(13, -128)
    y = b.conv(b.input((1, 4, 4, 1)), 1, 3, plants=["live"])
    weights = b.tensors[b.ops[0].inputs[1]].data
    for corner in ((0, 0), (0, 2), (2, 0), (2, 2)):
        weights[:] = 0
        weights[(0, *corner, 0)] = 127
        graph = b.graph(b.conv(y, 1, plants=["live"]))
        found = intervals.analyse(graph, rebuild.channel_axes(graph)).sums[y]
        bias = int(b.tensors[b.ops[0].inputs[2]].data[0])
        assert (int(found.low[0]), int(found.high[0])) == (bias, bias + 127 * 255)
        check_kinds(graph)


def test_a_constant_at_the_zero_point_goes_even_before_padding():
    graph, y = constant_before(3, True, 127)
    slimmed, _ = check_kinds(graph)
    assert channels_of(slimmed, y) == 1


def test_a_constant_goes_where_padding_meets_only_zero_weights():
    graph, y = constant_before(3, True, 5)
    weights = graph.tensors[graph.ops[1].inputs[1]]
    centre = weights.data[:, 1, 1, 0].copy()
    weights.data[..., 0] = 0
    weights.data[:, 1, 1, 0] = centre | 1
    slimmed, _ = check_kinds(graph)
    assert channels_of(slimmed, y) == 1


@pytest.mark.parametrize(
    ("zero_point", "same", "left"), [(127, True, 1), (5, False, 1), (5, True, 2)], ids=str
)
def test_constants_through_a_depthwise_convolution(zero_point, same, left):
    """Away from the zero point, its padding makes another value at the border."""
    b = Builder(2, zero_point)
    y = b.conv(b.input((1, 6, 5, 3)), 2, plants=["clamped high", "live"])
    d = b.depthwise(y, 3, same=same, plants=["live", "live"])
    graph = b.graph(b.conv(d, 2, plants=["live", "live"]))
    slimmed, _ = check_kinds(graph)
    assert channels_of(slimmed, y) == channels_of(slimmed, d) == left


def test_a_channel_without_readers_dies_back_to_the_start():
    b = Builder(3, 0)
    x = b.input((1, 6, 6, 3))
    first = b.conv(x, 4, 3, plants=["live"] * 4)
    second = b.depthwise(first, plants=["live"] * 4)
    third = b.pool(second, g.MaxPool2D, 2, 2)
    last = b.conv(third, 2, plants=["live"] * 2)
    b.tensors[b.ops[-1].inputs[1]].data[..., 1] = 0
    slimmed, slimming = check_kinds(b.graph(last))
    assert [channels_of(slimmed, t) for t in (first, second, third, last)] == [3, 3, 3, 2]
    assert [layer.reasons for layer in slimming.layers] == [{"unread": 1}] * 3 + [{}]
    assert list(slimming.kept[first].channels) == [0, 2, 3]
    assert slimming.whole_index(first, (0, 5, 4, 2)) == (0, 5, 4, 3)
    assert slimming.whole_index(last, (0, 1, 1, 1)) == (0, 1, 1, 1)


def test_a_residual_addition_loses_a_channel_only_on_both_sides():
    for one_side in (False, True):
        b = Builder(4, 0)
        x = b.input((1, 5, 5, 2))
        trunk = b.conv(x, 3, plants=["zeros", "zeros", "live"])
        branch = b.conv(trunk, 3, plants=["zeros", "live" if one_side else "zeros", "live"])
        both = b.add(trunk, branch)
        graph = b.graph(b.conv(both, 2, 3, plants=["live"] * 2))
        slimmed, _ = check_kinds(graph)
        assert [channels_of(slimmed, t) for t in (trunk, branch, both)] == [2 if one_side else 1] * 3


def test_concatenation_loses_channels_and_whole_parts():
    b = Builder(5, 0)
    x = b.input((1, 4, 4, 3))
    parts = [b.conv(x, 2, plants=p) for p in (["live", "zeros"], ["zeros", "zeros"], ["zeros", "live"])]
    joined = b.concat(parts)
    slimmed, slimming = check_kinds(b.graph(b.conv(joined, 2, plants=["live"] * 2)))
    assert channels_of(slimmed, joined) == 2
    assert slimmed.ops[-2].inputs == (parts[0], parts[2])
    assert [layer.channels_after for layer in slimming.layers[:3]] == [1, 0, 1]


def test_flattened_channels_take_their_columns_along():
    b = Builder(6, 5)
    y = b.conv(b.input((1, 3, 4, 2)), 3, plants=["live", "clamped high", "live"])
    flat = b.reshape(y, (1, 36))
    slimmed, slimming = check_kinds(b.graph(b.dense(flat, 2, plants=["live"] * 2)))
    assert slimmed.tensors[flat].shape == (1, 24)
    assert list(slimming.kept[flat].channels[:4]) == [0, 2, 3, 5]
    assert slimmed.tensors[slimmed.ops[-1].inputs[1]].shape == (2, 24)


def test_transposed_channels_are_followed():
    b = Builder(7, 5)
    y = b.conv(b.input((1, 3, 4, 2)), 3, plants=["live", "zeros with bias", "live"])
    turned = b.transpose(y, (0, 3, 1, 2))
    pooled = b.mean(b.mean(turned, (3,), False), (2,), False)
    slimmed, _ = check_kinds(b.graph(b.dense(pooled, 2, plants=["live"] * 2)))
    assert slimmed.tensors[turned].shape == (1, 2, 3, 4)


def test_padded_channels_are_constants_at_the_zero_point():
    b = Builder(8, 0)
    y = b.pad(b.input((1, 3, 3, 2)), ((0, 0), (0, 0), (0, 0), (1, 2)))
    slimmed, _ = check_kinds(b.graph(b.conv(y, 2, 3, plants=["live"] * 2)))
    assert channels_of(slimmed, y) == 2
    assert slimmed.ops[0].pads[3] == (0, 0)


def test_a_network_of_constants_keeps_one_channel_of_each_layer():
    b = Builder(9, 5)
    x = b.input((1, 3, 3, 2))
    first = b.conv(x, 3, plants=["clamped high"] * 3)
    second = b.conv(first, 3, plants=["live"] * 3)
    slimmed, _ = check_kinds(b.graph(second))
    assert [channels_of(slimmed, t) for t in (first, second)] == [1, 3]
    check_natively(b.graph(second), some_inputs(b.graph(second))[0])


def test_operators_that_no_output_needs_disappear():
    b = Builder(10, 0)
    x, unused = b.input((1, 3, 3, 2)), b.input((1, 3, 3, 2))
    b.depthwise(b.conv(unused, 3, plants=["live"] * 3), plants=["live"] * 3)
    y = b.conv(x, 2, plants=["live"] * 2)
    slimmed, slimming = check_kinds(b.graph(y))
    assert [op.outputs for op in slimmed.ops] == [(y,)]
    assert [layer.channels_after for layer in slimming.layers] == [0, 0]
    check_natively(b.graph(y), some_inputs(b.graph(y))[0])


def test_constant_rows_free_the_channels_that_only_they_read():
    """A constant that must stay, here an output, still needs no input."""
    b = Builder(11, 0)
    y = b.conv(b.input((1, 3, 3, 2)), 2, plants=["live"] * 2)
    z = b.conv(y, 2, plants=["live", "clamped high"])
    b.tensors[b.ops[-1].inputs[1]].data[0, 0, 0] = (3, 0)  # channel 1 of y: read by the constant row only
    slimmed, _ = check_kinds(b.graph(z))
    assert channels_of(slimmed, y) == 1


def test_not_slimmed_is_whole():
    graph, _ = constant_before(1, True, 5)
    whole, slimming = rewrite(graph, slimmed=False)
    assert whole.total_macs == graph.total_macs > rewrite(graph)[0].total_macs
    assert slimming == Slimming()


def test_the_original_is_left_alone():
    graph, _ = constant_before(1, True, 5)
    before = [(t.shape, None if t.data is None else t.data.tobytes()) for t in graph.tensors]
    slim(graph)
    assert [(t.shape, None if t.data is None else t.data.tobytes()) for t in graph.tensors] == before


# Mutations: what would be wrong is caught


def test_a_constant_folded_through_padding_is_caught(monkeypatch):
    graph, _ = constant_before(3, True, 5)
    monkeypatch.setattr(liveness, "_uniform", lambda filter, column: np.array([True]))
    with pytest.raises(AssertionError, match="through padding"):
        slim(graph)


def test_padding_that_is_forgotten_is_caught(monkeypatch):
    graph, _ = constant_before(3, True, 5)
    monkeypatch.setattr(
        filters, "_inside", lambda size, out, kernel, stride, dilation, before: np.ones((1, kernel))
    )
    with pytest.raises(AssertionError, match="CONV_2D"):
        check_kinds(graph)


def test_bounds_that_are_too_narrow_are_caught(monkeypatch):
    b = Builder(12, 0)
    y = b.conv(b.input((1, 3, 3, 1)), 2, plants=["live"] * 2)
    b.tensors[b.ops[0].inputs[1]].data[:] = 100
    b.ops[0].activation = "RELU"
    graph = b.graph(b.conv(y, 2, plants=["live"] * 2))
    check_kinds(graph)
    narrow = intervals.Bounds(np.array([-128]), np.array([-1]))
    monkeypatch.setattr(intervals, "_everything", lambda channels: narrow)
    with pytest.raises(AssertionError):
        check_kinds(graph)


def test_a_channel_wrongly_unread_is_caught(monkeypatch):
    graph, _ = constant_before(1, True, 5)
    monkeypatch.setattr(
        liveness,
        "_reads",
        lambda graph, op, intervals: np.zeros(intervals.filters[op.outputs[0]].weights.shape[2:], bool),
    )
    with pytest.raises(AssertionError):
        check_kinds(graph)


# Real networks


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("network", NETWORKS)
def test_real_networks(network):
    graph, _ = rewrite(import_tflite(SHARED / "models" / f"{network}.tflite"), slimmed=False)
    start = time.perf_counter()
    slimmed, slimming = slim(graph)
    assert time.perf_counter() - start < 1
    assert (graph.total_macs, slimmed.total_macs) == NETWORKS[network]
    assert sum(x.macs_before - x.macs_after for x in slimming.layers) == graph.total_macs - slimmed.total_macs
    for inputs in some_inputs(graph):
        check(graph, slimmed, slimming, inputs)
    check_natively(graph, some_inputs(graph)[0])


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
def test_vww_loses_half_of_its_work():
    before, after = NETWORKS["vww_96_int8"]
    assert after < 0.55 * before


# Reports


def test_inspect_tells_what_was_removed_and_why(tmp_path):
    graph, _ = constant_before(1, True, 5)
    file = tmp_path / "planted.tflite"
    file.write_bytes(write_tflite(graph))
    described = {
        option: json.loads(CliRunner().invoke(inspect.command, [str(file), option, "--json", "-"]).stdout)
        for option in ("--slim", "--no-slim")
    }
    assert described["--no-slim"]["slimming"] == []
    assert described["--no-slim"]["macs"] == described["--slim"]["macs_original"] == graph.total_macs
    first, second = described["--slim"]["slimming"]
    assert (first["channels"], first["removed"]) == ([2, 1], {"clamped": 1})
    assert (second["channels"], second["macs"], second["removed"]) == ([2, 2], [120, 60], {})
    text = CliRunner().invoke(inspect.command, [str(file)]).stdout
    assert "removed exactly" in text and "1 clamped" in text
