"""Exemplar X1, an invented ear thermometer: serial, talks when a measurement is done.

``T,<sequence>,<value>,<unit>,<site>*<exclusive-or of all before the asterisk>CRLF``; the value is degrees
with one decimal or LO, HI; ``B CRLF`` says that the probe is being warmed.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import xor

from gateway.drivers import Driver, Event, Events, Fault, Measured, Progress, SerialLink, Setting
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_LINE = re.compile(rb"T,(\d{4}),([^,]*),([CF]),([EO])")
_LONGEST = 64
_SITES = {b"E": "ear", b"O": "oral"}
_UNITS = {b"C": "Cel", b"F": "[degF]"}
_FAILURES = {b"LO": "below 34.0 °C", b"HI": "above 42.2 °C"}


def parse_line(line: bytes) -> Reading:
    body, _, checksum = line.rpartition(b"*")
    computed = b"%02X" % reduce(xor, body, 0)
    if checksum != computed:
        raise DecodeError("checksum", f"{checksum!r}, computed {computed!r}", offset=len(body) + 1)
    match = _LINE.fullmatch(body)
    if match is None:
        raise DecodeError("layout", "not T and four fields", offset=0)
    sequence, value, unit, site = match.groups()
    if reason := _FAILURES.get(value):
        return rejected("temperature", reason, sequence=sequence.decode())
    if not re.fullmatch(rb"\d{2,3}\.\d", value):
        raise DecodeError("value", "not a temperature", offset=match.start(2))
    observation = Observation("temperature", Decimal(value.decode()), _UNITS[unit], site=_SITES[site])
    return Reading(kind="temperature", observations=(observation,), sequence=sequence.decode())


@dataclass(slots=True)
class Session:
    probe: str = "adult"
    _line: bytes = b""
    _offset: int = 0

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        *lines, self._line = (self._line + data).split(b"\r\n")
        events: list[Event] = []
        for line in lines:
            events.append(self._event(line, at))
            self._offset += len(line) + len(b"\r\n")
        if len(self._line) > _LONGEST:
            self._offset += len(self._line)
            self._line = b""
        return tuple(events)

    def _event(self, line: bytes, at: datetime) -> Event:
        if line == b"B":
            return Progress("warming the probe")
        try:
            return Measured(parse_line(line).taken(at, by="gateway"))
        except DecodeError as error:
            return Fault.from_error(error, offset=self._offset)


DRIVER = Driver(
    id="exemplar-x1",
    vendor="Exemplar",
    models=("X1",),
    kind="thermometer",
    emits={"temperature": ("Cel",)},
    links=(SerialLink(baudrate=9600),),
    settings=(Setting("probe", choices=("adult", "child"), default="adult"),),
    evidence="manual",
    session=Session,
)
