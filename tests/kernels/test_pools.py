"""Pools over more pixels than the sums of one lane hold."""

from __future__ import annotations

import numpy as np
import pytest

from host import defs, native
from tests.kernels.test_twins import expect_same

LANES, REF = "average_pool_s8_hwc_lanes", "average_pool_s8_hwc_ref"


@pytest.mark.parametrize(("h", "w"), [(15, 17), (16, 16), (1, 255), (1, 257), (17, 30), (23, 23)])
@pytest.mark.parametrize("value", [-128, 127, None])
def test_windows_of_about_255_pixels_and_more(h, w, value, sanitized):
    rng = np.random.default_rng(h)
    for in_c, kernel_w, half_up in ((4, w, 0), (7, w - 1, 1), (9, w, 1)):
        params = defs.operators()["average_pool"].pack(
            in_h=h, in_w=w, in_c=in_c, out_h=1, out_w=w - kernel_w + 1, kernel_h=h, kernel_w=kernel_w,
            stride_h=1, stride_w=1, pad_top=0, pad_left=0, clamp_min=-128, clamp_max=127, half_up=half_up,
        )  # fmt: skip
        assert native.params_valid("average_pool", params) is None
        data = rng.integers(-128, 128, h * w * in_c).astype(np.int8)
        if value is not None:
            data[:] = value
        size = (w - kernel_w + 1) * in_c
        expected = native.run(REF, params, [data], b"", b"", size)
        got = sanitized.run(LANES, params, [data.tobytes()], b"", b"", bytes(size))
        expect_same(got, expected, f"{h}x{w} of {in_c}")
