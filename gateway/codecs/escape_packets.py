"""The ESC packets of clinic scales: Health o meter Professional, and Rice Lake's health scales.

A packet has neither line end nor checksum. Each field is ESC, a letter and text up to the next ESC; it
begins with ``ESC R`` and ends with ``ESC E``. A new ``ESC R`` starts afresh: the packet before was cut when
somebody stepped off.

======  ========================================================================
letter  content
======  ========================================================================
``I``   patient id, 10 characters; zeros when none was typed
``W``   weight, tare already subtracted; 999.9 or 999.99 out of range
``H``   height, 0 when not entered
``T``   tare that was subtracted
``B``   BMI, 0 without a height
``N``   ``m`` metric (kg, cm), ``c`` constitutional (lb, in)
``D``   date and time, 12 digits whose order was not seen; not looked at
======  ========================================================================

Besides readings a scale sends its power state, ``ESC O``, ``ESC F`` or ``ESC L``, then ``ESC E``, and answers
to questions about settings (``ESC P``) and diagnostics (``ESC Z``), which others may ask.

Order and presence differ by model. Source: Health o meter Pro Plus 1100KL, 2700KL and 2650KL manuals; Rice
Lake 350-10, 150-10 and 160-10 manuals. Evidence: manual.
"""

import re
from decimal import Decimal

from gateway.codecs.framing import Blocks, unchecked
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

START, END = b"\x1bR", b"\x1bE"
EMPTY = "nothing on the scale"
ASK = START + END

_LONGEST = 160
_FIELD = re.compile(rb"\x1b([A-Za-z])([^\x1b]*)")
_ANY_START = re.compile(rb"\x1b[ROFLPZ]")
_NOTICES = {
    b"O": "the scale is on",
    b"F": "the scale is off",
    b"L": "the scale saves power",
    b"P": "a setting of the scale",
}
_DIAGNOSTICS = re.compile(rb"\x1bZ([^\x1b]*)")
_ALL_GOOD = b"000"
_NUMBER = re.compile(r"-?\d{1,4}(?:\.\d{1,2})?")
_UNITS = {"m": {"W": "kg", "H": "cm"}, "c": {"W": "[lb_av]", "H": "[in_i]"}}
_OUT_OF_RANGE = {Decimal("999.9"), Decimal("999.99")}
SPECIALS = ("999.9", "999.99", "zero weight")
_NAMES = (("W", "weight"), ("H", "height"), ("B", "bmi"))
EMITS = {"weight": ("kg", "[lb_av]"), "height": ("cm", "[in_i]"), "bmi": ("kg/m2",)}


def packets() -> Blocks:
    """The framer of a stream of packets."""
    return Blocks(_ANY_START, 2, length, check=unchecked, longest=_LONGEST)


def is_out_of_range(text: str) -> bool:
    """Whether a weight is the marker of overload and underload, leading zeros or not."""
    return _NUMBER.fullmatch(text) is not None and Decimal(text) in _OUT_OF_RANGE


def parse_packet(packet: bytes) -> Reading | str:
    """The reading in one packet, up to its ``ESC E``; what there is to show where it holds none.

    Raises
    ------
    DecodeError
        Weight or unit is missing or does not hold, or diagnostics found something; names which, and its
        offset in the packet.
    """
    if not packet.startswith(START):
        return _notice(packet)
    fields = {
        match[1].decode("ascii"): (match[2].decode("latin-1").strip(), match.start(2))
        for match in _FIELD.finditer(packet)
    }
    if "W" not in fields:
        raise DecodeError("layout", "no weight in the packet", offset=0)
    if is_out_of_range(fields["W"][0]):
        return rejected("weight", f"out of range: the scale shows {fields['W'][0]}")
    system, offset = fields.get("N", ("", 0))
    if system not in _UNITS:
        raise DecodeError("unit", f"{system!r} is neither m nor c", offset=offset)
    units = {**_UNITS[system], "B": "kg/m2"}
    observations = tuple(
        Observation(name, value, units[letter])
        for letter, name in _NAMES
        if (value := _number(letter, *fields.get(letter, ("0", 0))))
    )
    if not any(observation.name == "weight" for observation in observations):
        return EMPTY
    if any(observation.value is not None and observation.value < 0 for observation in observations):
        return rejected("weight", "negative weight: not a patient's")
    subject = fields.get("I", ("", 0))[0].strip("0") and fields["I"][0]
    return Reading(kind="weight", observations=observations, subject=subject or None)


def _notice(packet: bytes) -> str:
    found = _DIAGNOSTICS.match(packet)
    if found is None:
        return _NOTICES[packet[1:2]]
    if found[1] != _ALL_GOOD:
        raise DecodeError("diagnostics", f"the scale found {found[1].decode('latin-1')!r}", offset=2)
    return "the scale found nothing wrong with itself"


def _number(letter: str, text: str, offset: int) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise DecodeError("value", f"field {letter}: {text!r} is not a number", offset=offset)
    return Decimal(text)


def length(data: bytes) -> int:
    """Of the packet that begins there, as :class:`Blocks` wants to know it."""
    if not _ANY_START.match(data):
        return -1 if len(data) >= len(START) else 0
    end = data.find(END)
    again = data.find(START, len(START))
    if end < 0:
        return -1 if again > 0 or len(data) >= _LONGEST else 0
    return -1 if 0 < again < end else end + len(END)
