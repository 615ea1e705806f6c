"""Any scale that follows the Weight Scale Service of the Bluetooth SIG, 0x181D.

The byte table is in :mod:`gateway.codecs.gatt.weight_scale`. The scale sends all that it stored as soon as
indications are enabled, which is therefore done last. A scale with users sends nothing before one of them has
consented: the settings ``user`` and ``consent_code`` do that.

==============================  ==================================================================
what the scale sends            what becomes of it
==============================  ==================================================================
weight 0xFFFF                   rejected: it could not measure
weight 0                        questionable
BMI or height 0 or 0xFFFF       left out, noted: the scale does not know the user
time stamp 0, or impossible     the gateway's time, noted
user index                      noted; it is a slot of the scale, never a patient
the same value again            passed over: one record, indicated twice
==============================  ==================================================================

Source: Weight Scale Service 1.0; User Data Service 1.1; GATT Specification Supplement; captures of Beurer
BF720 and another scale by public projects. Evidence: capture.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt.resolution import KILOGRAMS, POUNDS
from gateway.codecs.gatt.user_data import FAILURES
from gateway.codecs.gatt.weight_scale import (
    FEATURE,
    MEASUREMENT,
    SERVICE,
    UNKNOWN_USER,
    ScaleFeature,
    Weight,
    decode_feature,
    decode_weight,
)
from gateway.drivers.contract import BleLink, Driver, Event, Events, Measured, Read, Subscribe
from gateway.drivers.gatt_session import (
    CLOCK_SETTING,
    GattFrames,
    left_over,
    supported,
    timed,
    user_slot,
)
from gateway.drivers.gatt_users import SETTINGS, ScaleUser
from gateway.drivers.pushed_records import PushedRecords
from gateway.drivers.stored_records import in_slot
from gateway.model import Observation, Reading, rejected

_NOUN = "scale"


def parse_measurement(
    value: bytes, *, steps: tuple[Decimal, Decimal] = (KILOGRAMS, POUNDS), at: datetime | None = None
) -> Reading:
    """The reading in one value of Weight Measurement.

    Parameters
    ----------
    value : bytes
    steps : (Decimal, Decimal)
        Of the weight, in kilograms and in pounds.
    at : datetime, optional
        Of arrival: the reading's time where the value states none.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    measured = decode_weight(value, steps)
    reading = in_slot(_reading(measured), known_user(measured.user))
    return replace(timed(reading, measured.stamp, at, _NOUN), provenance=value)


def _reading(measured: Weight) -> Reading:
    if measured.weight is None:
        return rejected("weight", "the scale could not measure: the weight is 0xFFFF")
    return Reading(
        kind="weight",
        observations=tuple(_observations(measured, measured.weight)),
        status="final" if measured.weight else "questionable",
        notes=tuple(_remarks(measured)),
    )


def _observations(measured: Weight, weight: Decimal) -> Iterator[Observation]:
    yield Observation("weight", weight, measured.mass_unit)
    if measured.bmi:
        yield Observation("bmi", measured.bmi, "kg/m2")
    if measured.height:
        yield Observation("height", measured.height, measured.length_unit)


def _remarks(measured: Weight) -> Iterator[str]:
    if not measured.weight:
        yield "the weight is zero"
    for name, value in (("BMI", measured.bmi), ("height", measured.height)):
        if measured.has_bmi and not value:
            yield f"{name} is {'0xFFFF' if value is None else 0}: not known to the scale"
    yield from user_slot(known_user(measured.user), _NOUN)
    yield from left_over(measured.rest)


def known_user(user: int | None) -> int | None:
    """The user whom the scale took it for; one that it does not know is the usual one here."""
    return None if user == UNKNOWN_USER else user


def feature_event(feature: ScaleFeature) -> Event:
    """What a scale says of itself in one of the two feature characteristics."""
    steps = (
        f"{what} in steps of {step}"
        for what, step in (("mass", feature.mass), ("height", feature.height))
        if step
    )
    return supported(_NOUN, feature.supported, *steps)


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(self, user: str = "", consent_code: str = "", clock: str = "measure") -> None:
        self._user = ScaleUser(user, consent_code)
        super().__init__(
            _NOUN,
            {MEASUREMENT: self._measurement, FEATURE: self._feature, **self._user.decoders},
            clock,
        )

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return (Measured(parse_measurement(data, at=at)),)

    def _feature(self, data: bytes, at: datetime) -> Events:
        return (feature_event(decode_feature(data)),)


class Session(Frames):
    """Asks who the scale is, then for its records, each of which counts once."""

    def __init__(self, user: str = "", consent_code: str = "", clock: str = "measure") -> None:
        super().__init__(user, consent_code, clock)
        self._records = PushedRecords()

    def connected(self, at: datetime) -> Events:
        return (
            *self.inquiries(),
            Read(FEATURE),
            *self._user.opening(),
            Subscribe(MEASUREMENT),
            *self._user.consent(),
        )

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return self._records.once(MEASUREMENT, data, at, lambda: super(Session, self)._measurement(data, at))

    def timer(self, name: str, at: datetime) -> Events:
        return self._records.timer(name)

    def disconnected(self, at: datetime) -> Events:
        return self._records.disconnected()


DRIVER = Driver(
    id="gatt-weight-scale",
    vendor="",
    models=(),
    kind="scale",
    emits={"weight": ("kg", "[lb_av]"), "bmi": ("kg/m2",), "height": ("m", "[in_i]")},
    links=(BleLink(services=(SERVICE,), deletes_confirmed=True),),
    evidence="capture",
    settings=(*SETTINGS, CLOCK_SETTING),
    specials=(
        "weight 0xFFFF",
        *(f"{name} {none}" for name in ("BMI", "height") for none in ("0", "0xFFFF")),
        *FAILURES,
    ),
    session=Session,
    frames=Frames,
)
