"""Acknowledgements: built for what came in, read and judged for what went out.

Original mode knows AA, AE and AR; enhanced mode, which a sender asks for in MSH-15 or MSH-16, has CA, CE and
CR for "stored" before any of them (HL7 v2.5.1 chapter 2, section 2.9).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.errors import Hl7Error
from gateway.hl7.building import Field, SegmentValues, build
from gateway.hl7.message import Message, Segment, parse
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
    205: "Duplicate key identifier",
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
        Where, error code and text, from every ERR and MSA-3, and no more than that; cut at 200 characters.
    """

    code: str
    control_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer, or none, means for a message.

    Parameters
    ----------
    outcome : Outcome
    reason : str
    code : str
        The receiver's own: MSA-1, an HTTP status.
    retry_after_s : float
        How long the receiver asks to be left alone.
    """

    outcome: Outcome
    reason: str = ""
    code: str = ""
    retry_after_s: float = 0.0


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
        With its occurrence where there are several: ``OBX[2]``.
    field : int, optional
    """

    code: int
    text: str
    segment: str = ""
    field: int | None = None

    @classmethod
    def from_error(cls, error: Hl7Error, code: int = 102) -> "Refusal":
        return cls(code, error.message, error.segment or "", error.field)


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


def names(stated: str, control_id: str, match: Match) -> bool:
    """MSA-2 is that message's MSH-10, as faithfully as the receiver gives it back."""
    if match == "any":
        return True
    return stated == control_id or (match == "prefix20" and stated == control_id[:20])


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
    if not names(answer.control_id, control_id, match):
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
    """The answer to `message`, in its version and its mode.

    Parameters
    ----------
    message : Message
    result : {"accept", "error", "reject"}
    control_id : str
        MSH-10 of the answer itself.
    at : datetime
    refusal : Refusal, optional
    """
    code = _CODES[result][_wants_commit(message.header)]
    return build(answer_segments(message, code, control_id=control_id, at=at, refusal=refusal))


def answer_segments(
    message: Message,
    code: str,
    *,
    control_id: str,
    at: datetime,
    refusal: Refusal | None = None,
    response: tuple[str, str, str] | None = None,
) -> list[SegmentValues]:
    """MSH, MSA and ERR of an answer to `message`, with that MSA-1.

    Parameters
    ----------
    message : Message
    code : str
    control_id : str
    at : datetime
    refusal : Refusal, optional
    response : tuple of str, optional
        MSH-9 where the answer is more than an ACK.
    """
    header = message.header
    version = header.get(12) or "2.5.1"
    old = _is_before_v25(version)
    kind = response or ("ACK", message.trigger, "ACK")
    answer: list[SegmentValues] = [
        (
            "MSH",
            {
                3: header.get(5),
                4: header.get(6),
                5: header.get(3),
                6: header.get(4),
                7: hl7_time(at),
                9: kind[:2] if old else kind,
                10: control_id,
                11: header.get(11) or "P",
                12: version,
                18: "UNICODE UTF-8",
            },
        ),
        ("MSA", {1: code, 2: message.control_id, 3: refusal.text if refusal and old else ""}),
    ]
    if refusal is not None:
        answer.append(_err_v23(refusal) if old else _err(refusal))
    return answer


def refuse_unreadable(data: bytes, refusal: Refusal, *, control_id: str, at: datetime) -> bytes:
    """The answer to bytes that could not be parsed: as to a message, if as much as its MSH can be read."""
    first = re.split(rb"[\r\n]", data, maxsplit=1)[0].decode("ascii", errors="replace").replace("\ufffd", "?")
    try:
        header = parse(first[3:4].join(first.split(first[3:4])[:12]).encode() if first[3:4] else b"")
    except Hl7Error:
        header = parse(_NOTHING_READ)
    return build_acknowledgement(header, "reject", control_id=control_id, at=at, refusal=refusal)


_NOTHING_READ = b"MSH|^~\\&|||||||||P|2.5.1\r"


def _wants_commit(header: Segment) -> bool:
    """Enhanced mode with an accept acknowledgement; an application one alone has the original codes."""
    accept, application = header.get(15), header.get(16)
    return accept not in ("", "NE") or (accept == "NE" and application == "NE")


def _reason(message: Message) -> str:
    errors = [segment for segment in message.segments if segment.name == "ERR"]
    parts = [message.get("MSA-3"), *(_err_text(error) for error in errors)]
    return "; ".join(filter(None, parts))[:_LONGEST_REASON]


def _err_text(error: Segment) -> str:
    """Place, code and text of an ERR of either form."""
    if error.get(3) or error.get(8) or error.get(2):
        place = (error.get(2), error.get(2, component=3))
        said = (error.get(3), error.get(8) or error.get(3, component=2))
    else:
        place = (error.get(1), error.get(1, component=3))
        said = (error.get(1, component=4), error.get(1, component=4, subcomponent=2))
    return " ".join(filter(None, ("-".join(filter(None, place)), *said)))


def _err_v23(refusal: Refusal) -> SegmentValues:
    coded = (str(refusal.code), ERROR_TEXTS.get(refusal.code, ""), "HL70357")
    return ("ERR", {1: (*_location(refusal), coded) if refusal.segment else ("", "", "", coded)})


def _err(refusal: Refusal) -> SegmentValues:
    coded: Field = (str(refusal.code), ERROR_TEXTS.get(refusal.code, ""), "HL70357")
    return ("ERR", {2: _location(refusal) if refusal.segment else "", 3: coded, 4: "E", 8: refusal.text})


def _location(refusal: Refusal) -> tuple[str, str, str]:
    name, _, occurrence = refusal.segment.rstrip("]").partition("[")
    return (name, occurrence or "1", str(refusal.field or ""))


def _is_before_v25(version: str) -> bool:
    return re.match(r"2\.[0-4](?:\.|$)", version) is not None
