"""A reading as a GDT examination: read back by the gateway's own driver it is the reading that it was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.gdt import RecordSet, parse_file
from gateway.drivers import Conversation, load
from gateway.drivers.contract import Measured
from gateway.drivers.gdt import Session
from gateway.errors import UnsendableError
from gateway.gdt import GdtProfile, build_examination
from gateway.hl7.oru import Amendment
from gateway.model import Identifier, Observation, Patient, Reading, ReadingKind, Sent
from gateway.model.vocabulary import TERMS

BERLIN = ZoneInfo("Europe/Berlin")
TAKEN = datetime(2026, 3, 2, 8, 14, 5, tzinfo=UTC)
SENT = datetime(2026, 3, 2, 9, 14, 11, tzinfo=BERLIN)
ALMA = Patient(
    (Identifier("44", "KIS"), Identifier("8834021", "PRAXIS", "MR")), "MÜLLER", "ALMA", "R", "19610417", "F"
)
PROFILE = GdtProfile(patient_authority="PRAXIS")
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(
        Observation("systolic", Decimal("121"), "mm[Hg]"),
        Observation("diastolic", Decimal("79.0"), "mm[Hg]"),
    ),
    notes=("irregular pulse detected",),
    taken_at=TAKEN,
)
PRESSURE_FILE = """\
01380006310
014810000481
0178315PRAX_EDV
0168316GATEWAY
01092062
014921802.10
01630008834021
0153101MÜLLER
0133102ALMA
017310317041961
01031102
017620002032026
0156201091405
0148402BDM00
0336227irregular pulse detected
0326227Nr. G7ABCDEF-0000000001
0178410systolic
0328411Systolic blood pressure
0128420121
0138421mmHg
017843202032026
0158439091405
0188410diastolic
0338411Diastolic blood pressure
013842079.0
0138421mmHg
017843202032026
0158439091405
"""


def _file(
    reading: Reading, amendment: Amendment = "", profile: GdtProfile = PROFILE, patient: Patient = ALMA
) -> bytes:
    return build_examination(
        reading,
        patient,
        control_id="G7ABCDEF-0000000001",
        sent_at=SENT,
        profile=profile,
        amendment=amendment,
    )


def _set(data: bytes) -> RecordSet:
    (found,) = parse_file(data)
    assert found.warnings == ()
    return found


def _said(data: bytes, number: str) -> list[str]:
    return [line.content for line in _set(data).lines if line.field == number]


def _single(observation: Observation, kind: str = "laboratory", **more: Any) -> Reading:
    return Reading(kind=kind, observations=(observation,), taken_at=TAKEN, **more)  # type: ignore[arg-type] # any kind


def test_a_file_is_what_the_description_of_gdt_says():
    assert _file(PRESSURE) == PRESSURE_FILE.replace("\n", "\r\n").encode("cp437")


def _read_back(data: bytes) -> list[Reading]:
    events = Session("laboratory", "declared").received(data, "", SENT)
    return [event.reading for event in events if isinstance(event, Measured)]


_DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?", fullmatch=True).map(Decimal)
_KNOWN = [(term.name, unit) for term in TERMS for unit in term.units]
_QUANTITIES = st.builds(
    lambda known, value, comparator: Observation(known[0], value, known[1] or None, comparator),
    st.sampled_from(_KNOWN),
    _DIGITS,
    st.sampled_from([None, "<", "<=", ">=", ">"]),
)


@given(
    st.lists(_QUANTITIES, min_size=1, max_size=6).map(tuple),
    st.sampled_from(get_args(ReadingKind)),
    st.sampled_from(["cp437", "cp1252", "ascii"]),
    st.sampled_from([".", ","]),
)
def test_our_own_driver_reads_the_same_numbers_units_and_time(
    observations: tuple[Observation, ...], kind: ReadingKind, character_set: Any, mark: Any
):
    profile = replace(PROFILE, character_set=character_set, decimal_mark=mark)
    patient = replace(ALMA, family_name="TESTPATIENT")
    reading = Reading(kind=kind, observations=observations, taken_at=TAKEN)
    if character_set == "ascii" and any(o.unit in {"Cel", "deg", "umol/L"} for o in observations):
        with pytest.raises(UnsendableError, match="field 8421"):
            _file(reading, profile=profile, patient=patient)
        return
    data = _file(reading, profile=profile, patient=patient)
    (found,) = _read_back(data)
    results = tuple(o for o in found.observations if o.name != "comment")
    assert [(o.name, str(o.value), o.unit, o.comparator) for o in results] == [
        (o.name, str(o.value), o.unit, o.comparator) for o in observations
    ]
    assert found.taken_at == datetime(2026, 3, 2, 9, 14, 5)  # noqa: DTZ001 - the file states no zone
    assert found.subject == "8834021"


def test_a_file_that_leaves_comes_back_through_a_folder_as_it_was():
    conversation = Conversation.start(
        load("gdt"), {"reading_kind": "blood-pressure"}, device=None, zone=BERLIN
    )
    found = conversation.received(_file(PRESSURE), "", SENT)
    readings = [event.reading for event in found if isinstance(event, Measured)]
    assert [(r.kind, r.taken_at) for r in readings] == [("blood-pressure", TAKEN)]


@pytest.mark.parametrize(
    ("character_set", "declared", "byte"), [("cp437", "2", b"M\x9aLLER"), ("cp1252", "3", b"M\xdcLLER")]
)
def test_a_file_is_in_the_character_set_that_it_names(character_set: Any, declared: str, byte: bytes):
    data = _file(PRESSURE, profile=replace(PROFILE, character_set=character_set))
    assert _said(data, "9206") == [declared]
    assert byte in data
    assert _said(data, "3101") == ["MÜLLER"]


@pytest.mark.parametrize(
    ("reading", "patient", "field"),
    [
        (PRESSURE, replace(ALMA, family_name="DVOŘÁK"), "3101"),
        (PRESSURE, replace(ALMA, given_name="Łucja"), "3102"),
        (_single(Observation("marker", text="≥ 3")), ALMA, "8480"),
        (replace(PRESSURE, notes=("☃",)), ALMA, "6227"),
        (replace(PRESSURE, notes=("x" * 991,)), ALMA, "6227"),
        (_single(Observation("marker", Decimal("Infinity"))), ALMA, "8420"),
        (replace(PRESSURE, taken_at=None), ALMA, "6200"),
        (PRESSURE, replace(ALMA, identifiers=ALMA.identifiers[:1]), "3000"),
    ],
)
def test_what_a_file_cannot_hold_is_named_by_field_and_nothing_of_it_is_told(
    reading: Reading, patient: Patient, field: str
):
    with pytest.raises(UnsendableError, match=f"field {field}") as refused:
        _file(
            reading, profile=replace(PROFILE, character_set="cp1252"), patient=replace(patient, birth_date="")
        )
    assert not {"DVO", "ucja", "44", "8834021"} & set(str(refused.value).split())


@given(st.text(max_size=30), st.sampled_from(["cp437", "cp1252", "ascii"]))
def test_a_name_is_handed_over_whole_or_not_at_all(name: str, character_set: Any):
    profile = replace(PROFILE, character_set=character_set)
    try:
        data = _file(PRESSURE, profile=profile, patient=replace(ALMA, family_name=name))
    except UnsendableError:
        return
    assert _said(data, "3101") == ([name] if name else [])


def test_a_withdrawal_has_no_result_and_says_what_does_not_hold():
    data = _file(PRESSURE.noted("wrong cuff; withdrawn"), "W")
    assert _said(data, "8410") == []
    assert _said(data, "6220") == [
        "Storno: Messung vom 02.03.2026 09:14:05 gilt nicht",
        "systolic 121 mmHg",
        "diastolic 79.0 mmHg",
    ]
    assert "wrong cuff; withdrawn" in _said(data, "6227")


def test_a_correction_says_so_with_its_results():
    data = _file(PRESSURE, "C")
    assert _said(data, "6227")[0] == "Korrektur"
    assert _said(data, "8420") == ["121", "79.0"]


def test_what_a_number_does_not_say_is_a_remark():
    questionable = _single(
        Observation("temperature", Decimal("36.60"), "Cel", site="ear", as_sent=Sent(Decimal("309.75"), "K")),
        "temperature",
        status="questionable",
    )
    data = _file(questionable, profile=replace(PROFILE, decimal_mark=","))
    assert _said(data, "8470") == [
        "fraglich, nicht bestätigt",
        "Messort: ear",
        "vom Gerät gesendet: 309,75 K",
    ]
    assert (_said(data, "8420"), _said(data, "8421")) == (["36,60"], ["°C"])


def test_words_and_nothing_are_told_apart():
    assert _said(_file(_single(Observation("nitrite", text="Negative"))), "8480") == ["Negative"]
    assert _said(_file(_single(Observation("nitrite"))), "8470") == ["kein Wert"]


@pytest.mark.parametrize(
    ("birth_date", "sex", "day", "number"),
    [("19610417", "F", ["17041961"], ["2"]), ("196104", "U", [], []), ("", "M", [], ["1"])],
)
def test_what_is_not_known_of_a_patient_is_left_out(
    birth_date: str, sex: str, day: list[str], number: list[str]
):
    data = _file(PRESSURE, patient=replace(ALMA, birth_date=birth_date, sex=sex))
    assert (_said(data, "3103"), _said(data, "3110")) == (day, number)


def test_a_practice_system_gets_its_own_codes_of_tests_and_examinations():
    own = replace(PROFILE, tests={"systolic": "SYS"}, examinations={"blood-pressure": "BDM01"})
    data = _file(PRESSURE, profile=own)
    assert (_said(data, "8410"), _said(data, "8402")) == (["SYS", "diastolic"], ["BDM01"])
    assert _said(_file(_single(Observation("weight", Decimal(70), "kg"), "weight")), "8402") == ["ALLG00"]


def test_times_are_the_sites_whatever_zone_a_device_states():
    abroad = replace(
        PRESSURE, taken_at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=timezone(timedelta(hours=-8)))
    )
    data = _file(abroad)
    assert (_said(data, "6200"), _said(data, "6201")) == (["02032026"], ["085959"])
