"""What has arrived on a connection, in order, and after the last of it how the connection ended."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

from gateway.errors import TransportError
from gateway.transports.contract import Received

_WAITING = 256


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


class ThreadsInbox:
    """An inbox that threads fill. What they have put in and nobody has taken is bounded: then they wait."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._places = threading.Semaphore(_WAITING)
        self._closing = threading.Event()

    @property
    def closing(self) -> bool:
        """Whether the threads shall end."""
        return self._closing.is_set()

    def put(self, received: Received) -> None:
        """From a thread: waits while there is no room."""
        self._places.acquire()
        self._tell(lambda: self._inbox.put(received))

    def end(self, error: TransportError) -> None:
        """From a thread: nothing more comes."""
        self._tell(lambda: self._inbox.end(error))

    async def take(self) -> Received | None:
        """As :meth:`Inbox.take`."""
        received = await self._inbox.take()
        self._places.release()
        return received

    def close(self) -> None:
        """From the loop: whoever waits to put something in may go, and whoever waits to take gets None."""
        self._closing.set()
        self._places.release(_WAITING)
        self._inbox.end()

    def _tell(self, news: Callable[[], None]) -> None:
        # The loop may have been closed over the connection's head; then nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(news)
