r"""Visomat Double Comfort cuff (Japan Precision Instruments): its memory over USB, bulk transfers.

The device calls itself "USB COMMUNICATION BRIDGE" and CDC, but the system's driver refuses its descriptors:
the data interface is used as it is. A packet is STX, text, ETX, without a checksum. ``R00`` asks for the
memory, whose answer has for each user ``M``, the user's number, the count of records in two digits, then
the records; behind a count of 00 stands one digit without meaning::

    <STX>M1001M20115110321300134097083<ETX>

======  =====  =========================================================================
offset  width  field of a record
======  =====  =========================================================================
0       10     ``yymmddHHMM``, local time; years from 40 on are those of a clock never set
10      1      flag of unknown meaning
11      3      systolic, mmHg; 14 diastolic; 17 pulse rate
======  =====  =========================================================================

The memory is read and never cleared: every download repeats all, and each record counts once. Failed
measurements seem not to be stored.

Source: packets printed in the README of visomat-utils. Evidence: capture.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames, length_between
from gateway.drivers.contract import Driver, Events, Measured, Progress, Send, SetTimer, UsbLink
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.drivers.stored_records import from_memory
from gateway.errors import DecodeError
from gateway.model import Reading

_STX, _ETX = b"\x02", b"\x03"
_ASK_MEMORY = b"\x02R00\x03"
_AGAIN_S = 60.0
_CDC_DATA = 0x0A
_RECORD_WIDTH, _MOST_RECORDS, _USERS = 20, 99, 4
_LONGEST = 2 + _USERS * (4 + _MOST_RECORDS * _RECORD_WIDTH)
_USER = re.compile(rb"M(\d)(\d\d)")
_RECORD = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d{3})(\d{3})(\d{3})")
_FILLER = re.compile(rb"\d")
_NEVER_SET = 40
_NAMES = ("systolic", "diastolic", "pulse-rate")
_RECORDS_REMEMBERED = 1024


def parse_memory(packet: bytes) -> tuple[Reading, ...]:
    """The readings in the answer to ``R00``, from STX to ETX, in its order.

    Raises
    ------
    DecodeError
        Users, counts and records do not fill the packet.
    """
    return tuple(_readings(packet))


def _readings(packet: bytes) -> Iterator[Reading]:
    at, end = len(_STX), len(packet) - len(_ETX)
    while at < end:
        user = _USER.match(packet, at)
        if user is None:
            raise DecodeError("layout", "no user and count", offset=at)
        at, count = user.end(), int(user[2])
        if not count:
            at = _expected(_FILLER, packet, at).end()
        for _ in range(count):
            record = _expected(_RECORD, packet, at)
            yield _reading(record, user[1].decode("ascii"))
            at = record.end()


def _expected(pattern: re.Pattern[bytes], packet: bytes, at: int) -> re.Match[bytes]:
    match = pattern.match(packet, at)
    if match is None:
        raise DecodeError("layout", "record cut short", offset=at)
    return match


def _reading(record: re.Match[bytes], user: str) -> Reading:
    year, month, day, hour, minute, flag, *measured = (int(part) for part in record.groups())
    reading = replace(blood_pressure(dict(zip(_NAMES, measured, strict=True))), provenance=record[0])
    reading = replace(reading, slot=user).noted(f"from the memory of the cuff, user {user}")
    if flag:
        reading = reading.noted(f"flag {flag}, of unknown meaning")
    return at_stated_time(reading, 2000 + year if year < _NEVER_SET else 0, month, day, hour, minute)


class Frames(BlockFrames):
    """Every record for itself."""

    def __init__(self) -> None:
        super().__init__(
            Blocks(
                re.compile(_STX),
                1,
                lambda data: length_between(_STX, _ETX, _LONGEST, data),
                lambda packet: packet[1:2] == b"M",
                longest=_LONGEST,
            )
        )

    def block(self, frame: Frame, at: datetime) -> Events:
        readings = parse_memory(frame.data)
        return Progress(f"{len(readings)} records in the memory"), *self.records(
            tuple(from_memory(each, at) for each in readings)
        )

    def records(self, readings: tuple[Reading, ...]) -> Events:
        return tuple(Measured(reading) for reading in readings)


class Session(Frames):
    """Asks for the memory, at once and every minute; each record counts once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: deque[tuple[bytes, tuple[str, ...]]] = deque(maxlen=_RECORDS_REMEMBERED)

    def connected(self, at: datetime) -> Events:
        return Send(_ASK_MEMORY), SetTimer("ask", _AGAIN_S)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "ask":
            return Send(_ASK_MEMORY), SetTimer("ask", _AGAIN_S)
        return super().timer(name, at)

    def records(self, readings: tuple[Reading, ...]) -> Events:
        new = []
        for reading in readings:
            record = (reading.provenance, reading.notes)
            if record not in self._seen:
                self._seen.append(record)
                new.append(Measured(reading))
        return tuple(new)


DRIVER = Driver(
    id="visomat",
    vendor="Visomat",
    models=("Double Comfort",),
    kind="blood-pressure-monitor",
    emits={name: (UNITS[name],) for name in _NAMES},
    links=(UsbLink(vendor=0x1247, product=0x00F8, interface_class=_CDC_DATA),),
    evidence="capture",
    specials=("no records", "no systolic", "no diastolic", "no pulse rate"),
    session=Session,
    frames=Frames,
)
