"""Nodes whose result is known at import: arithmetic of shapes, and constants that are moved before they are used."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.model.onnx.file import LEAST_OPSET, Node
from host.model.onnx.network import Const, Net, Value

_MOVES = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def fold(net: Net, node: Node) -> Const | None:
    """The node's constant result, None if it depends on an activation. Raises UnsupportedError if it has no value."""
    values = [net.values.get(name) for name in node.inputs if name]
    if node.op == "Constant":
        return _constant(node)
    if node.op == "Shape" and len(values) == 1 and isinstance(values[0], Value):
        shape = np.array(values[0].shape, np.int64)
        return Const(shape[slice(node.attribute("start", 0), node.attribute("end", None))])
    constants = [v for v in values if isinstance(v, Const)]
    if not values or len(constants) != len(values):
        return None
    first = constants[0]
    if first.quant is not None and node.op in _MOVES:
        return Const(_evaluate(net, node, [c.data for c in constants]), _moved(node, first))
    return Const(_evaluate(net, node, [c.real if c.quant is None else _float(c) for c in constants]))


def _float(constant: Const) -> np.ndarray:
    return constant.real.astype(np.float32)


def _constant(node: Node) -> Const:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            dtype = {"value": None, "value_float": np.float32, "value_floats": np.float32}.get(name, np.int64)
            return Const(np.asarray(value, dtype))
    raise node.refuse("only constants of numbers are supported")


def _moved(node: Node, constant: Const) -> g.Quant:
    """The quantisation after a move: TRANSPOSE takes a channel's axis along."""
    quant = constant.quant
    assert quant is not None
    if not quant.per_channel or node.op == "Identity":
        return quant
    if node.op != "Transpose":
        raise node.refuse("its constant has a scale for each channel")
    perm = list(node.attribute("perm", range(constant.data.ndim)[::-1]))
    return g.Quant(quant.scale, quant.zero_point, perm.index(quant.axis))


def _evaluate(net: Net, node: Node, inputs: list[np.ndarray]) -> np.ndarray:
    """What the onnx package's reference implementation computes."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    names = iter([f"in{i}" for i in range(len(inputs))])
    placed = [next(names) if name else "" for name in node.inputs]
    attributes = {
        k: helper.make_attribute(k, v) if not isinstance(v, np.ndarray) else None
        for k, v in node.attributes.items()
    }
    proto = helper.make_node(node.op, placed, ["out"], domain=node.domain)
    for name, attribute in attributes.items():
        proto.attribute.append(attribute or helper.make_attribute(name, _tensor(node.attributes[name])))
    feeds = {f"in{i}": array for i, array in enumerate(inputs)}
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in feeds.items()
    ]
    output = helper.make_empty_tensor_value_info("out")
    opset = [helper.make_opsetid(node.domain, max(net.model.opset, LEAST_OPSET) if not node.domain else 1)]
    model = helper.make_model(helper.make_graph([proto], "constant", infos, [output]), opset_imports=opset)
    try:
        (result,) = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # the evaluator raises whatever numpy or its own code does
        raise node.refuse(f"its constants give no value ({type(error).__name__}: {error})") from error
    return np.asarray(result)


def _tensor(array: np.ndarray):
    from onnx import numpy_helper

    return numpy_helper.from_array(array)
