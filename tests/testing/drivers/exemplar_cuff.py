"""Exemplar cuff, an invented one: Bluetooth LE, one indication ``systolic diastolic`` in two bytes, mmHg."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.drivers import BleLink, Driver, Events, Fault, Identified, Measured, Read, Subscribe
from gateway.model import Device, Observation, Reading

MEASUREMENT = "00002a35-0000-1000-8000-00805f9b34fb"
SERIAL_NUMBER = "00002a25-0000-1000-8000-00805f9b34fb"


@dataclass(slots=True)
class Session:
    def connected(self, at: datetime) -> Events:
        return Read(SERIAL_NUMBER), Subscribe(MEASUREMENT)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        if channel == SERIAL_NUMBER:
            return (Identified(Device(serial=data.decode("latin-1"))),)
        if len(data) != 2:
            return (Fault("length", f"{len(data)} bytes, expected 2", 0),)
        names = ("systolic", "diastolic")
        observations = tuple(
            Observation(name, Decimal(value), "mm[Hg]") for name, value in zip(names, data, strict=True)
        )
        return (Measured(Reading(kind="blood-pressure", observations=observations).taken(at, by="gateway")),)


DRIVER = Driver(
    id="exemplar-cuff",
    vendor="Exemplar",
    models=("C1",),
    kind="blood-pressure-monitor",
    emits={"systolic": ("mm[Hg]",), "diastolic": ("mm[Hg]",)},
    links=(BleLink(services=("1810",)),),
    evidence="manual",
    session=Session,
)
