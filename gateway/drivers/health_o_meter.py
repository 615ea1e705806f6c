"""Health o meter Professional scales: 1100, 2650, 2700, ProPlus. Serial, also behind a USB bridge.

The packets, with their source, are in :mod:`gateway.codecs.escape_packets`. The scale sends one by itself
when the weight has locked, so that each is a reading; the same again within ten seconds is the same person.
What was typed or scanned as patient id is kept as a hint. Packets of no weight come with key presses.
Evidence: manual; one implementation for the 1100L over USB.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.codecs import escape_packets
from gateway.codecs.framing import Frame
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import Driver, Events, Measured, Progress, SerialLink, TcpLink
from gateway.model import Reading

_SILENCE_S = 2.0
_SAME_PERSON = timedelta(seconds=10)


class Frames(BlockFrames):
    """Every packet for itself."""

    silence_s = _SILENCE_S

    def __init__(self) -> None:
        super().__init__(escape_packets.packets())

    def block(self, frame: Frame, at: datetime) -> Events:
        parsed = escape_packets.parse_packet(frame.data)
        if isinstance(parsed, str):
            return (Progress(parsed),)
        return self.weighed(replace(parsed, provenance=frame.content).taken(at, by="gateway"))

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
    specials=escape_packets.SPECIALS,
    session=Session,
    frames=Frames,
)
