r"""Cuffs and scales of waiting rooms that send one text a measurement: Omron HBP-9020 and HBP-9030, Terumo,
G-Tech.

What the text begins with tells which it is, so that none has to be set.

**Omron HBP-9030, HBP-9031C**, function item 32 set to format 5, USB (CDC); 53 characters, CR LF::

    2025,04,17,10,22,00000000000000041877,0,128,079,071,0

======  =====  =========================================================================
offset  width  field
======  =====  =========================================================================
0       16     ``YYYY,MM,DD,hh,mm``, local time
17      20     patient id, blanks or zeros for none
38      1      error, 0 for good; the values are blanks then, or digits that mean nothing
40      3      systolic; 44 diastolic; 48 pulse rate
52      1      body movements counted
======  =====  =========================================================================

**Omron HBP-9020**, mode 5 F3; the mean stands before the diastolic, an id of nines is none, and the last
field is not understood::

    bp,99999999999999999999,2023/04/27,15:06,140,098,077,068,3

**Terumo BP-500**; a check character follows whose rule is not known, and four fields that are not
understood::

    <STX>R1,000000000,210427,153000,128,097,082,084,0000,0000,00000,000<ETX>?

**G-Tech GL-310** scale with stadiometer: height in cm, weight in kg, two fields, BMI, more::

    <STX>188.6,90.05,,,25.3<ETX>

Other output formats of the HBP-9030 begin ``MMBP203N`` or ``ID``: they are named, and refused.

Source: Omron HBP-9030 manual 2873643-0F, page 20, as quoted in BP_checker; single lines quoted in a public
program that reads all of these in a hospital. Evidence: capture.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames, length_between
from gateway.drivers.contract import Driver, Events, Measured, SerialLink, TcpLink
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading, rejected

_STX, _ETX, _LINE_END = b"\x02", b"\x03", b"\r\n"
_LONGEST = 128
_TAIL = 3  # behind ETX: a check character, CR, LF
_STARTS, _STARTS_WIDTH = re.compile(rb"\x02|bp,|\d{4},"), 5

_HBP_9030 = re.compile(
    r"(?P<year>\d{4}),(?P<month>\d\d),(?P<day>\d\d),(?P<hour>\d\d),(?P<minute>\d\d),(?P<id>[^,]{20}),"
    r"(?P<error>\d),(?P<systolic>...),(?P<diastolic>...),(?P<pulse>...),(?P<movements>\d)"
)
_HBP_9020 = re.compile(
    r"bp,(?P<id>[^,]{20}),(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d),(?P<hour>\d\d):(?P<minute>\d\d),"
    r"(?P<systolic>...),(?P<mean>...),(?P<diastolic>...),(?P<pulse>...),[^,]*"
)
_BP_500 = re.compile(
    r"\x02R1,(?P<id>[^,]{9}),(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d),(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d),"
    r"(?P<systolic>...),(?P<mean>...),(?P<diastolic>...),(?P<pulse>...)(?:,[^,]*)*\x03"
)
_GL_310 = re.compile(
    r"\x02(?P<height> *\d+\.\d+),(?P<weight> *\d+\.\d+),[^,]*,[^,]*,(?P<bmi>[\d. ]*)(?:,[^,]*)*\x03"
)
_OTHER_FORMATS = re.compile(rb"\s*(?:MMBP203N|ID)")

_PRESSURES = {
    "systolic": "systolic",
    "diastolic": "diastolic",
    "mean": "mean-arterial-pressure",
    "pulse": "pulse-rate",
}
_SIZES = {"weight": "kg", "height": "cm", "bmi": "kg/m2"}
_WHOLE, _DECIMAL = re.compile(r" *\d{1,3} *"), re.compile(r" *\d{1,3}(?:\.\d{1,2})? *")
_NO_VALUE = re.compile(r"[ -]*")
_CENTURY = "20"
_NO_ID = re.compile(r"[ 0]*|9*")

Match = re.Match[str]


def parse_text(text: str) -> Reading:
    """The reading in one text, without its CR LF.

    Raises
    ------
    DecodeError
        It is of none of the formats, or a value is no number; names it, with its offset in the text.
    """
    for pattern, read in _FORMATS.items():
        if match := pattern.fullmatch(text):
            return read(match)
    raise DecodeError("layout", "none of the known formats", offset=0)


def _cuff(match: Match, device: Device) -> Reading:
    parts = match.groupdict()
    measured = blood_pressure(
        {name: int(_number(match, group, _WHOLE)) for group, name in _PRESSURES.items() if group in parts}
    )
    subject = match["id"].strip()
    reading = replace(measured, device=device, subject=None if _NO_ID.fullmatch(subject) else subject)
    century, year = parts["year"][:-2] or _CENTURY, parts["year"][-2:]
    month, day, hour, minute, second = (
        int(parts.get(part, 0)) for part in ("month", "day", "hour", "minute", "second")
    )
    return at_stated_time(
        reading, int(century + year) if century == _CENTURY else 0, month, day, hour, minute, second
    )


def _hbp_9030(match: Match) -> Reading:
    reading = _cuff(match, Device(vendor="Omron", model="HBP-9030"))
    if match["error"] != "0":
        return replace(
            reading, status="rejected", observations=(), notes=(f"error {match['error']} of the cuff",)
        )
    if match["movements"] != "0" and reading.status != "rejected":
        return reading.noted(f"{match['movements']} body movements during the measurement")
    return reading


def _hbp_9020(match: Match) -> Reading:
    return _cuff(match, Device(vendor="Omron", model="HBP-9020"))


def _bp_500(match: Match) -> Reading:
    return _cuff(match, Device(vendor="Terumo", model="BP-500"))


def _gl_310(match: Match) -> Reading:
    sizes = [(name, _number(match, name, _DECIMAL), unit) for name, unit in _SIZES.items()]
    observations = tuple(Observation(*size) for size in sizes if size[1])
    weighed = Reading(kind="weight", observations=observations)
    reading = weighed if weighed.value("weight") else rejected("weight", "no weight")
    return replace(reading, device=Device(vendor="G-Tech", model="GL-310"))


_FORMATS: Mapping[re.Pattern[str], Callable[[Match], Reading]] = {
    _HBP_9030: _hbp_9030,
    _HBP_9020: _hbp_9020,
    _BP_500: _bp_500,
    _GL_310: _gl_310,
}


def _number(match: Match, group: str, pattern: re.Pattern[str]) -> Decimal:
    """Blanks and dashes are none, as zeros are."""
    text = match[group]
    if _NO_VALUE.fullmatch(text):
        return Decimal(0)
    if not pattern.fullmatch(text):
        raise DecodeError("value", f"{group} is {text!r}", offset=match.start(group))
    return Decimal(text.strip())


def _length(data: bytes) -> int:
    if data.startswith(_STX):
        return length_between(_STX, _ETX, _LONGEST, data)
    end = data.find(_LINE_END)
    return len(_LINE_END) + end if end >= 0 else 0 if len(data) < _LONGEST else -1


def _holds(frame: bytes) -> bool:
    text = _text(frame)
    return any(pattern.fullmatch(text) for pattern in _FORMATS)


def _text(frame: bytes) -> str:
    return frame.removesuffix(_LINE_END).decode("latin-1")


class Session(BlockFrames):
    """Results as they come, each by itself."""

    def __init__(self) -> None:
        super().__init__(Blocks(_STARTS, _STARTS_WIDTH, _length, _holds, longest=_LONGEST, tail=_TAIL))

    def block(self, frame: Frame, at: datetime) -> Events:
        if frame.error is not None and _OTHER_FORMATS.match(frame.content):
            raise DecodeError("format", "the cuff sends another format; set function item 32 to 5", offset=0)
        reading = replace(parse_text(_text(frame.data)), provenance=frame.content)
        return (Measured(reading if reading.taken_at else reading.taken(at, by="gateway")),)


DRIVER = Driver(
    id="omron-hbp",
    vendor="",
    models=("Omron HBP-9020", "Omron HBP-9030", "Omron HBP-9031C", "Terumo BP-500", "G-Tech GL-310"),
    kind="blood-pressure-monitor",
    emits={name: (unit,) for name, unit in {**UNITS, **_SIZES}.items()},
    links=(SerialLink(baudrate=9600), SerialLink(baudrate=2400), TcpLink()),
    evidence="capture",
    specials=("error of an HBP-9030", "blanks", "zeros"),
    session=Session,
)
