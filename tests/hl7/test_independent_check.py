"""An independent reader agrees with what we send, and objects to what is built wrongly."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest

from gateway.hl7 import parse
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.oru import build_oru
from gateway.hl7.profiles import PROFILES
from gateway.model import Encounter, Identifier, Observation, Patient, Reading, ReadingKind

NOW = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", "R", "19610417", "F")
VISIT = Encounter(
    room="EXAM3",
    patient=ALMA,
    location="FAMMED^EXAM3^^NORTH",
    patient_class="O",
    visit=Identifier("V00991822", "NORTH", "VN"),
    opened_at=NOW,
)
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(
        Observation("systolic", Decimal(121), "mm[Hg]"),
        Observation("diastolic", Decimal(79), "mm[Hg]"),
    ),
    notes=("irregular pulse detected",),
    taken_at=NOW,
)


def _message(reading: Reading, profile: str = "loinc-2.5.1") -> bytes:
    return build_oru(
        reading, ALMA, VISIT, control_id="G-1", filler_number="G-R1", sent_at=NOW, profile=PROFILES[profile]
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", get_args(ReadingKind))
def test_every_kind_of_reading_is_well_built_in_every_profile(kind: ReadingKind, profile: str):
    reading = Reading(kind=kind, observations=PRESSURE.observations, notes=PRESSURE.notes, taken_at=NOW)
    assert structure_faults(parse(_message(reading, profile))) == ()


@pytest.mark.parametrize(
    ("good", "bad"),
    [(b"OBR|", b"ZBR|"), (b"PID|", b"OBX|9\rPID|")],
    ids=["no order", "a result before its patient"],
)
def test_segments_missing_or_out_of_place_are_refused(good: bytes, bad: bytes):
    assert structure_faults(parse(_message(PRESSURE).replace(good, bad)))


def test_what_hl7apy_cannot_read_is_a_fault_not_a_crash():
    assert structure_faults(parse(b"MSH|^~\\&|A||||||ORU^R01^ORU_R01|1|P|9.9\rPID|1\r"))
