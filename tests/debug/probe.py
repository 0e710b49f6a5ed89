"""A debug probe of pyOCD's own interface on top of a simulated chip, with the failures that real ones have."""

from __future__ import annotations

import struct

from pyocd.board.board_ids import BOARD_ID_TO_INFO
from pyocd.board.mbed_board import MbedBoard
from pyocd.core import exceptions
from pyocd.core.memory_interface import MemoryInterface
from pyocd.probe.debug_probe import DebugProbe

from tests.debug.chip import ROM_TABLE, BusFault, Chip

# ADIv5.2: DPIDR of a SW-DPv1, IDR of an AHB-AP.
DPIDR, AHB_AP_IDR = 0x2BA01477, 0x24770011
CTRL_STAT = 0x4
CSW, TAR, DRW, BASE, IDR = 0x00, 0x04, 0x0C, 0xF8, 0xFC


class SimulatedProbe(DebugProbe):
    """One probe on USB. `plugged` are those that this computer sees; tests fill and clear it."""

    plugged: list[SimulatedProbe] = []  # noqa: RUF012

    def __init__(self, serial: str, chip: Chip, board_id: str | None = None, product: str = "STLINK-V3"):
        super().__init__()
        self.serial, self.chip, self.board_id, self.product = serial, chip, board_id, product
        self.busy = False
        self.unplug_after_bytes: int | None = None  # of writes to the target's memory
        self.interrupt_after_bytes: int | None = None
        self.unplugged = False
        self.asleep = False  # memory cannot be reached until the chip was reset
        self.written_bytes = 0
        self._open = self._connected = False
        self._ctrl, self._tar = 0, 0
        self._nreset = False

    @classmethod
    def get_all_connected_probes(cls, unique_id=None, is_explicit=False):
        return list(cls.plugged)

    @classmethod
    def get_probe_with_id(cls, unique_id, is_explicit=False):
        return next((probe for probe in cls.plugged if probe.serial == unique_id), None)

    vendor_name = property(lambda self: "STMicroelectronics")
    product_name = property(lambda self: self.product)
    description = property(lambda self: self.product)
    supported_wire_protocols = property(lambda self: [self.Protocol.DEFAULT, self.Protocol.SWD])
    unique_id = property(lambda self: self.serial)
    wire_protocol = property(lambda self: self.Protocol.SWD if self._connected else None)
    is_open = property(lambda self: self._open)
    capabilities = property(
        lambda self: {self.Capability.MANAGED_AP_SELECTION, self.Capability.MANAGED_DPBANKSEL,
                      self.Capability.BANKED_DP_REGISTERS}
    )  # fmt: skip
    associated_board_info = property(lambda self: BOARD_ID_TO_INFO.get(self.board_id))

    def create_associated_board(self):
        if self.board_id is None:
            return None
        return MbedBoard(self.session, board_info=self.associated_board_info, board_id=self.board_id)

    def open(self):
        self._alive()
        if self.busy:
            import usb.core

            raise usb.core.USBError("Resource busy", -6, 16)
        self._open = True

    def close(self):
        self._open = False

    def connect(self, protocol=None):
        self._alive()
        self._connected = True

    def disconnect(self):
        self._connected = False

    def set_clock(self, frequency):
        pass

    def reset(self):
        self.chip.reset()

    def assert_reset(self, asserted):
        self._alive()
        if asserted:
            self.asleep = False
        if self._nreset and not asserted:
            self.chip.reset()
        self._nreset = asserted

    def is_reset_asserted(self):
        return self._nreset

    def read_dp(self, addr, now=True):
        self._alive()
        value = {0: DPIDR, CTRL_STAT: self._ctrl | (self._ctrl & 0x50000000) << 1}.get(addr, 0)
        return value if now else lambda: value

    def write_dp(self, addr, data):
        self._alive()
        if addr == CTRL_STAT:
            self._ctrl = data

    def read_ap(self, addr, now=True):
        self._alive()
        ap, register = addr >> 24, addr & 0xFF
        if ap == 0 and register == DRW:
            value = struct.unpack("<I", self.read(self._tar, 4))[0]
        else:
            value = {IDR: AHB_AP_IDR, BASE: ROM_TABLE | 3, CSW: 0x43000052}.get(register, 0) if ap == 0 else 0
        return value if now else lambda: value

    def write_ap(self, addr, data):
        self._alive()
        ap, register = addr >> 24, addr & 0xFF
        if ap == 0 and register == TAR:
            self._tar = data
        elif ap == 0 and register == DRW:
            self.write(self._tar, struct.pack("<I", data))

    def read_ap_multiple(self, addr, count=1, now=True):
        raise NotImplementedError("blocks go through the memory interface")

    def write_ap_multiple(self, addr, values):
        raise NotImplementedError("blocks go through the memory interface")

    def get_memory_interface_for_ap(self, ap_address):
        return _Memory(self) if ap_address.apsel == 0 else None

    def _alive(self):
        if self.unplugged:
            raise exceptions.ProbeError(
                "USB Error: [Errno 19] No such device (it may have been disconnected)"
            )

    def _awake(self):
        self._alive()
        if self.asleep:
            raise exceptions.TransferError("STLink error (18): AP error")

    def read(self, address: int, count: int) -> bytes:
        self._awake()
        try:
            return self.chip.read(address, count)
        except BusFault as fault:
            raise exceptions.TransferFaultError(str(fault), fault_address=address, length=count) from fault

    def write(self, address: int, data: bytes) -> None:
        self._awake()
        self.written_bytes += len(data)
        if self.interrupt_after_bytes is not None and self.written_bytes > self.interrupt_after_bytes:
            self.interrupt_after_bytes = None
            raise KeyboardInterrupt
        if self.unplug_after_bytes is not None and self.written_bytes > self.unplug_after_bytes:
            self.unplugged = True
            SimulatedProbe.plugged = [p for p in SimulatedProbe.plugged if p is not self]
            self._alive()
        try:
            self.chip.write(address, data)
        except BusFault as fault:
            raise exceptions.TransferFaultError(
                str(fault), fault_address=address, length=len(data)
            ) from fault


class _Memory(MemoryInterface):
    """Block transfers, as an ST-Link offers them."""

    def __init__(self, probe: SimulatedProbe):
        self._probe = probe

    def write_memory(self, addr, data, transfer_size=32, **attrs):
        self._probe.write(addr, data.to_bytes(transfer_size // 8, "little"))

    def read_memory(self, addr, transfer_size=32, now=True, **attrs):
        value = int.from_bytes(self._probe.read(addr, transfer_size // 8), "little")
        return value if now else lambda: value

    def write_memory_block32(self, addr, data, **attrs):
        self._probe.write(addr, struct.pack(f"<{len(data)}I", *data))

    def read_memory_block32(self, addr, size, **attrs):
        return list(struct.unpack(f"<{size}I", self._probe.read(addr, 4 * size)))

    def write_memory_block8(self, addr, data, **attrs):
        self._probe.write(addr, bytes(data))

    def read_memory_block8(self, addr, size, **attrs):
        return list(self._probe.read(addr, size))
