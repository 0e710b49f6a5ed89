"""The files of an exported folder that are the network's own, from the templates in host/data/export."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import host.data
from host import defs
from host.compile import Compiled
from host.inputs import random_inputs
from host.model.graph import Border
from host.oracle.run import run_graph
from host.plan.serialise import HEADER, STEP, TENSOR

TEMPLATES = Path(host.data.__file__).parent / "export"
WORD_BYTES = 4
WORDS_A_ROW = 8
ELEMENTS_A_ROW = 24
SAMPLE_SEED = 1


@dataclass(frozen=True)
class Port:
    """An input or output, as a program meets it. `macro` is its part of names in the header: INPUT, OUTPUT1."""

    macro: str
    name: str
    shape: tuple[int, ...]
    bytes: int
    scale: float | None
    zero_point: int | None
    file_type: str

    def to_json(self) -> dict:
        """For --json."""
        return {
            "name": self.name, "shape": list(self.shape), "bytes": self.bytes,
            "scale": self.scale, "zero_point": self.zero_point,
        }  # fmt: skip


def template(name: str) -> str:
    """A template as it is."""
    return (TEMPLATES / name).read_text()


def fill(file: str, /, **values: object) -> str:
    """A template with its $names replaced."""
    return string.Template(template(file)).substitute(values)


def identifier(name: str, taken: set[str]) -> str:
    """A C name from a network's: lower case, and none whose header would be one of the `taken` files."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    if not text or text[0].isdigit() or f"{text}.h" in taken:
        text = f"net_{text}"
    return text


def readable(text: str) -> str:
    """A name out of a file for a comment: nothing that could end it."""
    return re.sub(r"[^\w .:;/\[\]()-]", "_", text, flags=re.ASCII)


def ports(compiled: Compiled) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs, in order."""
    graph = compiled.original
    return _ports(compiled, graph.inputs, "INPUT"), _ports(compiled, graph.outputs, "OUTPUT")


def _ports(compiled: Compiled, borders: list[Border], macro: str) -> list[Port]:
    found = []
    for i, border in enumerate(borders):
        tensor = compiled.original.tensors[border.tensor]
        found.append(
            Port(
                macro=f"{macro}{i}" if len(borders) > 1 else macro,
                name=readable(border.name),
                shape=tensor.shape,
                bytes=tensor.elems * np.dtype(tensor.dtype).itemsize,
                scale=float(tensor.quant.scale[0]) if tensor.quant else None,
                zero_point=tensor.quant.zero_point if tensor.quant else None,
                file_type=str(border.dtype),
            )
        )
    return found


def network_header(compiled: Compiled, name: str) -> str:
    """<net>.h."""
    inputs, outputs = ports(compiled)
    return fill(
        "network.h.in",
        title=readable(compiled.net.name), sha256=compiled.net.sha256, name=name, NAME=name.upper(),
        arena_bytes=compiled.net.arena_bytes + compiled.net.copy_bytes, plan_bytes=len(compiled.plan),
        input_count=len(inputs), output_count=len(outputs),
        tensors="\n".join(_port_macros(port, name.upper()) for port in (*inputs, *outputs)),
    )  # fmt: skip


def _port_macros(port: Port, name: str) -> str:
    values = {"BYTES": f"{port.bytes}u", "SHAPE": f"{{{', '.join(map(str, port.shape))}}}"}
    if port.scale is not None:
        values |= {"SCALE": _float_literal(port.scale), "ZERO_POINT": f"({port.zero_point})"}
    note = f"/* {port.name}; {port.file_type} in the file */"
    width = max(map(len, values))
    lines = [f"#define {name}_{port.macro}_{key:{width}} {value}" for key, value in values.items()]
    return "\n".join([note, *lines, ""])


def _float_literal(value: float) -> str:
    """A float32 for C, exactly: nine digits tell any two apart."""
    text = f"{value:.9g}"
    return f"{text}f" if set(text) & set(".e") else f"{text}.0f"


def plan_source(compiled: Compiled, name: str) -> str:
    """<net>_plan.c: a row a table entry, then rows of eight words."""
    title = readable(compiled.net.name)
    rows = "\n".join(_plan_rows(compiled))
    return fill("plan.c.in", title=title, name=name, NAME=name.upper(), rows=rows)


def _plan_rows(compiled: Compiled) -> Iterator[str]:
    net = compiled.net
    words = np.frombuffer(compiled.plan, "<u4")
    at = 0

    def row(count: int) -> str:
        nonlocal at
        at += count
        return "    " + " ".join(f"0x{word:08x}," for word in words[at - count : at])

    yield "    /* header */"
    for _ in range(HEADER.size // WORD_BYTES // WORDS_A_ROW):
        yield row(WORDS_A_ROW)
    yield "    /* tensors */"
    for _ in net.tensors:
        yield row(TENSOR.size // WORD_BYTES)
    yield "    /* steps */"
    for i, step in enumerate(net.steps):
        yield f"    /* {i}: {readable(step.op_kind)}, {step.kernel} */"
        yield row(STEP.size // WORD_BYTES)
    yield "    /* inputs and outputs, parameters, weights */"
    while at < len(words):
        yield row(min(WORDS_A_ROW, len(words) - at))


def sample_inputs(compiled: Compiled) -> list[np.ndarray]:
    """Inputs for the example: those of `--input random:1` of `host run`."""
    return random_inputs(compiled.original, SAMPLE_SEED)


def sample_header(compiled: Compiled, name: str) -> str:
    """example/<net>_sample.h: inputs, and the oracle's outputs of the network in the file."""
    inputs = sample_inputs(compiled)
    values = run_graph(compiled.original, inputs)
    outputs = [values[border.tensor] for border in compiled.original.outputs]
    arrays, listed = [], {}
    for kind, tensors in (("input", inputs), ("output", outputs)):
        names = [f"sample_{kind}{i}" for i in range(len(tensors))]
        arrays += [_array(n, tensor) for n, tensor in zip(names, tensors, strict=True)]
        listed[f"{kind}s"] = ", ".join(names)
        listed[f"{kind}_bytes"] = ", ".join(f"sizeof {n}" for n in names)
    title = readable(compiled.net.name)
    return fill("sample.h.in", title=title, NAME=name.upper(), arrays="\n".join(arrays), **listed)


def _array(name: str, values: np.ndarray) -> str:
    """The bytes of a tensor, as it lies in the device's memory."""
    little = values.astype(values.dtype.newbyteorder("<"))
    flat = np.frombuffer(little.tobytes(), np.int8).tolist()
    rows = [flat[i : i + ELEMENTS_A_ROW] for i in range(0, len(flat), ELEMENTS_A_ROW)]
    body = "\n".join("    " + " ".join(f"{v}," for v in row) for row in rows)
    return f"static const int8_t {name}[{len(flat)}] = {{\n{body}\n}};"


def example_source(compiled: Compiled, name: str) -> str:
    """example/main.c."""
    return fill("main.c.in", title=readable(compiled.net.name), name=name, NAME=name.upper())


def readme(compiled: Compiled, name: str, kernels: list[str], compile_line: str, with_example: bool) -> str:
    """The folder's README.md."""
    inputs, outputs = ports(compiled)
    rows = ["| tensor | name | shape | scale | zero point | type in the file |", "|---|---|---|---|---|---|"]
    for kind, group in (("input", inputs), ("output", outputs)):
        for i, port in enumerate(group):
            scale = "" if port.scale is None else f"{port.scale:.9g}"
            zero = "" if port.zero_point is None else port.zero_point
            shape = " x ".join(map(str, port.shape))
            rows.append(f"| {kind} {i} | {port.name} | {shape} | {scale} | {zero} | {port.file_type} |")
    known = defs.kernels()
    return fill(
        "README.md.in",
        title=readable(compiled.net.name), name=name, NAME=name.upper(),
        arena_bytes=f"{compiled.net.arena_bytes + compiled.net.copy_bytes:,}", plan_bytes=f"{len(compiled.plan):,}",
        compile=compile_line, tensors="\n".join(rows),
        example=template("example.md") if with_example else "",
        kernels="\n".join(f"- `{kernel}` ({known[kernel].op})" for kernel in kernels),
    )  # fmt: skip
