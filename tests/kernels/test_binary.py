"""Binary kernels where counts are extreme, where words and chunks end, and a network with a real-valued shortcut."""

from __future__ import annotations

import numpy as np
import pytest

from host import defs, native
from host.model import graph as g
from host.model.builder import Builder
from host.oracle.binary import pack_bits
from tests.unit.test_plan import check_natively

CONV = [k.name for k in defs.kernels().values() if k.op == "binary_conv2d"]
FULL = 1 << 22


def params(in_h: int, in_w: int, in_c: int, out_c: int, kernel: int, **fields: int) -> dict[str, int]:
    """A convolution with SAME padding of +1 whose int8 output is the sum."""
    products = kernel * kernel * in_c
    lift = 30 - products.bit_length()
    values = dict(
        in_h=in_h, in_w=in_w, in_c=in_c, out_h=in_h, out_w=in_w, out_c=out_c, kernel_h=kernel, kernel_w=kernel,
        stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, pad_top=kernel // 2, pad_left=kernel // 2,
        zero_padding=0, output_bits=0, sum_min=-FULL, sum_max=FULL, lift=lift, down=0,
    )  # fmt: skip
    return values | fields


def run(
    kernel: str, p: dict[str, int], x: np.ndarray, w: np.ndarray, records: np.ndarray
) -> np.ndarray | None:
    """The kernel's output bytes for bool [h,w,c] and [oc,kh,kw,c]; None if it does not support the shape."""
    packed = defs.operators()["binary_conv2d"].pack(**p)
    assert native.params_valid("binary_conv2d", packed) is None
    if not native.supports(kernel, packed):
        return None
    _, out = native.tensor_bytes("binary_conv2d", packed)
    blobs = (pack_bits(w).tobytes(), records.astype("<i4").tobytes())
    return native.run(kernel, packed, [pack_bits(x).tobytes()], *blobs, out)


@pytest.mark.parametrize("kernel", CONV)
@pytest.mark.parametrize(
    ("in_c", "kernel_size"), [(32, 1), (224, 1), (256, 1), (65504, 1), (4096, 3), (64, 3), (33, 5)]
)
@pytest.mark.parametrize("same", [True, False])
def test_all_bits_equal_or_none(kernel: str, in_c: int, kernel_size: int, same: bool) -> None:
    """Thresholds next to the only sum there is, where every count is at its limit."""
    p = params(2, 2, in_c, 3, kernel_size, output_bits=1, lift=0, pad_top=0, pad_left=0)
    p |= dict(in_h=1 + kernel_size, in_w=1 + kernel_size)
    x = np.full((p["in_h"], p["in_w"], in_c), not same)
    w = np.zeros((3, kernel_size, kernel_size, in_c), bool)
    total = kernel_size * kernel_size * in_c * (1 if same else -1)
    records = np.array([[total, 0], [total + 1, 0], [total - 1, 0]])
    got = run(kernel, p, x, w, records)
    if got is None:
        assert kernel_size * kernel_size * in_c > 65535 or "lookup" not in kernel
        return
    assert (got.view("<i4") == 0b010).all()


@pytest.mark.parametrize("kernel", CONV)
def test_padding_of_zero_has_no_product(kernel: str) -> None:
    p = params(3, 5, 2, 1, 3, zero_padding=1, lift=0)
    x, w = np.zeros((3, 5, 2), bool), np.ones((1, 3, 3, 2), bool)
    # (sum * 2**30 >> 32) with sum << 2: the sum itself
    got = run(kernel, p | dict(lift=2), x, w, np.array([[1 << 30, 0]])).reshape(3, 5)
    taps = np.array([[4, 6, 6, 6, 4], [6, 9, 9, 9, 6], [4, 6, 6, 6, 4]])
    np.testing.assert_array_equal(got, -2 * taps)
    got = run(kernel, p | dict(lift=2, zero_padding=0), x, w, np.array([[1 << 30, 0]])).reshape(3, 5)
    assert (got == -18).all()


@pytest.mark.parametrize("kernel", CONV)
@pytest.mark.parametrize("limits", [(0, FULL), (-1, 1), (0, 6), (-FULL, -3), (5, 5)])
def test_the_sum_is_clamped(kernel: str, limits: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    p = params(4, 4, 40, 5, 3, lift=2, sum_min=limits[0], sum_max=limits[1])
    x, w = rng.random((4, 4, 40)) < 0.5, rng.random((5, 3, 3, 40)) < 0.5
    records = np.tile([[1 << 30, 0]], (5, 1))
    whole = run("binary_conv2d_b1_hwc_ref", p | dict(sum_min=-FULL, sum_max=FULL), x, w, records)
    got = run(kernel, p, x, w, records)
    np.testing.assert_array_equal(got, np.clip(whole.astype(int), *limits))


def test_bi_real_blocks_are_exact() -> None:
    """Signs into a binary convolution, its int8 output added to the real values around it (Liu 2018, Bi-Real Net)."""
    rng = np.random.default_rng(0)
    net = Builder("bireal")
    x = net.input((6, 6, 32), scale=0.05)
    for _ in range(2):
        signs = np.where(rng.random((32, 3, 3, 32)) < 0.5, -1, 1)
        y = net.binary_conv2d(net.binarize(x), signs, rng.uniform(0.5, 1, 32) / 17, scale=0.03)
        x = net.add(x, y, scale=0.06)
    net.output(x)
    graph = net.graph()
    assert [type(op) for op in graph.ops] == [g.Binarise, g.BinaryConv2D, g.Add] * 2
    check_natively(graph, [rng.integers(-128, 128, (1, 6, 6, 32), dtype=np.int8)])
