"""A depthwise separable block in which every channel has two filters: the tensor between is the largest by far.

    host run separable.py                                       two steps, and that tensor
    host run separable.py --kernels '*depthwise_pointwise*'     one step, and strips of it
    host run separable.py --arena 14000                         smaller strips

Each of the three tells its arena and its instructions.
"""

import numpy as np

from host.model.builder import Builder

rng = np.random.default_rng(5)
net = Builder("separable")
x = net.input((24, 12, 32), scale=1 / 64)
x = net.separable_conv2d(
    x,
    rng.normal(0, 0.3, (1, 3, 3, 64)),
    rng.normal(0, 0.2, (32, 1, 1, 64)),
    depthwise_scale=1 / 32,
    scale=1 / 32,
    activation="RELU",
)
net.output(x)

network = net.graph()
