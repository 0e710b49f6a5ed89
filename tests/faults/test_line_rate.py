"""The rates that transfers reach on a simulated line, and that inputs travel while the device computes."""

from __future__ import annotations

import pytest

from tests.faults.networks import nets
from tests.line_rate import frames_per_second, rates


@pytest.mark.parametrize("baud", [115_200, 921_600])
def test_transfers_reach_nine_tenths_of_the_line(baud):
    for rate in rates(baud, usb_s=0.001):
        assert 0.9 < rate.share < 1, rate


@pytest.mark.parametrize("baud", [115_200, 921_600])
def test_inputs_travel_while_the_device_computes(baud):
    device, one_by_one = frames_per_second(nets()[-1], baud, 0.05, pipelined=False)
    same, pipelined = frames_per_second(nets()[-1], baud, 0.05, pipelined=True)
    assert device == pytest.approx(same, rel=0.01)
    assert one_by_one < pipelined < device
    line = baud / 10 / nets()[-1].samples.tensors[0][0].nbytes
    assert pipelined > 0.85 * min(device, line), "the slower of the two is all that is left"
