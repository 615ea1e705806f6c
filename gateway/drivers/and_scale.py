r"""A&D scales and balances in the A&D standard format. Serial, ASCII, lines end CR LF.

The scale streams, sends on its print key, or answers ``Q``, which the driver asks when it hears nothing.
A line has 15 characters, ``ST,+00065.40 kg``:

======  =====  ==========================================================================
offset  width  field
======  =====  ==========================================================================
0       2      header: ``ST`` stable (``WT`` on some models), ``US`` unstable,
               ``OL`` out of range, ``QT`` stable count of pieces
2       1      ``,``
3       9      datum: sign, leading zeros, digits, point (or comma, by a setting)
12      3      unit, right-aligned
======  =====  ==========================================================================

With the comparator on, a second header (``HI``, ``OK``, ``LO``, ``--``) and a comma follow the first. Under
``OL`` the datum is nines, an exponent form without unit, or even digits that look good: the header alone
decides. ``?E01`` is an unknown command; an acknowledgement (0x06) may stand before a line.
One reading a load: :class:`gateway.drivers.steadiness.OneLoad`.

Source: A&D EK-L, EJ, EK-AEP, GC, HC and GH manuals. Evidence: manual.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.drivers.contract import Driver, Events, Progress, Send, SerialLink, SetTimer, TcpLink
from gateway.drivers.steadiness import OneLoad
from gateway.drivers.weighing_lines import Moving, WeighingFrames
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_LINE = re.compile(rb"(ST|WT|US|QT),(?:(?:HI|OK|LO|--),)?(.{9})(.{3})")
_OUT_OF_RANGE = re.compile(rb"OL,(?:(?:HI|OK|LO|--),)?([+-])[0-9.,E+-]{8,11}[ A-Za-z%]{0,3}")
_FRAME = re.compile(rb"(?:ST|WT|US|QT|OL),(?:(?:HI|OK|LO|--),)?[+-][0-9.,E+-]{8,11}[ A-Za-z%]{0,3}")
_ERROR = re.compile(rb"\?E(\d\d)")
_NUMBER = re.compile(r"[+-]\d+(?:[.,]\d+)?")
_UNITS = {" kg": "kg", "  g": "g", " lb": "[lb_av]", " oz": "[oz_av]"}
_PIECES = " PC"
_ACKNOWLEDGED = b"\x06"
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Pieces:
    """The scale counts instead of weighing."""


def parse_line(line: bytes) -> Reading | Moving | Pieces:
    """What one line says, without its CR LF.

    Raises
    ------
    DecodeError
        Layout, value or unit do not hold; names which, and its offset in the line.
    """
    if match := _OUT_OF_RANGE.fullmatch(line):
        return rejected("weight", "overload" if match[1] == b"+" else "underload")
    match = _LINE.fullmatch(line)
    if match is None:
        raise DecodeError("layout", "expected header, 9 characters of value, 3 of unit", offset=0)
    header, datum, unit_code = (part.decode("latin-1") for part in match.groups())
    if not _NUMBER.fullmatch(datum):
        raise DecodeError("value", f"{datum!r} is not a signed number", offset=match.start(2))
    if header == "QT" or unit_code == _PIECES:
        return Pieces()
    if unit_code not in _UNITS:
        known = ", ".join(_UNITS)
        raise DecodeError("unit", f"{unit_code!r} is not one of {known}", offset=match.start(3))
    value = Decimal(datum.replace(",", "."))
    if header == "US":
        return Moving(value)
    if value < 0:
        return rejected("weight", "negative weight: not a patient's")
    return Reading(kind="weight", observations=(Observation("weight", value, _UNITS[unit_code]),))


class Frames(WeighingFrames):
    """Every line for itself."""

    longest = 40
    silent = _ACKNOWLEDGED
    frame = _FRAME

    def line(self, line: bytes, at: datetime) -> Events:
        acknowledged = line.startswith(_ACKNOWLEDGED)
        line = line.lstrip(_ACKNOWLEDGED)
        if not line:
            return (Progress("command taken"),) if acknowledged else ()
        if error := _ERROR.fullmatch(line):
            raise DecodeError("command", f"the scale refused a command: E{error[1].decode()}", offset=0)
        parsed = parse_line(line)
        if isinstance(parsed, Pieces):
            return (Progress("the scale counts pieces; switch it to weighing"),)
        if isinstance(parsed, Moving):
            return self.moving(parsed)
        return self.stable(replace(parsed, provenance=line).taken(at, by="gateway"))


class Session(Frames):
    """Asks when it hears nothing, and takes one weight for each load."""

    def __init__(self) -> None:
        super().__init__()
        self._load = OneLoad()

    def connected(self, at: datetime) -> Events:
        return (SetTimer("quiet", _QUIET_S),)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return (*super().received(data, channel, at), SetTimer("quiet", _QUIET_S))

    def timer(self, name: str, at: datetime) -> Events:
        return (*self._load.silent(), Send(b"Q\r\n"), SetTimer("quiet", _QUIET_S))

    def stable(self, reading: Reading) -> Events:
        return self._load.stable(reading)

    def moving(self, moving: Moving) -> Events:
        return self._load.unstable(moving.weight)


DRIVER = Driver(
    id="and-scale",
    vendor="A&D",
    models=("EK-L", "EJ", "EK-AEP", "GC", "HC", "GH", "GX"),
    kind="scale",
    emits={"weight": tuple(_UNITS.values())},
    links=(
        SerialLink(baudrate=2400, bytesize=7, parity="E"),
        SerialLink(baudrate=9600),
        TcpLink(),
    ),
    evidence="manual",
    specials=("nines", "exponent form", "digits that look good", "underload", "pieces"),
    session=Session,
    frames=Frames,
)
