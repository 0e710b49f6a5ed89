"""Float .tflite bytes to a Graph of float32 tensors without scales: what `host quantize` starts from.

The operators, their shapes and their refusals are those of `host.model.tflite_operators`. Beyond them a float file has
activations of their own, which fuse into the operator before them, and weights stored as float16 behind DEQUANTIZE.
"""

from __future__ import annotations

from os import PathLike

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.model.tflite_file import FileOp, FileTensor, read_file
from host.model.tflite_import import Net, import_known, read_source
from host.model.tflite_operators import activation, refuse

_QUANTIZED = ("INT8", "UINT8", "INT16")


def import_tflite_float(source: str | PathLike[str] | bytes, name: str | None = None) -> g.Graph:
    """The float network in a .tflite file (a path, or its bytes); `name` defaults to the path's stem.

    Raises what `import_tflite` does; UnsupportedError for a network that is quantised already.
    """
    content, stem = read_source(source)
    return FloatNet(read_file(content)).graph(name or stem, content)


class FloatNet(Net):
    """A float file while its operators are imported."""

    real = True

    def graph(self, name: str, content: bytes) -> g.Graph:
        """Imports all operators, then drops what fused."""
        self.ops: dict[int, g.Op] = {}  # by the tensor that an operator writes
        return super().graph(name, content)

    def import_op(self, op: FileOp) -> g.Op | None:
        """One operator, or None for an activation that fused and for weights that were unpacked."""
        types = {self.file.tensors[i].type for i in (*op.inputs, *op.outputs) if i >= 0}
        if op.name == "DEQUANTIZE" and "FLOAT16" in types and self._unpack(op):
            return None
        if types & set(_QUANTIZED):
            raise UnsupportedError(
                f"{op.name} (operator {op.index}) is quantised already",
                "`host run` takes int8 networks as they are",
            )
        if op.name in g.ACTIVATIONS:
            return self._apply(op, op.name)
        result = import_known(self, op)
        self.ops[result.outputs[0]] = result
        return result

    def output_borders(self) -> list[g.Border]:
        """The network's outputs."""
        borders = []
        for index in self.file.outputs:
            t = self.file.tensors[index]
            if index not in self.written:
                raise UnsupportedError(f"output {t.name} (tensor {index}) is written by no operator")
            borders.append(_border(t))
        return borders

    def _input_border(self, t: FileTensor) -> g.Border:
        self.tensor(t.index)
        return _border(t)

    def _unpack(self, op: FileOp) -> bool:
        """A float16 constant becomes the float32 one that DEQUANTIZE makes of it."""
        source, target = (self.file.tensors[i] for i in (op.inputs[0], op.outputs[0]))
        if source.raw is None or source.raw.nbytes != 2 * int(np.prod(target.shape, dtype=np.int64)):
            return False
        data = np.frombuffer(source.raw.tobytes(), "<f2").astype(np.float32).reshape(target.shape)
        self.used[target.index] = g.Tensor(target.name, target.shape, np.dtype("float32"), None, data)
        self.written.add(target.index)
        return True

    def _apply(self, op: FileOp, name: str) -> g.Op | None:
        """The operator that writes the activation's input applies it; a pool of one pixel where others read that."""
        if len(op.inputs) != 1 or len(op.outputs) != 1 or op.outputs[0] in self.written:
            raise refuse(op, f"{len(op.inputs)} inputs, {len(op.outputs)} outputs")
        source, target = op.inputs[0], op.outputs[0]
        if source not in self.written:
            raise refuse(op, f"input tensor {source} has no value yet")
        x = activation(self, op, source)
        if activation(self, op, target).shape != x.shape:
            raise refuse(op, "input and output differ in shape")
        writer = self.ops.get(source)
        readers = [o for o in self.file.ops if source in o.inputs]
        self.written.add(target)
        if (
            getattr(writer, "activation", "") == "NONE"
            and len(readers) == 1
            and source not in self.file.outputs
        ):
            writer.activation, writer.outputs = name, (target,)  # type: ignore[union-attr]
            self.ops[target] = self.ops.pop(source)
            return None
        if len(x.shape) != 4:
            raise refuse(
                op, f"on {x.shape}: only an activation that the operator before it can apply, or of an image"
            )
        self.ops[target] = g.MaxPool2D((source,), (target,), op.index, activation=name)
        return self.ops[target]


def _border(t: FileTensor) -> g.Border:
    if t.type != "FLOAT32":
        raise UnsupportedError(
            f"network border {t.name} is {t.type}: the network is quantised already, or no float one",
            "`host run` takes int8 networks as they are",
        )
    return g.Border(t.index, t.name, np.dtype("float32"))
