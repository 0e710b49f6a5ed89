"""`host packs` with a pack that the tests make themselves, and `host flash` with the algorithm in it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from host import errors, packs
from tests.debug import pack as made
from tests.debug.boards import F4, f405, refused
from tests.debug.probe import SimulatedProbe


@pytest.fixture
def run(host):
    """Runs `host packs`."""
    return lambda *arguments: host(*arguments, command="packs")


@pytest.fixture
def offline(monkeypatch):
    """The library's own way of fetching, which finds nobody: it returns without a word and without an index."""
    from cmsis_pack_manager import Cache

    monkeypatch.setattr(Cache, "cache_descriptors", lambda self: None)
    monkeypatch.setattr(Cache, "download_pack_list", lambda self, wanted: None)


def test_a_board_that_pyocd_does_not_know_is_flashed_from_an_installed_pack(bench, host, run, tmp_path):
    status, out, err = run("install", F4, "--from", str(made.make(tmp_path)))
    assert (status, err) == (0, "") and "Tests.F4_DFP 1.2.3 is installed, it has 1 devices" in out
    chip = f405()
    bench.plug(chip)
    status, out, err = host("--board", F4)
    assert (status, err) == (0, "")
    assert "method pyocd (its CMSIS pack is installed)" in out and "verified by reading back" in out
    assert chip.array.data[:40_000] == bench.image
    assert chip.array.erased_sectors == [0, 1, 2]  # of 16 KiB, as the algorithm says
    assert chip.array.programmed_bytes < 42_000  # nothing but whole pages of 1 KiB


def test_an_old_stm32f405_says_the_dev_id_of_an_stm32f2(bench, host, run, tmp_path):
    run("install", F4, "--from", str(made.make(tmp_path)))
    chip = f405()
    chip.idcode = {0xE0042000: 0x20006411}
    bench.plug(chip)
    assert host("--board", F4)[0] == 0
    m3 = f405()
    m3.cpuid = 0x412FC230
    m3.idcode = chip.idcode
    SimulatedProbe.plugged.clear()
    bench.plug(m3)
    refused(host("--board", F4), errors.WrongBoardError, "DEV_ID 0x411", "nothing was written")


def test_list_tells_what_pyocd_knows_and_what_needs_a_pack(bench, run, tmp_path):
    rows = {row["board"]: row for row in json.loads(run("list", "--json", "-")[1])}
    assert rows["test_f767"]["source"] == "built in"
    assert (rows[F4]["source"], rows[F4]["pack"], rows[F4]["installed"]) == ("none", "", False)
    run("install", "--from", str(made.make(tmp_path)))
    rows = {row["board"]: row for row in json.loads(run("list", "--json", "-")[1])}
    assert (rows[F4]["source"], rows[F4]["pack"], rows[F4]["installed"]) == (
        "pack",
        "Tests.F4_DFP 1.2.3",
        True,
    )
    status, out, _ = run("list")
    assert status == 0 and "Tests.F4_DFP 1.2.3" in out and "`host packs install BOARD` for" not in out


def test_check_agrees(bench, run, tmp_path):
    run("install", "--from", str(made.make(tmp_path)))
    status, out, err = run("check", F4)
    assert (status, err) == (0, "")
    assert out.count("agrees") == 5 and "DIFFERS" not in out and "at most 168 MHz" in out


@pytest.mark.parametrize(
    ("change", "what"),
    [({"ram": 0x10000}, "ram sram"), ({"clock": 84_000_000}, "clock"), ({"core": "Cortex-M7"}, "core")],
)
def test_check_finds_what_differs(bench, run, tmp_path, change, what):
    run("install", "--from", str(made.make(tmp_path, code=b"", **change)))
    status, out, err = run("check", F4)
    assert status == errors.PackError.exit_status and out.count("DIFFERS") == 1
    assert f"manifest and pack differ: {F4}: {what}" in err


def of_pyocd(name):
    import pyocd

    with zipfile.ZipFile(Path(pyocd.__file__).parent / "debug" / "svd" / "svd_data.zip") as archive:
        return archive.read(name)


def test_check_compares_the_emulator_s_models_with_the_pack_s_registers(bench, run, tmp_path):
    described = of_pyocd("STM32F41x.svd")
    run("install", "--from", str(made.make(tmp_path, code=b"", svd=described)))
    status, out, err = run("check", F4)
    assert (status, err) == (0, "")
    assert "model of RCC" in out and "model of USART3" in out and "DIFFERS" not in out
    elsewhere = described.replace(
        b"<baseAddress>0x40007000</baseAddress>", b"<baseAddress>0x40007400</baseAddress>"
    )
    assert elsewhere != described
    run("install", "--from", str(made.make(tmp_path, version="1.3.0", code=b"", svd=elsewhere)))
    status, out, err = run("check", F4)
    assert status == errors.PackError.exit_status and out.count("DIFFERS") == 1
    assert f"manifest and pack differ: {F4}: model of PWR" in err
    run("install", "--from", str(made.make(tmp_path, version="1.4.0", code=b"", svd=b"hello")))
    refused(run("check", F4), errors.PackError, "no SVD file")


def test_check_without_any_pack(bench, run):
    refused(run("check"), errors.PackError, "no pack is known for any board", "host packs update")
    refused(run("check", F4), errors.PackError, "no pack is known that has STM32F405RGTx")


def test_a_newer_file_takes_the_place_of_an_older_one(bench, run, tmp_path):
    run("install", "--from", str(made.make(tmp_path, code=b"")))
    run("install", "--from", str(made.make(tmp_path, version="1.3.0", code=b"")))
    assert str(packs.installed("STM32F405RGTx")) == "Tests.F4_DFP 1.3.0"


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("missing.pack", lambda path: None, ("there is no file",)),
        ("text.pack", lambda path: path.write_text("hello"), ("is no CMSIS pack", "not a zip file")),
        ("empty.pack", lambda path: zipfile.ZipFile(path, "w").close(), ("0 descriptions",)),
    ],
)
def test_files_that_are_no_packs(bench, run, tmp_path, name, make, words):
    make(tmp_path / name)
    refused(run("install", "--from", str(tmp_path / name)), errors.PackError, *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<package", ("its description is damaged",)),
        ("<package><vendor>V</vendor></package>", ("lacks vendor, name or version",)),
        (
            "<package><vendor>V</vendor><name>N</name><description>d</description><url></url>"
            "<releases><release version='1.0.0'>x</release></releases></package>",
            ("describes no device",),
        ),
        (
            "<package><vendor>../V</vendor><name>N</name><releases><release version='1.0.0'/></releases></package>",
            ("lacks vendor, name or version",),
        ),
    ],
)
def test_descriptions_that_are_none(bench, run, tmp_path, text, words):
    with zipfile.ZipFile(tmp_path / "a.pack", "w") as archive:
        archive.writestr("a.pdsc", text)
    refused(run("install", "--from", str(tmp_path / "a.pack")), errors.PackError, *words)
    assert packs.cache().index == {}


def test_without_a_network(bench, run, offline):
    hint = "host packs install --from FILE.pack"
    refused(run("update"), errors.PackError, "descriptions of packs could not be fetched", hint)
    refused(run("install", F4), errors.PackError, "descriptions of packs could not be fetched", hint)


def test_what_is_known_stays_known_when_an_update_fails(bench, run, tmp_path, offline):
    run("install", "--from", str(made.make(tmp_path, code=b"")))
    refused(run("update"), errors.PackError, "could not be fetched")
    assert packs.installed("STM32F405RGTx") is not None


@pytest.fixture
def index(bench):
    """A recorded index that knows the pack, which is not installed."""
    kept = packs.cache()
    entry = {
        "name": "STM32F405RGTx", "algorithms": [], "vendor": "STMicroelectronics:13", "family": "STM32F4 Series",
        "memories": {}, "processors": [{"core": "CortexM4", "fpu": "SinglePrecision"}],
        "from_pack": {"vendor": "Keil", "pack": "STM32F4xx_DFP", "version": "2.17.1", "url": "u"},
    }  # fmt: skip
    with open(kept.index_path, "w") as file:
        json.dump({"STM32F405RGTx": entry}, file)
    return kept


def test_a_pack_that_cannot_be_fetched(bench, run, index, offline):
    refused(run("install", F4), errors.PackError, "Keil.STM32F4xx_DFP 2.17.1 could not be fetched", "network")


def test_a_pack_that_is_fetched(bench, run, index, monkeypatch, tmp_path):
    from cmsis_pack_manager import Cache

    def fetch(self, wanted):
        path = os.path.join(self.data_path, wanted[0].get_pack_name())
        os.makedirs(os.path.dirname(path))
        os.replace(made.make(tmp_path, code=b""), path)

    monkeypatch.setattr(Cache, "download_pack_list", fetch)
    status, out, _ = run("install", F4)
    assert (status, out) == (0, "Keil.STM32F4xx_DFP 2.17.1 is installed, it has STM32F405RGTx\n")
    assert run("install", F4)[0] == 0  # nothing to do


def test_a_pack_that_arrives_damaged(bench, run, index, monkeypatch):
    from cmsis_pack_manager import Cache

    def fetch(self, wanted):
        path = os.path.join(self.data_path, wanted[0].get_pack_name())
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as file:
            file.write("<html>")

    monkeypatch.setattr(Cache, "download_pack_list", fetch)
    refused(run("install", F4), errors.PackError, "arrived damaged")
    assert packs.installed("STM32F405RGTx") is None


def test_install_needs_to_know_what(bench, run):
    status, _, err = run("install")
    assert status == 2 and "name a board, or a file with --from" in err
