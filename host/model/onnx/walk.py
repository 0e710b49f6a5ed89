"""The walk over a file's nodes that both imports share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from host.errors import UnsupportedError
from host.model.onnx.file import MICROSOFT, Node
from host.model.onnx.fold import fold
from host.model.onnx.network import IMAGE, SEQUENCE, Const, Net, Value
from host.model.onnx.operators import OPERATORS

Importer = Callable[[Net, Node], Value | Const]

_DYNAMIC = "computes its scales at run time (dynamic quantisation)"
_STATIC_HINT = "quantise statically: onnxruntime.quantization.quantize_static"
_REFUSALS = {
    "ConvInteger": _DYNAMIC,
    "MatMulInteger": _DYNAMIC,
    "MatMulIntegerToFloat": _DYNAMIC,
    "DynamicQuantizeLinear": _DYNAMIC,
    "DynamicQuantizeMatMul": _DYNAMIC,
}


def walk(net: Net, special: dict[str, Importer], forms: Iterable[str] = ()) -> None:
    """Imports every node: constants are folded, `special` and OPERATORS do the others.

    `forms` are operators that were replaced before, for the list of what is supported. Raises UnsupportedError.
    """
    known = {**OPERATORS, **special}
    for node in net.model.nodes:
        if node.op in _REFUSALS:
            raise node.refuse(_REFUSALS[node.op], _STATIC_HINT)
        if not node.outputs or not node.outputs[0]:
            raise node.refuse("has no output")
        missing = [name for name in node.inputs if name and name not in net.values]
        if missing:
            raise node.refuse(f"input {missing[0]!r} has no value")
        result = None if node.op in special else fold(net, node)
        if result is None:
            if node.op not in known or (node.domain == MICROSOFT and node.op not in special):
                raise node.refuse("not supported", f"supported: {', '.join(sorted({*known, *forms}))}")
            result = known[node.op](net, node)
        net.values[node.outputs[0]] = result


def add_inputs(net: Net, dtypes: tuple[str, ...]) -> None:
    """The network's inputs, images as NHWC. Raises UnsupportedError for types that the import does not know."""
    for given in net.model.inputs:
        if given.dtype.name not in dtypes:
            raise UnsupportedError(
                f"input {given.name!r} is {given.dtype.name}: supported are {', '.join(dtypes)}"
            )
        net.add_input(
            given.name, np.dtype(given.dtype), given.shape, _input_order(net, given.name, len(given.shape))
        )


def _input_order(net: Net, name: str, rank: int) -> tuple[int, ...]:
    """How an input lies in memory: images as NHWC, unless the file itself has them so and transposes them first."""
    nodes = net.model.nodes
    reader = next((n for n in nodes if name in n.inputs), None)
    while reader is not None and reader.op in ("QuantizeLinear", "DequantizeLinear", "Identity", "Cast"):
        name = reader.outputs[0]
        reader = next((n for n in nodes if name in n.inputs), None)
    convolved = any(
        n.op == "Conv" and len(n.attribute("kernel_shape", n.attribute("strides", [0, 0]))) == 1
        for n in nodes
    )
    as_in_file = reader is not None and reader.op == "Transpose"
    order = IMAGE if rank == 4 else SEQUENCE if rank == 3 and convolved else tuple(range(rank))
    return tuple(range(rank)) if as_in_file else order
