"""Another image of an emulated board: its own objects, linked for other memories than its manifest has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from host import build
from host.boards import load_board
from host.project import build_dir, firmware_dir


def relink(board_id: str, facts: dict, elf: Path, hot_bytes: int = 0) -> Path:
    """Links the board's objects as `facts` say, with `hot_bytes` of its hottest functions in the bank `hot_code`."""
    board = load_board(board_id)
    build.build(board)
    generate, tool = build.generator(), build.find_compiler()
    shared = build_dir() / "objects" / generate.objects_name(board.core)
    own = build.output_folder(board) / "src"
    groups = {
        shared: generate.SHARED_FOLDERS,
        own: [f for f in generate.source_folders(board.family) if f not in generate.SHARED_FOLDERS],
    }
    objects = {
        folder: [
            str((folder / source.relative_to(firmware_dir())).with_suffix(".o"))
            for part in parts
            for source in sorted((firmware_dir() / part).rglob("*.[cS]"))
        ]
        for folder, parts in groups.items()
    }
    sizes = generate.function_sizes(str(tool).removesuffix("gcc") + "size", objects[shared])
    hot = generate.hot_functions(firmware_dir().parent, sizes, hot_bytes) if hot_bytes else []
    script = elf.with_suffix(".ld")
    script.write_text(generate.linker_script(facts, hot))
    flags = [*generate.CPU_FLAGS[board.core], "-O2", *generate.LINK_FLAGS]
    files = [path for paths in objects.values() for path in paths]
    subprocess.run([tool, *flags, "-T", script, *files, "-o", elf], check=True)
    return elf
