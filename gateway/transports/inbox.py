"""What has arrived on a connection, in order, and after the last of it how the connection ended."""

import asyncio

from gateway.errors import TransportError
from gateway.transports.contract import Received


class Inbox:
    """A queue that can come to an end. Filled and read in the event loop."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Received | TransportError | None] = asyncio.Queue()

    def put(self, received: Received) -> None:
        self._arrived.put_nowait(received)

    def end(self, error: TransportError | None = None) -> None:
        """Nothing more comes; `error` says why, if the end was not in good order. The first end counts."""
        self._arrived.put_nowait(error)

    async def take(self) -> Received | None:
        """The next; after the last, None or the error, as often as it is asked for.

        Raises
        ------
        TransportError
            As given to `end`.
        """
        taken = await self._arrived.get()
        if isinstance(taken, Received):
            return taken
        self._arrived = asyncio.Queue()
        self._arrived.put_nowait(taken)
        if taken is None:
            return None
        raise taken
