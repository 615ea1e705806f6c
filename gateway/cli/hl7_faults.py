"""What is wrong with an HL7 message: the segment, the field, the rule that it breaks, and why."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import Hl7Error
from gateway.hl7 import parse
from gateway.hl7.independent_check import structure_faults

_ELEMENT = re.compile(r"\b([A-Z][A-Z0-9]{2})_(\d+)(?:_(\d+))?\b")
_SEGMENT = re.compile(r"\b([A-Z][A-Z0-9]{2})\b")


@dataclass(frozen=True, slots=True)
class MessageFault:
    """One thing that does not hold. It names elements, never what they hold.

    Parameters
    ----------
    segment : str
        Empty where the whole message is meant.
    field, component : int, optional
        Counted from 1.
    rule : {"encoding", "structure"}
    reason : str
    """

    segment: str
    field: int | None
    component: int | None
    rule: str
    reason: str

    def __str__(self) -> str:
        numbers = ".".join(str(number) for number in (self.field, self.component) if number is not None)
        place = "-".join(filter(None, (self.segment or "message", numbers)))
        return f"{place}: {self.rule}: {self.reason}"


def faults_of(data: bytes) -> Iterator[MessageFault]:
    """Every fault that is known of one message: what cannot be read, else what its structure lacks."""
    try:
        message = parse(data)
    except Hl7Error as error:
        yield MessageFault(error.segment or "", error.field, None, "encoding", error.message)
        return
    for text in structure_faults(message):
        yield MessageFault(*_place(text), "structure", text)


def _place(text: str) -> tuple[str, int | None, int | None]:
    """The element that the validator speaks of: ``OBR.OBR_4`` is OBR-4."""
    if element := _ELEMENT.search(text):
        segment, field, component = element.groups()
        return segment, int(field), int(component) if component else None
    named = _SEGMENT.search(text)
    return (named[1] if named else "", None, None)
