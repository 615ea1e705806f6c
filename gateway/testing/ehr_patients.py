"""What the fake EHR answers to a patient demographics query: of the patients it was given, those that fit."""

from collections.abc import Sequence
from datetime import datetime

from gateway.hl7 import Message
from gateway.hl7.acknowledgement import answer_segments
from gateway.hl7.building import Er7, Field, build
from gateway.hl7.message import Segment
from gateway.hl7.oru import patient_segment
from gateway.hl7.patient_query import query_parameter
from gateway.model import Identifier, Patient


def asks_for_patients(message: Message) -> bool:
    """Whether it is a QBP^Q22."""
    return (message.type, message.trigger) == ("QBP", "Q22") and message.segment("QPD") is not None


def answer_query(message: Message, patients: Sequence[Patient], *, control_id: str, at: datetime) -> bytes:
    """The RSP^K22 with every patient who has the identifier that QPD-3 asks for."""
    asked = message.segment("QPD")
    assert asked is not None
    found = [patient for patient in patients if _fits(patient, asked)]
    (name, header), acknowledged = answer_segments(
        message, "AA", control_id=control_id, at=at, response=("RSP", "K22", "RSP_K21")
    )
    echo: dict[int, Field] = {number: Er7(asked.raw(number)) for number in range(1, 9)}
    return build(
        [
            (name, header),
            acknowledged,
            ("QAK", {1: asked.get(2), 2: "OK" if found else "NF"}),
            ("QPD", echo),
            *(patient_segment(patient, number) for number, patient in enumerate(found, start=1)),
        ]
    )


def _fits(patient: Patient, asked: Segment) -> bool:
    wanted = dict(query_parameter(asked, n) for n in range(1, len(asked.repetitions(3)) + 1))
    number, authority = wanted.get("@PID.3.1"), wanted.get("@PID.3.4.1")
    return any(_is_asked(identifier, number, authority) for identifier in patient.identifiers)


def _is_asked(identifier: Identifier, number: str | None, authority: str | None) -> bool:
    return identifier.value == number and authority in (None, identifier.authority)
