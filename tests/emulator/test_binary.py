"""Binary layers on the device where every count is at its limit: assembly adds them in narrow fields."""

from __future__ import annotations

import numpy as np
import pytest

from host import defs
from host.model.builder import Builder
from tests.emulator.test_kernels import check_on_device

CONV = [k.name for k in defs.kernels().values() if k.op == "binary_conv2d"]


@pytest.mark.parametrize("kernel", CONV)
@pytest.mark.parametrize(("side", "channels", "size"), [(5, 224, 1), (5, 1056, 1), (6, 96, 3)])
def test_all_bits_differ_or_none(dut, kernel: str, side: int, channels: int, size: int) -> None:
    weights = np.ones((3, size, size, channels), int)
    weights[1] = -1
    weights[2, ..., ::2] = -1
    net = Builder("limits")
    x = net.input((side, side, channels), scale=1.0)
    net.output(net.binary_conv2d(net.binarize(x), weights, 119.7 / weights[0].size, scale=1.0))
    graph = net.graph()

    def admits(name: str) -> bool:
        return name == kernel or defs.kernels()[name].op != "binary_conv2d"

    for value in (-1, 1):
        check_on_device(dut, graph, [np.full((1, side, side, channels), value, np.int8)], admits)
