"""Pulse Oximeter Service, 0x1822.

PLX Spot-Check Measurement 0x2A5E (indicated) and PLX Continuous Measurement 0x2A5F (notified) begin alike
and go on differently; numbers are SFLOAT, SpO2 in %, pulse rate in /min:

=====  =====================================  ====  ===============  ================
order  field                                  size  0x2A5E flag bit  0x2A5F flag bit
=====  =====================================  ====  ===============  ================
1      flags                                  1
2      SpO2, pulse rate                       4
3      SpO2, pulse rate, fast responding      4                      0
4      SpO2, pulse rate, slow responding      4                      1
5      time stamp, Date Time                  7     0
6      measurement status                     2     1                2
7      device and sensor status               3     2                3
8      pulse amplitude index, SFLOAT, %       2     3                4
=====  =====================================  ====  ===============  ================

Flag bit 4 of 0x2A5E says that the clock is not set: the time stamp is there and worthless.

PLX Features 0x2A60 is a uint16, then as it says a uint16 and a uint24 with the bits of the two statuses that
the device supports.

Source: Pulse Oximeter Service 1.0.1; GATT Specification Supplement. Evidence: specification, captures.
"""

from dataclasses import dataclass

from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.gatt.fields import Fields, names_of
from gateway.codecs.ieee11073 import Number

SERVICE = "1822"
SPOT_CHECK = "2A5E"
CONTINUOUS = "2A5F"
FEATURES = "2A60"

_SPOT_TIME, _SPOT_STATUS, _SPOT_SENSOR, _SPOT_AMPLITUDE, _SPOT_CLOCK_NOT_SET = (1 << bit for bit in range(5))
_FAST, _SLOW, _STATUS, _SENSOR, _AMPLITUDE = (1 << bit for bit in range(5))
_HAS_STATUS, _HAS_SENSOR = 0x01, 0x02

_STATUSES = (
    *[""] * 5,
    "measurement-ongoing",
    "early-estimated-data",
    "validated-data",
    "fully-qualified-data",
    "from-storage",
    "demonstration-data",
    "testing-data",
    "calibration-ongoing",
    "measurement-unavailable",
    "questionable-measurement",
    "invalid-measurement",
)
_SENSOR_STATUSES = (
    "extended-display-update",
    "equipment-malfunction",
    "signal-processing-irregularity",
    "inadequate-signal",
    "poor-signal",
    "low-perfusion",
    "erratic-signal",
    "non-pulsatile-signal",
    "questionable-pulse",
    "signal-analysis-ongoing",
    "sensor-interference",
    "sensor-unconnected-to-user",
    "unknown-sensor",
    "sensor-displaced",
    "sensor-malfunctioning",
    "sensor-disconnected",
)
_FEATURES = (
    "measurement-status",
    "device-and-sensor-status",
    "spot-check-storage",
    "spot-check-time-stamp",
    "fast",
    "slow",
    "pulse-amplitude-index",
    "multiple-bonds",
)


@dataclass(frozen=True, slots=True)
class Saturation:
    """SpO2 and the pulse rate that belongs to it."""

    spo2: Number
    pulse_rate: Number


@dataclass(frozen=True, slots=True)
class Oximetry:
    """One value of 0x2A5E or 0x2A5F, field by field.

    Parameters
    ----------
    flags : int
    normal : Saturation
    fast, slow : Saturation, optional
        Continuous only: with other averaging.
    stamp : Stamp, optional
        Spot-check only.
    clock_not_set : bool
        The time stamp is worthless.
    status, sensor_status : int, optional
    amplitude_index : Decimal or Special, optional
    rest : bytes
        Beyond what the flags claim.
    """

    flags: int
    normal: Saturation
    fast: Saturation | None = None
    slow: Saturation | None = None
    stamp: Stamp | None = None
    clock_not_set: bool = False
    status: int | None = None
    sensor_status: int | None = None
    amplitude_index: Number | None = None
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class OximeterFeatures:
    """A value of 0x2A60.

    Parameters
    ----------
    supported : tuple of str
    status, sensor_status : int, optional
        The bits that have a meaning. None where the oximeter does not say: then any may have.
    """

    supported: tuple[str, ...] = ()
    status: int | None = None
    sensor_status: int | None = None


def decode_spot_check(value: bytes) -> Oximetry:
    """A value of 0x2A5E.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    return Oximetry(
        flags=flags,
        normal=_saturation(fields),
        stamp=fields.stamp() if flags & _SPOT_TIME else None,
        clock_not_set=bool(flags & _SPOT_CLOCK_NOT_SET),
        status=_status(fields) if flags & _SPOT_STATUS else None,
        sensor_status=_sensor_status(fields) if flags & _SPOT_SENSOR else None,
        amplitude_index=_amplitude(fields) if flags & _SPOT_AMPLITUDE else None,
        rest=fields.rest(),
    )


def decode_continuous(value: bytes) -> Oximetry:
    """A value of 0x2A5F. Raises as :func:`decode_spot_check`."""
    fields = Fields(value)
    flags = fields.unsigned("flags", 1)
    return Oximetry(
        flags=flags,
        normal=_saturation(fields),
        fast=_saturation(fields, "-fast") if flags & _FAST else None,
        slow=_saturation(fields, "-slow") if flags & _SLOW else None,
        status=_status(fields) if flags & _STATUS else None,
        sensor_status=_sensor_status(fields) if flags & _SENSOR else None,
        amplitude_index=_amplitude(fields) if flags & _AMPLITUDE else None,
        rest=fields.rest(),
    )


def conditions(measured: Oximetry, features: OximeterFeatures) -> tuple[str, ...]:
    """The names of what both statuses say, lowest bit first, as far as the device supports it."""
    status = _masked(measured.status, features.status)
    sensor_status = _masked(measured.sensor_status, features.sensor_status)
    return names_of(status, _STATUSES) + names_of(sensor_status, _SENSOR_STATUSES)


def decode_features(value: bytes) -> OximeterFeatures:
    """A value of 0x2A60.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    fields = Fields(value)
    bits = fields.unsigned("feature", 2)
    return OximeterFeatures(
        supported=names_of(bits, _FEATURES),
        status=fields.unsigned("measurement-status-support", 2) if bits & _HAS_STATUS else None,
        sensor_status=fields.unsigned("device-and-sensor-status-support", 3) if bits & _HAS_SENSOR else None,
    )


def status_names(features: OximeterFeatures) -> tuple[str, ...]:
    """The names of the status bits that the oximeter supports."""
    return names_of(features.status or 0, _STATUSES) + names_of(features.sensor_status or 0, _SENSOR_STATUSES)


def _masked(bits: int | None, supported: int | None) -> int:
    return 0 if bits is None else bits if supported is None else bits & supported


def _saturation(fields: Fields, suffix: str = "") -> Saturation:
    return Saturation(fields.sfloat(f"spo2{suffix}"), fields.sfloat(f"pulse-rate{suffix}"))


def _status(fields: Fields) -> int:
    return fields.unsigned("measurement-status", 2)


def _sensor_status(fields: Fields) -> int:
    return fields.unsigned("device-and-sensor-status", 3)


def _amplitude(fields: Fields) -> Number:
    return fields.sfloat("pulse-amplitude-index")
