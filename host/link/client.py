"""The device's commands as functions. A new command is one more method here."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from host.errors import DeviceError, HostError, LinkError
from host.link import frame as wire
from host.link.hello import Hello, parse_hello
from host.link.session import ATTEMPTS, LinkCounts, Request, Session, mismatch
from host.transport.base import Transport

# A device that just started drops what arrives before its serial port is up, so ask often at first.
_HELLO_TIMEOUTS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 2.0, 2.0)


@dataclass(frozen=True)
class PlanInfo:
    """What the device says about the plan that it accepted; `arena_pool` is an index into Hello.pools."""

    crc32: int
    total_bytes: int
    arena_bytes: int
    tensors: int
    steps: int
    inputs_survive: bool
    arena_pool: int


@dataclass(frozen=True)
class RunResult:
    """`total` is the count of all runs and steps together, in the unit of Hello.counter."""

    total: int
    runs: int
    steps_done: int


class Client:
    """A device at the other end of a transport. connect() first, or use it as a context manager.

    Every method raises DeviceError (DoesNotFitError for lack of memory) if the device refuses, LinkError if
    it does not answer in time, and what the transport raises. After any of them the client stays usable, if
    need be after connect(). The client owns the transport: close() closes it.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic):
        self.transport = transport
        self._clock = clock
        self._session = Session(transport, clock)
        self._hello: Hello | None = None
        self._number = 0

    def __enter__(self) -> Client:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the transport."""
        self.transport.close()

    @property
    def hello(self) -> Hello:
        """The device's answer to the last connect()."""
        if self._hello is None:
            raise LinkError("not connected")
        return self._hello

    @property
    def session(self) -> Session:
        """The conversation, for tests and statistics."""
        return self._session

    def connect(self, timeouts: Sequence[float] = _HELLO_TIMEOUTS_S) -> Hello:
        """Begins a new conversation, whatever state the line and the device were in.

        `timeouts`: how long to wait for the answer at each attempt, in seconds.
        Raises LinkError if nothing answers, ProtocolMismatchError for firmware of another version.
        """
        self._session = Session(self.transport, self._clock)
        self._session.drain()
        self._number = secrets.randbits(32)
        hello = self._say_hello(timeouts)
        self._session.counts = LinkCounts()  # a device that was starting, or busy, is no trouble on the line
        return hello

    def ping(self, payload: bytes = b"") -> bytes:
        """The payload as it comes back."""
        return self._call("PING", payload)

    def reset(self) -> Hello:
        """Restarts the device, which forgets its plan, and connects again."""
        self._call("RESET")
        return self.connect()

    def restart(self) -> None:
        """Restarts the device and leaves it alone: one with a demo in its flash runs it."""
        self._call("RESET")

    def load_plan(self, plan: bytes, progress: Callable[[int, int], None] | None = None) -> PlanInfo:
        """Streams a plan into the device's RAM and makes it the current one.

        `progress` is called with bytes done and bytes in all.
        """
        self._call("PLAN_BEGIN", struct.pack("<I", len(plan)))
        self._write("PLAN_DATA", b"", plan, progress)
        return _plan_info(self._call("PLAN_COMMIT"))

    def select_flash_plan(self) -> PlanInfo:
        """Makes the plan in the flash region the current one."""
        return _plan_info(self._call("PLAN_SELECT_FLASH"))

    def write_tensor(
        self, tensor: int, data: bytes, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Writes all of an input, given as the plan's int8 elements (NHWC)."""
        self._write("TENSOR_WRITE", struct.pack("<HH", tensor, 0), data, progress)

    def read_tensor(self, tensor: int, count: int, offset: int = 0) -> bytes:
        """`count` bytes of a tensor that is alive, from `offset`."""
        size = self.hello.max_payload_bytes
        end = offset + count
        pieces = [(at, min(size, end - at)) for at in range(offset, end, size)] or [(offset, 0)]
        answers = self._exchange(
            [Request("TENSOR_READ", struct.pack("<HHII", tensor, 0, at, n)) for at, n in pieces]
        )
        for (_, n), answer in zip(pieces, answers, strict=True):
            _expect("TENSOR_READ", answer, n)
        return b"".join(answers)

    def run(
        self,
        first_step: int = 0,
        steps: int = 0,
        runs: int = 1,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> RunResult:
        """Runs `steps` steps of the plan (0: all) from `first_step`, `runs` times.

        `on_progress` is called now and then with runs done and the step that is next.
        """

        def report(payload: bytes) -> None:
            if on_progress and len(payload) >= 8:
                on_progress(*struct.unpack_from("<II", payload))

        request = Request("RUN", struct.pack("<HHI", first_step, steps, runs), once=True)
        answer = self._exchange([request], on_progress=report)[0]
        return RunResult(*struct.unpack("<QII", _expect("RUN", answer, 16)))

    def counts(self, first_step: int, steps: int) -> tuple[int, ...]:
        """What each of these steps cost when it last ran, in the unit of Hello.counter."""
        most = self.hello.max_payload_bytes // 4
        end = first_step + steps
        pieces = [(at, min(most, end - at)) for at in range(first_step, end, most)]
        answers = self._exchange([Request("COUNTS", struct.pack("<HH", at, n)) for at, n in pieces])
        for (_, n), answer in zip(pieces, answers, strict=True):
            _expect("COUNTS", answer, 4 * n)
        return struct.unpack(f"<{steps}I", b"".join(answers))

    def _say_hello(self, timeouts: Sequence[float] = _HELLO_TIMEOUTS_S) -> Hello:
        payload = self._session.call(
            "HELLO", struct.pack("<I", self._number), timeouts=timeouts, ignore_damage=True
        )
        if len(payload) < 16 or struct.unpack_from("<H", payload)[0] != wire.VERSION:
            raise mismatch(payload)
        hello = parse_hello(payload)
        if hello.session != self._number:
            raise LinkError(
                "HELLO: the answer belongs to another conversation", "is another host on this port?"
            )
        if getattr(self.transport, "counts_instructions", False):
            counter = "instructions" if hello.counter == "cycles" else hello.counter
            hello = replace(hello, emulated=True, counter=counter)
        self._hello = hello
        self._session.window_bytes = self._hello.rx_window_bytes
        return self._hello

    def _call(self, command: str, payload: bytes = b"", **options) -> bytes:
        return self._exchange([Request(command, payload)], **options)[0]

    def _exchange(self, requests: list[Request], **options) -> list[bytes]:
        try:
            return self._session.exchange(requests, **options)
        except (DeviceError, LinkError) as error:
            if isinstance(error, LinkError) or error.status == "NO_SESSION":
                self._raise_if_restarted(requests[0].command, error)
            raise

    def _raise_if_restarted(self, command: str, error: DeviceError | LinkError) -> None:
        """A device that restarted has forgotten everything; HELLO tells why."""
        before = self.hello.fault
        try:
            hello = self._say_hello()
        except HostError:
            hello = None
        if hello and hello.fault and hello.fault != before:
            raise DeviceError(
                f"the device restarted during {command}: {hello.fault}", "please report this", status="FAULT"
            ) from error
        if isinstance(error, DeviceError):
            raise DeviceError(
                f"the device restarted during {command}",
                "check its supply, and run again",
                status="RESTARTED",
            ) from error

    def _write(
        self, command: str, where: bytes, data: bytes, progress: Callable[[int, int], None] | None
    ) -> None:
        """Sends data in pieces, each behind `where` and its offset."""
        data = bytes(data)
        size = self._payload_limit() - len(where) - 4
        done = 0

        def count(request: Request) -> None:
            nonlocal done
            done += len(request.payload) - len(where) - 4
            if progress:
                progress(done, len(data))

        pieces = [
            Request(command, where + struct.pack("<I", at) + data[at : at + size])
            for at in range(0, max(1, len(data)), size)
        ]
        for attempt in range(ATTEMPTS):
            try:
                self._exchange(pieces, on_answer=count)
                return
            except DeviceError as error:
                # A line that doubles frames can make the device begin anew behind our back; then so do we.
                if error.status != "BAD_SEQUENCE" or attempt == ATTEMPTS - 1:
                    raise
                done = 0

    def _payload_limit(self) -> int:
        """The largest payload of which two fit the window, so that the line is never idle."""
        hello = self.hello
        window = hello.rx_window_bytes
        half = wire.max_payload(window // 2)
        return min(hello.max_payload_bytes, max(half, min(64, wire.max_payload(window))))


def _plan_info(payload: bytes) -> PlanInfo:
    *facts, survive, pool = struct.unpack("<IIIHHHH", _expect("PLAN_COMMIT", payload, 20))
    return PlanInfo(*facts, bool(survive), pool)


def _expect(command: str, payload: bytes, count: int) -> bytes:
    if len(payload) != count:
        raise LinkError(f"{command}: the answer has {len(payload)} bytes instead of {count}")
    return payload
