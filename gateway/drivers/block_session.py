"""What sessions of protocols in blocks have in common: cut, report, give up after silence."""

from collections.abc import Iterator
from datetime import datetime

from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.contract import Event, Events, Fault, SetTimer
from gateway.errors import DecodeError


class BlockFrames:
    """A session that makes events of each block by itself. Subclasses say what a block means.

    A block that was begun is given up when nothing has come for `silence_s` seconds.
    """

    silence_s = 1.0

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def block(self, frame: Frame, at: datetime) -> Events:
        """What one block says, or a run of bytes that are none.

        Raises
        ------
        DecodeError
            It does not hold.
        """
        raise NotImplementedError

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return (*self._all(self._blocks.feed(data), at), SetTimer("silence", self.silence_s))

    def timer(self, name: str, at: datetime) -> Events:
        return self._all(self._blocks.flush(), at)

    def disconnected(self, at: datetime) -> Events:
        return self._all(self._blocks.flush(), at)

    def _all(self, frames: tuple[Frame, ...], at: datetime) -> Events:
        return tuple(event for frame in frames for event in self._events(frame, at))

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        try:
            yield from self.block(frame, at)
        except DecodeError as error:
            yield Fault.from_error(error, offset=frame.offset)


def length_between(start: bytes, end: bytes, longest: int, data: bytes) -> int:
    """Of the block that begins in `data` with `start` and runs to `end`, as :class:`Blocks` wants to know it.

    Another `start` before the end says that the first block was torn.
    """
    ends = data.find(end)
    again = data.find(start, len(start))
    if ends < 0:
        return -1 if again > 0 or len(data) >= longest else 0
    return -1 if 0 < again < ends else ends + len(end)
