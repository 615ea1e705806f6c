"""Whatever a server answers, a transaction is filed, refused or sent again; none is taken for filed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir.answer import judge, refuses_login, retry_after_s

NOW = datetime(2026, 3, 2, 14, 14, 11, tzinfo=UTC)
REFUSAL = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "invariant",
            "diagnostics": "vs-2 failed",
            "expression": ["Observation.code"],
        },
        {"severity": "error", "code": "value", "details": {"text": "no such unit"}},
    ],
}


def _response(*statuses: str, **more: Any) -> bytes:
    entries = [{"response": {"status": status}} for status in statuses]
    return json.dumps(
        {"resourceType": "Bundle", "type": "transaction-response", "entry": entries, **more}
    ).encode()


def test_a_transaction_is_filed_when_every_entry_is():
    assert judge(200, _response("201 Created", "200 OK"), 2).outcome == "accepted"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to the guest network</html>",
        b"[]",
        b"null",
        b"{" * 5000,
        b'{"resourceType": "Bundle"}',
        _response("201 Created"),
        _response("201 Created", "200 OK", type="batch-response"),
        json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": "two"}).encode(),
    ],
)
def test_a_success_that_is_no_answer_to_it_files_nothing(body: bytes):
    assert judge(200, body, 2).outcome == "mismatch"


def test_an_entry_that_was_not_filed_is_named_with_its_reason():
    entries = [{"response": {"status": "201 Created"}}, {"response": {"status": "412", "outcome": REFUSAL}}]
    verdict = judge(200, _response(entry=entries), 2)
    assert (verdict.outcome, verdict.code) == ("error", "412")
    assert verdict.reason == "entry 2: invariant Observation.code vs-2 failed; value no such unit"
    assert judge(200, _response(entry=[{}, {"response": "no"}]), 2).outcome == "error"


@pytest.mark.parametrize("status", [400, 409, 412, 413, 422])
def test_a_refusal_is_about_the_message_and_says_why(status: int):
    verdict = judge(status, json.dumps(REFUSAL).encode(), 2)
    assert verdict.outcome == "error"
    assert verdict.reason == "invariant Observation.code vs-2 failed; value no such unit"
    assert judge(status, b"", 2).reason == f"HTTP {status}"


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there_is_the_message_only_where_a_fhir_server_says_so(status: int):
    assert judge(status, json.dumps(REFUSAL).encode(), 2).outcome == "error"
    assert judge(status, b"<html>nothing here</html>", 2).outcome == "silence"


@pytest.mark.parametrize("status", [301, 307, 401, 408, 425, 429, 500, 502, 503, 504])
def test_what_is_about_the_server_is_silence_and_repeats_no_word_of_it(status: int):
    verdict = judge(status, json.dumps(REFUSAL).encode(), 2)
    assert verdict.outcome == "silence"
    assert "vs-2" not in verdict.reason
    assert str(status) in verdict.reason


def test_a_login_that_is_refused_is_known_as_such():
    assert [status for status in (200, 400, 401, 403, 500) if refuses_login(judge(status, b"", 1))] == [
        401,
        403,
    ]


@given(st.integers(100, 599), st.binary(max_size=200), st.integers(1, 5))
def test_any_answer_has_a_verdict_and_none_by_chance_is_acceptance(status: int, body: bytes, entries: int):
    assert judge(status, body, entries).outcome != "accepted"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("120", 120),
        (" 7 ", 7),
        ("-5", 0),
        ("soon", 0),
        ("٣", 0),
        ("999999", 3600),
        ("Mon, 02 Mar 2026 14:15:11 GMT", 60),
        ("Mon, 02 Mar 2026 14:13:11 GMT", 0),
        ("Mon, 02 Mar 2026 14:15:11", 0),
    ],
)
def test_a_server_says_how_long_to_wait(header: str, seconds: float):
    assert retry_after_s(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_header_is_a_pause_of_at_most_an_hour(header: str):
    assert 0 <= retry_after_s(header, NOW) <= timedelta(hours=1).total_seconds()
