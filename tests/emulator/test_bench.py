"""The bench on a few small shapes: counts, comparison with a saved bench, and no number for a wrong kernel."""

from __future__ import annotations

import json

import numpy as np
import pytest

from host import defs, errors
from host.bench import compare, measure
from host.bench.cases import all_cases
from host.plan import choose
from host.plan.costs import Costs, keep, load
from tests.emulator.test_cli import host

BOARD = "emu_stm32f405"
SHAPES = ("fc 64->12", "add 3x3 96", "transpose [0-9]*")


def benched(**options) -> measure.Bench:
    return measure.bench(
        BOARD, [entry for shape in SHAPES for entry in measure.select(case=shape)], **options
    )


@pytest.fixture(scope="module")
def once() -> measure.Bench:
    return benched()


def test_every_operator_has_a_shape_and_every_shape_a_kernel():
    assert {case.op for case in all_cases()} == set(defs.operators())
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    for case in all_cases():
        kernels = [k.name for k in defs.kernels().values() if k.op == case.op and choose.any_kernel(k.name)]
        assert any(measure.compiled_with(case, kernel) for kernel in kernels), case.name
        assert [x.tobytes() for x in case.inputs()] == [x.tobytes() for x in case.inputs()]


def test_outputs_of_the_shapes_are_not_all_at_the_borders():
    """A kernel that mixes up channels must not be right by saturation."""
    from host.oracle.run import run_graph

    for case in all_cases():
        if case.op in ("conv2d", "depthwise", "fully_connected") and np.prod(case.inputs()[0].shape) < 5000:
            graph = case.graph()
            values = run_graph(graph, case.inputs())[graph.outputs[0].tensor]
            assert len(np.unique(values)) > min(20, values.size // 4)
            assert np.mean(values == 127) < 0.2


def test_counts_are_exact_and_repeatable(once):
    assert {r.case for r in once.results} == {"fc 64->12", "add 3x3 96", "transpose 3x3 160"}
    supported = {k.name for k in defs.kernels().values() if k.op == "transpose"}
    assert {r.kernel for r in once.results if r.op == "transpose"} <= supported
    for r in once.results:
        assert r.exact is True and r.count and not r.trouble
        assert r.macs == (768 if r.op == "fully_connected" else 0)
        assert r.rate == r.count / r.work
    assert [r.count for r in benched().results] == [r.count for r in once.results]


def test_a_wrong_kernel_gets_no_number(monkeypatch):
    right = measure.run_graph
    monkeypatch.setattr(
        measure, "run_graph", lambda graph, x: {k: v.copy() ^ 1 for k, v in right(graph, x).items()}
    )
    result = benched()
    assert result.wrong == result.results
    assert all(r.count is None and r.rate is None and "wrong" in r.trouble for r in result.results)


def test_changes_are_found(once, tmp_path):
    file = tmp_path / "saved.json"
    saved = once.to_json()
    file.write_text(json.dumps(saved))
    assert compare.changes(once, compare.load(file)) == []
    saved["results"][0]["count"] -= 10
    saved["results"][1]["count"] += 1000
    worst, best = compare.changes(once, saved)
    assert worst.result is once.results[0] and worst.percent > 0 > best.percent
    with pytest.raises(errors.InputError, match="emu_cortex_m7"):
        compare.changes(once, {**saved, "board": "emu_cortex_m7"})
    with pytest.raises(errors.InputError, match="of icache True, this one of False"):
        compare.changes(once, {**saved, "conditions": {**saved["conditions"], "icache": True}})
    file.write_text("{}")
    with pytest.raises(errors.InputError, match="--save"):
        compare.load(file)


def test_the_command_flags_a_regression(tmp_path):
    file, arguments = tmp_path / "saved.json", ("bench", "--shape", "fc 64->12", "--kernel", "*_ref")
    done = host(*arguments, "--save", file, "--cycles", "--flash", "l4r5")
    assert done.returncode == 0, done.stderr
    assert "cycles modelled on l4r5" in done.stdout
    saved = json.loads(file.read_text())
    (result,) = saved["results"]
    assert result["cycles"] > result["count"] > 0
    assert host(*arguments, "--compare", file).returncode == 0
    result["count"] = round(0.9 * result["count"])
    file.write_text(json.dumps(saved))
    done = host(*arguments, "--compare", file)
    assert done.returncode == errors.RegressionError.exit_status
    assert "fully_connected_s8_flat_ref on fc 64->12: +11." in done.stderr
    assert host(*arguments, "--compare", file, "--threshold", "15").returncode == 0


def test_results_are_added_to_a_table_of_costs(once, tmp_path):
    file = tmp_path / "costs.json"
    keep(Costs(once.counter, "before", {"other shape=1": {"a_kernel": 5}}, {"other shape=1": 1}), file)
    done = host("bench", "--shape", "fc 64->12", "--costs", file)
    assert done.returncode == 0, done.stderr
    table = load(file.read_text())
    (shape,) = set(table.entries) - {"other shape=1"}
    assert shape == "fully_connected rows=1 in_c=64 out_c=12"
    assert table.entries[shape] == {r.kernel: r.count for r in once.results if r.case == "fc 64->12"}
    assert table.entries["other shape=1"] == {"a_kernel": 5}
    file.write_text("[]")
    done = host("bench", "--shape", "fc 64->12", "--costs", file)
    assert done.returncode == errors.InputError.exit_status and "no table of costs" in done.stderr
