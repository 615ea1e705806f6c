"""Acknowledgements: built for what came in, read and judged for what went out.

Original mode knows AA, AE and AR; enhanced mode, which a sender asks for in MSH-15 or MSH-16, has CA, CE and
CR for "stored" before any of them (HL7 v2.5.1 chapter 2, section 2.9).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.errors import Hl7Error
from gateway.hl7.building import Field, SegmentValues, build
from gateway.hl7.message import Message
from gateway.hl7.timestamps import hl7_time

Outcome = Literal["accepted", "error", "refused", "committed", "mismatch", "silence"]
Match = Literal["exact", "prefix20", "any"]
Result = Literal["accept", "error", "reject"]

_OUTCOMES: dict[str, Outcome] = {
    "AA": "accepted",
    "AE": "error",
    "AR": "refused",
    "CA": "committed",
    "CE": "error",
    "CR": "refused",
}
_CODES: dict[Result, tuple[str, str]] = {
    "accept": ("AA", "CA"),
    "error": ("AE", "CE"),
    "reject": ("AR", "CR"),
}
_LONGEST_REASON = 200

# Table 0357, message error condition codes, as far as this side states them.
ERROR_TEXTS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    207: "Application internal error",
}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a receiver answered.

    Parameters
    ----------
    code : str
        MSA-1.
    control_id : str
        MSA-2: the message that is meant.
    reason : str
        Error code and text, from ERR or MSA-3.
    """

    code: str
    control_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer, or none, means for a message."""

    outcome: Outcome
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not taken.

    Parameters
    ----------
    code : int
        Table 0357.
    text : str
        For people; names no patient.
    segment : str
    field : int, optional
    """

    code: int
    text: str
    segment: str = ""
    field: int | None = None

    @classmethod
    def from_error(cls, error: Hl7Error, code: int = 102) -> "Refusal":
        return cls(code, error.message, (error.segment or "").partition("[")[0], error.field)


def read_acknowledgement(message: Message) -> Acknowledgement:
    """The acknowledgement in a message.

    Raises
    ------
    Hl7Error
        It has no MSA: something else came where an answer was awaited.
    """
    if message.segment("MSA") is None:
        raise Hl7Error(f"no MSA in the answer, which is {message.type or 'of no type'}")
    return Acknowledgement(message.get("MSA-1"), message.get("MSA-2"), _reason(message))


def judge(
    answer: Acknowledgement, control_id: str, *, match: Match, application_ack_expected: bool
) -> Verdict:
    """What `answer` means for the message with that control id.

    Parameters
    ----------
    answer : Acknowledgement
    control_id : str
    match : {"exact", "prefix20", "any"}
        How faithfully the receiver gives MSH-10 back in MSA-2: as it was, cut at 20 characters, not at all.
    application_ack_expected : bool
        A commit accept is not the end: an application's answer is still to come.
    """
    if not _names(answer.control_id, control_id, match):
        return Verdict("mismatch", "the answer names another message", answer.code)
    outcome = _OUTCOMES.get(answer.code)
    if outcome is None:
        return Verdict("mismatch", f"MSA-1 is {answer.code[:10]!r}, which is no acknowledgement code")
    if outcome == "committed" and not application_ack_expected:
        outcome = "accepted"
    return Verdict(outcome, answer.reason, answer.code)


def build_acknowledgement(
    message: Message, result: Result, *, control_id: str, at: datetime, refusal: Refusal | None = None
) -> bytes:
    """The answer to `message`, in its version, its mode and its character set.

    Parameters
    ----------
    message : Message
    result : {"accept", "error", "reject"}
    control_id : str
        MSH-10 of the answer itself.
    at : datetime
    refusal : Refusal, optional
    """
    header = message.header
    enhanced = bool(header.get(15) or header.get(16))
    version = header.get(12) or "2.5.1"
    return _answer(
        code=_CODES[result][enhanced],
        acknowledged=message.control_id,
        version=version,
        sender=(header.get(5), header.get(6)),
        receiver=(header.get(3), header.get(4)),
        trigger=message.trigger,
        processing=header.get(11) or "P",
        control_id=control_id,
        at=at,
        refusal=refusal,
    )


def refuse_unreadable(data: bytes, refusal: Refusal, *, control_id: str, at: datetime) -> bytes:
    """The answer to bytes that could not be parsed; it names the message if its MSH-10 can be seen at all."""
    first = data.replace(b"\n", b"\r").split(b"\r", 1)[0].decode("ascii", errors="replace")
    fields = first.split(first[3]) if first.startswith("MSH") and len(first) > 3 else []
    acknowledged = fields[9] if len(fields) > 9 and "\ufffd" not in fields[9] else ""
    return _answer(
        code="AR",
        acknowledged=acknowledged,
        version="2.5.1",
        sender=("", ""),
        receiver=("", ""),
        trigger="",
        processing="P",
        control_id=control_id,
        at=at,
        refusal=refusal,
    )


def _names(stated: str, control_id: str, match: Match) -> bool:
    if match == "any":
        return True
    return stated == control_id or (match == "prefix20" and stated == control_id[:20])


def _reason(message: Message) -> str:
    parts = [message.get("ERR-3.1"), message.get("ERR-8") or message.get("ERR-3.2")]
    if not any(parts):
        parts = [message.get("ERR-1.4"), message.get("MSA-3")]
    return " ".join(filter(None, parts))[:_LONGEST_REASON]


def _answer(
    *,
    code: str,
    acknowledged: str,
    version: str,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    trigger: str,
    processing: str,
    control_id: str,
    at: datetime,
    refusal: Refusal | None,
) -> bytes:
    old = _number(version) < (2, 5)
    kind: Field = ("ACK", trigger) if old else ("ACK", trigger, "ACK")
    header: SegmentValues = (
        "MSH",
        {
            3: sender[0],
            4: sender[1],
            5: receiver[0],
            6: receiver[1],
            7: hl7_time(at),
            9: kind,
            10: control_id,
            11: processing,
            12: version,
            18: "UNICODE UTF-8",
        },
    )
    segments: list[SegmentValues] = [header]
    segments.append(("MSA", {1: code, 2: acknowledged, 3: refusal.text if refusal and old else ""}))
    if refusal is not None:
        segments.append(_err_v23(refusal) if old else _err(refusal))
    return build(segments)


def _err_v23(refusal: Refusal) -> SegmentValues:
    return ("ERR", {1: (refusal.segment, "1", str(refusal.field or ""), str(refusal.code))})


def _err(refusal: Refusal) -> SegmentValues:
    location = (refusal.segment, "1", str(refusal.field or "")) if refusal.segment else ""
    coded = (str(refusal.code), ERROR_TEXTS.get(refusal.code, ""), "HL70357")
    return ("ERR", {2: location, 3: coded, 4: "E", 8: refusal.text})


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
