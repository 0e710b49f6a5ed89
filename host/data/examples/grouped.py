"""Quantised by hand: a stride-2 convolution, then grouped, dilated and depthwise separable ones, and a classifier.

    host run grouped.py

Weights are random; a network of yours would load them, for example from a .npz file beside the script.
"""

import numpy as np

from host.model.builder import Builder

rng = np.random.default_rng(1)


def real(*shape: int) -> np.ndarray:
    """Random weights whose sums stay about as large as what they add up."""
    return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)


net = Builder("grouped")
x = net.input((32, 32, 3), scale=1 / 128)
# real weights are quantised, with a scale for each output channel
x = net.conv2d(x, real(16, 3, 3, 3), real(16), scale=1 / 64, zero_point=-128, stride=2, activation="RELU")
# four groups: output channels 0 to 3 read input channels 0 to 3, and so on
x = net.conv2d(x, real(16, 3, 3, 4), scale=1 / 64, zero_point=-128, groups=4, activation="RELU")
# every second pixel of a 5x5 field
y = net.conv2d(x, real(16, 3, 3, 16), scale=1 / 64, dilation=2)
x = net.add(x, y, scale=1 / 64, zero_point=-128, activation="RELU")
# int8 weights come with their scale
depthwise = rng.integers(-127, 128, (1, 3, 3, 16), dtype=np.int8)
x = net.separable_conv2d(
    x, depthwise, real(24, 1, 1, 16), depthwise_weight_scale=1 / 400, depthwise_scale=1 / 64,
    scale=1 / 64, zero_point=-128, activation="RELU", stride=2,
)  # fmt: skip
x = net.mean(x)
x = net.fully_connected(x, real(10, 24), real(10), scale=1 / 32)
net.output(net.softmax(x, name="probabilities"))

network = net.graph()
