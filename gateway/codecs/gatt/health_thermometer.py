"""Health Thermometer Service, 0x1809.

Temperature Measurement 0x2A1C (indicated) and Intermediate Temperature 0x2A1E (notified):

=====  ====  ===================================  ============
order  size  field                                present with
=====  ====  ===================================  ============
1      1     flags
2      4     temperature, FLOAT
3      7     time stamp, Date Time                flag bit 1
4      1     temperature type: where it was       flag bit 2
=====  ====  ===================================  ============

Flag bit 0 is the unit: 0 Celsius, 1 Fahrenheit. Bits 3 to 7 are reserved. Temperature Type 0x2A1D is the
same byte for a thermometer that measures always at one place; Measurement Interval 0x2A21 a uint16 in
seconds, 0 for none.

Source: Health Thermometer Service 1.0; GATT Specification Supplement. Evidence: specification, captures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.gatt.fields import Fields
from gateway.codecs.ieee11073 import Number

SERVICE = "1809"
MEASUREMENT = "2A1C"
TYPE = "2A1D"
INTERMEDIATE = "2A1E"
INTERVAL = "2A21"

_FAHRENHEIT, _TIME_STAMP, _TYPE = (1 << bit for bit in range(3))

SITES: Mapping[int, str] = MappingProxyType(
    {
        1: "armpit",
        2: "body",
        3: "ear",
        4: "finger",
        5: "gastro-intestinal-tract",
        6: "mouth",
        7: "rectum",
        8: "toe",
        9: "tympanum",
    }
)
"""Temperature types by number; the others are reserved."""


@dataclass(frozen=True, slots=True)
class Temperature:
    """One value of 0x2A1C or 0x2A1E, field by field.

    Parameters
    ----------
    flags : int
    unit : str
        UCUM.
    value : Decimal or Special
    stamp : Stamp, optional
    type : int, optional
        A key of `SITES`, or a reserved number.
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    unit: str
    value: Number
    stamp: Stamp | None = None
    type: int | None = None
    rest: bytes = b""


def decode_temperature(value: bytes) -> Temperature:
    """A value of 0x2A1C or 0x2A1E.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    return Temperature(
        flags=flags,
        unit="[degF]" if flags & _FAHRENHEIT else "Cel",
        value=fields.float32("temperature"),
        stamp=fields.stamp() if flags & _TIME_STAMP else None,
        type=fields.unsigned("type", 1) if flags & _TYPE else None,
        rest=fields.rest(),
    )


def decode_type(value: bytes) -> int:
    """A value of 0x2A1D: a key of `SITES`, or a reserved number.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).unsigned("temperature-type", 1)


def decode_interval(value: bytes) -> int:
    """A value of 0x2A21: seconds between measurements, 0 where there are none by themselves.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).unsigned("measurement-interval", 2)
