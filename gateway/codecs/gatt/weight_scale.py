"""Weight Scale Service, 0x181D.

Weight Measurement 0x2A9D (indicated):

=====  ====  ==========================  ============  ========  =========
order  size  field                       present with  SI        imperial
=====  ====  ==========================  ============  ========  =========
1      1     flags
2      2     weight, uint16                            0.005 kg  0.01 lb
3      7     time stamp, Date Time       flag bit 1
4      1     user index, 255 unknown     flag bit 2
5      2     BMI, uint16                 flag bit 3    0.1       0.1
6      2     height, uint16              flag bit 3    0.001 m   0.1 in
=====  ====  ==========================  ============  ========  =========

Flag bit 0 is the unit: 0 SI, 1 imperial. Bits 4 to 7 are reserved. A weight of 0xFFFF says that the
measurement was unsuccessful; the other fields are not to be used then. BMI is kg/m2 in both systems.
Weight Scale Feature 0x2A9E is a uint32: bits 0 to 2 what is sent, 3 to 6 and 7 to 9 the steps of
:mod:`gateway.codecs.gatt.resolution`.

Source: Weight Scale Service 1.0; GATT Specification Supplement. Evidence: specification, captures.
"""

from dataclasses import dataclass
from decimal import Decimal

from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.gatt.fields import Fields, names_of
from gateway.codecs.gatt.resolution import (
    INCHES,
    KILOGRAMS,
    METRES,
    POUNDS,
    height_resolution,
    mass_resolution,
)

SERVICE = "181D"
MEASUREMENT = "2A9D"
FEATURE = "2A9E"

_IMPERIAL, _TIME_STAMP, _USER, _BMI_AND_HEIGHT = (1 << bit for bit in range(4))
_BMI = Decimal("0.1")
_FEATURES = ("time-stamp", "multiple-users", "bmi")
UNKNOWN_USER = 255


@dataclass(frozen=True, slots=True)
class Weight:
    """One value of 0x2A9D, field by field.

    Parameters
    ----------
    flags : int
    weight : Decimal, optional
        None where the measurement was unsuccessful.
    stamp : Stamp, optional
    user : int, optional
        A slot of the scale, never a patient. 255 is one that it does not know.
    has_bmi : bool
        BMI and height are sent; each is None even so where it is 0xFFFF.
    bmi, height : Decimal, optional
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    weight: Decimal | None
    stamp: Stamp | None = None
    user: int | None = None
    has_bmi: bool = False
    bmi: Decimal | None = None
    height: Decimal | None = None
    rest: bytes = b""

    @property
    def mass_unit(self) -> str:
        return "[lb_av]" if self.flags & _IMPERIAL else "kg"

    @property
    def length_unit(self) -> str:
        return "[in_i]" if self.flags & _IMPERIAL else "m"


@dataclass(frozen=True, slots=True)
class ScaleFeature:
    """A value of 0x2A9E or 0x2A9B.

    Parameters
    ----------
    supported : tuple of str
        What the scale may send, lowest bit first.
    mass, height : str, optional
        The steps in which it measures, where they are specified.
    """

    supported: tuple[str, ...]
    mass: str | None
    height: str | None


def decode_weight(value: bytes, steps: tuple[Decimal, Decimal] = (KILOGRAMS, POUNDS)) -> Weight:
    """A value of 0x2A9D, or of a maker's own characteristic that differs in its steps only.

    Parameters
    ----------
    value : bytes
    steps : (Decimal, Decimal)
        Of the weight, in kilograms and in pounds.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    imperial, has_bmi = bool(flags & _IMPERIAL), bool(flags & _BMI_AND_HEIGHT)
    return Weight(
        flags=flags,
        weight=fields.steps("weight", steps[imperial]),
        stamp=fields.stamp() if flags & _TIME_STAMP else None,
        user=fields.unsigned("user", 1) if flags & _USER else None,
        has_bmi=has_bmi,
        bmi=fields.steps("bmi", _BMI) if has_bmi else None,
        height=fields.steps("height", INCHES if imperial else METRES) if has_bmi else None,
        rest=fields.rest(),
    )


def decode_feature(value: bytes) -> ScaleFeature:
    """A value of 0x2A9E.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    bits = Fields(value).unsigned("feature", 4)
    return ScaleFeature(
        supported=names_of(bits, _FEATURES),
        mass=mass_resolution(bits >> 3 & 0xF),
        height=height_resolution(bits >> 7 & 0x7),
    )
