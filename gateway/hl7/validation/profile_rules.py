"""What a profile asks of a result beyond the standard: one row a rule.

Plain LOINC: codes are LOINC, units UCUM, times carry their zone, numbers their unit. IHE PCD-01 (PCD TF-2,
DEC): the sender has a universal identifier, a device stands before what it measured, and OBX-4 says what is
contained in what. A site's own codes (``L``, ``99...``) are right in either.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from gateway.hl7.message import Message, Segment
from gateway.hl7.profiles import PROFILES, Profile

SegmentRule: TypeAlias = tuple[str, int, int | None, Callable[[Segment], bool], str]
ProfileFault: TypeAlias = tuple[str, int, int | None, str]

VALIDATED_PROFILES = tuple(PROFILES)
_ZONED = re.compile(r".*[+-]\d{4}", re.ASCII)
_LOINC = re.compile(r"(\d{1,7})-(\d)", re.ASCII)
_LOCAL = re.compile(r"L|99[^\^]*")
_CONTAINED = re.compile(r"\d+(\.\d+){3,5}", re.ASCII)


def _zoned(field: int) -> Callable[[Segment], bool]:
    return lambda segment: not (text := segment.get(field)) or _ZONED.fullmatch(text) is not None


def _stated(field: int, component: int = 1) -> Callable[[Segment], bool]:
    return lambda segment: bool(segment.get(field, component=component))


def _system(field: int, *systems: str) -> Callable[[Segment], bool]:
    """The code is of one of the systems, or of the site's own."""

    def holds(segment: Segment) -> bool:
        system = segment.get(field, component=3)
        return not segment.get(field) or system in systems or _LOCAL.fullmatch(system) is not None

    return holds


def _observed(*systems: str) -> Callable[[Segment], bool]:
    """OBX-3 likewise; the leads of an EKG and their attributes are IEEE 11073's in any profile."""
    of_system = _system(3, *systems)

    def holds(result: Segment) -> bool:
        is_waveform = result.get(2) == "NA" or result.get(3, component=2).startswith("MDC_ATTR_")
        return of_system(result) or (is_waveform and result.get(3, component=3) == "MDC")

    return holds


def is_loinc(code: str) -> bool:
    """The code has LOINC's form, and its check digit is right (Luhn's, over the digits before the hyphen)."""
    found = _LOINC.fullmatch(code)
    if found is None:
        return False
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(found[1])))
    total = sum(number // 10 + number % 10 for number in doubled)
    return (10 - total % 10) % 10 == int(found[2])


def _loinc(field: int, component: int = 1) -> Callable[[Segment], bool]:
    def holds(segment: Segment) -> bool:
        code = segment.get(field, component=component)
        return not code or segment.get(field, component=component + 2) != "LN" or is_loinc(code)

    return holds


def _has_unit(result: Segment) -> bool:
    return (
        result.get(2) not in ("NM", "SN")
        or not result.get(5, component=2 if result.get(2) == "SN" else 1)
        or bool(result.get(6))
    )


def _is_contained(result: Segment) -> bool:
    return _CONTAINED.fullmatch(result.get(4)) is not None


_NO_ZONE = "the time states no zone"
_NO_LOINC = "not a LOINC code: its form or its check digit is wrong"
_NO_FILLER = "the filler's number is missing, by which corrections find the result"
_COMMON: tuple[SegmentRule, ...] = (
    ("MSH", 7, None, _zoned(7), _NO_ZONE),
    ("OBR", 3, None, _stated(3), _NO_FILLER),
    ("OBR", 4, 1, _loinc(4), _NO_LOINC),
    ("OBR", 4, 4, _loinc(4, 4), _NO_LOINC),
    ("OBR", 7, None, _zoned(7), _NO_ZONE),
    ("OBR", 22, None, _zoned(22), _NO_ZONE),
    ("OBX", 3, 1, _loinc(3), _NO_LOINC),
    ("OBX", 3, 4, _loinc(3, 4), _NO_LOINC),
    ("OBX", 6, None, _has_unit, "a number without its unit"),
    ("OBX", 14, None, _zoned(14), _NO_ZONE),
)
_RULES: Mapping[str, tuple[SegmentRule, ...]] = MappingProxyType(
    {
        "LN": (
            *_COMMON,
            ("OBR", 4, 3, _system(4, "LN"), "the coding system is neither LN nor the site's own"),
            ("OBX", 3, 3, _observed("LN"), "the coding system is neither LN nor the site's own"),
            ("OBX", 6, 3, _system(6, "UCUM"), "the unit's system is neither UCUM nor the site's own"),
            ("OBX", 14, None, _stated(14), "nothing says when this was measured"),
        ),
        "MDC": (
            *_COMMON,
            ("MSH", 3, 2, _stated(3, 2), "the sender's universal identifier is missing"),
            ("OBR", 7, None, _stated(7), "nothing says when this was measured"),
            (
                "OBX",
                3,
                3,
                _system(3, "MDC", "LN", "SCT"),
                "the coding system is not MDC, LN, SCT or the site's own",
            ),
            ("OBX", 4, None, _is_contained, "not what it is contained in: MDS.VMD.CHANNEL.METRIC[.FACET]"),
            ("OBX", 6, 3, _system(6, "MDC", "UCUM"), "the unit's system is not MDC, UCUM or the site's own"),
        ),
    }
)
_VALUES: Mapping[str, Mapping[int, Callable[[Profile], str]]] = MappingProxyType(
    {
        "LN": {12: lambda profile: profile.version, 18: lambda profile: profile.character_set},
        "MDC": {
            12: lambda profile: profile.version,
            15: lambda profile: profile.accept_ack,
            16: lambda profile: profile.application_ack,
        },
    }
)
_PCD_PROFILES = frozenset({"IHE_PCD_001", "PCD_DEC_001", "IHE_PCD_ORU_R01"})


def profile_faults(message: Message, profile: str) -> Iterator[tuple[int, ProfileFault]]:
    """What the profile does not allow: the segment's index, then its name, field, component and reason."""
    wanted = PROFILES[profile]
    header = message.header
    stated = tuple(header.get(9, component=n) for n in range(1, len(wanted.message_type) + 1))
    if stated != wanted.message_type:
        yield 0, ("MSH", 9, None, f"{profile} has {'^'.join(wanted.message_type)} here")
    for number, value_in in _VALUES[wanted.nomenclature].items():
        if header.get(number) != value_in(wanted):
            yield 0, ("MSH", number, None, f"{profile} has {value_in(wanted)} here")
    if message.type != "ORU":
        return
    for index, segment in enumerate(message.segments):
        if segment.name == "OBX" and not wanted.equipment and segment.raw(18):
            yield index, ("OBX", 18, None, f"version {wanted.version} has no such field")
        for name, field, component, holds, reason in _RULES[wanted.nomenclature]:
            if name == segment.name and not holds(segment):
                yield index, (name, field, component, reason)
    if wanted.nomenclature == "MDC":
        yield from _containment_faults(message)


def _containment_faults(message: Message) -> Iterator[tuple[int, ProfileFault]]:
    """MSH-21 names the profile, each OBX-4 is one, and every result has its device before it."""
    header = message.header
    profiles = {header.get(21, repetition) for repetition in range(1, len(header.repetitions(21)) + 1)}
    if not profiles & _PCD_PROFILES:
        yield 0, ("MSH", 21, None, f"none of {', '.join(sorted(_PCD_PROFILES))}")
    seen: set[tuple[str, str]] = set()
    devices = {"0"}  # the gateway itself
    for index, segment in enumerate(message.segments):
        if segment.name != "OBX":
            continue
        contained, device = segment.get(4), segment.get(4).partition(".")[0]
        if (segment.get(3), contained) in seen:
            yield index, ("OBX", 4, None, "the same code stands at the same place before")
        seen.add((segment.get(3), contained))
        if contained == f"{device}.0.0.0" and not segment.raw(5):
            devices.add(device)
            if segment.get(11) != "X":
                yield index, ("OBX", 11, None, "X, for a device has no value")
            if not segment.raw(18):
                yield index, ("OBX", 18, None, "the device is not identified")
        elif device not in devices:
            yield index, ("OBX", 4, None, f"no OBX before it is the device {device}.0.0.0")
