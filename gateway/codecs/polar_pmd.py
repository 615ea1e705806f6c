"""Polar's measurement data service (PMD), as far as an EKG needs it.

Control Point FB005C81-... is read for what the sensor can do, ``0F mask``, written with commands and
indicates answers:

========================================  ==========================================================
bytes                                     meaning
========================================  ==========================================================
01 type                                   what settings are there?
02 type setting...                        start, with one value of each setting
03 type                                   stop
F0 op type error more setting...          answer; ``more`` says that settings go on in the next one
01 type... (indicated)                    the sensor has stopped these by itself
========================================  ==========================================================

A setting is its type, how many values there are, and the values: 0 sample rate, 1 resolution, 2 range (uint16
each), 3 channels (uint8), 5 factor (32 bits). Type 0 of a measurement is the EKG.

Data FB005C82-... is notified: type (6 bits), a uint64 of nanoseconds since 2000-01-01 that is the time of
the **last** sample, frame type (7 bits; the eighth says that samples are compressed), samples. Frame type 0
of the EKG is signed 24-bit microvolts. Everything is little-endian. A clock that was never set begins at
2019-01-01 with each power-up; what it shows counts as elapsed time only.

Source: Polar SDK, online measurement and EKG documents, August 2024; frames of an H10 by the project h10_ecg.
Evidence: manual, capture.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.codecs.gatt.fields import Fields
from gateway.errors import DecodeError

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

EKG = 0
GET_SETTINGS, START, STOP = 1, 2, 3
SAMPLE_RATE, RESOLUTION = 0, 1
SUCCESS, INVALID_MTU, ALREADY_IN_STATE = 0, 10, 6

_ANSWER, _FEATURES, _STOPPED = 0xF0, 0x0F, 0x01
_SETTING_SIZES = {SAMPLE_RATE: 2, RESOLUTION: 2, 2: 2, 3: 1, 5: 4}
_SAMPLE_BYTES = 3
_MEASUREMENTS = ("EKG", "PPG", "acceleration", "PP intervals", "", "gyroscope", "magnetometer")
ERRORS: Mapping[int, str] = MappingProxyType(
    {
        SUCCESS: "success",
        1: "invalid op code",
        2: "invalid measurement type",
        3: "not supported",
        4: "invalid length",
        5: "invalid parameter",
        ALREADY_IN_STATE: "already in that state",
        7: "invalid resolution",
        8: "invalid sample rate",
        9: "invalid range",
        INVALID_MTU: "the MTU is too small",
        11: "invalid number of channels",
        12: "invalid state",
        13: "in the charger",
    }
)
"""What an answer may say; the others are reserved."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sensor says to a command.

    Parameters
    ----------
    op, measurement, error : int
    settings : mapping of int to tuple of int
        What may be chosen, by the setting's type.
    """

    op: int
    measurement: int
    error: int
    settings: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return ERRORS.get(self.error, f"reserved error {self.error}")


@dataclass(frozen=True, slots=True)
class Features:
    """What the sensor can measure, by name."""

    measurements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The sensor has stopped measurements by itself."""

    measurements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EkgFrame:
    """One notification of samples.

    Parameters
    ----------
    last_ns : int
        The sensor's time of the last sample, nanoseconds since 2000-01-01.
    microvolts : tuple of int
    """

    last_ns: int
    microvolts: tuple[int, ...]


def start(measurement: int, settings: Mapping[int, int]) -> bytes:
    """The command that starts a measurement with one value of each setting."""
    values = (
        bytes((kind, 1)) + value.to_bytes(_SETTING_SIZES[kind], "little") for kind, value in settings.items()
    )
    return bytes((START, measurement)) + b"".join(values)


def decode_control(value: bytes) -> Answer | Features | Stopped:
    """A value of the control point, read or indicated.

    Raises
    ------
    DecodeError
        It is cut off (``length``), or none of the three (``value``).
    """
    fields = Fields(value)
    kind = fields.unsigned("kind", 1)
    if kind == _FEATURES:
        mask = fields.unsigned("features", 1)
        return Features(tuple(name for bit, name in enumerate(_MEASUREMENTS) if name and mask >> bit & 1))
    if kind == _STOPPED:
        return Stopped(tuple(fields.rest()))
    if kind != _ANSWER:
        raise DecodeError("value", f"0x{kind:02X} begins no answer", offset=0)
    op, measurement, error = (fields.unsigned(name, 1) for name in ("op code", "type", "error"))
    settings = _settings(fields) if op == GET_SETTINGS and error == SUCCESS else {}
    return Answer(op, measurement, error, settings)


def _settings(fields: Fields) -> dict[int, tuple[int, ...]]:
    fields.take("more", 1)
    found = {}
    while fields.rest():
        at = fields.offset
        kind = fields.unsigned("setting", 1)
        if kind not in _SETTING_SIZES:
            raise DecodeError("value", f"setting {kind} is not known", offset=at)
        count = fields.unsigned("number of values", 1)
        found[kind] = tuple(fields.unsigned("value", _SETTING_SIZES[kind]) for _ in range(count))
    return found


def decode_ekg(value: bytes) -> EkgFrame:
    """A value of the data characteristic.

    Raises
    ------
    DecodeError
        It is cut off (``length``), or no plain EKG frame (``value``).
    """
    fields = Fields(value)
    measurement = fields.unsigned("type", 1) & 0x3F
    if measurement != EKG:
        raise DecodeError("value", f"measurement {measurement}, {EKG} expected", offset=0)
    last_ns = fields.unsigned("timestamp", 8)
    at = fields.offset
    frame_type = fields.unsigned("frame type", 1)
    if frame_type != 0:
        raise DecodeError("value", f"frame type 0x{frame_type:02X}, plain 0 expected", offset=at)
    samples = []
    while fields.rest():
        samples.append(fields.signed("sample", _SAMPLE_BYTES))
    return EkgFrame(last_ns, tuple(samples))
