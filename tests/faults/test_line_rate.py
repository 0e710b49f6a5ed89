"""The rates that transfers reach on a simulated line, and that inputs travel while the device computes."""

from __future__ import annotations

import pytest

from tests.faults.networks import nets, picture
from tests.line_rate import frames_per_second, rates


@pytest.mark.parametrize("baud", [115_200, 921_600])
def test_transfers_reach_nine_tenths_of_the_line(baud):
    for rate in rates(baud, usb_s=0.001):
        assert 0.9 < rate.share < 1, rate


@pytest.mark.parametrize("baud", [115_200, 921_600])
@pytest.mark.parametrize(("net", "step_s"), [(nets()[-1], 0.05), (picture(), 0.13), (picture(), 1.1)])
def test_inputs_travel_while_the_device_computes(net, step_s, baud):
    device, one_by_one = frames_per_second(net, baud, step_s, pipelined=False)
    same, pipelined = frames_per_second(net, baud, step_s, pipelined=True)
    assert device == pytest.approx(same, rel=0.01)
    assert one_by_one < pipelined < device
    line = baud / 10 / net.samples.tensors[0][0].nbytes
    assert pipelined > 0.85 * min(device, line), "the slower of the two is all that is left"


def test_without_room_for_the_next_input_only_a_part_of_it_travels():
    narrow = picture().compiled.net.arena_bytes + 4096
    _, wide = frames_per_second(picture(), 921_600, 0.13, pipelined=True)
    _, part = frames_per_second(picture(), 921_600, 0.13, pipelined=True, pools=(narrow,))
    _, none = frames_per_second(picture(), 921_600, 0.13, pipelined=False, pools=(narrow,))
    assert none < part < 0.8 * wide
