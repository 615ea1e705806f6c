"""ORU over MLLP: one connection while it can be trusted, and the acknowledgement that names the message."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from cryptography import x509

from gateway.errors import Hl7Error
from gateway.hl7 import parse
from gateway.hl7.acknowledgement import Verdict, read_acknowledgement
from gateway.hl7.in_flight import InFlight, Repeated, Settled, Stray
from gateway.service.configuration import DestinationTable
from gateway.service.mllp_connection import MllpConnection
from gateway.store.outbox import OutboxMessage

_GIVEN_UP = "the connection was given up"


@dataclass(slots=True, kw_only=True)
class MllpSender:
    """Sends to one receiver.

    Parameters
    ----------
    destination : DestinationTable
    application_ack : bool
        The profile asks for an application acknowledgement, so that a commit accept alone is not the end.
    peer_seen : callable
        Called with the receiver's certificate at each connection, or None without TLS.
    """

    destination: DestinationTable
    application_ack: bool
    peer_seen: Callable[[x509.Certificate | None], None] = lambda _: None
    _exchange: "_Exchange | None" = None

    async def prepare(self, message: OutboxMessage) -> None:  # noqa: ARG002 - any message goes the same way
        if self._exchange is not None and self._exchange.is_over:
            self._exchange.must_be_idle()
            await self.close()
        if self._exchange is None:
            connection = await MllpConnection.open(
                self.destination.address, self.destination.ack_timeout_s, self.destination.tls
            )
            self.peer_seen(connection.peer)
            flight = InFlight(match=self.destination.msa2, application_ack_expected=self.application_ack)
            self._exchange = _Exchange(connection, flight)

    async def send(self, message: OutboxMessage) -> Verdict:
        if self._exchange is None:
            raise ConnectionError(_GIVEN_UP)
        return await self._exchange.send(message)

    async def close(self) -> None:
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            await exchange.close()


@dataclass(slots=True)
class _Exchange:
    """What goes on over one connection: messages out, and a task that hears the answers."""

    connection: MllpConnection
    flight: InFlight
    _verdicts: dict[str, "asyncio.Future[Verdict]"] = field(default_factory=dict)
    _broken: OSError | None = None
    _listening: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self._listening = asyncio.create_task(self._listen())

    @property
    def is_over(self) -> bool:
        return self._listening.done() or self.connection.is_closed

    def must_be_idle(self) -> None:
        """Nothing goes out on a new connection before what is under way on this one was given up.

        Raises
        ------
        ConnectionError
        """
        if self._verdicts:
            raise ConnectionError("the receiver closed the connection")

    async def send(self, message: OutboxMessage) -> Verdict:
        if self.is_over:
            await asyncio.wait({self._listening})
            raise self._broken or ConnectionError("the receiver closed the connection")
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._verdicts[message.control_id] = verdict
        self.flight.begin(message.control_id)
        # a task of its own, since an answer may come while the message is still being written
        writing = asyncio.create_task(self._write(message, verdict))
        try:
            return await verdict
        finally:
            writing.cancel()
            del self._verdicts[message.control_id]

    async def _write(self, message: OutboxMessage, verdict: "asyncio.Future[Verdict]") -> None:
        try:
            await self.connection.send(message.body)
            self.flight.sent(message.control_id)
        except OSError as error:
            if not verdict.done():
                verdict.set_exception(error)

    async def _listen(self) -> None:
        """Hear answers until the connection ends or one shows that it is not to be trusted."""
        try:
            while self._hear(await self.connection.receive()):
                pass
        except OSError as error:
            self._fail(error)

    def _hear(self, data: bytes) -> bool:
        try:
            found = self.flight.answered(read_acknowledgement(parse(data)))
        except Hl7Error as error:
            found = self.flight.unreadable(f"the answer is no acknowledgement: {error}")
        match found:
            case Settled(control_id, verdict):
                if (waiting := self._verdicts.get(control_id)) and not waiting.done():
                    waiting.set_result(verdict)
            case Repeated(control_id, code):
                structlog.get_logger().warning("answered again", message=control_id, code=code)
            case Stray():
                return False
        return True

    def _fail(self, error: OSError) -> None:
        self._broken = error
        for waiting in self._verdicts.values():
            if not waiting.done():
                waiting.set_exception(error)

    async def close(self) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        self._fail(ConnectionError(_GIVEN_UP))
        await self.connection.close()
