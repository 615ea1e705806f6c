"""Any oximeter that follows the Pulse Oximeter Service of the Bluetooth SIG, 0x1822.

The byte tables are in :mod:`gateway.codecs.gatt.pulse_oximeter`. A spot check is a reading. Continuous
values stream: one reading comes when they have been steady, another of the same finger only when they
change or after a while (:class:`gateway.drivers.steadiness.OneFinger`). What the oximeter has stored is
asked for by its Record Access Control Point, if it has one.

================================================  ================================================
what the oximeter sends                           what becomes of it
================================================  ================================================
SpO2 or pulse rate special                        rejected: it could not measure
SpO2 0, above 100 %, pulse rate 0, above 500      rejected: no patient's
pulse rate above 300                              questionable
the same of fast and slow values, a negative      left out, noted
amplitude index
measurement unavailable or invalid                rejected
equipment malfunction, sensor not on the patient, rejected
unknown, malfunctioning or disconnected
demonstration or testing data                     rejected: nobody's
early estimate, calibration, questionable,        questionable
poor signals, displaced sensor
any other status bit                              noted, if the oximeter supports it
clock not set                                     the gateway's time, noted; held if it was stored
2047 and the like x 10^n                          questionable: some send a special value so
================================================  ================================================

Source: Pulse Oximeter Service 1.0.1; GATT Specification Supplement; captures of a ChoiceMMed oximeter by
public projects. Evidence: capture.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt import record_access
from gateway.codecs.gatt.pulse_oximeter import (
    CONTINUOUS,
    FEATURES,
    SERVICE,
    SPOT_CHECK,
    OximeterFeatures,
    Oximetry,
    conditions,
    decode_continuous,
    decode_features,
    decode_spot_check,
    status_names,
)
from gateway.codecs.ieee11073 import Number, Special, special_values
from gateway.drivers.contract import BleLink, Driver, Events, Measured, Read, Setting, Subscribe
from gateway.drivers.gatt_session import (
    CLOCK_SETTING,
    NOTHING_BESIDES,
    Decoder,
    GattFrames,
    disguised,
    left_over,
    no_numbers,
    numbers,
    supported,
    timed,
)
from gateway.drivers.pushed_records import PushedRecords
from gateway.drivers.record_transfer import RecordTransfer
from gateway.drivers.steadiness import REPEAT, OneFinger, repeat_after
from gateway.drivers.stored_records import held
from gateway.model import Observation, Reading, rejected

_NOUN = "oximeter"
_NOT_A_PATIENTS = (
    "demonstration-data",
    "testing-data",
    "measurement-unavailable",
    "invalid-measurement",
    "equipment-malfunction",
    "sensor-unconnected-to-user",
    "unknown-sensor",
    "sensor-malfunctioning",
    "sensor-disconnected",
)
_NO_FINGER = {"sensor-unconnected-to-user", "unknown-sensor", "sensor-malfunctioning", "sensor-disconnected"}
_DOUBTFUL = {
    "early-estimated-data",
    "calibration-ongoing",
    "questionable-measurement",
    "signal-processing-irregularity",
    "inadequate-signal",
    "poor-signal",
    "low-perfusion",
    "erratic-signal",
    "non-pulsatile-signal",
    "questionable-pulse",
    "sensor-interference",
    "sensor-displaced",
}
_STORED = "from-storage"
_STORES = "spot-check-storage"
_FULL = Decimal(100)
_FASTEST, _ANY_RATE = Decimal(300), Decimal(500)
_CLOCK_NOT_SET = "clock of the oximeter is not set"


def parse_measurement(
    measured: Oximetry, value: bytes, *, features: OximeterFeatures, at: datetime | None = None
) -> Reading:
    """The reading in one decoded value.

    Parameters
    ----------
    measured : Oximetry
    value : bytes
        That it was decoded from.
    features : OximeterFeatures
        Which status bits the oximeter supports.
    at : datetime, optional
        Of arrival: the reading's time where the value states none.
    """
    reading = _reading(measured, conditions(measured, features))
    if measured.clock_not_set:
        reading = timed(reading.noted(_CLOCK_NOT_SET), None, at, _NOUN)
    else:
        reading = timed(reading, measured.stamp, at, _NOUN)
    return replace(reading, provenance=value)


def _reading(measured: Oximetry, found: tuple[str, ...]) -> Reading:
    reasons = [*_no_patients(measured), *(_worded(name) for name in found if name in _NOT_A_PATIENTS)]
    if reasons:
        return rejected("pulse-oximetry", ", ".join(reasons))
    observations = tuple(_observations(measured))
    doubts = [
        *(_worded(name) for name in found if name in _DOUBTFUL),
        *(f"{o.name} is above {_FASTEST} /min" for o in observations if _is_fast(o)),
        *disguised(observations),
    ]
    return Reading(
        kind="pulse-oximetry",
        observations=observations,
        status="questionable" if doubts else "final",
        notes=(*doubts, *(_worded(name) for name in found if name not in _DOUBTFUL), *_remarks(measured)),
    )


def _no_patients(measured: Oximetry) -> Iterator[str]:
    for name, value, most in (
        ("SpO2", measured.normal.spo2, _FULL),
        ("pulse rate", measured.normal.pulse_rate, _ANY_RATE),
    ):
        if isinstance(value, Special):
            yield f"{name} is {value.value}"
        elif not 0 < value <= most:
            yield f"{name} of {value:f} is not a patient's"


def _observations(measured: Oximetry) -> Iterator[Observation]:
    yield from numbers(
        ("spo2", measured.normal.spo2, "%"), ("pulse-rate", measured.normal.pulse_rate, "/min")
    )
    yield from numbers(
        *(
            (name, value, unit)
            for name, value, unit, possible in _besides(measured)
            if not isinstance(value, Decimal) or possible(value)
        )
    )


def _besides(
    measured: Oximetry,
) -> Iterator[tuple[str, Number | None, str, Callable[[Decimal], bool]]]:
    """What a reading can do without: name, value, unit, and whether a number can be a patient's."""
    for suffix, other in (("fast", measured.fast), ("slow", measured.slow)):
        if other is not None:
            yield f"spo2-{suffix}", other.spo2, "%", lambda value: 0 < value <= _FULL
            yield f"pulse-rate-{suffix}", other.pulse_rate, "/min", lambda value: 0 < value <= _ANY_RATE
    yield "pulse-amplitude-index", measured.amplitude_index, "%", lambda value: value >= 0


def _is_fast(observation: Observation) -> bool:
    return observation.unit == "/min" and (observation.value or 0) > _FASTEST


def _remarks(measured: Oximetry) -> Iterator[str]:
    for name, value, _, possible in _besides(measured):
        yield from no_numbers((_worded(name), value))
        if isinstance(value, Decimal) and not possible(value):
            yield f"{_worded(name)} of {value:f} is not a patient's"
    yield from left_over(measured.rest)


def _worded(name: str) -> str:
    return name.replace("-", " ")


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(
        self, clock: str = "measure", besides: Mapping[str, Decoder] = NOTHING_BESIDES, **_concluding: str
    ) -> None:
        self._transfer = RecordTransfer(_NOUN)
        super().__init__(
            _NOUN,
            {
                **besides,
                SPOT_CHECK: self._spot_check,
                CONTINUOUS: self._continuous,
                FEATURES: self._feature,
                record_access.CONTROL_POINT: self._transfer.answered,
            },
            clock,
        )
        self._features = OximeterFeatures()

    def _spot_check(self, data: bytes, at: datetime) -> Events:
        return (Measured(self._parsed(decode_spot_check(data), data, at)),)

    def _continuous(self, data: bytes, at: datetime) -> Events:
        return (Measured(self._parsed(decode_continuous(data), data, at)),)

    def _parsed(self, measured: Oximetry, data: bytes, at: datetime) -> Reading:
        return parse_measurement(measured, data, features=self._features, at=at)

    def _feature(self, data: bytes, at: datetime) -> Events:
        self._features = decode_features(data)
        statuses = ", ".join(map(_worded, status_names(self._features)))
        besides = (f"of the statuses: {statuses}",) if statuses else ()
        return (supported(_NOUN, self._features.supported, *besides),)


class Session(Frames):
    """Asks who the oximeter is, then for all that it has and will measure."""

    def __init__(
        self,
        settle_s: str,
        repeat_s: str,
        clock: str = "measure",
        besides: Mapping[str, Decoder] = NOTHING_BESIDES,
    ) -> None:
        super().__init__(clock, besides)
        self._finger = OneFinger(int(settle_s), repeat_after(repeat_s))
        self._records = PushedRecords()

    def connected(self, at: datetime) -> Events:
        return (
            *self.inquiries(),
            Read(FEATURES),
            Subscribe(CONTINUOUS, optional=True),
            Subscribe(SPOT_CHECK, optional=True),
        )

    def timer(self, name: str, at: datetime) -> Events:
        return (*self._records.timer(name), *self._transfer.timer(name))

    def disconnected(self, at: datetime) -> Events:
        return self._records.disconnected()

    def _feature(self, data: bytes, at: datetime) -> Events:
        """Only an oximeter that stores has anything to be asked for."""
        said = super()._feature(data, at)
        stores = _STORES in self._features.supported and not self._transfer.running
        return (*said, *self._transfer.start()) if stores else said

    def _spot_check(self, data: bytes, at: datetime) -> Events:
        events = self._records.once(SPOT_CHECK, data, at, lambda: self._spot_checked(data, at))
        return (*events, *self._transfer.record())

    def _spot_checked(self, data: bytes, at: datetime) -> Events:
        measured = decode_spot_check(data)
        reading = self._parsed(measured, data, at)
        is_stored = self._transfer.running or _STORED in conditions(measured, self._features)
        return (Measured(held(reading) if is_stored and reading.time_source == "gateway" else reading),)

    def _continuous(self, data: bytes, at: datetime) -> Events:
        measured = decode_continuous(data)
        reading = self._parsed(measured, data, at)
        if reading.status != "rejected":
            return self._finger.valid(reading)
        if _NO_FINGER.intersection(conditions(measured, self._features)):
            return self._finger.gone(reading.notes[0])
        return self._finger.disturbed(reading.notes[0])


_RATES = ("/min",)
_SATURATION = tuple(
    f"{response}{name}" for response in ("", "fast ", "slow ") for name in ("SpO2", "pulse rate")
)

DRIVER = Driver(
    id="gatt-pulse-oximeter",
    vendor="",
    models=(),
    kind="pulse-oximeter",
    emits={
        "spo2": ("%",),
        "pulse-rate": _RATES,
        "spo2-fast": ("%",),
        "pulse-rate-fast": _RATES,
        "spo2-slow": ("%",),
        "pulse-rate-slow": _RATES,
        "pulse-amplitude-index": ("%",),
    },
    links=(BleLink(services=(SERVICE,), deletes_confirmed=True),),
    evidence="capture",
    settings=(
        Setting("settle_s", ("3", "5", "10", "20"), "5", "seconds that values must be steady"),
        REPEAT,
        CLOCK_SETTING,
    ),
    specials=(
        *special_values(*_SATURATION, "pulse amplitude index"),
        *(f"{name} {none}" for name in _SATURATION for none in ("0", "-0.1", "above its range")),
        "pulse amplitude index -0.1",
        *map(_worded, _NOT_A_PATIENTS),
        *record_access.FAILURES,
    ),
    session=Session,
    frames=Frames,
)
