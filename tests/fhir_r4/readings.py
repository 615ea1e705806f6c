"""Invented readings of an invented person, and the transaction that each becomes."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from gateway.fhir import FhirProfile, build_transaction
from gateway.hl7.oru import Amendment
from gateway.model import Device, Encounter, Identifier, Observation, Patient, Reading

TAKEN = datetime(2026, 3, 2, 9, 14, 5, tzinfo=timezone(timedelta(hours=-5)))
SENT = datetime(2026, 3, 2, 14, 14, 11, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", "R", "19610417", "F")
VISIT = Encounter(
    room="EXAM3",
    patient=ALMA,
    location="FAMMED^EXAM3^^NORTH",
    visit=Identifier("V00991822", "VISITS", "VN"),
    opened_at=SENT,
)
MRN = "https://north.example.org/mrn"
OWN = "https://north.example.org/gateway"
PROFILE = FhirProfile(
    identifier_systems={"NORTH": MRN, "VISITS": "https://north.example.org/visits"}, own_system=OWN
)
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(
        Observation("systolic", Decimal("121"), "mm[Hg]", site="left-arm"),
        Observation("diastolic", Decimal("79"), "mm[Hg]", site="left-arm"),
        Observation("mean-arterial-pressure", Decimal("93"), "mm[Hg]", site="left-arm"),
        Observation("pulse-rate", Decimal("66"), "/min"),
    ),
    notes=("irregular pulse detected",),
    taken_at=TAKEN,
    device=Device("Exemplar", "C1", "5171100234", "EC:21:E5:00:00:01"),
)


def single(observation: Observation, kind: str = "laboratory") -> Reading:
    return Reading(kind=kind, observations=(observation,), taken_at=TAKEN)  # type: ignore[arg-type] # any kind


def transaction(
    reading: Reading,
    amendment: Amendment = "",
    *,
    patient: Patient = ALMA,
    profile: FhirProfile = PROFILE,
    encounter: Encounter | None = VISIT,
    control_id: str = "G7ABCDEF-0000000001",
    placer_number: str = "",
) -> bytes:
    return build_transaction(
        reading,
        patient,
        encounter,
        control_id=control_id,
        record="G7ABCDEF-R1-E1",
        sent_at=SENT,
        profile=profile,
        amendment=amendment,
        placer_number=placer_number,
    )


def resources(data: bytes, kind: str) -> list[dict[str, Any]]:
    """The resources of that kind, numbers as Decimal."""
    entries = json.loads(data, parse_float=Decimal, parse_int=Decimal)["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == kind]


def requests(data: bytes, kind: str) -> list[dict[str, str]]:
    return [
        entry["request"] for entry in json.loads(data)["entry"] if entry["resource"]["resourceType"] == kind
    ]
