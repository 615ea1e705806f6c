"""What a server's answer to a transaction means: filed, refused, or to be sent again.

A transaction is filed when the server says so of every entry. What a server refuses with an OperationOutcome
is about the message, and sending it again may not mend it; what comes without one is about the server, a
proxy or the way to them, and the message waits.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from gateway.hl7.acknowledgement import Verdict

_LONGEST_REASON = 200
_ABOUT_THE_MESSAGE = frozenset({400, 409, 412, 413, 422})
_MAYBE_ABOUT_THE_MESSAGE = frozenset({403, 404, 405, 406, 410, 415})
_REFUSED_LOGIN = frozenset({401, 403})
LONGEST_WAIT_S = 3600.0

Parsed: TypeAlias = Mapping[str, object]


def judge(status: int, body: bytes, entries: int) -> Verdict:
    """What an answer with that status and body means for a transaction of so many entries.

    The reason of a verdict that will be logged, silence or mismatch, holds no word of the server's.

    Parameters
    ----------
    status : int
    body : bytes
    entries : int
    """
    code, answer = str(status), _parsed(body)
    if 200 <= status < 300:
        return _filed(answer, entries, code)
    outcome = answer if answer.get("resourceType") == "OperationOutcome" else None
    if status in _ABOUT_THE_MESSAGE or (outcome is not None and status in _MAYBE_ABOUT_THE_MESSAGE):
        return Verdict("error", _said(outcome) or f"HTTP {code}", code)
    if 300 <= status < 400:
        return Verdict("silence", f"HTTP {code}: redirects are not followed; correct the address", code)
    if status in _REFUSED_LOGIN:
        return Verdict("silence", f"HTTP {code}: the login is refused", code)
    return Verdict("silence", f"HTTP {code}", code)


def refuses_login(verdict: Verdict) -> bool:
    """The token is of no use any more."""
    return verdict.code.isdigit() and int(verdict.code) in _REFUSED_LOGIN


def retry_after_s(header: str, now: datetime) -> float:
    """The pause that a server asks for (RFC 9110, 10.2.3), in seconds and at most an hour; 0 for none."""
    text = header.strip()
    if text.isdecimal() and text.isascii():
        return min(float(text), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        return 0.0
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT_S)


def _filed(answer: Parsed, entries: int, code: str) -> Verdict:
    found = answer.get("entry")
    if answer.get("resourceType") != "Bundle" or answer.get("type") != "transaction-response":
        return Verdict("mismatch", "the answer is no transaction-response", code)
    responses = [_response(entry) for entry in found] if isinstance(found, list) else []
    if len(responses) != entries:
        return Verdict("mismatch", f"{entries} entries sent, {len(responses)} answered", code)
    for number, response in enumerate(responses, start=1):
        status = str(response.get("status", ""))
        if not status.startswith("2"):
            outcome = response.get("outcome")
            said = _said(outcome) if isinstance(outcome, dict) else ""
            return Verdict("error", f"entry {number}: {said or status[:20]}"[:_LONGEST_REASON], status[:3])
    return Verdict("accepted", code=code)


def _response(entry: object) -> Parsed:
    response = entry.get("response") if isinstance(entry, dict) else None
    return response if isinstance(response, dict) else {}


def _parsed(body: bytes) -> Parsed:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(outcome: Parsed | None) -> str:
    """Code, place and text of every issue, cut at 200 characters."""
    issues = outcome.get("issue") if outcome else None
    return "; ".join(_issues(issues if isinstance(issues, list) else []))[:_LONGEST_REASON]


def _issues(issues: list[object]) -> Iterator[str]:
    for issue in issues:
        if isinstance(issue, dict):
            details, places = issue.get("details"), issue.get("expression")
            text = details.get("text") if isinstance(details, dict) else None
            place = " ".join(map(str, places)) if isinstance(places, list) else ""
            said = (issue.get("code"), place, issue.get("diagnostics") or text)
            yield " ".join(str(each) for each in said if each)
