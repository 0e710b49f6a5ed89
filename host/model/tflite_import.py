""".tflite bytes to a Graph: 8-bit networks whose every operator the oracle can compute exactly.

Tensor indices are the file's, so that messages and comparisons with LiteRT speak of the same tensors; those
that no operator reads (shapes, float borders) stay in the list and are not looked at. What a file leaves
implicit is resolved: SAME and VALID become explicit padding, uint8 becomes int8 shifted by 128, QUANTIZE
and DEQUANTIZE at a float32 border become the border's dtype.

An operator is one function here, entered in `IMPORTERS`.

Source: TensorFlow Lite's 8-bit quantization specification, `tflite/schema/schema.fbs`, and the Prepare
functions of LiteRT's kernels for what they refuse.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
import tflite

from host.errors import FloatModelError, InputError, TruncatedModelError, UnsupportedError
from host.model import graph as g
from host.model.tflite_file import File, FileOp, FileTensor, read_file
from host.model.tflite_write import same_padding
from host.oracle import params

MAX_RANK = 6
MAX_ELEMS = 2**31 - 1
_DTYPES = {"INT8": "int8", "UINT8": "int8", "INT32": "int32", "FLOAT32": "float32"}
_ACTIVATIONS = {getattr(tflite.ActivationFunctionType, name): name for name in g.ACTIVATIONS}


def import_tflite(source: str | PathLike[str] | bytes, name: str | None = None) -> g.Graph:
    """The network in a .tflite file (a path, or its bytes); `name` defaults to the path's stem.

    Raises NotATfliteError, TruncatedModelError, FloatModelError or UnsupportedError, see `host.errors`;
    InputError if the path cannot be read.
    """
    if isinstance(source, bytes):
        content, stem = source, "network"
    else:
        try:
            content, stem = Path(source).read_bytes(), Path(source).stem
        except OSError as error:
            raise InputError(f"{source}: {error.strerror}") from error
    net = _Net(read_file(content))
    ops = [op for op in (_import_op(net, op) for op in net.file.ops) if op is not None]
    outputs = net.output_borders()
    graph = g.Graph(
        name=name or stem,
        tensors=[net.tensor(i) if i in net.used else net.unused(i) for i in range(len(net.file.tensors))],
        ops=ops,
        inputs=list(net.inputs.values()),
        outputs=outputs,
        source_sha256=hashlib.sha256(content).hexdigest(),
    )
    _check_arithmetic(graph)
    return graph


def _check_arithmetic(graph: g.Graph) -> None:
    """Refuse scales that LiteRT itself refuses, or that overflow its arithmetic."""
    for op in graph.ops:
        try:
            if type(op) in params.PARAMS:
                params.PARAMS[type(op)](graph, op)
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{op.kind} (operator {op.index}): {error.message}", _supported_hint()
            ) from error


class _Net:
    """The file while its operators are imported: tensors made on demand, and who has been written."""

    def __init__(self, file: File):
        self.file = file
        self.used: dict[int, g.Tensor] = {}
        self.inputs: dict[int, g.Border] = {}
        # A float32 network output, by the 8-bit tensor that DEQUANTIZE makes it from.
        self.dequantized: dict[int, int] = {}
        self.written: set[int] = set(file.inputs)
        if not file.inputs or not file.outputs or not file.ops:
            raise UnsupportedError("the network has no input, no output or no operator")
        if len(set(file.inputs)) != len(file.inputs):
            raise UnsupportedError("the network lists an input twice")
        for index in file.inputs:
            self._check_input(file.tensors[index])

    def _check_input(self, t: FileTensor) -> None:
        """Refuse dynamic inputs, except for the batch, which the file's shape settles."""
        dynamic = any(s < 0 for s in t.signature[1:]) or any(s < 0 for s in t.shape)
        if dynamic or (t.signature and len(t.signature) != len(t.shape)):
            raise UnsupportedError(f"input {t.name}: dynamic shape {t.signature or t.shape}")
        if t.raw is not None:
            raise UnsupportedError(f"input {t.name} is a constant")
        if t.type != "FLOAT32":
            self.inputs[t.index] = g.Border(t.index, t.name, _border_dtype(t))
            self.tensor(t.index)
        else:
            # Keeps the place in the order; QUANTIZE fills it in.
            self.inputs[t.index] = g.Border(-1, t.name, np.dtype("float32"))

    def tensor(self, index: int) -> g.Tensor:
        """The graph's tensor for a file tensor that is used. Raises UnsupportedError, TruncatedModelError."""
        if index not in self.used:
            self.used[index] = _make_tensor(self.file.tensors[index])
        return self.used[index]

    def unused(self, index: int) -> g.Tensor:
        """A placeholder for a tensor that nothing in the graph refers to."""
        t = self.file.tensors[index]
        return g.Tensor(t.name, t.shape, np.dtype(_DTYPES.get(t.type, "uint8")))

    def output_borders(self) -> list[g.Border]:
        """The network's outputs. Raises UnsupportedError if one is never written."""
        for border in self.inputs.values():
            if border.tensor < 0:
                raise FloatModelError(f"float32 input {border.name} is not quantised", _FLOAT_HINT)
        borders = []
        for index in self.file.outputs:
            t = self.file.tensors[index]
            if index not in self.written:
                raise UnsupportedError(f"output {t.name} (tensor {index}) is written by no operator")
            if index in self.dequantized:
                borders.append(g.Border(self.dequantized[index], t.name, np.dtype("float32")))
            elif t.type == "FLOAT32":
                raise FloatModelError(f"output {t.name} is float32 and not dequantised", _FLOAT_HINT)
            else:
                self.tensor(index)
                borders.append(g.Border(index, t.name, _border_dtype(t)))
        if set(self.dequantized.values()) and not set(self.dequantized) <= {*self.file.outputs}:
            raise FloatModelError("a DEQUANTIZE inside the network feeds float arithmetic", _FLOAT_HINT)
        return borders


_FLOAT_HINT = "convert it with full integer quantisation (int8)"


def _border_dtype(t: FileTensor) -> np.dtype:
    if t.type not in ("INT8", "UINT8"):
        raise UnsupportedError(f"network border {t.name} is {t.type}: supported are int8, uint8, float32")
    return np.dtype(t.type.lower())


def _make_tensor(t: FileTensor) -> g.Tensor:
    """A checked tensor. Raises UnsupportedError, TruncatedModelError."""
    what = f"tensor {t.index} ({t.name})"
    if t.type not in _DTYPES:
        raise UnsupportedError(f"{what} is {t.type}: supported are int8, uint8 and int32 constants")
    if t.is_variable or t.is_sparse:
        raise UnsupportedError(f"{what} is a {'variable' if t.is_variable else 'sparse tensor'}")
    if len(t.shape) > MAX_RANK or any(n <= 0 for n in t.shape) or math.prod(t.shape) > MAX_ELEMS:
        raise UnsupportedError(f"{what}: shape {t.shape} is dynamic, empty or too large")
    dtype, unsigned = np.dtype(_DTYPES[t.type]), t.type == "UINT8"
    data = None
    if t.raw is not None:
        if t.raw.nbytes != math.prod(t.shape) * dtype.itemsize:
            raise TruncatedModelError(f"{what}: {t.raw.nbytes} bytes of data for {t.type} {t.shape}")
        # uint8 minus 128 is the same byte with its top bit flipped, read as int8.
        raw = t.raw ^ np.uint8(128) if unsigned else t.raw
        data = np.frombuffer(raw.tobytes(), dtype.newbyteorder("<")).astype(dtype).reshape(t.shape)
        data.flags.writeable = False
    return g.Tensor(t.name, t.shape, dtype, _quant(t, what, unsigned), data, unsigned)


def _quant(t: FileTensor, what: str, unsigned: bool) -> g.Quant | None:
    """Quantisation of a tensor, zero point shifted for uint8; None where the file has none.

    A bias keeps its scales, but they matter to nothing here and are not checked.
    """
    if not len(t.scale):
        return None
    if t.type == "INT32":
        return g.Quant(np.array(t.scale, np.float32), 0)
    if not np.all(np.isfinite(t.scale)) or not np.all(t.scale >= np.finfo(np.float32).tiny):
        raise UnsupportedError(f"{what}: a scale is not a positive normal number")
    zeros = t.zero_point if len(t.zero_point) else np.zeros(1, np.int64)
    if len(zeros) not in (1, len(t.scale)) or np.any(zeros != zeros[0]):
        raise UnsupportedError(f"{what}: zero points differ between channels")
    if len(t.scale) > 1 and not (0 <= t.axis < len(t.shape) and t.shape[t.axis] == len(t.scale)):
        raise UnsupportedError(f"{what}: {len(t.scale)} scales along dimension {t.axis} of {t.shape}")
    zero = int(zeros[0]) - (128 if unsigned else 0)
    if not -128 <= zero <= 127:
        raise UnsupportedError(f"{what}: zero point {int(zeros[0])} is out of range")
    return g.Quant(np.array(t.scale, np.float32), zero, t.axis if len(t.scale) > 1 else 0)


def _refuse(op: FileOp, reason: str) -> UnsupportedError:
    """The one form of a refusal: operator, place, reason, what is supported."""
    return UnsupportedError(f"{op.name} (operator {op.index}): {reason}", _supported_hint())


def _supported_hint() -> str:
    return f"supported: {', '.join(sorted(IMPORTERS))}"


def _import_op(net: _Net, op: FileOp) -> g.Op | None:
    """One operator, or None for a border that is stripped. Raises what `import_tflite` does."""
    tensors = [net.file.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    border = _import_border(net, op)
    if border:
        return None
    if any(t.type in ("FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64") for t in tensors):
        raise FloatModelError(f"{op.name} (operator {op.index}) computes in floating point", _FLOAT_HINT)
    if op.name not in IMPORTERS:
        raise _refuse(op, "not supported")
    least, most, importer = IMPORTERS[op.name]
    if not least <= len(op.inputs) <= most or len(op.outputs) != 1 or any(i < 0 for i in op.inputs[:least]):
        raise _refuse(op, f"{len(op.inputs)} inputs, {len(op.outputs)} outputs")
    if op.outputs[0] in net.written or net.file.tensors[op.outputs[0]].raw is not None:
        raise _refuse(op, "its output is written twice")
    for index in op.inputs:
        if index >= 0 and index not in net.written and net.file.tensors[index].raw is None:
            raise _refuse(op, f"input tensor {index} has no value yet")
    try:
        result = importer(net, op)
    except UnsupportedError as error:
        # A tensor's refusal does not know which operator asked for it.
        raise error if error.hint else _refuse(op, error.message) from error
    net.written.add(op.outputs[0])
    return result


def _import_border(net: _Net, op: FileOp) -> bool:
    """Strip QUANTIZE behind a float32 input and DEQUANTIZE before a float32 output; whether it was one."""
    if op.name not in ("QUANTIZE", "DEQUANTIZE") or len(op.inputs) != 1 or len(op.outputs) != 1:
        return False
    source, target = op.inputs[0], op.outputs[0]
    if source < 0 or target in net.written:
        return False
    border = net.inputs.get(source)
    if op.name == "QUANTIZE" and border is not None and border.dtype == np.float32 and border.tensor < 0:
        inner = _activation(net, op, target)
        if inner.shape != net.file.tensors[source].shape or inner.data is not None:
            raise _refuse(op, "input and output differ in shape")
        border.tensor = target
    elif op.name == "DEQUANTIZE" and net.file.tensors[target].type == "FLOAT32" and source in net.written:
        inner = _activation(net, op, source)
        if inner.shape != net.file.tensors[target].shape:
            raise _refuse(op, "input and output differ in shape")
        net.dequantized[target] = source
    else:
        return False
    net.written.add(target)
    return True


def _activation(net: _Net, op: FileOp, index: int) -> g.Tensor:
    """An 8-bit tensor with one scale, constant or not."""
    t = net.tensor(index)
    if t.dtype != np.int8:
        raise _refuse(op, f"tensor {index} ({t.name}) is {t.dtype}, not 8 bits")
    if t.quant is None or t.quant.per_channel:
        raise _refuse(op, f"tensor {index} ({t.name}) needs one scale")
    return t


def _in_out(net: _Net, op: FileOp, rank: int = 0) -> tuple[g.Tensor, g.Tensor]:
    """First input and output, both 8 bits of one signedness; `rank` 4 means images of batch 1."""
    x, y = _activation(net, op, op.inputs[0]), _activation(net, op, op.outputs[0])
    if x.unsigned != y.unsigned:
        raise _refuse(op, "int8 and uint8 are mixed")
    if rank and (len(x.shape) != rank or len(y.shape) != rank):
        raise _refuse(op, f"input {x.shape} and output {y.shape} must have {rank} dimensions")
    if rank == 4 and x.shape[0] != 1:
        raise _refuse(op, f"batch {x.shape[0]}: only 1 is supported")
    if x.data is not None:
        raise _refuse(op, "its input is a constant")
    return x, y


def _constant(net: _Net, op: FileOp, place: int) -> np.ndarray:
    """The int32 constant at an input place."""
    t = net.tensor(op.inputs[place])
    if t.data is None or t.dtype != np.int32:
        raise _refuse(op, f"input {place} must be an int32 constant")
    return t.data


def _expect_shape(op: FileOp, y: g.Tensor, shape: tuple[int, ...]) -> None:
    if y.shape != tuple(shape):
        raise _refuse(op, f"its output must have shape {tuple(shape)}, not {y.shape}")


def _same_quant(op: FileOp, x: g.Tensor, y: g.Tensor) -> None:
    if x.quant.zero_point != y.quant.zero_point or x.quant.scale[0] != y.quant.scale[0]:
        raise _refuse(op, "input and output must have one scale and zero point")


def _fused(op: FileOp, code: int) -> str:
    if code not in _ACTIVATIONS:
        raise _refuse(op, f"fused activation {code}")
    return _ACTIVATIONS[code]


def _window(
    op: FileOp,
    x: g.Tensor,
    scheme: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> tuple[g.Padding, tuple[int, int]]:
    """(padding, output height and width) of a sliding window over x [1,h,w,c]."""
    if min(*kernel, *stride, *dilation) < 1 or max(*kernel, *stride, *dilation) > 2**15:
        raise _refuse(op, f"kernel {kernel}, stride {stride}, dilation {dilation}")
    sides, out = [], []
    for size, k, s, d in zip(x.shape[1:3], kernel, stride, dilation, strict=True):
        pads = same_padding(size, k, s, d) if scheme == tflite.Padding.SAME else (0, 0)
        extent = (k - 1) * d + 1
        sides.extend(pads)
        out.append((size + sum(pads) - extent) // s + 1)
    if scheme not in (tflite.Padding.SAME, tflite.Padding.VALID) or min(out) < 1:
        raise _refuse(op, f"kernel {kernel} on input {x.shape} leaves no output")
    return g.Padding(*sides), (out[0], out[1])


def _weights(net: _Net, op: FileOp, x: g.Tensor, rank: int, axis: int) -> g.Tensor:
    """The constant weights, quantised as the 8-bit specification demands."""
    w = net.tensor(op.inputs[1])
    if w.data is None or w.dtype != np.int8 or w.quant is None or len(w.shape) != rank:
        raise _refuse(op, f"weights {w.shape} must be an 8-bit constant with scales and {rank} dimensions")
    if w.unsigned != x.unsigned:
        raise _refuse(op, "int8 and uint8 are mixed")
    if w.quant.per_channel and (w.quant.axis != axis or w.unsigned):
        raise _refuse(op, "scales per channel are for the output channels of int8 weights")
    if not w.unsigned and w.quant.zero_point != 0:
        raise _refuse(op, f"int8 weights with zero point {w.quant.zero_point}")
    return w


def _operands(net: _Net, op: FileOp, channels: int) -> tuple[int, int, int]:
    """(x, weights, bias or -1), the bias checked."""
    bias = op.inputs[2] if len(op.inputs) > 2 else -1
    if bias >= 0:
        b = net.tensor(bias)
        if b.data is None or b.dtype != np.int32 or b.shape != (channels,):
            raise _refuse(op, f"bias {b.dtype} {b.shape} must be a constant int32 ({channels},)")
        if np.any(net.file.tensors[bias].zero_point != 0):
            raise _refuse(op, "bias with a zero point")
    return op.inputs[0], op.inputs[1], bias


def _conv2d(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    w = _weights(net, op, x, 4, axis=0)
    scheme, sh, sw, dh, dw, act = op.option(
        "Conv2DOptions",
        "Padding",
        "StrideH",
        "StrideW",
        "DilationHFactor",
        "DilationWFactor",
        "FusedActivationFunction",
    )
    if w.shape[3] != x.shape[3]:
        raise _refuse(op, f"{x.shape[3]} input channels, weights for {w.shape[3]} (grouped convolution)")
    padding, (oh, ow) = _window(op, x, scheme, w.shape[1:3], (sh, sw), (dh, dw))
    _expect_shape(op, y, (1, oh, ow, w.shape[0]))
    operands = _operands(net, op, w.shape[0])
    return g.Conv2D(operands, op.outputs, op.index, (sh, sw), (dh, dw), padding, _fused(op, act))


def _depthwise_conv2d(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    w = _weights(net, op, x, 4, axis=3)
    scheme, sh, sw, dh, dw, act = op.option(
        "DepthwiseConv2DOptions",
        "Padding",
        "StrideH",
        "StrideW",
        "DilationHFactor",
        "DilationWFactor",
        "FusedActivationFunction",
    )
    multiplier, rest = divmod(w.shape[3], x.shape[3])
    # The depth multiplier of the options is redundant, and some converters write 0.
    if w.shape[0] != 1 or rest or multiplier < 1:
        raise _refuse(op, f"weights {w.shape} for {x.shape[3]} input channels")
    padding, (oh, ow) = _window(op, x, scheme, w.shape[1:3], (sh, sw), (dh, dw))
    _expect_shape(op, y, (1, oh, ow, w.shape[3]))
    operands = _operands(net, op, w.shape[3])
    return g.DepthwiseConv2D(
        operands, op.outputs, op.index, (sh, sw), (dh, dw), padding, multiplier, _fused(op, act)
    )


def _fully_connected(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    w = _weights(net, op, x, 2, axis=0)
    act, weights_format = op.option("FullyConnectedOptions", "FusedActivationFunction", "WeightsFormat")
    oc, ic = w.shape
    if weights_format != 0:
        raise _refuse(op, "shuffled weights")
    if x.elems % ic or y.elems != x.elems // ic * oc or not y.shape or y.shape[-1] != oc:
        raise _refuse(op, f"weights {w.shape} on input {x.shape} to output {y.shape}")
    result = g.FullyConnected(_operands(net, op, oc), op.outputs, op.index, _fused(op, act))
    return result


def _add(net: _Net, op: FileOp) -> g.Op:
    a, b = _activation(net, op, op.inputs[0]), _activation(net, op, op.inputs[1])
    y = _activation(net, op, op.outputs[0])
    if not a.unsigned == b.unsigned == y.unsigned:
        raise _refuse(op, "int8 and uint8 are mixed")
    if a.data is not None and b.data is not None:
        raise _refuse(op, "both inputs are constants")
    if a.shape != b.shape:
        raise _refuse(op, f"shapes {a.shape} and {b.shape} (broadcasting)")
    _expect_shape(op, y, a.shape)
    (act,) = op.option("AddOptions", "FusedActivationFunction")
    return g.Add(op.inputs, op.outputs, op.index, _fused(op, act))


def _pool(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    scheme, sh, sw, kh, kw, act = op.option(
        "Pool2DOptions",
        "Padding",
        "StrideH",
        "StrideW",
        "FilterHeight",
        "FilterWidth",
        "FusedActivationFunction",
    )
    if x.quant.zero_point != y.quant.zero_point or abs(x.quant.scale[0] - y.quant.scale[0]) > 1e-6:
        raise _refuse(op, "input and output must have one scale and zero point")
    padding, (oh, ow) = _window(op, x, scheme, (kh, kw), (sh, sw))
    _expect_shape(op, y, (1, oh, ow, x.shape[3]))
    cls = g.AveragePool2D if op.name == "AVERAGE_POOL_2D" else g.MaxPool2D
    return cls(op.inputs, op.outputs, op.index, (kh, kw), (sh, sw), padding, _fused(op, act))


def _mean(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    rank = len(x.shape)
    axes = [int(a) for a in _constant(net, op, 1).reshape(-1)]
    if not axes or any(not -rank <= a < rank for a in axes):
        raise _refuse(op, f"axes {axes} of {rank} dimensions")
    reduced = sorted({a % rank for a in axes})
    (keep,) = op.option("ReducerOptions", "KeepDims")
    kept = tuple(1 if d in reduced else n for d, n in enumerate(x.shape))
    dropped = tuple(n for d, n in enumerate(x.shape) if d not in reduced)
    _expect_shape(op, y, kept if keep else dropped)
    return g.Mean(op.inputs[:1], op.outputs, op.index, tuple(reduced))


def _pad(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    _same_quant(op, x, y)
    pads = _constant(net, op, 1)
    if pads.shape != (len(x.shape), 2) or pads.min() < 0 or pads.max() > 2**15:
        raise _refuse(op, f"paddings {pads.tolist() if pads.size < 20 else pads.shape}")
    if len(op.inputs) > 2:
        fill = _activation(net, op, op.inputs[2])
        if fill.data is None or fill.elems != 1 or int(fill.data.reshape(())) != y.quant.zero_point:
            raise _refuse(op, "pad value other than the zero point")
    pairs = tuple((int(a), int(b)) for a, b in pads)
    _expect_shape(op, y, tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)))
    return g.Pad(op.inputs[:1], op.outputs, op.index, pairs)


def _reshape(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    # The new shape, constant or options, has to agree with the output tensor's; LiteRT checks it.
    if x.elems != y.elems:
        raise _refuse(op, f"{x.shape} to {y.shape}")
    return g.Reshape(op.inputs[:1], op.outputs, op.index)


def _softmax(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    (beta,) = op.option("SoftmaxOptions", "Beta")
    if not 0 < beta < math.inf or not x.shape:
        raise _refuse(op, f"beta {beta} on input {x.shape}")
    if y.quant.zero_point != -128 or abs(y.quant.scale[0] - 1 / 256) > 1e-6:
        raise _refuse(op, "output must have scale 1/256 and the lowest zero point")
    if x.shape[-1] > 2**11:
        # The sum of exponentials has 12 integer bits.
        raise _refuse(op, f"{x.shape[-1]} classes: at most {2**11}")
    _expect_shape(op, y, x.shape)
    return g.Softmax(op.inputs, op.outputs, op.index, float(beta))


def _transpose(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    perm = tuple(int(p) for p in _constant(net, op, 1).reshape(-1))
    if sorted(perm) != list(range(len(x.shape))):
        raise _refuse(op, f"permutation {perm} of {len(x.shape)} dimensions")
    _expect_shape(op, y, tuple(x.shape[p] for p in perm))
    return g.Transpose(op.inputs[:1], op.outputs, op.index, perm)


def _quantize(net: _Net, op: FileOp) -> g.Op:
    x, y = _activation(net, op, op.inputs[0]), _activation(net, op, op.outputs[0])
    if x.data is not None:
        raise _refuse(op, "its input is a constant")
    _expect_shape(op, y, x.shape)
    return g.Quantize(op.inputs, op.outputs, op.index)


def _concatenation(net: _Net, op: FileOp) -> g.Op:
    y = _activation(net, op, op.outputs[0])
    axis, act = op.option("ConcatenationOptions", "Axis", "FusedActivationFunction")
    rank = len(y.shape)
    if act != 0 or not -rank <= axis < rank:
        raise _refuse(op, f"axis {axis} of {rank} dimensions, fused activation {act}")
    axis %= rank
    total = 0
    for index in op.inputs:
        x = _activation(net, op, index)
        if x.unsigned != y.unsigned:
            raise _refuse(op, "int8 and uint8 are mixed")
        _same_quant(op, x, y)
        if len(x.shape) != rank or any(x.shape[d] != y.shape[d] for d in range(rank) if d != axis):
            raise _refuse(op, f"input {x.shape} into output {y.shape} along {axis}")
        total += x.shape[axis]
    _expect_shape(op, y, (*y.shape[:axis], total, *y.shape[axis + 1 :]))
    return g.Concatenation(op.inputs, op.outputs, op.index, axis)


def _resize_nearest(net: _Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    align, half = op.option("ResizeNearestNeighborOptions", "AlignCorners", "HalfPixelCenters")
    size = _constant(net, op, 1)
    if size.shape != (2,) or size.min() < 1:
        raise _refuse(op, "size must be two positive numbers")
    _expect_shape(op, y, (1, int(size[0]), int(size[1]), x.shape[3]))
    return g.ResizeNearest(op.inputs[:1], op.outputs, op.index, bool(align), bool(half))


# Name: fewest inputs, most inputs, function.
IMPORTERS: dict[str, tuple[int, int, Callable[[_Net, FileOp], g.Op]]] = {
    "ADD": (2, 2, _add),
    "AVERAGE_POOL_2D": (1, 1, _pool),
    "CONCATENATION": (1, 64, _concatenation),
    "CONV_2D": (2, 3, _conv2d),
    "DEPTHWISE_CONV_2D": (2, 3, _depthwise_conv2d),
    "FULLY_CONNECTED": (2, 3, _fully_connected),
    "MAX_POOL_2D": (1, 1, _pool),
    "MEAN": (2, 2, _mean),
    "PAD": (2, 2, _pad),
    "PADV2": (3, 3, _pad),
    "QUANTIZE": (1, 1, _quantize),
    "RESHAPE": (1, 2, _reshape),
    "RESIZE_NEAREST_NEIGHBOR": (2, 2, _resize_nearest),
    "SOFTMAX": (1, 1, _softmax),
    "TRANSPOSE": (2, 2, _transpose),
}
