r"""Masimo oximeters on a serial line: Rad-5, Rad-8, Rad-57, Rad-87, Radical-7. ASCII, one line a second.

The mode ASCII 1 has to be set in the device's menu; units that left the factory in ASCII 2 send nothing but
trends::

    02/22/16 22:47:45 SN=0000056661 SPO2=098% BPM=097 PI=03.60% SPCO=--.-% DESAT=-- ALARM=0000 EXC=000800
    09/21/08 09:56:12 SpO2=097 SpCO=001 PR=069 PI=04.69 EXC=800:SET

Month, day, two-digit year, and time of the device's own clock, which every line of the stream shows; then
keys with values, which differ by model and are looked up, never counted. ``%`` may follow, and means nothing.
Dashes are no value, nor are zeros of SpO2 and pulse rate; in trend lines (the second form) no zeros are.
``SN`` is the oximeter's serial number.

==========  =============================================  ====================================
EXC, bits   meaning                                        what becomes of the line
==========  =============================================  ====================================
001 002     no sensor, defective sensor                    no reading, though digits may stand:
020 040     sensor off, too much light                     they are old
080         unrecognised sensor
008         pulse search                                   no reading
004 400     low perfusion, low signal IQ                   questionable
010         interference                                   questionable
800         Masimo SET is running                          nothing: it is good
==========  =============================================  ====================================

One reading comes when the values have been valid and steady, more of the same finger only when they change
or after a while: :class:`gateway.drivers.steadiness.OneFinger`. Trend lines are records: one reading each.

Source: operator's manuals of Rad-8, Rad-57 and Rad-87 (line settings, EXC bits, trends); a Radical-7 line of
nmenon/masimo-datacapture. Evidence: capture.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.drivers.contract import (
    ClockRead,
    Driver,
    Events,
    Measured,
    SerialLink,
    Setting,
    TcpLink,
    clock_setting,
)
from gateway.drivers.line_session import LineFrames
from gateway.drivers.steadiness import REPEAT, OneFinger, repeat_after
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading, rejected

_LINE = re.compile(rb"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) (\S.*)")
_START = re.compile(rb"\d\d/\d\d/\d\d \d\d:\d\d:\d\d ")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NO_VALUE = re.compile(r"[-.]+")
_EXCEPTIONS = (
    (0x001, "no sensor"),
    (0x002, "defective sensor"),
    (0x020, "sensor off"),
    (0x040, "too much ambient light"),
    (0x080, "unrecognised sensor"),
    (0x008, "pulse search"),
    (0x004, "low perfusion"),
    (0x400, "low signal IQ"),
    (0x010, "interference"),
)
_NO_FINGER = {name for _, name in _EXCEPTIONS[:5]}
_UNUSABLE = {name for _, name in _EXCEPTIONS[:6]}
_KEYS = {  # as the two sorts of line print them
    "SPO2": ("spo2", "%"),
    "SpO2": ("spo2", "%"),
    "BPM": ("pulse-rate", "/min"),
    "PR": ("pulse-rate", "/min"),
    "PI": ("perfusion-index", "%"),
    "SPCO": ("spco", "%"),
    "SpCO": ("spco", "%"),
}
_NEEDED = ("spo2", "pulse-rate")
_SERIAL = re.compile(r"[0-9A-Za-z]+")
_TREND_KEY = "PR"


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says.

    Parameters
    ----------
    reading : Reading
        With the device's time; rejected where there is no measurement.
    exceptions : tuple of str
    is_trend : bool
        A record of the past, not a moment of the stream.
    """

    reading: Reading
    exceptions: tuple[str, ...]
    is_trend: bool


def parse_line(line: bytes) -> Line:
    """One line, without its CR LF.

    Raises
    ------
    DecodeError
        Date, keys or a value do not hold; names which, and its offset in the line.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise DecodeError("layout", "no date and time, then keys and values", offset=0)
    fields = dict(_fields(match[7].decode("latin-1"), offset=match.start(7)))
    if not {"SPO2", "SpO2"} & set(fields) or "EXC" not in fields:
        raise DecodeError("layout", "SPO2 or EXC is missing", offset=match.start(7))
    is_trend = _TREND_KEY in fields
    exceptions = _exceptions(*fields["EXC"])
    reading = _timed(_reading(fields, exceptions, is_trend), [int(part) for part in match.groups()[:6]])
    return Line(replace(reading, device=_device(fields), provenance=line), exceptions, is_trend)


def _fields(text: str, *, offset: int) -> Iterator[tuple[str, tuple[str, int]]]:
    for match in re.finditer(r"([^\s=]+)=(\S*)", text):
        yield match[1], (match[2], offset + match.start(2))


def _device(fields: Mapping[str, tuple[str, int]]) -> Device:
    serial, _ = fields.get("SN", ("", 0))
    return Device(serial=serial if _SERIAL.fullmatch(serial) else None)


def _exceptions(text: str, offset: int) -> tuple[str, ...]:
    bits, _, _ = text.partition(":")
    if not re.fullmatch(r"[0-9A-Fa-f]{3,8}", bits):
        raise DecodeError("value", f"EXC {bits!r} is not hexadecimal", offset=offset)
    return tuple(name for bit, name in _EXCEPTIONS if int(bits, 16) & bit)


def _reading(fields: Mapping[str, tuple[str, int]], exceptions: tuple[str, ...], is_trend: bool) -> Reading:
    observations = tuple(_observations(fields, is_trend))
    names = {observation.name for observation in observations}
    missing = [f"no {name}" for name in _NEEDED if name not in names]
    reasons = [name for name in exceptions if name in _UNUSABLE] + missing
    if reasons:
        return rejected("pulse-oximetry", ", ".join(reasons))
    return Reading(
        kind="pulse-oximetry",
        observations=observations,
        status="questionable" if exceptions else "final",
        notes=exceptions,
    )


def _observations(fields: Mapping[str, tuple[str, int]], is_trend: bool) -> Iterator[Observation]:
    for key, (name, unit) in _KEYS.items():
        if key not in fields:
            continue
        text, offset = fields[key][0].removesuffix("%"), fields[key][1]
        if _NO_VALUE.fullmatch(text):
            continue
        if not _NUMBER.fullmatch(text):
            raise DecodeError("value", f"{key} {text!r} is not a number", offset=offset)
        value = Decimal(text)
        if value or not (is_trend or name in _NEEDED):
            yield Observation(name, value, unit)


def _timed(reading: Reading, stated: list[int]) -> Reading:
    month, day, year, hour, minute, second = stated
    try:
        moment = datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - no zone is stated
    except ValueError:
        return reading.noted("the clock of the oximeter shows no date and time")
    return reading.taken(moment, by="device")


class Frames(LineFrames):
    """Every line for itself."""

    longest = 320
    frame = _START

    def line(self, line: bytes, at: datetime) -> Events:
        if not line.strip():
            return ()
        parsed = parse_line(line)
        if parsed.reading.taken_at is None:
            parsed = replace(parsed, reading=parsed.reading.taken(at, by="gateway"))
        return self.said(parsed)

    def said(self, line: Line) -> Events:
        return (Measured(line.reading),)


class Session(Frames):
    """The stream of one connection."""

    def __init__(self, settle_s: str, repeat_s: str, clock: str) -> None:
        super().__init__()
        self._finger = OneFinger(int(settle_s), repeat_after(repeat_s))
        self._reads_clock = clock == "measure"

    def said(self, line: Line) -> Events:
        return (*self._clock(line), *self._concluded(line))

    def _clock(self, line: Line) -> Events:
        """What the clock shows, of the first line that is of this moment."""
        reading = line.reading
        if (
            not self._reads_clock
            or line.is_trend
            or reading.taken_at is None
            or reading.time_source != "device"
        ):
            return ()
        self._reads_clock = False
        return (ClockRead(reading.taken_at),)

    def _concluded(self, line: Line) -> Events:
        reading = line.reading
        if line.is_trend:
            return (Measured(reading),) if reading.status != "rejected" else ()
        if reading.status != "rejected":
            return self._finger.valid(reading)
        if set(line.exceptions) <= _UNUSABLE - _NO_FINGER and line.exceptions:
            return self._finger.disturbed(reading.notes[0])
        return self._finger.gone(reading.notes[0])


def _frames(**_concluding: str) -> Frames:
    return Frames()


DRIVER = Driver(
    id="masimo-serial",
    vendor="Masimo",
    models=("Rad-5", "Rad-8", "Rad-57", "Rad-87", "Radical-7"),
    kind="pulse-oximeter",
    emits={name: (unit,) for name, unit in _KEYS.values()},
    links=(SerialLink(baudrate=9600), TcpLink()),
    settings=(
        Setting("settle_s", ("3", "5", "10", "20"), "5", "seconds that values must be steady"),
        REPEAT,
        clock_setting("measure", "off"),
    ),
    evidence="capture",
    specials=(*sorted(_UNUSABLE), "dashes", "zeros in a trend", "zeros in the stream"),
    session=Session,
    frames=_frames,
)
