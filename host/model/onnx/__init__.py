"""Networks in .onnx files: quantised ones to run, float ones to be quantised. README.md says what is supported."""

from host.model.onnx.floating import import_onnx_float
from host.model.onnx.quantised import import_onnx

__all__ = ["import_onnx", "import_onnx_float"]
