"""Health o meter Professional scales: 1100, 2650, 2700, ProPlus. Serial, also behind a USB bridge.

The packets, with their source, are in :mod:`gateway.codecs.escape_packets`. The scale sends one by itself
when the weight has locked, so that each is a reading; the same again within ten seconds is the same person.
What was typed or scanned as patient id is kept as a hint. Packets of no weight come with key presses.
Evidence: manual; one implementation for the 1100L over USB.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.codecs import escape_packets
from gateway.codecs.framing import Frame
from gateway.drivers.contract import (
    Driver,
    Event,
    Events,
    Fault,
    Measured,
    Progress,
    SerialLink,
    SetTimer,
    TcpLink,
)
from gateway.errors import DecodeError
from gateway.model import Reading

_SILENCE_S = 2.0
_SAME_PERSON = timedelta(seconds=10)


class Frames:
    """Every packet for itself."""

    def __init__(self) -> None:
        self._packets = escape_packets.packets()

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return (*self._all(self._packets.feed(data), at), SetTimer("silence", _SILENCE_S))

    def timer(self, name: str, at: datetime) -> Events:
        return self._all(self._packets.flush(), at)

    def disconnected(self, at: datetime) -> Events:
        return self._all(self._packets.flush(), at)

    def _all(self, frames: tuple[Frame, ...], at: datetime) -> Events:
        return tuple(event for frame in frames for event in self._events(frame, at))

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        try:
            reading = escape_packets.parse_packet(frame.data)
        except DecodeError as error:
            yield Fault.from_error(error, offset=frame.offset)
            return
        if reading is None:
            yield Progress("nothing on the scale")
        else:
            yield from self.weighed(replace(reading, provenance=frame.content).taken(at, by="gateway"))

    def weighed(self, reading: Reading) -> Events:
        return (Measured(reading),)


class Session(Frames):
    """One reading for each time that the weight locks."""

    def __init__(self) -> None:
        super().__init__()
        self._last: Reading | None = None

    def weighed(self, reading: Reading) -> Events:
        last, self._last = self._last, reading
        if last is not None and _is_same(last, reading):
            return ()
        return (Measured(reading),)


def _is_same(last: Reading, reading: Reading) -> bool:
    if last.taken_at is None or reading.taken_at is None:
        return False
    return (
        reading == replace(last, taken_at=reading.taken_at)
        and reading.taken_at - last.taken_at < _SAME_PERSON
    )


DRIVER = Driver(
    id="health-o-meter",
    vendor="Health o meter",
    models=("1100KL", "1100L", "2650KL", "2700KL", "ProPlus"),
    kind="scale",
    emits=escape_packets.EMITS,
    links=(SerialLink(baudrate=9600), TcpLink()),
    evidence="manual",
    session=Session,
    frames=Frames,
)
