"""GDT, the lines by which devices and practice systems in Germany exchange examinations as files.

A line is ``LLL FFFF content CR LF`` without the blanks: LLL is the length of the whole line in bytes, CR LF
included, FFFF the field. A record set begins with field 8000, whose content is its kind; several may follow
each other in a file::

    01380006310
    014810000103
    ...
    0128420131

========  ===============================================================================================
version   beside that
========  ===============================================================================================
2.x       8100: length of the set in bytes, its own line counted, 5 digits
3.0       8100 has 7 digits; 8200 begins an object, 8201 ends it
3.5       no 8100; 8002 begins an object, 8003 ends it, each with its name, and the line before 8002 says
          what it is; 8001 ends the set
========  ===============================================================================================

Lengths are often wrong, in the description's own examples too, so that lines are cut at their ends, which may
be LF alone; lengths that do not fit are told of, and nothing hangs on them. A file whose last line is cut is
not complete.

The character set is the one that field 9206 names (1 7-bit, 2 CP437, 3 CP1252); without it CP437 in 2.x and
3.0, ISO 8859-15 in 3.5. Many systems say one and write another: a caller may know better.

Source: examples of the GDT 2.1, 3.0 and 3.5 descriptions of QMS as carried in public test data. Evidence:
manual.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from gateway.errors import DecodeError

DECLARED = "declared"
SET, SET_END, LENGTH, CHARACTER_SET, VERSION_35 = "8000", "8001", "8100", "9206", "0001"
OBJECT_BEGINS, OBJECT_ENDS = {"8002", "8200"}, {"8003", "8201"}
LONGEST_CONTENT = 990
MOST_LINES = 20_000
_HEAD = re.compile(rb"(\d{3})(\d{4})")
CHARACTER_SETS: Mapping[str, str] = MappingProxyType({"ascii": "1", "cp437": "2", "cp1252": "3"})
"""Field 9206 by character set, for who writes."""
_DECLARED_SETS = {"1": "cp437", "2": "cp437", "3": "cp1252"}
_DEFAULT, _DEFAULT_35 = "cp437", "iso-8859-15"
_LENGTH_DIGITS = {"02": 5, "03": 7}
_OVERHEAD = 9


class Line(NamedTuple):
    """One line.

    Parameters
    ----------
    field : str
        Four digits.
    content : str
    offset : int
        Of its first byte in the file.
    """

    field: str
    content: str
    offset: int


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One set.

    Parameters
    ----------
    kind : str
        ``6310`` for an examination's data.
    lines : tuple of Line
        Without those of the frame: 8000, 8100, 8001.
    warnings : tuple of str
        Lengths that do not fit.
    """

    kind: str
    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()

    def first(self, number: str) -> str:
        """The content of the first line of that field; empty where there is none."""
        return next((line.content for line in self.lines if line.field == number), "")


class _Raw(NamedTuple):
    field: str
    content: bytes
    offset: int
    size: int
    stated: int


@dataclass(slots=True)
class _Open:
    """A set whose lines are still coming."""

    lines: list[_Raw] = field(default_factory=list)

    @property
    def kind(self) -> bytes:
        return self.lines[0].content


def parse_file(data: bytes, encoding: str = DECLARED) -> tuple[RecordSet, ...]:
    """The sets in a file.

    Parameters
    ----------
    data : bytes
    encoding : str
        Of its contents; ``declared`` for what each set says.

    Raises
    ------
    DecodeError
        The file is not complete, a line has no length and field, the file does not begin with a set, or its
        contents are not in that character set; names which, and its offset in the file.
    """
    opened: list[_Open] = []
    for raw in _lines(data):
        if raw.field == SET:
            opened.append(_Open())
        elif not opened:
            raise DecodeError("layout", f"begins with field {raw.field}, not 8000", offset=raw.offset)
        opened[-1].lines.append(raw)
    if not opened:
        raise DecodeError("layout", "no record set in it", offset=0)
    return tuple(_set(each, encoding) for each in opened)


def encode_set(
    kind: str, fields: Sequence[tuple[str, str]], *, version: str = "02.10", encoding: str = "cp437"
) -> bytes:
    """A set of GDT 2.x or 3.0 with its lengths.

    Parameters
    ----------
    kind : str
    fields : sequence of (str, str)
        Field and content, in order; 8000 and 8100 are added.
    version : str
        ``02.xx`` or ``03.xx``.
    encoding : str

    Raises
    ------
    ValueError
        A field is no four digits, a content is too long, has an end of line, or a character that the
        encoding lacks. It names the field and holds nothing of the content.
    """
    digits = _LENGTH_DIGITS[version[:2]]
    head, rest = encode_line(SET, kind), b"".join(encode_line(*each, encoding=encoding) for each in fields)
    length = len(head) + _OVERHEAD + digits + len(rest)
    return head + encode_line(LENGTH, f"{length:0{digits}}") + rest


def encode_line(number: str, content: str, *, encoding: str = "cp437") -> bytes:
    """One line. Raises ValueError as :func:`encode_set` does."""
    try:
        encoded = content.encode(encoding)
    except UnicodeEncodeError as error:
        raise ValueError(f"field {number}: character {error.start + 1} is none of {encoding}") from None
    if not re.fullmatch(r"\d{4}", number, re.ASCII):
        raise ValueError(f"field {number!r} is not four digits")
    if len(encoded) > LONGEST_CONTENT or set(content) & set("\r\n"):
        raise ValueError(f"the content of field {number} is longer than {LONGEST_CONTENT} bytes or a line")
    return b"%03d%b%b\r\n" % (len(encoded) + _OVERHEAD, number.encode(), encoded)


def _lines(data: bytes) -> Iterator[_Raw]:
    offset = 0
    pieces = data.rstrip(b"\x1a\x00").split(b"\n")
    if len(pieces) > MOST_LINES:
        raise DecodeError("length", f"more than {MOST_LINES} lines", offset=0)
    for number, piece in enumerate(pieces):
        is_last, line = number == len(pieces) - 1, piece.removesuffix(b"\r")
        if line:
            head = _HEAD.match(line)
            if is_last and (head is None or int(head[1]) != len(line) + 2):
                raise DecodeError(
                    "incomplete", "the last line is cut; read the file again later", offset=offset
                )
            if head is None:
                raise DecodeError("layout", "a line without length and field", offset=offset)
            yield _Raw(head[2].decode(), line[7:], offset, len(line) + 2, int(head[1]))
        offset += len(piece) + 1


def _set(opened: _Open, encoding: str) -> RecordSet:
    chosen = _declared(opened) if encoding == DECLARED else encoding
    lines = tuple(
        Line(raw.field, _text(raw, chosen), raw.offset)
        for raw in opened.lines
        if raw.field not in {SET, SET_END, LENGTH}
    )
    kind = opened.kind.decode("ascii", "replace").strip()
    return RecordSet(kind, lines, tuple(_warnings(opened)))


def _declared(opened: _Open) -> str:
    said = {raw.field: raw.content.decode("ascii", "replace").strip() for raw in reversed(opened.lines)}
    if CHARACTER_SET in said:
        return _DECLARED_SETS.get(said[CHARACTER_SET], _DEFAULT)
    return _DEFAULT_35 if said.get(VERSION_35, "").startswith("3.5") else _DEFAULT


def _text(raw: _Raw, encoding: str) -> str:
    try:
        return raw.content.decode(encoding)
    except UnicodeDecodeError as error:
        message = f"field {raw.field} is not in {encoding}; check the setting encoding"
        raise DecodeError("encoding", message, offset=raw.offset + 7 + error.start) from None


def _warnings(opened: _Open) -> Iterator[str]:
    wrong = [raw.field for raw in opened.lines if raw.stated != raw.size]
    if wrong:
        yield f"lengths of lines do not match: field {', '.join(dict.fromkeys(wrong))}"
    counted = sum(raw.size for raw in opened.lines)
    for raw in opened.lines:
        if raw.field == LENGTH and not (raw.content.strip().isdigit() and int(raw.content) == counted):
            yield f"8100 does not match: {counted} bytes counted"
    ends = [raw.content for raw in opened.lines if raw.field == SET_END]
    if ends and ends != [opened.kind]:
        yield "8001 does not match 8000"
