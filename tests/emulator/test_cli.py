"""The command as its users meet it: output, JSON, one clear line and a status of its own for everything bad."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tflite
from PIL import Image

from host import errors
from host.data import digits
from host.link import frame as wire
from host.model import graph as g
from host.model.tflite_write import write_tflite
from tests.unit.test_stream import expansion

HOST = Path(sys.executable).with_name("host")
TIMEOUT_S = 120


def host(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `host` with pipes, as a script would."""
    command = [str(HOST), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=env)


def refused(error: type[errors.HostError], *arguments: object, saying: tuple[str, ...], env=None) -> str:
    """Runs `host`, which must end with that error's status and one line that has all these words."""
    done = host(*arguments, env=env)
    assert done.returncode == error.exit_status, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for words in saying:
        assert words in done.stderr
    return done.stderr


def one_convolution(out_c: int = 4, size: int = 8, dtype: str = "int8") -> g.Graph:
    """A network of one 3x3 convolution."""
    quant = g.Quant(np.array([0.1], np.float32), 0)
    weights = np.ones((out_c, 3, 3, 3), np.int8)
    tensors = [
        g.Tensor("x", (1, size, size, 3), np.dtype(np.int8), quant),
        g.Tensor("w", weights.shape, np.dtype(np.int8), g.Quant(np.full(out_c, 0.1, np.float32), 0), weights),
        g.Tensor("y", (1, size, size, out_c), np.dtype(np.int8), quant),
    ]
    op = g.Conv2D((0, 1, -1), (2,), 0, padding=g.Padding(1, 1, 1, 1))
    borders = [g.Border(i, n, np.dtype(dtype)) for i, n in ((0, "x"), (2, "y"))]
    return g.Graph("one", tensors, [op], borders[:1], borders[1:])


def saved(tmp_path: Path, graph: g.Graph) -> Path:
    path = tmp_path / f"{graph.name}.tflite"
    path.write_bytes(write_tflite(graph))
    return path


def test_the_json_object_is_alone_on_standard_output():
    done = host("run", "--input", "random:1", "--check", "layers", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["schema"] == 1 and result["bit_exact"] is True and result["mismatches"] == 0
    assert result["board"] == "emu_stm32f405" and result["core"] == "cortex-m4" and result["emulated"] is True
    assert result["counter"] == "instructions" and result["fps_source"] == "model"
    assert result["per_inference"] == sum(layer["count"] for layer in result["layers"])
    assert result["macs"] == sum(layer["macs"] for layer in result["layers"])
    assert (
        result["flash_bytes"]["code"] > 0 and result["flash_bytes"]["plan"] > 0 and result["arena_bytes"] > 0
    )
    keys = {"index", "name", "op", "kernel", "in", "out", "macs", "count"}
    assert all(set(layer) == keys for layer in result["layers"])


def test_the_report_says_what_matters():
    done = host("run", "--input", "random:1")
    assert done.returncode == 0, done.stderr
    for words in ("CONV_2D", "instructions", "arena", "flash", "bit-exact", "yes"):
        assert words in done.stdout


def test_an_image_is_an_input(tmp_path):
    images, labels = digits.test_images()
    Image.fromarray(images[0, :, :, 0]).resize((64, 64)).save(tmp_path / "digit.png")
    done = host("run", "--input", tmp_path / "digit.png", "--json", "-", "--output", tmp_path / "out.npy")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["classes"] == [int(labels[0])]
    assert np.load(tmp_path / "out.npy").shape == (1, 1, 10)


def test_numpy_files_are_inputs(tmp_path):
    images, labels = digits.test_images()
    np.savez(tmp_path / "some.npz", x=images[:3], y=labels[:3])
    result = json.loads(host("run", "--input", tmp_path / "some.npz", "--json", "-").stdout)
    assert result["correct"] == 3 and result["labels"] == [int(y) for y in labels[:3]]
    np.save(tmp_path / "one.npy", digits.to_input(images[1]))
    result = json.loads(host("run", "--input", tmp_path / "one.npy", "--json", "-").stdout)
    assert result["classes"] == [int(labels[1])] and result["labels"] is None


def test_inspect_shows_layers_and_memory():
    done = host("inspect")
    assert done.returncode == 0, done.stderr
    for words in ("DEPTHWISE_CONV_2D", "431,744", "memory plan", "arena"):
        assert words in done.stdout
    described = json.loads(host("inspect", "--json", "-").stdout)
    assert described["macs"] == 431744
    assert max(m["offset"] + m["bytes"] for m in described["memory"]) <= described["arena_bytes"]


def test_lists():
    boards = json.loads(host("boards", "--json", "-").stdout)
    assert {"emu_stm32f405", "emu_cortex_m7", "adafruit_feather_f405"} <= {b["id"] for b in boards}
    assert isinstance(json.loads(host("ports", "--json", "-").stdout), list)
    names = {m["name"] for m in json.loads(host("models", "list", "--json", "-").stdout)}
    assert {"kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8", "te_vww"} <= names


def test_models_are_found_in_a_folder_and_their_hash_is_checked(tmp_path):
    shared = os.environ.get("TINYCONV_SHARED")
    if not shared:
        pytest.skip("TINYCONV_SHARED does not name the folder with the networks")
    env = os.environ | {"TINYCONV_MODELS": f"{shared}/models"}
    assert host("models", "get", "kws_ref_model", env=env).stdout.strip().endswith("kws_ref_model.tflite")
    assert "CONV_2D" in host("inspect", "kws_ref_model", env=env).stdout
    (tmp_path / "kws_ref_model.tflite").write_bytes(b"another file")
    listed = json.loads(
        host("models", "list", "--json", "-", env=os.environ | {"TINYCONV_MODELS": str(tmp_path)}).stdout
    )
    entry = next(m for m in listed if m["name"] == "kws_ref_model")
    assert entry["path"] is None or not entry["path"].startswith(str(tmp_path))


def test_flash_of_an_emulated_board_proves_the_image():
    done = host("flash", digits.model_path(), "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan_bytes"] > 0


def test_no_such_network():
    refused(errors.ModelMissingError, "run", "nowhere.tflite", saying=("nowhere.tflite", "models list"))


def test_not_a_tflite_file(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("a text that is long enough to hold a header")
    refused(errors.NotATfliteError, "run", path, saying=("tflite",))


def test_a_truncated_tflite_file(tmp_path):
    path = tmp_path / "half.tflite"
    path.write_bytes(digits.model_path().read_bytes()[:9000])
    refused(errors.TruncatedModelError, "run", path, saying=("truncated",))


def changed_model(offsets: tuple[int, ...], value: int, tables) -> bytes:
    """The digits network with the byte fields at these vtable offsets changed, in all that `tables(model)` yields."""
    content = bytearray(digits.model_path().read_bytes())
    for table in tables(tflite.Model.GetRootAs(bytes(content), 0)):
        for offset in offsets:
            field = table._tab.Offset(offset)
            if field:
                content[table._tab.Pos + field] = value
    return bytes(content)


def test_a_float_network(tmp_path):
    def activations(model):
        subgraph = model.Subgraphs(0)
        tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
        return [t for t in tensors if not model.Buffers(t.Buffer()).DataLength()]

    path = tmp_path / "float.tflite"
    path.write_bytes(changed_model((6,), tflite.TensorType.FLOAT32, activations))  # 6: Tensor.type
    refused(errors.FloatModelError, "run", path, saying=("float", "CONV_2D"))


def test_an_unsupported_operator(tmp_path):
    def convolution(model):
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        return [c for c in codes if c.BuiltinCode() == tflite.BuiltinOperator.CONV_2D]

    path = tmp_path / "unknown.tflite"
    # 4 and 10: OperatorCode.deprecated_builtin_code and builtin_code
    path.write_bytes(changed_model((4, 10), tflite.BuiltinOperator.LSTM, convolution))
    refused(errors.UnsupportedError, "run", path, saying=("operator 0", "LSTM", "DEPTHWISE_CONV_2D"))


@pytest.mark.parametrize("shape", [(8, 8, 3), (2, 2), (0, 32, 32, 1)])
def test_a_wrong_input_shape(tmp_path, shape):
    np.save(tmp_path / "bad.npy", np.zeros(shape, np.int8))
    refused(errors.InputError, "run", "--input", tmp_path / "bad.npy", saying=("bad.npy", "[1, 32, 32, 1]"))


@pytest.mark.parametrize(
    ("name", "contents"),
    [("bad.npy", b"no numpy"), ("bad.npz", b"no zip"), ("bad.png", b"no image"), ("bad.txt", b"text")],
)
def test_unreadable_inputs(tmp_path, name, contents):
    (tmp_path / name).write_bytes(contents)
    refused(errors.InputError, "run", "--input", tmp_path / name, saying=(name,))


def test_other_bad_inputs(tmp_path):
    refused(errors.InputError, "run", "--input", "nowhere.npy", saying=("nowhere.npy",))
    refused(errors.InputError, "run", "--input", "random:x", saying=("random:x",))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    refused(errors.InputError, "run", "--input", tmp_path / "words.npy", saying=("words.npy",))


@pytest.mark.parametrize("place", ["auto", "ram", "flash"])
def test_a_network_that_needs_more_memory_than_there_is(tmp_path, place):
    path = saved(tmp_path, one_convolution(out_c=8, size=160))
    line = refused(
        errors.DoesNotFitError, "run", path, "--place", place, saying=("bytes of RAM", "emu_stm32f405")
    )
    assert sum(c == "," for c in line) >= 2  # what it needs and what there is, both with thousands


def test_a_plan_that_is_larger_than_the_flash_region(tmp_path):
    wide = np.zeros((100, 8000), np.int8)
    quant = g.Quant(np.array([0.1], np.float32), 0)
    tensors = [
        g.Tensor("x", (1, 8000), np.dtype(np.int8), quant),
        g.Tensor("w", wide.shape, np.dtype(np.int8), quant, wide),
        g.Tensor("y", (1, 100), np.dtype(np.int8), quant),
    ]
    borders = [g.Border(i, n, np.dtype(np.int8)) for i, n in ((0, "x"), (2, "y"))]
    wide_graph = g.Graph("wide", tensors, [g.FullyConnected((0, 1, -1), (2,), 0)], borders[:1], borders[1:])
    path = saved(tmp_path, wide_graph)
    refused(errors.DoesNotFitError, "run", path, saying=("bytes of flash", "786,432"))


def test_an_unknown_board():
    refused(
        errors.UnknownBoardError, "run", "--board", "emu_stm32f406", saying=("emu_stm32f406", "emu_stm32f405")
    )


def test_a_port_that_does_not_exist():
    arguments = ("run", "--board", "adafruit_feather_f405", "--port", "/dev/ttyNowhere")
    refused(errors.PortMissingError, *arguments, saying=("/dev/ttyNowhere",))


def test_a_real_board_needs_a_port():
    refused(
        errors.PortChoiceError, "run", "--board", "adafruit_feather_f405", saying=("--port", "host ports")
    )


def path_without(tmp_path: Path, *tools: str) -> dict[str, str]:
    """An environment whose PATH has every program but these."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for entry in os.environ["PATH"].split(os.pathsep):
        for program in Path(entry).glob("*") if Path(entry).is_dir() else []:
            if program.name not in tools and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program.resolve() if program.name != "python" else program)
    return os.environ | {"PATH": str(folder)}


def test_qemu_is_missing(tmp_path):
    env = path_without(tmp_path, "qemu-system-arm")
    refused(
        errors.ToolMissingError, "run", "--input", "random:1", env=env, saying=("qemu", "apt-get install")
    )


def test_the_toolchain_is_missing(tmp_path):
    env = path_without(tmp_path, "arm-none-eabi-gcc")
    refused(
        errors.ToolMissingError,
        "run",
        "--input",
        "random:1",
        env=env,
        saying=("arm-none-eabi-gcc", "apt-get install"),
    )


def test_two_hosts_on_one_port(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        from host.transport.serial import open_port

        held = open_port(url)
        try:
            refused(errors.PortBusyError, "run", "--port", url, "--input", "random:1", saying=(url,))
        finally:
            held.close()


def test_a_result_file_that_cannot_be_written(tmp_path):
    arguments = ("run", "--input", "random:1", "--json", tmp_path / "no" / "such" / "folder.json")
    done = host(*arguments)
    assert done.returncode == errors.OutputError.exit_status and "cannot write" in done.stderr


def test_wrong_usage():
    assert host("run", "--runs", "0").returncode == 2
    assert host("fly").returncode == 2


def test_interruption_leaves_nothing_behind():
    process = subprocess.Popen([str(HOST), "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children: list[str] = []
    end = time.monotonic() + 60
    while not children and time.monotonic() < end:
        time.sleep(0.05)
        found = subprocess.run(
            ["pgrep", "-P", str(process.pid), "-f", "qemu"], capture_output=True, text=True
        )
        children = found.stdout.split()
    assert children, "no emulator was started"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130 and stderr.endswith("\ninterrupted\n")
    assert "\n\n" not in stderr
    end = time.monotonic() + 10  # whoever inherits an ended process may take a moment to forget it
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < end, "the emulator goes on"
        time.sleep(0.05)


@pytest.mark.skipif(shutil.which("head") is None, reason="needs head")
def test_a_closed_pipe_is_no_traceback():
    done = subprocess.run(
        f"{HOST} inspect | head -n 1", shell=True, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def other_protocol(tmp_path_factory) -> Path:
    """A firmware of our sources that speaks protocol version 99."""
    folder = tmp_path_factory.mktemp("build")
    variables = {"PLATFORMIO_BUILD_FLAGS": "-DPROTOCOL_VERSION=99", "PLATFORMIO_BUILD_DIR": str(folder)}
    code = "from host import boards, build; print(build.build(boards.load_board('emu_stm32f405')).elf)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_a_firmware_of_another_protocol_version(other_protocol):
    arguments = ("run", "--firmware", other_protocol, "--input", "random:1")
    refused(
        errors.ProtocolMismatchError,
        *arguments,
        saying=("version 99", f"this host version {wire.VERSION}", "host flash"),
    )


def test_the_device_is_usable_after_all_that():
    assert host("run", "--input", "random:1").returncode == 0


def test_limits_of_arena_and_flash_are_met_and_exact(tmp_path):
    path = saved(tmp_path, expansion())
    free = json.loads(host("run", path, "--kernels", "ref", "--json", "-").stdout)
    done = host("run", path, "--check", "layers", "--arena", 18_000, "--json", "-")
    assert done.returncode == 0, done.stderr
    small = json.loads(done.stdout)
    assert small["bit_exact"] is True and small["arena_bytes"] <= 18_000 < free["arena_bytes"]
    plan = free["flash_bytes"]["plan"] * 6 // 5
    described = json.loads(host("inspect", path, "--flash", plan, "--json", "-").stdout)
    assert described["plan_bytes"] <= plan
    refused(errors.DoesNotFitError, "run", path, "--arena", 100, saying=("100",))
    refused(errors.DoesNotFitError, "inspect", path, "--flash", 1000, saying=("1,000",))


def test_tuning_keeps_what_it_measures_and_changes_no_result(tmp_path):
    done = host("tune", "--save", tmp_path / "costs.json", "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    kept = Path(result["kept"])
    try:
        assert result["unit"] == "instructions"
        assert all(layer["costs"] for layer in result["layers"])
        assert any(len(layer["costs"]) > 2 for layer in result["layers"])
        tuned = json.loads(host("run", "--input", "random:1", "--check", "layers", "--json", "-").stdout)
        assert tuned["bit_exact"] is True
        for layer, measured in zip(tuned["layers"], result["layers"], strict=False):
            assert layer["kernel"] in measured["costs"]
    finally:
        kept.unlink()


def test_kernels_are_chosen_by_name():
    arguments = ("run", "--input", "random:1", "--check", "layers", "--no-model")
    done = host(*arguments, "--kernels", "depthwise_*_rows*,add_s8_flat_ref", "--json", "-")
    assert done.returncode == 0, done.stderr
    kernels = {layer["op"]: layer["kernel"] for layer in json.loads(done.stdout)["layers"]}
    assert "rows" in kernels["DEPTHWISE_CONV_2D"] and kernels["ADD"] == "add_s8_flat_ref"
    assert not kernels["CONV_2D"].endswith("_ref")
    refused(
        errors.InputError, *arguments, "--kernels", "nothing_*", saying=("nothing_*", "conv2d_s8_hwc_ref")
    )


def test_weights_in_spare_ram_change_no_bit():
    done = host(
        "run",
        "--input",
        "random:1",
        "--check",
        "layers",
        "--place",
        "flash",
        "--ram-weights",
        8000,
        "--json",
        "-",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["bit_exact"] is True and 0 < result["copy_bytes"] <= 8000


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "host.cli", "run", "no_such_network"], capture_output=True, text=True
    )
    assert done.returncode == errors.ModelMissingError.exit_status
    assert done.stderr.startswith("error: no file 'no_such_network'")
