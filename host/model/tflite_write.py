"""Graph to .tflite bytes: the inverse of `host.model.tflite_import` for every operator that it reads.

Used by the tests (single-operator networks for LiteRT) and by the script that makes the built-in network.
Two things of a graph have no place in the format and become operators of their own: padding that is
neither SAME nor VALID turns into a PAD in front of the convolution (see `tflite_padding`), and a float32
border into a QUANTIZE or DEQUANTIZE, with a TRANSPOSE if it has other axes (integer borders lose theirs).
Tensors that the graph has keep their indices; new ones follow them.

Source: the schema in `tflite/schema/schema.fbs`; minimum versions from LiteRT's `register_ref.cc`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers

from host.errors import UnsupportedError
from host.model import deformable, tflite_padding
from host.model import graph as g

_DTYPES = {
    np.dtype("float32"): tflite.TensorType.FLOAT32,
    np.dtype("int32"): tflite.TensorType.INT32,
    np.dtype("int16"): tflite.TensorType.INT16,
    np.dtype("uint8"): tflite.TensorType.UINT8,
    np.dtype("int8"): tflite.TensorType.INT8,
}

# The first version of each operator that has int8, per-channel scales, dilation, half pixels, bias and activation.
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "PAD": 2,
    "RESHAPE": 1,
    "SOFTMAX": 2,
    "TRANSPOSE": 2,
    "TRANSPOSE_CONV": 4,
    "QUANTIZE": 2,
    "DEQUANTIZE": 2,
    "CONCATENATION": 2,
    "RESIZE_NEAREST_NEIGHBOR": 3,
}


CUSTOM = "CUSTOM "  # begins the kind of an operator that the schema does not have


@dataclass
class _FileTensor:
    """A tensor as the file has it: uint8 data and zero points unshifted."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: np.ndarray | None = None
    zero_point: int = 0
    axis: int = 0
    data: np.ndarray | None = None


@dataclass
class _FileOp:
    """An operator as the file has it; `table` is its options table in the schema.

    `kind` is the schema's name, or `CUSTOM name`.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str = ""
    fields: dict[str, int | float] = field(default_factory=dict)
    custom: dict[str, int | float | bool] | None = None  # of a custom operator, written as a FlexBuffer


@dataclass
class _File:
    """What is written: filled by the per-operator functions, then serialised."""

    tensors: list[_FileTensor]
    ops: list[_FileOp] = field(default_factory=list)

    def add(self, tensor: _FileTensor) -> int:
        """Append a tensor; its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name: str, values: np.ndarray) -> int:
        """Append an int32 constant such as a shape or a list of axes; its index."""
        values = np.asarray(values, dtype=np.int32)
        return self.add(_FileTensor(name, values.shape, values.dtype, data=values))


def write_tflite(graph: g.Graph) -> bytes:
    """The graph as a .tflite file that LiteRT loads.

    Raises UnsupportedError for a graph that the format cannot express (a pool with free padding).
    """
    file = _File([_file_tensor(t) for t in graph.tensors])
    inputs = [_write_input(file, graph, border) for border in graph.inputs]
    for op in graph.ops:
        _WRITERS[op.kind](file, graph, op)
    outputs = [_write_output(file, graph, border) for border in graph.outputs]
    return _serialise(file, inputs, outputs, graph.name)


def _file_tensor(tensor: g.Tensor) -> _FileTensor:
    """The file's view of a graph tensor: unsigned ones get their 128 back."""
    dtype, data = np.dtype(tensor.dtype), tensor.data
    shift = 128 if tensor.unsigned else 0
    if tensor.unsigned:
        dtype = np.dtype("uint8")
        data = None if data is None else (data.astype(np.int16) + 128).astype(np.uint8)
    if tensor.quant is None:
        return _FileTensor(tensor.name, tensor.shape, dtype, data=data)
    quant = tensor.quant
    return _FileTensor(
        tensor.name, tensor.shape, dtype, quant.scale, quant.zero_point + shift, quant.axis, data
    )


def _crosses(graph: g.Graph, border: g.Border) -> bool:
    """Whether a border is float32 and the tensor behind it is not."""
    return border.dtype == np.float32 and graph.tensors[border.tensor].dtype != np.float32


def _write_input(file: _File, graph: g.Graph, border: g.Border) -> int:
    """The subgraph input of a border; a float32 one of a quantised tensor is quantised by an operator."""
    if not _crosses(graph, border):
        return border.tensor
    shape, real = graph.tensors[border.tensor].shape, np.dtype("float32")
    index = source = file.add(_FileTensor(border.name, border.shown(shape), real))
    if border.axes:
        source = file.add(_FileTensor(f"{border.name}/transposed", shape, real))
        perm = file.constant(f"{border.name}/perm", np.argsort(border.axes))
        file.ops.append(_FileOp("TRANSPOSE", (index, perm), (source,), "TransposeOptions"))
    file.ops.append(_FileOp("QUANTIZE", (source,), (border.tensor,), "QuantizeOptions"))
    return index


def _write_output(file: _File, graph: g.Graph, border: g.Border) -> int:
    """The subgraph output of a border; a float32 one of a quantised tensor is dequantised by an operator."""
    if not _crosses(graph, border):
        return border.tensor
    shape, real = graph.tensors[border.tensor].shape, np.dtype("float32")
    index = target = file.add(_FileTensor(border.name, border.shown(shape), real))
    if border.axes:
        target = file.add(_FileTensor(f"{border.name}/transposed", shape, real))
    file.ops.append(_FileOp("DEQUANTIZE", (border.tensor,), (target,), "DequantizeOptions"))
    if border.axes:
        perm = file.constant(f"{border.name}/perm", np.array(border.axes))
        file.ops.append(_FileOp("TRANSPOSE", (target, perm), (index,), "TransposeOptions"))
    return index


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of TensorFlow's SAME along one axis of `size` elements; the odd one goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _padding_scheme(
    x: g.Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], pad: g.Padding
) -> int | None:
    """The schema's SAME or VALID that resolves to `pad` for an input [n,h,w,c], else None."""
    if pad == g.Padding():
        return tflite.Padding.VALID
    vertical = same_padding(x.shape[1], kernel[0], stride[0], dilation[0])
    horizontal = same_padding(x.shape[2], kernel[1], stride[1], dilation[1])
    return tflite.Padding.SAME if g.Padding(*vertical, *horizontal) == pad else None


def _write_conv(file: _File, graph: g.Graph, op: g.Conv2D | g.DepthwiseConv2D) -> None:
    x, kernel = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]].shape[1:3]
    inputs = _with_bias(file, graph, op) if isinstance(op, g.Conv2D) else _present(op.inputs)
    scheme = _padding_scheme(x, kernel, op.stride, op.dilation, op.padding)
    if scheme is None:
        padded = _insert_pad(file, op.inputs[0], _image_pads(op.padding))
        inputs, scheme = (padded, *inputs[1:]), tflite.Padding.VALID
    fields = {
        "Padding": scheme,
        "StrideH": op.stride[0],
        "StrideW": op.stride[1],
        "DilationHFactor": op.dilation[0],
        "DilationWFactor": op.dilation[1],
        "FusedActivationFunction": getattr(tflite.ActivationFunctionType, op.activation),
    }
    if isinstance(op, g.DepthwiseConv2D):
        fields["DepthMultiplier"] = op.multiplier
    table = "Conv2DOptions" if isinstance(op, g.Conv2D) else "DepthwiseConv2DOptions"
    file.ops.append(_FileOp(op.kind, inputs, op.outputs, table, fields))


def _present(inputs: tuple[int, ...]) -> tuple[int, ...]:
    """Inputs without an absent bias: LiteRT's operators take fewer inputs, but not all take -1."""
    return tuple(i for i in inputs if i >= 0)


def _with_bias(file: _File, graph: g.Graph, op: g.Conv2D) -> tuple[int, ...]:
    """Inputs with a bias of zeros if there is none: LiteRT's quantised CONV_2D insists on one."""
    inputs = _present(op.inputs)
    if len(inputs) == 3:
        return inputs
    x, w = graph.tensors[inputs[0]].quant, graph.tensors[inputs[1]]
    if x is None or w.quant is None:
        zeros = np.zeros(w.shape[0], np.float32)
        return (*inputs, file.add(_FileTensor("bias", zeros.shape, zeros.dtype, data=zeros)))
    zeros = np.zeros(w.shape[0], np.int32)
    scale = x.scale * w.quant.scale
    return (*inputs, file.add(_FileTensor("bias", zeros.shape, zeros.dtype, scale, data=zeros)))


def _image_pads(p: g.Padding) -> tuple[tuple[int, int], ...]:
    return (0, 0), (p.top, p.bottom), (p.left, p.right), (0, 0)


def _insert_pad(file: _File, source: int, pads: tuple[tuple[int, int], ...]) -> int:
    """Append a PAD of tensor `source`; the index of the padded tensor."""
    x = file.tensors[source]
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True))
    padded = file.add(_FileTensor(f"{x.name}/padded", shape, x.dtype, x.scale, x.zero_point, x.axis))
    paddings = file.constant(f"{x.name}/paddings", np.array(pads))
    file.ops.append(_FileOp("PAD", (source, paddings), (padded,), "PadOptions"))
    return padded


def _write_transposed_conv(file: _File, graph: g.Graph, op: g.TransposedConv2D) -> None:
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    data, weights, *bias = _present(op.inputs)
    kernel = graph.tensors[weights].shape[1:3]
    scheme = _adjoint_scheme(x, y, kernel, op)
    if scheme is None:
        edges = tflite_padding.kernel_edges(x, y, kernel, op)
        if edges is None:
            raise UnsupportedError(
                f"{op.kind} (operator {op.index}): its padding and output size are neither SAME's nor VALID's"
            )
        w = file.tensors[weights]
        wide = tflite_padding.widened(w.data, edges, w.zero_point)
        weights = file.add(replace(w, name=f"{w.name}/wide", shape=wide.shape, data=wide))
        scheme = tflite.Padding.SAME
    size = file.constant("output_shape", np.array(y.shape))
    fields = {
        "Padding": scheme,
        "StrideH": op.stride[0],
        "StrideW": op.stride[1],
        "FusedActivationFunction": getattr(tflite.ActivationFunctionType, op.activation),
    }
    file.ops.append(
        _FileOp(op.kind, (size, weights, data, *bias), op.outputs, "TransposeConvOptions", fields)
    )


def _write_deformable_conv(file: _File, graph: g.Graph, op: g.DeformableConv2D) -> None:
    options = deformable.options(op)
    file.ops.append(_FileOp(deformable.FILE_KIND, op.inputs, op.outputs, custom=options))


def _adjoint_scheme(x: g.Tensor, y: g.Tensor, kernel: tuple[int, int], op: g.TransposedConv2D) -> int | None:
    """The scheme by which a convolution of y has the size of x and the operator's padding before y, else None."""
    axes = list(zip(x.shape[1:3], y.shape[1:3], kernel, op.stride, strict=True))
    before = (op.padding.top, op.padding.left)
    if before == (0, 0) and all((out - k) // s + 1 == size for size, out, k, s in axes):
        return tflite.Padding.VALID
    same = tuple(same_padding(out, k, s, 1)[0] for _, out, k, s in axes)
    if before == same and all(-(-out // s) == size for size, out, _, s in axes):
        return tflite.Padding.SAME
    return None


def _write_pool(file: _File, graph: g.Graph, op: g.Pool2D) -> None:
    x, inputs = graph.tensors[op.inputs[0]], op.inputs
    scheme = _padding_scheme(x, op.kernel, op.stride, (1, 1), op.padding)
    if scheme is None and isinstance(op, g.MaxPool2D) and tflite_padding.zero_is_lowest(x):
        inputs, scheme = (_insert_pad(file, op.inputs[0], _image_pads(op.padding)),), tflite.Padding.VALID
    if scheme is None:
        raise UnsupportedError(f"{op.kind} (operator {op.index}): its padding is neither SAME nor VALID")
    fields = {
        "Padding": scheme,
        "StrideH": op.stride[0],
        "StrideW": op.stride[1],
        "FilterHeight": op.kernel[0],
        "FilterWidth": op.kernel[1],
        "FusedActivationFunction": getattr(tflite.ActivationFunctionType, op.activation),
    }
    file.ops.append(_FileOp(op.kind, inputs, op.outputs, "Pool2DOptions", fields))


def _write_fully_connected(file: _File, graph: g.Graph, op: g.FullyConnected) -> None:
    rank = len(graph.tensors[op.inputs[0]].shape)
    fields = {
        "FusedActivationFunction": getattr(tflite.ActivationFunctionType, op.activation),
        "KeepNumDims": int(rank != 2 and len(graph.tensors[op.outputs[0]].shape) == rank),
    }
    file.ops.append(_FileOp(op.kind, _present(op.inputs), op.outputs, "FullyConnectedOptions", fields))


def _write_add(file: _File, graph: g.Graph, op: g.Add) -> None:
    fields = {"FusedActivationFunction": getattr(tflite.ActivationFunctionType, op.activation)}
    file.ops.append(_FileOp(op.kind, op.inputs, op.outputs, "AddOptions", fields))


def _write_mean(file: _File, graph: g.Graph, op: g.Mean) -> None:
    axes = file.constant("axes", np.array(op.axes))
    keep = len(graph.tensors[op.inputs[0]].shape) == len(graph.tensors[op.outputs[0]].shape)
    file.ops.append(
        _FileOp(op.kind, (*op.inputs, axes), op.outputs, "ReducerOptions", {"KeepDims": int(keep)})
    )


def _write_pad(file: _File, graph: g.Graph, op: g.Pad) -> None:
    paddings = file.constant("paddings", np.array(op.pads))
    file.ops.append(_FileOp(op.kind, (*op.inputs, paddings), op.outputs, "PadOptions"))


def _write_reshape(file: _File, graph: g.Graph, op: g.Reshape) -> None:
    shape = file.constant("shape", np.array(graph.tensors[op.outputs[0]].shape))
    file.ops.append(_FileOp(op.kind, (*op.inputs, shape), op.outputs))


def _write_softmax(file: _File, graph: g.Graph, op: g.Softmax) -> None:
    file.ops.append(_FileOp(op.kind, op.inputs, op.outputs, "SoftmaxOptions", {"Beta": op.beta}))


def _write_transpose(file: _File, graph: g.Graph, op: g.Transpose) -> None:
    perm = file.constant("perm", np.array(op.perm))
    file.ops.append(_FileOp(op.kind, (*op.inputs, perm), op.outputs, "TransposeOptions"))


def _write_quantize(file: _File, graph: g.Graph, op: g.Quantize) -> None:
    file.ops.append(_FileOp(op.kind, op.inputs, op.outputs, "QuantizeOptions"))


def _write_concatenation(file: _File, graph: g.Graph, op: g.Concatenation) -> None:
    file.ops.append(_FileOp(op.kind, op.inputs, op.outputs, "ConcatenationOptions", {"Axis": op.axis}))


def _write_resize(file: _File, graph: g.Graph, op: g.ResizeNearest) -> None:
    size = file.constant("size", np.array(graph.tensors[op.outputs[0]].shape[1:3]))
    fields = {"AlignCorners": int(op.align_corners), "HalfPixelCenters": int(op.half_pixel_centers)}
    file.ops.append(_FileOp(op.kind, (*op.inputs, size), op.outputs, "ResizeNearestNeighborOptions", fields))


def _write_custom(file: _File, graph: g.Graph, op: g.Op) -> None:
    file.ops.append(_FileOp(CUSTOM + op.kind, op.inputs, op.outputs, custom={}))


def _write_binary_conv(file: _File, graph: g.Graph, op: g.BinaryConv2D) -> None:
    x, kernel = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]].shape[1:3]
    options = {
        "channels_in": op.channels_in,
        "dilation_height_factor": op.dilation[0],
        "dilation_width_factor": op.dilation[1],
        "fused_activation_function": getattr(tflite.ActivationFunctionType, op.activation),
        "pad_values": int(op.one_padding),
        "padding": _larq_padding(op, _padding_scheme(x, kernel, op.stride, op.dilation, op.padding)),
        "stride_height": op.stride[0],
        "stride_width": op.stride[1],
    }
    inputs = (*op.inputs, *(-1,) * (5 - len(op.inputs)))
    file.ops.append(_FileOp(CUSTOM + op.kind, inputs, op.outputs, custom=options))


def _write_binary_pool(file: _File, graph: g.Graph, op: g.BinaryMaxPool2D) -> None:
    scheme = _padding_scheme(graph.tensors[op.inputs[0]], op.kernel, op.stride, (1, 1), op.padding)
    options = {
        "filter_height": op.kernel[0],
        "filter_width": op.kernel[1],
        "padding": _larq_padding(op, scheme),
        "stride_height": op.stride[0],
        "stride_width": op.stride[1],
    }
    file.ops.append(_FileOp(CUSTOM + op.kind, op.inputs, op.outputs, custom=options))


def _larq_padding(op: g.Op, scheme: int | None) -> int:
    if scheme is None:
        raise UnsupportedError(f"{op.kind} (operator {op.index}): its padding is neither SAME nor VALID")
    return scheme


_WRITERS: dict[str, Callable] = {
    g.Conv2D.KIND: _write_conv,
    g.DepthwiseConv2D.KIND: _write_conv,
    g.TransposedConv2D.KIND: _write_transposed_conv,
    g.DeformableConv2D.KIND: _write_deformable_conv,
    g.FullyConnected.KIND: _write_fully_connected,
    g.Add.KIND: _write_add,
    g.AveragePool2D.KIND: _write_pool,
    g.MaxPool2D.KIND: _write_pool,
    g.Mean.KIND: _write_mean,
    g.Pad.KIND: _write_pad,
    g.Reshape.KIND: _write_reshape,
    g.Softmax.KIND: _write_softmax,
    g.Transpose.KIND: _write_transpose,
    g.Quantize.KIND: _write_quantize,
    g.Concatenation.KIND: _write_concatenation,
    g.ResizeNearest.KIND: _write_resize,
    g.Binarise.KIND: _write_custom,
    g.Unbinarise.KIND: _write_custom,
    g.BinaryConv2D.KIND: _write_binary_conv,
    g.BinaryMaxPool2D.KIND: _write_binary_pool,
}


def _serialise(file: _File, inputs: list[int], outputs: list[int], name: str) -> bytes:
    """The flatbuffer: one subgraph, one buffer a constant, buffer 0 empty as the schema demands."""
    b = flatbuffers.Builder(1 << 16)
    kinds = sorted({op.kind for op in file.ops})
    codes = _offsets(b, [_operator_code(b, kind) for kind in kinds])
    buffers = [_table(b, "Buffer")]
    tensors = [_tensor(b, tensor, buffers) for tensor in file.tensors]
    ops = [_operator(b, op, kinds.index(op.kind)) for op in file.ops]
    subgraph = _table(
        b,
        "SubGraph",
        Tensors=_offsets(b, tensors),
        Inputs=b.CreateNumpyVector(np.array(inputs, np.int32)),
        Outputs=b.CreateNumpyVector(np.array(outputs, np.int32)),
        Operators=_offsets(b, ops),
        Name=b.CreateString("main"),
    )
    model = _table(
        b,
        "Model",
        Version=3,
        OperatorCodes=codes,
        Subgraphs=_offsets(b, [subgraph]),
        Description=b.CreateString(name),
        Buffers=_offsets(b, buffers),
    )
    b.Finish(model, b"TFL3")
    return bytes(b.Output())


def _table(b: flatbuffers.Builder, table: str, **fields: int | float) -> int:
    """A table of the schema with these fields; offsets must have been made before."""
    getattr(tflite, f"{table}Start")(b)
    for key, value in fields.items():
        getattr(tflite, f"{table}Add{key}")(b, value)
    return getattr(tflite, f"{table}End")(b)


def _offsets(b: flatbuffers.Builder, offsets: list[int]) -> int:
    """A vector of tables."""
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _operator_code(b: flatbuffers.Builder, kind: str) -> int:
    if kind.startswith(CUSTOM):
        name = b.CreateString(kind.removeprefix(CUSTOM))
        code = tflite.BuiltinOperator.CUSTOM
        return _table(
            b, "OperatorCode", DeprecatedBuiltinCode=code, CustomCode=name, Version=1, BuiltinCode=code
        )
    code = getattr(tflite.BuiltinOperator, kind)
    # Readers older than schema 3a know the deprecated one-byte field alone.
    return _table(
        b, "OperatorCode", DeprecatedBuiltinCode=min(code, 127), Version=_VERSIONS[kind], BuiltinCode=code
    )


def _tensor(b: flatbuffers.Builder, tensor: _FileTensor, buffers: list[int]) -> int:
    """A tensor table; its data, if any, goes into a new buffer."""
    buffer = 0
    if tensor.data is not None:
        raw = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
        # LiteRT maps constants in place, hence the alignment that the schema asks for.
        b.StartVector(1, len(raw), 16)
        b.head = b.head - len(raw)
        b.Bytes[b.head : b.head + len(raw)] = raw.tobytes()
        buffers.append(_table(b, "Buffer", Data=b.EndVector()))
        buffer = len(buffers) - 1
    fields = {
        "Shape": b.CreateNumpyVector(np.array(tensor.shape, np.int32)),
        "Type": _DTYPES[tensor.dtype],
        "Buffer": buffer,
        "Name": b.CreateString(tensor.name),
    }
    if tensor.scale is not None:
        fields["Quantization"] = _table(
            b,
            "QuantizationParameters",
            Scale=b.CreateNumpyVector(np.asarray(tensor.scale, np.float32)),
            ZeroPoint=b.CreateNumpyVector(np.full(len(tensor.scale), tensor.zero_point, np.int64)),
            QuantizedDimension=tensor.axis,
        )
    return _table(b, "Tensor", **fields)


def _operator(b: flatbuffers.Builder, op: _FileOp, code: int) -> int:
    """An operator table with its options."""
    fields: dict[str, int] = {
        "OpcodeIndex": code,
        "Inputs": b.CreateNumpyVector(np.array(op.inputs, np.int32)),
        "Outputs": b.CreateNumpyVector(np.array(op.outputs, np.int32)),
    }
    if op.table:
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, op.table)
        fields["BuiltinOptions"] = _table(b, op.table, **op.fields)
    if op.custom is not None:
        fields["CustomOptions"] = b.CreateByteVector(bytes(flexbuffers.Dumps(op.custom)))
    return _table(b, "Operator", **fields)
