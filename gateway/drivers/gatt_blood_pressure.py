"""Any cuff that follows the Blood Pressure Service of the Bluetooth SIG, 0x1810.

The byte table of the measurement is in :mod:`gateway.codecs.gatt.blood_pressure`. The cuff sends all that
it stored as soon as indications are enabled, which is therefore done last.

==============================  ==================================================================
what the cuff sends             what becomes of it
==============================  ==================================================================
systolic or diastolic special   rejected: it could not measure (the status bits do not tell why)
mean or pulse rate NaN          left out; other special values are noted
mean 0                          left out: some Beurer cuffs send 0 for "not given"
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

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.codecs.gatt import device_information as information
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
)
from gateway.codecs.ieee11073 import Number, Special, resembles_special
from gateway.drivers.contract import (
    BleLink,
    Driver,
    Event,
    Events,
    Fault,
    Identified,
    Measured,
    Progress,
    Read,
    Subscribe,
)
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading, rejected

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
_STORED_AFTER = timedelta(days=1)  # longer than any zone's offset, which a session does not know
_RECORDS_REMEMBERED = 512
_IDENTITY = {
    information.MANUFACTURER: "vendor",
    information.MODEL: "model",
    information.SERIAL: "serial",
}


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
    reading = _reading(measured, features)
    if (
        at is not None
        and measured.time is not None
        and at.replace(tzinfo=None) - measured.time > _STORED_AFTER
    ):
        reading = reading.noted("stored in the cuff before this connection")
    return replace(_timed(reading, measured, at), provenance=value)


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
    doubts = tuple(f"{o.name}: the number may stand for no result" for o in observations if _in_doubt(o))
    return Reading(
        kind="blood-pressure",
        observations=observations,
        status="questionable" if doubts or _DOUBTFUL & set(found) else "final",
        notes=(*(_NOTES[name] for name in found), *doubts, *_remarks(measured)),
    )


def _observations(measured: BloodPressure) -> Iterator[Observation]:
    for name, value, unit in (
        ("systolic", measured.systolic, measured.unit),
        ("diastolic", measured.diastolic, measured.unit),
        ("mean-arterial-pressure", measured.mean or Special.NAN, measured.unit),
        ("pulse-rate", measured.pulse_rate, "/min"),
    ):
        if isinstance(value, Decimal):
            yield Observation(name, value, unit)


def _in_doubt(observation: Observation) -> bool:
    return observation.value is not None and resembles_special(observation.value)


def _remarks(measured: BloodPressure) -> Iterator[str]:
    for name, value in (("mean arterial pressure", measured.mean), ("pulse rate", measured.pulse_rate)):
        if isinstance(value, Special) and value is not Special.NAN:
            yield f"{name} is {value.value}"
    if measured.status is not None and measured.status & _RESERVED_STATUS:
        yield f"measurement status 0x{measured.status:04X}"
    if measured.user is not None:
        yield f"user {measured.user} of the cuff"
    if measured.rest:
        yield f"{len(measured.rest)} bytes beyond the known fields ignored"
    if measured.time_error is not None:
        yield f"time stamp of the cuff: {measured.time_error.message}"
    elif measured.has_time_stamp and measured.time is None:
        yield "clock of the cuff is not set"


def _timed(reading: Reading, measured: BloodPressure, at: datetime | None) -> Reading:
    if measured.time is not None:
        return reading.taken(measured.time, by="device")
    return reading.taken(at, by="gateway") if at is not None else reading


class Frames:
    """Every value for itself."""

    def __init__(self) -> None:
        self._features = ALL_FEATURES
        self._device = Device()
        self._received: Counter[str] = Counter()

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        channel = channel or MEASUREMENT
        offset = self._received[channel]
        self._received[channel] += len(data)
        try:
            return self._events(data, channel, at)
        except DecodeError as error:
            return (Fault.from_error(error, offset=offset),)

    def measured(self, data: bytes, at: datetime) -> Events:
        reading = parse_measurement(data, features=self._features, model=self._device.model, at=at)
        return (Measured(reading),)

    def _events(self, data: bytes, channel: str, at: datetime) -> Events:
        if channel == MEASUREMENT:
            return self.measured(data, at)
        if channel == CUFF_PRESSURE:
            return (_inflation(decode_blood_pressure(data)),)
        if channel == FEATURE:
            self._features = decode_feature(data)
        elif channel == information.BATTERY_LEVEL:
            return (Progress(f"battery of the cuff at {information.decode_battery_level(data)} %"),)
        elif channel in _IDENTITY:
            self._device = replace(self._device, **{_IDENTITY[channel]: information.decode_text(data)})
            return (Identified(self._device),)
        return ()


class Session(Frames):
    """Asks who the cuff is, then for its records, each of which counts once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def connected(self, at: datetime) -> Events:
        return (
            *(Read(channel) for channel in (*_IDENTITY, information.BATTERY_LEVEL, FEATURE)),
            Subscribe(CUFF_PRESSURE, optional=True),
            Subscribe(MEASUREMENT),
        )

    def measured(self, data: bytes, at: datetime) -> Events:
        if data in self._seen:
            return (Progress("record sent again"),)
        events = super().measured(data, at)
        self._seen.append(data)
        return events


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
    session=Session,
    frames=Frames,
)
