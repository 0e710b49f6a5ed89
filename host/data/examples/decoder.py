"""An encoder and a decoder with a shortcut between them: transposed convolutions give the image's size back.

    host run decoder.py

`network` may be a function; it is called with no arguments.
"""

import numpy as np

from host.model.builder import Builder, Value


def network() -> Builder:
    """A mask of 32x32 from an image of 32x32."""
    rng = np.random.default_rng(2)

    def real(*shape: int) -> np.ndarray:
        return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)

    net = Builder("decoder")
    relu = {"scale": 1 / 64, "zero_point": -128, "activation": "RELU"}

    def down(x: Value, channels: int) -> Value:
        return net.conv2d(x, real(channels, 3, 3, x.shape[3]), stride=2, **relu)

    def up(x: Value, channels: int) -> Value:
        return net.transposed_conv2d(x, real(channels, 3, 3, x.shape[3]), stride=2, **relu)

    image = net.input((32, 32, 1), scale=1 / 255, zero_point=-128, name="image")
    half = down(image, 8)
    quarter = down(half, 16)
    x = net.concatenate([up(quarter, 8), half])
    x = up(x, 8)
    net.output(net.conv2d(x, real(1, 1, 1, 8), scale=1 / 32), name="mask")
    return net
