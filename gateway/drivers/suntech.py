"""SunTech blood-pressure modules: Advantage OEM, LX and A+. Serial, binary; the host asks.

The host sends ``3A``, command, checksum; the module ``3E``, length of all, data, checksum. The checksum makes
all bytes of a frame sum to 0 modulo 256. All multi-byte fields are little-endian.

========  ======  ==================================================================
length    bytes   content
========  ======  ==================================================================
4         2       a letter: O received, K executed, A aborted, B busy, E error,
                  N undefined, D not understood, S sleeping, T time-out
5         2-3     cuff pressure, signed, mmHg; -1 not available
24        2-3     systolic, mmHg
..        4-5     diastolic
..        16      heart rate, /min
..        18-19   mean arterial pressure
..        20      error code, decimal; 0 good
67                data and version of the module; not asked for
========  ======  ==================================================================

The module keeps its last result for hours, so a result is asked for, and taken, only after a measurement was
seen: a K after its start, or the cuff inflated and empty again. Commands that start a cuff are left out on
purpose.

Source: annotated examples of the maker in the tests of ak-git/DemoApp; error codes after a public patient
monitor. CT40 and 247 speak another dialect. Evidence: manual.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.codecs.checksum import sum8
from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import (
    Driver,
    Events,
    Fault,
    Measured,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    TcpLink,
)
from gateway.drivers.cuff_results import UNITS, blood_pressure
from gateway.errors import DecodeError
from gateway.model import Reading, rejected

_ASK_PRESSURE = bytes.fromhex("3A 79 05 00 48")
_ASK_RESULT = bytes.fromhex("3A 79 03 00 4A")
_POLL_S = 1.0
_PAUSE_S = 0.2  # between two commands; the module needs 100 ms
_INFLATED_MMHG, _EMPTY_MMHG = 40, 10
_PRESSURE, _RESULT, _MODULE_DATA = 5, 24, 0x43
_FINISHED = b"K"
_LETTERS = {
    b"O": "command received",
    b"A": "measurement aborted",
    b"B": "module busy",
    b"E": "module reports an error",
    b"N": "command undefined",
    b"D": "command not understood",
    b"S": "module sleeping",
    b"T": "module timed out",
}
_ERRORS = {
    1: "weak or no signal",
    2: "artifact or erratic signal",
    3: "out of range",
    4: "measurement time exceeded",
    85: "pneumatic blockage",
    86: "terminated by the user",
    87: "inflation time-out: air leak or loose cuff",
    88: "safety time-out",
    89: "cuff overpressure",
    90: "supply or other hardware fault",
    91: "permission: safety override fitted or auto-zero out of range",
    97: "transducer out of range",
    99: "calibration data damaged",
}
_VALUES = (
    ("systolic", 2, 2),
    ("diastolic", 4, 2),
    ("mean-arterial-pressure", 18, 2),
    ("pulse-rate", 16, 1),
)
_ERROR_AT = 20


def parse_result(frame: bytes) -> Reading:
    """The reading in a reply of 24 bytes whose checksum holds."""
    if code := frame[_ERROR_AT]:
        return rejected("blood-pressure", f"error {code}: {_ERRORS.get(code, 'unknown to this driver')}")
    return blood_pressure(
        {name: int.from_bytes(frame[at : at + size], "little") for name, at, size in _VALUES}
    )


@dataclass(frozen=True, slots=True)
class CuffPressure:
    """mmHg; None where the module has none."""

    mmhg: int | None


def parse_pressure(frame: bytes) -> CuffPressure:
    value = int.from_bytes(frame[2:4], "little", signed=True)
    return CuffPressure(None if value == -1 else value)


class Frames(BlockFrames):
    """Every reply for itself."""

    def __init__(self) -> None:
        super().__init__(
            Blocks(
                re.compile(rb"\x3e[\x04\x05\x18\x43]"),
                2,
                length=lambda data: data[1],
                check=lambda frame: sum8(frame) == 0,
                longest=_MODULE_DATA,
            )
        )

    def block(self, frame: Frame, at: datetime) -> Events:
        if frame.error is not None and list(frame.content[1:2]) == [len(frame.content)]:
            computed, place = -sum8(frame.content[:-1]) & 0xFF, len(frame.content) - 1
            raise DecodeError(
                "checksum", f"0x{frame.content[-1]:02X}, computed 0x{computed:02X}", offset=place
            )
        reply = frame.data
        if len(reply) == _RESULT:
            reading = replace(parse_result(reply), provenance=reply)
            return self.result(reading.taken(at, by="gateway"))
        if len(reply) == _PRESSURE:
            return self.pressure(parse_pressure(reply))
        if len(reply) == _MODULE_DATA:
            return (Progress("data of the module"),)
        return self.letter(reply[2:3])

    def result(self, reading: Reading) -> Events:
        return (Measured(reading),)

    def pressure(self, pressure: CuffPressure) -> Events:
        if pressure.mmhg is None:
            return (Progress("no cuff pressure"),)
        return (Progress(f"cuff at {pressure.mmhg} mmHg"),)

    def letter(self, letter: bytes) -> Events:
        if letter == _FINISHED:
            return (Progress("command executed"),)
        if letter in _LETTERS:
            return (Progress(_LETTERS[letter]),)
        return (Fault("letter", f"reply {letter!r} is unknown"),)


class Session(Frames):
    """Watches the cuff, and asks for the result when a measurement is over."""

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._inflated = False
        self._awaited = False

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", _POLL_S),)

    def timer(self, name: str, at: datetime) -> Events:
        if name != "poll":
            return super().timer(name, at)
        return Send(_ASK_RESULT if self._awaited else _ASK_PRESSURE), SetTimer("poll", _POLL_S)

    def result(self, reading: Reading) -> Events:
        if not self._awaited:
            return (Progress("result of an earlier measurement passed over"),)
        self._awaited = False
        return (Measured(reading),)

    def pressure(self, pressure: CuffPressure) -> Events:
        if pressure.mmhg is not None and pressure.mmhg >= _INFLATED_MMHG:
            self._inflated = True
        elif self._inflated and (pressure.mmhg is None or pressure.mmhg <= _EMPTY_MMHG):
            self._inflated = False
            return self._over()
        return super().pressure(pressure) if pressure.mmhg else ()

    def letter(self, letter: bytes) -> Events:
        if letter == b"O":
            self._started = True
        elif letter == b"A":
            self._started = self._inflated = False
        elif letter == _FINISHED and (self._started or self._inflated):
            self._started = self._inflated = False
            return self._over()
        return super().letter(letter)

    def _over(self) -> Events:
        self._awaited = True
        return Progress("measurement finished"), SetTimer("poll", _PAUSE_S)


DRIVER = Driver(
    id="suntech",
    vendor="SunTech",
    models=("Advantage OEM", "Advantage LX", "Advantage A+"),
    kind="blood-pressure-monitor",
    emits={name: (unit,) for name, unit in UNITS.items()},
    links=(SerialLink(baudrate=9600), TcpLink()),
    evidence="manual",
    specials=(*_ERRORS.values(), "no cuff pressure"),
    session=Session,
    frames=Frames,
)
