"""Exemplar scale, an invented one: answers ``W CRLF`` with ``<kg> CRLF``, or ``~ CRLF`` while it moves.

``PATIENT <number> CRLF`` is what was scanned. A weight counts once it has stood for two seconds. Stored
weights (``M<kg>,<YYYY-MM-DDThh:mm> CRLF``) carry the scale's own time, which has no zone.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.drivers import (
    Close,
    Driver,
    Event,
    Events,
    Fault,
    Identified,
    Measured,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    TcpLink,
)
from gateway.model import Device, Observation, Reading

_KILOGRAMS = re.compile(rb"\d{1,3}\.\d\d")
_STORED = re.compile(rb"M(\d{1,3}\.\d\d),(\d{4}-\d\d-\d\dT\d\d:\d\d)")


def _weight(digits: bytes) -> Reading:
    return Reading(kind="weight", observations=(Observation("weight", Decimal(digits.decode()), "kg"),))


@dataclass(slots=True)
class Session:
    _line: bytes = b""
    _standing: Reading | None = None

    def connected(self, at: datetime) -> Events:
        return (Send(b"W\r\n"), SetTimer("poll", 5))

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        *lines, self._line = (self._line + data)[-256:].split(b"\r\n")
        return tuple(event for line in lines for event in self._events(line, at))

    def _events(self, line: bytes, at: datetime) -> tuple[Event, ...]:
        if line == b"~":
            return Progress("moving"), SetTimer("standing", 0)
        if line.startswith(b"PATIENT "):
            return (Progress("patient scanned"),)
        if line == b"OFF":
            return (Close("switched off"),)
        if line.startswith(b"ID "):
            return (Identified(Device(serial=line[3:].decode("latin-1"))),)
        if _KILOGRAMS.fullmatch(line):
            self._standing = _weight(line).taken(at, by="gateway")
            return (SetTimer("standing", 2),)
        if match := _STORED.fullmatch(line):
            taken_at = datetime.fromisoformat(match[2].decode())
            return (Measured(_weight(match[1]).taken(taken_at, by="device")),)
        return (Fault("layout", f"{len(line)} bytes that are no weight"),)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(b"W\r\n"), SetTimer("poll", 5)
        standing, self._standing = self._standing, None
        return (Measured(standing),) if standing else ()


@dataclass(slots=True)
class Frames(Session):
    """Every weight for itself."""

    def _events(self, line: bytes, at: datetime) -> tuple[Event, ...]:
        if _KILOGRAMS.fullmatch(line):
            return (Measured(_weight(line).taken(at, by="gateway")),)
        return Session._events(self, line, at)


DRIVER = Driver(
    id="exemplar-scale",
    vendor="Exemplar",
    models=("S1", "S2"),
    kind="scale",
    emits={"weight": ("kg",)},
    links=(SerialLink(baudrate=9600), TcpLink()),
    evidence="manual",
    session=Session,
    frames=Frames,
)
