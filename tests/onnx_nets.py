"""Small ONNX networks for the tests: made node by node, and quantised by onnxruntime's own tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

MICROSOFT = "com.microsoft"


class Maker:
    """A network under construction: `x` is its first input, each node's output is called after the node."""

    def __init__(
        self, shape: tuple[int, ...] | list, opset: int = 17, *, name: str = "x", dtype=TensorProto.FLOAT
    ):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info(name, dtype, list(shape))]
        self.opset = opset
        self.rng = np.random.default_rng(1)

    def input(self, name: str, shape: tuple[int, ...], dtype=TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        return name

    def constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def random(self, name: str, *shape: int, spread: float = 0.5) -> str:
        return self.constant(name, (spread * self.rng.standard_normal(shape)).astype(np.float32))

    def node(self, op: str, inputs: list[str], name: str, *, domain: str = "", **attributes) -> str:
        self.nodes.append(
            helper.make_node(op, inputs, [name], name=f"{name}_node", domain=domain, **attributes)
        )
        return name

    def quantize(self, source: str, scale: float, zero: int, dtype=np.int8) -> str:
        """QuantizeLinear alone."""
        s = self.constant(f"{source}_scale", np.float32(scale))
        z = self.constant(f"{source}_zero", np.array(zero, dtype))
        return self.node("QuantizeLinear", [source, s, z], f"{source}_q")

    def requantized(self, source: str, scale: float, zero: int, dtype=np.int8) -> str:
        """QuantizeLinear and DequantizeLinear with one scale: a quantised activation in the QDQ form."""
        q = self.quantize(source, scale, zero, dtype)
        return self.node("DequantizeLinear", [q, f"{source}_scale", f"{source}_zero"], f"{source}_dq")

    def weights(self, name: str, data: np.ndarray, scale, zero=0, axis: int | None = None) -> str:
        """Integer weights behind DequantizeLinear; int32 ones have no zero point."""
        q, s = self.constant(f"{name}_q", data), self.constant(f"{name}_scale", np.asarray(scale, np.float32))
        inputs = [q, s]
        if data.dtype != np.int32:
            inputs.append(
                self.constant(f"{name}_zero", np.broadcast_to(np.array(zero, data.dtype), np.shape(scale)))
            )
        return self.node("DequantizeLinear", inputs, name, **({} if axis is None else {"axis": axis}))

    def model(self, *outputs: str, dtype=TensorProto.FLOAT) -> onnx.ModelProto:
        results = [helper.make_tensor_value_info(o, dtype, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "net", self.inputs, results, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(MICROSOFT, 1)]
        ir_version = min(10, helper.find_min_ir_version_for(opsets[:1]))
        return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)

    def bytes(self, *outputs: str, dtype=TensorProto.FLOAT) -> bytes:
        return self.model(*outputs, dtype=dtype).SerializeToString()


class _Samples(CalibrationDataReader):
    def __init__(self, name: str, samples: np.ndarray):
        self.feeds = iter([{name: sample} for sample in samples])

    def get_next(self):
        return next(self.feeds, None)


def quantised(model: onnx.ModelProto, folder: Path, samples: np.ndarray, *, qdq: bool = True, unsigned: bool = False,
              per_channel: bool = False, **options) -> Path:  # fmt: skip
    """The file that onnxruntime's static quantisation makes of a float network with one input.

    Weights have 7 bits: where a processor has no VNNI, onnxruntime adds pairs of products in saturating 16 bits.
    """
    source, target = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(model, source)
    quantize_static(
        source, target, _Samples(model.graph.input[0].name, samples),
        quant_format=QuantFormat.QDQ if qdq else QuantFormat.QOperator,
        activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
        weight_type=QuantType.QInt8, per_channel=per_channel, reduce_range=True, **options,
    )  # fmt: skip
    return target


def session(content: bytes | Path, *, optimised: bool = True) -> onnxruntime.InferenceSession:
    """onnxruntime on the CPU; not `optimised`: as the file says, in float."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = content if isinstance(content, bytes) else str(content)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def reference(content: bytes | Path, *inputs: np.ndarray, optimised: bool = True) -> list[np.ndarray]:
    """onnxruntime's outputs."""
    run = session(content, optimised=optimised)
    return run.run(None, {i.name: x for i, x in zip(run.get_inputs(), inputs, strict=True)})


def evaluated(content: bytes, *inputs: np.ndarray, optimised: bool = False) -> list[np.ndarray]:
    """The outputs of the onnx package's evaluator, which knows but one way."""
    evaluator = ReferenceEvaluator(onnx.load_from_string(content))
    return evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True)))
