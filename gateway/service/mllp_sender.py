"""ORU over MLLP: one connection while it can be trusted, and the acknowledgement that names the message."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from gateway.errors import Hl7Error
from gateway.hl7 import parse
from gateway.hl7.acknowledgement import Verdict, judge, read_acknowledgement
from gateway.service.configuration import DestinationTable
from gateway.service.mllp_connection import MllpConnection
from gateway.store.outbox import OutboxMessage


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
    _connection: MllpConnection | None = None

    async def prepare(self, message: OutboxMessage) -> None:  # noqa: ARG002 - any message goes the same way
        if self._connection is not None and self._connection.is_closed:
            await self.close()
        if self._connection is None:
            self._connection = await MllpConnection.open(
                self.destination.address, self.destination.ack_timeout_s, self.destination.tls
            )
            self.peer_seen(self._connection.peer)

    async def send(self, message: OutboxMessage) -> Verdict:
        assert self._connection is not None
        await self._connection.send(message.body)
        while True:
            try:
                answer = read_acknowledgement(parse(await self._connection.receive()))
            except Hl7Error as error:
                return Verdict("mismatch", f"the answer is no acknowledgement: {error}")
            verdict = judge(
                answer,
                message.control_id,
                match=self.destination.msa2,
                application_ack_expected=self.application_ack,
            )
            if verdict.outcome != "committed":
                return verdict

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()
