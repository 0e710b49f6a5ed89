"""Residual blocks of a binary network: XNOR convolutions, each with a shortcut of real values, as in Bi-Real Net.

    host run binary.py

The bits are signs; a convolution of them counts, its multiplier (XNOR-Net's scaling factor) gives real values back.
"""

import numpy as np

from host.model.builder import Builder, Value

rng = np.random.default_rng(4)
CHANNELS = 64
net = Builder("binary")


def block(x: Value) -> Value:
    """x plus the binary convolution of its signs."""
    weights = np.where(rng.random((CHANNELS, 3, 3, CHANNELS)) < 0.5, -1, 1)
    factors = rng.uniform(0.005, 0.02, CHANNELS)
    y = net.binary_conv2d(net.binarize(x), weights, factors, scale=1 / 64)
    return net.add(x, y, scale=1 / 32)


image = net.input((16, 16, 3), scale=1 / 128)
# the first and the last layer stay int8, as in every binary network
x = net.conv2d(image, rng.normal(0, 0.2, (CHANNELS, 3, 3, 3)), scale=1 / 64, stride=2)
x = block(block(x))
x = net.fully_connected(net.mean(x), rng.normal(0, 0.2, (10, CHANNELS)), scale=1 / 32)
net.output(net.softmax(x))

network = net.graph()
