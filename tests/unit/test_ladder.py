"""The ladder without a device: which kernels a rung takes, what is drawn, and that nothing else takes its kernels."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image
from rich.console import Console

from host import boards, defs, plot
from host.bench import measure
from host.compile import compile_graph
from host.data import digits
from host.errors import InputError, OutputError
from host.ladder.climb import Ladder, RungResult, compile_rung
from host.ladder.rungs import all_rungs, select
from host.model.load import load_graph
from host.plan import choose
from host.report.ladder import draw_ladder, print_ladder
from host.report.result import Prediction
from tests.unit.test_plan import conv_chain

NAMES = [rung.name for rung in all_rungs()]
TEACHING = [name for name in defs.kernels() if "_ladder_" in name]


def climbed() -> Ladder:
    """A ladder that nobody ran: counts fall, the third rung does not fit, the last one is that before it."""
    results = []
    for number, rung in enumerate(all_rungs()):
        result = RungResult(rung, 10**9 >> number, 100, 5000 - number, 7000, True, kernels={"k": number})
        result.predictions = [Prediction("f746-itcm", 216_000_000, 10**8 >> number, 25, "for want of a chip")]
        results.append(result)
    results[2] = RungResult(all_rungs()[2], trouble="the arena needs at least 5 bytes, 4 are allowed")
    results[-1].kernels = results[-2].kernels
    return Ladder("net", "board", "instructions", "random:1", results)


def test_rungs_are_selected_by_name_in_their_order():
    assert [r.name for r in select("all")] == NAMES
    assert [r.name for r in select("tuned,naive")] == ["naive", "tuned"]
    with pytest.raises(InputError, match=r"'fast'.*naive"):
        select("naive,fast")


def test_each_rung_takes_its_own_kernels():
    board = boards.load_board("emu_stm32f405")
    kernels = {}
    for rung in all_rungs():
        net = compile_rung(conv_chain(), rung, board).net
        kernels[rung.name] = [
            s.kernel.split("_s8_hwc_")[-1] for s in net.steps if s.op in ("conv2d", "depthwise")
        ]
        assert all(s.kernel.endswith("_ref") for s in net.steps if s.op not in ("conv2d", "depthwise")) == (
            NAMES.index(rung.name) < NAMES.index("simd")
        )
    assert kernels["naive"] == ["ladder_naive"] * 2
    assert kernels["reorder"] == ["ladder_reordered"] * 2
    assert kernels["unroll"] == ["ladder_unrolled", "ladder_reordered"]
    assert kernels["im2col"] == ["ladder_im2col", "ladder_reordered"]
    assert kernels["simd"] == ["ladder_simd", "rows"]
    assert kernels["chw"] == kernels["in-place"] == kernels["indirect"] == ["ladder_simd", "planes_3x3"]
    assert kernels["winograd"][0].startswith("winograd")
    assert not any(name.startswith("ladder") for name in kernels["tuned"])


def test_only_rungs_in_place_let_tensors_overlap():
    board = boards.load_board("emu_stm32f405")
    graph = load_graph(digits.model_path())
    apart, shared = (compile_rung(graph, rung, board).net for rung in select("chw,in-place"))
    assert [s.kernel for s in apart.steps] == [s.kernel for s in shared.steps]
    assert shared.arena_bytes < apart.arena_bytes
    for step in apart.steps:
        out = apart.tensors[step.output]
        for source in (apart.tensors[i] for i in step.inputs):
            assert out.offset + out.bytes <= source.offset or source.offset + source.bytes <= out.offset


def test_nobody_else_takes_teaching_kernels():
    assert len(TEACHING) == 7
    for admits in (choose.any_kernel, choose.reference_only, choose.Patterns(("conv2d_*", "*naive"))):
        assert not any(map(admits, TEACHING))
    assert all(map(choose.Patterns(("*_ladder_*",)), TEACHING))
    step = compile_graph(conv_chain()).net.steps[0]
    assert not set(choose.candidates_of(step)) & set(TEACHING)
    admits = choose.admission("conv2d_*_ladder_naive")
    assert choose.candidates_of(step, admits) == ["conv2d_s8_hwc_ladder_naive"]
    with pytest.raises(InputError, match="no kernel is named"):
        choose.admission("*_naive")
    benched = [name for _, names in measure.select() for name in names]
    assert not set(benched) & set(TEACHING)
    assert measure.select(kernel="*_ladder_simd")


def test_the_json_object_has_every_rung():
    ladder = climbed()
    value = json.loads(json.dumps(ladder.to_json()))
    assert {k: value[k] for k in ("schema", "model", "board", "counter", "input")} == {
        "schema": 1, "model": "net", "board": "board", "counter": "instructions", "input": "random:1",
    }  # fmt: skip
    assert [r["name"] for r in value["rungs"]] == NAMES
    first, third = value["rungs"][0], value["rungs"][2]
    assert first["speedup"] == 1.0 and value["rungs"][1]["speedup"] == 2.0
    assert first["predictions"][0]["fps"] == pytest.approx(2.16)
    assert first["change"] and first["why"]
    assert third["count"] is None and third["speedup"] is None and "4 are allowed" in third["trouble"]


def test_the_table_tells_what_a_reader_might_stumble_over():
    console = Console(width=160, record=True)
    print_ladder(console, climbed(), explain=True)
    text = console.export_text()
    assert "does not fit: the arena needs" in text
    assert "tuned: the same kernels as before on this network, 1 bytes less arena" in text
    assert "modelled, not measured: f746-itcm at 216 MHz, ±25 %; for want of a chip" in text
    assert all(rung.change in text and rung.why in text for rung in all_rungs())


def test_a_plot_is_a_png_or_svg(tmp_path):
    png, svg, again = tmp_path / "l.png", tmp_path / "l.svg", tmp_path / "m.svg"
    for file in (png, svg, again):
        plot.check(str(file))
        plot.save(draw_ladder(climbed()), str(file))
    with Image.open(png) as image:
        image.verify()
        assert image.format == "PNG" and image.width > 1000
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert ">naive<" in svg.read_text() and svg.read_bytes() == again.read_bytes()
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        plot.check("l.pdf")
    with pytest.raises(OutputError, match="cannot write"):
        plot.save(draw_ladder(climbed()), str(tmp_path / "no" / "l.png"))
