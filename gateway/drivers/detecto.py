r"""Detecto solo clinical scale. Serial, 9600 8N1, ASCII; one record for each key press, ended by CR::

    12:00,08/07/15,21.5,5'03.0",132.3lb

======  =======================================================================
field   content
======  =======================================================================
0       time, ``HH:MM``
1       date, month first; the setting `date_order` says otherwise
2       BMI, empty or 0 without a height
3       height: feet and inches with lb, whatever the quotes are; cm with kg
4       weight with its unit, ``lb`` or ``kg``
======  =======================================================================

The BMI is taken as sent: the manual's own example does not fit its height and weight. Feet are twelve
inches: the one conversion that is made. How a height in cm is printed was not seen. A record that comes again
unchanged is the key pressed twice. Other Detecto scales speak another protocol.

Source: Detecto solo Digital Clinical Scale manual. Evidence: manual.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.drivers.contract import Driver, Events, Measured, Progress, SerialLink, Setting, TcpLink
from gateway.drivers.line_session import LineFrames
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_RECORD_START = re.compile(rb"\d\d:\d\d,\d\d/\d\d/\d\d,")
_TIME = re.compile(r"(\d\d):(\d\d)")
_DATE = re.compile(r"(\d\d)/(\d\d)/(\d\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FEET_INCHES = re.compile(r"(\d)[^\d.](\d\d?(?:\.\d+)?)[^\d.]?")
_CENTIMETRES = re.compile(r"(\d+(?:\.\d+)?) ?(?:cm)?")
_WEIGHT = re.compile(r"(-?\d+(?:\.\d+)?) ?(lb|kg)")
_UNITS = {"kg": "kg", "lb": "[lb_av]"}


def parse_record(line: bytes, *, date_order: str = "mdy") -> Reading:
    """The reading in one record, without its CR.

    Raises
    ------
    DecodeError
        There are not five fields, or one does not hold; names it, with its offset in the record.
    """
    texts = line.decode("latin-1").split(",")
    if len(texts) != 5:
        raise DecodeError("layout", f"{len(texts)} fields, expected 5", offset=0)
    offsets = [sum(len(text) + 1 for text in texts[:place]) for place in range(5)]
    weight = _match(_WEIGHT, texts[4], "weight", offsets[4])
    moment = _moment(texts, offsets, date_order)
    if Decimal(weight[1]) < 0:
        reading = rejected("weight", "negative weight: not a patient's")
    else:
        observed = (
            Observation("weight", Decimal(weight[1]), _UNITS[weight[2]]),
            *_height(texts[3], weight[2], offsets[3]),
            *_bmi(texts[2], offsets[2]),
        )
        reading = Reading(kind="weight", observations=observed)
    if moment is None:
        return reading.noted("the clock of the scale shows no date and time")
    return reading.taken(moment, by="device")


def _match(pattern: re.Pattern[str], text: str, name: str, offset: int) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise DecodeError("value", f"{name} is {text!r}", offset=offset)
    return match


def _moment(texts: list[str], offsets: list[int], date_order: str) -> datetime | None:
    hour, minute = map(int, _match(_TIME, texts[0], "time", offsets[0]).groups())
    first, second, year = map(int, _match(_DATE, texts[1], "date", offsets[1]).groups())
    month, day = (first, second) if date_order == "mdy" else (second, first)
    try:
        return datetime(2000 + year, month, day, hour, minute)  # noqa: DTZ001 - the scale states no zone
    except ValueError:
        return None


def _height(text: str, weight_unit: str, offset: int) -> Iterator[Observation]:
    if not text.strip():
        return
    if weight_unit == "kg":
        height, unit = Decimal(_match(_CENTIMETRES, text, "height", offset)[1]), "cm"
    else:
        feet, inches = _match(_FEET_INCHES, text, "height", offset).groups()
        height, unit = 12 * Decimal(feet) + Decimal(inches), "[in_i]"
    if height:
        yield Observation("height", height, unit)


def _bmi(text: str, offset: int) -> Iterator[Observation]:
    if text.strip() and (bmi := Decimal(_match(_NUMBER, text, "BMI", offset)[0])):
        yield Observation("bmi", bmi, "kg/m2")


class Frames(LineFrames):
    """Every record for itself."""

    terminator = b"\r"
    longest = 80
    silent = b"\n"
    frame = _RECORD_START

    def __init__(self, date_order: str) -> None:
        super().__init__()
        self._date_order = date_order

    def line(self, line: bytes, at: datetime) -> Events:
        if not line.strip():
            return ()
        reading = replace(parse_record(line, date_order=self._date_order), provenance=line)
        return self.weighed(reading if reading.taken_at else reading.taken(at, by="gateway"))

    def weighed(self, reading: Reading) -> Events:
        if reading.value("weight") == 0:
            return (Progress("nothing on the scale"),)
        return (Measured(reading),)


class Session(Frames):
    """Each record once."""

    def __init__(self, date_order: str) -> None:
        super().__init__(date_order)
        self._last = b""

    def weighed(self, reading: Reading) -> Events:
        if reading.provenance == self._last:
            return (Progress("record sent again"),)
        self._last = reading.provenance
        return super().weighed(reading)


DRIVER = Driver(
    id="detecto",
    vendor="Detecto",
    models=("solo",),
    kind="scale",
    emits={"weight": ("kg", "[lb_av]"), "height": ("cm", "[in_i]"), "bmi": ("kg/m2",)},
    links=(SerialLink(baudrate=9600), TcpLink()),
    settings=(Setting("date_order", ("mdy", "dmy"), "mdy", "which of month and day comes first"),),
    evidence="manual",
    session=Session,
    frames=Frames,
)
