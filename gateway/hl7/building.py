"""Messages from plain values. The only place where text is escaped.

A segment is its name and its fields by number::

    ("PID", {3: [("8834021", "", "", "NORTH", "MR")], 5: ("TESTPATIENT", "ALMA"), 7: "19610417"})

=================  ==========================================================
str, int, Decimal  the value; escaped
tuple              components; a tuple inside it, subcomponents
list               repetitions
``""``, None       not stated
``Er7(...)``       text that is already encoded, such as a numeric array
``DELETE``         HL7's null, two quotes: the receiver is to delete what it has
=================  ==========================================================
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from gateway.errors import Hl7Error
from gateway.hl7.charsets import charset_named, is_wide
from gateway.hl7.delimiters import STANDARD, Delimiters, escaper, special_characters
from gateway.hl7.message import place


class Er7(str):
    """Text that is already ER7: it leaves as it is."""

    __slots__ = ()


DELETE = Er7('""')

Value: TypeAlias = str | int | Decimal | None
Component: TypeAlias = Value | tuple[Value, ...]
Repetition: TypeAlias = Value | tuple[Component, ...]
Field: TypeAlias = Repetition | list[Repetition]
SegmentValues: TypeAlias = tuple[str, Mapping[int, Field]]


def numeric_array(channels: Iterable[Sequence[int | str]], delimiters: Delimiters = STANDARD) -> Er7:
    """Channels of samples as an OBX-5 of type NA: values by component, channels by repetition.

    "" is a sample that is missing.
    """
    return Er7(delimiters.repetition.join([delimiters.component.join(map(str, c)) for c in channels]))


def _number(value: int | Decimal) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        raise Hl7Error(f"{value} is not a number that a message can hold")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


@lru_cache(maxsize=16)
def _line_writer(delimiters: Delimiters) -> Callable[[str, Mapping[int, Field]], str]:
    special, escape = special_characters(delimiters).search, escaper(delimiters)
    between_fields, between_components = delimiters.field, delimiters.component
    between_subcomponents = delimiters.subcomponent

    def plain(value: Value) -> str:
        if isinstance(value, str):
            return value if isinstance(value, Er7) else escape(value)
        return "" if value is None else _number(value)

    def component(value: Component) -> str:
        if isinstance(value, tuple):
            return between_subcomponents.join(map(plain, value)).rstrip(between_subcomponents)
        return plain(value)

    def components(parts: tuple[Component, ...]) -> str:
        try:
            # Nearly every tuple is text without a special character: one search for all of it.
            text = between_components.join(parts)  # type: ignore[arg-type]  # parts that are not text raise
            if special("".join(parts)) is not None:  # type: ignore[arg-type]  # as above
                text = between_components.join(map(component, parts))
        except TypeError:
            text = between_components.join(map(component, parts))
        return text.rstrip(between_components) if text.endswith(between_components) else text

    def field(value: Field) -> str:
        if isinstance(value, tuple):
            return components(value)
        if isinstance(value, list):
            return delimiters.repetition.join(map(field, value))
        return plain(value)

    def line(name: str, fields: Mapping[int, Field]) -> str:
        texts = [name] + [""] * max(fields, default=0)
        for number, value in fields.items():
            if type(value) is str and special(value) is None:
                texts[number] = value
            else:
                texts[number] = field(value)
        return between_fields.join(texts).rstrip(between_fields)

    return line


def _encoded(text: str, stated: Field) -> bytes:
    names = tuple(str(name) for name in (stated if isinstance(stated, list) else [stated or ""]))
    charset = charset_named(names)
    if is_wide(charset):
        raise Hl7Error("UTF-16 and UTF-32 cannot be sent over MLLP", segment="MSH", field=18)
    try:
        return charset.encode(text)
    except UnicodeEncodeError as error:
        segment, number = place(text[: error.start])
    raise Hl7Error(
        "holds a character that the message's MSH-18 has no code for", segment=segment, field=number
    )


def build(segments: Iterable[SegmentValues], delimiters: Delimiters = STANDARD) -> bytes:
    """A message, each segment ended by CR, in the character set that its MSH-18 states (none: ASCII).

    Parameters
    ----------
    segments : iterable of (name, fields by number)
        MSH first, without MSH-1 and MSH-2, which `delimiters` gives.

    Raises
    ------
    Hl7Error
        MSH is not first, a character is not in the stated character set, or a Decimal is not a number.
        Names the segment and the field; no character is ever replaced.
    """
    (name, header), *rest = segments
    if name != "MSH":
        raise Hl7Error("a message begins with MSH", segment="MSH")
    line = _line_writer(delimiters)
    shifted = {number - 1: value for number, value in header.items() if number > 2}
    lines = [line("MSH", {1: Er7(delimiters.msh_2), **shifted})]
    lines += [line(name, fields) for name, fields in rest]
    return _encoded("\r".join(lines) + "\r", header.get(18))
