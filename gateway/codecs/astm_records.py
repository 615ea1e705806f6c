r"""ASTM E1394 / CLSI LIS2-A2: what the texts of frames say, as records of fields.

Records end with CR. The header declares the delimiters of its message: the character after ``H`` parts
fields; then come those of repeats, of components and, unless it is left out, of escapes::

    H|\^&|||DCA VANTAGE^04.04.00.00^S067337|||||||P|1|20240102030405
    R|1|^^^HbA1c|5.9|%||||F||||20241206140615

``&F&`` ``&R&`` ``&S&`` ``&E&`` stand for the four delimiters, ``&Xhh&`` for bytes; other escapes are left as
they are. Fields are numbered from 1, the letter of the record being the first, as in the standard's tables.

Analysers put a whole message in one frame, one record in each, or cut records anywhere; so the texts of all
frames of a transmission are joined and cut at CR. ``ETX`` ends a record too when what follows is the
beginning of one: not all analysers end their last record with CR.

Source: host-interface manuals; messages of ten analysers in the test data of senaite.astm, one of which
(GeneXpert) declares ``|@^\``, others (Immulite) no escape. Evidence: capture.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from gateway.errors import DecodeError

LONGEST_RECORD = 48 * 1024  # histograms are the longest seen, some 20 kB
_TIME = re.compile(r"((?:19|20|21)\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?", re.ASCII)
_BEGINNING = re.compile(rb"[A-Za-z]([^A-Za-z0-9\s])(?:\d+(?:\1|\r|$)|[^A-Za-z0-9\s]{2,3}\1)")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What parts fields, repeats and components, and what begins and ends an escape where there is one."""

    field: str = "|"
    repeat: str = "\\"
    component: str = "^"
    escape: str | None = "&"

    @classmethod
    def declared(cls, header: str) -> Self:
        """Those that a header declares.

        Raises
        ------
        DecodeError
            They are too few, too many, the same, or letters and digits.
        """
        others = header[2:].split(header[1:2] or "|", 1)[0]
        found = header[1:2] + others
        if not 3 <= len(found) <= 4 or len(set(found)) < len(found) or re.search(r"[\w\s]", found):
            raise DecodeError("delimiters", "the header declares none that can be used", offset=1)
        return cls(found[0], found[1], found[2], found[3] if len(found) == 4 else None)

    def plain(self, text: str) -> str:
        """A component's text with its escapes resolved."""
        if self.escape is None or self.escape not in text:
            return text
        mark = re.escape(self.escape)
        return re.sub(f"{mark}([FRSE]|X(?:[0-9A-Fa-f]{{2}})+){mark}", self._meant, text)

    def escaped(self, text: str) -> str:
        """A text that can stand in a component.

        Raises
        ------
        ValueError
            It holds a delimiter, and there is no escape for it.
        """
        stand_for = {self.field: "F", self.repeat: "R", self.component: "S", self.escape: "E", "\r": "X0D"}
        if self.escape is None and set(text) & set(stand_for):
            raise ValueError("a delimiter in the text, and no escape declared")
        return "".join(f"{self.escape}{stand_for[c]}{self.escape}" if c in stand_for else c for c in text)

    def _meant(self, match: re.Match[str]) -> str:
        code = match[1]
        if code.startswith("X"):
            return bytes.fromhex(code[1:]).decode("latin-1")
        return {"F": self.field, "R": self.repeat, "S": self.component, "E": self.escape or ""}[code]


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Parameters
    ----------
    type : str
        Its letter, upper case.
    fields : tuple of str
        As they were sent, the letter first.
    delimiters : Delimiters
    """

    type: str
    fields: tuple[str, ...]
    delimiters: Delimiters = Delimiters()

    def raw(self, number: int) -> str:
        """A field as it was sent; empty where there is none."""
        return self.fields[number - 1] if number <= len(self.fields) else ""

    def text(self, number: int) -> str:
        """A whole field, escapes resolved, without blanks around it."""
        return self.delimiters.plain(self.raw(number)).strip()

    def repeats(self, number: int) -> tuple[tuple[str, ...], ...]:
        """The components of each repeat of a field, escapes resolved, without blanks around them."""
        marks = self.delimiters
        return tuple(
            tuple(marks.plain(component).strip() for component in repeat.split(marks.component))
            for repeat in self.raw(number).split(marks.repeat)
        )

    def component(self, number: int, place: int) -> str:
        """A component of a field's first repeat, counted from 1; empty where there is none."""
        components = self.repeats(number)[0]
        return components[place - 1] if place <= len(components) else ""

    def offset_of(self, number: int) -> int:
        """Characters of the record that stand before a field."""
        return sum(len(each) + 1 for each in self.fields[: number - 1])

    def encode(self, encoding: str = "latin-1") -> bytes:
        """The record with its CR."""
        return f"{self.delimiters.field.join(self.fields)}\r".encode(encoding)


def header(*fields: str, delimiters: Delimiters = Delimiters()) -> Record:
    """An ``H`` record; `fields` are those from the third on."""
    declared = delimiters.repeat + delimiters.component + (delimiters.escape or "")
    return Record("H", ("H", declared, *fields), delimiters)


def record(kind: str, *fields: Sequence[str] | str, delimiters: Delimiters = Delimiters()) -> Record:
    """A record of plain values: a text for a field, or a sequence of its components."""
    texts = [
        delimiters.escaped(each)
        if isinstance(each, str)
        else delimiters.component.join(map(delimiters.escaped, each))
        for each in fields
    ]
    return Record(kind, (kind, *texts), delimiters)


def moment(text: str) -> datetime | None:
    """``YYYYMMDDHHMMSS`` or ``YYYYMMDDHHMM``, naive; None for an empty field.

    Raises
    ------
    DecodeError
        It is none of these.
    """
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is not None:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        with suppress(ValueError):
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - no zone is stated
    raise DecodeError("time", "not a date and time", offset=0)


@dataclass(slots=True)
class Records:
    """The texts of one transmission's frames, cut into records.

    Parameters
    ----------
    encoding : str
        Of texts.
    """

    encoding: str = "latin-1"
    _delimiters: Delimiters = field(default_factory=Delimiters)
    _buffer: bytearray = field(default_factory=bytearray)
    _after_etx: bool = False

    def feed(self, text: bytes, *, ends_message: bool) -> tuple[Record | DecodeError, ...]:
        """Records that the text completes, and what is wrong with those that do not hold."""
        pending = self._taken() if self._after_etx and _BEGINNING.match(text) else ()
        self._after_etx = ends_message
        self._buffer += text
        return (*pending, *self._cut())

    def flush(self) -> tuple[Record | DecodeError, ...]:
        """What is left at the end of the transmission; nothing where a frame was still to come."""
        taken = self._taken()
        return taken if self._after_etx else ()

    def _cut(self) -> Iterator[Record | DecodeError]:
        *complete, rest = self._buffer.split(b"\r")
        for line in complete:
            yield from self._parsed(bytes(line))
        self._buffer = rest
        if self._after_etx and _is_terminator(rest, self._delimiters):
            yield from self._taken()
        if len(self._buffer) > LONGEST_RECORD:
            self._buffer.clear()
            yield DecodeError("length", f"no end of a record in {LONGEST_RECORD} bytes", offset=0)

    def _taken(self) -> tuple[Record | DecodeError, ...]:
        line = bytes(self._buffer)
        self._buffer.clear()
        return tuple(self._parsed(line))

    def _parsed(self, line: bytes) -> Iterator[Record | DecodeError]:
        try:
            text = line.decode(self.encoding).strip("\n\0 ")
        except UnicodeDecodeError as error:
            yield DecodeError("encoding", f"no {self.encoding}", offset=error.start)
            return
        if not text:
            return
        try:
            if text[0] in "Hh":
                self._delimiters = Delimiters.declared(text)
            yield parse_record(text, self._delimiters)
        except DecodeError as error:
            yield error.with_traceback(None)


def parse_record(text: str, delimiters: Delimiters = Delimiters()) -> Record:
    """One record, without its CR.

    Raises
    ------
    DecodeError
        It does not begin with a letter and the field delimiter.
    """
    fields = tuple(text.split(delimiters.field))
    if not re.fullmatch(r"[A-Za-z]", fields[0]):
        raise DecodeError("layout", "a record begins with its letter and a delimiter", offset=0)
    return Record(fields[0].upper(), fields, delimiters)


def _is_terminator(line: bytearray, delimiters: Delimiters) -> bool:
    return bytes(line[:2]).upper() == f"L{delimiters.field}".encode("latin-1", "replace")
