"""Several banks of RAM and hot code on the emulated Cortex-M7: its objects, linked for memories like a chip's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from host import boards, runner
from host.boards import manifest_path
from host.compile import compile_file
from host.data import digits
from host.devices import open_device
from host.errors import DoesNotFitError
from host.inputs import Samples, random_inputs
from host.plan import banks
from tests.relink import relink
from tests.unit.test_banks import network

BOARD = "emu_cortex_m7"
KIB = 1024
FAST, SLOW, HOT = 64 * KIB, 192 * KIB, 16 * KIB


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pools, and the hottest functions in RAM, too far from flash for a plain call."""
    facts = json.loads(manifest_path(BOARD).read_text())["tinyconv"]
    facts["memory"] = [
        facts["memory"][0],
        {"name": "dtcm", "kind": "ram", "address": "0x20000000", "bytes": FAST, "speed": "tightly_coupled"},
        {"name": "sram", "kind": "ram", "address": "0x20100000", "bytes": SLOW, "speed": "no_wait"},
        {"name": "itcm", "kind": "ram", "address": "0x20200000", "bytes": HOT, "speed": "tightly_coupled"},
    ]
    facts |= {"pools": ["dtcm", "sram"], "hot_code": "itcm"}
    return relink(BOARD, facts, tmp_path_factory.mktemp("memories") / "firmware.elf", HOT)


@pytest.fixture(scope="module")
def device(elf: Path):
    with open_device(BOARD, firmware=elf) as client:
        yield client


def check(client, compiled, in_flash: bool = False) -> int:
    """Loads, runs, compares every layer; the arena's pool."""
    info = runner.load(client, compiled, in_flash)
    samples = Samples([random_inputs(compiled.original, 1)], None, "random")
    measured = runner.measure(client, compiled, info, samples, check="layers")
    assert measured.mismatches == 0, str(measured.first_mismatch)
    return info.arena_pool


def test_hello_tells_the_pools_in_their_order_and_the_hot_code(device, elf):
    with open(elf, "rb") as file:
        hot = ELFFile(file).get_section_by_name(".hot")
        assert device.hello.hot_code_bytes == hot["sh_size"] > 0.9 * HOT
        assert hot["sh_addr"] == 0x20200000
    fast, slow = device.hello.pools
    assert slow == SLOW and FAST - banks.FIRMWARE_RAM_BYTES <= fast < FAST


def test_networks_run_exactly_from_whichever_pool_has_room(device):
    small, large = compile_file(digits.model_path()), network(180)
    assert small.net.arena_bytes < FAST - banks.FIRMWARE_RAM_BYTES < large.net.arena_bytes < SLOW
    assert [check(device, compiled) for compiled in (small, large, small)] == [0, 1, 0]


def test_a_plan_in_flash_leaves_the_large_pool_to_the_arena(elf):
    compiled = network(180)
    with open_device(BOARD, firmware=elf, plan=compiled.plan) as client:
        assert check(client, compiled, in_flash=True) == 1


def test_what_fits_neither_pool_is_refused(device):
    compiled = network(230)
    arena = compiled.net.arena_bytes
    assert arena > SLOW
    with pytest.raises(DoesNotFitError, match=f"needs {arena:,} bytes of RAM in one piece"):
        runner.load(device, compiled, in_flash=False)
    with pytest.raises(DoesNotFitError, match=f"arena needs {arena} bytes"):
        device.load_plan(compiled.plan)


def test_the_usual_image_has_one_pool_and_no_hot_code():
    with open_device(BOARD) as client:
        assert len(client.hello.pools) == 1 and client.hello.hot_code_bytes == 0
        left = boards.load_board(BOARD).pools[0].bytes - client.hello.pools[0]
        assert 0 < left <= banks.FIRMWARE_RAM_BYTES
