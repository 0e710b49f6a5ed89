"""`host serve` on one side and `host run` on the other, with an emulated board behind a pseudo terminal."""

from __future__ import annotations

import json
import signal
import subprocess

from host.devices import open_device
from tests.emulator.test_cli import HOST, TIMEOUT_S, host
from tests.serial_line import SerialLine

BOARD = "emu_stm32f405"


def test_two_commands_run_a_network_on_the_board_of_another_machine():
    client = open_device(BOARD)
    with SerialLine(client.transport) as line:
        with subprocess.Popen(
            [HOST, "serve", "--port", line.path, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as server:  # fmt: skip
            shared = server.stdout.readline()
            assert shared.startswith(f"{line.path} is shared at rfc2217://127.0.0.1:"), server.stderr.read()
            url = shared.split()[4].rstrip(";")
            done = host("run", "--board", BOARD, "--port", url, "--input", "random:1", "--json", "-")
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["bit_exact"] is True and result["board"] == BOARD
        assert server.returncode == 130 and " connected\n" in said and " disconnected\n" in said
    client.close()
