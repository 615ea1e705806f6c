"""A byte stream cut into frames, whatever the pieces in which it arrives.

Every framer takes chunks of any size and gives the same frames for the same stream, with offsets that
count from its first byte. Buffers are bounded; what does not hold comes out as a frame whose ``data``
raises, so that a caller reports it where it reports every other fault.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gateway.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of the stream.

    Parameters
    ----------
    content : bytes
    offset : int
        Of its first byte in the stream.
    error : DecodeError, optional
        Why this is no frame: too long, cut off, not in step. Its offset counts from the frame's.
    """

    content: bytes
    offset: int
    error: DecodeError | None = None

    @property
    def data(self) -> bytes:
        """The bytes of a frame that holds.

        Raises
        ------
        DecodeError
            It does not.
        """
        if self.error is not None:
            raise self.error
        return self.content


def _cut_off(left: bytes) -> DecodeError:
    return DecodeError("cut-off", "the stream ended before the frame did", offset=len(left))


@dataclass(slots=True)
class Lines:
    """Frames that end with a terminator, given without it.

    Parameters
    ----------
    terminator : bytes
    longest : int
        Bytes before the terminator. A longer run is reported once, and the stream is taken up again
        after the next terminator.
    keep_tail : bool
        Give the last `longest` bytes of an overlong run as a frame of their own, for a parser that looks
        for its frame behind garbage. Only for formats whose frames cannot be mistaken when cut in front.
    """

    terminator: bytes
    longest: int
    keep_tail: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    _offset: int = 0
    _overlong: bool = False

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        self._buffer += data
        return tuple(self._cut())

    def flush(self) -> tuple[Frame, ...]:
        """What was left unfinished when the stream ended, as a frame that does not hold."""
        left, self._buffer = bytes(self._buffer), bytearray()
        offset, self._offset = self._offset, self._offset + len(left)
        if not left or self._overlong:
            return ()
        return (Frame(left, offset, _cut_off(left)),)

    def _cut(self) -> Iterator[Frame]:
        while True:
            end = self._buffer.find(self.terminator)
            if 0 <= end <= self.longest:
                if not self._overlong or self.keep_tail:
                    yield Frame(bytes(self._buffer[:end]), self._offset)
                self._drop(end + len(self.terminator))
                self._overlong = False
            elif len(self._buffer) >= self.longest + len(self.terminator):
                if not self._overlong:
                    reason = f"more than {self.longest} bytes without an end of line"
                    yield Frame(
                        bytes(self._buffer[: self.longest]),
                        self._offset,
                        DecodeError("length", reason, offset=0),
                    )
                self._overlong = True
                last = end if end >= 0 else len(self._buffer) - len(self.terminator) + 1
                self._drop(last - self.longest)
            else:
                return

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count


def unchecked(_frame: bytes) -> bool:
    """The check of frames that have none: they hold when their start and length do."""
    return True


@dataclass(slots=True)
class Blocks:
    """Frames without marks: a check tells whether the stream is in step, and a byte that is not is skipped.

    Parameters
    ----------
    starts : compiled pattern
        With which every frame begins: the quick look that finds where a check is worth it.
    lookahead : int
        Bytes that `starts` matches.
    length : callable
        Of a frame that starts with the given bytes; 0 while they do not tell, -1 where none can start there.
    check : callable
        Whether bytes of that length are a frame.
    longest : int
        Bytes that a frame may have; neither callable sees more.
    patience : int
        Bytes out of step after which a run of garbage is reported even though it goes on.
    tail : int
        Bytes of any value that may follow a frame without being garbage: a line end, a check character
        whose rule nobody knows.
    explain : callable, optional
        What is wrong with bytes that begin like a frame, have its length and fail its check; the first of a
        run of garbage says why that is none.
    """

    starts: re.Pattern[bytes]
    lookahead: int
    length: Callable[[bytes], int]
    check: Callable[[bytes], bool]
    longest: int
    patience: int = 256
    tail: int = 0
    explain: Callable[[bytes], DecodeError] | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _offset: int = 0
    _skipped: bytearray = field(default_factory=bytearray)
    _why: DecodeError | None = None
    _tail_ends: int = 0

    def feed(self, data: bytes) -> tuple[Frame, ...]:
        self._buffer += data
        return tuple(self._cut())

    def flush(self) -> tuple[Frame, ...]:
        """What was left when the stream ended: garbage, and a frame that may have begun."""
        if self._skipped and not self.starts.search(self._buffer):
            self._skipped += self._buffer
            self._offset += len(self._buffer)
            self._buffer.clear()
        left, self._buffer = bytes(self._buffer), bytearray()
        frames = tuple(self._garbage())
        offset, self._offset = self._offset, self._offset + len(left)
        if not left or self._offset <= self._tail_ends:
            return frames
        return (*frames, Frame(left, offset, _cut_off(left)))

    def _cut(self) -> Iterator[Frame]:
        at = 0
        while len(self._buffer) - at >= self.lookahead:
            start = self.starts.search(self._buffer, at)
            found = len(self._buffer) - self.lookahead + 1 if start is None else start.start()
            yield from self._skip(at, found)
            at = found
            if start is None:
                break
            window = bytes(self._buffer[at : at + self.longest])
            length = self.length(window)
            if length == 0 or length > len(window):
                break
            if length > 0 and self.check(window[:length]):
                yield from self._garbage()
                yield Frame(window[:length], self._offset)
                self._offset += length
                self._tail_ends = self._offset + self.tail
                at += length
            else:
                if length > 0 and self.explain is not None and self._why is None:
                    self._why = self.explain(window[:length]).moved(len(self._skipped))
                yield from self._skip(at, at + 1)
                at += 1
        del self._buffer[:at]

    def _skip(self, start: int, end: int) -> Iterator[Frame]:
        while start < end:
            step = min(end - start, self.patience - len(self._skipped))
            self._skipped += self._buffer[start : start + step]
            self._offset += step
            start += step
            if len(self._skipped) == self.patience:
                yield from self._garbage()

    def _garbage(self) -> Iterator[Frame]:
        if self._skipped:
            run, self._skipped = bytes(self._skipped), bytearray()
            why, self._why = self._why, None
            if self.tail and self._offset <= self._tail_ends:
                return
            reason = f"{len(run)} bytes that are no frame"
            yield Frame(run, self._offset - len(run), why or DecodeError("sync", reason, offset=0))
