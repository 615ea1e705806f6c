"""HL7's data types: what a component, and a value of several components, has to look like.

HL7 v2.5.1 chapter 2A. A type that is not listed here holds any text.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TypeAlias

from gateway.hl7.validation.tables import table_fault

Parts: TypeAlias = tuple[str, ...]
ComponentFault: TypeAlias = tuple[int | None, str]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_SEQUENCE = re.compile(r"\d{1,4}", re.ASCII)
_TIME = r"(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:\.\d{1,4})?)?)?"
_ZONE = r"(?:[+-](?P<zone_hour>\d\d)(?P<zone_minute>\d\d))?"
_DATE = r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)"
_DATE_ONLY = re.compile(rf"{_DATE})?)?", re.ASCII)
_DATE_TIME = re.compile(rf"{_DATE}(?:{_TIME})?)?)?{_ZONE}", re.ASCII)
_TIME_ONLY = re.compile(_TIME + _ZONE, re.ASCII)
_LIMITS = {"hour": 23, "minute": 59, "second": 59, "zone_hour": 14, "zone_minute": 59}
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII)
_COMPARATORS = frozenset({"", ">", "<", ">=", "<=", "=", "<>"})
_SEPARATORS = frozenset({"", "-", "+", "/", ".", ":"})


def _number(text: str) -> str | None:
    return None if _NUMBER.fullmatch(text) else "not a number"


def _sequence(text: str) -> str | None:
    return None if _SEQUENCE.fullmatch(text) else "not a sequence number of at most four digits"


def _moment(pattern: re.Pattern[str], what: str) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        found = pattern.fullmatch(text)
        if found is None:
            return f"not a {what}"
        given = {name: int(digits) for name, digits in found.groupdict().items() if digits}
        if any(given.get(name, 0) > limit for name, limit in _LIMITS.items()):
            return f"no {what} has such an hour, minute, second or zone"
        try:
            date(given.get("year", 2000), given.get("month", 1), given.get("day", 1))
        except ValueError:
            return f"no {what} has such a year, month or day"
        return None

    return check


def _oid(text: str) -> str | None:
    return None if _OID.fullmatch(text) else "not an object identifier"


_TIME_STAMP = _moment(_DATE_TIME, "time stamp (YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ])")
_CHECKS: Mapping[str, Callable[[str], str | None]] = MappingProxyType(
    {
        "NM": _number,
        "SI": _sequence,
        "DT": _moment(_DATE_ONLY, "date (YYYY[MM[DD]])"),
        "TM": _moment(_TIME_ONLY, "time (HH[MM[SS[.S]]][+ZZZZ])"),
        "DTM": _TIME_STAMP,
        "TS": _TIME_STAMP,
        "OID": _oid,
    }
)


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a type: its primitive type or table, and whether it has to be there."""

    number: int
    type: str = "ST"
    required: bool = False
    table: str = ""


def _c(number: int, kind: str = "ST", *, required: bool = False, table: str = "") -> Component:
    return Component(number, kind, required, table)


_COMPOSITES: Mapping[str, tuple[Component, ...]] = MappingProxyType(
    {
        "CX": (_c(1, required=True), _c(7, "DT"), _c(8, "DT")),
        "XPN": (_c(7, "ID", table="0200"), _c(8, "ID", table="0465")),
        "EI": (_c(1, required=True), _c(4, "ID", table="0301")),
        "HD": (_c(3, "ID", table="0301"),),
        "MSG": (_c(1, "ID", required=True, table="0076"), _c(2, "ID", table="0003")),
        "PT": (_c(1, "ID", required=True, table="0103"),),
        "VID": (_c(1, "ID", required=True, table="0104"),),
        "CQ": (_c(1, "NM"),),
        "ED": (
            _c(2, "ID", required=True, table="0191"),
            _c(4, "ID", required=True, table="0299"),
            _c(5, required=True),
        ),
        "RP": (_c(1, required=True),),
        "SN": (_c(2, "NM"), _c(4, "NM")),
    }
)


def _nothing_more(_parts: Parts) -> Iterator[ComponentFault]:
    return iter(())


def _coded(parts: Parts) -> Iterator[ComponentFault]:
    if not any(_part(parts, number) for number in (1, 2, 4, 5, 9)):
        yield None, "neither a code nor a text"
        return
    for code, system in ((1, 3), (4, 6)):
        if _part(parts, system) and not (_part(parts, code) or _part(parts, code + 1)):
            yield code, "a coding system without a code"


def _hierarchic(parts: Parts) -> Iterator[ComponentFault]:
    if bool(_part(parts, 2)) != bool(_part(parts, 3)):
        yield 2, "a universal identifier and its type go together"
    if _part(parts, 3) == "ISO" and (fault := _oid(_part(parts, 2))):
        yield 2, fault


def _structured(parts: Parts) -> Iterator[ComponentFault]:
    if _part(parts, 1) not in _COMPARATORS:
        yield 1, "not a comparator (> < >= <= = <>)"
    if _part(parts, 3) not in _SEPARATORS:
        yield 3, "not a separator (- + / . :)"
    if not (_part(parts, 2) or _part(parts, 4)):
        yield 2, "a structured number without a number"


def _array(parts: Parts) -> Iterator[ComponentFault]:
    for number, text in enumerate(parts, start=1):
        if text and (fault := _number(text)):
            yield number, fault


def _encapsulated(parts: Parts) -> Iterator[ComponentFault]:
    encoding, data = _part(parts, 4).upper(), _part(parts, 5)
    try:
        if encoding == "BASE64":
            base64.b64decode(data.encode(), validate=True)
        elif encoding == "HEX":
            bytes.fromhex(data)
    except (binascii.Error, ValueError):
        yield 5, f"not {encoding.lower()}, which the encoding says it is"


_WHOLE: Mapping[str, Callable[[Parts], Iterator[ComponentFault]]] = MappingProxyType(
    {
        "CE": _coded,
        "CWE": _coded,
        "CNE": _coded,
        "HD": _hierarchic,
        "SN": _structured,
        "NA": _array,
        "ED": _encapsulated,
    }
)


def _part(parts: Parts, number: int) -> str:
    return parts[number - 1] if len(parts) >= number else ""


def primitive_fault(text: str, kind: str, table: str = "") -> str | None:
    """Why a text is not of that primitive type, or not of that table; None where it is."""
    if table:
        return table_fault(text, table)
    check = _CHECKS.get(kind)
    return check(text) if check else None


def value_faults(parts: Parts, kind: str, table: str = "") -> Iterator[tuple[int | None, bool, str]]:
    """What is wrong with one value of a field.

    Parameters
    ----------
    parts : tuple of str
        Its components, unescaped.
    kind : str
        Its data type; any text is right for one that is not known here.
    table : str
        Of the first component, where it is a coded one.

    Yields
    ------
    component, of_table, reason
    """
    if kind not in _COMPOSITES and kind not in _WHOLE:
        if (text := _part(parts, 1)) and (reason := primitive_fault(text, kind, table)):
            yield None, bool(table), reason
        return
    if table and (text := _part(parts, 1)) and (reason := table_fault(text, table)):
        yield 1, True, reason
    for component in _COMPOSITES.get(kind, ()):
        text = _part(parts, component.number)
        if not text:
            if component.required:
                yield component.number, False, "required in this data type, and empty"
        elif reason := primitive_fault(text, component.type, component.table):
            yield component.number, bool(component.table), reason
    for number, reason in _WHOLE.get(kind, _nothing_more)(parts):
        yield number, False, reason
