"""A reading as a result message: the digits, unit, time and patient that it has, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Hl7Error
from gateway.hl7 import Message, parse
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.oru import build_oru
from gateway.hl7.profiles import PROFILES
from gateway.hl7.validation import validate
from gateway.model import Device, Encounter, Identifier, Observation, Patient, Reading, ReadingKind, rejected
from gateway.model.vocabulary import TERMS, UNITS

TAKEN = datetime(2026, 3, 2, 9, 14, 5, tzinfo=timezone(timedelta(hours=-5)))
SENT = datetime(2026, 3, 2, 14, 14, 11, tzinfo=UTC)
ALMA = Patient(
    (Identifier("8834021", "NORTH", "MR"), Identifier("4471902", "STATE", "PI")),
    "TESTPATIENT",
    "ALMA",
    "R",
    "19610417",
    "F",
)
VISIT = Encounter(
    room="EXAM3",
    patient=ALMA,
    location="FAMMED^EXAM3^^NORTH",
    patient_class="O",
    visit=Identifier("V00991822", "NORTH", "VN"),
    opened_at=SENT,
)
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(
        Observation("systolic", Decimal("121"), "mm[Hg]"),
        Observation("diastolic", Decimal("79"), "mm[Hg]"),
    ),
    notes=("irregular pulse detected",),
    taken_at=TAKEN,
    device=Device("A&D", "UA-651BLE", "5171100234"),
)


def _data(reading: Reading, *, encounter: Encounter | None = VISIT, profile: str = "loinc-2.5.1") -> bytes:
    return build_oru(
        reading,
        ALMA,
        encounter,
        control_id="G7-000001",
        filler_number="G7-R-000001",
        sent_at=SENT,
        profile=PROFILES[profile].between("EXAM", ("EHR", "NORTHCLINIC")),
    )


def _message(reading: Reading) -> Message:
    return parse(_data(reading))


def _single(observation: Observation) -> Message:
    return _message(Reading(kind="laboratory", observations=(observation,), taken_at=TAKEN))


PRESSURE_MESSAGE = r"""
MSH|^~\&|GATEWAY|EXAM|EHR|NORTHCLINIC|20260302141411+0000||ORU^R01^ORU_R01|G7-000001|P|2.5.1||||||UNICODE UTF-8
PID|1||8834021^^^NORTH^MR~4471902^^^STATE^PI||TESTPATIENT^ALMA^R||19610417|F
PV1|1|O|FAMMED^EXAM3^^NORTH||||||||||||||||V00991822^^^NORTH^VN
OBR|1||G7-R-000001^GATEWAY|85354-9^Blood pressure panel with all children optional^LN|||20260302091405-0500
    |||||||||||||||20260302141411+0000|||F
OBX|1|NM|8480-6^Systolic blood pressure^LN||121|mm[Hg]^millimeter of mercury^UCUM|||||F|||20260302091405-0500
    |||AMEAS^Automatic^HL70259|5171100234^A\T\D UA-651BLE
OBX|2|NM|8462-4^Diastolic blood pressure^LN||79|mm[Hg]^millimeter of mercury^UCUM|||||F|||20260302091405-0500
    |||AMEAS^Automatic^HL70259|5171100234^A\T\D UA-651BLE
NTE|1|L|irregular pulse detected
"""  # noqa: E501 - MSH is one line


def test_a_blood_pressure_with_its_patient_visit_device_and_note():
    expected = PRESSURE_MESSAGE.lstrip().replace("\n    ", "").replace("\n", "\r")
    assert _data(PRESSURE).decode() == expected


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "reading", [replace(PRESSURE, status="withdrawn"), replace(rejected("weight", "moved"), taken_at=TAKEN)]
)
def test_what_was_withdrawn_or_rejected_is_well_built_too(reading, profile):
    assert structure_faults(parse(_data(reading, profile=profile))) == ()


def test_version_2_3_has_two_components_in_msh_9_and_no_equipment():
    message = parse(_data(PRESSURE, profile="loinc-2.3"))
    assert (message.header.raw(9), message.version, message.get("OBX-18")) == ("ORU^R01", "2.3", "")


PCD_MESSAGE = r"""
MSH|^~\&|GATEWAY|EXAM|EHR|NORTHCLINIC|20260302141411+0000||ORU^R01^ORU_R01|G7-000001|P|2.6|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO
PID|1||8834021^^^NORTH^MR~4471902^^^STATE^PI||TESTPATIENT^ALMA^R||19610417|F
PV1|1|O|FAMMED^EXAM3^^NORTH||||||||||||||||V00991822^^^NORTH^VN
OBR|1|G7-R-000001^GATEWAY|G7-R-000001^GATEWAY|182777000^monitoring of patient^SCT|||20260302091405-0500
    |||||||||||||||20260302141411+0000|||F
OBX|1||528391^MDC_DEV_SPEC_PROFILE_BP^MDC|1.0.0.0|||||||X|||||||5171100234^A\T\D UA-651BLE
OBX|2|DTM|67975^MDC_ATTR_TIME_ABS^MDC|1.0.0.1|20260302091405-0500||||||R|||20260302091105-0500
OBX|3|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.0.0.2|121|266016^MDC_DIM_MMHG^MDC|||||F|||20260302091405-0500
    |||AMEAS^^MDC
OBX|4|NM|150022^MDC_PRESS_BLD_NONINV_DIA^MDC|1.0.0.3|79|266016^MDC_DIM_MMHG^MDC|||||F|||20260302091405-0500
    |||AMEAS^^MDC
NTE|1|L|irregular pulse detected
"""  # noqa: E501 - MSH is one line


def test_pcd_01_says_it_in_mdc_with_the_device_its_clock_and_what_is_contained_in_it():
    expected = PCD_MESSAGE.lstrip().replace("\n    ", "").replace("\n", "\r")
    drifted = replace(PRESSURE, clock_drift=timedelta(minutes=3))
    assert _data(drifted, profile="pcd-01").decode() == expected


def test_pcd_01_names_a_device_by_its_eui_64_where_it_has_one():
    known = replace(PRESSURE, device=Device(id="00:1c:05:01:00:a1:b2:c3"))
    equipment = parse(_data(known, profile="pcd-01")).segment("OBX")
    assert equipment is not None
    assert equipment.raw(18) == "001C050100A1B2C3^^001C050100A1B2C3^EUI-64"


@pytest.mark.parametrize(
    ("kind", "observation", "code", "unit"),
    [
        (
            "respiration",
            Observation("respiration-rate", Decimal(16), "/min"),
            "151562^MDC_RESP_RATE^MDC",
            "264928^MDC_DIM_RESP_PER_MIN^MDC",
        ),
        (
            "urinalysis",
            Observation("protein", Decimal(30), "mg/dL"),
            "5804-0^Protein [Mass/volume] in Urine by Test strip^LN",
            "264274^MDC_DIM_MILLI_G_PER_DL^MDC",
        ),
        (
            "laboratory",
            Observation("XYZ-9", Decimal(1), "umol/L"),
            "XYZ-9^XYZ-9^L",
            "umol/L^micromole per liter^UCUM",
        ),
    ],
)
def test_pcd_01_keeps_the_other_code_of_what_has_no_mdc_code(kind, observation, code, unit):
    message = parse(_data(Reading(kind=kind, observations=(observation,), taken_at=TAKEN), profile="pcd-01"))
    _, result = (segment for segment in message.segments if segment.name == "OBX")
    assert (result.raw(3), result.raw(6)) == (code, unit)


def test_pcd_01_flags_what_is_invalid_and_what_is_questionable():
    missing = replace(
        PRESSURE,
        status="questionable",
        observations=(*PRESSURE.observations, Observation("pulse-rate", unit="/min")),
    )
    message = parse(_data(missing, profile="pcd-01"))
    flagged = [(message.get(f"OBX[{n}]-8"), message.get(f"OBX[{n}]-11")) for n in (2, 3, 4)]
    assert flagged == [("QUES", "R"), ("QUES", "R"), ("INV", "X")]


_OBSERVATIONS = st.builds(
    Observation,
    st.sampled_from(sorted({term.name for term in TERMS})),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-10000, max_value=10000) | st.none(),
    st.sampled_from(sorted(UNITS)) | st.none(),
)


@pytest.mark.parametrize("profile", PROFILES)
@given(
    kind=st.sampled_from(get_args(ReadingKind)), observations=st.lists(_OBSERVATIONS, min_size=1, max_size=4)
)
def test_every_reading_leaves_in_every_profile_with_its_digits_unit_and_patient(profile, kind, observations):
    data = _data(Reading(kind=kind, observations=tuple(observations), taken_at=TAKEN), profile=profile)
    assert parse(data).encode() == data
    read = hl7.parse(data.decode())  # type: ignore[no-untyped-call] # hl7 has no types
    results = list(read.segments("OBX"))[-len(observations) :]
    assert str(read.segment("PID")[3][0][0]) == "8834021"
    for result, sent in zip(results, observations, strict=True):
        assert str(result[5]) == ("" if sent.value is None else format(sent.value, "f"))
        unit = str(result[6]).split("^")
        known = UNITS[sent.unit or ""]
        codes = {known.ucum, known.mdc} | ({"264928"} if sent.unit == "/min" else set())
        assert unit[0] in codes


def test_a_sites_own_codes_come_first_and_the_standard_ones_as_their_alternates():
    own = replace(
        PROFILES["loinc-2.5.1"],
        codes={"8480-6": ("BPSYS", "Systolic", "99NORTH"), "85354-9": ("BP", "", "L")},
        units={"mm[Hg]": ("MMHG", "", "L")},
    )
    data = build_oru(PRESSURE, ALMA, VISIT, control_id="G-1", filler_number="G-R1", sent_at=SENT, profile=own)
    message = parse(data)
    order, systolic, diastolic = message.segments[3:6]
    assert order.raw(4).startswith("BP^^L^85354-9^Blood pressure panel")
    assert systolic.raw(3) == "BPSYS^Systolic^99NORTH^8480-6^Systolic blood pressure^LN"
    assert systolic.raw(6) == "MMHG^^L^mm[Hg]^millimeter of mercury^UCUM"
    assert diastolic.raw(3) == "8462-4^Diastolic blood pressure^LN"
    assert structure_faults(message) == ()


def test_a_patient_without_encounter_has_no_visit():
    assert parse(_data(PRESSURE, encounter=None)).segment("PV1") is None


def test_a_patient_class_that_nobody_stated_is_unknown():
    assert parse(_data(PRESSURE, encounter=replace(VISIT, patient_class=""))).get("PV1-2") == "U"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-10000, max_value=10000))
def test_a_number_leaves_with_the_digits_that_the_device_sent(value):
    assert _single(Observation("weight", value, "kg")).get("OBX-5") == format(value, "f")


@pytest.mark.parametrize(
    ("observation", "kind", "value"),
    [
        (Observation("weight", Decimal("36.60"), "kg"), "NM", "36.60"),
        (Observation("glucose", Decimal(600), "mg/dL", comparator=">"), "SN", ">^600"),
        (Observation("nitrite", text="Negative"), "ST", "Negative"),
        (Observation("nitrite", text="1+ | trace"), "ST", r"1+ \F\ trace"),
    ],
)
def test_a_number_a_limit_and_a_text_have_their_own_types(observation, kind, value):
    result = _single(observation).segment("OBX")
    assert result is not None
    assert (result.get(2), result.raw(5), result.get(11)) == (kind, value, "F")


def test_an_observation_without_a_value_has_no_type_and_could_not_be_obtained():
    message = _single(Observation("weight", unit="kg"))
    assert [message.get(path) for path in ("OBX-2", "OBX-5", "OBX-11")] == ["", "", "X"]


@pytest.mark.parametrize(
    ("status", "order", "result"), [("final", "F", "F"), ("questionable", "R", "R"), ("withdrawn", "C", "W")]
)
def test_a_status_is_told_in_order_and_result(status, order, result):
    message = _message(replace(PRESSURE, status=status))
    assert (message.get("OBR-25"), message.get("OBX-11"), message.get("OBX-5")) == (order, result, "121")


def test_a_rejected_reading_has_no_value_and_says_why():
    message = _message(rejected("blood-pressure", "cuff leak").taken(TAKEN, by="device"))
    assert [message.get(p) for p in ("OBR-25", "OBX-2", "OBX-3", "OBX-5", "OBX-11", "NTE-3")] == [
        "X",
        "",
        "85354-9",
        "",
        "X",
        "cuff leak",
    ]


def test_a_site_has_its_own_code_where_there_is_one_and_a_note_where_there_is_none():
    def temperature(site: str) -> Message:
        observation = Observation("temperature", Decimal("36.8"), "Cel", site=site)
        return _message(Reading(kind="temperature", observations=(observation,), taken_at=TAKEN))

    assert (temperature("oral").get("OBX-3"), temperature("oral").get("NTE-3")) == ("8331-1", "")
    assert (temperature("wrist").get("OBX-3"), temperature("wrist").get("NTE-3")) == (
        "8310-5",
        "temperature: wrist",
    )


def test_a_name_without_a_code_is_local():
    assert _single(Observation("XYZ-9", Decimal(1))).segment("OBX").raw(3) == "XYZ-9^XYZ-9^L"  # type: ignore[union-attr]  # fails loudly


@pytest.mark.parametrize("taken_at", [None, TAKEN.replace(tzinfo=None)])
def test_a_reading_without_a_certain_time_is_not_sent(taken_at):
    with pytest.raises(Hl7Error):
        _data(replace(PRESSURE, taken_at=taken_at))


def test_a_name_that_the_profile_cannot_write_is_not_sent_mutilated():
    with pytest.raises(Hl7Error, match="NTE-3"):
        _data(replace(PRESSURE, notes=("試験",)), profile="loinc-2.3")


@pytest.mark.parametrize("profile", ["loinc-2.5.1", "pcd-01"])
def test_a_device_without_a_number_is_named_by_maker_and_model(profile: str):
    """An OBX-18 whose first component is empty is no entity identifier, and a careful receiver refuses it."""
    data = _data(replace(PRESSURE, device=Device("Exemplar", "C1")), profile=profile)
    assert parse(data).get("OBX[1]-18") == "Exemplar C1"
    assert list(validate(data)) == []
