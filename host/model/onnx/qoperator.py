"""The QOperator form: each operator on integers becomes the float operator between DequantizeLinear and QuantizeLinear.

Source: ONNX operator specification (QLinearConv, QLinearMatMul), onnxruntime's contributed operators (com.microsoft).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from host.model.onnx.file import Model, Node


@dataclass(frozen=True)
class Form:
    """A QOperator: its float operator, and the places of its inputs.

    operands: of each the places of value, scale and zero point. output: those of its scale and zero point. bias: of
    an int32 bias, whose scale is that of the first operand times that of the second.
    """

    op: str
    operands: tuple[tuple[int, int, int], ...]
    output: tuple[int, int]
    bias: int | None = None


_UNARY = (((0, 1, 2),), (3, 4))
_BINARY = (((0, 1, 2), (3, 4, 5)), (6, 7))
FORMS = {
    "QGemm": Form("Gemm", ((0, 1, 2), (3, 4, 5)), (7, 8), 6),
    "QLinearAdd": Form("Add", *_BINARY),
    "QLinearAveragePool": Form("AveragePool", *_UNARY),
    "QLinearConv": Form("Conv", *_BINARY, 8),
    "QLinearGlobalAveragePool": Form("GlobalAveragePool", *_UNARY),
    "QLinearMatMul": Form("MatMul", *_BINARY),
    "QLinearReduceMean": Form("ReduceMean", *_UNARY),
    "QLinearSoftmax": Form("Softmax", *_UNARY),
}
QOPERATORS = (*FORMS, "QLinearConcat")


def expanded(model: Model) -> list[Node]:
    """The nodes with every QOperator as DequantizeLinear, a float operator, QuantizeLinear; the others as they are."""
    nodes: list[Node] = []
    for node in model.nodes:
        if node.op == "QLinearConcat":
            count = (len(node.inputs) - 2) // 3
            places = tuple((2 + 3 * i, 3 + 3 * i, 4 + 3 * i) for i in range(count))
            nodes += _expand(node, Form("Concat", places, (0, 1)))
        elif node.op in FORMS:
            nodes += _expand(node, FORMS[node.op])
        else:
            nodes.append(node)
    return nodes


def _expand(node: Node, form: Form) -> list[Node]:
    if node.attribute("channels_last", 0):
        raise node.refuse("channels_last is not supported")
    places = (*(p for operand in form.operands for p in operand[:2]), *form.output)
    if not all(node.has(p) for p in places):
        raise node.refuse(f"{len(node.inputs)} inputs: one is missing, or it has no zero point")
    make = _Maker(node)
    axis = {"Conv": 0, "Gemm": 0 if node.attribute("transB", 0) else 1}.get(form.op, 1)
    inputs = [
        make("DequantizeLinear", tuple(_name(node, p) for p in operand), f"operand{i}", axis=axis if i else 1)
        for i, operand in enumerate(form.operands)
    ]
    if form.bias is not None and node.has(form.bias):
        scale = make(
            "Mul", (node.inputs[form.operands[0][1]], node.inputs[form.operands[1][1]]), "bias_scale"
        )
        inputs.append(make("DequantizeLinear", (node.inputs[form.bias], scale), "bias", axis=0))
    real = make(form.op, tuple(inputs), "real", **node.attributes)
    scales = tuple(node.inputs[p] for p in form.output)
    make.nodes.append(
        replace(node, op="QuantizeLinear", domain="", inputs=(real, *scales), attributes={}, shown=node.op)
    )
    return make.nodes


def _name(node: Node, place: int) -> str:
    return node.inputs[place] if node.has(place) else ""


class _Maker:
    """Nodes in the place of one: each call appends one and gives the name of its output."""

    def __init__(self, node: Node):
        self.node = node
        self.nodes: list[Node] = []

    def __call__(self, op: str, inputs: tuple[str, ...], role: str, **attributes: object) -> str:
        output = f"{self.node.outputs[0]}/{role}"
        self.nodes.append(
            replace(
                self.node,
                op=op,
                domain="",
                inputs=inputs,
                outputs=(output,),
                attributes=attributes,
                shown=self.node.op,
            )
        )
        return output
