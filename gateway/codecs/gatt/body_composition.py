"""Body Composition Service, 0x181B.

Body Composition Measurement 0x2A9C (indicated). All fields but time and user are uint16:

=====  ====  =============================  ============  ========  =========
order  size  field                          present with  SI        imperial
=====  ====  =============================  ============  ========  =========
1      2     flags
2      2     body fat percentage                          0.1 %     0.1 %
3      7     time stamp, Date Time          flag bit 1
4      1     user index, 255 unknown        flag bit 2
5      2     basal metabolism               flag bit 3    1 kJ      1 kJ
6      2     muscle percentage              flag bit 4    0.1 %     0.1 %
7      2     muscle mass                    flag bit 5    0.005 kg  0.01 lb
8      2     fat free mass                  flag bit 6    0.005 kg  0.01 lb
9      2     soft lean mass                 flag bit 7    0.005 kg  0.01 lb
10     2     body water mass                flag bit 8    0.005 kg  0.01 lb
11     2     impedance                      flag bit 9    0.1 ohm   0.1 ohm
12     2     weight                         flag bit 10   0.005 kg  0.01 lb
13     2     height                         flag bit 11   0.001 m   0.1 in
=====  ====  =============================  ============  ========  =========

Flag bit 0 is the unit: 0 SI, 1 imperial. Bit 12 says that the measurement comes in two values, both with
flags and body fat percentage, since one would not fit into a small MTU; 13 to 15 are reserved. A body fat
percentage of 0xFFFF says that the measurement was unsuccessful; the others are not to be used then.

Body Composition Feature 0x2A9B is a uint32: bits 0 to 10 what is sent, 11 to 14 and 15 to 17 the steps of
:mod:`gateway.codecs.gatt.resolution`.

Source: Body Composition Service 1.0; GATT Specification Supplement. Evidence: specification, captures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from gateway.codecs.gatt.weight_scale import ScaleFeature

SERVICE = "181B"
MEASUREMENT = "2A9C"
FEATURE = "2A9B"

_IMPERIAL, _TIME_STAMP, _USER = 0x0001, 0x0002, 0x0004
_IN_PARTS = 0x1000
_TENTH, _ONE = Decimal("0.1"), Decimal(1)

_BODY_FAT = "body-fat"
_FIELDS = (  # flag bit, name, step and unit in SI, step and unit in imperial
    (0x0008, "basal-metabolic-rate", (_ONE, "kJ"), (_ONE, "kJ")),
    (0x0010, "muscle-percentage", (_TENTH, "%"), (_TENTH, "%")),
    (0x0020, "muscle-mass", (KILOGRAMS, "kg"), (POUNDS, "[lb_av]")),
    (0x0040, "fat-free-mass", (KILOGRAMS, "kg"), (POUNDS, "[lb_av]")),
    (0x0080, "soft-lean-mass", (KILOGRAMS, "kg"), (POUNDS, "[lb_av]")),
    (0x0100, "body-water-mass", (KILOGRAMS, "kg"), (POUNDS, "[lb_av]")),
    (0x0200, "impedance", (_TENTH, "Ohm"), (_TENTH, "Ohm")),
    (0x0400, "weight", (KILOGRAMS, "kg"), (POUNDS, "[lb_av]")),
    (0x0800, "height", (METRES, "m"), (INCHES, "[in_i]")),
)
_FEATURES = (
    "time-stamp",
    "multiple-users",
    "basal-metabolic-rate",
    "muscle-percentage",
    "muscle-mass",
    "fat-free-mass",
    "soft-lean-mass",
    "body-water-mass",
    "impedance",
    "weight",
    "height",
)
UNITS: Mapping[str, tuple[str, ...]] = {_BODY_FAT: ("%",)} | {
    name: tuple(dict.fromkeys((si[1], imperial[1]))) for _, name, si, imperial in _FIELDS
}
"""What may be sent, with its UCUM units."""


@dataclass(frozen=True, slots=True)
class Composition:
    """One value of 0x2A9C, field by field.

    Parameters
    ----------
    flags : int
    values : mapping of str to (Decimal or None, str)
        Value and UCUM unit of all that is sent, in its order, body fat first. None is 0xFFFF: no value.
    stamp : Stamp, optional
    user : int, optional
        A slot of the scale, never a patient. 255 is one that it does not know.
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    values: Mapping[str, tuple[Decimal | None, str]] = field(default_factory=dict)
    stamp: Stamp | None = None
    user: int | None = None
    rest: bytes = b""

    @property
    def is_imperial(self) -> bool:
        return bool(self.flags & _IMPERIAL)

    @property
    def is_part(self) -> bool:
        """Whether another value holds the rest of the measurement."""
        return bool(self.flags & _IN_PARTS)

    @property
    def body_fat(self) -> Decimal | None:
        """Percent; None where the measurement was unsuccessful."""
        return self.values[_BODY_FAT][0]


def decode_composition(value: bytes) -> Composition:
    """A value of 0x2A9C.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 2)
    values: dict[str, tuple[Decimal | None, str]] = {_BODY_FAT: (fields.steps(_BODY_FAT, _TENTH), "%")}
    stamp = fields.stamp() if flags & _TIME_STAMP else None
    user = fields.unsigned("user", 1) if flags & _USER else None
    for bit, name, si, imperial in _FIELDS:
        if flags & bit:
            step, unit = imperial if flags & _IMPERIAL else si
            values[name] = fields.steps(name, step), unit
    return Composition(flags, values, stamp, user, fields.rest())


def decode_feature(value: bytes) -> ScaleFeature:
    """A value of 0x2A9B.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    bits = Fields(value).unsigned("feature", 4)
    return ScaleFeature(
        supported=names_of(bits, _FEATURES),
        mass=mass_resolution(bits >> 11 & 0xF),
        height=height_resolution(bits >> 15 & 0x7),
    )
