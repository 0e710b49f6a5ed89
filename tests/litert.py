"""LiteRT's reference kernels, the yardstick of the oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


class Reference:
    """A .tflite file in BUILTIN_REF; every tensor can be read back after `run`."""

    def __init__(self, content: bytes):
        self.interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        self.interpreter.allocate_tensors()

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The network's outputs for inputs in the file's own dtypes."""
        for detail, array in zip(self.interpreter.get_input_details(), inputs, strict=True):
            self.interpreter.set_tensor(detail["index"], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(d["index"]) for d in self.interpreter.get_output_details()]

    def tensor(self, index: int) -> np.ndarray:
        """Value of a tensor by its index in the file, uint8 ones shifted to int8 as the graph has them."""
        value = self.interpreter.get_tensor(index)
        return (value.astype(np.int16) - 128).astype(np.int8) if value.dtype == np.uint8 else value
