"""Affine quantisation by the published formulas: scales, zero points and integers of real numbers.

Activations: asymmetric int8, scale = (max - min) / 255, the range widened to hold zero, which is a whole step.
Weights: symmetric int8 in -127..127, one scale an output channel or one for all. Biases: int32 at input scale
times weight scale. Source: Jacob et al. 2017, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference"; TensorFlow Lite's 8-bit quantization specification.
"""

from __future__ import annotations

import numpy as np

from host.model.graph import Quant

# What the reference's softmax writes.
SOFTMAX_QUANT = Quant(np.array([1 / 256], np.float32), -128)
# A bias may take this much of an int32; products and the reference's rescaling need the rest.
BIAS_LIMIT = 2**29
# Steps that the bias of a channel without weights is given.
BIAS_STEPS = 2**15


def activation_quant(low: float, high: float) -> Quant:
    """The int8 quantisation of [low, high], widened to hold zero. A range of zeros gets scale 1."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255)
    if not scale >= np.finfo(np.float32).tiny:
        return Quant(np.ones(1, np.float32), -128)
    return Quant(np.array([scale]), int(np.clip(round(-128 - low / float(scale)), -128, 127)))


def quantise(values: np.ndarray, quant: Quant) -> np.ndarray:
    """int8 of real values with one scale: round(value / scale) + zero_point, saturating."""
    steps = np.rint(np.asarray(values, np.float64) / float(quant.scale[0]))
    return np.clip(steps + quant.zero_point, -128, 127).astype(np.int8)


def weight_scales(
    weights: np.ndarray, bias: np.ndarray | None, input_scale: float, axis: int, *, per_channel: bool
) -> np.ndarray:
    """float32 [channels], or [1]: the least scale that holds every weight, and every bias in `BIAS_LIMIT` steps.

    `axis` is the dimension of the output channels. A channel of zeros takes its scale from its bias.
    """
    flat = np.moveaxis(np.abs(weights), axis, 0).reshape(weights.shape[axis], -1)
    peak = flat.max(1)
    reach = np.zeros(len(peak)) if bias is None else np.abs(np.asarray(bias, np.float64)) / input_scale
    if not per_channel:
        peak, reach = peak.max(keepdims=True), reach.max(keepdims=True)
    scale = np.maximum(peak.astype(np.float64) / 127, reach / BIAS_LIMIT)
    scale = np.where(peak > 0, scale, np.where(reach > 0, reach / BIAS_STEPS, 1.0)).astype(np.float32)
    return np.maximum(scale, np.finfo(np.float32).tiny)


def quantise_weights(weights: np.ndarray, scale: np.ndarray, axis: int) -> np.ndarray:
    """int8 weights in -127..127 of real ones, `scale` along `axis`."""
    along = [1] * weights.ndim
    along[axis] = len(scale)
    steps = np.asarray(weights, np.float64) / scale.astype(np.float64).reshape(along)
    return np.clip(np.rint(steps), -127, 127).astype(np.int8)


def quantise_bias(bias: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """int32 of real biases in units of `scale`, input scale times weight scale; saturating."""
    steps = np.rint(np.asarray(bias, np.float64) / scale.astype(np.float64))
    limits = np.iinfo(np.int32)
    return np.clip(steps, limits.min, limits.max).astype(np.int32)
