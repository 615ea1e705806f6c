"""Any cuff that follows the Blood Pressure Service of the Bluetooth SIG, 0x1810.

The byte table of the measurement is in :mod:`gateway.codecs.gatt.blood_pressure`. The cuff sends all that
it stored as soon as indications are enabled, which is therefore done last.

==============================  ==================================================================
what the cuff sends             what becomes of it
==============================  ==================================================================
systolic or diastolic special   rejected: it could not measure (the status bits do not tell why)
mean or pulse rate NaN          left out; other special values are noted
mean 0                          left out: some Beurer cuffs send 0 for "not given"
pulse rate 0, a negative one    left out, noted
2047 and the like x 10^n        a number by the standard, but questionable: some send NaN so
movement, loose cuff            questionable, noted; other status bits are noted
time stamp 0, or impossible     the gateway's time, noted
user index                      noted; it is a slot of the cuff, never a patient
intermediate cuff pressure      progress
the same value again            passed over: one record, indicated twice
==============================  ==================================================================

Beurer BM85 and its kin put a user byte without its flag behind the time stamp's fields and send pulse rate
and status big-endian: ``.. time | 00 3F | 00 | 00 00`` is pulse 63, user 0. It is read so where the cuff
names itself BM85, or where the standard layout cannot be: one byte is left over, and the pulse rate by the
standard is below 20 or above 300 while that of the other layout is not.

Source: Blood Pressure Service 1.1.1, GATT Specification Supplement; captures of boso medicus CE6674, Beurer
BM54, BM85 and BM96 by public projects. Evidence: capture.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt.blood_pressure import (
    ALL_FEATURES,
    CUFF_PRESSURE,
    FEATURE,
    MEASUREMENT,
    SERVICE,
    BloodPressure,
    conditions,
    decode_blood_pressure,
    decode_feature,
    feature_names,
)
from gateway.codecs.ieee11073 import Number, Special, special_values
from gateway.drivers.contract import BleLink, Driver, Event, Events, Measured, Progress, Read, Subscribe
from gateway.drivers.gatt_session import (
    CLOCK_SETTING,
    GattFrames,
    disguised,
    left_over,
    no_numbers,
    numbers,
    supported,
    timed,
    user_slot,
)
from gateway.drivers.pushed_records import PushedRecords
from gateway.drivers.stored_records import in_slot
from gateway.model import Observation, Reading, rejected

_NOTES = {
    "body-movement": "body moved during measurement",
    "cuff-too-loose": "cuff too loose",
    "irregular-pulse": "irregular pulse detected",
    "pulse-rate-above-limit": "pulse rate above the cuff's limit",
    "pulse-rate-below-limit": "pulse rate below the cuff's limit",
    "pulse-rate-range-reserved": "pulse rate range status is reserved",
    "improper-position": "improper measurement position",
}
_DOUBTFUL = {"body-movement", "cuff-too-loose"}
_RESERVED_STATUS = 0xFFC0
_PULSE_RATES = range(20, 301)
_BM85_TAIL = 5  # pulse rate, user, status
_NOUN = "cuff"


def parse_measurement(
    value: bytes, *, features: int = ALL_FEATURES, model: str | None = None, at: datetime | None = None
) -> Reading:
    """The reading in one value of Blood Pressure Measurement.

    Parameters
    ----------
    value : bytes
    features : int
        Which status bits the cuff supports, from Blood Pressure Feature.
    model : str, optional
        As the cuff names itself.
    at : datetime, optional
        Of arrival: the reading's time where the value states none.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    measured = _standard_layout(value, decode_blood_pressure(value), model)
    reading = in_slot(_reading(measured, features), measured.user)
    return replace(timed(reading, measured.stamp, at, _NOUN), provenance=value)


def _standard_layout(value: bytes, measured: BloodPressure, model: str | None) -> BloodPressure:
    """The measurement as the standard would have it sent: itself, but for the layout of Beurer BM85."""
    tail = value[-_BM85_TAIL:]
    pulse = int.from_bytes(tail[:2], "big")
    has_layout = (
        len(measured.rest) == 1
        and measured.user is None
        and measured.pulse_rate is not None
        and measured.status is not None
    )
    named = "BM85" in (model or "")
    low, high = _PULSE_RATES[0], _PULSE_RATES[-1]
    impossible = isinstance(measured.pulse_rate, Decimal) and not low <= measured.pulse_rate <= high
    if not has_layout or not (named or (impossible and pulse in _PULSE_RATES)):
        return measured
    return replace(
        measured,
        pulse_rate=Decimal(pulse),
        user=tail[2],
        status=int.from_bytes(tail[3:], "big"),
        rest=b"",
    )


def _reading(measured: BloodPressure, features: int) -> Reading:
    for name in ("systolic", "diastolic"):
        pressure: Number = getattr(measured, name)
        if isinstance(pressure, Special):
            return rejected("blood-pressure", f"the cuff could not measure: {name} is {pressure.value}")
        if pressure <= 0:
            return rejected("blood-pressure", f"{name} is {pressure:f}: not a patient's")
    observations = tuple(_observations(measured))
    found = conditions(measured.status or 0, features)
    doubts = tuple(disguised(observations))
    return Reading(
        kind="blood-pressure",
        observations=observations,
        status="questionable" if doubts or _DOUBTFUL & set(found) else "final",
        notes=(*(_NOTES[name] for name in found), *doubts, *_remarks(measured)),
    )


def _observations(measured: BloodPressure) -> Iterator[Observation]:
    yield from numbers(
        ("systolic", measured.systolic, measured.unit),
        ("diastolic", measured.diastolic, measured.unit),
        ("mean-arterial-pressure", _positive(measured.mean), measured.unit),
        ("pulse-rate", _positive(measured.pulse_rate), "/min"),
    )


def _positive(value: Number | None) -> Number | None:
    return None if isinstance(value, Decimal) and value <= 0 else value


def _remarks(measured: BloodPressure) -> Iterator[str]:
    besides = (("mean arterial pressure", measured.mean), ("pulse rate", measured.pulse_rate))
    yield from no_numbers(*besides)
    yield from (
        f"{name} is {value:f}: not a patient's"
        for name, value in besides
        if isinstance(value, Decimal) and (value < 0 or (value == 0 and value is not measured.mean))
    )
    if measured.status is not None and measured.status & _RESERVED_STATUS:
        yield f"measurement status 0x{measured.status:04X}"
    yield from user_slot(measured.user, _NOUN)
    yield from left_over(measured.rest)


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(self, clock: str = "measure") -> None:
        super().__init__(
            _NOUN,
            {
                MEASUREMENT: self._measurement,
                CUFF_PRESSURE: self._cuff_pressure,
                FEATURE: self._feature,
            },
            clock,
        )
        self._features = ALL_FEATURES

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return (Measured(parse_measurement(data, features=self._features, model=self.device.model, at=at)),)

    def _cuff_pressure(self, data: bytes, at: datetime) -> Events:
        return (_inflation(decode_blood_pressure(data)),)

    def _feature(self, data: bytes, at: datetime) -> Events:
        self._features = decode_feature(data)
        return (supported(_NOUN, feature_names(self._features)),)


class Session(Frames):
    """Asks who the cuff is, then for its records, each of which counts once."""

    def __init__(self, clock: str = "measure") -> None:
        super().__init__(clock)
        self._records = PushedRecords()

    def connected(self, at: datetime) -> Events:
        return (
            *self.inquiries(),
            Read(FEATURE),
            Subscribe(CUFF_PRESSURE, optional=True),
            Subscribe(MEASUREMENT),
        )

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return self._records.once(MEASUREMENT, data, at, lambda: super(Session, self)._measurement(data, at))

    def timer(self, name: str, at: datetime) -> Events:
        return self._records.timer(name)

    def disconnected(self, at: datetime) -> Events:
        return self._records.disconnected()


def _inflation(measured: BloodPressure) -> Event:
    pressure = measured.systolic
    if isinstance(pressure, Special):
        return Progress("measuring")
    return Progress(f"cuff at {pressure:f} {'kPa' if measured.unit == 'kPa' else 'mmHg'}")


_PRESSURE_UNITS = ("mm[Hg]", "kPa")

DRIVER = Driver(
    id="gatt-blood-pressure",
    vendor="",
    models=(),
    kind="blood-pressure-monitor",
    emits={
        "systolic": _PRESSURE_UNITS,
        "diastolic": _PRESSURE_UNITS,
        "mean-arterial-pressure": _PRESSURE_UNITS,
        "pulse-rate": ("/min",),
    },
    links=(BleLink(services=(SERVICE,), deletes_confirmed=True),),
    evidence="capture",
    settings=(CLOCK_SETTING,),
    specials=(
        *special_values("systolic", "diastolic", "mean pressure", "pulse rate"),
        *(f"{name} {none}" for name in ("pressure", "mean pressure", "pulse rate") for none in ("0", "-0.1")),
        "intermediate cuff pressure",
    ),
    session=Session,
    frames=Frames,
)
