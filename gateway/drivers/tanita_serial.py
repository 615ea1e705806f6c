r"""Tanita scales and body composition analysers. Serial, ASCII, lines end CR LF; three formats.

**Comma format** (SC-240, SC-330, BC-420MA, DC-360/430, MC-780, MC-980, WB-3000, BD-815): sent once by
itself when the measurement is done, ``key,value,key,value,...,CS,xx``. Texts stand in double quotes; ``xx``
is the sum of all bytes before ``CS``, modulo 256, in hexadecimal. Keys differ by model and mode and are
looked up, never counted; they differ from each other by case alone::

    {0,16,~0,1,~1,1,~2,1,MO,"WB-3000",Hm,170.0,Wk,65.2,MI,22.6,CS,71

=================  ==================================  ==================  ==================================
key                value                               key                 value
=================  ==================================  ==================  ==================================
``MO`` ``SN``      model, serial number                ``mW`` ``bW``       muscle, bone mass, kg
``ID``             patient id, zeros for none          ``wW`` ``ww``       body water, kg and %
``Da`` ``TI``      "dd/mm/yyyy", "hh:mm", local        ``MI``              BMI
``DT``             "yyyy/mm/dd" in place of ``Da``     ``rB`` ``rb``       basal metabolic rate, kcal and kJ
``Hm`` ``Hf``      height in cm, in feet and inches    ``ZF``              impedance foot to foot, ohm
``Wk Wp Wg``       weight in kg, lb, g                 ``St``              0, or the limbs were not measured
``FW`` ``fW``      body fat, % and kg                  ``MW``              fat-free mass, kg
=================  ==================================  ==================  ==================================

The rate in kcal is taken where both are sent. With a weight in lb the masses are left out, since what their
unit is then was not seen. Feet are twelve inches: the one conversion that is made. Scores, limbs and the
rest have no name in the vocabulary. A BD-815 sends no checksum, and ``Rg``, ``Gg`` when its keys for an
earlier weight are pressed. A WB-3000 puts a byte without meaning behind its line. An MC-980 in PC mode
answers commands, which others may send, and states failures as ``E0`` to ``E9``.

**BC-418MA**, 7 characters, ``KS 65.4``: ``K`` kg or ``L`` lb; ``S`` stable, ``D`` unstable, ``I`` overload;
weight in 5 characters.

**WB-100, WB-110, BWB** (2400 7E1), 12 characters, ``S     75.0kg``: ``S`` and a blank stable, ``SD``
unstable, ``SI`` overload; two blanks; weight in 6 characters; ``kg`` or ``lb``. They answer ``DR``, which
the driver sends where the setting `ask` says so. Their answer in BMI mode (24 characters) was not seen and
is refused.

Of the last two formats one reading is taken a load: :class:`gateway.drivers.steadiness.OneLoad`.

Source: Tanita SC-240, SC-330, BC-420MA, WB-3000, BD-815, BC-418MA and WB-100 manuals; MC-980MA Instructions
for PC Mode and its output format; lines of MC-780 analysers in programs of their owners, whose checksums
hold, for ``DT`` and ``St``. Evidence: capture.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.checksum import sum8
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
from gateway.drivers.weighing_lines import Moving, WeighingFrames
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading, rejected
from gateway.model.vocabulary import ReadingKind

_ASK = b"DR\r\n"
_POLL_S, _SILENCE_S = 1.0, 3.0
_LONGEST = 2048

_NUMBER = re.compile(r" *\d{1,6}(?:\.\d+)?")
_SIGNED = re.compile(r" *-?\d{1,6}(?:\.\d+)?")
_NO_VALUE = re.compile(r"[-. ]*")
_FEET_INCHES = re.compile(r"(\d)[^\d.]+(\d\d?(?:\.\d)?)[^\d.]*")
_DATES = {
    "Da": re.compile(r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>20\d\d)"),
    "DT": re.compile(r"(?P<year>20\d\d)/(?P<month>\d\d)/(?P<day>\d\d)"),
}
_TIME = re.compile(r"(\d\d):(\d\d)")

_WEIGHTS = {"Wk": "kg", "Wp": "[lb_av]", "Wg": "g"}
_SIZES = {"Hm": ("height", "cm"), "MI": ("bmi", "kg/m2")}
_MASSES = {
    "fW": ("fat-mass", "kg"),
    "MW": ("fat-free-mass", "kg"),
    "mW": ("muscle-mass", "kg"),
    "bW": ("bone-mass", "kg"),
    "wW": ("body-water-mass", "kg"),
}
_COMPOSITION = {
    "FW": ("body-fat", "%"),
    **_MASSES,
    "ww": ("body-water", "%"),
    "rB": ("basal-metabolic-rate", "kcal/d"),
    "rb": ("basal-metabolic-rate", "kJ"),
    "ZF": ("impedance", "Ohm"),
}

_CHECKED = re.compile(rb"(\{0,16,.*,)CS,([0-9A-Fa-f]{2})\}?", re.DOTALL)
_BABY = re.compile(rb'\{0,16,~0,1,MO,"BD-815",Wg,\d{3,5}')
_RECALLED = re.compile(rb"(?:Gg, *-?\d{1,6},)?Rg, *\d{1,6}")
_BC_418 = re.compile(rb"([KL])([SDI])([ -~]{5})")
_WB_100 = re.compile(rb"S([ DI])  ([ -~]{6})(kg|lb)")
_ACKNOWLEDGED = re.compile(rb"D\d!?|!")
_UNITS = {b"K": "kg", b"L": "[lb_av]", b"kg": "kg", b"lb": "[lb_av]"}
_STABLE, _OVERLOAD = (b"S", b" "), b"I"
_FAILURES: Mapping[bytes, tuple[ReadingKind, str]] = {
    b"E1": ("weight", "E1: overload"),
    b"E2": ("body-composition", "E2: impedance not measured"),
    b"E7": ("body-composition", "E7: body fat not measured"),
    b"E9": ("weight", "E9: underload"),
}
_SPECIALS = ("overload of a BC-418MA", "overload of a WB-100", "dashes")
_FAULTS = {
    b"E0": "internal trouble",
    b"E3": "zero point cannot be set",
    b"E4": "asked to measure without personal data",
    b"E5": "zero point is not set",
    b"E6": "personal data are incomplete",
    b"E8": "settings lost",
}
_FRAME = re.compile(
    b"|".join((rb"\{0,[^{]*", *(p.pattern for p in (_RECALLED, _BC_418, _WB_100, _ACKNOWLEDGED)), rb"E\d"))
)

Fields = Mapping[str, str]


def parse_comma(line: bytes) -> Reading:
    """The reading in one line of the comma format, without its CR LF.

    Raises
    ------
    DecodeError
        Checksum or layout do not hold, or there is no weight; names which, and its offset in the line.
    """
    fields = _fields(_checked(line))
    reading = _measured(fields)
    subject = _text(fields, "ID")
    device = Device(model=_text(fields, "MO") or None, serial=_text(fields, "SN") or None)
    reading = replace(reading, device=device, subject=subject if subject.strip("0") else None)
    if _text(fields, "St") not in {"", "0"}:
        reading = reading.noted("the limbs could not be measured", status="questionable")
    return _timed(reading, fields)


def _checked(line: bytes) -> bytes:
    """What the checksum protects, where there is one."""
    if _BABY.fullmatch(line):
        return line + b","
    match = _CHECKED.fullmatch(line)
    if match is None:
        raise DecodeError("layout", "no {0,16 at the start and CS at the end", offset=0)
    if int(match[2], 16) != sum8(match[1]):
        stated = match[2].decode("ascii")
        raise DecodeError("checksum", f"{stated}, computed {sum8(match[1]):02X}", offset=match.start(2))
    return match[1]


def _fields(body: bytes) -> Fields:
    texts = body.decode("latin-1").removesuffix(",").split(",")
    keys = texts[::2]
    if len(texts) % 2 or len(set(keys)) < len(keys):
        raise DecodeError("layout", "not every key has one value", offset=0)
    return {key: text.strip('" ') for key, text in zip(keys, texts[1::2], strict=True)}


def _text(fields: Fields, key: str) -> str:
    return fields.get(key, "")


def _measured(fields: Fields) -> Reading:
    if not set(_WEIGHTS) & set(fields):
        raise DecodeError("layout", "no weight among the keys", offset=0)
    weight = next((o for key, unit in _WEIGHTS.items() for o in _observed(fields, key, "weight", unit)), None)
    notes = tuple(_not_understood(fields))
    if weight is None:
        return rejected("weight", "no weight").noted(*notes)
    if weight.value is not None and weight.value < 0:
        return rejected("weight", "negative weight: not a patient's")
    composition = tuple(_composition(fields))
    return Reading(
        kind="body-composition" if composition else "weight",
        observations=(weight, *_sizes(fields), *composition),
        notes=notes,
    )


def _observed(fields: Fields, key: str, name: str, unit: str) -> Iterator[Observation]:
    """The value of a key that is there and holds a number; zero is none."""
    text = _text(fields, key)
    if (_SIGNED if key in _WEIGHTS else _NUMBER).fullmatch(text) and (value := Decimal(text)):
        yield Observation(name, value, unit)


def _sizes(fields: Fields) -> Iterator[Observation]:
    if match := _FEET_INCHES.fullmatch(_text(fields, "Hf")):
        yield Observation("height", 12 * Decimal(match[1]) + Decimal(match[2]), "[in_i]")
    for key, (name, unit) in _SIZES.items():
        yield from _observed(fields, key, name, unit)


def _composition(fields: Fields) -> Iterator[Observation]:
    in_kilocalories = tuple(_observed(fields, "rB", *_COMPOSITION["rB"]))
    for key, (name, unit) in _COMPOSITION.items():
        if not (key in _MASSES and "Wp" in fields) and not (key == "rb" and in_kilocalories):
            yield from _observed(fields, key, name, unit)


def _not_understood(fields: Fields) -> Iterator[str]:
    """What the scale sent, as the checksum says, and what is left out all the same."""
    if "Wp" in fields and set(_MASSES) & set(fields):
        yield "masses left out: their unit beside a weight in lb is not known"
    for key in ("Hf", *_WEIGHTS, *_SIZES, *_COMPOSITION):
        text = _text(fields, key)
        pattern = _FEET_INCHES if key == "Hf" else _SIGNED if key in _WEIGHTS else _NUMBER
        if not pattern.fullmatch(text) and not _NO_VALUE.fullmatch(text):
            yield f"{key} left out: {text!r} is no number"


def _timed(reading: Reading, fields: Fields) -> Reading:
    key = next((key for key in _DATES if key in fields), None)
    if key is None:
        return reading
    moment = _moment(_DATES[key].fullmatch(_text(fields, key)), _TIME.fullmatch(_text(fields, "TI")))
    if moment is None:
        return reading.noted("the clock of the scale shows no date and time")
    return reading.taken(moment, by="device")


def _moment(date: re.Match[str] | None, time: re.Match[str] | None) -> datetime | None:
    if date is None or time is None:
        return None
    year, month, day = (int(date[part]) for part in ("year", "month", "day"))
    try:
        return datetime(year, month, day, int(time[1]), int(time[2]))  # noqa: DTZ001 - no zone is stated
    except ValueError:
        return None


def parse_weight(line: bytes) -> Reading | Moving:
    """The weight in a line of a BC-418MA or a WB-100, without its CR LF.

    Raises
    ------
    DecodeError
        It has another layout, or no number where one belongs.
    """
    if match := _BC_418.fullmatch(line):
        unit, state, text, at = match[1], match[2], match[3], match.start(3)
    elif match := _WB_100.fullmatch(line):
        state, text, unit, at = match[1], match[2], match[3], match.start(2)
    else:
        raise DecodeError("layout", "no line of a Tanita scale; check baud rate and parity", offset=0)
    if state == _OVERLOAD:
        return rejected("weight", "overload, or another error of the scale")
    if not _SIGNED.fullmatch(text.decode("ascii")):
        raise DecodeError("value", f"{text.decode('ascii')!r} is not a right-aligned number", offset=at)
    value = Decimal(text.decode("ascii").strip())
    if state not in _STABLE:
        return Moving(value)
    if value < 0:
        return rejected("weight", "negative weight: not a patient's")
    return Reading(kind="weight", observations=(Observation("weight", value, _UNITS[unit]),))


class Frames(WeighingFrames):
    """Every line for itself."""

    longest = _LONGEST
    stray = 1
    frame = _FRAME

    def __init__(self, ask: str) -> None:
        super().__init__()

    def line(self, line: bytes, at: datetime) -> Events:
        if not line:
            return ()
        if line.startswith(b"{"):
            reading = replace(parse_comma(line), provenance=line)
            return (Measured(reading if reading.taken_at else reading.taken(at, by="gateway")),)
        if _RECALLED.fullmatch(line):
            return (Progress("an earlier weight was recalled"),)
        if _ACKNOWLEDGED.fullmatch(line):
            return (Progress("command refused" if line.endswith(b"!") else "command taken"),)
        if line in _FAULTS:
            raise DecodeError("device", f"{line.decode('ascii')}: {_FAULTS[line]}", offset=0)
        weighed = rejected(*_FAILURES[line]) if line in _FAILURES else parse_weight(line)
        if isinstance(weighed, Moving):
            return self.moving(weighed)
        return self.stable(replace(weighed, provenance=line).taken(at, by="gateway"))


class Session(Frames):
    """Asks where it is told to, and takes one weight for each load of a scale that repeats it."""

    def __init__(self, ask: str) -> None:
        super().__init__(ask)
        self._asks = ask == "yes"
        self._load = OneLoad()

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", _POLL_S),) if self._asks else ()

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(_ASK), SetTimer("poll", _POLL_S)
        return self._load.silent()

    def stable(self, reading: Reading) -> Events:
        return (*self._load.stable(reading), SetTimer("silence", _SILENCE_S))

    def moving(self, moving: Moving) -> Events:
        return (*self._load.unstable(moving.weight), SetTimer("silence", 0))


DRIVER = Driver(
    id="tanita-serial",
    vendor="Tanita",
    models=(
        "SC-240",
        "SC-330",
        "BC-420MA",
        "DC-360",
        "DC-430",
        "MC-780",
        "MC-980",
        "WB-3000",
        "BD-815",
        "BC-418MA",
        "WB-100",
        "WB-110",
        "BWB",
    ),
    kind="scale",
    emits={
        "weight": tuple(_WEIGHTS.values()),
        "height": ("cm", "[in_i]"),
        "bmi": ("kg/m2",),
        **{name: (unit,) for name, unit in _COMPOSITION.values()},
        "basal-metabolic-rate": ("kcal/d", "kJ"),
    },
    links=(SerialLink(baudrate=9600), SerialLink(baudrate=2400, bytesize=7, parity="E"), TcpLink()),
    settings=(
        Setting("ask", ("no", "yes"), "no", "yes for a WB-100, WB-110 or BWB, which send only when asked"),
    ),
    evidence="capture",
    specials=(*_SPECIALS, *(reason for _, reason in _FAILURES.values())),
    session=Session,
    frames=Frames,
)
