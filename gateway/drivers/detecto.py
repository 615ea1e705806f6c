r"""Detecto scales, and others of the same family. Serial, ASCII.

**solo Digital Clinical Scale**, 9600 8N1: one record for each key press, ended by CR::

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
inches: the one conversion that is made. How a height in cm is printed was not seen. A record that comes
again unchanged is the key pressed twice.

**NCI and SCP-01**, 9600 7E1 or 8N1: :mod:`gateway.drivers.nci_answers`. The driver asks for the weight
twice a second where the setting `protocol` says so, and takes one reading a load. Which of Detecto's scales
speak it is for their manuals to say.

Source: Detecto solo Digital Clinical Scale manual. Evidence: manual.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.framing import Blocks, Frame, unchecked
from gateway.drivers import nci_answers
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import (
    Driver,
    Events,
    Measured,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    Setting,
    TcpLink,
)
from gateway.drivers.steadiness import OneLoad
from gateway.drivers.weighing_lines import Moving
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_RECORD_START = re.compile(rb"\d\d:\d\d,\d\d/\d\d/\d\d,")
_TIME = re.compile(r"(\d\d):(\d\d)")
_DATE = re.compile(r"(\d\d)/(\d\d)/(\d\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FEET_INCHES = re.compile(r"(\d)[^\d.]+(\d\d?(?:\.\d+)?)[^\d.]*")
_CENTIMETRES = re.compile(r"(\d+(?:\.\d+)?) ?(?:cm)?")
_WEIGHT = re.compile(r"(-?\d+(?:\.\d+)?) ?(lb|kg)")
_UNITS = {"kg": "kg", "lb": "[lb_av]"}
_SCP_01 = "scp-01"
_POLL_S = 0.5
_LONGEST = 80


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


def _length(data: bytes) -> int:
    if data.startswith(b"\n"):
        return nci_answers.length(data)
    if _RECORD_START.search(data, 1):
        return -1
    end = data.find(b"\r")
    return end + 1 if end >= 0 else 0 if len(data) < _LONGEST else -1


class Frames(BlockFrames):
    """Every record or answer for itself."""

    def __init__(self, date_order: str, protocol: str) -> None:
        super().__init__(Blocks(re.compile(rb"[\n\d]"), 1, _length, unchecked, longest=_LONGEST))
        self._date_order = date_order

    def block(self, frame: Frame, at: datetime) -> Events:
        if not frame.content.strip():
            return ()
        if not frame.data.startswith(b"\n"):
            line = frame.content[:-1]
            reading = replace(parse_record(line, date_order=self._date_order), provenance=line)
            return self.pressed(reading if reading.taken_at else reading.taken(at, by="gateway"))
        parsed = nci_answers.parse_answer(frame.content)
        if isinstance(parsed, str):
            return (Progress(parsed),)
        if isinstance(parsed, Moving):
            return self.moving(parsed)
        return self.answered(replace(parsed, provenance=frame.content).taken(at, by="gateway"))

    def pressed(self, reading: Reading) -> Events:
        """A record of a key press."""
        if reading.value("weight") == 0:
            return (Progress("nothing on the scale"),)
        return (Measured(reading),)

    def answered(self, reading: Reading) -> Events:
        """An answer that holds a steady weight or says why there is none."""
        return self.pressed(reading)

    def moving(self, moving: Moving) -> Events:
        return (Progress("weighing" if moving.weight else "nothing on the scale"),)


class Session(Frames):
    """Each record once; asks a scale that sends only when asked, and takes one weight for each load."""

    def __init__(self, date_order: str, protocol: str) -> None:
        super().__init__(date_order, protocol)
        self._asks = protocol == _SCP_01
        self._load = OneLoad()
        self._last = b""

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", _POLL_S),) if self._asks else ()

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(nci_answers.ASK_WEIGHT), SetTimer("poll", _POLL_S)
        return super().timer(name, at)

    def pressed(self, reading: Reading) -> Events:
        if reading.provenance == self._last:
            return (Progress("record sent again"),)
        self._last = reading.provenance
        return super().pressed(reading)

    def answered(self, reading: Reading) -> Events:
        return self._load.stable(reading)

    def moving(self, moving: Moving) -> Events:
        return self._load.unstable(moving.weight)


DRIVER = Driver(
    id="detecto",
    vendor="Detecto",
    models=("solo", "scales that speak NCI or SCP-01"),
    kind="scale",
    emits={"weight": tuple(nci_answers.UNITS.values()), "height": ("cm", "[in_i]"), "bmi": ("kg/m2",)},
    links=(SerialLink(baudrate=9600), SerialLink(baudrate=9600, bytesize=7, parity="E"), TcpLink()),
    settings=(
        Setting("date_order", ("mdy", "dmy"), "mdy", "which of month and day comes first"),
        Setting("protocol", ("solo", _SCP_01), "solo", "scp-01 for a scale that sends only when asked"),
    ),
    evidence="manual",
    specials=nci_answers.SPECIALS,
    session=Session,
    frames=Frames,
)
