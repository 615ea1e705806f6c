"""Glucose Service, 0x1808: measurements and features. The context is in its own module.

Glucose Measurement 0x2A18 (notified):

=====  ====  =====================================================  ============
order  size  field                                                  present with
=====  ====  =====================================================  ============
1      1     flags
2      2     sequence number
3      7     base time, Date Time
4      2     time offset, sint16, minutes                           flag bit 0
5      2     concentration, SFLOAT                                  flag bit 1
6      1     low nibble fluid, high nibble sample location          flag bit 1
7      2     sensor status annunciation                             flag bit 3
=====  ====  =====================================================  ============

Flag bit 2 is the unit: 0 kg/L, 1 mol/L. Bit 4 says that a context with the same sequence number follows; 5 to
7 are reserved. The time is base time and offset: who sets the clock changes the offset, and base time and
sequence number go on identifying the record. An offset of 0x7FFF or 0x8000 is one that does not fit.

Glucose Feature 0x2A51 is a uint16: which annunciations the meter can make, and bit 10 multiple bonds.

Source: Glucose Service 1.0.1; GATT Specification Supplement. Evidence: specification, captures; the two
special offsets from memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.gatt.fields import Fields, names_of
from gateway.codecs.ieee11073 import Number
from gateway.errors import DecodeError

SERVICE = "1808"
MEASUREMENT = "2A18"
FEATURE = "2A51"

_TIME_OFFSET, _CONCENTRATION, _MOLES, _ANNUNCIATION, _CONTEXT_FOLLOWS = (1 << bit for bit in range(5))
_OFFSET_OUT_OF_RANGE = (0x7FFF, -0x8000)

FLUIDS: Mapping[int, str] = MappingProxyType(
    {
        1: "capillary-whole-blood",
        2: "capillary-plasma",
        3: "venous-whole-blood",
        4: "venous-plasma",
        5: "arterial-whole-blood",
        6: "arterial-plasma",
        7: "undetermined-whole-blood",
        8: "undetermined-plasma",
        9: "interstitial-fluid",
        10: "control-solution",
    }
)
"""What was measured, by number; the others are reserved."""

LOCATIONS: Mapping[int, str] = MappingProxyType(
    {1: "finger", 2: "alternate-site", 3: "earlobe", 4: "control-solution", 15: "not-available"}
)
"""Where the sample was taken, by number; the others are reserved."""

_ANNUNCIATIONS = (
    "battery-low",
    "sensor-malfunction",
    "sample-insufficient",
    "strip-insertion-error",
    "wrong-strip-type",
    "result-too-high",
    "result-too-low",
    "temperature-too-high",
    "temperature-too-low",
    "strip-pulled-too-soon",
    "general-fault",
    "time-fault",
)
_FEATURES = (
    "low-battery",
    "sensor-malfunction",
    "sample-size",
    "strip-insertion",
    "strip-type",
    "result-high-low",
    "temperature-high-low",
    "read-interrupt",
    "general-fault",
    "time-fault",
    "multiple-bonds",
)


@dataclass(frozen=True, slots=True)
class Glucose:
    """One value of 0x2A18, field by field.

    Parameters
    ----------
    flags : int
    sequence : int
    stamp : Stamp
        Base time and offset together.
    unit : str
        UCUM, of the concentration.
    concentration : Decimal or Special, optional
    fluid, location : int, optional
        Keys of `FLUIDS` and `LOCATIONS`, or reserved numbers.
    annunciation : int, optional
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    sequence: int
    stamp: Stamp
    unit: str
    concentration: Number | None = None
    fluid: int | None = None
    location: int | None = None
    annunciation: int | None = None
    rest: bytes = b""

    @property
    def context_follows(self) -> bool:
        return bool(self.flags & _CONTEXT_FOLLOWS)


def decode_glucose(value: bytes) -> Glucose:
    """A value of 0x2A18.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    sequence = fields.unsigned("sequence-number", 2)
    stamp = fields.stamp("base-time")
    if flags & _TIME_OFFSET:
        stamp = _shifted(stamp, fields)
    concentration = fields.sfloat("concentration") if flags & _CONCENTRATION else None
    sample = fields.unsigned("type-location", 1) if flags & _CONCENTRATION else None
    return Glucose(
        flags=flags,
        sequence=sequence,
        stamp=stamp,
        unit="mol/L" if flags & _MOLES else "kg/L",
        concentration=concentration,
        fluid=None if sample is None else sample & 0xF,
        location=None if sample is None else sample >> 4,
        annunciation=fields.unsigned("sensor-status", 2) if flags & _ANNUNCIATION else None,
        rest=fields.rest(),
    )


def annunciations(glucose: Glucose) -> tuple[str, ...]:
    """The names of what the meter reports with a record, lowest bit first."""
    return names_of(glucose.annunciation or 0, _ANNUNCIATIONS)


def decode_feature(value: bytes) -> tuple[str, ...]:
    """A value of 0x2A51: the names of what is supported, lowest bit first.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return names_of(Fields(value).unsigned("feature", 2), _FEATURES)


def _shifted(base: Stamp, fields: Fields) -> Stamp:
    at = fields.offset
    minutes = fields.signed("time-offset", 2)
    if minutes in _OFFSET_OUT_OF_RANGE:
        return Stamp(error=DecodeError("time", "the time offset is out of range", offset=at))
    return base.moved(timedelta(minutes=minutes), at)
