"""A live device recorded to a session fixture, which is whole at every moment.

The device is talked to through its driver, whose part of the conversation is recorded too. Bytes are written
when a frame is complete, so that an identifier is seen before any part of it is on disk; whatever looks like
one is written as its replacement. At the end, when all of it can be judged, the whole is written anew.

The time of an exchange is read when the driver is told of it or speaks, from one clock that never goes
back. So a recording is in the order in which the driver saw things happen, and is replayed in it: what a
transport's thread read off the clock may be older than what was done in the meantime.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TextIO

from gateway.drivers import (
    Close,
    Conversation,
    Event,
    Events,
    Identified,
    Measured,
    Read,
    Send,
    SetTimer,
    Subscribe,
)
from gateway.errors import GatewayError, TransportError
from gateway.testing.fixture_writer import exchange_text, fixture_text, link_text, session_text
from gateway.testing.scrub import Scrubber
from gateway.testing.session_fixture import Connection as RecordedConnection
from gateway.testing.session_fixture import Direction, Exchange, SessionFixture, uuid_name
from gateway.transports import Connection, Received

_MOST_HELD_BACK = 4096
_REST_S = 0.1
_UNFINISHED = (
    "the recorder was killed: whatever could be a patient's identifier is replaced, perhaps measurements too"
)


class RecordingFile:
    """A fixture that grows. Use it as a context; what was held back is written at its end.

    Raises
    ------
    GatewayError
        The file is there already, or cannot be written.
    """

    def __init__(self, path: Path, head: SessionFixture) -> None:
        self.scrubber = Scrubber({text.encode() for text in _own_names(head)})
        self._path = path
        self._head = head
        self._exchanges: list[Exchange] = []
        self._held_back: list[Exchange] = []
        self._closed_at: float | None = None
        self._file: TextIO

    def __enter__(self) -> "RecordingFile":
        try:
            self._file = self._path.open("x", encoding="utf-8")
        except OSError as error:
            raise GatewayError(
                f"{self._path}: cannot be written: {error.strerror}; choose another name"
            ) from error
        self._write(session_text(replace(self._head, note=_UNFINISHED)))
        return self

    def __exit__(self, *_: object) -> None:
        self.write_out()
        self._file.close()

    def add(self, direction: Direction, data: bytes, channel: str, at: datetime) -> None:
        self._held_back.append(Exchange(self._seconds(at), direction, data, uuid_name(channel)))
        if sum(len(exchange.data) for exchange in self._held_back) > _MOST_HELD_BACK:
            self.write_out()

    def ended(self, at: datetime) -> None:
        """Note that the device has gone."""
        self.write_out()
        self._closed_at = self._seconds(at)
        self._write(link_text(self._closed_at, connected=False))

    def write_out(self) -> None:
        """Put what was held back on disk, scrubbed."""
        for data in _joined(self._held_back).values():
            self.scrubber.found_in(data)
        for exchange in _scrubbed(self._held_back, self.scrubber):
            self._write(exchange_text(exchange))
        self._exchanges += self._held_back
        self._held_back.clear()

    def recorded(self) -> SessionFixture:
        """What was said, with nothing replaced."""
        connection = RecordedConnection(0.0, tuple(self._exchanges), self._closed_at)
        return replace(self._head, connections=(connection,))

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def is_empty(self) -> bool:
        return not self._exchanges

    def discard(self) -> None:
        self._path.unlink()

    def rewrite(self, fixture: SessionFixture) -> None:
        """Put `fixture` in the file's place, in one step."""
        beside = self._path.with_name(f".{self._path.name}.new")
        beside.write_text(fixture_text(fixture), encoding="utf-8")
        beside.replace(self._path)

    def _seconds(self, at: datetime) -> float:
        return max(0.0, round((at - self._head.started_at).total_seconds(), 3))

    def _write(self, text: str) -> None:
        self._file.write(text + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _own_names(fixture: SessionFixture) -> Iterator[str]:
    device = fixture.device
    yield from (text for text in (device.vendor, device.model, device.serial, device.id) if text)


def _joined(exchanges: list[Exchange]) -> dict[tuple[Direction, str], bytes]:
    """The bytes of each direction and channel in one piece."""
    joined: dict[tuple[Direction, str], bytes] = {}
    for exchange in exchanges:
        stream = (exchange.direction, exchange.channel)
        joined[stream] = joined.get(stream, b"") + exchange.data
    return joined


def _scrubbed(exchanges: list[Exchange], scrubber: Scrubber) -> Iterator[Exchange]:
    """The exchanges with their replacements, also of what was torn between two of them."""
    streams = {stream: scrubber.scrubbed(data) for stream, data in _joined(exchanges).items()}
    for exchange in exchanges:
        stream = (exchange.direction, exchange.channel)
        data, streams[stream] = streams[stream][: len(exchange.data)], streams[stream][len(exchange.data) :]
        yield replace(exchange, data=data)


def steady_clock() -> Callable[[], datetime]:
    """A clock that starts at the time of day and never goes back, whoever sets the system's meanwhile."""
    started, zero = datetime.now(UTC), monotonic()
    return lambda: started + timedelta(seconds=monotonic() - zero)


@dataclass(slots=True)
class Recorder:
    """One connection from its beginning until the device, its driver or somebody ends it.

    Parameters
    ----------
    conversation : Conversation
    connection : gateway.transports.Connection
    file : RecordingFile
    show : callable
        Called with each event that a person may want to see.
    now : callable
        The one clock of the recording.
    """

    conversation: Conversation
    connection: Connection
    file: RecordingFile
    show: Callable[[Event], None]
    now: Callable[[], datetime] = field(default_factory=steady_clock)
    _timers: dict[str, datetime] = field(default_factory=dict)
    _closing: bool = False

    async def run(self) -> None:
        """Record. Raises TransportError when the link breaks; the recording holds all until then."""
        try:
            await self._carry_out(self.conversation.connected(self.now()))
            while not self._closing and (received := await self._arrival()) is not None:
                await self._take(received)
            self.file.ended(self.now())
        except TransportError:
            self.file.ended(self.now())
            raise
        except asyncio.CancelledError:
            await self._take_the_rest()
            raise
        finally:
            for event in self.conversation.disconnected(self.now()):
                self._note(event)

    async def _take_the_rest(self) -> None:
        """What had arrived when somebody ended the recording, so that nothing of it is missing."""
        with contextlib.suppress(TimeoutError, TransportError):
            async with asyncio.timeout(_REST_S):
                while (received := await self.connection.receive()) is not None:
                    for event in self._told(received):
                        self._note(event)

    async def _take(self, received: Received) -> None:
        events = self._told(received)
        for event in events:
            self._learn(event)
        if events or received.channel:
            self.file.write_out()
        for event in events:
            self.show(event)
        await self._carry_out(events, noted=True)
        await self.connection.settle(received, None)

    def _told(self, received: Received) -> Events:
        at = self.now()
        self.file.add("<", received.data, received.channel, at)
        return self.conversation.received(received.data, received.channel, at)

    async def _arrival(self) -> Received | None:
        """The next bytes; timers that run out meanwhile are told to the driver."""
        receiving = asyncio.ensure_future(self.connection.receive())
        try:
            while not self._closing:
                name = min(self._timers, key=lambda name: self._timers[name], default=None)
                left = None if name is None else (self._timers[name] - self.now()).total_seconds()
                done, _ = await asyncio.wait((receiving,), timeout=None if left is None else max(left, 0.0))
                if done:
                    return receiving.result()
                if name is not None:
                    del self._timers[name]
                    await self._carry_out(self.conversation.timer(name, self.now()))
            return None
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await receiving

    async def _carry_out(self, events: Events, *, noted: bool = False) -> None:
        for event in events:
            if not noted:
                self._note(event)
            # A device lacks what it lacks; the driver has to live with it, live as here.
            with contextlib.suppress(KeyError):
                await self._carry_out_one(event)

    async def _carry_out_one(self, event: Event) -> None:
        match event:
            case Send(data, channel):
                at = self.now()
                await self.connection.send(data, channel)
                self.file.add(">", data, channel, at)
                self.file.write_out()
            case Subscribe(channel):
                await self.connection.subscribe(channel)
            case Read(channel):
                await self.connection.read(channel)
            case SetTimer(name, seconds):
                self._set_timer(name, seconds)
            case Close():
                self._closing = True
            case _:
                pass

    def _set_timer(self, name: str, seconds: float) -> None:
        self._timers.pop(name, None)
        if seconds > 0:
            self._timers[name] = self.now() + timedelta(seconds=seconds)

    def _note(self, event: Event) -> None:
        self._learn(event)
        self.show(event)

    def _learn(self, event: Event) -> None:
        """Learn from an event who is the device and who the patient, before their bytes are written."""
        match event:
            case Identified(device):
                names = (device.serial, device.model, device.id)
                self.file.scrubber.innocent.update(name.encode() for name in names if name)
            case Measured(reading) if reading.subject:
                self.file.scrubber.replace(reading.subject.encode("latin-1", "replace"), known=True)
