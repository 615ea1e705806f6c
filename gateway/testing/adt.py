"""Messages that an EHR's registration desk sends: who is in which room."""

from datetime import datetime

from gateway.hl7.building import Er7, build
from gateway.hl7.timestamps import hl7_time
from gateway.model import Encounter, Identifier


def adt_a04(
    encounter: Encounter, *, control_id: str, sent_at: datetime, facility: str = "NORTHCLINIC"
) -> bytes:
    """ADT^A04 of HL7 v2.5.1: the patient is registered and goes to the encounter's room.

    Parameters
    ----------
    encounter : Encounter
        Its location is PV1-3, made from the room where it states none.
    control_id : str
        MSH-10, at most 20 characters.
    sent_at : datetime
        With its zone.
    facility : str
        MSH-4, the sender's.
    """
    patient = encounter.patient
    location = Er7(encounter.location) if encounter.location else ("", encounter.room)
    visit = _cx(encounter.visit) if encounter.visit else ""
    return build(
        (
            (
                "MSH",
                {
                    3: "REG", 4: facility, 5: "GATEWAY", 6: facility, 7: hl7_time(sent_at),
                    9: ("ADT", "A04", "ADT_A01"), 10: control_id, 11: "P", 12: "2.5.1", 18: "UNICODE UTF-8",
                },
            ),
            ("EVN", {1: "A04", 2: hl7_time(sent_at)}),
            (
                "PID",
                {
                    1: "1",
                    3: [_cx(identifier) for identifier in patient.identifiers],
                    5: (patient.family_name, patient.given_name, patient.middle_name, "", "", "", "L"),
                    7: patient.birth_date,
                    8: patient.sex,
                },
            ),
            (
                "PV1",
                {
                    1: "1", 2: encounter.patient_class or "O", 3: location, 19: visit,
                    44: hl7_time(encounter.opened_at),
                },
            ),
        )
    )  # fmt: skip


def _cx(identifier: Identifier) -> tuple[str, ...]:
    return (identifier.value, "", "", identifier.authority, identifier.type)
