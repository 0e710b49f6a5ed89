"""An .onnx file as nodes and constants, checked: nothing of protobuf goes beyond this module.

The `onnx` package is imported when a file is read and not before: no other command waits for it.
Source: ONNX IR specification and `onnx.proto`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from host.errors import InputError, NotAnOnnxError, UnsupportedError

if TYPE_CHECKING:
    import onnx

LEAST_OPSET = 9
MICROSOFT = "com.microsoft"
_DOMAINS = ("", "ai.onnx", MICROSOFT)
MAX_RANK = 6
MAX_ELEMS = 2**31 - 1


@dataclass(frozen=True)
class Node:
    """An operator of the file. An absent input is an empty name; `index` is the place in the file.

    `shown` is the operator's name in the file if this node was made from it.
    """

    op: str
    name: str
    index: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    domain: str = ""
    shown: str = ""

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute's value, numbers and strings as in Python."""
        return self.attributes.get(name, default)

    def has(self, place: int) -> bool:
        """Whether there is an input at this place."""
        return place < len(self.inputs) and bool(self.inputs[place])

    def refuse(self, reason: str, hint: str = "") -> UnsupportedError:
        """The one form of a refusal: operator, node, reason."""
        return UnsupportedError(f"{self}: {reason}", hint)

    def __str__(self) -> str:
        """Operator and node as messages name them."""
        op = self.shown or self.op
        return f"{op} {self.name!r}" if self.name else f"{op} (node {self.index})"


@dataclass(frozen=True)
class FileInput:
    """An input of the network; the batch is 1 where the file leaves it open."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A network of the file."""

    nodes: list[Node]
    constants: dict[str, np.ndarray]
    inputs: list[FileInput]
    outputs: list[str]
    opset: int
    sha256: str

    @cached_property
    def uses(self) -> Counter[str]:
        """Readers of each value, the network's outputs among them; not Shape, which does not look at values."""
        names = (name for node in self.nodes if node.op != "Shape" for name in node.inputs)
        return Counter(names) + Counter(self.outputs)

    @cached_property
    def by_index(self) -> dict[int, Node]:
        """A node for each place in the file."""
        return {node.index: node for node in self.nodes}


def read_model(source: str | PathLike[str] | bytes) -> Model:
    """The network in an .onnx file (a path, or its bytes), with external data from beside the file.

    Raises NotAnOnnxError for other and for damaged files, UnsupportedError for what is too old or too new,
    dynamic, or missing; InputError if the path cannot be read.
    """
    if isinstance(source, bytes):
        content, folder = source, None
    else:
        try:
            content, folder = Path(source).read_bytes(), Path(source).parent
        except OSError as error:
            raise InputError(f"{source}: {error.strerror}") from error
    proto = _parse(content)
    digest = hashlib.sha256(content)
    _load_external(proto, folder, digest)
    return _model(_checked(proto), digest.hexdigest())


def _parse(content: bytes) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise NotAnOnnxError("not an ONNX file, or a damaged one") from error
    # Protobuf reads almost anything as a message without known fields.
    if proto.ir_version < 1 or not proto.opset_import or not proto.graph.node:
        raise NotAnOnnxError("not an ONNX file: it has no version, operator set or node")
    return proto


def _load_external(proto: onnx.ModelProto, folder: Path | None, digest: Any) -> None:
    """Reads the weights that lie in files of their own, and counts them in the digest."""
    from onnx import TensorProto, external_data_helper

    attributes = [a.t for n in proto.graph.node for a in n.attribute if a.HasField("t")]
    for tensor in (*proto.graph.initializer, *attributes):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        if folder is None or not where or not (folder / where).is_file():
            raise UnsupportedError(
                f"its weights are in the external file {where!r}, which is missing",
                "keep that file beside the .onnx file, or save the network as one file",
            )
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (ValueError, OSError) as error:
            raise NotAnOnnxError(f"external file {where!r}: {_first_line(error)}") from error
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
        digest.update(tensor.raw_data)


def _checked(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The network after the onnx package's own check, with the file's functions expanded."""
    from onnx import checker, inliner

    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset and opset < LEAST_OPSET:
        raise UnsupportedError(
            f"operator set {opset} is too old: {LEAST_OPSET} is the least",
            "export the network again with opset 17",
        )
    for output in proto.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.shape.SetInParent()  # the check wants a shape, we and onnxruntime know it anyway
    try:
        checker.check_model(proto)
        if proto.functions:
            proto = inliner.inline_local_functions(proto)
    except (checker.ValidationError, ValueError, RuntimeError) as error:
        raise NotAnOnnxError(f"not a valid ONNX network: {_first_line(error)}") from error
    return proto


def _model(proto: onnx.ModelProto, sha256: str) -> Model:
    if proto.graph.sparse_initializer:
        raise UnsupportedError("sparse constants are not supported")
    constants = {t.name: _array(t) for t in proto.graph.initializer}
    nodes = [_node(n, i) for i, n in enumerate(proto.graph.node)]
    outputs = [o.name for o in proto.graph.output]
    inputs = [_input(v) for v in proto.graph.input if v.name not in constants]
    if not inputs or not outputs:
        raise UnsupportedError("the network has no input or no output")
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=LEAST_OPSET)
    return Model(nodes, constants, inputs, outputs, opset, sha256)


def _array(tensor: onnx.TensorProto) -> np.ndarray:
    from onnx import numpy_helper

    try:
        array = numpy_helper.to_array(tensor)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise NotAnOnnxError(f"constant {tensor.name!r} is damaged: {_first_line(error)}") from error
    return array


def _node(proto: onnx.NodeProto, index: int) -> Node:
    from onnx import TensorProto, helper

    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            value = _array(value)
        elif isinstance(value, bytes):
            value = _text(value)
        attributes[_text(attribute.name)] = value
    inputs, outputs = tuple(proto.input), tuple(proto.output)
    node = Node(_text(proto.op_type), proto.name, index, inputs, outputs, attributes, _text(proto.domain))
    if node.domain not in _DOMAINS:
        raise node.refuse(f"operators of {node.domain} are not supported")
    return node


def _input(value: onnx.ValueInfoProto) -> FileInput:
    from onnx import helper

    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
        raise UnsupportedError(f"input {value.name!r} has no shape")
    shape = [d.dim_value if d.HasField("dim_value") else _text(d.dim_param) or "?" for d in kind.shape.dim]
    if shape and not (isinstance(shape[0], int) and shape[0] > 0):
        shape[0] = 1
    if any(not isinstance(n, int) or n < 1 for n in shape):
        text = ", ".join(map(str, shape))
        raise UnsupportedError(
            f"input {value.name!r} has the dynamic shape [{text}]", "export the network with fixed sizes"
        )
    if len(shape) > MAX_RANK or np.prod([int(n) for n in shape], dtype=float) > MAX_ELEMS:
        raise UnsupportedError(f"input {value.name!r}: shape {shape[: MAX_RANK + 1]} is too large")
    try:
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    except KeyError as error:
        raise UnsupportedError(f"input {value.name!r} is of an unknown type") from error
    return FileInput(value.name, np.dtype(dtype), tuple(shape))


def _text(name: str | bytes) -> str:
    """A string of the file that messages may repeat: it can hold anything."""
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    return "".join(c if c.isprintable() else "?" for c in text)


def _first_line(error: Exception) -> str:
    return _text((str(error).strip().splitlines() or [type(error).__name__])[0])
