"""What sessions of line-by-line text protocols have in common: cut, find the frame behind noise, report."""

import re
from collections.abc import Iterator
from datetime import datetime

from gateway.codecs.framing import Frame, Lines
from gateway.drivers.contract import Event, Events, Fault
from gateway.errors import DecodeError

_NOISE = b"\x00\xff\r\n"
_LINE_ENDS = b"\r\n"
_TELLING = 8  # bytes, before anything is said about all of them


class LineFrames:
    """A session that makes events of each line by itself. Subclasses say what a line means.

    The device's replies must be recognisable when something stands before them: the last bytes of an
    overlong run are looked at as well.
    """

    terminator = b"\r\n"
    longest = 80
    silent = b""  # bytes that may stand before a frame without being noise
    stray = 0  # how many bytes of any value the device itself puts between two frames
    frame: re.Pattern[bytes] | None = None  # how a frame begins; all of it where `frame_fills_line`
    frame_fills_line = False

    def __init__(self) -> None:
        self._lines = Lines(self.terminator, self.longest, keep_tail=True)

    def line(self, line: bytes, at: datetime) -> Events:
        """What one line says, without its terminator and what `start` tells to skip.

        Raises
        ------
        DecodeError
            It does not hold.
        """
        raise NotImplementedError

    def start(self, line: bytes) -> int:
        """Where the frame in a line begins: noise of plugging in, or a torn line, may stand before it."""
        found = self.frame.finditer(line) if self.frame else ()
        starts = [m.start() for m in found if not self.frame_fills_line or m.end() == len(line)]
        return starts[-1] if starts else len(line) - len(line.lstrip(_NOISE))

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return tuple(event for frame in self._lines.feed(data) for event in self._events(frame, at))

    def disconnected(self, at: datetime) -> Events:
        left = (frame for frame in self._lines.flush() if self._counts(frame.content))
        return tuple(event for frame in left for event in self._events(frame, at))

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        start = self.start(frame.content)
        try:
            line = frame.data[start:]
            if self._counts(frame.content[:start]):
                yield Fault("noise", f"{start} bytes that are no part of a frame", frame.offset)
            yield from self.line(line, at)
        except DecodeError as error:
            hinted = _with_hint(error, frame.content)
            yield Fault.from_error(hinted, offset=frame.offset + (0 if frame.error else start))

    def _counts(self, noise: bytes) -> bool:
        return len(noise.strip(self.silent)) > self.stray


def _with_hint(error: DecodeError, line: bytes) -> DecodeError:
    """Of bytes that are no text, what they most likely are: text read with the wrong speed or parity."""
    strange = sum(not (0x20 <= byte < 0x7F or byte in _LINE_ENDS) for byte in line)
    if len(line) < _TELLING or strange <= len(line) / 3:
        return error
    reason = (
        f"{error.message}; the line settings look wrong: compare speed and parity with the device's menu, "
        "and give them as its line"
    )
    return DecodeError(error.code, reason, offset=error.offset)


def printed_text(line: bytes) -> bool:
    """Whether a line is plain ASCII text: a print-out or a heading, nothing that the wire garbled."""
    return all(0x20 <= byte < 0x7F for byte in line)
