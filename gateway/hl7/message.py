"""ER7, the delimited encoding of HL7 v2: bytes to messages, read on demand.

A message keeps the bytes that it came as and the lines that it consists of. Nothing inside a segment is taken
apart until somebody asks for a field, so that a long waveform costs nothing to pass on. HL7 v2.5.1 chapter 2.
"""

import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from gateway.errors import Hl7Error
from gateway.hl7.charsets import SHIFTING, Charset, charset_named, is_wide, wide_charset
from gateway.hl7.delimiters import Delimiters, declared, unescaper

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_INDEX = "([1-9][0-9]{0,5})"
_PATH = re.compile(
    rf"([A-Z][A-Z0-9]{{2}})(?:\[{_INDEX}\])?-{_INDEX}(?:\[{_INDEX}\])?(?:\.{_INDEX}(?:\.{_INDEX})?)?"
)
_ANY_END = re.compile(r"\r\n?|\n")
_FIRST_END = re.compile(rb"[\r\n]")


class Path(NamedTuple):
    """A place in a message; every number counts from 1."""

    segment: str
    occurrence: int
    field: int
    repetition: int
    component: int
    subcomponent: int


@lru_cache(maxsize=1024)
def _path(text: str) -> Path:
    found = _PATH.fullmatch(text)
    if found is None:
        raise Hl7Error(f"{text[:40]!r} is not a path; write one like OBX[2]-3.1 or PID-3[2].4.1")
    name, *numbers = found.groups(default="1")
    return Path(name, *map(int, numbers))


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a message's MSH declares about the text of all its segments."""

    delimiters: Delimiters
    charset: Charset

    def plain(self, text: str) -> str:
        """Text with its escapes resolved."""
        return unescaper(self.delimiters, self.charset.decode)(text)


def _item(text: str, delimiter: str, number: int) -> str:
    parts = text.split(delimiter, number)
    return parts[number - 1] if len(parts) >= number else ""


@dataclass(frozen=True, slots=True, repr=False)
class Segment:
    """One line of a message. Its repr shows its name only."""

    text: str
    syntax: Syntax

    def __repr__(self) -> str:
        return f"<Segment {self.name}>"

    @property
    def name(self) -> str:
        return self.text[:3]

    def raw(self, number: int) -> str:
        """A field as it came, all its repetitions, escapes unresolved; "" where it is absent."""
        separator = self.syntax.delimiters.field
        if self.name != "MSH":
            return _item(self.text, separator, number + 1)
        return separator if number == 1 else _item(self.text, separator, number)

    def repetitions(self, number: int) -> tuple[str, ...]:
        """The repetitions of a field, each as it came; none where the field is empty."""
        text = self.raw(number)
        return tuple(text.split(self.syntax.delimiters.repetition)) if text else ()

    def get(self, number: int, repetition: int = 1, component: int = 1, subcomponent: int = 1) -> str:
        """One value, unescaped; "" where there is none, and `""` (two quotes) where it is to be deleted."""
        text = self.raw(number)
        if self.name == "MSH" and number <= 2:
            return text if repetition == component == subcomponent == 1 else ""
        delimiters = self.syntax.delimiters
        text = _item(text, delimiters.repetition, repetition)
        text = _item(text, delimiters.component, component)
        return self.syntax.plain(_item(text, delimiters.subcomponent, subcomponent))

    def __iter__(self) -> Iterator[str]:
        """The fields from the first on, as they came."""
        separator = self.syntax.delimiters.field
        fields = self.text.split(separator)[1:]
        return iter([separator, *fields] if self.name == "MSH" else fields)


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One HL7 message. Its repr shows its type and control id only.

    Parameters
    ----------
    lines : tuple of str
        The segments' texts, without terminators.
    syntax : Syntax
    data : bytes
        What the message was read from.
    """

    lines: tuple[str, ...]
    syntax: Syntax
    data: bytes = field(compare=False)

    def __repr__(self) -> str:
        return f"<Message {self.type}^{self.trigger} {self.control_id}>"

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(Segment(line, self.syntax) for line in self.lines)

    @property
    def header(self) -> Segment:
        return Segment(self.lines[0], self.syntax)

    @property
    def type(self) -> str:
        """MSH-9.1: ``ADT``."""
        return self.header.get(9)

    @property
    def trigger(self) -> str:
        """MSH-9.2: ``A04``."""
        return self.header.get(9, component=2)

    @property
    def control_id(self) -> str:
        """MSH-10, which the acknowledgement must name."""
        return self.header.get(10)

    @property
    def version(self) -> str:
        """MSH-12.1: ``2.5.1``."""
        return self.header.get(12)

    def segment(self, name: str, occurrence: int = 1) -> Segment | None:
        """The segment of that name, counted among its like, or None."""
        for line in self.lines:
            if line.startswith(name):
                if occurrence == 1:
                    return Segment(line, self.syntax)
                occurrence -= 1
        return None

    def get(self, path: str) -> str:
        """One value by its place, unescaped; "" where there is none.

        Parameters
        ----------
        path : str
            ``SEGMENT[occurrence]-field[repetition].component.subcomponent``, counted from 1; what is left out
            is 1. ``OBX[2]-3.1``.

        Raises
        ------
        Hl7Error
            The path is not one.
        """
        place = _path(path)
        segment = self.segment(place.segment, place.occurrence)
        return "" if segment is None else segment.get(*place[2:])

    def encode(self) -> bytes:
        """The bytes that the message was read from, terminators included."""
        return self.data

    def for_sending(self) -> bytes:
        """The message in the same character set, every segment ended by CR as the standard has it."""
        return self.syntax.charset.encode("\r".join(self.lines) + "\r")


def _repetitions(header: str, number: int) -> tuple[str, ...]:
    text = _item(header, header[3:4], number) if len(header) > 3 else ""
    return tuple(text.split(header[5:6] or "~")) if text else ()


def _charset(data: bytes) -> Charset:
    """The charset by which MSH-18, once decoded, names that very charset."""
    if wide := wide_charset(data):
        return _wide_charset(data, *wide)
    header = _FIRST_END.split(data.removeprefix(BOM_UTF8), maxsplit=1)[0]
    names = _repetitions(header.decode("latin-1"), 18)
    if header.isascii() and b"\x1b" not in header:
        return _byte_charset(names)
    for candidate in (*((name,) for name in SHIFTING), names):
        try:
            charset = charset_named(candidate)
            stated = charset_named(_repetitions(charset.decode(header), 18))
        except (Hl7Error, UnicodeDecodeError):
            continue
        if stated is charset:
            return charset
    return _byte_charset(names)


def _byte_charset(names: tuple[str, ...]) -> Charset:
    charset = charset_named(names)
    if is_wide(charset):
        raise Hl7Error(f"{names[0]!r} is stated, but the bytes are not that", segment="MSH", field=18)
    return charset


def _wide_charset(data: bytes, charset: Charset, named: Charset) -> Charset:
    names = _repetitions(_decoded(data, charset).split("\r", 1)[0], 18)
    if names != ("UNICODE",) and charset_named(names) is not named:
        raise Hl7Error("the bytes are UTF-16 or UTF-32, but another set is stated", segment="MSH", field=18)
    return charset


def place(before: str) -> tuple[str, int]:
    """Segment with occurrence, and field number, at the end of the text that stands before something."""
    lines = [line for line in _ANY_END.split(before) if line] or [""]
    name = lines[-1][:3]
    count = Counter(line[:3] for line in lines)[name]
    separators = lines[-1].count(lines[0][3:4] or "|")
    return f"{name}[{count}]" if count > 1 else name, separators + (name == "MSH")


def _decoded(data: bytes, charset: Charset) -> str:
    try:
        return charset.decode(data)
    except UnicodeDecodeError as error:
        start = error.start
    segment, number = place(data[:start].decode("latin-1"))
    raise Hl7Error(
        f"byte 0x{data[start]:02X} at {start} is not in the character set that MSH-18 states",
        segment=segment,
        field=number,
    )


def _lines(text: str) -> tuple[str, ...]:
    """The segments. Where CR ends the first one, a later LF can be content, but for one that follows a CR."""
    if "\n" not in text:
        return tuple(filter(None, text.split("\r")))
    cr, lf = text.find("\r"), text.find("\n")
    if -1 < cr < lf:
        return tuple(filter(None, text.replace("\r\n", "\r").split("\r")))
    return tuple(filter(None, _ANY_END.split(text)))


def _delimiters(header: str) -> Delimiters:
    if header.startswith(("FHS", "BHS")):
        raise Hl7Error("this is a batch; split it into its messages first", segment=header[:3])
    if not header.startswith("MSH"):
        raise Hl7Error("a message must begin with this segment", segment="MSH")
    if len(header) < 4:
        raise Hl7Error("the field separator is missing", segment="MSH", field=1)
    return declared(header[3], _item(header, header[3], 2))


def _check_names(lines: tuple[str, ...], separator: str) -> None:
    for head in {line[:4] for line in lines[1:]}:
        name = head[:3]
        if head[3:] not in ("", separator) or _NAME.fullmatch(name) is None:
            number = next(i for i, line in enumerate(lines, 1) if line.startswith(head))
            raise Hl7Error(f"line {number} does not begin with a segment's name")
        if name in ("MSH", "FHS", "BHS"):
            raise Hl7Error("a second message begins; this is a batch", segment=name)


def parse(data: bytes) -> Message:
    """The message in some bytes, decoded by its own MSH-18.

    Parameters
    ----------
    data : bytes
        One message, without transport framing. CR ends a segment; LF and CR LF are taken as well.

    Raises
    ------
    Hl7Error
        There is no usable MSH, a character set is unknown or does not fit the bytes, a line is not a segment,
        or this is a batch. Names the segment and the field.
    """
    charset = _charset(data)
    lines = _lines(_decoded(data, charset).removeprefix("\ufeff"))
    delimiters = _delimiters(lines[0] if lines else "")
    _check_names(lines, delimiters.field)
    return Message(lines, Syntax(delimiters, charset), data)
