"""Contec 08A, 08C and ABPM50 cuffs: their memory over USB (HID, 64-byte reports, zero-filled).

The USB ids belong to many unrelated devices, so that the answer to ``42`` decides whether this is one. A
record has 14 bytes, one a report; every byte has bit 7 set, and the true bits 7 stand in the heads: bit k of
a head is bit 7 of the (k+1)-th byte after it.

======  =====================================================
byte    field
======  =====================================================
0       head of 1 to 7
1-2     systolic, mmHg, high byte first
3       diastolic
4       pulse rate
5       mean pressure
6, 7    year less 2000, month
8       head of 9 to 13
9-11    day, hour, minute, local time
12-13   not known, and not looked at
======  =====================================================

============================  =======================================================
host sends                    device answers
============================  =======================================================
``40 8F FF FE FD FC``
``42 8F FF FE FD FC``         ``48 41 ..``: device type 0x41
``43 41 01 07 02 00``         ``4A 43 01 00`` accepted (third byte else: off, refused),
                              a leader ``46 41`` with the count, then the records
============================  =======================================================

The memory is read and never cleared: every download repeats all, and each record counts once. Failed
measurements are not stored.

Source: USB traffic of MarkMLl/contec08a, decoded beside the maker's program; the rule of the heads explains
every captured byte. Evidence: capture.
"""

from collections import deque
from dataclasses import replace
from datetime import datetime

from gateway.drivers.contract import Close, Driver, Events, Fault, Measured, Progress, Send, UsbLink
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.errors import DecodeError
from gateway.model import Reading

_GREETINGS = (bytes.fromhex("40 8F FF FE FD FC"), bytes.fromhex("42 8F FF FE FD FC"))
_ASK_ALL_USERS = bytes.fromhex("43 41 01 07 02 00")
_DEVICE_TYPE, _CONFIRM, _LEADER = b"\x48", b"\x4a\x43", b"\x46\x41"
_CONTEC_08A, _ACCEPTED = 0x41, 1
_SIZE, _REPORT_SIZE = 14, 64
_RECORD_HEADS = ((0, range(1, 8)), (8, range(9, 14)))
_LEADER_HEADS = ((2, range(3, 10)), (10, range(11, 14)))
_VALUES = (("diastolic", 3), ("mean-arterial-pressure", 5), ("pulse-rate", 4))
_RECORDS_REMEMBERED = 512


def unpack(report: bytes, heads: tuple[tuple[int, range], ...]) -> bytes:
    """The 14 bytes with their true bits 7.

    Raises
    ------
    DecodeError
        There are fewer, or one that has to has no bit 7.
    """
    if len(report) < _SIZE:
        raise DecodeError("length", f"{len(report)} bytes, expected {_SIZE}", offset=len(report))
    plain = bytearray(report[:_SIZE])
    for head, places in heads:
        for bit, place in enumerate(places):
            if not report[place] & 0x80 or not report[head] & 0x80:
                raise DecodeError("layout", "a byte without bit 7", offset=place)
            plain[place] = report[place] & 0x7F | (report[head] >> bit & 1) << 7
    return bytes(plain)


def parse_record(report: bytes) -> Reading:
    """The reading in one record.

    Raises
    ------
    DecodeError
        It is no record.
    """
    record = unpack(report, _RECORD_HEADS)
    values = {"systolic": int.from_bytes(record[1:3], "big"), **{name: record[at] for name, at in _VALUES}}
    reading = blood_pressure(values).noted("from the memory of the cuff")
    return at_stated_time(reading, 2000 + record[6], record[7], *record[9:12])


class Session:
    """Asks for the memory of all users; each record counts once."""

    def __init__(self) -> None:
        self._received = 0
        self._expected = 0
        self._count = 0
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def connected(self, at: datetime) -> Events:
        return tuple(Send(greeting) for greeting in _GREETINGS)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        reports = [data[start : start + _REPORT_SIZE] for start in range(0, len(data), _REPORT_SIZE)]
        return tuple(event for report in reports for event in self._events(report, at))

    def _events(self, report: bytes, at: datetime) -> Events:
        offset, self._received = self._received, self._received + len(report)
        try:
            return self._report(report, at)
        except DecodeError as error:
            return (Fault.from_error(error, offset=offset),)

    def _report(self, report: bytes, at: datetime) -> Events:
        if report.startswith(_LEADER):
            leader = unpack(report, _LEADER_HEADS)
            self._expected, self._count = int.from_bytes(leader[3:5], "big"), 0
            return (Progress(f"{self._expected} records in the memory", 0.0),)
        if report.startswith(_CONFIRM):
            accepted = report[2:3] == bytes((_ACCEPTED,))
            return (Progress("accepted" if accepted else "the cuff is off, or refuses to be read"),)
        if report.startswith(_DEVICE_TYPE):
            return self._recognised(report[1:2])
        return self._record(report, at)

    def _recognised(self, device_type: bytes) -> Events:
        if device_type == bytes((_CONTEC_08A,)):
            return Progress("a cuff"), Send(_ASK_ALL_USERS)
        reason = f"device type {device_type.hex() or 'none'}, not 41: no Contec 08A"
        return Fault("device", reason), Close(reason)

    def _record(self, report: bytes, at: datetime) -> Events:
        reading = replace(parse_record(report), provenance=report[:_SIZE])
        self._count += 1
        fraction = min(1.0, self._count / self._expected) if self._expected else None
        progress = Progress(f"record {self._count}", fraction)
        if reading.provenance in self._seen:
            return (progress,)
        self._seen.append(reading.provenance)
        return progress, Measured(reading if reading.taken_at else reading.taken(at, by="gateway"))


DRIVER = Driver(
    id="contec-08a",
    vendor="Contec",
    models=("08A", "08C", "ABPM50"),
    kind="blood-pressure-monitor",
    emits={name: (unit,) for name, unit in UNITS.items()},
    links=(UsbLink(vendor=0x0483, product=0x5750),),
    evidence="capture",
    specials=("refused",),
    session=Session,
)
