"""MLLP, the framing of HL7 on a connection, as a machine without I/O: bytes in, messages and noise out.

A block is 0x0B, the message, 0x1C, 0x0D. In the field some senders leave the last 0x0D out, some send LF
after it, some begin a message anew in the middle of one, and some write text where no block is. What comes
out does not depend on how the bytes were cut into chunks. HL7 v2 Implementation Guide, appendix C.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.errors import Hl7Error

START = b"\x0b"
END = b"\x1c\r"
_END_MARK = 0x1C
_RESTARTS = (b"\x0bMSH", b"\x0bFHS", b"\x0bBHS")
_IDLE_BYTES = b"\r\n"


@dataclass(frozen=True, slots=True)
class Received:
    """A complete message."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that belong to no complete block. CR and LF between blocks are not reported."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TooLong:
    """A block longer than the limit; all of it is skipped."""

    limit: int


MllpEvent: TypeAlias = Received | Noise | TooLong


def frame(message: bytes) -> bytes:
    """The message as one block.

    Raises
    ------
    Hl7Error
        It holds the end of a block, the start of one, or the zero bytes of UTF-16 or UTF-32.
    """
    for forbidden, what in (
        (END, "the end of a block"),
        (START, "the start of a block"),
        (b"\0", "a zero byte"),
    ):
        if forbidden in message:
            raise Hl7Error(f"the message holds {what} and cannot be sent over MLLP")
    return START + message + END


@dataclass(slots=True)
class Decoder:
    """Takes blocks apart, whatever pieces they come in.

    Parameters
    ----------
    limit : int
        Longest message that is accepted, bytes.
    """

    limit: int = 16 * 1024 * 1024
    _buffer: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _inside: bool = False
    _skipping: bool = False

    @property
    def awaits_last_byte(self) -> bool:
        """All has come but perhaps the closing 0x0D: after a short silence, call `idle`."""
        return self._inside and self._buffer[-1:] == b"\x1c"

    def feed(self, data: bytes) -> tuple[MllpEvent, ...]:
        """What the bytes complete, in their order."""
        self._buffer += data
        events: list[MllpEvent] = []
        while self._step(events):
            pass
        return tuple(events)

    def idle(self) -> tuple[MllpEvent, ...]:
        """The block whose sender leaves the closing 0x0D out, now that nothing followed for a while."""
        if not self.awaits_last_byte:
            return ()
        events = self._block(len(self._buffer) - 1)
        self._buffer.clear()
        return events

    def closed(self) -> tuple[MllpEvent, ...]:
        """What the end of the connection leaves: a block without its last byte, or the half of one."""
        events = self.idle()
        rest = bytes(self._buffer)
        self._buffer.clear()
        skipped, self._inside, self._skipping, self._searched = self._skipping, False, False, 0
        return events if skipped or not rest.strip(_IDLE_BYTES) else (*events, Noise(rest))

    def _step(self, events: list[MllpEvent]) -> bool:
        """One block or one stretch of noise; False when more bytes are needed."""
        if not self._inside:
            return self._find_start(events)
        end = self._find_end()
        if end is None:
            self._cap(events)
            return False
        after = end + 2 if self._buffer[end + 1] == END[1] else end + 1
        events += self._block(end)
        del self._buffer[:after]
        return True

    def _find_start(self, events: list[MllpEvent]) -> bool:
        start = self._buffer.find(START)
        before = bytes(self._buffer if start < 0 else self._buffer[:start])
        if noise := before.strip(_IDLE_BYTES):
            events.append(Noise(noise))
        del self._buffer[: len(before) + 1]
        self._inside, self._searched = start >= 0, 0
        return self._inside

    def _find_end(self) -> int | None:
        """Index of the 0x1C that ends the block; one that is followed by anything else is content."""
        at = self._buffer.find(_END_MARK, self._searched)
        while 0 <= at < len(self._buffer) - 1:
            if self._buffer[at + 1] in (END[1], START[0]):
                return at
            at = self._buffer.find(_END_MARK, at + 1)
        self._searched = len(self._buffer) if at < 0 else at
        return None

    def _cap(self, events: list[MllpEvent]) -> None:
        """Keep no more of an endless block than may be its end."""
        if not self._skipping and len(self._buffer) > self.limit + 1:
            self._skipping = True
            events.append(TooLong(self.limit))
        if self._skipping:
            del self._buffer[: self._searched]
            self._searched = 0

    def _block(self, end: int) -> tuple[MllpEvent, ...]:
        skipped, self._inside, self._skipping, self._searched = self._skipping, False, False, 0
        if skipped:
            return ()
        block = bytes(self._buffer[:end])
        restart = max(block.rfind(start) for start in _RESTARTS)
        abandoned = (Noise(block[:restart]),) if restart > 0 else ()
        message = block[restart + 1 :]
        return (*abandoned, TooLong(self.limit) if len(message) > self.limit else Received(message))
