"""A small CMSIS pack for an STM32F405, made here: a description and a flash algorithm compiled from algorithm.c."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from host.build import find_compiler

DESCRIPTION = """<?xml version="1.0" encoding="UTF-8"?>
<package schemaVersion="1.4">
  <vendor>Tests</vendor><name>F4_DFP</name><description>one device</description><url></url>
  <releases><release version="{version}" date="2024-01-01">first</release></releases>
  <devices>
    <family Dfamily="STM32F4 Series" Dvendor="STMicroelectronics:13">
      <processor Dcore="{core}" DcoreVersion="r0p1" Dfpu="1" Dmpu="1" Dendian="Little-endian"/>
      <subFamily DsubFamily="STM32F405">
        <processor Dclock="{clock}"/>
        <debug __dp="0" __ap="0"{svd}/>
        <device Dname="STM32F405RGTx">
          <memory id="IROM1" start="0x08000000" size="0x100000" startup="1" default="1"/>
          <memory id="IRAM1" start="0x20000000" size="{ram:#x}" init="0" default="1"/>
          <memory id="IRAM2" start="0x10000000" size="0x10000" init="0" default="0"/>
          <algorithm name="Flash/F4.FLM" start="0x08000000" size="0x100000" RAMstart="0x20000000" RAMsize="0x8000"
                     default="1"/>
        </device>
      </subFamily>
    </family>
  </devices>
</package>
"""


def make(
    folder: Path,
    *,
    version="1.2.3",
    core="Cortex-M4",
    clock=168_000_000,
    ram=0x20000,
    code: bytes | None = None,
    svd: bytes | None = None,
) -> Path:
    """The .pack file. code: the algorithm, compiled if it is not given; svd: an SVD file to put into it."""
    path = folder / f"Tests.F4_DFP.{version}.pack"
    with zipfile.ZipFile(path, "w") as archive:
        named = "" if svd is None else r' svd="CMSIS\SVD\STM32F405.svd"'
        text = DESCRIPTION.format(version=version, core=core, clock=clock, ram=ram, svd=named)
        if svd is not None:
            archive.writestr("CMSIS/SVD/STM32F405.svd", svd)
        archive.writestr("Tests.F4_DFP.pdsc", text)
        archive.writestr("Flash/F4.FLM", algorithm(folder) if code is None else code)
    return path


def algorithm(folder: Path) -> bytes:
    """The flash algorithm as an ELF file."""
    here, elf = Path(__file__).parent, folder / "F4.FLM"
    subprocess.run(
        [find_compiler(), "-mcpu=cortex-m4", "-mthumb", "-O1", "-ffreestanding", "-nostdlib", "-Wall", "-Werror",
         f"-Wl,-T,{here / 'algorithm.ld'},--build-id=none", here / "algorithm.c", "-o", elf],
        check=True,
    )  # fmt: skip
    return elf.read_bytes()
