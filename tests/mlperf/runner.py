"""The least of a runner of the benchmark: a command, and its reply up to m-ready."""

from __future__ import annotations

import numpy as np

from host.mlperf.models import FLOAT32, SQUARED_ERROR, UINT8, Model
from host.model.graph import Graph
from host.oracle.run import run_graph
from host.transport.base import Transport

BANNER = ["m-timestamp-mode-performance", "m-init-done", "m-ready"]
READY = "m-ready"
CHUNK_BYTES = 31
SILENCE_S = 60.0


class Runner:
    """Talks text over a transport."""

    def __init__(self, transport: Transport):
        self.transport = transport

    def lines(self) -> list[str]:
        """Up to m-ready, which is the last."""
        text = b""
        while not text.endswith(f"{READY}\r\n".encode()):
            piece = self.transport.read(SILENCE_S)
            assert piece, f"silent after {text!r}"
            text += piece
        assert text.isascii()
        return text.decode().split("\r\n")[:-1]

    def ask(self, command: str) -> list[str]:
        """The reply without m-ready."""
        self.transport.write(f"{command}%".encode())
        *reply, ready = self.lines()
        assert ready == READY
        return reply

    def load(self, data: bytes) -> None:
        """An input, in pieces as the benchmark's runner sends it."""
        assert self.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        for at in range(0, len(data), CHUNK_BYTES):
            done = at + CHUNK_BYTES >= len(data)
            assert self.ask(f"db {data[at : at + CHUNK_BYTES].hex()}") == (["m-load-done"] if done else [])

    def infer(self, runs: int, warm_ups: int) -> tuple[int, str]:
        """Microseconds of all runs, and the line of results; the rest of the transcript is checked here."""
        lines = self.ask(f"infer {runs} {warm_ups}")
        begin, end = (int(lines[i].removeprefix("m-lap-us-")) for i in (3, 4))
        assert lines == [
            f"m-warmup-start-{warm_ups}", "m-warmup-done", f"m-infer-start-{runs}", f"m-lap-us-{begin}",
            f"m-lap-us-{end}", "m-infer-done", lines[-1],
        ]  # fmt: skip
        return end - begin, lines[-1]


def expected_results(graph: Graph, model: Model, raw: np.ndarray) -> str:
    """The line of results for an input as the benchmark sends it, from the oracle and C's float arithmetic."""
    taken, given = (graph.tensors[borders[0].tensor] for borders in (graph.inputs, graph.outputs))
    if model.input_kind == FLOAT32:
        with np.errstate(over="ignore"):
            steps = raw / taken.quant.scale[0]
        assert steps.dtype == np.float32
        rounded = np.sign(steps) * np.floor(np.abs(steps).astype(np.float64) + 0.5)
        tensor = np.clip(rounded + taken.quant.zero_point, -128, 127).astype(np.int8)
    elif model.input_kind == UINT8:
        tensor = (raw.astype(np.int16) - 128).astype(np.int8)
    else:
        tensor = raw
    output = run_graph(graph, [tensor.reshape(taken.shape)])[graph.outputs[0].tensor].reshape(-1)
    values = given.quant.scale[0] * (output.astype(np.int32) - given.quant.zero_point).astype(np.float32)
    assert values.dtype == np.float32
    if model.result_kind == SQUARED_ERROR:
        total = np.float32(0)
        for difference in values - raw:
            total += difference * difference
        values = [total / np.float32(len(raw))]
    return f"m-results-[{','.join(f'{float(v):.3f}' for v in values)}]"
