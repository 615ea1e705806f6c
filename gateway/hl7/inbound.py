"""What an ADT message means for the rooms: who arrived, who left, whose particulars or identifiers changed.

Events: HL7 v2.5.1 chapter 3. A message that means nothing here is refused by name, never dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.building import DELETE
from gateway.hl7.delimiters import STANDARD, escaper
from gateway.hl7.message import Message, Segment
from gateway.model import Encounter, Identifier, Patient


@dataclass(frozen=True, slots=True)
class Arrived:
    """A patient is in a room from now on, and in no other."""

    encounter: Encounter


@dataclass(frozen=True, slots=True)
class Left:
    """A patient's visit has ended, or never was."""

    patient: Patient


@dataclass(frozen=True, slots=True)
class Updated:
    """A patient's particulars, wherever the patient is."""

    patient: Patient


@dataclass(frozen=True, slots=True)
class Merged:
    """Identifiers that were given up, each list for the patient who has what was filed under them.

    Parameters
    ----------
    pairs : tuple of (Patient, tuple of str)
        The surviving patient, and the retired identifiers as :attr:`Patient.id` writes them.
    """

    pairs: tuple[tuple[Patient, tuple[str, ...]], ...]


InboundEvent: TypeAlias = Arrived | Left | Updated | Merged


def meaning(message: Message, at: datetime) -> InboundEvent | Refusal:
    """What the message says happened, received `at`."""
    if message.type != "ADT":
        return Refusal(200, f"{message.type or 'no type'} is not taken here; ADT is", "MSH", 9)
    if message.version and not message.version.startswith("2."):
        return Refusal(203, "only version 2 is taken here", "MSH", 12)
    read = _EVENTS.get(message.trigger)
    if read is None:
        known = ", ".join(_EVENTS)
        return Refusal(201, f"event {message.trigger or '(none)'} is not taken here; {known} are", "MSH", 9)
    patient = _patient(message)
    return patient if isinstance(patient, Refusal) else read(message, patient, at)


def _arrived(message: Message, patient: Patient, at: datetime) -> Arrived | Refusal:
    visit = message.segment("PV1")
    room = _stated(visit, 3, 1, 2) if visit else ""
    if visit is None or not room:
        return Refusal(101, "the room is missing", "PV1", 3)
    return Arrived(
        Encounter(
            room=room,
            patient=patient,
            location=_location(visit),
            patient_class=_stated(visit, 2),
            visit=_visit_number(visit),
            opened_at=at,
        )
    )


def _left(_message: Message, patient: Patient, _at: datetime) -> Left:
    return Left(patient)


def _updated(_message: Message, patient: Patient, _at: datetime) -> Updated:
    return Updated(patient)


def _merged(message: Message, _first: Patient, _at: datetime) -> Merged | Refusal:
    """Each PID with the MRG that follows it; one without the other is no merge."""
    pairs: list[tuple[Patient, tuple[str, ...]]] = []
    waiting: Patient | None = None
    for segment in message.segments:
        if segment.name == "PID":
            patient = _person(segment)
            if isinstance(patient, Refusal):
                return patient
            if waiting is not None:
                break
            waiting = patient
        elif segment.name == "MRG" and waiting is not None:
            retired = tuple(identifier.text for identifier in _identifiers(segment, 1))
            if not retired:
                return Refusal(101, "the identifier that was given up is missing", "MRG", 1)
            pairs.append((waiting, retired))
            waiting = None
    return Refusal(100, "MRG is missing", "MRG") if waiting is not None else Merged(tuple(pairs))


_EVENTS: Mapping[str, Callable[[Message, Patient, datetime], InboundEvent | Refusal]] = {
    "A01": _arrived,
    "A02": _arrived,
    "A04": _arrived,
    "A10": _arrived,
    "A12": _arrived,
    "A13": _arrived,
    "A03": _left,
    "A11": _left,
    "A08": _updated,
    "A28": _updated,
    "A31": _updated,
    "A40": _merged,
    "A47": _merged,
}


def _patient(message: Message) -> Patient | Refusal:
    person = message.segment("PID")
    return Refusal(100, "PID is missing", "PID") if person is None else _person(person)


def _person(person: Segment) -> Patient | Refusal:
    identifiers = _identifiers(person, 3)
    if not identifiers:
        return Refusal(101, "the patient's identifier is missing", "PID", 3)
    return Patient(
        identifiers=identifiers,
        family_name=_stated(person, 5),
        given_name=_stated(person, 5, 1, 2),
        middle_name=_stated(person, 5, 1, 3),
        birth_date=_stated(person, 7),
        sex=_stated(person, 8),
    )


def _identifiers(segment: Segment, field: int) -> tuple[Identifier, ...]:
    return tuple(
        Identifier(_stated(segment, field, n), _stated(segment, field, n, 4), _stated(segment, field, n, 5))
        for n in range(1, len(segment.repetitions(field)) + 1)
        if _stated(segment, field, n)
    )


def _stated(segment: Segment, field: int, repetition: int = 1, component: int = 1) -> str:
    """A value, with "" for the null that says that there is none."""
    value = segment.get(field, repetition, component)
    return "" if value == DELETE else value


def _location(visit: Segment) -> str:
    """PV1-3 in the usual delimiters, whichever it came in."""
    escape = escaper(STANDARD)
    count = len((visit.repetitions(3) or ("",))[0].split(visit.syntax.delimiters.component))
    return STANDARD.component.join(escape(visit.get(3, component=n)) for n in range(1, count + 1)).rstrip(
        STANDARD.component
    )


def _visit_number(visit: Segment) -> Identifier | None:
    value = _stated(visit, 19)
    return Identifier(value, visit.get(19, component=4), visit.get(19, component=5)) if value else None
