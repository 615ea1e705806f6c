"""Who, and in which room: PID and PV1 as a patient and a visit (HL7 v2.5.1 chapter 3, section 3.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.building import DELETE
from gateway.hl7.delimiters import STANDARD, escaper
from gateway.hl7.message import Message, Segment
from gateway.model import Encounter, Identifier, Patient
from gateway.model.patient import Particular

_FIELDS: Mapping[Particular, int] = MappingProxyType({"name": 5, "birth_date": 7, "sex": 8})


@dataclass(frozen=True, slots=True)
class Person:
    """A patient, and which particulars the message states; what it leaves empty it says nothing of.

    Parameters
    ----------
    patient : Patient
    stated : frozenset of str
        A stated one that is empty was HL7's null: there is none any more.
    """

    patient: Patient
    stated: frozenset[Particular]


def person_of(message: Message) -> Person | Refusal:
    """The patient of the first PID."""
    segment = message.segment("PID")
    return Refusal(100, "PID is missing", "PID") if segment is None else person(segment)


def person(segment: Segment) -> Person | Refusal:
    """The patient of a PID."""
    found = identifiers(segment, 3)
    if not found:
        return Refusal(101, "the patient's identifier is missing", "PID", 3)
    patient = Patient(
        identifiers=found,
        family_name=value(segment, 5),
        given_name=value(segment, 5, 1, 2),
        middle_name=value(segment, 5, 1, 3),
        birth_date=value(segment, 7),
        sex=value(segment, 8),
    )
    return Person(patient, frozenset(name for name, field in _FIELDS.items() if segment.raw(field)))


def visit_of(message: Message, patient: Patient, at: datetime) -> Encounter | None:
    """The visit that PV1 states, from `at` on; None where it names no room."""
    visit = message.segment("PV1")
    room = value(visit, 3, 1, 2) if visit else ""
    if visit is None or not room:
        return None
    return Encounter(
        room=room,
        patient=patient,
        location=as_received(visit, 3),
        patient_class=value(visit, 2),
        visit=_visit_number(visit),
        opened_at=at,
    )


def identifiers(segment: Segment, field: int) -> tuple[Identifier, ...]:
    """Every identifier that a field states (CX, repeating)."""
    return tuple(
        Identifier(value(segment, field, n), value(segment, field, n, 4), value(segment, field, n, 5))
        for n in range(1, len(segment.repetitions(field)) + 1)
        if value(segment, field, n)
    )


def value(segment: Segment, field: int, repetition: int = 1, component: int = 1) -> str:
    """A value, with "" for the null that says that there is none."""
    text = segment.get(field, repetition, component)
    return "" if text == DELETE else text


def as_received(segment: Segment, field: int) -> str:
    """A field's components, to be given back, in the usual delimiters whichever they came in."""
    escape = escaper(STANDARD)
    count = len((segment.repetitions(field) or ("",))[0].split(segment.syntax.delimiters.component))
    texts = (value(segment, field, 1, number) for number in range(1, count + 1))
    return STANDARD.component.join(map(escape, texts)).rstrip(STANDARD.component)


def _visit_number(visit: Segment) -> Identifier | None:
    number = value(visit, 19)
    return Identifier(number, visit.get(19, component=4), visit.get(19, component=5)) if number else None
