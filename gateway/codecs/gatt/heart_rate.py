"""Heart Rate Service, 0x180D.

Heart Rate Measurement 0x2A37 (notified about once a second):

=====  =======  =========================================  ============
order  size     field                                      present with
=====  =======  =========================================  ============
1      1        flags
2      1 or 2   heart rate, /min: uint8, or uint16 with    flag bit 0
3      2        energy expended, kJ; 0xFFFF is saturated   flag bit 3
4      2 each   RR intervals, 1/1024 s, oldest first       flag bit 4
=====  =======  =========================================  ============

Flag bits 2 and 1: 00 and 01 skin contact is not sensed, 10 none, 11 contact. Bits 5 to 7 are reserved. RR
intervals fill the rest of the value; there may be none. Body Sensor Location 0x2A38 is one byte.

Source: Heart Rate Service 1.0; GATT Specification Supplement. Evidence: specification, captures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from gateway.codecs.gatt.fields import Fields

SERVICE = "180D"
MEASUREMENT = "2A37"
LOCATION = "2A38"

_WIDE, _CONTACT, _CONTACT_SENSED, _ENERGY, _RR_INTERVALS = (1 << bit for bit in range(5))
_MILLISECONDS = Decimal(1000)
_PER_SECOND = Decimal(1024)

LOCATIONS: Mapping[int, str] = MappingProxyType(
    {0: "other", 1: "chest", 2: "wrist", 3: "finger", 4: "hand", 5: "ear-lobe", 6: "foot"}
)
"""Body sensor locations by number; the others are reserved."""


@dataclass(frozen=True, slots=True)
class HeartRate:
    """One value of 0x2A37, field by field.

    Parameters
    ----------
    flags : int
    rate : int
        Per minute; 0 is no value.
    contact : bool, optional
        With the skin. None where the sensor does not sense it.
    energy : Decimal, optional
        kJ since the last reset; None where it is not sent, or saturated.
    has_energy : bool
    rr_intervals : tuple of int
        1/1024 s, oldest first.
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    rate: int
    contact: bool | None
    energy: Decimal | None
    has_energy: bool
    rr_intervals: tuple[int, ...]
    rest: bytes = b""


def decode_heart_rate(value: bytes) -> HeartRate:
    """A value of 0x2A37.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    return HeartRate(
        flags=flags,
        rate=fields.unsigned("heart-rate", 2 if flags & _WIDE else 1),
        contact=bool(flags & _CONTACT) if flags & _CONTACT_SENSED else None,
        energy=fields.steps("energy-expended", Decimal(1)) if flags & _ENERGY else None,
        has_energy=bool(flags & _ENERGY),
        rr_intervals=tuple(_rr_intervals(fields)) if flags & _RR_INTERVALS else (),
        rest=fields.rest(),
    )


def milliseconds(rr_interval: int) -> Decimal:
    """An RR interval of 1/1024 s, exactly: a thousand and twenty-four is a power of two."""
    return rr_interval * _MILLISECONDS / _PER_SECOND


def decode_location(value: bytes) -> int:
    """A value of 0x2A38: a key of `LOCATIONS`, or a reserved number.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).unsigned("body-sensor-location", 1)


def _rr_intervals(fields: Fields) -> list[int]:
    intervals = []
    while fields.rest():
        intervals.append(fields.unsigned("rr-interval", 2))
    return intervals
