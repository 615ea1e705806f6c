"""Segments that a site asks for besides the usual ones: Z-segments and others, written as templates.

A field of a template is fixed text with names in braces, ``Room {room}``; what a name stands for is escaped
like any other text. A name of which nothing is known leaves nothing behind.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.hl7.building import Component, Field, SegmentValues
from gateway.model import Encounter, Patient, Reading

BUILT = ("MSH", "PID", "PV1", "ORC", "OBR", "OBX", "NTE")
"""What the gateway writes itself, in its order."""

PLACES = ("MSH", "PID", "PV1", "OBR", "OBX")
"""Behind which of these a segment may stand; behind all of its kind, and of what belongs to it."""

_LAST_OF_PLACE = {"OBX": "NTE"}
_NAME = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message is about."""

    reading: Reading
    patient: Patient
    encounter: Encounter | None
    filler_number: str
    placer_number: str
    time: Callable[[], str]


NAMES: Mapping[str, Callable[[Facts], str | None]] = MappingProxyType(
    {
        "kind": lambda f: f.reading.kind,
        "status": lambda f: f.reading.status,
        "time": lambda f: f.time(),
        "time_source": lambda f: f.reading.time_source,
        "sequence": lambda f: f.reading.sequence,
        "driver": lambda f: f.reading.driver,
        "vendor": lambda f: f.reading.device.vendor,
        "model": lambda f: f.reading.device.model,
        "serial": lambda f: f.reading.device.serial,
        "device_id": lambda f: f.reading.device.id,
        "patient_id": lambda f: f.patient.identifiers[0].value,
        "patient_authority": lambda f: f.patient.identifiers[0].authority,
        "family_name": lambda f: f.patient.family_name,
        "given_name": lambda f: f.patient.given_name,
        "birth_date": lambda f: f.patient.birth_date,
        "sex": lambda f: f.patient.sex,
        "room": lambda f: f.encounter.room if f.encounter else None,
        "visit": lambda f: f.encounter.visit.value if f.encounter and f.encounter.visit else None,
        "filler_number": lambda f: f.filler_number,
        "placer_number": lambda f: f.placer_number.partition("^")[0],
    }
)
"""What may stand in braces."""


@dataclass(frozen=True, slots=True)
class ExtraSegment:
    """One segment of a site's own.

    Parameters
    ----------
    name : str
    after : str
        One of ``PLACES``.
    fields : mapping of (field, component) to str
        Templates; a field without components has its text in component 1.
    """

    name: str
    after: str
    fields: Mapping[tuple[int, int], str]

    @property
    def unknown_names(self) -> tuple[str, ...]:
        """What stands in braces and means nothing."""
        stated = (name for text in self.fields.values() for name in _NAME.findall(text))
        return tuple(dict.fromkeys(name for name in stated if name not in NAMES))

    def filled(self, facts: Facts) -> SegmentValues:
        """The segment of one message."""
        parts: dict[int, dict[int, Component]] = {}
        for (field, component), template in self.fields.items():
            parts.setdefault(field, {})[component] = _filled(template, facts)
        return self.name, {number: _field(components) for number, components in parts.items()}


def _filled(template: str, facts: Facts) -> str:
    return _NAME.sub(lambda found: NAMES[found[1]](facts) or "", template)


def _field(components: Mapping[int, Component]) -> Field:
    return tuple(components.get(number, "") for number in range(1, max(components) + 1))


def with_extra(
    segments: Sequence[SegmentValues], extra: Sequence[ExtraSegment], facts: Facts
) -> list[SegmentValues]:
    """The segments with those of the site, each behind its place."""
    rank = {name: number for number, name in enumerate(BUILT)}
    placed = list(segments)
    for segment in reversed(extra):
        last = rank[_LAST_OF_PLACE.get(segment.after, segment.after)]
        behind = max(n for n, (name, _) in enumerate(placed) if rank.get(name, len(rank)) <= last)
        placed.insert(behind + 1, segment.filled(facts))
    return placed
