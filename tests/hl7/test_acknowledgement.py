"""Answers: what we say to a sender, and what a receiver's answer means for our message."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Hl7Error
from gateway.hl7 import parse
from gateway.hl7.acknowledgement import (
    Acknowledgement,
    Match,
    Outcome,
    Refusal,
    Result,
    build_acknowledgement,
    judge,
    read_acknowledgement,
    refuse_unreadable,
)

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
UNKNOWN_EVENT = Refusal(201, "event A60 is not taken here", "MSH", 9)


def _inbound(version: bytes = b"2.5.1", asked: bytes = b"|") -> bytes:
    return b"MSH|^~\\&|REG|NORTH|GATEWAY|EXAM|1||ADT^A60|R\\T\\7|T|" + version + b"|||" + asked + b"\rPID|1\r"


def _answer(data: bytes, refusal: Refusal | None = None) -> list[bytes]:
    result: Result = "accept" if refusal is None else "reject"
    return build_acknowledgement(parse(data), result, control_id="G-1", at=AT, refusal=refusal).splitlines()


def test_an_answer_goes_back_to_the_sender_and_names_its_message():
    assert _answer(_inbound()) == [
        b"MSH|^~\\&|GATEWAY|EXAM|REG|NORTH|20260302141405+0000||ACK^A60^ACK|G-1|T|2.5.1||||||UNICODE UTF-8",
        b"MSA|AA|R\\T\\7",
    ]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (b"|", b"AA"),
        (b"AL|NE", b"CA"),
        (b"AL|AL", b"CA"),
        (b"NE|AL", b"AA"),
        (b"|AL", b"AA"),
        (b"NE|NE", b"CA"),
    ],
)
def test_the_mode_that_msh_15_and_16_ask_for_decides_the_code(asked, code):
    assert _answer(_inbound(asked=asked))[1].startswith(b"MSA|" + code)


def test_a_refusal_from_2_5_on_says_where_which_code_and_why():
    assert _answer(_inbound(), UNKNOWN_EVENT)[1:] == [
        b"MSA|AR|R\\T\\7",
        b"ERR||MSH^1^9|201^Unsupported event code^HL70357|E||||event A60 is not taken here",
    ]


@pytest.mark.parametrize("version", [b"2.2", b"2.3", b"2.3.1", b"2.4"])
def test_a_refusal_before_2_5_has_its_text_in_msa_3_and_its_code_in_err_1(version):
    header, *rest = _answer(_inbound(version), UNKNOWN_EVENT)
    assert b"|ACK^A60|" in header
    assert rest == [
        b"MSA|AR|R\\T\\7|event A60 is not taken here",
        b"ERR|MSH^1^9^201&Unsupported event code&HL70357",
    ]


def test_a_message_that_cannot_be_read_is_still_answered_by_its_control_id():
    answer = parse(
        refuse_unreadable(_inbound() + b"\xff", Refusal(207, "unreadable"), control_id="G-1", at=AT)
    )
    assert [answer.get(path) for path in ("MSH-5", "MSA-1", "MSA-2", "ERR-3.1")] == [
        "REG",
        "AR",
        "R&7",
        "207",
    ]


@given(st.binary(max_size=120) | st.binary(max_size=80).map(lambda rest: b"MSH|^~\\&|" + rest))
def test_any_bytes_can_be_refused(data):
    answer = parse(refuse_unreadable(data, Refusal(207, "unreadable"), control_id="G-1", at=AT))
    assert answer.get("MSA-1") in ("AR", "CR")


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (b"MSA|AA|1", ""),
        (
            b"MSA|AE|1\rERR||OBX^2^5^1^1|102^Data type error^HL70357|E||||OBX-5 is no number",
            "OBX-5 102 OBX-5 is no number",
        ),
        (b"MSA|AE|1\rERR||PID^1^3|204^Unknown key identifier^HL70357|E", "PID-3 204 Unknown key identifier"),
        (b"MSA|AR|1|UNKNOWN PATIENT\rERR|PID^1^3^204", "UNKNOWN PATIENT; PID-3 204"),
        (b"MSA|AE|1\rERR|OBX^1^5^103&Table value not found", "OBX-5 103 Table value not found"),
        (b"MSA|AE|1\rERR|||101\rERR|||102", "101; 102"),
        (b"MSA|AE|1|" + b"x" * 900, "x" * 200),
    ],
)
def test_an_error_of_either_form_becomes_one_reason(segments, reason):
    data = b"MSH|^~\\&|EHR|N|GATEWAY|EXAM|1||ACK|2|P|2.5.1\r" + segments + b"\r"
    assert read_acknowledgement(parse(data)).reason == reason


def test_a_message_echoed_in_place_of_an_answer_is_no_acknowledgement():
    with pytest.raises(Hl7Error, match="no MSA in the answer, which is ADT"):
        read_acknowledgement(parse(_inbound()))


def _outcome(code: str, named: str, *, match: Match = "exact", application: bool = False) -> Outcome:
    answer = Acknowledgement(code, named)
    return judge(
        answer, "G7-000001-0000000001-LONG", match=match, application_ack_expected=application
    ).outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("AA", "accepted"),
        ("CA", "accepted"),
        ("AE", "error"),
        ("CE", "error"),
        ("AR", "refused"),
        ("CR", "refused"),
        ("", "mismatch"),
        ("OK", "mismatch"),
    ],
)
def test_a_code_means(code, outcome):
    assert _outcome(code, "G7-000001-0000000001-LONG") == outcome


def test_a_commit_accept_does_not_end_a_message_that_asked_for_an_application_answer():
    assert _outcome("CA", "G7-000001-0000000001-LONG", application=True) == "committed"
    assert _outcome("AA", "G7-000001-0000000001-LONG", application=True) == "accepted"


@pytest.mark.parametrize(
    ("match", "named", "outcome"),
    [
        ("exact", "G7-000001-0000000001", "mismatch"),
        ("exact", "", "mismatch"),
        ("prefix20", "G7-000001-0000000001", "accepted"),
        ("prefix20", "G7-000001-0000000001-LONG", "accepted"),
        ("prefix20", "G7-000001", "mismatch"),
        ("prefix20", "", "mismatch"),
        ("any", "", "accepted"),
        ("any", "G7-000000", "accepted"),
    ],
)
def test_an_answer_counts_only_for_the_message_that_it_names(match, named, outcome):
    assert _outcome("AA", named, match=match) == outcome


def test_a_refusal_of_another_message_refuses_nothing():
    assert _outcome("AR", "G7-000000") == "mismatch"
