"""ASTM E1381 / CLSI LIS1-A, the lower half: control characters and frames in a stream of bytes.

A frame is ``STX N text ETX C1 C2 CR LF``, or the same with ``ETB`` where the message goes on in the next one:

=======  ==========================================================================
N        one digit, 1 in the first frame after ``ENQ``, then 2 to 7, 0, 1, ...
C1 C2    sum of all bytes after ``STX`` up to and with ``ETX`` or ``ETB``, modulo 256,
         as two hexadecimal digits, upper case; lower case is taken too
=======  ==========================================================================

Analysers leave out the CR or the LF at the end, and send frames far longer than the 240 characters of E1381;
both are taken. A control character that the standard keeps out of texts tears a frame: the sender began
anew.

Source: the host-interface manuals that repeat the standard's rules; frames of ten analysers in the test data
of senaite.astm, of which every checksum was computed again. Evidence: capture.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.codecs.checksum import sum8
from gateway.errors import DecodeError

STX, ETX, EOT, ENQ, ACK, NAK, ETB = 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x17

LONGEST_TEXT_SENT = 240
LONGEST_TEXT_TAKEN = 64_000  # of LIS1-A
_SIGNALS = {EOT, ENQ, ACK, NAK}
_BEGINNING = re.compile(rb"[\x02\x04-\x06\x15]")
_END_OR_TEAR = re.compile(rb"[\x02-\x05\x17]")
_ENDS = {ETX, ETB}
_CHECKSUM = re.compile(rb"[0-9A-Fa-f]{2}")
_NOISE_AT_ONCE = 256


class Signal(NamedTuple):
    """A control character that stands for itself: ``ENQ``, ``ACK``, ``NAK`` or ``EOT``."""

    byte: int
    offset: int


class TextFrame(NamedTuple):
    """A frame that holds.

    Parameters
    ----------
    number : int
        0 to 7.
    text : bytes
    ends_message : bool
        It ended with ``ETX``.
    offset : int
        Of its ``STX`` in the stream.
    """

    number: int
    text: bytes
    ends_message: bool
    offset: int


class Damaged(NamedTuple):
    """What is neither, or a frame that does not hold.

    Parameters
    ----------
    error : DecodeError
        Its offset counts from `offset`.
    offset : int
    is_answered : bool
        It came to its end: the sender waits for an answer.
    """

    error: DecodeError
    offset: int
    is_answered: bool = False


Token = Signal | TextFrame | Damaged


def encode_frame(number: int, text: bytes, *, ends_message: bool) -> bytes:
    """The frame of a text; its number is taken modulo 8."""
    body = b"%d%b%c" % (number % 8, text, ETX if ends_message else ETB)
    return b"\x02%b%02X\r\n" % (body, sum8(body))


def texts_of(record: bytes, *, longest: int = LONGEST_TEXT_SENT) -> tuple[bytes, ...]:
    """A record's bytes in pieces that fit a frame."""
    return tuple(record[i : i + longest] for i in range(0, len(record), longest)) or (b"",)


@dataclass(slots=True)
class Tokens:
    """Signals and frames of one stream, whatever the pieces in which it arrives.

    Parameters
    ----------
    longest : int
        Bytes of a frame's text. A longer one is given up.
    """

    longest: int = LONGEST_TEXT_TAKEN
    _buffer: bytearray = field(default_factory=bytearray)
    _offset: int = 0
    _searched: int = 1
    _noise: int = 0

    @property
    def position(self) -> int:
        """Bytes of the stream that were made something of."""
        return self._offset

    def feed(self, data: bytes) -> tuple[Token, ...]:
        self._buffer += data
        return tuple(self._cut(at_end=False))

    def flush(self) -> tuple[Token, ...]:
        """What the end of the stream makes of the bytes that are left."""
        return (*self._cut(at_end=True), *self._noise_until_here())

    def _cut(self, *, at_end: bool) -> Iterator[Token]:
        while self._buffer:
            first, offset = self._buffer[0], self._offset
            if first == STX:
                found = self._frame(at_end=at_end)
                if found is None:
                    return
                token, length = found
                yield from self._noise_until_here()
                self._drop(length)
                yield token
            elif first in _SIGNALS:
                yield from self._noise_until_here()
                self._drop(1)
                yield Signal(first, offset)
            else:
                self._skip()
                if self._noise == _NOISE_AT_ONCE:
                    yield from self._noise_until_here()

    def _skip(self) -> None:
        """Leave out what lies before the next frame or signal; ends of lines between frames are no noise."""
        match = _BEGINNING.search(self._buffer)
        run = bytes(self._buffer[: match.start() if match else None])
        if not self._noise:
            noise = run.lstrip(b"\r\n")
            self._drop(len(run) - len(noise))
            run = noise
        step = min(len(run), _NOISE_AT_ONCE - self._noise)
        self._drop(step)
        self._noise += step

    def _frame(self, *, at_end: bool) -> tuple[Token, int] | None:
        """The frame that begins the buffer, and the bytes that it takes; None while it is not complete."""
        match = _END_OR_TEAR.search(self._buffer, self._searched)
        if match is None:
            self._searched = len(self._buffer)
            if len(self._buffer) > self.longest + 2:
                return self._damaged("length", f"more than {self.longest} bytes of text", 0), self._searched
            return self._cut_off(at_end)
        end = self._searched = match.start()
        if self._buffer[end] not in _ENDS:
            return self._damaged("torn", f"{self._buffer[end]:02X} within a frame", end), end
        if len(self._buffer) < end + 3 + (not at_end):
            return self._cut_off(at_end)
        return self._checked(end)

    def _checked(self, end: int) -> tuple[Token, int]:
        sent = bytes(self._buffer[end + 1 : end + 3])
        if not _CHECKSUM.fullmatch(sent):
            return self._damaged("checksum", "no two hexadecimal digits", end + 1, is_answered=True), end + 1
        computed = sum8(bytes(self._buffer[1 : end + 1]))
        length = end + 3 + self._buffer[end + 3 : end + 4].isspace()
        if int(sent, 16) != computed:
            reason = f"0x{sent.decode().upper()}, computed 0x{computed:02X}"
            return self._damaged("checksum", reason, end + 1, is_answered=True), length
        number = self._buffer[1] - ord("0")
        if end < 2 or not 0 <= number <= 7:
            return self._damaged(
                "layout", "a frame begins with a number of 0 to 7", 1, is_answered=True
            ), length
        text = bytes(self._buffer[2:end])
        return TextFrame(number, text, self._buffer[end] == ETX, self._offset), length

    def _cut_off(self, at_end: bool) -> tuple[Token, int] | None:
        left = len(self._buffer)
        return (
            (self._damaged("cut-off", "the stream ended before the frame did", left), left)
            if at_end
            else None
        )

    def _damaged(self, code: str, message: str, at: int, *, is_answered: bool = False) -> Damaged:
        return Damaged(DecodeError(code, message, offset=at), self._offset, is_answered)

    def _noise_until_here(self) -> Iterator[Damaged]:
        if self._noise:
            count, self._noise = self._noise, 0
            reason = f"{count} bytes that are no frame"
            yield Damaged(DecodeError("noise", reason, offset=0), self._offset - count)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count
        self._searched = 1
