"""Every answer that a message asks for: none too few, and an order's in the form of its own.

MSH-15 and MSH-16 decide (HL7 v2.5.1 chapter 2, section 2.9). Where both are empty, the application answers
once: an order by ORR^O02 or ORG^O20, anything else by ACK. Otherwise the accept acknowledgement is an ACK
with a commit code, and the application's answer follows it where it is asked for and the message was taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from gateway.hl7.acknowledgement import Refusal, answer_segments
from gateway.hl7.building import Er7, SegmentValues, build
from gateway.hl7.message import Message
from gateway.model import Order

_RESPONSES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"ORM": ("ORR", "O02", "ORR_O02"), "OMG": ("ORG", "O20", "ORG_O20")}
)
_ASKED: Mapping[str, tuple[bool, bool]] = MappingProxyType(
    {"AL": (True, True), "SU": (True, False), "ER": (False, True)}
)
"""Table 0155: whether an answer is asked for where the message is taken, and where it is refused."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was made of one order.

    Parameters
    ----------
    control : str
        ORC-1, table 0119.
    order : Order
    status : str
        ORC-5, table 0038.
    note : str
        Why it was not done.
    """

    control: str
    order: Order
    status: str = ""
    note: str = ""


def build_answers(
    message: Message,
    *,
    next_control_id: Callable[[], str],
    at: datetime,
    refusal: Refusal | None = None,
    replies: Sequence[Reply] = (),
) -> tuple[bytes, ...]:
    """The answers to `message` in the order in which they are sent: one, or two.

    Where the sender asks for none, it is told all the same, by a commit code, that the message has come.

    Parameters
    ----------
    message : Message
    next_control_id : callable
    at : datetime
    refusal : Refusal, optional
        Why it is not taken.
    replies : sequence of Reply
        What was made of each order.
    """
    accept, application = message.header.get(15), message.header.get(16)
    is_refused = refusal is not None
    is_original = not accept and not application
    wants_accept = _ASKED.get(accept, (False, False))[is_refused]
    wants_application = is_original or _ASKED.get(application, (False, False))[is_refused]
    answers = []
    if wants_accept or not wants_application:
        code = "CR" if is_refused else "CA"
        commit = answer_segments(message, code, control_id=next_control_id(), at=at, refusal=refusal)
        answers.append(build(commit))
    if wants_application and not (answers and is_refused):
        answers.append(build(_application(message, next_control_id(), at, refusal, replies, is_original)))
    return tuple(answers)


def _application(
    message: Message,
    control_id: str,
    at: datetime,
    refusal: Refusal | None,
    replies: Sequence[Reply],
    is_original: bool,
) -> list[SegmentValues]:
    response = _RESPONSES.get(message.type)
    (name, header), *rest = answer_segments(
        message,
        "AA" if refusal is None else "AR",
        control_id=control_id,
        at=at,
        refusal=refusal,
        response=response,
    )
    if response and not is_original:
        header = {**header, 15: "NE", 16: "NE"}
    told = [segment for reply in replies for segment in _told(reply)] if response else []
    return [(name, header), *rest, *told]


def _told(reply: Reply) -> list[SegmentValues]:
    order = reply.order
    numbers = {2: Er7(order.placer), 3: Er7(order.filler)}
    told: list[SegmentValues] = [("ORC", {1: reply.control, **numbers, 5: reply.status})]
    if order.service:
        told.append(("OBR", {1: 1, **numbers, 4: Er7(order.service)}))
    if reply.note:
        told.append(("NTE", {1: 1, 2: "L", 3: reply.note}))
    return told
