"""Any glucose meter that follows the Glucose Service of the Bluetooth SIG, 0x1808.

The byte tables are in :mod:`gateway.codecs.gatt.glucose` and ``glucose_context``. A meter keeps its records;
they are asked for by its Record Access Control Point once everything that brings them has been subscribed to.

The standard's unit is not the customary one: kg/L times 100 000 is mg/dL, mol/L times 1000 is mmol/L. Both
only move the decimal point, and the value as sent is kept beside the result.

==================================  ==============================================================
what the meter sends                what becomes of it
==================================  ==============================================================
concentration special, or none      rejected: it could not measure
concentration 0 or negative         rejected: FF FF is a filler, and reads as -0.1
control solution, as fluid or site  rejected: a check of the meter, nobody's
result too high or too low          with a number a limit, ``>`` or ``<``; without one rejected
both at once                        rejected: they contradict each other
malfunction, sample, strip,         rejected
temperature, general fault
time fault                          questionable
below 20 or above 600 mg/dL         questionable: no meter measures there without saying so, but meters
                                    are known that send ketones so
time stamp 0, or impossible, or     the gateway's time, noted; questionable and held in a session, since all
time offset out of range            that a meter sends is of the past, and nobody knows whose it is
context                             noted with the measurement of the same number; amounts of
                                    carbohydrate and medication only shown, for their units are doubtful
==================================  ==============================================================

Source: Glucose Service 1.0.1; GATT Specification Supplement; captures of an Accu-Chek Guide and two other
meters by public projects. Evidence: capture.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt import record_access
from gateway.codecs.gatt.glucose import (
    FEATURE,
    FLUIDS,
    LOCATIONS,
    MEASUREMENT,
    SERVICE,
    Glucose,
    annunciations,
    decode_feature,
    decode_glucose,
)
from gateway.codecs.gatt.glucose_context import (
    CONTEXT,
    Amount,
    Exercise,
    GlucoseContext,
    decode_context,
)
from gateway.codecs.ieee11073 import Number, Special, special_values
from gateway.drivers.contract import (
    BleLink,
    Driver,
    Events,
    Measured,
    Progress,
    Read,
    SetTimer,
    Setting,
    Subscribe,
)
from gateway.drivers.gatt_session import (
    CLOCK_SETTING,
    GattFrames,
    Recent,
    disguised,
    left_over,
    supported,
    timed,
)
from gateway.drivers.glucose_results import unknown_time
from gateway.drivers.record_transfer import RecordTransfer
from gateway.model import Observation, Reading, Sent, rejected
from gateway.model.reading import Comparator

_NOUN = "meter"
_CUSTOMARY = {  # unit as sent: customary unit, powers of ten, usual span of meters
    "kg/L": ("mg/dL", 5, (Decimal(20), Decimal(600))),
    "mol/L": ("mmol/L", 3, (Decimal("1.1"), Decimal("33.3"))),
}
_CONTROL_SOLUTION = "control-solution"
_LIMITS: dict[str, Comparator] = {"result-too-high": ">", "result-too-low": "<"}
_FAILED = {
    "sensor-malfunction",
    "sample-insufficient",
    "strip-insertion-error",
    "wrong-strip-type",
    "temperature-too-high",
    "temperature-too-low",
    "strip-pulled-too-soon",
    "general-fault",
}
_DOUBTFUL = {"time-fault"}
_CONTEXT_TIMER, _CONTEXT_S = "context", 3.0


def parse_measurement(value: bytes, *, at: datetime | None = None) -> Reading:
    """The reading in one value of Glucose Measurement.

    Parameters
    ----------
    value : bytes
    at : datetime, optional
        Of arrival: the reading's time where the value states none.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    return _parsed(decode_glucose(value), value, at)


def _parsed(measured: Glucose, value: bytes, at: datetime | None) -> Reading:
    reading = replace(_reading(measured), sequence=str(measured.sequence), provenance=value)
    return timed(reading, measured.stamp, at, _NOUN)


def _reading(measured: Glucose) -> Reading:
    said = annunciations(measured)
    if reasons := tuple(_reasons(measured, said)):
        return rejected("glucose", ", ".join(reasons))
    assert isinstance(measured.concentration, Decimal), "anything else was a reason"
    observation = _observation(measured, measured.concentration, said)
    doubts = tuple(_doubts(measured, observation, said))
    return Reading(
        kind="glucose",
        observations=(observation,),
        status="questionable" if doubts else "final",
        notes=(*doubts, *_remarks(measured, said)),
    )


def _reasons(measured: Glucose, said: tuple[str, ...]) -> Iterator[str]:
    """Why a record is no patient's result."""
    yield from (_worded(name) for name in said if name in _FAILED)
    if _LIMITS.keys() <= set(said):
        yield "result too high and too low at once"
    if _CONTROL_SOLUTION in {_fluid(measured), _location(measured)}:
        yield "control solution: a check of the meter"
    concentration = measured.concentration
    if not isinstance(concentration, Decimal):
        yield from (f"{_worded(name)} for the meter" for name in said if name in _LIMITS)
    if concentration is None:
        yield "there is no concentration in the record"
    elif isinstance(concentration, Special):
        yield f"the concentration is {concentration.value}"
    elif concentration <= 0:
        yield f"a concentration of {concentration:f} {measured.unit} is not a patient's"


def _observation(measured: Glucose, concentration: Decimal, said: tuple[str, ...]) -> Observation:
    unit, powers, _ = _CUSTOMARY[measured.unit]
    return Observation(
        "glucose",
        concentration.scaleb(powers),
        unit,
        comparator=next((_LIMITS[name] for name in said if name in _LIMITS), None),
        site=_fluid(measured),
        as_sent=Sent(concentration, measured.unit),
    )


def _doubts(measured: Glucose, observation: Observation, said: tuple[str, ...]) -> Iterator[str]:
    unit, _, (low, high) = _CUSTOMARY[measured.unit]
    yield from (_worded(name) for name in said if name in _DOUBTFUL)
    if observation.value is not None and not low <= observation.value <= high:
        yield f"outside the {low} to {high} {unit} that meters measure"
    yield from disguised((observation,))


def _remarks(measured: Glucose, said: tuple[str, ...]) -> Iterator[str]:
    yield from (_worded(name) for name in said if name not in _DOUBTFUL and name not in _LIMITS)
    if _fluid(measured) is None:
        yield f"sample type {measured.fluid} is reserved"
    location = _location(measured)
    if location is None:
        yield f"sample location {measured.location} is reserved"
    elif location != "not-available":
        yield f"sample from: {_worded(location)}"
    yield from left_over(measured.rest)


def _fluid(measured: Glucose) -> str | None:
    return None if measured.fluid is None else FLUIDS.get(measured.fluid)


def _location(measured: Glucose) -> str | None:
    return None if measured.location is None else LOCATIONS.get(measured.location)


def context_notes(context: GlucoseContext) -> Iterator[str]:
    """What a context says that can be noted with its measurement."""
    named = (("meal", context.meal), ("tested by", context.tester), ("health", context.health))
    for what, said in named:
        if said is not None and said != "not-available":
            yield f"{what}: {_worded(said)}"
    if context.exercise is not None:
        yield _exercise(context.exercise)
    if context.hba1c is not None:
        yield f"HbA1c: {_number(context.hba1c)} %"


def _exercise(exercise: Exercise) -> str:
    duration = "longer than can be said" if exercise.seconds is None else f"{exercise.seconds} s"
    return f"exercise: {duration}, intensity {exercise.intensity} %"


def _amount(name: str, amount: Amount | None) -> Iterator[str]:
    if amount is not None:
        yield f"{name}: {_worded(amount.what)}, {_number(amount.amount)} {amount.unit} as sent"


def _number(number: Number) -> str:
    return number.value if isinstance(number, Special) else f"{number:f}"


def _worded(name: str) -> str:
    return name.replace("-", " ")


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(self, clock: str = "measure", **_transferring: str) -> None:
        self._transfer = RecordTransfer(_NOUN)
        super().__init__(
            _NOUN,
            {
                MEASUREMENT: self._measurement,
                CONTEXT: self._context,
                FEATURE: self._feature,
                record_access.CONTROL_POINT: self._answer,
            },
            clock,
        )

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return (Measured(parse_measurement(data, at=at)),)

    def _context(self, data: bytes, at: datetime) -> Events:
        context = decode_context(data)
        said = (
            *_amount("carbohydrate", context.carbohydrate),
            *context_notes(context),
            *_amount("medication", context.medication),
            *left_over(context.rest),
        )
        return (Progress(f"context of record {context.sequence}: {'; '.join(said) or 'nothing'}"),)

    def _feature(self, data: bytes, at: datetime) -> Events:
        return (supported(_NOUN, decode_feature(data)),)

    def _answer(self, data: bytes, at: datetime) -> Events:
        return self._transfer.answered(data, at)


class Session(Frames):
    """Asks who the meter is, then for its records; each waits for its context, and counts once."""

    def __init__(self, records: str, clock: str = "measure") -> None:
        super().__init__(clock)
        self._transfer = RecordTransfer(_NOUN, records)
        self._recent = Recent()
        self._waiting: Reading | None = None

    def connected(self, at: datetime) -> Events:
        return (
            *self.inquiries(),
            Read(FEATURE),
            Subscribe(MEASUREMENT),
            Subscribe(CONTEXT, optional=True),
            *self._transfer.start(optional=False),
        )

    def timer(self, name: str, at: datetime) -> Events:
        return self._without_context() if name == _CONTEXT_TIMER else self._transfer.timer(name)

    def disconnected(self, at: datetime) -> Events:
        return self._without_context()

    def _measurement(self, data: bytes, at: datetime) -> Events:
        before = self._without_context()
        events = self._recent.once(data, lambda: self._measured(data, at))
        return (*before, *events, *self._transfer.record())

    def _measured(self, data: bytes, at: datetime) -> Events:
        measured = decode_glucose(data)
        reading = _parsed(measured, data, at)
        if reading.time_source == "gateway":
            reading = unknown_time(reading)
        if not measured.context_follows:
            return (Measured(reading),)
        self._waiting = reading
        return (SetTimer(_CONTEXT_TIMER, _CONTEXT_S),)

    def _context(self, data: bytes, at: datetime) -> Events:
        context = decode_context(data)
        waiting = self._waiting
        if waiting is None or waiting.sequence != str(context.sequence):
            return (*super()._context(data, at), *self._transfer.record())
        self._waiting = replace(waiting.noted(*context_notes(context)), provenance=waiting.provenance + data)
        return (*super()._context(data, at), *self._without_context(), *self._transfer.record())

    def _answer(self, data: bytes, at: datetime) -> Events:
        return (*self._without_context(), *super()._answer(data, at))

    def _without_context(self) -> Events:
        """The measurement that waits, now that it will wait no longer."""
        waiting, self._waiting = self._waiting, None
        return () if waiting is None else (SetTimer(_CONTEXT_TIMER, 0), Measured(waiting))


DRIVER = Driver(
    id="gatt-glucose",
    vendor="",
    models=(),
    kind="glucose-meter",
    emits={"glucose": ("mg/dL", "mmol/L")},
    links=(BleLink(services=(SERVICE,)),),
    evidence="capture",
    settings=(
        Setting("records", ("all", "last"), "all", "which stored records are asked for"),
        CLOCK_SETTING,
    ),
    specials=(
        *special_values("concentration"),
        "concentration 0",
        "concentration -0.1",
        "no concentration",
        *(f"{_CONTROL_SOLUTION} as {what}" for what in ("fluid", "location")),
        *sorted(_FAILED),
        *_LIMITS,
        "result too high and too low",
        "exercise 0xFFFF",
        *record_access.FAILURES,
    ),
    session=Session,
    frames=Frames,
)
