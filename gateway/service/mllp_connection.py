"""MLLP over a socket: frames out, whole messages in."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509

from gateway.hl7 import mllp
from gateway.service import tls
from gateway.service.configuration import Address
from gateway.service.tls_settings import ClientTls

_READ_SIZE = 65536
_LAST_BYTE_S = 0.2
_FAREWELL_S = 1.0


async def next_events(
    reader: asyncio.StreamReader, decoder: mllp.Decoder
) -> tuple[mllp.MllpEvent, ...] | None:
    """What the next bytes complete; None at the end of the connection.

    A sender that leaves out a block's last byte waits for its answer: silence completes the block.
    """
    try:
        async with asyncio.timeout(_LAST_BYTE_S if decoder.awaits_last_byte else None):
            data = await reader.read(_READ_SIZE)
    except TimeoutError:
        return decoder.idle()
    return decoder.feed(data) if data else None


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close, and wait no longer than is polite for the other side to take what is left and say good-bye."""
    writer.close()
    try:
        async with asyncio.timeout(_FAREWELL_S):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        pass


@dataclass(slots=True)
class MllpConnection:
    """An open connection to a receiver; anything that breaks it raises OSError."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: x509.Certificate | None = None
    _decoder: mllp.Decoder = field(default_factory=mllp.Decoder)
    _arrived: deque[bytes] = field(default_factory=deque)
    _heard: bool = False

    @classmethod
    async def open(cls, address: Address, timeout_s: float, security: ClientTls | None = None) -> Self:
        """A connection to a receiver, over TLS where `security` says how.

        Raises
        ------
        OSError
            Nobody listens there, or the handshake failed; ``tls.explain`` says why in a line.
        TransportError
            A certificate or key cannot be used, or the receiver is not the one that is pinned.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if security is None:
                    return cls(*await asyncio.open_connection(address.host, address.port))
                secured = await tls.connect(address.host, address.port, security)
                return cls(secured.reader, secured.writer, secured.peer)
        except TimeoutError:
            raise ConnectionError(f"no connection within {timeout_s:g} s") from None

    @property
    def is_closed(self) -> bool:
        """The receiver has closed it, as some do after each answer."""
        return self.reader.at_eof() or self.writer.is_closing()

    async def send(self, message: bytes) -> None:
        """Write the message; the last byte of it is in the system's hands when this returns."""
        self.writer.transport.set_write_buffer_limits(high=0)
        try:
            self.writer.write(mllp.frame(message))
            await self.writer.drain()
        except ConnectionError as error:
            raise self._closed() from error

    async def receive(self) -> bytes:
        """The next message.

        Raises
        ------
        ConnectionError
            The other side closed before one was whole.
        """
        while not self._arrived:
            try:
                events = await next_events(self.reader, self._decoder)
            except ConnectionError as error:
                raise self._closed() from error
            if events is None:
                raise self._closed()
            self._heard = True
            self._arrived.extend(event.message for event in events if isinstance(event, mllp.Received))
        return self._arrived.popleft()

    def _closed(self) -> ConnectionError:
        if self._heard or self.peer is None:
            return ConnectionError("the receiver closed the connection")
        # in TLS 1.3 a server judges our certificate when our side of the handshake is over already
        return ConnectionError(
            "the receiver closed the connection before any answer; does it take our certificate?"
        )

    async def close(self) -> None:
        await hang_up(self.writer)
