"""Nonin's formats in a stream: each with its framer, and the search for the one that a device is set to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.codecs import nonin
from gateway.codecs.framing import Blocks, Frame, Lines
from gateway.codecs.nonin import Sample
from gateway.errors import DecodeError

_IN_STEP = 5  # frames without a checksum that must follow each other before they are believed
_SENSELESS = 1024
_PRINTABLE = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class Format:
    """How a data format is found in a stream and read.

    Parameters
    ----------
    framer : callable
    parse : callable
        Of a frame's bytes; may raise DecodeError.
    per_second : int
        Frames, packets or lines.
    checked : bool
        One good frame proves the format.
    """

    framer: Callable[[], Blocks | Lines]
    parse: Callable[[bytes], Sample]
    per_second: int
    checked: bool = True


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "df13": Format(nonin.df13_blocks, nonin.parse_record, per_second=1),
        "df2": Format(nonin.df2_blocks, nonin.parse_packet, per_second=3),
        "df7": Format(nonin.df7_blocks, nonin.parse_packet, per_second=3),
        "ascii": Format(lambda: Lines(b"\r\n", 64, keep_tail=True), nonin.parse_line, per_second=1),
        "df8": Format(nonin.df8_blocks, nonin.parse_df8, per_second=1, checked=False),
        "df1": Format(nonin.df1_blocks, nonin.parse_df1, per_second=1, checked=False),
    }
)


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame with what it says, or why it says nothing; neither for a heading."""

    frame: Frame
    sample: Sample | None = None
    error: DecodeError | None = None
    per_second: int = 1

    @property
    def end(self) -> int:
        """Where in the stream it ends."""
        return self.frame.offset + len(self.frame.content)

    @property
    def is_heading(self) -> bool:
        return self.sample is None and self.error is None

    @property
    def is_rest_of_packet(self) -> bool:
        """It is what was left of a packet when the listening began."""
        return self.frame.offset == 0 and nonin.is_rest_of_packet(self.frame.content)

    @property
    def is_cut_off(self) -> bool:
        """It is what there was of a frame when the stream ended."""
        return self.error is not None and self.error.code == "cut-off"


@dataclass(slots=True)
class Listener:
    """One format, listened for in a stream."""

    format: Format
    _framer: Blocks | Lines = field(init=False)

    def __post_init__(self) -> None:
        self._framer = self.format.framer()

    def feed(self, data: bytes) -> tuple[Heard, ...]:
        return tuple(heard for frame in self._framer.feed(data) for heard in self._heard(frame))

    def flush(self) -> tuple[Heard, ...]:
        return tuple(heard for frame in self._framer.flush() for heard in self._heard(frame))

    def _heard(self, frame: Frame) -> Iterator[Heard]:
        if frame.error is not None:
            yield Heard(frame, error=frame.error)
            return
        data = frame.content
        if isinstance(self._framer, Lines):
            start = nonin.line_start(data)
            if start is None and _is_heading(data):
                yield Heard(frame)
                return
            if start:
                noise = DecodeError("noise", f"{start} bytes that are no part of a line", offset=0)
                yield Heard(frame, error=noise)
            data = data[start or 0 :]
        try:
            yield Heard(frame, self.format.parse(data), per_second=self.format.per_second)
        except DecodeError as error:
            yield Heard(frame, error=error.with_traceback(None))


@dataclass(slots=True)
class _Track:
    """What one listener heard that is not believed yet."""

    listener: Listener
    before: Heard | None = None
    in_step: list[Heard] = field(default_factory=list)


class Hearing:
    """All of `formats` listened for at once, and what of it is to be believed.

    A checksum proves a format, and only that one is listened for from then on. A format without checksum is
    believed while nothing better is heard: after five frames in step, until one byte is out of it. Where
    only one format is in question it needs no proof.
    """

    def __init__(self, formats: Mapping[str, Format]) -> None:
        self._tracks = [_Track(Listener(each)) for each in formats.values()]
        self._sole = len(formats) == 1
        self._current = self._tracks[0] if self._sole else None
        self._read = 0
        self._understood = 0

    def feed(self, data: bytes) -> tuple[Heard, ...]:
        """Samples, and errors of what is believed to be the format, in the order of the stream."""
        self._read += len(data)
        heard = [believed for track, each in self._in_order(data) for believed in self._judged(track, each)]
        return (*heard, *self._lost(self._read))

    def flush(self) -> tuple[Heard, ...]:
        """What is wrong with the end of the stream; a frame that it cuts off is not."""
        if self._current is None:
            left = self._read - self._understood
            return (_senseless(self._understood, left),) if left else ()
        return tuple(heard for heard in self._current.listener.flush() if not heard.is_cut_off)

    def _in_order(self, data: bytes) -> list[tuple[_Track, Heard]]:
        """By where in the stream each became certain: garbage only when the next frame is found."""
        found = []
        for track in self._tracks:
            certain = 0
            for heard in reversed(track.listener.feed(data)):
                certain = certain if heard.error is not None and certain else heard.end
                found.append((certain, track, heard))
        found.reverse()
        return [(track, heard) for _, track, heard in sorted(found, key=lambda each: each[0])]

    def _judged(self, track: _Track, heard: Heard) -> Iterator[Heard]:
        if track not in self._tracks or heard.is_heading:
            return
        if track is self._current:
            yield heard
            if heard.error is not None and not track.listener.format.checked and not self._sole:
                self._current, self._understood = None, heard.end
        elif heard.error is not None:
            track.before, track.in_step = heard, []
        else:
            track.in_step.append(heard)
            if self._proves(track):
                yield from self._believe(track)

    def _proves(self, track: _Track) -> bool:
        if track.listener.format.checked:
            return True
        return self._current is None and len(track.in_step) >= _IN_STEP

    def _believe(self, track: _Track) -> Iterator[Heard]:
        first = track.in_step[0]
        yield from self._lost(first.frame.offset)
        if track.before is not None and not track.before.is_rest_of_packet:
            yield track.before
        yield from track.in_step
        track.before, track.in_step = None, []
        self._current = track
        if track.listener.format.checked:
            self._tracks = [track]

    def _lost(self, until: int) -> Iterator[Heard]:
        """Now and then a word that what comes makes no sense."""
        while self._current is None and until - self._understood >= _SENSELESS:
            yield _senseless(self._understood, _SENSELESS)
            self._understood += _SENSELESS


def _senseless(start: int, count: int) -> Heard:
    reason = f"{count} bytes in no Nonin format; check 9600 baud, 8N1"
    return Heard(Frame(b"", start), error=DecodeError("sync", reason, offset=0))


def explain(data: bytes, formats: Mapping[str, Format]) -> tuple[Heard, ...]:
    """All that `data` says in the one of `formats` that accounts for most of it; nothing where none does.

    Without anything around it, a format without checksum has to account for every byte, unless it is the
    only one in question.
    """
    best: tuple[Heard, ...] = ()
    most = 0
    for each in formats.values():
        listener = Listener(each)
        heard = (*listener.feed(data), *listener.flush())
        accounted = sum(len(one.frame.content) for one in heard if one.sample is not None)
        if len(formats) == 1:
            return heard
        if accounted > most and (each.checked or accounted == len(data)):
            best, most = heard, accounted
    return best


def _is_heading(line: bytes) -> bool:
    """What handhelds print at power-up: model, date and time."""
    return b"SPO2" not in line and all(byte in _PRINTABLE for byte in line)
