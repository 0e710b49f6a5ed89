"""Compares a board's manifest with what the vendor's CMSIS pack says about its chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from host import packs, svd
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
    """Core, FPU, highest clock, every memory bank, and what the emulator's models know of registers.

    Raises PackError if no pack is known for the board's chip.
    """
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
    facts += [_memory(bank, entry["memories"]) for bank in board.memory]
    return facts + _registers(board)


def _clock(board: Board) -> Fact:
    ours = f"{board.clock.hz / 1e6:g} MHz"
    assert board.cmsis_pack is not None
    pack = packs.installed(board.cmsis_pack)
    highest = highest_clock(packs.description(pack), board.cmsis_pack) if pack else None
    if highest is None:
        return Fact("clock", ours, "not told" if pack else "pack is not installed", None)
    return Fact("clock", ours, f"at most {highest / 1e6:g} MHz", board.clock.hz <= highest)


def _registers(board: Board) -> list[Fact]:
    """Each modelled peripheral beside the pack's SVD file. Other bits are told, but do not fail: these files err."""
    from host.emulate import agreement, families

    assert board.cmsis_pack is not None
    pack = packs.installed(board.cmsis_pack)
    if pack is None or not families.has_model(board.family):
        return []
    text = packs.svd(pack, board.cmsis_pack)
    if text is None:
        return [Fact("registers", "modelled", "the pack has no SVD file", None)]
    try:
        described = svd.parse(text)
    except ValueError as error:
        raise PackError(f"{pack}: {error}", "install it again") from None
    facts = []
    for found in agreement.compare(board, described):
        ours = f"{found.registers} registers, {found.fields} fields"
        other = found.places + [f"other bits in {name}" for name in found.bits]
        verdict = False if found.places else None if found.bits else True
        facts.append(Fact(f"model of {found.name}", ours, ", ".join(other) or "the same", verdict))
    return facts


def highest_clock(root: ElementTree.Element, device: str) -> int | None:
    """Dclock of a device in Hz: its own, or what its subfamily or family says."""
    for family in root.iter("family"):
        for path in packs.paths(family, device):
            clocks = [p.get("Dclock") for element in reversed(path) for p in element.findall("processor")]
            return next((int(clock) for clock in clocks if clock), None)
    return None


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
