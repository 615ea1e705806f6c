"""Readings of what a personal health device observed.

Observations of one time, one person and one kind are one reading: a blood pressure with its pulse, a weight
with its body mass index.

==========================================  ==============================================================
what the device sends                       what becomes of it
==========================================  ==============================================================
NaN, NRes, an infinity, a reserved value    rejected; the other values of the report are a reading of
                                            their own, but for a blood pressure, which fails as a whole
mean pressure that is none of these         left out, noted
status invalid, not available, test, demo   rejected
status questionable, calibration ongoing,   questionable
early indication, measurement ongoing
a value of 0, or negative                   rejected: no patient's; a height, a body mass index or a part
                                            of the body's composition is left out, noted
SpO2 above 100 %                            rejected
2047 and the like x 10^n                    questionable: some send a special value so
glucose of control solution                 rejected: a check of the meter
a unit that the table does not hold         a fault
a code that the table does not hold         passed over
enumeration, waveform, a maker's own code   passed over; the configuration's event says so
base-offset time                            not read: the gateway's time, noted; held if it is from a memory
time stamp that is no date                  the gateway's time, noted; held if it is from a memory
relative time                               counted back from what that clock showed, on the gateway's
==========================================  ==============================================================
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from gateway.codecs.ieee11073 import Special, special_values
from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.observations import Observation as Observed
from gateway.codecs.phd.observations import Value
from gateway.drivers.stored_records import from_memory, in_slot
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected
from gateway.model.vocabulary import UNITS, ReadingKind

_DIMENSIONS = 4 << 16  # partition of units in a code that needs no context
_UNIT_OF_CODE: Mapping[int, str] = MappingProxyType(
    {int(unit.mdc) - _DIMENSIONS: ucum for ucum, unit in UNITS.items() if unit.mdc and ucum[:1] != "{"}
)
_PRESSURE, _MASS, _PERCENT = ("mm[Hg]", "kPa"), ("kg", "[lb_av]"), ("%",)
_RATE, _TEMPERATURE, _GLUCOSE = ("/min",), ("Cel", "[degF]"), ("mg/dL", "mmol/L")
_BODY = ("weight", "body-composition", "height")


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a code means in one of some units."""

    name: str
    kind: ReadingKind
    units: tuple[str, ...]
    site: str | None = None


_SITES_OF_TEMPERATURE = {
    n.TEMPERATURE: None,
    0x4B78: "tympanic",
    0xE004: "rectal",
    0xE008: "oral",
    0xE00C: "ear",
    0xE010: "finger",
    0xE020: "toe",
    0xE024: "axillary",
    0xE028: "gastro-intestinal-tract",
}
_FLUIDS = {
    n.GLUCOSE_CAPILLARY_BLOOD: "capillary-whole-blood",
    0x71BC: "capillary-plasma",
    0x71C0: "venous-whole-blood",
    0x71C4: "venous-plasma",
    0x71C8: "arterial-whole-blood",
    0x71CC: "arterial-plasma",
    0x71D0: "control-solution",
    0x71D4: "interstitial-fluid",
    0x726C: "undetermined-whole-blood",
    0x7270: "undetermined-plasma",
}
_CONTROL_SOLUTION = "control-solution"
_MEANINGS: Mapping[int, tuple[_Meaning, ...]] = MappingProxyType(
    {
        n.SPO2: (_Meaning("spo2", "pulse-oximetry", _PERCENT),),
        n.PULSE_BY_OXIMETER: (_Meaning("pulse-rate", "pulse-oximetry", _RATE),),
        0x4BD8: (_Meaning("perfusion-index", "pulse-oximetry", _PERCENT),),
        0x4B30: (_Meaning("pulse-amplitude-index", "pulse-oximetry", _PERCENT),),
        n.SYSTOLIC: (_Meaning("systolic", "blood-pressure", _PRESSURE),),
        n.DIASTOLIC: (_Meaning("diastolic", "blood-pressure", _PRESSURE),),
        n.MEAN: (_Meaning("mean-arterial-pressure", "blood-pressure", _PRESSURE),),
        n.PULSE_BY_CUFF: (_Meaning("pulse-rate", "blood-pressure", _RATE),),
        n.WEIGHT: (_Meaning("weight", "weight", (*_MASS, "g")),),
        n.HEIGHT: (_Meaning("height", "height", ("cm", "m", "[in_i]")),),
        n.BMI: (_Meaning("bmi", "weight", ("kg/m2",)),),
        0xE14C: (_Meaning("body-fat", "body-composition", _PERCENT),),
        0xE154: (_Meaning("fat-free-mass", "body-composition", _MASS),),
        0xE158: (_Meaning("soft-lean-mass", "body-composition", _MASS),),
        0xE15C: (
            _Meaning("body-water", "body-composition", _PERCENT),
            _Meaning("body-water-mass", "body-composition", _MASS),
        ),
        **{
            code: (_Meaning("temperature", "temperature", _TEMPERATURE, site),)
            for code, site in _SITES_OF_TEMPERATURE.items()
        },
        **{code: (_Meaning("glucose", "glucose", _GLUCOSE, fluid),) for code, fluid in _FLUIDS.items()},
    }
)
EMITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {meaning.name: meaning.units for meanings in _MEANINGS.values() for meaning in meanings}
)

_NOT_A_READING = {
    0x8000: "the device declares it invalid",
    0x2000: "not available",
    0x0800: "test data",
    0x0400: "demonstration data",
}
SPECIALS = (
    *special_values("SFLOAT", "FLOAT", "pressure", "mean pressure"),
    *_NOT_A_READING.values(),
    *("zero", "negative", "SpO2 above 100 %", "control solution"),
)
"""What is no number, for the declaration of a driver."""
_DOUBTFUL = {
    0x4000: "questionable by the device",
    0x1000: "calibration of the device ongoing",
    0x0040: "early indication",
    0x0020: "measurement still ongoing",
}
_VALIDATED = 0x0080
_SAID_BITS = sum(_NOT_A_READING) + sum(_DOUBTFUL) + _VALIDATED
_FAIL_TOGETHER: tuple[ReadingKind, ...] = ("blood-pressure",)
_OPTIONAL = {"mean-arterial-pressure"}
_DERIVED = {"height", "bmi", "body-fat", "fat-free-mass", "soft-lean-mass", "body-water", "body-water-mass"}
_STORED_AFTER = timedelta(minutes=5)
_TICK = timedelta(microseconds=125)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class RelativeClocks:
    """What the device's relative clocks showed, and when that was by the gateway's clock."""

    read_at: datetime
    ticks: int | None = None
    microseconds: int | None = None

    def moment(self, observed: Observed) -> datetime | None:
        """When something was observed, where its stamp is of one of these clocks."""
        if observed.ticks is not None and self.ticks is not None:
            return self.read_at - (self.ticks - observed.ticks) * _TICK
        if observed.microseconds is not None and self.microseconds is not None:
            return self.read_at - (self.microseconds - observed.microseconds) * _MICROSECOND
        return None


@dataclass(frozen=True, slots=True)
class _Measured:
    """One value with what it means."""

    meaning: _Meaning
    unit: str
    value: Value
    observed: Observed

    @property
    def group(self) -> tuple[object, ...]:
        observed = self.observed
        family = "body" if self.meaning.kind in _BODY else self.meaning.kind
        times = (observed.taken_at, observed.ticks, observed.microseconds)
        return family, observed.person, observed.is_stored, *times

    @property
    def failure(self) -> str | None:
        """Why it is no patient's value."""
        name, number = self.meaning.name, self.value.number
        reasons = [text for bit, text in _NOT_A_READING.items() if self.observed.status & bit]
        if reasons:
            return f"{name}: {', '.join(reasons)}"
        if isinstance(number, Special):
            return f"{name} is {number.value}: the device has no value"
        if self.meaning.site == _CONTROL_SOLUTION:
            return "control solution: a check of the meter"
        if number <= 0 or (name == "spo2" and number > 100):
            return f"{name} is {number:f}: not a patient's"
        return None

    @property
    def is_left_out(self) -> bool:
        """Whether the reading does without it."""
        number = self.value.number
        none_said = self.meaning.name in _DERIVED and isinstance(number, Decimal) and number == 0
        return self.failure is not None and (none_said or self.meaning.name in _OPTIONAL)


def readings_of(
    observed: tuple[Observed, ...], at: datetime, clocks: RelativeClocks | None
) -> tuple[tuple[Reading, ...], tuple[DecodeError, ...]]:
    """The readings in what was observed, and what is wrong with the rest."""
    measured: list[_Measured] = []
    errors: list[DecodeError] = []
    for observation in observed:
        for value in observation.values:
            try:
                measured += _meant(value, observation)
            except DecodeError as error:
                errors.append(error)
    groups: dict[tuple[object, ...], list[_Measured]] = {}
    for each in measured:
        groups.setdefault(each.group, []).append(each)
    readings = (reading for members in groups.values() for reading in _readings(members))
    return tuple(_timed(reading, of, at, clocks) for reading, of in readings), tuple(errors)


def _meant(value: Value, observed: Observed) -> Iterator[_Measured]:
    partition, code = value.code
    meanings = _MEANINGS.get(code) if partition == n.SCADA else None
    if meanings is None:
        return
    unit = _UNIT_OF_CODE.get(value.unit or 0)
    for meaning in meanings:
        if unit in meaning.units:
            yield _Measured(meaning, unit, value, observed)
            return
    known = ", ".join(unit for meaning in meanings for unit in meaning.units)
    said = "no unit" if value.unit is None else f"unit 0x{value.unit:04X}"
    raise DecodeError("unit", f"{meanings[0].name}: {said} is not one of {known}", offset=value.offset)


def _readings(members: list[_Measured]) -> Iterator[tuple[Reading, list[_Measured]]]:
    failed = [each for each in members if each.failure is not None and not each.is_left_out]
    good = [each for each in members if each.failure is None]
    kind = _kind(members)
    if failed and kind in _FAIL_TOGETHER:
        reasons = dict.fromkeys(each.failure for each in failed if each.failure is not None)
        yield _rejected(kind, "; ".join(reasons), members), members
        return
    for each in failed:
        yield _rejected(kind, each.failure or "", [each]), [each]
    if good:
        yield _reading(_kind(good), good, [each for each in members if each.is_left_out]), good


def _kind(members: list[_Measured]) -> ReadingKind:
    kinds = {each.meaning.kind for each in members}
    if kinds <= set(_BODY):
        return next(kind for kind in ("body-composition", "weight", "height") if kind in kinds)
    return members[0].meaning.kind


def _rejected(kind: ReadingKind, reason: str, members: list[_Measured]) -> Reading:
    return rejected(kind, reason).noted(*_remarks(members))


def _reading(kind: ReadingKind, good: list[_Measured], left_out: list[_Measured]) -> Reading:
    status = _all_bits(good)
    doubts = [text for bit, text in _DOUBTFUL.items() if status & bit]
    doubts += [
        f"{each.meaning.name}: the number may stand for no result" for each in good if each.value.is_doubtful
    ]
    return Reading(
        kind=kind,
        observations=tuple(_observation(each) for each in good),
        status="questionable" if doubts else "final",
        notes=(
            *doubts,
            *(f"left out: {each.failure}" for each in left_out),
            *_remarks(good),
        ),
    )


def _observation(measured: _Measured) -> Observation:
    assert isinstance(measured.value.number, Decimal), "a special value was a failure"
    return Observation(
        measured.meaning.name, measured.value.number, measured.unit, site=measured.meaning.site
    )


def _remarks(members: list[_Measured]) -> Iterator[str]:
    first = members[0].observed
    if others := _all_bits(members) & ~_SAID_BITS:
        yield f"measurement status 0x{others:04X}"
    if first.person is not None:
        yield f"person {first.person} of the device"
    if first.is_stored:
        yield "from the memory of the device"
    if first.stamp_fault is not None:
        yield f"the time stamp of the device {first.stamp_fault}"


def _all_bits(members: list[_Measured]) -> int:
    bits = 0
    for each in members:
        bits |= each.observed.status
    return bits


def _timed(reading: Reading, of: list[_Measured], at: datetime, clocks: RelativeClocks | None) -> Reading:
    observed = of[0].observed
    raw = b"".join(dict.fromkeys(each.observed.raw for each in of))
    reading = replace(in_slot(reading, observed.person), provenance=raw)
    if observed.taken_at is not None:
        is_old = at.replace(tzinfo=None) - observed.taken_at > _STORED_AFTER
        reading = reading.taken(observed.taken_at, by="device")
        return (
            reading.noted("stored in the device before this connection")
            if is_old and not observed.is_stored
            else reading
        )
    moment = clocks.moment(observed) if clocks else None
    if moment is not None:
        return reading.taken(moment, by="gateway").noted("time counted by the device's relative clock")
    return from_memory(reading, at) if observed.is_stored else reading.taken(at, by="gateway")
