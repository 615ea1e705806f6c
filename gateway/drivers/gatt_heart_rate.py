"""Any heart rate sensor that follows the Heart Rate Service of the Bluetooth SIG, 0x180D.

The byte table is in :mod:`gateway.codecs.gatt.heart_rate`. Sensors send a value about once a second. One
reading comes when they have been steady, another only when the rate has changed or after a while. The RR
intervals of that second are noted in milliseconds, which 1/1024 s are exactly.

==============================  ==================================================================
what the sensor sends           what becomes of it
==============================  ==================================================================
heart rate 0, or above 500      rejected: no value
heart rate above 300            questionable
no skin contact                 questionable: straps are known that always say so, with good values
energy 0xFFFF                   left out, noted: saturated
RR intervals                    noted; 0 is none
==============================  ==================================================================

Source: Heart Rate Service 1.0; GATT Specification Supplement; captures of Polar H7 and H10, a Wahoo Blue HR
and another strap by public projects. Evidence: capture.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt.heart_rate import (
    LOCATION,
    LOCATIONS,
    MEASUREMENT,
    SERVICE,
    HeartRate,
    decode_heart_rate,
    decode_location,
    milliseconds,
)
from gateway.drivers.contract import BleLink, Driver, Events, Measured, Progress, Read, Setting, Subscribe
from gateway.drivers.gatt_session import NOTHING_BESIDES, Decoder, GattFrames, left_over
from gateway.drivers.steadiness import REPEAT, OneHeart, repeat_after
from gateway.model import Observation, Reading, rejected

_NOUN = "sensor"
_FASTEST, _ANY_RATE = 300, 500

EMITS = {"heart-rate": ("/min",), "energy-expended": ("kJ",)}
SETTINGS = (
    Setting("settle_s", ("5", "10", "20"), "10", "seconds that the rate must be steady"),
    REPEAT,
)


def parse_measurement(value: bytes, *, site: str | None = None, at: datetime | None = None) -> Reading:
    """The reading in one value of Heart Rate Measurement.

    Parameters
    ----------
    value : bytes
    site : str, optional
        Where the sensor is worn.
    at : datetime, optional
        Of arrival: the reading's time.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    reading = replace(_reading(decode_heart_rate(value), site), provenance=value)
    return reading.taken(at, by="gateway") if at is not None else reading


def _reading(measured: HeartRate, site: str | None) -> Reading:
    without_contact = measured.contact is False
    if not 0 < measured.rate <= _ANY_RATE:
        contact = ", no skin contact" if without_contact else ""
        return rejected("heart-rate", f"a heart rate of {measured.rate} is no value{contact}")
    doubts = (
        *(("no skin contact",) if without_contact else ()),
        *((f"heart rate is above {_FASTEST} /min",) if measured.rate > _FASTEST else ()),
    )
    return Reading(
        kind="heart-rate",
        observations=tuple(_observations(measured)),
        status="questionable" if doubts else "final",
        notes=(*doubts, *_remarks(measured), *((f"worn at: {site}",) if site else ())),
    )


def _observations(measured: HeartRate) -> Iterator[Observation]:
    yield Observation("heart-rate", Decimal(measured.rate), "/min")
    if measured.energy is not None:
        yield Observation("energy-expended", measured.energy, "kJ")


def _remarks(measured: HeartRate) -> Iterator[str]:
    if measured.has_energy and measured.energy is None:
        yield "energy expended is 0xFFFF: saturated"
    if intervals := [f"{milliseconds(interval):f}" for interval in measured.rr_intervals if interval]:
        yield f"RR intervals in ms: {', '.join(intervals)}"
    yield from left_over(measured.rest)


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(self, besides: Mapping[str, Decoder] = NOTHING_BESIDES, **_concluding: str) -> None:
        super().__init__(
            _NOUN,
            {MEASUREMENT: self._measurement, LOCATION: self._location, **besides},
            clock="off",
        )
        self._site: str | None = None

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return (Measured(parse_measurement(data, site=self._site, at=at)),)

    def _location(self, data: bytes, at: datetime) -> Events:
        number = decode_location(data)
        self._site = LOCATIONS.get(number)
        return (Progress(f"the sensor is worn at: {self._site or f'a reserved place, {number}'}"),)


class Session(Frames):
    """Asks who the sensor is, then listens until the rate is steady."""

    def __init__(
        self, settle_s: str, repeat_s: str, besides: Mapping[str, Decoder] = NOTHING_BESIDES
    ) -> None:
        super().__init__(besides)
        self._heart = OneHeart(int(settle_s), repeat_after(repeat_s))

    def connected(self, at: datetime) -> Events:
        return (*self.inquiries(), Read(LOCATION), Subscribe(MEASUREMENT))

    def _measurement(self, data: bytes, at: datetime) -> Events:
        reading = parse_measurement(data, site=self._site, at=at)
        if reading.status == "rejected":
            return self._heart.gone(reading.notes[0])
        return self._heart.valid(reading)


DRIVER = Driver(
    id="gatt-heart-rate",
    vendor="",
    models=(),
    kind="heart-rate-monitor",
    emits=EMITS,
    links=(BleLink(services=(SERVICE,)),),
    evidence="capture",
    settings=SETTINGS,
    specials=("heart rate 0", "heart rate above 500", "energy 0xFFFF"),
    session=Session,
    frames=Frames,
)
