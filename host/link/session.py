"""Requests and their answers over a transport: sequence numbers, credits, repetition, time-outs.

Knows no command but HELLO's error, BAD_VERSION. Rules: firmware/link/PROTOCOL.md.

Repetition is go-back-N. A line does not reorder and the device answers in order, so only an answer to the
oldest request counts; an answer to a later one says that the oldest, or its answer, was lost. A repeated
request gets a new number, so that a late answer to the first try is not taken for one to the second: the device
may have been in another state.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from host import defs
from host.errors import LinkError, ProtocolMismatchError
from host.link import frame as wire
from host.link.frame import Damaged, Decoder, Frame, Kind
from host.link.refusal import refusal
from host.transport.base import Transport

ANSWER_TIMEOUT_S = 2.0
ATTEMPTS = 5
_QUIET_S = 0.05  # no byte for so long: what was under way has arrived; longer if the line is slower
_MAX_QUIET_S = 0.5
_BUSY_QUIET_S = 1.0  # the same while a run may go on, which tells its progress more often
_FLOOD_S = 1.0  # a line that is not quiet after so long will not be
_MAX_IN_FLIGHT = 8  # bounds what one lost byte makes us send again
_MAX_IN_STREAM = 256  # where it makes us do one inference again; the device takes numbers up to 1,024 ahead

_FIRST_WINDOW_BYTES = 64


@dataclass(frozen=True)
class Request:
    """A command's name and its payload; with `once` it keeps its number when it is repeated."""

    command: str
    payload: bytes = b""
    once: bool = False


@dataclass(frozen=True)
class _Sent:
    request: Request
    command: int
    sequence: int
    data: bytes


@dataclass
class LinkCounts:
    """What went wrong on the line since the conversation began; all of it was repaired, or an error was raised.

    `damaged_answers` were not readable here, `damaged_requests` not on the device, `missing_answers` did not come in
    time or were overtaken by a later one; for each the frames that were under way were sent again.
    """

    resent_frames: int = 0
    damaged_answers: int = 0
    damaged_requests: int = 0
    missing_answers: int = 0

    @property
    def errors(self) -> int:
        """All but the repetitions, which follow from them."""
        return self.damaged_answers + self.damaged_requests + self.missing_answers


class _Trouble(Exception):
    """The answer to the oldest request will not come; the message says why we think so."""


class BrokenStreamError(LinkError):
    """An answer in a stream of requests did not come; repeat what was not answered."""


class Session:
    """One conversation with a device. Not for several threads."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic):
        self.transport = transport
        self._clock = clock
        self.window_bytes = _FIRST_WINDOW_BYTES
        self.counts = LinkCounts()
        self._decoder = Decoder()
        self._arrived: deque[Frame | Damaged] = deque()
        self._sequence = secrets.randbelow(0x10000)
        self._attempt = 0
        self._foreign_progress = False
        self._round_trip_s = 0.0

    @property
    def resent_frames(self) -> int:
        """How many frames were sent more than once."""
        return self.counts.resent_frames

    def drain(self) -> None:
        """Forgets what an earlier conversation left in the line, and ends a half-sent frame of it."""
        end = self._clock() + _FLOOD_S
        while self.transport.read(_QUIET_S) and self._clock() < end:
            pass
        self._decoder.reset()
        self._arrived.clear()
        self.transport.write(b"\0")

    def exchange(
        self,
        requests: Iterable[Request],
        *,
        on_answer: Callable[[Request], None] | None = None,
        on_progress: Callable[[bytes], None] | None = None,
        timeouts: Iterable[float] = (ANSWER_TIMEOUT_S,) * ATTEMPTS,
        ignore_damage: bool = False,
    ) -> list[bytes]:
        """Sends requests, as many at once as the credits allow; the answers' payloads in their order.

        `timeouts` has one entry an attempt. With `ignore_damage` only time ends an attempt: for a line that
        may still carry rubbish of an earlier conversation. Raises the error of the first request that the
        device refuses (later ones that were under way may have been executed), ProtocolMismatchError, or
        LinkError.
        """
        timeouts = list(timeouts)
        waiting: deque[Request | _Sent] = deque(requests)
        alone = len(waiting) == 1
        flying: deque[_Sent] = deque()
        answers: list[bytes] = []
        self._attempt = 0
        while waiting or flying:
            self._send(self._take_within_credits(waiting, flying, _MAX_IN_FLIGHT))
            begin = self._clock()
            try:
                answer = self._answer_to_oldest(flying, timeouts[self._attempt], on_progress, ignore_damage)
            except _Trouble as trouble:
                self._attempt += 1
                if self._attempt == len(timeouts):
                    raise self._gave_up(flying[0].request.command, str(trouble)) from None
                self.counts.resent_frames += len(flying)
                if waiting and isinstance(waiting[0], _Sent):
                    waiting[0] = waiting[
                        0
                    ].request  # a number that was not used is behind the repetitions' now
                waiting.extendleft(s if s.request.once else s.request for s in reversed(flying))
                flying.clear()
                continue
            sent = flying.popleft()
            if alone:
                self._measured(self._clock() - begin)
            if answer.status:
                self._settle(len(flying))
                raise refusal(sent.request.command, answer.status, answer.payload)
            self._attempt = 0
            answers.append(answer.payload)
            if on_answer:
                on_answer(sent.request)
        return answers

    def stream(
        self, requests: Iterable[Request], *, on_progress: Callable[[bytes], None] | None = None
    ) -> Iterator[bytes]:
        """Sends requests of any commands one behind the other, as many at once as the credits allow.

        Yields the answers' payloads in their order; `requests` is read no further than what can be sent. Nothing is
        repeated: raises BrokenStreamError when an answer does not come, with the line at rest. Requests whose answer
        was not yielded may have been executed or not then. Other errors as for exchange().
        """
        source = iter(requests)
        waiting: deque[Request | _Sent] = deque()
        flying: deque[_Sent] = deque()
        self._attempt = 0
        while True:
            burst = self._take_within_credits(waiting, flying, _MAX_IN_STREAM)
            while not waiting and (following := next(source, None)) is not None:
                waiting.append(following)
                burst += self._take_within_credits(waiting, flying, _MAX_IN_STREAM)
            self._send(burst)
            if not flying:
                return
            try:
                answer = self._answer_to_oldest(flying, ANSWER_TIMEOUT_S, on_progress, False)
            except _Trouble as trouble:
                self.counts.resent_frames += len(flying)
                self._settle(len(flying), _BUSY_QUIET_S)
                raise BrokenStreamError(str(trouble)) from None
            sent = flying.popleft()
            if answer.status:
                self._settle(len(flying), _BUSY_QUIET_S)
                raise refusal(sent.request.command, answer.status, answer.payload)
            yield answer.payload

    def call(self, command: str, payload: bytes = b"", **options) -> bytes:
        """One request; the answer's payload. Options and errors as for exchange()."""
        return self.exchange([Request(command, payload)], **options)[0]

    def _number(self, request: Request) -> _Sent:
        sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFF
        code = defs.commands()[request.command].code
        return _Sent(request, code, sequence, wire.encode(Frame(code, sequence, request.payload)))

    def _send(self, data: bytes) -> None:
        if data:
            self.transport.write(data)

    def _take_within_credits(self, waiting: deque[Request | _Sent], flying: deque[_Sent], most: int) -> bytes:
        """Makes requests that wait fly, up to `most`; their bytes, which are to be sent."""
        used = sum(len(s.data) for s in flying)
        burst = bytearray()
        while waiting and len(flying) < most:
            following = waiting[0]
            if isinstance(
                following, Request
            ):  # numbered as late as this, since the device wants them in order
                following = waiting[0] = self._number(following)
            if flying and used + len(following.data) > self.window_bytes:
                break
            burst += following.data
            used += len(following.data)
            flying.append(following)
            waiting.popleft()
        return bytes(burst)

    def _answer_to_oldest(
        self,
        flying: deque[_Sent],
        timeout: float,
        on_progress: Callable[[bytes], None] | None,
        ignore_damage: bool,
    ) -> Frame:
        deadline = self._clock() + timeout
        sequences = [s.sequence for s in flying]
        while True:
            item = self._receive(deadline - self._clock())
            if item is None:
                self.transport.write(b"\0")  # ends a frame whose closing zero was lost
                self.counts.missing_answers += 1
                raise _Trouble("no answer")
            if isinstance(item, Damaged):
                if ignore_damage:
                    continue
                self.counts.damaged_answers += 1
                self._settle(len(flying) - 1)
                raise _Trouble(f"the answer arrived damaged, {item.reason}")
            if item.kind == Kind.PROGRESS and item.sequence in sequences:
                deadline, self._attempt = self._clock() + timeout, 0
                if on_progress:
                    on_progress(item.payload)
                continue
            self._foreign_progress |= item.kind == Kind.PROGRESS
            if item.kind != Kind.RESPONSE:
                continue
            status = defs.statuses().get(item.status)
            if item.version != wire.VERSION or (status and status.name == "BAD_VERSION"):
                raise mismatch(item.payload)
            if item.sequence == sequences[0] and item.command == flying[0].command:
                return item
            if status and status.name == "BAD_FRAME" and item.command == 0 and not ignore_damage:
                self.counts.damaged_requests += 1
                self._settle(len(flying) - 1)
                raise _Trouble("the request arrived damaged")
            if item.sequence in sequences:
                self.counts.missing_answers += 1
                self._settle(len(flying) - 1 - sequences.index(item.sequence))
                raise _Trouble("no answer")

    def _measured(self, seconds: float) -> None:
        """Learns the line's round trip: the shortest that was seen, since others include the device's work."""
        fastest = min(seconds, self._round_trip_s) if self._round_trip_s else seconds
        self._round_trip_s = min(fastest, _MAX_QUIET_S / 2)

    def _gave_up(self, command: str, trouble: str) -> LinkError:
        if self._foreign_progress:
            return LinkError(
                f"{command}: the device is busy with a run of an earlier host ({self.transport.description})",
                "wait for its end or reset the board",
            )
        return LinkError(
            f"{command}: {trouble}, {self._attempt} times in a row ({self.transport.description})",
            "check cable, port and baud rate, or reset the board",
        )

    def _settle(self, answers: int, quiet_s: float = _QUIET_S) -> None:
        """Waits until so many more answers have come, or nothing comes any more: their credits are back."""
        end = self._clock() + _FLOOD_S
        while answers > 0 and self._clock() < end:
            item = self._receive(max(quiet_s, 2 * self._round_trip_s))
            if item is None:
                break
            if isinstance(item, Frame) and item.kind == Kind.PROGRESS:
                end = self._clock() + _FLOOD_S  # a run goes on; what is behind it waits
            if isinstance(item, Damaged) or item.kind == Kind.RESPONSE:
                answers -= 1
                end = self._clock() + _FLOOD_S  # no flood has more of them than are missing

    def _receive(self, timeout: float) -> Frame | Damaged | None:
        deadline = self._clock() + timeout
        while not self._arrived:
            left = deadline - self._clock()
            if left <= 0:
                return None
            self._arrived.extend(self._decoder.feed(self.transport.read(left)))
        return self._arrived.popleft()


def mismatch(hello: bytes) -> ProtocolMismatchError:
    """The error for a device of another version, from the part of HELLO that never changes."""
    version, _, build = struct.unpack("<HH8s", hello[:12].ljust(12, b"\0"))
    return ProtocolMismatchError(
        f"the firmware (build {build.hex() if any(build) else 'unknown'}) speaks link protocol version "
        f"{version}, this host version {wire.VERSION}",
        "`host flash` writes the firmware that belongs to this host",
    )
