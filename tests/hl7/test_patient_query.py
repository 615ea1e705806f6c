"""A patient demographics query asks by the identifier alone; only the one patient who has it is an answer."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7 import parse
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.patient_query import (
    Authority,
    PatientQuery,
    QueryForm,
    Unfound,
    build_query,
    read_answer,
)
from gateway.hl7.validation import validate
from gateway.model import Identifier, Patient
from gateway.testing.ehr_patients import answer_query

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
NORTH = Authority("NORTH", "2.16.840.1.113883.19.4")
QUERY = PatientQuery("8834021", Authority("NORTH"), "AB-0000000007")
FORM = QueryForm(
    authority=QUERY.authority,
    sending_facility="CLINIC",
    receiving_application="MPI",
    receiving_facility="NORTH",
)
ALMA = Patient(
    (Identifier("V1", "VISITS", "VN"), Identifier("8834021", "NORTH", "MR")), "TESTPATIENT", "ALMA", "R"
)
NAMESAKE = Patient((Identifier("8834021", "SOUTH", "MR"),), "TESTPATIENT", "ALMA", "R")
HEAD = (
    "MSH|^~\\&|MPI|NORTH|GATEWAY|CLINIC|20260302141406+0000||RSP^K22^RSP_K21|9|P|2.5",
    "MSA|AA|AB-0000000007",
)
ECHO = "QPD|Q22^Find Candidates^HL7|AB-0000000007|@PID.3.1^8834021~@PID.3.4.1^NORTH"
PID = "PID|1||V1^^^VISITS^VN~8834021^^^NORTH^MR||TESTPATIENT^ALMA^R"
OTHER = "PID|2||77^^^NORTH^MR||TESTPATIENT^BEN"
OK = "QAK|AB-0000000007|OK"


def _answer(*segments: str) -> bytes:
    return "".join(f"{segment}\r" for segment in segments).encode()


def _read(*segments: str) -> str | Patient:
    found = read_answer(_answer(*segments), QUERY)
    return found.kind if isinstance(found, Unfound) else found


def test_the_query_is_that_of_iti_21():
    header, *rest = parse(build_query(QUERY, FORM, AT)).lines
    assert header.startswith("MSH|^~\\&|GATEWAY|CLINIC|MPI|NORTH|20260302141405+0000||QBP^Q22^QBP_Q21|")
    assert header.endswith("|AB-0000000007|P|2.5||||||UNICODE UTF-8")
    assert rest == [ECHO, "RCP|I"]


def test_the_universal_identifier_and_the_wanted_domains_are_asked_for_where_they_are_given():
    form = QueryForm(authority=NORTH, domains=("NORTH", "VISITS"), name="IHE PDQ Query")
    message = parse(build_query(PatientQuery("8834021", NORTH, "Q1"), form, AT))
    assert message.lines[1] == (
        "QPD|IHE PDQ Query|Q1|@PID.3.1^8834021~@PID.3.4.1^NORTH~@PID.3.4.2^2.16.840.1.113883.19.4"
        "~@PID.3.4.3^ISO|||||^^^NORTH~^^^VISITS"
    )


@given(
    identifier=st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Z")), min_size=1),
    authority=st.builds(Authority, st.text("NORTH&^|~\\", min_size=1), st.sampled_from(["", "1.2.840"])),
    domains=st.lists(st.text("AB^", min_size=1), max_size=3).map(tuple),
)
def test_any_identifier_is_asked_for_as_it_is_and_the_query_holds(identifier, authority, domains):
    query = PatientQuery(identifier, authority, "AB-0000000007")
    message = parse(build_query(query, QueryForm(authority=authority, domains=domains), AT))
    assert (message.get("QPD-3[1].2"), message.get("QPD-3[2].2")) == (identifier, authority.namespace)
    assert [str(fault) for fault in validate(message.encode())] == []
    patient = Patient((Identifier(identifier, authority.namespace, "MR"),), "TESTPATIENT")
    answer = answer_query(message, [NAMESAKE, patient], control_id="E1", at=AT)
    assert read_answer(answer, query) == patient


def test_others_judge_the_query_to_be_whole():
    message = parse(build_query(QUERY, FORM, AT))
    assert structure_faults(message) == ()
    # hl7apy looks no further than a QPD-3 that repeats
    assert structure_faults(parse(message.encode().replace(b"~@PID.3.4.1^NORTH", b""))) == ()


def test_the_answer_for_tests_holds_by_the_structure_of_iti_21():
    query = parse(build_query(QUERY, FORM, AT))
    for patients in ((), (ALMA,), (ALMA, replace(ALMA, given_name="BEA"))):
        answer = answer_query(query, patients, control_id="E1", at=AT)
        assert [str(fault) for fault in validate(answer)] == []


def test_the_one_patient_with_the_identifier_is_found_and_keeps_the_ehrs_order_of_identifiers():
    assert _read(*HEAD, OK, ECHO, PID) == ALMA


@pytest.mark.parametrize(
    ("segments", "kind"),
    [
        ((*HEAD, "QAK|AB-0000000007|NF", ECHO), "none"),
        ((*HEAD, OK, ECHO), "none"),
        ((*HEAD, OK, ECHO, PID, OTHER), "several"),
        ((*HEAD, OK, ECHO, PID, "DSC|7"), "several"),
        ((*HEAD, OK, ECHO, OTHER), "mismatch"),
        ((*HEAD, OK, ECHO, PID.replace("NORTH", "SOUTH")), "mismatch"),
        ((*HEAD, OK, ECHO, PID.replace("8834021", "08834021")), "mismatch"),
        ((*HEAD, OK, ECHO, "PID|1||||TESTPATIENT^ALMA"), "mismatch"),
        ((*HEAD, "QAK|AB-0000000007|NF", ECHO, PID), "mismatch"),
        ((*HEAD, "QAK|AB-0000000007|AE", ECHO, PID), "error"),
        ((*HEAD, "QAK|AB-0000000007|AR", ECHO), "error"),
        ((HEAD[0], "MSA|AE|AB-0000000007", "ERR||QPD^1^8|204|E", OK, ECHO, PID), "error"),
        ((HEAD[0].replace("RSP^K22^RSP_K21", "ACK"), "MSA|AR|AB-0000000007"), "error"),
        ((HEAD[0].replace("RSP^K22^RSP_K21", "ACK"), "MSA|AA|AB-0000000007"), "garbage"),
        ((HEAD[0], "MSA|CA|AB-0000000007", OK, ECHO, PID), "garbage"),
        ((HEAD[0], "MSA|AA|AB-0000000006", OK, ECHO, PID), "garbage"),
        ((HEAD[0], OK, ECHO, PID), "garbage"),
        ((*HEAD, "QAK|AB-0000000006|OK", ECHO, PID), "garbage"),
        ((*HEAD, ECHO, PID), "garbage"),
        ((*HEAD, OK, PID), "garbage"),
        ((*HEAD, OK, ECHO.replace("8834021", "77"), PID), "garbage"),
        ((*HEAD, "QAK|AB-0000000007|??", ECHO, PID), "garbage"),
        (("<html>",), "garbage"),
        ((), "garbage"),
    ],
)
def test_whatever_else_is_answered_gives_no_patient_and_says_why(segments, kind):
    assert _read(*segments) == kind


def test_a_universal_identifier_that_is_another_is_another_authority():
    query = PatientQuery("8834021", NORTH, "AB-0000000007")
    echo = f"{ECHO}~@PID.3.4.2^{NORTH.oid}~@PID.3.4.3^ISO"
    for stated, is_theirs in (("", True), (f"&{NORTH.oid}&ISO", True), ("&1.2.3&ISO", False)):
        pid = f"PID|1||8834021^^^NORTH{stated}^MR||TESTPATIENT^ALMA"
        found = read_answer(_answer(*HEAD, OK, echo, pid), query)
        assert isinstance(found, Patient) is is_theirs


def test_the_ehrs_own_words_are_in_the_reason():
    found = read_answer(_answer(HEAD[0], "MSA|AE|AB-0000000007", "ERR||QPD^1^8|204|E"), QUERY)
    assert found == Unfound("error", "the EHR answered AE: QPD-8 204")


@given(
    st.lists(st.sampled_from([*HEAD, OK, ECHO, PID, OTHER, "QAK|AB-0000000007|NF", "DSC|1"])),
    st.binary(max_size=8),
    st.integers(0, 400),
)
def test_no_bytes_raise_and_a_patient_is_only_ever_the_asked_one(segments, noise, at):
    answer = _answer(*segments)
    for data in (answer, answer[:at] + noise + answer[at:], noise):
        found = read_answer(data, QUERY)
        assert isinstance(found, Unfound) or QUERY.identifier in {i.value for i in found.identifiers}


def test_nothing_of_a_patient_is_in_the_querys_repr():
    assert "8834021" not in repr(QUERY)
