"""An EHR for tests: receives over MLLP, validates, keeps, acknowledges, and misbehaves on request.

It holds senders to what a careful receiver would: a message is on disk before it is acknowledged, one that
comes twice is acknowledged twice and kept once, another message under a control id that is taken is refused.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from gateway.errors import Hl7Error, TransportError
from gateway.hl7 import Message, mllp, parse
from gateway.hl7.acknowledgement import Refusal, Result, build_acknowledgement, refuse_unreadable
from gateway.hl7.building import build
from gateway.model import Patient
from gateway.service import tls
from gateway.service.configuration import Address
from gateway.service.mllp_connection import MllpConnection, hang_up, next_events
from gateway.service.tls_settings import ClientTls, ServerTls
from gateway.testing.ehr_archive import Archive
from gateway.testing.ehr_check import validated
from gateway.testing.ehr_faults import REFUSING, Fault, FaultDice, FaultKind
from gateway.testing.ehr_patients import answer_query, asks_for_patients

Verdict = Literal["taken", "repeated", "conflict", "invalid", "refused", "unreadable"]

_WRONG_KIND_OR_VERSION = range(200, 204)  # table 0357: nothing that sending again could mend
_GARBAGE = (
    mllp.frame(b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    mllp.frame(b"MSH|^~"),
    mllp.frame(b""),
    b"\xff\xfe\x1c\x1c\r\x0b\x9c",
)
_NOBODYS_MESSAGE = parse(build([("MSH", {9: ("ORU", "R01", "ORU_R01"), 10: "0", 11: "P", 12: "2.5.1"})]))
_PIECE_BYTES = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of a message, and what the EHR made of it.

    Parameters
    ----------
    at : datetime
    verdict : str
        ``taken`` now, ``repeated`` when it was before, ``conflict`` when another message has its control id,
        ``invalid``, ``refused`` by a fault, or ``unreadable``.
    message : Message, optional
        None where the bytes were no message.
    reason : str
        Why it was not taken.
    faults : frozenset of FaultKind
        Those that struck.
    answer : bytes
        The acknowledgement as it should be; a fault may keep it back or spoil it.
    """

    at: datetime
    verdict: Verdict
    message: Message | None
    reason: str
    faults: frozenset[FaultKind]
    answer: bytes = field(repr=False)

    @property
    def accepted(self) -> bool:
        """The EHR has the message, and acknowledges it."""
        return self.verdict in {"taken", "repeated"}


Check = Callable[[Message], Refusal | None]


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


@dataclass(slots=True, kw_only=True)
class FakeEhr:
    """The EHR, as an asynchronous context manager. Nothing of it is left after.

    Parameters
    ----------
    directory : Path, optional
        Where messages are kept; they are known again after a restart. Without it, nothing is written.
    host, port : str, int
        Port 0 is any that is free; `port` then says which.
    faults : tuple of Fault
    seed : int
        The same seed and messages give the same faults.
    check : callable
        Says why a message is not to be taken, or None. Takes tens of milliseconds where it is left out.
    patients : sequence of Patient
        Whom a patient demographics query (QBP^Q22) finds.
    late_s, slow_s : float
        How late ``late`` is, and how slow ``slow``.
    on_delivery : callable
        Called with each delivery once it is decided, before it is answered.
    security : ServerTls, optional
        How to speak TLS; without it messages come as they are.
    on_refused : callable
        Called with the reason when a client is turned away because of its TLS or its certificate.

    Attributes
    ----------
    received : list of Message
        Taken, in the order of arrival, each once.
    deliveries : list of Delivery
        All that came.

    Raises
    ------
    TransportError
        On entering: the port is taken, or not this user's to take, or a certificate cannot be used.
    """

    directory: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    check: Check = validated
    patients: Sequence[Patient] = ()
    late_s: float = 2.0
    slow_s: float = 0.25
    on_delivery: Callable[[Delivery], None] = lambda _: None
    security: ServerTls | None = None
    on_refused: Callable[[str], None] = lambda _: None
    received: list[Message] = field(default_factory=list, init=False)
    deliveries: list[Delivery] = field(default_factory=list, init=False)
    _archive: Archive = field(init=False)
    _dice: FaultDice = field(init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _arrival: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _answers: int = field(default=0, init=False)

    async def __aenter__(self) -> Self:
        self._archive = Archive(self.directory)
        self._dice = FaultDice(self.faults, self.seed)
        if self.security is not None:
            tls.server_context(self.security)
        try:
            self._server = await asyncio.start_server(self._connected, self.host, self.port)
        except OSError as error:
            raise TransportError(
                f"{self.host}:{self.port}: {error.strerror}; stop what has it, or choose another port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def repeated(self) -> int:
        """How many deliveries were of a message that had been taken before."""
        return sum(delivery.verdict == "repeated" for delivery in self.deliveries)

    @property
    def conflicts(self) -> tuple[Delivery, ...]:
        """Deliveries under a control id that another message has: their sender has lost count."""
        return tuple(delivery for delivery in self.deliveries if delivery.verdict == "conflict")

    async def wait_for(self, count: int, timeout_s: float | None = None) -> None:
        """Wait until `count` messages are taken.

        Raises
        ------
        TimeoutError
        """
        async with asyncio.timeout(timeout_s):
            while len(self.received) < count:
                await self._arrival.wait()

    async def send(
        self,
        message: bytes,
        host: str,
        port: int,
        *,
        timeout_s: float = 10.0,
        security: ClientTls | None = None,
    ) -> Message:
        """Send a message as the EHR's own feed would, and give the acknowledgement: see :func:`send`."""
        return await send(message, host, port, timeout_s=timeout_s, security=security)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # a task that is cancelled before its first step never comes to its own `finally`
        self._spawn(self._client(reader, writer)).add_done_callback(lambda _: writer.close())

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _client(self, reader: asyncio.StreamReader, plain: asyncio.StreamWriter) -> None:
        writer = plain
        try:
            if self.security is not None:
                secured = await tls.accept(plain, self.security)
                reader, writer = secured.reader, secured.writer
            await self._serve(reader, writer)
        except (OSError, TransportError) as error:
            if writer is plain and self.security is not None:
                self.on_refused(tls.explain(error))
        finally:
            await hang_up(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = mllp.Decoder()
        while not writer.is_closing() and (events := await next_events(reader, decoder)) is not None:
            for event in events:
                match event:
                    case mllp.Received(data):
                        await self._answer(writer, self._delivered(data))
                    case mllp.TooLong(limit):
                        await self._answer(
                            writer, self._unreadable(b"", Hl7Error(f"longer than {limit} bytes"))
                        )
                    case mllp.Noise():
                        pass

    def _delivered(self, data: bytes) -> Delivery:
        try:
            message = parse(data)
        except Hl7Error as error:
            return self._recorded(self._unreadable(data, error))
        struck = self._dice.throw()
        verdict, refusal = self._decided(message, struck)
        if refusal is not None:
            self._archive.keep_refused(message.control_id, data)
        acknowledged = self._another(message) if FaultKind.WRONG_ID in struck else message
        answer = self._answered(acknowledged, _result(verdict, refusal, struck), refusal)
        reason = refusal.text if refusal else ""
        return self._recorded(Delivery(_now(), verdict, message, reason, struck, answer))

    def _answered(self, message: Message, result: Result, refusal: Refusal | None) -> bytes:
        control_id = self._control_id()
        if result == "accept" and asks_for_patients(message):
            return answer_query(message, self.patients, control_id=control_id, at=_now())
        return build_acknowledgement(message, result, control_id=control_id, at=_now(), refusal=refusal)

    def _decided(self, message: Message, struck: frozenset[FaultKind]) -> tuple[Verdict, Refusal | None]:
        """What becomes of a message. One that is taken is on disk when this returns."""
        novelty = self._archive.novelty(message)
        if novelty == "conflict":
            return "conflict", Refusal(205, "another message came under this control id", "MSH", 10)
        if struck & REFUSING:
            return "refused", Refusal(207, "refused by a fault that was asked for")
        if novelty == "repeated":
            return "repeated", None
        if refusal := self.check(message):
            return "invalid", refusal
        try:
            self._archive.keep(message)
        except OSError as error:
            return "refused", Refusal(207, f"could not be stored: {error.strerror}")
        self.received.append(message)
        return "taken", None

    def _unreadable(self, data: bytes, error: Hl7Error) -> Delivery:
        self._archive.keep_refused("", data)
        answer = refuse_unreadable(data, Refusal.from_error(error), control_id=self._control_id(), at=_now())
        return Delivery(_now(), "unreadable", None, str(error), frozenset(), answer)

    def _recorded(self, delivery: Delivery) -> Delivery:
        self.deliveries.append(delivery)
        self._arrival.set()
        self._arrival = asyncio.Event()
        self.on_delivery(delivery)
        return delivery

    def _another(self, message: Message) -> Message:
        """The last message before that had another control id."""
        earlier = (d.message for d in reversed(self.deliveries) if d.message is not None)
        return next((m for m in earlier if m.control_id != message.control_id), _NOBODYS_MESSAGE)

    def _control_id(self) -> str:
        self._answers += 1
        return f"EHR{self._answers:06}"

    async def _answer(self, writer: asyncio.StreamWriter, delivery: Delivery) -> None:
        struck = delivery.faults
        if FaultKind.SLOW in struck:
            await asyncio.sleep(self.slow_s)
        if FaultKind.CLOSE in struck:
            writer.close()
        if struck & {FaultKind.CLOSE, FaultKind.SILENT}:
            return
        garbage = FaultKind.GARBAGE in struck
        block = self._dice.choose(_GARBAGE) if garbage else mllp.frame(delivery.answer)
        if FaultKind.LATE not in struck:
            await _write(writer, block, in_pieces=FaultKind.SPLIT in struck)
            return
        self._spawn(self._late(writer, block))

    async def _late(self, writer: asyncio.StreamWriter, block: bytes) -> None:
        await asyncio.sleep(self.late_s)
        with suppress(OSError):
            await _write(writer, block, in_pieces=False)


async def send(
    message: bytes, host: str, port: int, *, timeout_s: float = 10.0, security: ClientTls | None = None
) -> Message:
    """Send one message over a connection of its own, and give the acknowledgement.

    Raises
    ------
    OSError
        Nobody listens, the connection broke, or nothing was answered in time (TimeoutError).
    TransportError
        A certificate or key cannot be used, or the receiver is not the one that is pinned.
    Hl7Error
        The answer is no message.
    """
    connection = await MllpConnection.open(Address(host=host, port=port), timeout_s, security)
    try:
        async with asyncio.timeout(timeout_s):
            await connection.send(message)
            return parse(await connection.receive())
    finally:
        await connection.close()


def _result(verdict: Verdict, refusal: Refusal | None, struck: frozenset[FaultKind]) -> Result:
    if refusal is None:
        return "accept"
    final = verdict == "conflict" or refusal.code in _WRONG_KIND_OR_VERSION
    return "reject" if final or (verdict == "refused" and FaultKind.REJECT in struck) else "error"


async def _write(writer: asyncio.StreamWriter, block: bytes, *, in_pieces: bool) -> None:
    size = _PIECE_BYTES if in_pieces else len(block)
    for at in range(0, len(block), size):
        if at:
            await asyncio.sleep(0.001)  # long enough for the piece before to leave as a segment of its own
        writer.write(block[at : at + size])
        await writer.drain()
