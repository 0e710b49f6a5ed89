"""The graph that every later stage works on: int8 tensors, typed operators, nothing of a file format.

The importer has already resolved what a file leaves implicit: SAME and VALID are explicit padding,
uint8 tensors are int8 ones shifted by 128, float borders are notes at the inputs and outputs. An
operator is one class here, one function in `host.oracle.ops` and one rule in `host.plan.lower`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass(frozen=True)
class Quant:
    """Affine quantisation, real = scale * (q - zero_point).

    `scale` is float32 [1], or [channels] along `axis` of a weight tensor; one zero point serves all.
    """

    scale: np.ndarray
    zero_point: int
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether each channel has a scale of its own."""
        return len(self.scale) > 1


@dataclass
class Tensor:
    """A value in the graph. `data` is None for activations, else the constant (int8, int16, int32).

    Activations are int8; offsets of a deformable convolution may be int16, binary ones are int32 words of bits.

    `unsigned` says that the file stored it as uint8: `data` and `quant.zero_point` are shifted by -128
    here. The arithmetic is the same; some operators round differently for it in the reference.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    quant: Quant | None = None
    data: np.ndarray | None = None
    unsigned: bool = False

    @property
    def elems(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass
class Border:
    """How the user sees a network's input or output tensor: its file dtype, before our shift, and the file's axes.

    Dimension d of the user's array is the tensor's dimension axes[d]: (0, 3, 1, 2) shows [n,h,w,c] as [n,c,h,w].
    Without axes it has the tensor's shape.
    """

    tensor: int
    name: str
    dtype: np.dtype  # int8, uint8 or float32 (quantised or dequantised on the host)
    axes: tuple[int, ...] = ()

    def shown(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The user's shape of a tensor of this shape."""
        return tuple(shape[d] for d in self.axes) if self.axes else shape

    def to_tensor(self, array: np.ndarray) -> np.ndarray:
        """The user's array with the tensor's dimensions."""
        return np.ascontiguousarray(array.transpose(np.argsort(self.axes))) if self.axes else array

    def to_user(self, array: np.ndarray) -> np.ndarray:
        """The tensor's array with the user's axes."""
        return np.ascontiguousarray(array.transpose(self.axes)) if self.axes else array


@dataclass(frozen=True)
class Padding:
    """Elements added at each side, filled with the input's zero point."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


@dataclass
class Op:
    """Base of all operators. `inputs` and `outputs` are tensor indices; -1 is an absent input.

    `index` is the operator's place in the file, or that of the first one merged into it.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    index: int

    @property
    def kind(self) -> str:
        """The operator's TensorFlow Lite name."""
        return self.KIND  # type: ignore[attr-defined]

    @property
    def operands(self) -> tuple[int, ...]:
        """The tensors whose values flow through the operator: not weights and biases."""
        return tuple(i for i in self.inputs if i >= 0)

    def macs(self, graph: Graph) -> int:
        """Multiply-accumulates of one inference."""
        return 0


class Weighted(Op):
    """Base of the operators with constant weights; inputs: x, weights, bias int32 or -1."""

    @property
    def operands(self) -> tuple[int, ...]:
        """x alone."""
        return self.inputs[:1]

    def macs(self, graph: Graph) -> int:
        """Every output element takes one for each weight of its channel, which is the weights' first dimension."""
        weights = graph.tensors[self.inputs[1]].shape
        return graph.tensors[self.outputs[0]].elems * math.prod(weights[1:])


@dataclass
class Conv2D(Weighted):
    """inputs: x [n,h,w,ic], weights [oc,kh,kw,ic/groups], bias int32 [oc] or -1.

    Group k is the k-th of `groups` equal parts of the input's and of the output's channels; it reads and writes
    no others.
    """

    KIND = "CONV_2D"
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    activation: str = "NONE"
    groups: int = 1


@dataclass
class DepthwiseConv2D(Weighted):
    """inputs: x [n,h,w,ic], weights [1,kh,kw,ic*multiplier], bias or -1; channel c reads c // multiplier."""

    KIND = "DEPTHWISE_CONV_2D"
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    multiplier: int = 1
    activation: str = "NONE"

    def macs(self, graph: Graph) -> int:
        """One for each position of the kernel."""
        return graph.tensors[self.outputs[0]].elems * math.prod(graph.tensors[self.inputs[1]].shape[1:3])


@dataclass
class TransposedConv2D(Weighted):
    """inputs: x [n,h,w,ic], weights [oc,kh,kw,ic], bias int32 [oc] or -1.

    The adjoint of a convolution: x[iy,ix] times weights[:,ky,kx] is added to the output at
    (iy * stride + ky - padding.top, ix * stride + kx - padding.left), where that exists. The output's size is that
    of its tensor, so output padding needs no field; padding.bottom and right follow from it and are not read. An output
    that no product reaches is the bias. Padding is what is cut off; nothing is added to x.
    """

    KIND = "TRANSPOSE_CONV"
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    activation: str = "NONE"

    def macs(self, graph: Graph) -> int:
        """Every input element meets every weight of its channel, those included whose product falls outside.

        As many as the convolution takes that this one is the adjoint of; zeros between the inputs do not count.
        """
        weights = graph.tensors[self.inputs[1]].shape
        return graph.tensors[self.inputs[0]].elems * math.prod(weights[:3])


@dataclass
class DeformableConv2D(Weighted):
    """inputs: x [1,h,w,ic], weights [oc,kh,kw,ic/groups], bias or -1, offsets, mask or -1 (or four inputs: no mask).

    offsets [1,oh,ow,offset_groups*kh*kw*2], int8 or int16 with a scale of their own: for each offset group and tap
    (dy, dx), in pixels, added to where the tap would read. mask [1,oh,ow,offset_groups*kh*kw] int8: a factor for
    each tap. Between pixels x is interpolated bilinearly; outside the image it is the zero point. Offset group k
    moves the k-th of `offset_groups` equal parts of the input's channels.

    The fixed-point arithmetic is defined, and its error bounded, in `host.oracle.deformable`.
    Source: Dai 2017 (deformable convolution), Zhu 2018 (mask); torchvision.ops.deform_conv2d.
    """

    KIND = "DEFORM_CONV_2D"
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    groups: int = 1
    offset_groups: int = 1
    activation: str = "NONE"

    @property
    def operands(self) -> tuple[int, ...]:
        """x, offsets, mask."""
        return tuple(i for i in (self.inputs[0], *self.inputs[3:]) if i >= 0)


@dataclass
class FullyConnected(Weighted):
    """inputs: x [..., ic] seen as [rows, ic], weights [oc,ic], bias or -1."""

    KIND = "FULLY_CONNECTED"
    activation: str = "NONE"


@dataclass
class Add(Op):
    """inputs: a, b of one shape; either may be a constant."""

    KIND = "ADD"
    activation: str = "NONE"


@dataclass
class Pool2D(Op):
    """Base of the pools; padded positions do not count."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    activation: str = "NONE"


@dataclass
class AveragePool2D(Pool2D):
    """Mean of a window, rounded half away from zero."""

    KIND = "AVERAGE_POOL_2D"


@dataclass
class MaxPool2D(Pool2D):
    """Largest of a window."""

    KIND = "MAX_POOL_2D"


@dataclass
class Mean(Op):
    """Mean over `axes` (sorted, non-negative); the output's shape tells whether they are kept."""

    KIND = "MEAN"
    axes: tuple[int, ...] = ()


@dataclass
class Pad(Op):
    """Adds (before, after) elements per dimension, filled with the zero point."""

    KIND = "PAD"
    pads: tuple[tuple[int, int], ...] = ()


@dataclass
class Reshape(Op):
    """Same bytes, other shape."""

    KIND = "RESHAPE"


@dataclass
class Softmax(Op):
    """Over the last dimension; output scale 1/256, zero point -128."""

    KIND = "SOFTMAX"
    beta: float = 1.0


@dataclass
class Transpose(Op):
    """Output dimension d is input dimension perm[d]."""

    KIND = "TRANSPOSE"
    perm: tuple[int, ...] = ()


@dataclass
class Quantize(Op):
    """Requantisation from one 8-bit scale to another."""

    KIND = "QUANTIZE"


@dataclass
class Concatenation(Op):
    """inputs: any number, equal but in `axis`, all with the output's scale and zero point."""

    KIND = "CONCATENATION"
    axis: int = 0


@dataclass
class ResizeNearest(Op):
    """Nearest neighbour over h and w of [n,h,w,c]."""

    KIND = "RESIZE_NEAREST_NEIGHBOR"
    align_corners: bool = False
    half_pixel_centers: bool = False


@dataclass
class Binarise(Op):
    """int8 [..., c] to bits along the channels, int32 [..., ceil(c / 32)].

    Bit c % 32 of word c // 32 is x < zero point. A set bit is -1, a clear one +1; those behind
    the last channel are clear. LceQuantize.
    """

    KIND = "LceQuantize"


@dataclass
class Unbinarise(Op):
    """Bits back to int8: +1 and -1 in the output's scale, rounded and saturated. LceDequantize."""

    KIND = "LceDequantize"


@dataclass
class BinaryConv2D(Weighted):
    """inputs: x bits, weights int32 [oc,kh,kw,words], multiplier and bias float32 [oc], thresholds int32 [oc].

    An int8 output has multiplier and bias, one of bits thresholds; what is absent is -1.

    The sum of +-1 products is that of `channels_in` input channels; `one_padding` says that padding is +1, else it is
    0. int8 is float32 (clamp(sum) * multiplier + bias) in the output's scale; a bit is set where the number of -1
    products exceeds the channel's threshold. LceBconv2d; host.oracle.binary has the formulas.

    Source: Rastegari 2016 (XNOR-Net, whose scaling factors are the multipliers).
    """

    KIND = "LceBconv2d"
    channels_in: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    one_padding: bool = True
    activation: str = "NONE"

    def macs(self, graph: Graph) -> int:
        """One for each bit of the window, those behind the last channel excepted."""
        out_c, kernel_h, kernel_w, _ = graph.tensors[self.inputs[1]].shape
        _, out_h, out_w, _ = graph.tensors[self.outputs[0]].shape
        return out_h * out_w * out_c * kernel_h * kernel_w * self.channels_in


@dataclass
class BinaryMaxPool2D(Pool2D):
    """Largest of a window of bits: -1 only where all are. LceBMaxPool2d."""

    KIND = "LceBMaxPool2d"


@dataclass
class BitPlanes(Op):
    """int8 [1,h,w,c] to `planes` planes of bits, int32 [1,h,w,planes*ceil(c/32)]: plane b has bit b of the level.

    The level is x - zero point, clamped to 0 .. 2**planes - 1. Source: Zhou 2016 (DoReFa-Net).
    """

    KIND = "BIT_PLANES"
    planes: int = 1


@dataclass
class PlanesConv2D(Weighted):
    """inputs: planes of x, weights int8 [oc,kh,kw,ic], bias int32 [oc] or -1.

    What CONV_2D computes of the levels that BIT_PLANES made (their scale is the planes' tensor's, their zero point 0),
    with weights of `weight_planes` bits: odd numbers from -(2**weight_planes - 1) to 2**weight_planes - 1.
    Source: Zhou 2016 (DoReFa-Net), whose weights are these times a scale.
    """

    KIND = "PLANES_CONV_2D"
    planes: int = 1
    weight_planes: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    activation: str = "NONE"


@dataclass
class Graph:
    """A network: operators in execution order over one list of tensors.

    `source_sha256` is the hash of the file; it ends up in the plan so that a device can say what it runs.
    """

    name: str
    tensors: list[Tensor]
    ops: list[Op]
    inputs: list[Border]
    outputs: list[Border]
    source_sha256: str = ""

    def copy(self) -> Graph:
        """A copy whose lists and operators can be changed; constant data is shared."""
        return Graph(
            self.name,
            [replace(t) for t in self.tensors],
            [replace(o) for o in self.ops],
            [replace(b) for b in self.inputs],
            [replace(b) for b in self.outputs],
            self.source_sha256,
        )

    def macs(self, op: Op) -> int:
        """Multiply-accumulates of one operator."""
        return op.macs(self)

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(self.macs(op) for op in self.ops)

    def consumers(self, tensor: int) -> list[Op]:
        """Operators that read the tensor, in order."""
        return [op for op in self.ops if tensor in op.inputs]
