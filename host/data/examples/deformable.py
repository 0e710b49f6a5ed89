"""A deformable convolution whose offsets a convolution of the same image finds, as in Dai 2017, and one with a mask.

host run deformable.py
host run deformable.py --input inputs.npz       (arrays `image` and `mask`)
"""

import numpy as np

from host.model.builder import Builder

rng = np.random.default_rng(3)


def real(*shape: int) -> np.ndarray:
    """Random weights whose sums stay about as large as what they add up."""
    return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)


net = Builder("deformable")
image = net.input((16, 16, 4), scale=1 / 128, name="image")
# a factor from 0 to 1 for each of the nine taps, at each output pixel
mask = net.input((16, 16, 9), scale=1 / 255, zero_point=-128, name="mask")
# (dy, dx) for each tap: 1/32 of a pixel a step, so four pixels to each side
offsets = net.conv2d(image, real(18, 3, 3, 4), scale=1 / 32, name="offsets")
x = net.deformable_conv2d(
    image, offsets, real(8, 3, 3, 4), mask=mask, scale=1 / 64, zero_point=-128, activation="RELU"
)
net.output(net.average_pool(x, 2))

network = net.graph()
