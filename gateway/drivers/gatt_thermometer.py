"""Any thermometer that follows the Health Thermometer Service of the Bluetooth SIG, 0x1809.

The byte table is in :mod:`gateway.codecs.gatt.health_thermometer`. The thermometer sends all that it stored
as soon as indications are enabled, which is therefore done last.

==============================  ==================================================================
what the thermometer sends      what becomes of it
==============================  ==================================================================
a special value                 rejected: it could not measure
below 10 or above 50 degrees C  rejected: no patient's, or the unit is wrong
below 32 or above 43 degrees C  questionable: a room or a bottle, for many measure those too
temperature type                the site; where there is none, that of Temperature Type 0x2A1D
time stamp 0, or impossible     the gateway's time, noted
intermediate temperature        progress
the same value again            passed over: one record, indicated twice
==============================  ==================================================================

Source: Health Thermometer Service 1.0; GATT Specification Supplement; captures of two thermometers by public
projects. Evidence: capture.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.gatt.health_thermometer import (
    INTERMEDIATE,
    INTERVAL,
    MEASUREMENT,
    SERVICE,
    SITES,
    TYPE,
    Temperature,
    decode_interval,
    decode_temperature,
    decode_type,
)
from gateway.codecs.ieee11073 import Special, special_values
from gateway.drivers.contract import BleLink, Driver, Events, Measured, Progress, Read, Subscribe
from gateway.drivers.gatt_session import CLOCK_SETTING, GattFrames, left_over, timed
from gateway.drivers.pushed_records import PushedRecords
from gateway.model import Observation, Reading, rejected

_NOUN = "thermometer"
_LIVING = {"Cel": (Decimal(10), Decimal(50)), "[degF]": (Decimal(50), Decimal(122))}
_USUAL = {"Cel": (Decimal(32), Decimal(43)), "[degF]": (Decimal("89.6"), Decimal("109.4"))}


def parse_measurement(value: bytes, *, fixed_type: int | None = None, at: datetime | None = None) -> Reading:
    """The reading in one value of Temperature Measurement.

    Parameters
    ----------
    value : bytes
    fixed_type : int, optional
        From Temperature Type: counts where the value names none.
    at : datetime, optional
        Of arrival: the reading's time where the value states none.

    Raises
    ------
    DecodeError
        A field is cut off; names it, with the offset of its first byte.
    """
    measured = decode_temperature(value)
    if measured.type is None:
        measured = replace(measured, type=fixed_type)
    return replace(timed(_reading(measured), measured.stamp, at, _NOUN), provenance=value)


def _reading(measured: Temperature) -> Reading:
    temperature, unit = measured.value, measured.unit
    if isinstance(temperature, Special):
        return rejected("temperature", f"the thermometer could not measure: it is {temperature.value}")
    lowest, highest = _LIVING[unit]
    if not lowest <= temperature <= highest:
        return rejected("temperature", f"{temperature:f} {unit} is not a patient's")
    low, high = _USUAL[unit]
    usual = low <= temperature <= high
    site = None if measured.type is None else SITES.get(measured.type)
    return Reading(
        kind="temperature",
        observations=(Observation("temperature", temperature, unit, site=site),),
        status="final" if usual else "questionable",
        notes=(
            *(() if usual else ("not a body temperature: a room's or an object's?",)),
            *_remarks(measured),
        ),
    )


def _remarks(measured: Temperature) -> Iterator[str]:
    if measured.type is not None and measured.type not in SITES:
        yield f"temperature type {measured.type} is reserved: the site is not known"
    yield from left_over(measured.rest)


class Frames(GattFrames):
    """Every value for itself."""

    def __init__(self, clock: str = "measure") -> None:
        super().__init__(
            _NOUN,
            {
                MEASUREMENT: self._measurement,
                INTERMEDIATE: self._intermediate,
                TYPE: self._type,
                INTERVAL: self._interval,
            },
            clock,
        )
        self._fixed_type: int | None = None

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return (Measured(parse_measurement(data, fixed_type=self._fixed_type, at=at)),)

    def _intermediate(self, data: bytes, at: datetime) -> Events:
        measured = decode_temperature(data)
        if isinstance(measured.value, Special):
            return (Progress("measuring"),)
        return (Progress(f"measuring, {measured.value:f} {measured.unit} by now"),)

    def _type(self, data: bytes, at: datetime) -> Events:
        self._fixed_type = decode_type(data)
        site = SITES.get(self._fixed_type, f"a reserved type, {self._fixed_type}")
        return (Progress(f"the thermometer measures at: {site}"),)

    def _interval(self, data: bytes, at: datetime) -> Events:
        seconds = decode_interval(data)
        return (Progress(f"measures every {seconds} s" if seconds else "measures only when asked to"),)


class Session(Frames):
    """Asks who the thermometer is, then for its records, each of which counts once."""

    def __init__(self, clock: str = "measure") -> None:
        super().__init__(clock)
        self._records = PushedRecords()

    def connected(self, at: datetime) -> Events:
        return (
            *self.inquiries(),
            Read(TYPE),
            Read(INTERVAL),
            Subscribe(INTERMEDIATE, optional=True),
            Subscribe(MEASUREMENT),
        )

    def _measurement(self, data: bytes, at: datetime) -> Events:
        return self._records.once(MEASUREMENT, data, at, lambda: super(Session, self)._measurement(data, at))

    def timer(self, name: str, at: datetime) -> Events:
        return self._records.timer(name)

    def disconnected(self, at: datetime) -> Events:
        return self._records.disconnected()


DRIVER = Driver(
    id="gatt-thermometer",
    vendor="",
    models=(),
    kind="thermometer",
    emits={"temperature": ("Cel", "[degF]")},
    links=(BleLink(services=(SERVICE,), deletes_confirmed=True),),
    evidence="capture",
    settings=(CLOCK_SETTING,),
    specials=(*special_values("temperature"), "intermediate temperature"),
    session=Session,
    frames=Frames,
)
