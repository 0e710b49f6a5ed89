"""Strategies of transposed convolution: what the file format has, and what only the graph has."""

from __future__ import annotations

from hypothesis import strategies as st

from host.model import graph as g
from host.model.tflite_write import same_padding
from tests.nets.common import (
    activations,
    channels,
    make_quant,
    make_tensor,
    one_operator,
    sides,
    weights_and_bias,
    zero_points,
)

Axis = tuple[int, int, int, int, int]  # input size, kernel, stride, padding before, output size


@st.composite
def _axes(draw: st.DrawFn, scheme: str) -> tuple[Axis, Axis]:
    """Vertical and horizontal; every other one as networks have it: square, stride 2, kernel 2 to 4."""
    usual = draw(st.booleans())
    square, square_stride = draw(st.integers(2, 4)), draw(st.sampled_from([1, 2, 2, 2]))

    def axis() -> Axis:
        kernel, stride, size = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(sides)
        if usual:
            kernel, stride = square, square_stride
        if scheme == "SAME":
            out = draw(st.integers((size - 1) * stride + 1, size * stride))
            return size, kernel, stride, same_padding(out, kernel, stride, 1)[0], out
        whole = (size - 1) * stride + kernel
        if scheme == "VALID":
            return size, kernel, stride, 0, whole + draw(st.integers(0, stride - 1))
        before = draw(st.integers(0, kernel + stride + 1))
        return size, kernel, stride, before, draw(st.integers(1, whole + 3))

    return axis(), axis()


@st.composite
def _graphs(draw: st.DrawFn, unsigned: bool | None, schemes: list[str]) -> g.Graph:
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    size, kernel, stride, before, out = zip(*draw(_axes(draw(st.sampled_from(schemes)))), strict=True)
    ic, oc = draw(channels), draw(channels)
    per_channel = not unsigned and draw(st.booleans())
    products = kernel[0] * kernel[1] * ic
    w, bias, scale_in, scale_out = draw(
        weights_and_bias((oc, *kernel, ic), 0, products, unsigned=unsigned, per_channel=per_channel)
    )
    tensors = [
        make_tensor("x", (1, *size, ic), make_quant(scale_in, draw(zero_points)), unsigned),
        w,
        make_tensor("y", (1, *out, oc), make_quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    padding = g.Padding(top=before[0], left=before[1])
    op = g.TransposedConv2D((0, 1, 3 if bias else -1), (2,), 0, stride, padding, draw(activations))
    return one_operator("transposed_conv2d", tensors, op)


def transposed_conv2d_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """TRANSPOSE_CONV with SAME or VALID padding and every output size that goes with it."""
    return _graphs(unsigned, ["SAME", "VALID"])


def transposed_conv2d_free_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """Transposed convolution with any padding before and any output size, as ONNX has it."""
    return _graphs(unsigned, ["FREE"])
