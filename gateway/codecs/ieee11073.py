"""The numbers of IEEE 11073-20601: SFLOAT (16 bit) and FLOAT (32 bit), little-endian as GATT sends them.

A value is mantissa x 10^exponent, both two's complement. The exponent is the resolution: 650 x 10^-2
is 6.50 and stays so.

======  ================  =======================
type    exponent          mantissa
======  ================  =======================
SFLOAT  top 4 bits        low 12 bits
FLOAT   top byte          low 24 bits
======  ================  =======================

Five values with exponent 0 are no numbers: those of :class:`Special`. Source: IEEE 11073-20601,
FLOAT-Type and SFLOAT-Type; Bluetooth SIG, Personal Health Devices Transcoding, section 2.2.
"""

from decimal import Decimal
from enum import Enum

from gateway.errors import DecodeError


class Special(Enum):
    """A result that is no number. It never becomes one."""

    NAN = "NaN"
    NRES = "NRes"
    PLUS_INFINITY = "+INF"
    MINUS_INFINITY = "-INF"
    RESERVED = "reserved"


Number = Decimal | Special

# By the distance of the mantissa from the most negative one (modulo its width): the same in both types.
_SPECIAL = {
    -1: Special.NAN,
    0: Special.NRES,
    -2: Special.PLUS_INFINITY,
    2: Special.MINUS_INFINITY,
    1: Special.RESERVED,
}
_SFLOAT_SPECIAL_MANTISSAS = frozenset((2047, 2046, -2048, -2047, -2046))


def sfloat(data: bytes) -> Number:
    """The number in two bytes.

    Raises
    ------
    DecodeError
        There are not two.
    """
    return _number(data, size=2, mantissa_bits=12)


def float32(data: bytes) -> Number:
    """The number in four bytes.

    Raises
    ------
    DecodeError
        There are not four.
    """
    return _number(data, size=4, mantissa_bits=24)


def resembles_special(value: Decimal) -> bool:
    """Whether an SFLOAT has the mantissa of a special value, but an exponent that makes it a number.

    By the standard it is one. Some devices set the exponent of a NaN, so it deserves a second look.
    """
    sign, digits, _ = value.as_tuple()
    mantissa = int("".join(map(str, digits)))
    return (-mantissa if sign else mantissa) in _SFLOAT_SPECIAL_MANTISSAS


def special_values(*fields: str) -> tuple[str, ...]:
    """The names, for a driver's declaration, of the special values that each of these fields may have."""
    return tuple(f"{field} {special.value}" for field in fields for special in Special)


def _number(data: bytes, *, size: int, mantissa_bits: int) -> Number:
    if len(data) != size:
        raise DecodeError("length", f"{len(data)} bytes, a number of {size} expected", offset=0)
    raw = int.from_bytes(data, "little", signed=True)
    exponent = raw >> mantissa_bits
    span = 1 << mantissa_bits
    mantissa = raw & (span - 1)
    if exponent == 0 and mantissa - span // 2 in _SPECIAL:
        return _SPECIAL[mantissa - span // 2]
    signed = mantissa - span if mantissa >= span // 2 else mantissa
    return Decimal(signed).scaleb(exponent)
