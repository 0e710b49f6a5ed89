"""The pipeline from a network file to a plan: import, rewrite, lower, choose, plan memory, serialise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host.errors import ModelError
from host.model.graph import Graph
from host.model.load import load_graph
from host.model.rewrites import rewrite
from host.model.slim import Slimming
from host.plan import choose, lower, serialise
from host.plan.costs import Costs
from host.plan.network import Network


@dataclass
class Compiled:
    """A network ready for a device. `original` is the graph of the file, `graph` what runs after rewrites.

    `slimming` tells which channels of the original's tensors the graph's have, `price` what limits cost.
    """

    original: Graph
    graph: Graph
    slimming: Slimming
    net: Network
    plan: bytes
    price: choose.Price


def compile_file(
    path: Path,
    admits: choose.Admission = choose.any_kernel,
    *,
    slimmed: bool = True,
    costs: Costs | None = None,
    limits: choose.Limits = choose.NO_LIMITS,
) -> Compiled:
    """Compiles a network's file; see compile_graph. Its errors begin with the file's name."""
    original = load_graph(path)
    try:
        return compile_graph(original, admits, slimmed=slimmed, costs=costs, limits=limits)
    except ModelError as error:
        raise type(error)(f"{path.name}: {error.message}", error.hint) from error


def compile_graph(
    original: Graph,
    admits: choose.Admission = choose.any_kernel,
    *,
    slimmed: bool = True,
    costs: Costs | None = None,
    limits: choose.Limits = choose.NO_LIMITS,
    in_place: bool = True,
) -> Compiled:
    """Compiles a graph with the kernels that `admits` lets in; not `slimmed`: with all its channels.

    Not `in_place`: every tensor has memory of its own.
    Raises UnsupportedError if an operator has no kernel, DoesNotFitError if the limits cannot be met.
    """
    graph, slimming = rewrite(original, slimmed=slimmed)
    net = lower.lower(graph)
    net.in_place = in_place
    net, price = choose.choose(net, admits, costs, limits)
    return Compiled(original, graph, slimming, net, serialise.serialise(net), price)
