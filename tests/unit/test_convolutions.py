"""compare-conv without a device: the shapes of the networks, how they are made to fit, what is drawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest
from rich.console import Console

from host import boards, defs, plot
from host.bench.convolutions import METHODS, Comparison, Comparisons, Room, compare, fit, room_of, select
from host.bench.measure import Bench, Result
from host.bench.networks import Shape, all_shapes
from host.compile import compile_graph
from host.report.convolutions import draw_comparisons, print_comparisons

ROOM = room_of(boards.load_board("emu_stm32f405"), None)
# How often each shape occurs, and the MACs of all of them, for a picture of 224x224.
RESNET18_TIMES = (1, 4, 1, 1, 3, 1, 1, 3, 1, 1, 3)
RESNET18_MACS = 1_813_561_344


def results(shape: Shape) -> Comparison:
    """Results that nobody measured: every way takes a tenth of a count a MAC more than the one before."""
    compared = Comparison(shape, fit(shape, ROOM), 1)
    for number, method in enumerate(METHODS, 1):
        count = shape.macs * number // 10
        compared.results[method] = Result(
            "case", "conv2d", method, shape.macs, 1, count, None, 5000, 100 * number, True
        )
    return compared


def compared() -> Comparisons:
    bench = Bench("board", "instructions", {}, "", "", "", None, [])
    return Comparisons(
        bench, [results(shape) for shape in (*select("resnet18", "1x1*"), *select("squeeze*", "1x1 13*"))]
    )


def test_the_shapes_are_those_of_the_networks():
    resnet = select("resnet18")
    assert sum(n * s.macs for n, s in zip(RESNET18_TIMES, resnet, strict=True)) == RESNET18_MACS
    squeezenet = select("squeezenet1.0")
    assert len(squeezenet) == 22 and len(all_shapes()) == 33
    assert len({str(s) for s in squeezenet}) == 22
    assert [str(s) for s in select(shape="3x3 s2 56*")] == ["3x3 s2 56x56 64->128"]
    for shape in all_shapes():
        (step,) = compile_graph(Shape("", "", 14, 4, 4, shape.kernel, shape.stride).case().graph()).net.steps
        assert step.out_shape[1] == -(-14 // shape.stride)
    kernels = {kernel for groups in METHODS.values() for group in groups for kernel in group}
    assert kernels <= set(defs.kernels())


def test_shapes_are_halved_until_they_fit():
    small = Shape("", "", 14, 64, 64, 3)
    assert fit(small, ROOM) is small
    wide = fit(Shape("", "", 56, 64, 64, 3), ROOM)
    assert (wide.size, wide.in_c, wide.out_c) == (28, 64, 64)
    deep = fit(Shape("", "", 7, 512, 512, 3), ROOM)
    assert (deep.size, deep.in_c, deep.out_c) == (7, 128, 128)
    streamed = Room(ROOM.ram_bytes, 0, True)
    less = fit(Shape("", "", 56, 64, 64, 3), streamed)
    assert less.size < 56 and less.in_c < 64
    for method, groups in METHODS.items():
        if method != "gemm":
            assert any(streamed.holds(less.case(), kernel) for group in groups for kernel in group)


def test_the_json_object_tells_scaling_and_memory():
    value = json.loads(json.dumps(compared().to_json()))
    assert value["schema"] == 1 and value["counter"] == "instructions"
    first = value["shapes"][0]
    assert first["shape"] == "1x1 s2 56x56 64->128" and first["scaling"] == "image 56 to 28"
    assert first["im2col_matrix_bytes"] == 28 * 28 * 64 and first["run_im2col_matrix_bytes"] == 14 * 14 * 64
    assert first["methods"]["indirect"]["scratch_bytes"] == 300
    assert set(first["methods"]) == set(METHODS)


def test_means_are_of_shapes_that_both_ways_can_do():
    result = compared()
    assert result.ratio("indirect", "im2col", spatial=True) == pytest.approx(1.5, rel=1e-4)
    del result.shapes[0].results["indirect"]
    assert result.ratio("indirect", "im2col", spatial=False) == pytest.approx(1.5, rel=1e-4)
    for shape in result.shapes:
        shape.results.pop("winograd")
    assert result.ratio("winograd", "im2col", spatial=True) is None


def test_the_table_and_the_figure_have_every_shape(tmp_path):
    result = compared()
    console = Console(width=160, record=True)
    print_comparisons(console, result)
    text = console.export_text()
    for shape in result.shapes:
        assert str(shape.shape) in text
    assert "resnet18 on board" in text and "squeezenet1.0 on board" in text and "images are halved" in text
    assert "indirect takes 1.50 times what im2col takes" in text
    file = tmp_path / "c.svg"
    plot.save(draw_comparisons(result), str(file))
    assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert ">winograd<" in file.read_text()


def test_a_case_that_ways_share_is_run_once(monkeypatch):
    """A device is asked once, for all cases that differ."""
    asked = []

    def bench(board, selection, **_):
        asked.append(selection)
        found = [
            Result(case.name, case.op, kernel, 100, 1, 50, None, 1, 1, True)
            for case, kernels in selection
            for kernel in kernels
        ]
        return Bench(board.id, "instructions", {}, "", "", "", None, found)

    monkeypatch.setattr("host.bench.convolutions.bench", bench)
    done = compare(boards.load_board("emu_stm32f405"), select(shape="1x1 13x13 64*"))
    # a 1x1 convolution is the product already
    (((case, kernels),),) = asked
    assert case.name == "pointwise 13x13 64->256" and len(kernels) == 3
    assert set(done.shapes[0].results) == {"gemm", "im2col", "indirect"}
