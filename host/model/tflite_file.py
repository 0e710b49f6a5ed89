"""A .tflite flatbuffer as plain Python values, with every offset, length and index checked.

The `tflite` package reads wherever the file points: past its end, before its start, through vectors longer
than the file. This layer turns all of that into TruncatedModelError and never allocates more than the file
holds: constants are views of the file's bytes. What the values mean is `host.model.tflite_import`'s part.

Source: `tflite/schema/schema.fbs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers

from host.errors import NotATfliteError, TruncatedModelError, UnsupportedError

# What flatbuffers and numpy raise when offsets lead astray; anything else is our own bug and must show.
_ASTRAY = (struct.error, IndexError, ValueError, TypeError, OverflowError)

MAX_NAME_BYTES = 256
_TYPE_NAMES = {v: k for k, v in vars(tflite.TensorType).items() if isinstance(v, int)}
_OPERATOR_NAMES = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
_OPTION_CODES = {k: v for k, v in vars(tflite.BuiltinOptions).items() if isinstance(v, int)}


@dataclass(frozen=True)
class FileTensor:
    """A tensor of the file. `raw` is uint8 [bytes], or None where there is no constant data."""

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: str
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    raw: np.ndarray | None
    is_variable: bool
    is_sparse: bool


@dataclass(frozen=True)
class FileOp:
    """An operator of the file; `name` is the schema's, or `CUSTOM name`."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int
    options: flatbuffers.table.Table | None
    custom_options: bytes = b""

    def option(self, table: str, *fields: str) -> tuple:
        """Values of fields of the options table `table`; the schema's zero for each if there is none.

        Raises TruncatedModelError if the options lie outside the file or are another table's.
        """
        if self.options is None:
            return (0,) * len(fields)
        if self.options_type != _OPTION_CODES[table]:
            raise TruncatedModelError(f"operator {self.index} ({self.name}) has options of another operator")
        reader = getattr(tflite, table)()
        with _reading(f"options of operator {self.index}"):
            reader.Init(self.options.Bytes, self.options.Pos)
            return tuple(getattr(reader, name)() for name in fields)

    def custom(self) -> dict[str, int | float | bool | str]:
        """The options of a custom operator: the FlexBuffer map that converters write; empty if there is none.

        Raises TruncatedModelError if they are something else.
        """
        if not self.custom_options:
            return {}
        with _reading(f"options of operator {self.index}"):
            try:
                value = flexbuffers.Loads(self.custom_options)
            except (KeyError, RecursionError, NotImplementedError) as error:
                raise ValueError("no FlexBuffer") from error
            if not isinstance(value, dict):
                raise ValueError("no map")
            return value


@dataclass(frozen=True)
class File:
    """The file's only subgraph."""

    tensors: list[FileTensor]
    ops: list[FileOp]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Name what was being read when the flatbuffer led out of the file."""
    try:
        yield
    except _ASTRAY as error:
        raise TruncatedModelError(f"{what}: points outside the file", "fetch the file again") from error


def read_file(content: bytes) -> File:
    """The checked contents of a .tflite file.

    Raises NotATfliteError without the identifier TFL3, TruncatedModelError for a damaged file,
    UnsupportedError for several subgraphs.
    """
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise NotATfliteError(
            "no TensorFlow Lite file: the identifier TFL3 is missing", "give a .tflite file"
        )
    with _reading("header"):
        model = tflite.Model.GetRootAs(content, 0)
        version = model.Version()
        codes = [_operator_name(model, i) for i in range(_length(content, model, "OperatorCodes"))]
        subgraphs = _length(content, model, "Subgraphs")
        buffers = _length(content, model, "Buffers")
    if version != 3:
        raise UnsupportedError(f"schema version {version}: only 3 is supported")
    if subgraphs != 1:
        raise UnsupportedError(f"the file has {subgraphs} subgraphs: only one is supported")
    with _reading("subgraph"):
        graph = model.Subgraphs(0)
        count = _length(content, graph, "Tensors")
        operators = _length(content, graph, "Operators")
        inputs, outputs = _indices(graph, "Inputs"), _indices(graph, "Outputs")
    _check_indices("graph inputs and outputs", inputs + outputs, count, optional=False)
    tensors = []
    for i in range(count):
        with _reading(f"tensor {i}"):
            tensors.append(_tensor(content, model, buffers, graph.Tensors(i), i))
    ops = []
    for i in range(operators):
        with _reading(f"operator {i}"):
            ops.append(_operator(graph.Operators(i), i, codes))
        _check_indices(f"operator {i} ({ops[-1].name}) inputs", ops[-1].inputs, count, optional=True)
        _check_indices(f"operator {i} ({ops[-1].name}) outputs", ops[-1].outputs, count, optional=False)
    return File(tensors, ops, inputs, outputs)


def _length(content: bytes, table: object, vector: str) -> int:
    """Length of a vector of tables, which take at least four bytes each."""
    length = getattr(table, f"{vector}Length")()
    if length * 4 > len(content):
        raise IndexError(vector)
    return length


def _indices(table: object, vector: str) -> tuple[int, ...]:
    """A vector of int32 as Python integers; empty if absent."""
    values = getattr(table, f"{vector}AsNumpy")()
    return () if isinstance(values, int) else tuple(int(v) for v in values)


def _check_indices(what: str, indices: tuple[int, ...], count: int, *, optional: bool) -> None:
    """Raises TruncatedModelError for a tensor index out of range; -1 stands for an absent input."""
    for index in indices:
        if not (-1 if optional else 0) <= index < count:
            raise TruncatedModelError(f"{what}: tensor {index} of {count}", "fetch the file again")


def _text(value: bytes | None) -> str:
    """A name that can go into a one-line message, whatever bytes the file has there."""
    text = (value or b"")[:MAX_NAME_BYTES].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def _operator_name(model: tflite.Model, index: int) -> str:
    code = model.OperatorCodes(index)
    # Schema 3a moved codes from a byte to an int32; writers fill both, the larger is the right one.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _OPERATOR_NAMES.get(builtin, f"operator code {builtin}")
    return f"CUSTOM {_text(code.CustomCode())}" if name == "CUSTOM" else name


def _operator(op: tflite.Operator, index: int, codes: list[str]) -> FileOp:
    options = op.BuiltinOptions()
    inputs, outputs = _indices(op, "Inputs"), _indices(op, "Outputs")
    custom = op.CustomOptionsAsNumpy().tobytes() if op.CustomOptionsLength() else b""
    return FileOp(index, codes[op.OpcodeIndex()], inputs, outputs, op.BuiltinOptionsType(), options, custom)


def _tensor(content: bytes, model: tflite.Model, buffers: int, t: tflite.Tensor, index: int) -> FileTensor:
    number = t.Buffer()
    if number >= buffers:
        raise IndexError("buffer")
    scale, zero_point, axis = np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    quant = t.Quantization()
    if quant is not None:
        scale = np.atleast_1d(quant.ScaleAsNumpy()) if quant.ScaleLength() else scale
        zero_point = np.atleast_1d(quant.ZeroPointAsNumpy()) if quant.ZeroPointLength() else zero_point
        axis = quant.QuantizedDimension()
    return FileTensor(
        index=index,
        name=_text(t.Name()),
        shape=_indices(t, "Shape"),
        signature=_indices(t, "ShapeSignature"),
        type=_TYPE_NAMES.get(t.Type(), f"type {t.Type()}"),
        scale=scale,
        zero_point=zero_point,
        axis=axis,
        raw=_raw(content, model.Buffers(number)) if number else None,
        is_variable=bool(t.IsVariable()),
        is_sparse=t.Sparsity() is not None,
    )


def _raw(content: bytes, buffer: tflite.Buffer) -> np.ndarray | None:
    """A buffer's bytes: inside the flatbuffer, or at an offset behind it for files beyond 2 GB."""
    offset, size = buffer.Offset(), buffer.Size()
    if offset > 1:
        if offset + size > len(content):
            raise IndexError("buffer")
        return np.frombuffer(content, np.uint8, size, offset)
    return buffer.DataAsNumpy() if buffer.DataLength() else None
