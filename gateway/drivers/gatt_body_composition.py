"""Any scale that follows the Body Composition Service of the Bluetooth SIG, 0x181B.

The byte table is in :mod:`gateway.codecs.gatt.body_composition`. Such a scale mostly has the Weight Scale
Service too; its weighings become readings of their own, as :mod:`gateway.drivers.gatt_weight_scale` says. The
scale sends all that it stored as soon as indications are enabled, and one with users only after consent.

==============================  ==================================================================
what the scale sends            what becomes of it
==============================  ==================================================================
body fat 0xFFFF                 rejected: it could not measure
body fat above 100 %            rejected: another layout than this, as Xiaomi's
body fat above 75 %             questionable
a field 0xFFFF                  left out, noted
a field 0                       left out, noted: scales send 0 for "not measured"
nothing but such fields         rejected; basal metabolism, a formula of age and weight, counts for none
a measurement in two values     one reading when both have come, else one of the first, questionable
two values that differ in unit  rejected: they contradict each other
no time stamp                   that of the weight just before it in this connection, noted
user index                      noted; it is a slot of the scale, never a patient
==============================  ==================================================================

Source: Body Composition Service 1.0; GATT Specification Supplement; captures of Beurer BF720 and BF788 and
of a Xiaomi scale by public projects. Evidence: capture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt import weight_scale
from gateway.codecs.gatt.body_composition import (
    FEATURE,
    MEASUREMENT,
    SERVICE,
    UNITS,
    Composition,
    decode_composition,
    decode_feature,
)
from gateway.codecs.gatt.date_time import Stamp
from gateway.drivers import gatt_weight_scale as scale
from gateway.drivers.contract import (
    BleLink,
    Driver,
    Events,
    Measured,
    Progress,
    Read,
    SetTimer,
    Subscribe,
    Unfinished,
)
from gateway.drivers.gatt_session import (
    CLOCK_SETTING,
    GattFrames,
    left_over,
    timed,
    user_slot,
)
from gateway.drivers.gatt_users import SETTINGS, ScaleUser
from gateway.drivers.pushed_records import PushedRecords
from gateway.drivers.stored_records import in_slot
from gateway.model import Observation, Reading, rejected

_NOUN = "scale"
_MOST_FAT, _ANY_FAT = Decimal(75), Decimal(100)
_NOT_MEASURED = {"basal-metabolic-rate", "height"}  # a formula's result, and what somebody entered
_SECOND_PART = "second part"
_SECOND_PART_S = 5.0


def parse_measurement(value: bytes, *, at: datetime | None = None) -> Reading:
    """The reading in one value of Body Composition Measurement.

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
    measured = decode_composition(value)
    reading = reading_of(measured, at)
    if measured.is_part:
        reading = reading.noted("one of two parts of a measurement")
    return replace(reading, provenance=value)


def reading_of(measured: Composition, at: datetime | None) -> Reading:
    """The reading in a composition, of one value or of two together."""
    reading = in_slot(_reading(measured), scale.known_user(measured.user))
    return timed(reading, measured.stamp, at, _NOUN)


def joined(first: Composition, second: Composition) -> Composition | None:
    """Two parts as one measurement; None where they contradict each other."""
    if first.is_imperial != second.is_imperial or first.body_fat != second.body_fat:
        return None
    return replace(
        first,
        values={**second.values, **first.values},
        stamp=first.stamp or second.stamp,
        user=second.user if first.user is None else first.user,
        rest=first.rest + second.rest,
    )


def _reading(measured: Composition) -> Reading:
    fat = measured.body_fat
    if fat is None:
        return rejected("body-composition", "the scale could not measure: body fat is 0xFFFF")
    if fat > _ANY_FAT:
        return rejected("body-composition", f"body fat would be {fat} %: the scale has another layout")
    observations = tuple(
        Observation(name, value, unit) for name, (value, unit) in measured.values.items() if value
    )
    if {o.name for o in observations} <= _NOT_MEASURED:
        return rejected("body-composition", "the scale did not measure the composition: all of it is zero")
    doubts = (f"body fat is above {_MOST_FAT} %",) if fat > _MOST_FAT else ()
    return Reading(
        kind="body-composition",
        observations=observations,
        status="questionable" if doubts else "final",
        notes=(*doubts, *_remarks(measured)),
    )


def _remarks(measured: Composition) -> Iterator[str]:
    for name, (value, _) in measured.values.items():
        if not value:
            yield f"{name.replace('-', ' ')} is {'0xFFFF' if value is None else 0}: not measured"
    yield from user_slot(scale.known_user(measured.user), _NOUN)
    yield from left_over(measured.rest)


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(self, user: str = "", consent_code: str = "", clock: str = "measure") -> None:
        self._user = ScaleUser(user, consent_code)
        super().__init__(
            _NOUN,
            {
                MEASUREMENT: self._composition,
                FEATURE: self._feature,
                weight_scale.MEASUREMENT: self._weight,
                weight_scale.FEATURE: self._weight_feature,
                **self._user.decoders,
            },
            clock,
        )

    def _composition(self, data: bytes, at: datetime) -> Events:
        return (Measured(parse_measurement(data, at=at)),)

    def _weight(self, data: bytes, at: datetime) -> Events:
        return (Measured(scale.parse_measurement(data, at=at)),)

    def _feature(self, data: bytes, at: datetime) -> Events:
        return (scale.feature_event(decode_feature(data)),)

    def _weight_feature(self, data: bytes, at: datetime) -> Events:
        return (scale.feature_event(weight_scale.decode_feature(data)),)


@dataclass(frozen=True, slots=True)
class _Part:
    """The first of two values, and how it came."""

    measured: Composition
    data: bytes
    at: datetime


class Session(Frames):
    """Asks who the scale is, then for its records, each of which counts once."""

    def __init__(self, user: str = "", consent_code: str = "", clock: str = "measure") -> None:
        super().__init__(user, consent_code, clock)
        self._records = PushedRecords()
        self._first: _Part | None = None
        self._weighed_at: Stamp | None = None

    def connected(self, at: datetime) -> Events:
        return (
            *self.inquiries(),
            Read(FEATURE),
            Read(weight_scale.FEATURE),
            *self._user.opening(),
            Subscribe(weight_scale.MEASUREMENT, optional=True),
            Subscribe(MEASUREMENT),
            *self._user.consent(),
        )

    def timer(self, name: str, at: datetime) -> Events:
        return self._first_alone() if name == _SECOND_PART else self._records.timer(name)

    def disconnected(self, at: datetime) -> Events:
        return (*self._first_alone(), *self._records.disconnected())

    def _weight(self, data: bytes, at: datetime) -> Events:
        return self._records.once(weight_scale.MEASUREMENT, data, at, lambda: self._weighed(data, at))

    def _weighed(self, data: bytes, at: datetime) -> Events:
        self._weighed_at = weight_scale.decode_weight(data).stamp
        return super()._weight(data, at)

    def _composition(self, data: bytes, at: datetime) -> Events:
        return self._records.once(MEASUREMENT, data, at, lambda: self._composed(data, at))

    def _composed(self, data: bytes, at: datetime) -> Events:
        part = _Part(decode_composition(data), data, at)
        if not part.measured.is_part:
            return (*self._first_alone(), self._whole(part))
        if self._first is None:
            self._first = part
            wait = SetTimer(_SECOND_PART, _SECOND_PART_S)
            return Unfinished(), Progress("the first of two parts"), wait
        first, self._first = self._first, None
        together = joined(first.measured, part.measured)
        if together is None:
            reading = rejected("body-composition", "the two parts contradict each other in unit or body fat")
            reading = timed(reading, first.measured.stamp, at, _NOUN)
            measured = Measured(replace(reading, provenance=first.data + data))
        else:
            measured = self._whole(_Part(together, first.data + data, at))
        return SetTimer(_SECOND_PART, 0), measured

    def _first_alone(self) -> Events:
        first, self._first = self._first, None
        if first is None:
            return ()
        reading = self._whole(first).reading
        doubt = "questionable" if reading.status == "final" else reading.status
        return (Measured(reading.noted("the second part of the measurement did not come", status=doubt)),)

    def _whole(self, part: _Part) -> Measured:
        measured = part.measured
        borrowed = measured.stamp is None and self._weighed_at is not None
        if borrowed:
            measured = replace(measured, stamp=self._weighed_at)
            self._weighed_at = None
        reading = reading_of(measured, part.at)
        if borrowed:
            reading = reading.noted("time of the weight that came just before")
        return Measured(replace(reading, provenance=part.data))


DRIVER = Driver(
    id="gatt-body-composition",
    vendor="",
    models=(),
    kind="scale",
    emits={**UNITS, "bmi": ("kg/m2",)},
    links=(BleLink(services=(SERVICE,), deletes_confirmed=True),),
    evidence="capture",
    settings=(*SETTINGS, CLOCK_SETTING),
    specials=(
        *(f"{name} {none}" for name in UNITS for none in ("0", "0xFFFF")),
        "body fat above 100 %",
        *(f"weighing: {what}" for what in scale.DRIVER.specials),
    ),
    session=Session,
    frames=Frames,
)
