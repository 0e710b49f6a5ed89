"""SCons script that PlatformIO runs: compiles and links the firmware of $BOARD.

What does not depend on the board is compiled once for all boards of a core, to .pio/objects/<core>: outside the
build folder, which PlatformIO empties when a file is added. One process at a time builds there; the lock goes with it.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

MOST_SIGNATURES_BYTES = 8 << 20  # a build of twelve boards adds 0.7 MB

env = DefaultEnvironment()
platform = env.PioPlatform()
sys.path.insert(0, os.path.join(platform.get_dir(), "builder"))
import generate  # noqa: E402

board = env.BoardConfig()
facts = board.get("tinyconv")
root = Path(env.subst("$PROJECT_DIR"))
generated = Path(env.subst("$BUILD_DIR")) / "generated"
cpu_flags = generate.CPU_FLAGS[facts["core"]]
extra_flags = " ".join(env.get("BUILD_FLAGS", []))
objects = Path(env.subst("$PROJECT_WORKSPACE_DIR")) / "objects"

objects.mkdir(parents=True, exist_ok=True)
fcntl.flock(os.open(objects / "lock", os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX)  # a number: nothing closes it
# How the shared objects were made must be known to every board's build. SCons adds .dblite, and never forgets a build
# folder that is gone, so that the file is begun anew before it costs time: one build compiles all again.
signatures = objects / ".sconsign.dblite"
if signatures.is_file() and signatures.stat().st_size > MOST_SIGNATURES_BYTES:
    signatures.unlink()
env.SConsignFile(str(signatures.with_suffix("")))

generate.write_if_changed(generated / "board_config.h", generate.config_header(facts))
linker_script = generated / "board.ld"
if "hot_code" not in facts:
    generate.write_if_changed(linker_script, generate.linker_script(facts))
digest = generate.build_hash(root, board.id, facts["family"], extra_flags)
generate.write_if_changed(
    generated / "build_generated.h", generate.build_header(board.id, generate.flags_text(facts), digest)
)


def only(folders):
    """A source filter for the folders, which are below firmware/."""
    return ["-<*>", *(f"+<{folder}/>" for folder in folders)]


env.Replace(
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    AS="arm-none-eabi-as",
    AR="arm-none-eabi-gcc-ar",
    RANLIB="arm-none-eabi-gcc-ranlib",
    LINK="arm-none-eabi-gcc",
    OBJCOPY="arm-none-eabi-objcopy",
    SIZETOOL="arm-none-eabi-size",
    SIZEPRINTCMD="$SIZETOOL -B $SOURCES",
    SIZEPROGREGEXP=r"^(?:\.vectors|\.hot|\.text|\.data|\.ARM\.exidx)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.noinit|\.stack)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    LDSCRIPT_PATH=str(linker_script),
)
env.Append(
    ASFLAGS=cpu_flags,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CFLAGS=["-std=gnu11"],
    CCFLAGS=cpu_flags + generate.COMPILE_FLAGS + generate.WARNING_FLAGS,
    LINKFLAGS=[*cpu_flags, "-O2", *generate.LINK_FLAGS, f"-Wl,-Map={env.subst('$BUILD_DIR')}/firmware.map"],
    SRC_FILTER=only(generate.own_folders(facts)),
)
shared = env.Clone()
shared.ProcessFlags(shared.get("BUILD_FLAGS"))
shared.ProcessUnFlags(shared.get("BUILD_UNFLAGS"))
shared.ProcessCompileDbToolchainOption()
shared.BuildSources(
    str(objects / generate.objects_name(facts["core"], extra_flags)),
    "$PROJECT_SRC_DIR",
    only(generate.SHARED_FOLDERS),
)
env.Append(
    CPPPATH=[
        str(generated),
        *(str(root / "firmware" / folder) for folder in generate.port_folders(facts["family"])),
    ]
)


def place_hot_code(target, source, env):
    """Writes the linker script when the sizes of the functions are known."""
    sizes = generate.function_sizes(env.WhereIs(env.subst("$SIZETOOL")), [str(node) for node in source])
    try:
        hot = generate.hot_functions(root, sizes, generate.bank(facts, facts["hot_code"])["bytes"])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Path(str(target[0])).write_text(generate.linker_script(facts, hot))
    return 0


if "hot_code" in facts:
    shared_objects = env.Flatten(env["PIOBUILDFILES"])
    AlwaysBuild(
        env.Command(
            str(linker_script),
            shared_objects,
            env.VerboseAction(place_hot_code, "Placing hot code in $TARGET"),
        )
    )
elf = env.BuildProgram()
env.Depends(elf, str(linker_script))
binary = env.Command(
    "$BUILD_DIR/firmware.bin",
    elf,
    env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"),
)


def upload(source, target, env):
    """Calls the host, which checks board and chip, skips what is there, verifies. Returns its exit status."""
    command = [env.subst("$PYTHONEXE"), "-m", "host.flashing", board.id, "--firmware", str(source[0])]
    command += os.environ.get("TINYCONV_UPLOAD", "").split("\n") if os.environ.get("TINYCONV_UPLOAD") else []
    return subprocess.call(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})


AlwaysBuild(env.Alias("upload", binary, env.VerboseAction(upload, "Uploading $SOURCE")))
size = env.Alias("size", elf, env.VerboseAction("$SIZEPRINTCMD", "Size of $SOURCE"))
AlwaysBuild(size)
Default([binary, size])
