"""What validation finds in a message, by place and rule, whatever bytes it is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7.batch import split_batch
from gateway.hl7.ekg_results import EkgParts, LeadCounts
from gateway.hl7.oru import build_oru
from gateway.hl7.profiles import PROFILES
from gateway.hl7.validation import VALIDATED_PROFILES, validate
from gateway.hl7.validation.profile_rules import is_loinc
from gateway.model import Device, Identifier, Patient, Reading
from gateway.model.reading import Observation
from gateway.model.terms import TERMS

RESULT = (
    b"MSH|^~\\&|GATEWAY|NORTH|EHR|NORTH|20260302091411-0500||ORU^R01^ORU_R01|T1|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA^R^^^^L||19610417|F\r"
    b"PV1|1|O|FAMMED^EXAM3\r"
    b"OBR|1||R1^GATEWAY|85353-1^Vital signs panel^LN|||20260302091405-0500|||||||||||||||"
    b"20260302091411-0500|||F\r"
    b"OBX|1|NM|8867-4^Heart rate^LN||66|/min^^UCUM|||||F|||20260302091405-0500\r"
    b"OBX|2|NM|59408-5^SpO2^LN||97|%^^UCUM|||||F|||20260302091405-0500\r"
)
# What the standard asks of a result, and these samples leave out.
KNOWN_FAULTS: Mapping[str, list[str]] = {
    "10-oru-pcd01-oximeter.hl7": ["OBR-22", "OBR-25"],
    "12-oru-ekg-numeric-array.hl7": ["OBR-22", "OBR-25"],
    "17-other-separators.hl7": ["OBR-7", "OBR-22", "OBR-25"],
    "18-escapes.hl7": ["OBR-7", "OBR-22", "OBR-25"],
    "91-bad-short-msh2.hl7": ["MSH-2"],
    "92-bad-charset.hl7": ["MSH-18"],
}


def _found(data: bytes, profile: str | None = None) -> list[tuple[str, str]]:
    """Place and rule of each fault."""
    found = (str(fault).split(": ", 2) for fault in validate(data, profile))
    return [(place, rule) for place, rule, _ in found]


@pytest.mark.parametrize("profile", [None, "loinc-2.5.1"])
def test_a_good_result_has_no_faults(profile):
    assert validate(RESULT, profile) == ()


def test_every_sample_has_the_faults_that_are_in_it_and_no_others(samples: Path):
    paths = [path for path in samples.glob("*.hl7") if path.name != "90-bad-no-msh.hl7"]
    assert paths
    found = {
        path.name: [place for data in split_batch(path.read_bytes()) for place, _ in _found(data)]
        for path in paths
    }
    assert {name: places for name, places in found.items() if places} == KNOWN_FAULTS


@pytest.mark.parametrize(
    ("old", "new", "place", "rule"),
    [
        (b"||66|", b"||6x|", "OBX[1]-5", "type"),
        (b"||97|", b"||97,5|", "OBX[2]-5", "type"),
        (b"|NM|8867-4^Heart rate^LN||66", b"|SN|8867-4^Heart rate^LN||about^66", "OBX[1]-5.1", "type"),
        (b"|NM|8867-4^Heart rate^LN||66", b"||8867-4^Heart rate^LN||66", "OBX[1]-2", "required"),
        (b"|NM|8867-4^Heart rate^LN||66", b"|XY|8867-4^Heart rate^LN||66", "OBX[1]-2", "table"),
        (b"|NM|8867-4^Heart rate^LN||66", b"|NA|8867-4^Heart rate^LN||1^2^x", "OBX[1]-5.3", "type"),
        (b"|NM|8867-4^Heart rate^LN||66", b"|CE|8867-4^Heart rate^LN||^^LN", "OBX[1]-5", "type"),
        (
            b"|NM|8867-4^Heart rate^LN||66",
            b"|ED|8867-4^Heart rate^LN||^AP^PDF^Base64^J",
            "OBX[1]-5.5",
            "type",
        ),
        (b"|NM|8867-4^Heart rate^LN||66", b"|ED|8867-4^Heart rate^LN||^AP^PDF^Zip^J", "OBX[1]-5.4", "table"),
        (b"|NM|8867-4^Heart rate^LN||66", b"|DT|8867-4^Heart rate^LN||20260230", "OBX[1]-5", "type"),
        (b"|8867-4^Heart rate^LN|", b"||", "OBX[1]-3", "required"),
        (b"|85353-1^Vital signs panel^LN|", b"||", "OBR-4", "required"),
        (b"|||F\rOBX|1", b"|||Q\rOBX|1", "OBR-25", "table"),
        (b"UCUM|||||F|||20260302091405-0500\rOBX|2", b"UCUM|||||q|||1999\rOBX|2", "OBX[1]-11", "table"),
        (b"UCUM|||||F|||20260302091405-0500\rOBX|2", b"UCUM||Q~H|||F|||1999\rOBX|2", "OBX[1]-8[1]", "table"),
        (b"|F|||20260302091405-0500\rOBX|2", b"|F|||20260302251405\rOBX|2", "OBX[1]-14", "type"),
        (b"|19610417|F", b"|1961-04-17|F", "PID-7", "type"),
        (b"|19610417|F", b"|19610417|female", "PID-8", "table"),
        (b"8834021^^^NORTH^MR", b"8834021~^^^NORTH^MR", "PID-3[2].1", "type"),
        (b"8834021^^^NORTH^MR", b"", "PID-3", "required"),
        (b"ALMA^R^^^^L", b"ALMA^R^^^^Q", "PID-5.7", "table"),
        (b"PV1|1|O", b"PV1|1|Q", "PV1-2", "table"),
        (b"PV1|1|O", b"PV1|1|O~I", "PV1-2", "cardinality"),
        (b"|T1|P", b"|T12345678901234567890|P", "MSH-10", "length"),
        (b"|T1|P", b"||P", "MSH-10", "required"),
        (b"|P|2.5.1", b"|P|2.5.9", "MSH-12.1", "table"),
        (b"|ORU^R01^ORU_R01|", b"|ORU^R01^ORU_R30|", "MSH-9.3", "structure"),
        (b"PV1|1", b"AL1|1\rPV1|1", "AL1", "structure"),
        (b"PV1|1", b"PV1|1|O\rPV1|1", "PV1[2]", "structure"),
        (b"R1^GATEWAY", b"R1^GATEWAY^1.2.x^ISO", "OBR-3", None),
    ],
)
def test_a_fault_is_named_by_place_and_rule(old: bytes, new: bytes, place: str, rule: str | None):
    assert old in RESULT
    found = _found(RESULT.replace(old, new, 1))
    assert found == ([] if rule is None else [(place, rule)])


def test_a_result_without_its_order_is_missing_it_and_its_observations_stand_alone():
    lines = [line for line in RESULT.split(b"\r") if not line.startswith(b"OBR")]
    assert _found(b"\r".join(lines)) == [
        ("OBX[1]", "structure"),
        ("OBX[2]", "structure"),
        ("OBR", "structure"),
    ]


def test_no_fault_hides_another():
    data = RESULT.replace(b"||66|", b"||x|").replace(b"|19610417|F", b"|1|f").replace(b"|T1|", b"||")
    assert [place for place, _ in _found(data)] == ["MSH-10", "PID-7", "PID-8", "OBX[1]-5"]


def test_a_deleted_value_and_a_segment_of_the_sites_own_are_no_faults():
    assert validate(RESULT.replace(b"|19610417|F", b'|""|""\rZPI|?')) == ()


def test_before_2_5_an_error_states_its_place_in_err_1():
    data = b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.3\rMSA|AE|1\rERR||x\r"
    assert _found(data) == [("ERR-1", "required")]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"091411-0500||ORU", b"091411||ORU", "MSH-7"),
        (b"|2.5.1|", b"|2.5|", "MSH-12"),
        (b"UNICODE UTF-8", b"ASCII", "MSH-18"),
        (b"R1^GATEWAY", b"", "OBR-3"),
        (b"8867-4^", b"8867-5^", "OBX[1]-3.1"),
        (b"rate^LN", b"rate^MDC", "OBX[1]-3.3"),
        (b"|/min^^UCUM|", b"||", "OBX[1]-6"),
        (b"|/min^^UCUM|", b"|/min^^MDC|", "OBX[1]-6.3"),
        (b"|F|||20260302091405-0500\rOBX|2", b"|F\rOBX|2", "OBX[1]-14"),
        (b"|F|||20260302091405-0500\rOBX|2", b"|F|||20260302091405\rOBX|2", "OBX[1]-14"),
    ],
)
def test_a_profile_has_rules_of_its_own(old: bytes, new: bytes, place: str):
    assert (place, "profile") in _found(RESULT.replace(old, new, 1), "loinc-2.5.1")


def test_a_profile_of_results_refuses_another_message():
    data = b"MSH|^~\\&|A|B|C|D|2026||ADT^A03^ADT_A03|1|P|2.5.1||||||UNICODE UTF-8\rEVN||2026\r"
    assert ("MSH-9", "profile") in _found(data, "loinc-2.5.1")


@pytest.mark.parametrize(
    ("code", "holds"), [("8867-4", True), ("8867-5", False), ("59408-5", True), ("x", False)]
)
def test_a_loinc_code_has_its_check_digit(code: str, holds: bool):
    assert is_loinc(code) is holds


def test_every_loinc_code_of_the_vocabulary_has_its_check_digit():
    assert [row.loinc for row in TERMS if row.loinc and not is_loinc(row.loinc)] == []


@pytest.mark.parametrize("profile", VALIDATED_PROFILES)
def test_what_the_gateway_sends_holds_by_its_own_rules(profile: str):
    at = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
    reading = Reading(
        kind="ekg",
        taken_at=at,
        clock_drift=timedelta(seconds=3),
        observations=(
            Observation("qt-interval", Decimal(402), "ms"),
            Observation("XYZ-9", Decimal(1)),
            Observation("rhythm", text="sinus"),
        ),
        device=Device("Exemplar", "E12", "7"),
    )
    wanted = replace(
        PROFILES[profile].between("NORTH", ("EHR", "NORTH")),
        sending_application_id=("0003B1FFFE00A1C2", "EUI-64"),
        time_sync="ntp",
        codes={"8634-8": ("QT", "", "99NORTH"), "XYZ-9": ("9", "nine", "99ABC")},
        units={"ms": ("MSEC", "", "L"), "264338": ("MSEC", "", "99NORTH")},
        ekg=frozenset({"measures", "statements", "waveform", "pdf"}),
    )
    data = build_oru(
        reading,
        Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA"),
        None,
        control_id="T1",
        filler_number="R1",
        sent_at=at,
        profile=wanted,
        placer_number="ORD1^OE",
        ekg=EkgParts(
            statements=("Sinus rhythm",),
            leads=(LeadCounts("II", (1, 2), Decimal("0.0025")),),
            sample_rate_hz=Decimal(500),
            documents={"pdf": b"%PDF"},
        ),
    )
    # a quantity of an analyser that states no unit has none to send
    faults = [str(fault) for fault in validate(data, profile) if fault.reason != "a number without its unit"]
    assert faults == []


PCD = (
    b"MSH|^~\\&|GATEWAY^0003B1FFFE00A1C2^EUI-64|EXAM|EHR|NORTH|20260302091530-0500||ORU^R01^ORU_R01|T2|P|2.6"
    b"|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO\r"
    b"PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA\r"
    b"OBR|1|R2^GATEWAY|R2^GATEWAY|182777000^monitoring of patient^SCT|||20260302091528-0500|||||||||||||||"
    b"20260302091530-0500|||F\r"
    b"OBX|1||528388^MDC_DEV_SPEC_PROFILE_PULS_OXIM^MDC|1.0.0.0|||||||X|||||||001C050100A1B2C3^^001C050100A1B2C3"
    b"^EUI-64\r"
    b"OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.0.0.1|97|262688^MDC_DIM_PERCENT^MDC|||||F|||20260302091528-0500\r"
    b"OBX|3|NM|9^nine^99NORTH|1.0.0.2|7|X^^99NORTH|||||F\r"
)


def test_a_good_pcd_01_result_has_no_faults():
    assert validate(PCD, "pcd-01") == ()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"^0003B1FFFE00A1C2^EUI-64|EXAM", b"|EXAM", "MSH-3.2"),
        (b"091530-0500||ORU", b"091530||ORU", "MSH-7"),
        (b"|P|2.6", b"|P|2.5.1", "MSH-12"),
        (b"|AL|NE|", b"||NE|", "MSH-15"),
        (b"|AL|NE|", b"|AL|AL|", "MSH-16"),
        (b"IHE_PCD_001", b"LAB-1", "MSH-21"),
        (b"SCT|||20260302091528-0500", b"SCT|||", "OBR-7"),
        (b"|X|||||||001C050100A1B2C3^^001C050100A1B2C3^EUI-64", b"|X", "OBX[1]-18"),
        (b"|||||||X|", b"|||||||F|", "OBX[1]-11"),
        (b"MDC|1.0.0.1|", b"MDC|1|", "OBX[2]-4"),
        (b"MDC|1.0.0.1|", b"MDC|2.0.0.1|", "OBX[2]-4"),
        (b"|150456^MDC_PULS_OXIM_SAT_O2^MDC|", b"|150456^x^I10|", "OBX[2]-3.3"),
        (b"|262688^MDC_DIM_PERCENT^MDC|", b"|262688^x^I10|", "OBX[2]-6.3"),
        (b"|262688^MDC_DIM_PERCENT^MDC|", b"||", "OBX[2]-6"),
        (b"|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.0.0.1|", b"|9^nine^99NORTH|1.0.0.2|", "OBX[3]-4"),
    ],
)
def test_pcd_01_has_rules_of_its_own(old: bytes, new: bytes, place: str):
    assert old in PCD
    assert (place, "profile") in _found(PCD.replace(old, new, 1), "pcd-01")


def test_the_sample_of_pcd_01_breaks_no_rule_of_pcd_01(samples: Path):
    found = _found((samples / "10-oru-pcd01-oximeter.hl7").read_bytes(), "pcd-01")
    assert [place for place, rule in found if rule == "profile"] == []


@pytest.mark.parametrize("system", [b"99NORTH", b"99ABC", b"L"])
def test_a_sites_own_codes_are_no_faults(system: bytes):
    own = RESULT.replace(b"8867-4^Heart rate^LN", b"HR^Pulse^" + system + b"^8867-4^Heart rate^LN")
    own = own.replace(b"85353-1^Vital signs panel^LN", b"VITALS^^" + system)
    own = own.replace(b"/min^^UCUM", b"BPM^^" + system + b"^/min^^UCUM")
    assert validate(own, "loinc-2.5.1") == ()
    wrong = own.replace(b"8867-4", b"8867-5")
    assert ("OBX[1]-3.4", "profile") in _found(wrong, "loinc-2.5.1")


@given(st.binary(max_size=300), st.sampled_from([None, *VALIDATED_PROFILES]))
def test_any_bytes_are_judged(data: bytes, profile: str | None):
    validate(data, profile)


_KINDS = st.sampled_from(["ORU^R01", "ADT^A40", "OMG^O19", "ORM^O01", "ACK", "ADT^A04^ADT_A01"])
_SEGMENTS = st.sampled_from(
    ["PID", "PV1", "OBR", "OBX", "NTE", "ORC", "MRG", "EVN", "MSA", "ERR", "SPM", "ZZZ"]
)
_FIELDS = st.text('|^~\\&"0159.+-ANX>/\x80é٣²', max_size=40)


@given(
    _KINDS,
    st.lists(st.tuples(_SEGMENTS, _FIELDS), max_size=12),
    st.sampled_from([None, "loinc-2.3", "pcd-01"]),
)
def test_any_segments_after_a_good_header_are_judged(kind, segments, profile):
    header = f"MSH|^~\\&|A|B|C|D|2026||{kind}|1|P|2.5.1||||||UNICODE UTF-8"
    body = "\r".join([header, *(f"{name}|{fields}" for name, fields in segments)])
    faults = validate(body.encode(), profile)
    assert all(fault.reason and fault.rule for fault in faults)


@given(st.text("QZ", min_size=6, max_size=12))
def test_no_fault_says_what_stands_there(secret: str):
    data = RESULT.replace(b"19610417|F", secret.encode() + b"|" + secret.encode())
    data = data.replace(b"||66|", b"||" + secret.encode() + b"|")
    assert secret not in " ".join(map(str, validate(data, "loinc-2.5.1")))
