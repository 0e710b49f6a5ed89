"""The benchmark's networks: what it calls them, and what it sends and expects for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.errors import InputError

INT8, UINT8, FLOAT32 = range(3)  # enum mlperf_input
SCORES, SQUARED_ERROR = range(2)  # enum mlperf_result


@dataclass(frozen=True)
class Model:
    """`name` is the benchmark's, `catalogue` ours; `input_kind` is how an input's `elems` elements come."""

    name: str
    catalogue: str
    input_kind: int
    result_kind: int
    elems: int

    @property
    def raw_dtype(self) -> np.dtype:
        """Of an input as the benchmark sends it."""
        return np.dtype({INT8: "i1", UINT8: "u1", FLOAT32: "<f4"}[self.input_kind])

    @property
    def raw_bytes(self) -> int:
        """Of an input as the benchmark sends it."""
        return self.elems * self.raw_dtype.itemsize


MODELS = {
    model.name: model
    for model in (
        Model("kws01", "kws_ref_model", INT8, SCORES, 49 * 10),
        Model("vww01", "vww_96_int8", UINT8, SCORES, 96 * 96 * 3),
        Model("ic01", "pretrainedResnet_quant", UINT8, SCORES, 32 * 32 * 3),
        Model("ad01", "ad01_int8", FLOAT32, SQUARED_ERROR, 640),
    )
}


def find_model(name: str) -> Model:
    """The model that the benchmark calls so. Raises InputError."""
    if name not in MODELS:
        raise InputError(f"MLPerf Tiny has no model {name!r}", f"its models are {', '.join(MODELS)}")
    return MODELS[name]


def random_raw(model: Model, seed: int) -> np.ndarray:
    """A random input as the benchmark sends it."""
    rng = np.random.default_rng(seed)
    if model.input_kind == FLOAT32:
        return rng.normal(0, 3, model.elems).astype("<f4")
    limits = np.iinfo(model.raw_dtype)
    return rng.integers(limits.min, limits.max + 1, model.elems, dtype=model.raw_dtype)
