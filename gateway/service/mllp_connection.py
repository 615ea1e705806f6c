"""An MLLP connection to a receiver: frames out, whole messages in."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from gateway.hl7 import mllp
from gateway.service.configuration import Address

_READ_SIZE = 65536


@dataclass(slots=True)
class MllpConnection:
    """One open connection; anything that breaks it raises OSError."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _decoder: mllp.Decoder = field(default_factory=mllp.Decoder)
    _arrived: deque[bytes] = field(default_factory=deque)

    @classmethod
    async def open(cls, address: Address, timeout_s: float) -> Self:
        async with asyncio.timeout(timeout_s):
            return cls(*await asyncio.open_connection(address.host, address.port))

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
            data = await self.reader.read(_READ_SIZE)
            if not data:
                raise ConnectionError("the receiver closed the connection")
            self._arrived.extend(e.data for e in self._decoder.feed(data) if isinstance(e, mllp.Block))
        return self._arrived.popleft()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
