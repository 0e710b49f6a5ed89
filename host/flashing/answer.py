"""What a board says over its serial port about its own flash: the build in HELLO, the plan's checksum."""

from __future__ import annotations

import time

from host.boards import Board
from host.build import Firmware
from host.devices import open_device
from host.errors import DeviceError, FlashError, HostError, LinkError, PortError
from host.flashing import plan
from host.flashing.plan import Image
from host.link.client import Client
from host.runner import plan_crc

# A reset of the ST-Link takes its serial port away for a moment.
PORT_WAIT_S = 5.0
PORT_RETRY_S = 0.25


def held(board: Board, port: str, build_hash: str, images: tuple[Image, ...]) -> set[str]:
    """Names of the images that the board has already; empty if it does not answer."""
    found = set()
    try:
        with open_device(board, port) as client:
            if client.hello.board == board.id and client.hello.build == build_hash:
                found.add("firmware")
            for image in images:
                if image.name == "plan" and _holds(client, image.data):
                    found.add("plan")
    except HostError:
        pass
    return found


def _holds(client: Client, data: bytes) -> bool:
    """Whether the board has exactly these bytes; of what lies behind a plan, a demo block, it cannot tell."""
    info = client.select_flash_plan()
    return info.crc32 == plan_crc(data) and info.total_bytes == len(data)


def require(
    board: Board, port: str | None, firmware: Firmware, network: bytes | None, say: plan.Say, *, restart: bool = False
) -> None:  # fmt: skip
    """Connects to the board, in the emulator if it is emulated, and checks build, board id and plan.

    With `restart` it starts anew afterwards: saying hello has ended its demo.
    Raises FlashError if it runs something else, LinkError if it does not answer, DeviceError if it refuses the plan.
    """
    end = time.monotonic() + PORT_WAIT_S
    while True:
        try:
            client = open_device(board, port, plan=network, progress=say)
            break
        except PortError:
            if time.monotonic() > end:
                raise
            time.sleep(PORT_RETRY_S)
    try:
        with client:
            hello = client.hello
            if hello.board != board.id:
                raise FlashError(
                    f"{port} leads to {hello.board}, not to {board.id}", "name its port with --port"
                )
            if hello.build != firmware.build_hash:
                raise FlashError(
                    f"{board.id} runs build {hello.build}, not {firmware.build_hash} that was just written",
                    "reset the board and try again",
                )
            if network is not None:
                _require_plan(board, client, network)
            if restart:
                client.restart()
    except LinkError as error:
        raise LinkError(
            f"the flash was written, but {board.id} does not answer on {port or 'the emulator'}: {error.message}",
            "press the board's reset button; is this its port?",
        ) from error


def _require_plan(board: Board, client, network: bytes) -> None:
    try:
        crc = client.select_flash_plan().crc32
    except DeviceError as error:
        raise DeviceError(
            f"{board.id} refuses the plan in its flash: {error.message}", error.hint,
            status=error.status, detail=error.detail,
        ) from error  # fmt: skip
    if crc != plan_crc(network):
        raise FlashError(
            f"{board.id} has plan {crc:08x} in its flash, not {plan_crc(network):08x}",
            "run `host flash` again",
        )
