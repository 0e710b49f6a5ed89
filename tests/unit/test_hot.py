"""Hot code: what is chosen, and that a built image has it where it runs and where it is flashed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from host import boards, build
from host.cyclemodel import hot
from host.project import firmware_dir

generate = build.generator()


def listed() -> list[str]:
    return re.findall(r"^HOT\((\w+)", (firmware_dir() / "kernels" / "hot.def").read_text(), re.M)


def list_of(tmp_path: Path, *names: str) -> Path:
    """A checkout with a list of these."""
    path = tmp_path / "firmware" / "kernels" / "hot.def"
    path.parent.mkdir(parents=True)
    path.write_text(hot.hot_def(dict.fromkeys(names, 0.1), ["net"]))
    return tmp_path


def test_the_bank_is_filled_from_the_top(tmp_path):
    root = list_of(tmp_path, "first", "large", "small", "last")
    sizes = {"first": 1024, "large": 4096, "small": 512, "last": 16, "cold": 8}
    room = generate.VENEER_BYTES
    assert generate.hot_functions(root, sizes, room + 6000) == ["first", "large", "small", "last"]
    assert generate.hot_functions(root, sizes, room + 2000) == ["first", "small", "last"]
    assert generate.hot_functions(root, sizes, room + 15) == []


def test_a_function_that_is_gone_is_named(tmp_path):
    with pytest.raises(ValueError, match="no function is named renamed"):
        generate.hot_functions(list_of(tmp_path, "renamed"), {"function": 8}, 4096)


def test_the_list_is_in_the_order_of_the_shares_and_leaves_out_small_ones():
    text = hot.hot_def({"multiply": 0.4, "gather": 0.2, "rare": 0.0001}, ["a", "b"])
    assert re.findall(r"^HOT.*", text, re.M) == ['HOT(multiply, "40.00 %")', 'HOT(gather, "20.00 %")']
    assert " * a b */" in text
    shares = [
        float(s) for s in re.findall(r'"([\d.]+) %"', (firmware_dir() / "kernels" / "hot.def").read_text())
    ]
    assert shares == sorted(shares, reverse=True) and 90 < sum(shares) <= 100


@pytest.mark.parametrize("board_id", ["disco_f746ng", "nucleo_h743zi"])
def test_an_image_has_the_hot_code_where_it_runs_and_is_loaded_from_flash(board_id):
    board = boards.load_board(board_id)
    bank, region = board.hot_code, board.firmware_region
    firmware = build.build(board)
    with open(firmware.elf, "rb") as file:
        elf = ELFFile(file)
        section = elf.get_section_by_name(".hot")
        segment = next(s for s in elf.iter_segments() if s.section_in_segment(section))
        offset = segment["p_paddr"] - region.address
        symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
        code = section.data()
        vectors = elf.get_section_by_name(".vectors")["sh_addr"]
    assert vectors == region.address, "the core begins there"
    assert (section["sh_addr"], segment["p_vaddr"]) == (bank.address, bank.address)
    assert firmware.sizes.hot_bytes == len(code) <= bank.bytes
    image = firmware.bin.read_bytes()
    assert image[offset : offset + len(code)] == code, "what start-up copies is in the flashed file"
    assert len(image) <= region.bytes and symbols["__hot_load"] == segment["p_paddr"]
    assert symbols["__hot_end"] - symbols["__hot_start"] == len(code)
    first = listed()[0]
    assert bank.address <= symbols[first] & ~1 < bank.end
    assert region.address <= symbols["reset_handler"] < region.end, "it runs before anything is copied"
    if bank.bytes == 64 * 1024:
        assert all(bank.address <= symbols.get(name, bank.address) & ~1 < bank.end for name in listed())
    else:
        assert len(code) > 0.9 * bank.bytes, "the bank is full"
