r"""A&D cuffs on a serial line: TM-2655P and TM-2657P in RB format, and the UA-767 payload.

RB format (function F25 set to 1): STX, fields separated by 0x1E, ETX, perhaps a check character, which is
not looked at::

    <STX>TM2655P<RS>2403051432<RS>00<RS>00<RS>E00<RS>S124<RS>M 93<RS>D 78<RS>P 66<RS>L180<RS>A 12<ETX>

======  ==========================================================================
field   content
======  ==========================================================================
0       model
1       ``yymmddhhmm`` and more, local time
``E``   ``E00`` good, else error
``S``   systolic, ``M`` mean, ``D`` diastolic, ``P`` pulse: 3 characters, blank-padded
``L``   pressurisation set value, ``A`` largest pulse amplitude
======  ==========================================================================

UA-767: ten hexadecimal digits in pairs, ``80``, systolic minus diastolic, diastolic, pulse, mean. Another
first pair is an error. It has no frame, so that it counts when silence follows; several come in lines. The
line may be 2400 or 9600 baud. All pressures are mmHg. Commands that start a cuff are left out on purpose.

Source: public programs that read the TM-2655P and TM-2657P; payloads of a UA-767PBT logged by its owner.
The makers' tables were not seen. Evidence: one implementation.
"""

import re
from dataclasses import replace
from datetime import datetime

from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames, length_between
from gateway.drivers.contract import Driver, Events, Fault, Measured, Progress, SerialLink, TcpLink
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.errors import DecodeError
from gateway.model import Device, Reading, rejected

_SEPARATOR = b"\x1e"
_LONGEST = 160
_SILENCE_S = 1.0
_TIME = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?")
_NUMBER = re.compile(rb" *\d{1,3}")
_PAYLOADS = re.compile(rb"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{10}(?:\s+|\Z))+\Z")
_ACKNOWLEDGED = re.compile(rb"\x16\x16\x01[^\x02]{2}([\x06\x15])")
_STX, _ETX = b"\x02", b"\x03"
_TAIL = 3  # behind ETX: a check character, CR, LF
_FIELDS = {b"S": "systolic", b"D": "diastolic", b"M": "mean-arterial-pressure", b"P": "pulse-rate"}
_ERRORS = {
    "E11": "no pressure at the start",
    "E12": "pressure not reached in time",
    "E13": "inflation too fast",
    "E15": "no pressure at the start",
    "E21": "deflation too slow",
    "E22": "deflation too fast",
    "E23": "excess pressure",
    "E24": "time limit exceeded",
    "E42": "pressure insufficient",
    "E43": "no pulse",
    "E44": "patient moved",
    "E45": "diastolic not determined",
    "E46": "mean not determined",
    "E48": "systolic not determined",
    "E61": "pulse not determined",
    "E63": "out of range",
}


def parse_rb(frame: bytes) -> Reading:
    """The reading in one RB frame, STX and ETX included.

    Raises
    ------
    DecodeError
        A field is missing or has no number; names it.
    """
    fields = frame[1:-1].split(_SEPARATOR)
    by_letter = {field[:1]: (field[1:], frame.index(_SEPARATOR + field) + 2) for field in fields[2:] if field}
    code = b"E" + by_letter.get(b"E", (b"", 0))[0]
    if not re.fullmatch(rb"E\d\d", code):
        raise DecodeError("layout", "no error field among the fields", offset=0)
    reading = _rb_reading(code.decode("ascii"), by_letter)
    reading = replace(reading, device=Device(model=fields[0].decode("latin-1").strip() or None))
    return _at_its_time(reading, fields[1])


def _rb_reading(code: str, by_letter: dict[bytes, tuple[bytes, int]]) -> Reading:
    if code != "E00":
        return rejected("blood-pressure", f"{code}: {_ERRORS.get(code, 'error of the cuff')}")
    values = {}
    for letter, name in _FIELDS.items():
        text, offset = by_letter.get(letter, (b"0", 0))
        text = text if text.strip() else b"0"
        if not _NUMBER.fullmatch(text):
            raise DecodeError("value", f"{name} is no number of 3 characters", offset=offset)
        values[name] = int(text)
    return blood_pressure(values)


def _at_its_time(reading: Reading, stated: bytes) -> Reading:
    match = _TIME.match(stated)
    if match is None:
        return reading.noted("the cuff states no time")
    year, *rest = (int(part or 0) for part in match.groups())
    return at_stated_time(reading, 2000 + year, *rest)


def parse_payload(digits: bytes) -> Reading:
    """The reading in the ten digits of a UA-767."""
    first, difference, diastolic, pulse, mean = bytes.fromhex(digits.decode("ascii"))
    if first != 0x80:
        return rejected("blood-pressure", f"error 0x{first:02X} of the cuff")
    return blood_pressure(
        {
            "systolic": difference and difference + diastolic,
            "diastolic": diastolic,
            "mean-arterial-pressure": mean,
            "pulse-rate": pulse,
        }
    )


class Session(BlockFrames):
    """Results as they come, each by itself."""

    silence_s = _SILENCE_S

    def __init__(self) -> None:
        super().__init__(
            Blocks(
                re.compile(_STX),
                1,
                lambda data: length_between(_STX, _ETX, _LONGEST, data),
                lambda frame: _SEPARATOR in frame,
                longest=_LONGEST,
                tail=_TAIL,
            )
        )

    def block(self, frame: Frame, at: datetime) -> Events:
        if frame.error is None:
            return (_measured(parse_rb(frame.content), frame.content, at),)
        if answer := _ACKNOWLEDGED.fullmatch(frame.content):
            return (Progress("command taken" if answer[1] == b"\x06" else "command refused"),)
        payloads = _PAYLOADS.search(frame.content)
        alone = payloads is not None and not frame.content[: payloads.start()].strip()
        if payloads is None or not (alone or payloads[0].strip().startswith(b"80")):
            raise frame.error
        noise = Fault("noise", f"{payloads.start()} bytes that are no part of a result", frame.offset)
        return *(() if alone else (noise,)), *(
            _measured(parse_payload(digits), digits, at) for digits in payloads[0].split()
        )


def _measured(reading: Reading, frame: bytes, at: datetime) -> Measured:
    if reading.taken_at is None:
        reading = reading.taken(at, by="gateway")
    return Measured(replace(reading, provenance=frame))


DRIVER = Driver(
    id="and-bp-serial",
    vendor="A&D",
    models=("TM-2655P", "TM-2657P", "UA-767PC"),
    kind="blood-pressure-monitor",
    emits={name: (unit,) for name, unit in UNITS.items()},
    links=(SerialLink(baudrate=2400), SerialLink(baudrate=9600), TcpLink()),
    evidence="one-implementation",
    specials=(*_ERRORS, "blanks", "first pair other than 80"),
    session=Session,
)
