"""MLLP over a socket: frames out, whole messages in."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from gateway.hl7 import mllp
from gateway.service.configuration import Address

_READ_SIZE = 65536
_LAST_BYTE_S = 0.2


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


@dataclass(slots=True)
class MllpConnection:
    """An open connection to a receiver; anything that breaks it raises OSError."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _decoder: mllp.Decoder = field(default_factory=mllp.Decoder)
    _arrived: deque[bytes] = field(default_factory=deque)

    @classmethod
    async def open(cls, address: Address, timeout_s: float) -> Self:
        async with asyncio.timeout(timeout_s):
            return cls(*await asyncio.open_connection(address.host, address.port))

    @property
    def is_closed(self) -> bool:
        """The receiver has closed it, as some do after each answer."""
        return self.reader.at_eof() or self.writer.is_closing()

    async def send(self, message: bytes) -> None:
        self.writer.write(mllp.frame(message))
        await self.writer.drain()

    async def receive(self) -> bytes:
        """The next message.

        Raises
        ------
        ConnectionError
            The other side closed before one was whole.
        """
        while not self._arrived:
            events = await next_events(self.reader, self._decoder)
            if events is None:
                raise ConnectionError("the receiver closed the connection")
            self._arrived.extend(event.message for event in events if isinstance(event, mllp.Received))
        return self._arrived.popleft()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
