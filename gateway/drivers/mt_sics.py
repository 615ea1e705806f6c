r"""Mettler-Toledo MT-SICS: scales and balances, and what other makers emulate of it. Serial or TCP, ASCII.

The driver asks ``SI`` (weight now) again and again; ``S`` would block until the load is still. Lines end
CR LF. A weight is ``S <status> <value> <unit>``, blanks between, so that a stable one is
``S S     100.00 g``:

======  =====  =========================================================================
offset  width  field
======  =====  =========================================================================
0       1      ``S``, whatever was asked
2       1      status: ``S`` stable, ``D`` dynamic
4       10     value, right-aligned, blank-filled; ``-`` directly before the first digit
15      1-5    unit
======  =====  =========================================================================

========================  ==============================================================
other line                meaning
========================  ==============================================================
``S I``                   not executable now
``S +`` ``S -``           above, below the weighing range
``S S Error 12b``         balance fault
``S L``                   wrong parameter
``ES`` ``ET`` ``EL``      syntax, transmission, logical error
``I2 A "text"``           model and capacity
``I4 A "text"``           serial number; comes unasked at power-on
========================  ==============================================================

The unit can be changed at the panel, so each line's own counts. Text that is none of these is a print-out
of the print key and passed over. Weights whose last digit is marked (brackets on approved balances) are
refused. One reading a load: :class:`gateway.drivers.steadiness.OneLoad`.

Source: Mettler-Toledo AT, AL-IC and JS operating instructions; MT-SICS reference manuals. Evidence: manual.
"""

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.drivers.contract import (
    Driver,
    Events,
    Identified,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    TcpLink,
)
from gateway.drivers.line_session import printed_text
from gateway.drivers.steadiness import OneLoad
from gateway.drivers.weighing_lines import Moving, WeighingFrames
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading, rejected

_WEIGHT = re.compile(rb"S ([SD]) (.{10}) ([A-Za-z%]{1,5})")
_FRAME = re.compile(rb"S [SD] [ 0-9.-]{10} [A-Za-z%]{1,5}")
_NUMBER = re.compile(r" *-?\d+(?:\.\d+)?")
_ERROR = re.compile(rb"S S +Error +(\w+)")
_INFORMATION = re.compile(rb'(I2|I4) A "([^"]*)"')
_UNITS = {"kg": "kg", "g": "g", "lb": "[lb_av]", "oz": "[oz_av]"}
_REJECTED = {b"S +": "overload", b"S -": "underload"}
_FAULTS = {
    b"ES": ("syntax", "the balance did not know the command"),
    b"ET": ("transmission", "the balance received a damaged command: check baud rate and parity"),
    b"EL": ("logic", "the balance cannot execute the command"),
    b"S L": ("parameter", "the balance refused a parameter"),
}
_POLL_S = 0.5
_SILENCE_S = 3.0


def parse_weight(line: bytes) -> Reading | Moving:
    """The weight in one line, without its CR LF.

    Raises
    ------
    DecodeError
        Layout, value or unit do not hold; names which, and its offset in the line.
    """
    match = _WEIGHT.fullmatch(line)
    if match is None:
        raise DecodeError("layout", "no weight line: status, 10 characters of value, unit", offset=0)
    status, field_, unit_code = (part.decode("latin-1") for part in match.groups())
    if not _NUMBER.fullmatch(field_):
        raise DecodeError("value", f"{field_!r} is not a right-aligned number", offset=match.start(2))
    value = Decimal(field_.strip())
    if unit_code not in _UNITS:
        known = ", ".join(_UNITS)
        raise DecodeError("unit", f"{unit_code!r} is not one of {known}", offset=match.start(3))
    if status == "D":
        return Moving(value)
    if value < 0:
        return rejected("weight", "negative weight: not a patient's")
    return Reading(kind="weight", observations=(Observation("weight", value, _UNITS[unit_code]),))


class Frames(WeighingFrames):
    """Every line for itself."""

    frame = _FRAME

    def line(self, line: bytes, at: datetime) -> Events:
        if line in _FAULTS:
            code, message = _FAULTS[line]
            raise DecodeError(code, message, offset=0)
        if line == b"S I":
            return (Progress("the balance is busy or not steady"),)
        if information := _INFORMATION.fullmatch(line):
            return (Identified(_device(information)),)
        if not line.startswith(b"S "):
            return _no_reply(line)
        weighed = _weighed(line)
        if isinstance(weighed, Moving):
            return self.moving(weighed)
        return self.stable(replace(weighed, provenance=line).taken(at, by="gateway"))


class Session(Frames):
    """Asks for weights, and takes one for each load."""

    def __init__(self) -> None:
        super().__init__()
        self._load = OneLoad()

    def connected(self, at: datetime) -> Events:
        return Send(b"I2\r\n"), Send(b"I4\r\n"), SetTimer("poll", _POLL_S)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(b"SI\r\n"), SetTimer("poll", _POLL_S)
        return self._load.silent()

    def stable(self, reading: Reading) -> Events:
        return (*self._load.stable(reading), SetTimer("silence", _SILENCE_S))

    def moving(self, moving: Moving) -> Events:
        return (*self._load.unstable(moving.weight), SetTimer("silence", 0))


def _weighed(line: bytes) -> Reading | Moving:
    if line in _REJECTED:
        return rejected("weight", _REJECTED[line])
    if error := _ERROR.match(line):
        return rejected("weight", f"balance fault {error[1].decode('ascii', 'replace')}")
    return parse_weight(line)


def _device(information: re.Match[bytes]) -> Device:
    text = information[2].decode("latin-1").strip() or None
    return Device(model=text) if information[1] == b"I2" else Device(serial=text)


def _no_reply(line: bytes) -> Events:
    if printed_text(line):
        return (Progress("print-out passed over"),) if line.strip() else ()
    raise DecodeError("layout", "no line of MT-SICS; check baud rate and parity if this goes on", offset=0)


DRIVER = Driver(
    id="mt-sics",
    vendor="Mettler-Toledo",
    models=("AT", "AL-IC", "JS", "IND", "ICS"),
    kind="scale",
    emits={"weight": tuple(_UNITS.values())},
    links=(
        SerialLink(baudrate=9600, xonxoff=True),
        SerialLink(baudrate=2400, bytesize=7, parity="E", xonxoff=True),
        TcpLink(port=4305),
    ),
    evidence="manual",
    specials=("not executable", *_REJECTED.values(), "balance fault"),
    session=Session,
    frames=Frames,
)
