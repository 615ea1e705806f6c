"""Blood Pressure Service, 0x1810.

Blood Pressure Measurement 0x2A35 (indicated) and Intermediate Cuff Pressure 0x2A36 (notified):

=====  ====  ===========================================  ============
order  size  field                                        present with
=====  ====  ===========================================  ============
1      1     flags
2      2     systolic, SFLOAT (2A36: the cuff's pressure)
3      2     diastolic, SFLOAT (2A36: NaN)
4      2     mean arterial pressure, SFLOAT (2A36: NaN)
5      7     time stamp, Date Time                        flag bit 1
6      2     pulse rate, SFLOAT, /min                     flag bit 2
7      1     user index, 255 unknown                      flag bit 3
8      2     measurement status                           flag bit 4
=====  ====  ===========================================  ============

Flag bit 0 is the unit: 0 mmHg, 1 kPa. Bits 5 to 7 are reserved and set by some devices.
Blood Pressure Feature 0x2A49 is a uint16: which bits of the measurement status have a meaning.

Source: Blood Pressure Service 1.1.1; GATT Specification Supplement. Evidence: specification, captures.
"""

from dataclasses import dataclass

from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.gatt.fields import Fields, names_of
from gateway.codecs.ieee11073 import Number

SERVICE = "1810"
MEASUREMENT = "2A35"
CUFF_PRESSURE = "2A36"
FEATURE = "2A49"

_KPA, _TIME_STAMP, _PULSE_RATE, _USER, _STATUS = (1 << bit for bit in range(5))
_UNKNOWN_USER = 255

_CONDITIONS = (  # mask in the status, value under it, name, feature bit that must be set
    (0x01, 0x01, "body-movement", 0x01),
    (0x02, 0x02, "cuff-too-loose", 0x02),
    (0x04, 0x04, "irregular-pulse", 0x04),
    (0x18, 0x08, "pulse-rate-above-limit", 0x08),
    (0x18, 0x10, "pulse-rate-below-limit", 0x08),
    (0x18, 0x18, "pulse-rate-range-reserved", 0x08),
    (0x20, 0x20, "improper-position", 0x10),
)
_FEATURES = (
    "body-movement",
    "cuff-fit",
    "irregular-pulse",
    "pulse-rate-range",
    "measurement-position",
    "multiple-bonds",
    "e2e-crc",
    "user-data-service",
    "user-facing-time",
)
ALL_FEATURES = 0xFFFF


@dataclass(frozen=True, slots=True)
class BloodPressure:
    """One value of 0x2A35 or 0x2A36, field by field.

    Parameters
    ----------
    flags : int
    unit : str
        UCUM, of the three pressures.
    systolic, diastolic, mean : Decimal or Special
    stamp : Stamp, optional
    pulse_rate : Decimal or Special, optional
    user : int, optional
        A slot of the device, never a patient.
    status : int, optional
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    unit: str
    systolic: Number
    diastolic: Number
    mean: Number
    stamp: Stamp | None = None
    pulse_rate: Number | None = None
    user: int | None = None
    status: int | None = None
    rest: bytes = b""


def decode_blood_pressure(value: bytes) -> BloodPressure:
    """A value of 0x2A35 or 0x2A36.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    systolic, diastolic, mean = map(fields.sfloat, ("systolic", "diastolic", "mean-arterial-pressure"))
    stamp = fields.stamp() if flags & _TIME_STAMP else None
    pulse_rate = fields.sfloat("pulse-rate") if flags & _PULSE_RATE else None
    user = fields.unsigned("user", 1) if flags & _USER else None
    status = fields.unsigned("measurement-status", 2) if flags & _STATUS else None
    return BloodPressure(
        flags=flags,
        unit="kPa" if flags & _KPA else "mm[Hg]",
        systolic=systolic,
        diastolic=diastolic,
        mean=mean,
        stamp=stamp,
        pulse_rate=pulse_rate,
        user=None if user == _UNKNOWN_USER else user,
        status=status,
        rest=fields.rest(),
    )


def conditions(status: int, features: int = ALL_FEATURES) -> tuple[str, ...]:
    """The names of what a measurement status says, lowest bit first, as far as the device supports it."""
    return tuple(
        name for mask, value, name, feature in _CONDITIONS if status & mask == value and features & feature
    )


def decode_feature(value: bytes) -> int:
    """A value of 0x2A49.

    Raises
    ------
    DecodeError
        It is cut off.
    """
    return Fields(value).unsigned("feature", 2)


def feature_names(features: int) -> tuple[str, ...]:
    """The names of the feature bits that are set, lowest first."""
    return names_of(features, _FEATURES)
