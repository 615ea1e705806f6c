r"""Rice Lake health scales: 150-10, 160-10-7, 140-10-7, 350-10, SB-1000. Serial.

When their print key is held they send one line: weight right-aligned in 9 characters, blank, unit, blanks,
``Gross`` or ``Net``. The manual's own examples differ in width: a line counts by its parts, and by the
blanks before the weight, without which it may be torn::

         10.0 lb Gross \r\n

in BMI mode five lines in place of it::

    GROSS WEIGHT 215.0 LB
    TARE WEIGHT 0.0 LB
    NET WEIGHT 215.0 LB
    PATIENT HEIGHT 6-01.0 FT           feet and inches
    PATIENT BMI 28.4

and they answer ``ESC R ESC E``, which the driver sends once a second, with a packet of
:mod:`gateway.codecs.escape_packets`; there ``N`` tells the unit, whatever the manual remarks beside its
example. Net is what the patient weighs. Feet are twelve inches: the one conversion that is made. Overload
is 999.9 or 999.99. One reading a load: :class:`gateway.drivers.steadiness.OneLoad`; a print counts at once.

Source: Rice Lake 350-10, 150-10, 160-10-7, 140-10-7 and SB-1000 manuals. Evidence: manual.
"""

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs import escape_packets
from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import Driver, Events, Measured, Progress, Send, SerialLink, SetTimer, TcpLink
from gateway.drivers.steadiness import OneLoad
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_POLL_S, _SILENCE_S = 1.0, 2.0
_LONGEST_LINE, _LONGEST = 48, 160
_ESCAPE, _LINE_END = b"\x1b", b"\r\n"
_PRINT = re.compile(rb"( +-?\d{1,6}(?:\.\d+)?) +(kg|lb) +(?:gross|net) *", re.IGNORECASE)
_LABELLED = re.compile(rb"([A-Z]+ [A-Z]+) +(-?\d[\d.-]*)(?: +([A-Z]+))? *")
_LABELS = ("GROSS WEIGHT", "TARE WEIGHT", "NET WEIGHT", "PATIENT HEIGHT", "PATIENT BMI")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_FEET_INCHES = re.compile(r"(\d)-(\d\d?(?:\.\d+)?)")
_WEIGHT_UNITS = {"kg": "kg", "lb": "[lb_av]"}

Labelled = dict[str, tuple[str, str]]


def parse_print(line: bytes) -> Reading:
    """The reading in one printed line, without its end.

    Raises
    ------
    DecodeError
        It has another layout.
    """
    match = _PRINT.fullmatch(line)
    if match is None:
        raise DecodeError("layout", "expected weight behind blanks, unit, Gross or Net", offset=0)
    return _weighed(match[1].decode("ascii").strip(), match[2].decode("ascii").lower())


def parse_labelled(fields: Labelled) -> Reading:
    """The reading in the five lines of BMI mode, given by label as value and unit.

    Raises
    ------
    DecodeError
        A label is missing, or a value or unit does not hold.
    """
    if missing := [label for label in _LABELS if label not in fields]:
        raise DecodeError("layout", f"no line {missing[0]}", offset=0)
    value, unit = fields["NET WEIGHT"]
    reading = _weighed(value, unit.lower())
    if reading.status == "rejected":
        return reading
    more = (
        _height(*fields["PATIENT HEIGHT"]),
        Observation("bmi", _decimal(fields["PATIENT BMI"][0]), "kg/m2"),
    )
    entered = tuple(observation for observation in more if observation.value)
    return replace(reading, observations=reading.observations + entered)


def _weighed(text: str, unit: str) -> Reading:
    if escape_packets.is_out_of_range(text):
        return rejected("weight", f"out of range: the scale shows {text}")
    if unit not in _WEIGHT_UNITS:
        raise DecodeError("unit", f"weight in {unit!r}, neither kg nor lb", offset=0)
    value = _decimal(text)
    if value < 0:
        return rejected("weight", "negative weight: not a patient's")
    return Reading(kind="weight", observations=(Observation("weight", value, _WEIGHT_UNITS[unit]),))


def _height(text: str, unit: str) -> Observation:
    if unit == "CM":
        return Observation("height", _decimal(text), "cm")
    match = _FEET_INCHES.fullmatch(text)
    if unit != "FT" or match is None:
        raise DecodeError("value", f"height {text!r} in {unit!r}, neither feet-inches nor cm", offset=0)
    return Observation("height", 12 * Decimal(match[1]) + Decimal(match[2]), "[in_i]")


def _decimal(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise DecodeError("value", f"{text!r} is not a number", offset=0)
    return Decimal(text)


def _length(data: bytes) -> int:
    if data.startswith(_ESCAPE):
        return escape_packets.length(data)
    end = data.find(_LINE_END)
    if 0 <= end <= _LONGEST_LINE:
        return end + len(_LINE_END)
    return 0 if end < 0 and len(data) < _LONGEST_LINE + len(_LINE_END) else -1


def _holds(frame: bytes) -> bool:
    line = frame.removesuffix(_LINE_END)
    return line == frame or _PRINT.fullmatch(line) is not None or _label(line) is not None


def _label(line: bytes) -> tuple[str, tuple[str, str]] | None:
    match = _LABELLED.fullmatch(line)
    if match is None or match[1].decode("ascii") not in _LABELS:
        return None
    return match[1].decode("ascii"), (match[2].decode("ascii"), (match[3] or b"").decode("ascii"))


class Frames(BlockFrames):
    """Every packet, line or five lines for themselves."""

    silence_s = _SILENCE_S

    def __init__(self) -> None:
        super().__init__(Blocks(re.compile(rb"[\x1b \dGTNP-]"), 1, _length, _holds, longest=_LONGEST))
        self._labelled: Labelled = {}

    def block(self, frame: Frame, at: datetime) -> Events:
        if not frame.content.strip():
            return ()
        asked = frame.content.startswith(escape_packets.START)
        parsed = self._parsed(frame.data)
        if parsed is None:
            return ()
        if isinstance(parsed, str):
            return self.empty() if asked else (Progress(parsed),)
        reading = replace(parsed, provenance=frame.content).taken(at, by="gateway")
        return self.answered(reading) if asked else self.printed(reading)

    def _parsed(self, frame: bytes) -> Reading | str | None:
        if frame.startswith(_ESCAPE):
            return escape_packets.parse_packet(frame)
        line = frame.removesuffix(_LINE_END)
        if (label := _label(line)) is None:
            return parse_print(line)
        name, value = label
        if name == _LABELS[0]:
            self._labelled = {}
        self._labelled[name] = value
        return parse_labelled(self._labelled) if name == _LABELS[-1] else None

    def answered(self, reading: Reading) -> Events:
        return (Measured(reading),)

    def printed(self, reading: Reading) -> Events:
        return self.empty() if reading.value("weight") == 0 else (Measured(reading),)

    def empty(self) -> Events:
        return (Progress(escape_packets.EMPTY),)


class Session(Frames):
    """Asks for the weight, and takes one for each load."""

    def __init__(self) -> None:
        super().__init__()
        self._load = OneLoad()

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", _POLL_S),)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(escape_packets.ASK), SetTimer("poll", _POLL_S)
        return super().timer(name, at)

    def answered(self, reading: Reading) -> Events:
        return self._load.stable(reading) or (Progress("weighing"),)

    def printed(self, reading: Reading) -> Events:
        return self._load.stable(reading) or self._load.silent()

    def empty(self) -> Events:
        return self._load.empty()


DRIVER = Driver(
    id="rice-lake",
    vendor="Rice Lake",
    models=("150-10", "160-10-7", "140-10-7", "350-10", "SB-1000"),
    kind="scale",
    emits=escape_packets.EMITS,
    links=(SerialLink(baudrate=9600), TcpLink()),
    evidence="manual",
    specials=(*escape_packets.SPECIALS, "999.9 in a print"),
    session=Session,
    frames=Frames,
)
