"""The network without the channels that need not stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.model import graph as g
from host.model.slim.channels import channel_axes, is_filter, is_opaque
from host.model.slim.intervals import Intervals, analyse
from host.model.slim.liveness import live_channels
from host.model.slim.report import Kept, Slimming, explain
from host.oracle import fixedpoint, params


def slim(graph: g.Graph) -> tuple[g.Graph, Slimming]:
    """A copy without superfluous channels and operators, and what was removed.

    All network outputs are bit-identical for every input; inputs and outputs keep their shapes.
    """
    axes = channel_axes(graph)
    intervals = analyse(graph, axes)
    live = live_channels(graph, axes, intervals)
    result = _Rebuild(graph, axes, intervals, live).run()
    kept = {
        index: Kept(axes[index], np.flatnonzero(mask))
        for index, mask in live.items()
        if graph.tensors[index].data is None and mask.any() and not mask.all()
    }
    return result, Slimming(explain(graph, result, intervals, live), kept)


class _Rebuild:
    def __init__(
        self, graph: g.Graph, axes: dict[int, int], intervals: Intervals, live: dict[int, np.ndarray]
    ):
        self.old, self.new = graph, graph.copy()
        self.axes, self.intervals, self.live = axes, intervals, live
        self.constants: dict[int, int] = {}

    def run(self) -> g.Graph:
        for index, mask in self.live.items():
            tensor = self.old.tensors[index]
            if mask.any() and not mask.all():
                shape = list(tensor.shape)
                shape[self.axes[index]] = int(mask.sum())
                if tensor.data is None:
                    self.new.tensors[index].shape = tuple(shape)
                else:
                    data = np.ascontiguousarray(np.compress(mask, tensor.data, self.axes[index]))
                    self.constants[index] = self._append(replace(tensor, shape=tuple(shape), data=data))
        self.new.ops = [self._operator(op) for op in self.old.ops if self.live[op.outputs[0]].any()]
        return self.new

    def _append(self, tensor: g.Tensor) -> int:
        self.new.tensors.append(tensor)
        return len(self.new.tensors) - 1

    def _operator(self, op: g.Op) -> g.Op:
        flow = op.operands
        if is_opaque(self.old, op):
            return replace(op)
        if isinstance(op, g.Concatenation):
            flow = tuple(i for i in flow if self.live[i].any())
        inputs = tuple(self.constants.get(i, i) for i in flow)
        if is_filter(self.old, op):
            return replace(op, inputs=(*inputs, *self._parameters(op)))
        if isinstance(op, g.Pad):
            return replace(op, inputs=inputs, pads=self._pads(op))
        return replace(op, inputs=inputs)

    def _pads(self, op: g.Pad) -> tuple[tuple[int, int], ...]:
        """Padding by whole channels loses those that nothing needs."""
        mask, axis = self.live[op.outputs[0]], self.axes[op.outputs[0]]
        before, after = op.pads[axis]
        pads = list(op.pads)
        pads[axis] = (int(mask[:before].sum()), int(mask[len(mask) - after :].sum()))
        return tuple(pads)

    def _parameters(self, op: g.Op) -> tuple[int, ...]:
        """Weights and bias of the channels that stay: the old tensors if all do."""
        y = op.outputs[0]
        rows, filter = self.live[y], self.intervals.filters[y]
        depthwise = isinstance(op, g.DepthwiseConv2D)
        columns = np.ones(filter.weights.shape[3], bool)
        if not depthwise and filter.sources is not None:
            columns = self.live[op.inputs[0]][filter.sources]
        if rows.all() and columns.all():
            return op.inputs[1:]
        tensor = self.old.tensors[op.inputs[1]]
        assert tensor.data is not None
        data, bias = tensor.data.copy(), params.bias_of(self.old, op, len(rows)).astype(np.int64)
        axis = 3 if depthwise else 0
        if not columns.all():
            frozen = self.intervals.bounds[y].constant
            bias = np.where(frozen, self.intervals.sums[y].low, bias + self._folded(op, ~columns, frozen))
            data[frozen] = tensor.quant.zero_point
            data = np.compress(columns, data, tensor.data.ndim - 1)
        data = np.ascontiguousarray(np.compress(rows, data, axis))
        # Both kinds of bias are sums that the old layer could reach, hence within int32: params has seen to it.
        assert (np.abs(bias[rows]) <= fixedpoint.INT32_MAX).all()
        weights = replace(tensor, shape=data.shape, data=data, quant=_channels(tensor.quant, rows))
        return self._append(weights), self._append(self._bias(op, bias[rows].astype(np.int32)))

    def _folded(self, op: g.Op, removed: np.ndarray, frozen: np.ndarray) -> np.ndarray:
        """What the removed columns add to each output channel that reads something, int64 [oc]."""
        filter, x = self.intervals.filters[op.outputs[0]], self.intervals.bounds[op.inputs[0]]
        assert filter.sources is not None
        # The weights of a removed column that is not constant are all zero, and low is as good as any value.
        values = (x.low - self.old.tensors[op.inputs[0]].quant.zero_point)[filter.sources[removed]]
        sums = filter.window_sums(filter.weights[..., removed] @ values.astype(np.float64))
        varying = (sums != sums[0]).any(0)
        assert not (varying & self.live[op.outputs[0]] & ~frozen).any(), "a constant folded through padding"
        return sums[0].astype(np.int64)

    def _bias(self, op: g.Op, values: np.ndarray) -> g.Tensor:
        index = op.inputs[2] if len(op.inputs) > 2 else -1
        x, w = (self.old.tensors[i].quant for i in op.inputs[:2])
        assert x is not None and w is not None
        scale = (x.scale * w.scale).astype(np.float32)
        quant = _channels(g.Quant(scale, 0), self.live[op.outputs[0]])
        name = self.old.tensors[index].name if index >= 0 else f"{self.old.tensors[op.inputs[1]].name}/bias"
        return g.Tensor(name, values.shape, np.dtype(np.int32), quant, values)


def _channels(quant: g.Quant | None, rows: np.ndarray) -> g.Quant:
    """The quantisation of some channels of a per-channel tensor; any other as it is."""
    assert quant is not None
    return replace(quant, scale=quant.scale[rows]) if quant.per_channel else quant
