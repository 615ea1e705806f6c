"""Which patient a device is on: the reports of IHE's Point-of-Care Identity Management.

One message states that one device was associated with one patient, or is so no longer: DEV-52, from the
manager of associations, and DEV-51, from who asserts them. Fields and codes are those of the supplement PCIM
to the IHE Devices Technical Framework, revision 2.0 (public comment, 2024-04-11), appendix A.1. What tells
the message from another ORU is OBR-4: the supplement's own examples write MSH-21 in several ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.demographics import Person, person_of, visit_of
from gateway.hl7.message import Message, Segment
from gateway.hl7.timestamps import read_time
from gateway.model import Encounter

_ASSOCIATION, _DISASSOCIATION = "198332", "198334"
_CODED: tuple[tuple[str, int, Mapping[str, str]], ...] = (
    ("OBR", 4, MappingProxyType({"69136": "MDC_OBS_ASSOCIATION_PATIENT_DEVICE"})),
    ("OBX", 3, MappingProxyType({"68487": "MDC_ATTR_EVT_COND"})),
    (
        "OBX",
        5,
        MappingProxyType(
            {
                _ASSOCIATION: "MDC_EVT_ASSOCIATION_PATIENT_DEVICE",
                _DISASSOCIATION: "MDC_EVT_DISASSOCIATION_PATIENT_DEVICE",
            }
        ),
    ),
)
_ONCE = ("PID", "OBR", "OBX")
_EI_COMPONENTS = range(1, 5)

Word: TypeAlias = Literal["began", "ended", "void"]
_STATUSES: Mapping[tuple[str, str], Word] = MappingProxyType(
    {
        (_ASSOCIATION, "F"): "began",
        (_ASSOCIATION, "C"): "began",
        (_ASSOCIATION, "D"): "void",
        (_ASSOCIATION, "W"): "void",
        (_DISASSOCIATION, "F"): "ended",
        (_DISASSOCIATION, "C"): "ended",
    }
)
_TIMES: Mapping[Word, int] = MappingProxyType({"began": 11, "ended": 12})


@dataclass(frozen=True, slots=True)
class Associated:
    """What a report says of one association.

    Parameters
    ----------
    person : Person
    encounter : Encounter
        Of that patient and in no room, with the place and the visit that PV1 states.
    instance : str
        OBR-29.2, or OBR-3 of the report that was the first: the same in every report of the association.
    devices : tuple of str
        Every identifier of the device: PRT-10, repeating, and PRT-20.
    word : {"began", "ended", "void"}
        ``void``: it never was.
    at : datetime, optional
        From when on that holds, without a zone where the message states none. None of what is void.
    """

    person: Person
    encounter: Encounter
    instance: str
    devices: tuple[str, ...]
    word: Word
    at: datetime | None


def associated(message: Message, at: datetime) -> Associated | Refusal:
    """The report in a message that was received `at`."""
    if refusal := _not_a_report(message):
        return refusal
    who = person_of(message)
    if isinstance(who, Refusal):
        return who
    equipment = [
        segment for segment in message.segments if segment.name == "PRT" and segment.get(4) == "EQUIP"
    ]
    if len(equipment) != 1:
        return Refusal(101, f"one PRT names the device (EQUIP), not {len(equipment)}", "PRT", 4)
    return _report(message, who, equipment[0], at)


def _report(message: Message, who: Person, device: Segment, at: datetime) -> Associated | Refusal:
    word = _STATUSES[message.get("OBX-5"), message.get("OBX-11")]
    instance, devices = _instance(message), _identifiers(device)
    if not instance:
        return Refusal(101, "the association's instance identifier is missing", "OBR", 3)
    if not devices:
        return Refusal(101, "the device's identifier is missing", "PRT", 10)
    moment = read_time(device.get(_TIMES[word])) if word in _TIMES else None
    if moment is None and word in _TIMES:
        return Refusal(101, "the time at which it took place, to the minute, is missing", "PRT", _TIMES[word])
    visit = visit_of(message, who.patient, at) or Encounter(room="", patient=who.patient, opened_at=at)
    return Associated(who, replace(visit, room=""), instance, devices, word, moment)


def _not_a_report(message: Message) -> Refusal | None:
    for name, field, codes in _CODED:
        segment = message.segment(name)
        if segment is None or segment.get(field) not in codes or segment.get(field, 1, 3) != "MDC":
            known = " or ".join(f"{code}^{text}^MDC" for code, text in codes.items())
            return Refusal(103, f"only an association of a device is taken here: {known}", name, field)
    for name in _ONCE:
        if sum(segment.name == name for segment in message.segments) != 1:
            return Refusal(100, "a report is of one association", name)
    status = message.get("OBX-11")
    if status == "R":
        return Refusal(103, "asserted and not validated; it is taken once it is final (F)", "OBX", 11)
    if (message.get("OBX-5"), status) not in _STATUSES:
        return Refusal(103, "an association is F, C, D or W, a disassociation F or C", "OBX", 11)
    return None


def _instance(message: Message) -> str:
    obr = message.segment("OBR")
    assert obr is not None
    parent = [obr.get(29, 1, 2, part) for part in _EI_COMPONENTS]
    own = [obr.get(3, 1, part) for part in _EI_COMPONENTS]
    return "^".join(parent if parent[0] else own if own[0] else ()).rstrip("^")


def _identifiers(device: Segment) -> tuple[str, ...]:
    stated = [device.get(10, number) for number in range(1, len(device.repetitions(10)) + 1)]
    return tuple(dict.fromkeys(filter(None, (*stated, device.get(20)))))
