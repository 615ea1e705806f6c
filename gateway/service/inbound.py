"""The inbound door: an MLLP server that answers a message once what it says is on disk."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from cryptography import x509

from gateway.errors import Hl7Error, StoreError, TransportError
from gateway.hl7 import mllp, parse
from gateway.hl7.acknowledgement import Refusal, refuse_unreadable
from gateway.service import tls
from gateway.service.configuration import InboundTable
from gateway.service.intake import Intake
from gateway.service.mllp_connection import hang_up, next_events
from gateway.store import Database, outbox


@dataclass(slots=True, kw_only=True)
class InboundServer:
    """Takes ADT and orders from any sender that connects.

    Parameters
    ----------
    table : InboundTable
    database : Database
    intake : Intake
    now : callable
    peer_seen : callable
        Called with the certificate of each client that is let in, or None where it has none to show.
    """

    table: InboundTable
    database: Database
    intake: Intake
    now: Callable[[], datetime]
    peer_seen: Callable[[x509.Certificate | None], None] = lambda _: None
    _server: asyncio.Server | None = None
    _clients: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        TransportError
            The port is taken, or is not this user's to take.
        """
        listen = self.table.listen
        try:
            self._server = await asyncio.start_server(self._client, listen.host, listen.port)
        except OSError as error:
            raise TransportError(
                f"{listen}: {error.strerror}; stop what has it, or configure another"
            ) from error

    @property
    def port(self) -> int:
        """The TCP port that it listens on; the system's choice where the configuration says 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Finish what is being answered, then hang up on every sender."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._clients.values():
            writer.close()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        try:
            if self.table.tls is None:
                await self._serve(reader, writer)
            else:
                secured = await tls.accept(writer, self.table.tls)
                self._clients[task] = secured.writer
                self.peer_seen(secured.peer)
                await self._serve(secured.reader, secured.writer)
        except (OSError, StoreError, TransportError) as error:
            # without an answer the sender keeps the message and sends it again
            structlog.get_logger().warning("inbound connection closed", reason=tls.explain(error))
        finally:
            await hang_up(self._clients.pop(task))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = mllp.Decoder(self.table.largest_message)
        while (events := await next_events(reader, decoder)) is not None:
            for event in events:
                match event:
                    case mllp.Received(message):
                        writer.writelines(map(mllp.frame, await self._answers(message)))
                    case mllp.TooLong(limit):
                        writer.write(mllp.frame(await self._refuse(b"", f"longer than {limit} bytes")))
                    case mllp.Noise(data):
                        structlog.get_logger().warning("bytes between messages", count=len(data))
            await writer.drain()

    async def _refuse(self, data: bytes, why: str) -> bytes:
        control_id = await asyncio.wrap_future(self.database.submit(outbox.next_control_id))
        refusal = Refusal(207, why)
        return refuse_unreadable(data, refusal, control_id=control_id, at=self.now())

    async def _answers(self, data: bytes) -> tuple[bytes, ...]:
        try:
            message = parse(data)
        except Hl7Error as error:
            structlog.get_logger().warning("inbound message refused", reason=str(error))
            return (await self._refuse(data, str(error)),)
        at = self.now()
        return await asyncio.wrap_future(
            self.database.submit(lambda db: self.intake.take(db, message, data, at))
        )
