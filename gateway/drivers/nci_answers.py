r"""Answers of scales that speak NCI or SCP-01: Detecto, Brecknell, Avery, Ohaus, Adam and others. ASCII.

The host sends a letter and CR; ``W`` asks for the weight. The scale answers, and sends nothing by itself::

    <LF>  72.45kg<CR><LF>00<CR><ETX>        weight, unit, status
    <LF>10<CR><ETX>                         status alone: SCP-01 gives no weight in motion
    <LF>?<CR><ETX>                          command not known

A weight field filled with ``^`` is over capacity, with ``_`` under, with ``-`` a zero that could not be
set. An ``S`` may stand before the status, whose bytes have bits 4 and 5 set, so that they are printed as
characters; bit 6 says that another follows. Makers agree on few of the bits, and only these are read: bit 0
of the first, moving, and bits 0 and 1 of the second, under and over capacity.

Source: Ohaus Aviator, Brecknell 67xx, MS140 and SBI521, Avery 7821, Adam MDW and MeasureTek manuals.
Evidence: manual.
"""

import re
from decimal import Decimal

from gateway.drivers.weighing_lines import Moving
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

ASK_WEIGHT = b"W\r"
UNITS = {"kg": "kg", "g": "g", "lb": "[lb_av]", "oz": "[oz_av]"}
LONGEST = 48

_TEXT = rb"\n([^\r\n\x03]{1,24})"
ANSWER = re.compile(_TEXT + rb"\r(?:\n([^\r\n\x03]{1,8})\r)?\x03")
_BEGUN = re.compile(rb"\n[^\r\n\x03]{0,24}(?:\r(?:\n[^\r\n\x03]{0,8}\r?)?)?")
_STATUS = re.compile(rb"S?([0-?p-\x7f]{2,4})")
_WEIGHT = re.compile(r" *(-?) *(\d{1,7}(?:\.\d{1,4})?) *([A-Za-z]{1,3}) *")
_FILLED = re.compile(r" *(\^+|_+|--+)[A-Za-z: ]*")
_FILLERS = {"^": "over capacity", "_": "under capacity", "-": "zero cannot be set"}
SPECIALS = (*_FILLERS.values(), "no weight in motion", "capacity bits")
_MOVING = 0x01
_OUT_OF_CAPACITY = ((0x01, "under capacity"), (0x02, "over capacity"))
_PIECES = "pcs"


def length(data: bytes) -> int:
    """Of the answer that begins there, as :class:`gateway.codecs.framing.Blocks` wants to know it."""
    if answer := ANSWER.match(data):
        return answer.end()
    return 0 if _BEGUN.fullmatch(data) else -1


def parse_answer(answer: bytes) -> Reading | Moving | str:
    """What one answer says: a weight, one that moves, or what is to be shown.

    Raises
    ------
    DecodeError
        Layout, value or unit do not hold, or the scale did not know the command; names which, and its
        offset in the answer.
    """
    match = ANSWER.fullmatch(answer)
    if match is None:
        raise DecodeError("layout", "no answer from LF to ETX", offset=0)
    text, status = match.groups()
    if status is None:
        return _alone(text)
    flags = _STATUS.fullmatch(status)
    if flags is None:
        raise DecodeError("status", f"{status!r} is not one", offset=match.start(2))
    weighed = _weighed(text.decode("latin-1"), offset=match.start(1))
    return weighed if isinstance(weighed, str) else _by_status(weighed, flags[1])


def _alone(text: bytes) -> Reading | Moving | str:
    if text.strip() == b"?":
        raise DecodeError("command", "the scale did not know the command", offset=1)
    if flags := _STATUS.fullmatch(text):
        if reason := _out_of_capacity(flags[1]):
            return rejected("weight", reason)
        return "weighing" if flags[1][0] & _MOVING else "the scale is steady"
    if text.decode("latin-1").strip().lower() in UNITS:
        return "the unit was changed"
    if _FILLED.fullmatch(text.decode("latin-1")) or _WEIGHT.fullmatch(text.decode("latin-1")):
        raise DecodeError("status", "a weight without its status", offset=len(text) + 1)
    raise DecodeError("layout", "neither a weight nor a status", offset=1)


def _weighed(text: str, *, offset: int) -> Reading | str:
    if filled := _FILLED.fullmatch(text):
        return rejected("weight", _FILLERS[filled[1][0]])
    match = _WEIGHT.fullmatch(text)
    if match is None:
        raise DecodeError("value", f"{text!r} is not a weight with its unit", offset=offset)
    sign, digits, unit = match[1], match[2], match[3].lower()
    if unit == _PIECES:
        return "the scale counts pieces; switch it to weighing"
    if unit not in UNITS:
        raise DecodeError(
            "unit", f"{unit!r} is not one of {', '.join(UNITS)}", offset=offset + match.start(3)
        )
    return Reading(kind="weight", observations=(Observation("weight", Decimal(sign + digits), UNITS[unit]),))


def _by_status(reading: Reading, status: bytes) -> Reading | Moving:
    if reason := _out_of_capacity(status):
        return rejected("weight", reason)
    weight = reading.value("weight")
    if weight is None:
        return reading
    if status[0] & _MOVING:
        return Moving(weight)
    return rejected("weight", "negative weight: not a patient's") if weight < 0 else reading


def _out_of_capacity(status: bytes) -> str | None:
    return next((reason for bit, reason in _OUT_OF_CAPACITY if status[1] & bit), None)
