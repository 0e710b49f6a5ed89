""".tflite bytes to a Graph: 8-bit networks whose every operator the oracle can compute exactly.

Tensor indices are the file's, so that messages and comparisons with LiteRT speak of the same tensors; those
that no operator reads (shapes, float borders) stay in the list and are not looked at. What a file leaves
implicit is resolved: SAME and VALID become explicit padding, uint8 becomes int8 shifted by 128, QUANTIZE
and DEQUANTIZE at a float32 border become the border's dtype, and a TRANSPOSE there its axes.

The operators themselves are in `host.model.tflite_operators`, the flatbuffer in `host.model.tflite_file`.
"""

from __future__ import annotations

import hashlib
import math
from os import PathLike
from pathlib import Path

import numpy as np

from host.errors import FloatModelError, InputError, TruncatedModelError, UnsupportedError
from host.model import graph as g
from host.model import tflite_larq
from host.model.tflite_file import File, FileOp, FileTensor, read_file
from host.model.tflite_operators import IMPORTERS, activation, refuse, supported_hint
from host.oracle.ops import PARAMS

IMPORTERS.update(tflite_larq.IMPORTERS)

MAX_RANK = 6
MAX_ELEMS = 2**31 - 1
_DTYPES = {"INT8": "int8", "UINT8": "int8", "INT16": "int16", "INT32": "int32", "FLOAT32": "float32"}


def import_tflite(source: str | PathLike[str] | bytes, name: str | None = None) -> g.Graph:
    """The network in a .tflite file (a path, or its bytes); `name` defaults to the path's stem.

    Raises NotATfliteError, TruncatedModelError, FloatModelError or UnsupportedError, see `host.errors`;
    InputError if the path cannot be read.
    """
    content, stem = read_source(source)
    graph = Net(read_file(content)).graph(name or stem, content)
    _check_arithmetic(graph)
    return graph


def read_source(source: str | PathLike[str] | bytes) -> tuple[bytes, str]:
    """(contents, stem of the path) of a file. Raises InputError."""
    if isinstance(source, bytes):
        return source, "network"
    try:
        return Path(source).read_bytes(), Path(source).stem
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from error


def _check_arithmetic(graph: g.Graph) -> None:
    """Refuse scales that LiteRT itself refuses, or that overflow its arithmetic."""
    for op in graph.ops:
        try:
            if type(op) in PARAMS:
                PARAMS[type(op)](graph, op)
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{op.kind} (operator {op.index}): {error.message}", error.hint or supported_hint()
            ) from error


class Net:
    """The file while its operators are imported: tensors made on demand, and who has been written."""

    real = False  # whether tensors are float32 rather than quantised: `host.model.tflite_float`

    def __init__(self, file: File):
        self.file = file
        self.used: dict[int, g.Tensor] = {}
        self.inputs: dict[int, g.Border] = {}
        # By a float32 tensor that DEQUANTIZE writes: the 8-bit tensor behind it.
        self.dequantized: dict[int, int] = {}
        # By a float32 tensor that TRANSPOSE writes: the input behind it, or the axes that it gives an output.
        self.transposed: dict[int, int] = {}
        self.axes: dict[int, tuple[int, ...]] = {}
        self.written: set[int] = set(file.inputs)
        if not file.inputs or not file.outputs or not file.ops:
            raise UnsupportedError("the network has no input, no output or no operator")
        if len(set(file.inputs)) != len(file.inputs):
            raise UnsupportedError("the network lists an input twice")
        for index in file.inputs:
            self._check_input(file.tensors[index])

    def graph(self, name: str, content: bytes) -> g.Graph:
        """Imports all operators. Raises what `import_tflite` does."""
        ops = [op for op in map(self.import_op, self.file.ops) if op is not None]
        outputs = self.output_borders()
        return g.Graph(
            name=name,
            tensors=[
                self.tensor(i) if i in self.used else self.unused(i) for i in range(len(self.file.tensors))
            ],
            ops=ops,
            inputs=list(self.inputs.values()),
            outputs=outputs,
            source_sha256=hashlib.sha256(content).hexdigest(),
        )

    def import_op(self, op: FileOp) -> g.Op | None:
        """One operator, or None for a border that is stripped."""
        tensors = [self.file.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
        if _import_border(self, op):
            return None
        # Larq's convolutions have float32 constants; their importers refuse float activations.
        larq = op.name in tflite_larq.IMPORTERS
        if not larq and any(t.type in ("FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64") for t in tensors):
            raise FloatModelError(f"{op.name} (operator {op.index}) computes in floating point", _FLOAT_HINT)
        return import_known(self, op)

    def _check_input(self, t: FileTensor) -> None:
        """Refuse dynamic inputs, except for the batch, which the file's shape settles."""
        dynamic = any(s < 0 for s in t.signature[1:]) or any(s < 0 for s in t.shape)
        if dynamic or (t.signature and len(t.signature) != len(t.shape)):
            raise UnsupportedError(f"input {t.name}: dynamic shape {(t.signature or t.shape)[:MAX_RANK]}")
        if t.raw is not None:
            raise UnsupportedError(f"input {t.name} is a constant")
        self.inputs[t.index] = self._input_border(t)

    def _input_border(self, t: FileTensor) -> g.Border:
        """An input; a float32 one keeps its place in the order, QUANTIZE fills in the tensor behind it."""
        if t.type == "FLOAT32":
            return g.Border(-1, t.name, np.dtype("float32"))
        self.tensor(t.index)
        return g.Border(t.index, t.name, _border_dtype(t))

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
                axes = self.axes.get(index, ())
                borders.append(g.Border(self.dequantized[index], t.name, np.dtype("float32"), axes))
            elif t.type == "FLOAT32":
                raise FloatModelError(f"output {t.name} is float32 and not dequantised", _FLOAT_HINT)
            else:
                self.tensor(index)
                borders.append(g.Border(index, t.name, _border_dtype(t)))
        return borders


_FLOAT_HINT = "quantise it with `host quantize`"


def _border_dtype(t: FileTensor) -> np.dtype:
    if t.type not in ("INT8", "UINT8", "INT16"):
        raise UnsupportedError(
            f"network border {t.name} is {t.type}: supported are int8, uint8, int16, float32"
        )
    return np.dtype(t.type.lower())


def _make_tensor(t: FileTensor) -> g.Tensor:
    """A checked tensor. Raises UnsupportedError, TruncatedModelError."""
    what = f"tensor {t.index} ({t.name})"
    if t.type not in _DTYPES:
        raise UnsupportedError(f"{what} is {t.type}: supported are int8, uint8, int16 and int32 constants")
    if t.is_variable or t.is_sparse:
        raise UnsupportedError(f"{what} is a {'variable' if t.is_variable else 'sparse tensor'}")
    if len(t.shape) > MAX_RANK or any(n <= 0 for n in t.shape) or math.prod(t.shape) > MAX_ELEMS:
        raise UnsupportedError(f"{what}: shape {t.shape[: MAX_RANK + 1]} is dynamic, empty or too large")
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
    if not len(t.scale) or t.type == "FLOAT32":
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
    limits = np.iinfo("int16" if t.type == "INT16" else "int8")
    if not limits.min <= zero <= limits.max:
        raise UnsupportedError(f"{what}: zero point {int(zeros[0])} is out of range")
    return g.Quant(np.array(t.scale, np.float32), zero, t.axis if len(t.scale) > 1 else 0)


def import_known(net: Net, op: FileOp) -> g.Op:
    """One operator of `IMPORTERS`. Raises UnsupportedError."""
    if op.name not in IMPORTERS:
        raise refuse(op, "not supported")
    least, most, importer = IMPORTERS[op.name]
    if not least <= len(op.inputs) <= most or len(op.outputs) != 1 or any(i < 0 for i in op.inputs[:least]):
        raise refuse(op, f"{len(op.inputs)} inputs, {len(op.outputs)} outputs")
    if op.outputs[0] in net.written or net.file.tensors[op.outputs[0]].raw is not None:
        raise refuse(op, "its output is written twice")
    for index in op.inputs:
        if index >= 0 and index not in net.written and net.file.tensors[index].raw is None:
            raise refuse(op, f"input tensor {index} has no value yet")
    try:
        result = importer(net, op)
    except UnsupportedError as error:
        # A tensor's refusal does not know which operator asked for it.
        raise error if error.hint else refuse(op, error.message) from error
    net.written.add(op.outputs[0])
    return result


def _import_border(net: Net, op: FileOp) -> bool:
    """Strip what crosses to a float32 input or output; whether it was that.

    QUANTIZE behind an input, DEQUANTIZE before an output, and a TRANSPOSE between either and the border, whose axes
    it changes.
    """
    if op.name == "TRANSPOSE":
        return _import_axes(net, op)
    if op.name not in ("QUANTIZE", "DEQUANTIZE") or len(op.inputs) != 1 or len(op.outputs) != 1:
        return False
    source, target = op.inputs[0], op.outputs[0]
    if source < 0 or target in net.written:
        return False
    border = net.inputs.get(net.transposed.get(source, source))
    crosses = border is not None and border.dtype == np.float32 and border.tensor < 0
    if op.name == "QUANTIZE" and crosses and bool(border.axes) == (source in net.transposed):
        inner = activation(net, op, target)
        if inner.shape != net.file.tensors[source].shape or inner.data is not None:
            raise refuse(op, "input and output differ in shape")
        border.tensor = target
    elif op.name == "DEQUANTIZE" and net.file.tensors[target].type == "FLOAT32" and source in net.written:
        inner = activation(net, op, source)
        if inner.shape != net.file.tensors[target].shape:
            raise refuse(op, "input and output differ in shape")
        net.dequantized[target] = source
    else:
        return False
    net.written.add(target)
    return True


def _import_axes(net: Net, op: FileOp) -> bool:
    """Strip a TRANSPOSE of a float32 input before its QUANTIZE, or of a float32 output after its DEQUANTIZE."""
    if len(op.inputs) != 2 or len(op.outputs) != 1 or min(op.inputs) < 0 or op.outputs[0] in net.written:
        return False
    source, target = op.inputs[0], op.outputs[0]
    border = net.inputs.get(source)
    of_input = border is not None and border.dtype == np.float32 and border.tensor < 0 and not border.axes
    if net.file.tensors[target].type != "FLOAT32" or not (of_input or source in net.dequantized):
        return False
    perm, shape = net.tensor(op.inputs[1]), net.file.tensors[source].shape
    order = (
        () if perm.data is None or perm.dtype != np.int32 else tuple(int(d) for d in perm.data.reshape(-1))
    )
    if sorted(order) != list(range(len(shape))) or source in net.axes:
        raise refuse(op, f"permutation {order} of {len(shape)} dimensions")
    if net.file.tensors[target].shape != tuple(shape[d] for d in order):
        raise refuse(op, f"its output must have shape {tuple(shape[d] for d in order)}")
    if of_input:
        border.axes = tuple(int(d) for d in np.argsort(order))
        net.transposed[target] = source
    else:
        net.dequantized[target], net.axes[target] = net.dequantized[source], order
    net.written.add(target)
    return True
