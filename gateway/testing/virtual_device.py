"""A device that plays a session fixture at the other end of a link, answering the host as the fixture says.

What the device says goes out at the times of the fixture, scaled; what the host says in the fixture is waited
for. A host that leaves before it has heard everything has the connection played again from its beginning for
the host that comes next. One that stays when everything was said, and asks again what was asked before, is
answered as it was the last time.

Kinds of links are subclasses: a pseudo-terminal, a TCP server, a Bluetooth peripheral, a folder.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from gateway.testing.impairment import Impairment
from gateway.testing.session_fixture import Connection, Exchange, SessionFixture

_MOST_HEARD = 2**16
_BETWEEN_PIECES_S = 0.005
_POLL_S = 0.01


class HostLeft(Exception):  # noqa: N818 - it is no error
    """The host has closed its end."""


@dataclass(slots=True)
class Heard:
    """What the host has said and the fixture has not asked for yet, by channel."""

    _said: defaultdict[str, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    _present: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def host_is_there(self) -> bool:
        return self._present

    def arrived(self) -> None:
        """A host has come; what the one before said is forgotten."""
        self._said.clear()
        self._present = True
        self._news.set()

    def left(self) -> None:
        self._present = False
        self._news.set()

    def add(self, data: bytes, channel: str = "") -> None:
        said = self._said[channel]
        said += data
        del said[:-_MOST_HEARD]
        self._news.set()

    async def arrival(self) -> None:
        """Wait for a host."""
        while not self._present:
            await self._more()

    async def wait_for(self, data: bytes, channel: str) -> None:
        """Wait until the host has said `data`, or anything where `data` is empty; forget up to there.

        Raises
        ------
        HostLeft
            It did not, and now it cannot.
        """
        while not self._found(data, self._said[channel]):
            if not self._present:
                raise HostLeft
            await self._more()

    def asked(self, data: bytes, channel: str) -> bool:
        """Whether the host has said `data`; if so, it is forgotten up to there."""
        return self._found(data, self._said[channel])

    async def more(self) -> None:
        """Wait until the host says more, or leaves."""
        await self._more()

    async def departure(self) -> None:
        """Wait until the host has left."""
        while self._present:
            await self._more()

    def _found(self, data: bytes, said: bytearray) -> bool:
        start = said.find(data) if data else len(said) - 1
        if start < 0:
            return False
        del said[: start + max(len(data), 1)]
        return True

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the system does not tell of."""
    while not holds():  # noqa: ASYNC110 - nothing would set an event
        await asyncio.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class _Request:
    data: bytes
    channel: str


def _answers(connection: Connection) -> Mapping[_Request, tuple[Exchange, ...]]:
    """What follows each thing that the host says, the last time that it says it; the longest first."""
    answers: dict[_Request, tuple[Exchange, ...]] = {}
    request: _Request | None = None
    for exchange in connection.exchanges:
        if exchange.direction == ">":
            request = _Request(exchange.data, exchange.channel) if exchange.data else None
            if request is not None:
                answers[request] = ()
        elif request is not None:
            answers[request] += (exchange,)
    answered = (request for request, said in answers.items() if said)
    return {request: answers[request] for request in sorted(answered, key=lambda r: -len(r.data))}


class VirtualDevice(ABC):
    """One device, switched on by ``async with``, which leaves nothing behind.

    Parameters
    ----------
    fixture : SessionFixture
    speed : float
        2 plays in half the time, ``math.inf`` without any pause.
    impairment : Impairment, optional

    Attributes
    ----------
    on_exchange : callable
        Called with each exchange of the fixture when its turn comes.
    """

    def __init__(
        self, fixture: SessionFixture, *, speed: float = 1.0, impairment: Impairment | None = None
    ) -> None:
        self.fixture = fixture
        self.heard = Heard()
        self.on_exchange: Callable[[Exchange], None] = lambda _: None
        self._speed = speed
        self._impairment = impairment
        self._said = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    @abstractmethod
    def url(self) -> str:
        """What the gateway is to be given as the device's port."""

    @abstractmethod
    async def open(self) -> None:
        """Be there to be connected to."""

    @abstractmethod
    async def close(self) -> None:
        """Be gone, with everything that was opened."""

    async def play(self) -> None:
        """Play the session once; returns when the host has taken all of it."""
        for connection in self.fixture.connections:
            while not await self._played(connection):
                pass

    async def answer_on(self) -> None:
        """Until the host leaves, answer what it asks again as it was answered last."""
        answers = _answers(self.fixture.connections[-1])
        with contextlib.suppress(HostLeft):
            while self.heard.host_is_there:
                asked = [request for request in answers if self.heard.asked(request.data, request.channel)]
                for request in asked:
                    for answer in answers[request]:
                        self.on_exchange(answer)
                        await self._say(answer)
                if not asked:
                    await self.heard.more()

    async def pause(self, seconds: float) -> None:
        """Time of the fixture."""
        await asyncio.sleep(seconds / self._speed)

    @abstractmethod
    async def await_host(self) -> None:
        """Wait until a host is connected and would hear."""

    @abstractmethod
    async def send(self, data: bytes, channel: str) -> None:
        """Say something. Raises HostLeft when nobody hears it."""

    @abstractmethod
    async def all_taken(self) -> None:
        """Wait until the host has taken everything that was sent. Raises HostLeft when it will not."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End the connection from the device's side."""

    async def _played(self, connection: Connection) -> bool:
        await self.await_host()
        try:
            await self._play_exchanges(connection)
            await self.all_taken()
        except HostLeft:
            return False
        if connection.closed_at is not None:
            last = connection.exchanges[-1].at if connection.exchanges else connection.opened_at
            await self.pause(connection.closed_at - last)
            await self.hang_up()
        return True

    async def _play_exchanges(self, connection: Connection) -> None:
        now = connection.opened_at
        for exchange in connection.exchanges:
            if exchange.direction == ">":
                self.on_exchange(exchange)
                await self.heard.wait_for(exchange.data, exchange.channel)
            else:
                await self.pause(exchange.at - now)
                self.on_exchange(exchange)
                await self._say(exchange)
            now = exchange.at

    async def _say(self, exchange: Exchange) -> None:
        self._said += 1
        impairment = self._impairment
        if impairment is None or not impairment.strikes(self._said):
            await self.send(exchange.data, exchange.channel)
            return
        for piece in impairment.pieces(exchange.data):
            await self.send(piece, exchange.channel)
            await asyncio.sleep(_BETWEEN_PIECES_S)
        if impairment.kind == "disconnect":
            await self.hang_up()
            raise HostLeft
        if impairment.kind == "stall":
            await self.heard.departure()
            raise HostLeft
