"""Files of several messages: FHS, BHS, messages, BTS, FTS. HL7 v2.5.1 chapter 2, section 2.10.3."""

import re

from gateway.errors import Hl7Error

_LINE = re.compile(rb"[^\r\n]+[\r\n]*")
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")


def _stated_count(trailer: bytes) -> int | None:
    digits = re.match(rb"BTS[^\w\s](\d{1,9})", trailer)
    return int(digits[1]) if digits else None


def split_batch(data: bytes) -> tuple[bytes, ...]:
    """The messages of a batch file, each as it came; a file of plain messages, one after another, as well.

    Raises
    ------
    Hl7Error
        A segment stands outside every message, or BTS-1 counts other than there are.
    """
    messages: list[bytes] = []
    in_batch = 0
    inside = False
    for line in _LINE.findall(data):
        name = line[:3]
        if name == b"BTS" and (stated := _stated_count(line)) not in (None, in_batch):
            raise Hl7Error(f"{stated} messages stated, {in_batch} found", segment="BTS", field=1)
        if name in _ENVELOPE:
            in_batch, inside = 0, False
        elif name == b"MSH":
            messages.append(line)
            in_batch, inside = in_batch + 1, True
        elif inside:
            messages[-1] += line
        else:
            raise Hl7Error("a segment of the batch belongs to no message; MSH is missing", segment="MSH")
    return tuple(messages)
