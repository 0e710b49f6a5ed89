"""What a device says about itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from host.errors import LinkError

CLOCK_SOURCES = (
    "reset default",
    "PLL from crystal",
    "PLL from internal oscillator",
    "crystal failed, internal oscillator",
    "emulated",
)
RESET_CAUSES = ("unknown", "power", "reset pin", "software", "watchdog", "other")
COUNTERS = ("none", "cycles", "instructions")
CORES = {0: "native", 4: "cortex-m4", 7: "cortex-m7", 33: "cortex-m33"}
_EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 7: "SecureFault"}

_MOST_POOLS = 4
_STACK_OVERFLOW = 256
_FIXED = struct.Struct("<HH8sIBBBB4IIIIHH4IIIIB3xI")


@dataclass(frozen=True)
class Fault:
    """The registers at the fault that ended the device's last life; `kind` is the exception number, and 256
    more if the stack had overflowed."""

    kind: int
    pc: int
    lr: int
    cfsr: int

    def __str__(self) -> str:
        """One line for people."""
        number = self.kind & ~_STACK_OVERFLOW
        name = _EXCEPTIONS.get(number, f"exception {number}")
        if self.kind & _STACK_OVERFLOW:
            name = f"stack overflow, {name}"
        return f"{name} at PC 0x{self.pc:08x}, LR 0x{self.lr:08x}, CFSR 0x{self.cfsr:08x}"


@dataclass(frozen=True)
class Hello:
    """The answer to HELLO, decoded. `build` is hexadecimal, `kernels` are ids of kernels.def.

    `pools` are the bytes of each bank of RAM for plan, counts and arena, fastest first. `session` is the number that
    the host gave in its HELLO. `stack_used` is the most since the device started; `watchdog_ms` is 0 if none runs.
    """

    protocol_version: int
    plan_version: int
    build: str
    clock_hz: int
    clock_source: str
    counter: str
    emulated: bool
    icache: bool
    dcache: bool
    prefetch: bool
    core: str
    pools: tuple[int, ...]
    hot_code_bytes: int
    flash_plan_bytes: int
    rx_window_bytes: int
    max_payload_bytes: int
    fault: Fault | None
    session: int
    stack_bytes: int
    stack_used: int
    reset_cause: str
    watchdog_ms: int
    board: str
    compiler: str
    flags: str
    kernels: tuple[int, ...]

    @property
    def pool_bytes(self) -> int:
        """Of the largest pool, which holds a streamed plan."""
        return max(self.pools)


def parse_hello(payload: bytes) -> Hello:
    """Decodes HELLO's response. LinkError if it is not laid out as PROTOCOL.md says."""
    try:
        (
            version,
            plan_version,
            build,
            clock_hz,
            source,
            counter,
            flags,
            core,
            *rest,
        ) = _FIXED.unpack_from(payload)
        *rest, session, stack_bytes, stack_used, cause, watchdog_ms = rest
        pools, fault = rest[:_MOST_POOLS], rest[-4:]
        hot_code, flash, window, max_payload, kernel_count = rest[_MOST_POOLS:-4]
        at = _FIXED.size
        strings = []
        for _ in range(3):
            end = at + 1 + payload[at]
            if end > len(payload):
                raise ValueError("a string is cut off")
            strings.append(payload[at + 1 : end].decode("utf-8", "replace"))
            at = end
        kernels = struct.unpack_from(f"<{kernel_count}H", payload, at)
    except (struct.error, IndexError, ValueError) as e:
        raise LinkError(f"HELLO: the answer is malformed: {e}") from None
    return Hello(
        version,
        plan_version,
        build.hex(),
        clock_hz,
        CLOCK_SOURCES[source] if source < len(CLOCK_SOURCES) else f"unknown {source}",
        COUNTERS[counter] if counter < len(COUNTERS) else f"unknown {counter}",
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        bool(flags & 8),
        CORES.get(core, f"core {core}"),
        tuple(size for size in pools if size),
        hot_code,
        flash,
        window,
        max_payload,
        Fault(*fault) if fault[0] else None,
        session,
        stack_bytes,
        stack_used,
        RESET_CAUSES[cause] if cause < len(RESET_CAUSES) else f"unknown {cause}",
        watchdog_ms,
        *strings,
        kernels,
    )
