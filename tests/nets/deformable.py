"""Strategy of deformable convolutions."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from host.model import graph as g
from tests.nets.common import (
    INT8,
    activations,
    data_of,
    kinds,
    log2_uniform,
    make_quant,
    make_tensor,
    one_operator,
    seeds,
    weights_and_bias,
    windows,
    zero_points,
)

INT16 = np.dtype("int16")

_few = st.sampled_from([1, 1, 1, 2, 3])


@st.composite
def deformable_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """DEFORM_CONV_2D with int8 or int16 offsets and maybe a mask, each an input or a constant; never uint8.

    Offsets reach from less than a grid step to far outside; scales of whole pixels, halves and none that a grid has.
    """
    size, kernel, stride, dilation, padding, out = draw(windows(dilated=True, free=True, common=(1, 3, 3)))
    groups, offset_groups = draw(_few), draw(_few)
    ic = draw(st.integers(1, 6)) * math.lcm(groups, offset_groups)
    oc = draw(st.integers(1, 5)) * groups
    taps = kernel[0] * kernel[1]
    w, bias, scale_in, scale_out = draw(
        weights_and_bias(
            (oc, *kernel, ic // groups),
            0,
            taps * ic // groups,
            unsigned=False,
            per_channel=draw(st.booleans()),
        )
    )
    dtype = draw(st.sampled_from([INT8, INT8, INT16]))
    exponent = draw(st.one_of(st.integers(-7, 1), st.floats(-7.0, 1.5), st.sampled_from([-40.0, 0.0, 1.99])))
    scale_offsets = float(np.float32(2.0 ** (exponent - (8 if dtype == INT16 and exponent < 1 else 0))))
    zero = draw(zero_points if dtype == INT8 else st.one_of(st.just(0), st.integers(-(2**15), 2**15 - 1)))
    tensors = [
        make_tensor("x", (1, *size, ic), make_quant(scale_in, draw(zero_points)), False),
        w,
        make_tensor("y", (1, *out, oc), make_quant(scale_out, draw(zero_points)), False),
        g.Tensor("offsets", (1, *out, 2 * taps * offset_groups), dtype, make_quant(scale_offsets, zero)),
        *([bias] if bias else []),
    ]
    operands = [0, 1, 4 if bias else -1, 3]
    if draw(st.booleans()):
        mask_scale = draw(st.one_of(st.just(1 / 256), log2_uniform(-9, -6)))
        # keeps the multiplier where weights_and_bias put it
        tensors[2].quant = make_quant(scale_out * 512 * mask_scale, tensors[2].quant.zero_point)
        mask_quant = make_quant(mask_scale, draw(zero_points))
        tensors.append(make_tensor("mask", (1, *out, taps * offset_groups), mask_quant, False))
        operands.append(len(tensors) - 1)
    for place in operands[3:]:
        if draw(st.sampled_from([False, False, True])):
            rng = np.random.default_rng(draw(seeds))
            tensors[place].data = data_of(rng, tensors[place].shape, tensors[place].dtype, draw(kinds))
    op = g.DeformableConv2D(
        tuple(operands), (2,), 0, stride, dilation, padding, groups, offset_groups, draw(activations)
    )
    return one_operator("deformable_conv2d", tensors, op)
