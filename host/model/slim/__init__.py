"""Exact slimming: channels that cannot change any output are taken out of a network, bit for bit the same.

    channels    which axis of a tensor holds its channels, and which channels of two tensors stay together
    filters     convolutions and fully connected layers as sums over the windows at and inside the border
    intervals   least and largest value of every channel over all inputs, hence which are constant
    liveness    which channels must stay: those that something reads, to a fixed point
    rebuild     the graph without the others; constants folded into biases
    report      what was removed and why; which channels of a tensor are left

Every remaining channel keeps its value, so one interval analysis serves: it would find the same again. Tensor
indices stay; changed weights and biases become new tensors at the end of the list.

Limits: operators that it does not know (grouped, transposed, deformable, binary) lose nothing; a tensor loses
channels along one axis only; an operator that works channel by channel computes all channels of its operand, if
any, though nothing may read some of them; a constant that padding makes different at the border stays.

Source: own work.
"""

from host.model.slim.rebuild import slim
from host.model.slim.report import Kept, SlimmedLayer, Slimming

__all__ = ["Kept", "SlimmedLayer", "Slimming", "slim"]
