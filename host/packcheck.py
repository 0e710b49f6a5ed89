"""Compares a board's manifest with what the vendor's CMSIS pack says about its chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from host import packs
from host.boards import Board, MemoryBank
from host.errors import PackError

# The firmware is compiled for single precision, which every FPU of these cores has.
CORES = {"m4": ("CortexM4",), "m7": ("CortexM7",), "m33": ("CortexM33",)}
FPUS = ("SinglePrecision", "DoublePrecision")


@dataclass(frozen=True)
class Fact:
    """One fact of the manifest beside the pack's; `agrees` is None if the pack does not tell."""

    what: str
    manifest: str
    pack: str
    agrees: bool | None


def check(board: Board) -> list[Fact]:
    """Core, FPU, highest clock and every memory bank. Raises PackError if no pack is known for the board's chip."""
    if board.cmsis_pack is None:
        raise PackError(f"the manifest of {board.id} names no device of a CMSIS pack")
    entry = packs.entry(board.cmsis_pack)
    processor = entry["processors"][0]
    core = processor["core"]
    facts = [
        Fact("core", f"cortex-{board.core}", core, core in CORES[board.core]),
        Fact("FPU", "single precision", processor["fpu"], processor["fpu"] in FPUS),
        _clock(board),
    ]
    return facts + [_memory(bank, entry["memories"]) for bank in board.memory]


def _clock(board: Board) -> Fact:
    ours = f"{board.clock.hz / 1e6:g} MHz"
    assert board.cmsis_pack is not None
    pack = packs.installed(board.cmsis_pack)
    highest = highest_clock(packs.description(pack), board.cmsis_pack) if pack else None
    if highest is None:
        return Fact("clock", ours, "not told" if pack else "pack is not installed", None)
    return Fact("clock", ours, f"at most {highest / 1e6:g} MHz", board.clock.hz <= highest)


def highest_clock(root: ElementTree.Element, device: str) -> int | None:
    """Dclock of a device in Hz: its own, or what its subfamily or family says."""
    for family in root.iter("family"):
        for path in _paths(family, device):
            clocks = [p.get("Dclock") for element in reversed(path) for p in element.findall("processor")]
            return next((int(clock) for clock in clocks if clock), None)
    return None


def _paths(element: ElementTree.Element, device: str) -> list[list[ElementTree.Element]]:
    """Ways from a family down to a device or a variant of that name."""
    if device in (element.get("Dname"), element.get("Dvariant")):
        return [[element]]
    children = [c for c in element if c.tag in ("subFamily", "device", "variant")]
    return [[element, *path] for child in children for path in _paths(child, device)]


def _memory(bank: MemoryBank, memories: dict[str, Any]) -> Fact:
    """A bank must lie inside the pack's memories of its kind, which may touch each other."""
    ours = f"{bank.address:#010x} {bank.bytes // 1024} KiB"
    same_kind = sorted(
        (m["start"], m["start"] + m["size"])
        for m in memories.values()
        if m["access"]["write"] == (bank.kind == "ram")
    )
    at = bank.address
    for start, end in same_kind:
        if start <= at < end:
            at = end
    theirs = ", ".join(f"{start:#010x} {(end - start) // 1024} KiB" for start, end in same_kind)
    return Fact(f"{bank.kind} {bank.name}", ours, theirs or "none", at >= bank.end)
