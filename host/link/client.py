"""The device's commands as functions. A new command is one more method here."""

from __future__ import annotations

import secrets
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from host.errors import DeviceError, HostError, LinkError
from host.link import frame as wire
from host.link.hello import Hello, parse_hello
from host.link.session import BrokenStreamError, LinkCounts, Request, Session, mismatch
from host.transport.base import Transport

# A device that just started drops what arrives before its serial port is up, so ask often at first.
_HELLO_TIMEOUTS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 2.0, 2.0)

# Of a board in MLPerf's energy mode, which leaves it when it has answered; HELLO and its answer take 0.4 s then.
SLOW_BAUD = 9600
_SLOW_TIMEOUTS_S = (1.0, 1.0)

_PLAN_INFO_BYTES = 24


@dataclass(frozen=True)
class PlanInfo:
    """What the device says about the plan that it accepted; `arena_pool` is an index into Hello.pools.

    `rx_window_bytes` may be on their way to the device while this plan is in use.
    """

    crc32: int
    total_bytes: int
    arena_bytes: int
    tensors: int
    steps: int
    inputs_survive: bool
    arena_pool: int
    rx_window_bytes: int


@dataclass(frozen=True)
class RunResult:
    """`total` is the count of all runs and steps together, in the unit of Hello.counter."""

    total: int
    runs: int
    steps_done: int


@dataclass(frozen=True)
class Job:
    """An inference to do: all bytes of each input, `runs` times all `steps` steps, then these bytes of each output."""

    inputs: tuple[tuple[int, bytes], ...]
    outputs: tuple[tuple[int, int], ...]
    steps: int
    runs: int = 1


@dataclass(frozen=True)
class Inference:
    """What became of a job; `counts` are the last run's, one a step."""

    run: RunResult
    outputs: list[bytes]
    counts: tuple[int, ...]


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
        try:
            hello = self._say_hello(timeouts)
        except LinkError:
            if not self._call_from_slow_line():
                raise
            hello = self._say_hello(timeouts)
        self._session.counts = LinkCounts()  # a device that was starting, or busy, is no trouble on the line
        return hello

    def _call_from_slow_line(self) -> bool:
        """Whether a device has answered at SLOW_BAUD. It has then gone to the rate that we were opened with."""
        set_baud = getattr(self.transport, "set_baud", None)
        if set_baud is None:
            return False
        set_baud(SLOW_BAUD)
        try:
            self._session.drain()
            self._say_hello(_SLOW_TIMEOUTS_S)
        except LinkError:
            return False
        finally:
            set_baud()
        return True

    def ask_hello(self) -> Hello:
        """HELLO within the conversation: what changes, such as the stack's use, is as of now."""
        return self._say_hello()

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
        self.send_plan(plan, progress)
        return self._use_plan("PLAN_COMMIT")

    def send_plan(self, plan: bytes, progress: Callable[[int, int], None] | None = None) -> None:
        """load_plan() up to the device's look at it; until then the device has no plan."""
        self._session.window_bytes = self.hello.rx_window_bytes
        self._call("PLAN_BEGIN", struct.pack("<I", len(plan)))
        self._write("PLAN_DATA", b"", plan, progress)

    def select_flash_plan(self) -> PlanInfo:
        """Makes the plan in the flash region the current one."""
        return self._use_plan("PLAN_SELECT_FLASH")

    def _use_plan(self, command: str) -> PlanInfo:
        self._session.window_bytes = self.hello.rx_window_bytes
        *facts, survive, pool, window = struct.unpack(
            "<IIIHHHHI", _expect(command, self._call(command), _PLAN_INFO_BYTES)
        )
        self._session.window_bytes = window
        return PlanInfo(*facts, bool(survive), pool, window)

    def write_tensor(
        self, tensor: int, data: bytes, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Writes all of an input, given as the plan's int8 elements (NHWC)."""
        self._write("TENSOR_WRITE", struct.pack("<HH", tensor, 0), data, progress)

    def read_tensor(self, tensor: int, count: int, offset: int = 0) -> bytes:
        """`count` bytes of a tensor that is alive, from `offset`."""
        requests = self._reads(tensor, count, offset)
        answers = self._exchange(requests)
        for request, answer in zip(requests, answers, strict=True):
            _expect("TENSOR_READ", answer, _read_count(request))
        return b"".join(answers)

    def _reads(self, tensor: int, count: int, offset: int = 0) -> list[Request]:
        size, end = self.hello.max_payload_bytes, offset + count
        pieces = [(at, min(size, end - at)) for at in range(offset, end, size)] or [(offset, 0)]
        return [Request("TENSOR_READ", struct.pack("<HHII", tensor, 0, at, n)) for at, n in pieces]

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

        request = Request("RUN", struct.pack("<HHI", first_step, steps, runs), once=True)
        answer = self._exchange([request], on_progress=_progress(on_progress))[0]
        return RunResult(*struct.unpack("<QII", _expect("RUN", answer, 16)))

    def infer(
        self, jobs: Iterable[Job], on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Inference]:
        """Works off jobs in their order: while one runs, the inputs of the next are on their way.
        Counts then include the interrupts that receive them.

        When something is lost on the line, the job that it hit is done again from its inputs on, request by request.
        """
        source = iter(jobs)
        begun: deque[tuple[Job, list[Request]]] = deque()

        def requests() -> Iterator[Request]:
            yield from chain.from_iterable(r for _, r in tuple(begun))
            for job in source:
                begun.append((job, self._requests(job)))
                yield from begun[-1][1]

        while True:
            answers: list[bytes] = []
            try:
                for answer in self._session.stream(requests(), on_progress=_progress(on_progress)):
                    answers.append(answer)
                    if len(answers) == len(begun[0][1]):
                        job, sent = begun.popleft()
                        yield _inference(job, sent, answers)
                        answers = []
                return
            except BrokenStreamError:
                job, _ = begun.popleft()
                yield self.infer_alone(job, on_progress)
            except DeviceError as error:
                if error.status == "NO_SESSION":
                    self._raise_if_restarted("RUN", error)
                raise

    def _requests(self, job: Job) -> list[Request]:
        """All of a job, in the order in which the device is to work them off."""
        writes = (
            self._pieces("TENSOR_WRITE", struct.pack("<HH", tensor, 0), data) for tensor, data in job.inputs
        )
        reads = (self._reads(tensor, count) for tensor, count in job.outputs)
        return [
            *chain.from_iterable(writes),
            Request("RUN", struct.pack("<HHI", 0, 0, job.runs)),
            *chain.from_iterable(reads),
            *self._count_requests(0, job.steps),
        ]

    def infer_alone(self, job: Job, on_progress: Callable[[int, int], None] | None = None) -> Inference:
        """One job, with a line at rest while the device computes: counts are of the steps alone."""
        for tensor, data in job.inputs:
            self.write_tensor(tensor, data)
        run = self.run(runs=job.runs, on_progress=on_progress)
        outputs = [self.read_tensor(tensor, count) for tensor, count in job.outputs]
        return Inference(run, outputs, self.counts(0, job.steps))

    def counts(self, first_step: int, steps: int) -> tuple[int, ...]:
        """What each of these steps cost when it last ran, in the unit of Hello.counter."""
        answers = self._exchange(self._count_requests(first_step, steps))
        return struct.unpack(f"<{steps}I", _expect("COUNTS", b"".join(answers), 4 * steps))

    def _count_requests(self, first_step: int, steps: int) -> list[Request]:
        most, end = self.hello.max_payload_bytes // 4, first_step + steps
        pieces = [(at, min(most, end - at)) for at in range(first_step, end, most)]
        return [Request("COUNTS", struct.pack("<HH", at, n)) for at, n in pieces]

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
        before = self.hello
        # its watchdog's oscillator may be half as fast as it should be
        watchdog_s = 2 * before.watchdog_ms / 1000 if isinstance(error, LinkError) else 0
        try:
            hello = self._say_hello((*_HELLO_TIMEOUTS_S, *(2.0,) * round(watchdog_s / 2)))
        except HostError:
            hello = None
        if hello and hello.fault and hello.fault != before.fault:
            raise DeviceError(
                f"the device restarted during {command}: {hello.fault}", "please report this", status="FAULT"
            ) from error
        if (
            hello
            and hello.reset_cause == "watchdog"
            and (before.reset_cause != "watchdog" or isinstance(error, DeviceError))
        ):
            raise DeviceError(
                f"the device restarted during {command}: its watchdog ended a hang, or a step of more than "
                f"{hello.watchdog_ms:,} ms",
                "please report a hang; the time is watchdog_ms in the board's manifest",
                status="WATCHDOG",
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
        done = 0

        def count(request: Request) -> None:
            nonlocal done
            done += len(request.payload) - len(where) - 4
            if progress:
                progress(done, len(data))

        self._exchange(self._pieces(command, where, data), on_answer=count)

    def _pieces(self, command: str, where: bytes, data: bytes) -> list[Request]:
        size = self._payload_limit() - len(where) - 4
        return [
            Request(command, where + struct.pack("<I", at) + data[at : at + size])
            for at in range(0, max(1, len(data)), size)
        ]

    def _payload_limit(self) -> int:
        """The largest payload of which two fit the window, so that the line is never idle."""
        hello = self.hello
        window = hello.rx_window_bytes
        half = wire.max_payload(window // 2)
        return min(hello.max_payload_bytes, max(half, min(64, wire.max_payload(window))))


def _progress(report: Callable[[int, int], None] | None) -> Callable[[bytes], None]:
    def take(payload: bytes) -> None:
        if report and len(payload) >= 8:
            report(*struct.unpack_from("<II", payload))

    return take


def _inference(job: Job, sent: list[Request], answers: list[bytes]) -> Inference:
    """Sorts the answers to a job's requests."""
    of: dict[str, list[bytes]] = {"TENSOR_WRITE": [], "RUN": [], "TENSOR_READ": [], "COUNTS": []}
    for request, answer in zip(sent, answers, strict=True):
        if request.command == "TENSOR_READ":
            _expect("TENSOR_READ", answer, _read_count(request))
        of[request.command].append(answer)
    data, outputs = b"".join(of["TENSOR_READ"]), []
    for _, count in job.outputs:
        outputs.append(data[:count])
        data = data[count:]
    run = RunResult(*struct.unpack("<QII", _expect("RUN", of["RUN"][0], 16)))
    counts = _expect("COUNTS", b"".join(of["COUNTS"]), 4 * job.steps)
    return Inference(run, outputs, struct.unpack(f"<{job.steps}I", counts))


def _read_count(request: Request) -> int:
    return struct.unpack_from("<I", request.payload, 8)[0]


def _expect(command: str, payload: bytes, count: int) -> bytes:
    if len(payload) != count:
        raise LinkError(f"{command}: the answer has {len(payload)} bytes instead of {count}")
    return payload
