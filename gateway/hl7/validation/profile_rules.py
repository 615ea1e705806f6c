"""What a plain LOINC profile asks of a result beyond the standard: one row a rule.

Codes are LOINC or declared local, units UCUM, times carry their zone, numbers their unit.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from gateway.hl7.message import Message, Segment
from gateway.hl7.profiles import PROFILES, Profile

SegmentRule: TypeAlias = tuple[str, int, int | None, Callable[[Segment], bool], str]
ProfileFault: TypeAlias = tuple[str, int, int | None, str]

VALIDATED_PROFILES = ("loinc-2.5.1", "loinc-2.3")
_ZONED = re.compile(r".*[+-]\d{4}", re.ASCII)
_LOINC = re.compile(r"(\d{1,7})-(\d)", re.ASCII)


def _zoned(field: int) -> Callable[[Segment], bool]:
    return lambda segment: not (text := segment.get(field)) or _ZONED.fullmatch(text) is not None


def _stated(field: int, component: int = 1) -> Callable[[Segment], bool]:
    return lambda segment: bool(segment.get(field, component=component))


def _system(field: int, *systems: str) -> Callable[[Segment], bool]:
    return lambda segment: not segment.get(field) or segment.get(field, component=3) in systems


def is_loinc(code: str) -> bool:
    """The code has LOINC's form, and its check digit is right (Luhn's, over the digits before the hyphen)."""
    found = _LOINC.fullmatch(code)
    if found is None:
        return False
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(found[1])))
    total = sum(number // 10 + number % 10 for number in doubled)
    return (10 - total % 10) % 10 == int(found[2])


def _loinc(field: int) -> Callable[[Segment], bool]:
    return lambda segment: segment.get(field, component=3) != "LN" or is_loinc(segment.get(field))


def _has_unit(result: Segment) -> bool:
    return (
        result.get(2) not in ("NM", "SN")
        or not result.get(5, component=2 if result.get(2) == "SN" else 1)
        or bool(result.get(6))
    )


_RULES: tuple[SegmentRule, ...] = (
    ("MSH", 7, None, _zoned(7), "the time states no zone"),
    ("OBR", 3, None, _stated(3), "the filler's number is missing, by which corrections find the result"),
    ("OBR", 4, 3, _system(4, "LN", "L"), "the coding system is neither LN nor L"),
    ("OBR", 4, 1, _loinc(4), "not a LOINC code: its form or its check digit is wrong"),
    ("OBR", 7, None, _zoned(7), "the time states no zone"),
    ("OBR", 22, None, _zoned(22), "the time states no zone"),
    ("OBX", 3, 3, _system(3, "LN", "L"), "the coding system is neither LN nor L"),
    ("OBX", 3, 1, _loinc(3), "not a LOINC code: its form or its check digit is wrong"),
    ("OBX", 6, None, _has_unit, "a number without its unit"),
    ("OBX", 6, 3, _system(6, "UCUM"), "the unit's system is not UCUM"),
    ("OBX", 14, None, _stated(14), "nothing says when this was measured"),
    ("OBX", 14, None, _zoned(14), "the time states no zone"),
)
_VALUES: Mapping[int, Callable[[Profile], str]] = MappingProxyType(
    {12: lambda profile: profile.version, 18: lambda profile: profile.character_set}
)


def profile_faults(message: Message, profile: str) -> Iterator[tuple[int, ProfileFault]]:
    """What the profile does not allow: the segment's index, then its name, field, component and reason."""
    wanted = PROFILES[profile]
    header = message.header
    stated = tuple(header.get(9, component=n) for n in range(1, len(wanted.message_type) + 1))
    if stated != wanted.message_type:
        yield 0, ("MSH", 9, None, f"{profile} has {'^'.join(wanted.message_type)} here")
    for number, value_in in _VALUES.items():
        if header.get(number) != value_in(wanted):
            yield 0, ("MSH", number, None, f"{profile} has {value_in(wanted)} here")
    if message.type != "ORU":
        return
    for index, segment in enumerate(message.segments):
        if segment.name == "OBX" and not wanted.equipment and segment.raw(18):
            yield index, ("OBX", 18, None, f"version {wanted.version} has no such field")
        for name, field, component, holds, reason in _RULES:
            if name == segment.name and not holds(segment):
                yield index, (name, field, component, reason)
