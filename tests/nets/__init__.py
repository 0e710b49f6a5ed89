"""Hypothesis strategies of single-operator networks, and inputs for them.

Every strategy yields a `Graph` with one operator (depthwise_separable: two), its activations int8 (or uint8, shifted)
at tensor indices `graph.inputs[i].tensor` and `graph.outputs[0].tensor`. Sizes stay small (`MAX_SIDE`,
`MAX_CHANNELS`), so that a failing example can be read. `inputs_for(graph)` draws matching int8 inputs, extremes
included.

    common      what the strategies share, and inputs for a network
    classic     the operators of common networks
    deformable  the deformable convolution
    binary      the operators on bits
    separable   separable convolutions
    STRATEGIES  all by name; any_graph() is one of them

What is left out on purpose, because LiteRT's own behaviour there is undefined or an abort: sums or shifted
sums beyond int32 (signed overflow), ADD with an output scale below 2**-19 of its inputs' (a failed check),
pool windows that lie wholly in the padding (SAME has none).
"""

from __future__ import annotations

from hypothesis import strategies as st

from host.model import graph as g
from tests.nets.binary import (
    binarise_graphs,
    binary_conv2d_graphs,
    binary_max_pool_graphs,
    planes_conv2d_graphs,
)
from tests.nets.classic import (
    add_graphs,
    average_pool_graphs,
    concatenation_graphs,
    conv2d_graphs,
    depthwise_graphs,
    fully_connected_graphs,
    grouped_graphs,
    max_pool_graphs,
    mean_graphs,
    pad_graphs,
    quantize_graphs,
    reshape_graphs,
    resize_graphs,
    softmax_graphs,
    transpose_graphs,
)
from tests.nets.common import (
    INT8,
    INT32,
    file_inputs,
    inputs_for,
    int8_data,
    make_quant,
    make_tensor,
    one_operator,
    seeds,
    zero_points,
)
from tests.nets.deformable import deformable_graphs
from tests.nets.separable import conv2d_outer_graphs, depthwise_outer_graphs, depthwise_separable_graphs
from tests.nets.transposed import transposed_conv2d_free_graphs, transposed_conv2d_graphs

__all__ = [
    "INT8",
    "INT32",
    "NOT_IN_LITERT",
    "STRATEGIES",
    "any_graph",
    "file_inputs",
    "fully_connected_graphs",
    "inputs_for",
    "int8_data",
    "make_quant",
    "make_tensor",
    "one_operator",
    "seeds",
    "zero_points",
]

STRATEGIES = {
    "add": add_graphs,
    "average_pool": average_pool_graphs,
    "binarise": binarise_graphs,
    "binary_conv2d": binary_conv2d_graphs,
    "binary_max_pool": binary_max_pool_graphs,
    "concatenation": concatenation_graphs,
    "conv2d": conv2d_graphs,
    "deformable_conv2d": deformable_graphs,
    "depthwise": depthwise_graphs,
    "conv2d_outer": conv2d_outer_graphs,
    "depthwise_outer": depthwise_outer_graphs,
    "depthwise_separable": depthwise_separable_graphs,
    "fully_connected": fully_connected_graphs,
    "grouped": grouped_graphs,
    "max_pool": max_pool_graphs,
    "mean": mean_graphs,
    "pad": pad_graphs,
    "planes_conv2d": planes_conv2d_graphs,
    "quantize": quantize_graphs,
    "reshape": reshape_graphs,
    "resize": resize_graphs,
    "softmax": softmax_graphs,
    "transpose": transpose_graphs,
    "transposed_conv2d": transposed_conv2d_graphs,
    "transposed_conv2d_free": transposed_conv2d_free_graphs,
}

# Names of strategies whose graphs LiteRT cannot run, and why; all the others are compared with it.
NOT_IN_LITERT = {
    "transposed_conv2d_free": "no .tflite file holds padding that is neither SAME nor VALID",
    "deformable_conv2d": "it has no such operator; tests/unit/test_deformable.py compares with floats",
    "binarise": "Larq Compute Engine's; see tests/unit/test_larq.py",
    "binary_conv2d": "Larq Compute Engine's; see tests/unit/test_larq.py",
    "binary_max_pool": "Larq Compute Engine's; see tests/unit/test_larq.py",
    "planes_conv2d": "it has no such operator; the oracle puts the levels together for CONV_2D",
}


def any_graph(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """One of all the strategies above."""
    return st.one_of([strategy(unsigned) for strategy in STRATEGIES.values()])
