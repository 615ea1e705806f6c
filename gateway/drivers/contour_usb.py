r"""Bayer / Ascensia Contour glucose meters: ASTM records in HID reports, or on a serial cable of older ones.

A report has 64 bytes: ``ABC`` to the meter and anything from it, a length of up to 60, so many bytes. In
them runs a dialogue of E1381 frames (:mod:`gateway.codecs.astm_frames`) that the host starts: it says EOT
until the meter asks with ENQ, acknowledges that and every frame that holds, and answers NAK to one that does
not. The meter ends with EOT. Newer meters ask by themselves, so the host waits a moment first.

======  =====  ====================================================================================
record  field  content
======  =====  ====================================================================================
H       5      product ``^`` versions ``^`` serial number ``^`` ...
..      6      settings ``letter=value``: ``V`` the range, two digits low and three high
..      last   what the clock shows
R       2      number
..      3      ``^^^Glucose``; insulin and carbohydrates are other records, and passed over
..      4, 5   value; unit, and ``P`` plasma, ``B`` whole blood, ``C`` capillary
..      7      flags, parted by ``/``
..      8      ``E`` on older meters: control solution
..      9      time, without a zone
======  =====  ====================================================================================

==========================  =======================================================
flag                        what becomes of it
==========================  =======================================================
``<`` ``>``                 rejected: out of the meter's range, which is noted
``C``                       rejected: control solution, a check of the meter
``T``                       rejected: temperature out of range
any other                   noted
no time, or impossible      the gateway's time; questionable
==========================  =======================================================

The memory is read when the meter is there and again a minute after its end; each record counts once. A meter
counts as in use while it is plugged in, and some will not measure then.

Source: glucometerutils and its capture of a header; Tidepool's uploader. Evidence: one implementation.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.astm_frames import ACK, ENQ, EOT, NAK, Damaged, Signal, TextFrame, Token, Tokens
from gateway.codecs.astm_records import Record, Records, moment
from gateway.drivers.contract import (
    ClockRead,
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
    Setting,
    TcpLink,
    UsbLink,
    clock_setting,
)
from gateway.drivers.glucose_results import CONTROL_SOLUTION, glucose, unknown_time
from gateway.errors import DecodeError
from gateway.model import Device, Reading

_VENDOR, _HID = 0x1A79, 3
_PRODUCTS = (0x6002, 0x7410, 0x7350, 0x6200, 0x6300, 0x6210, 0x7800, 0x7900, 0x7950)
_REPORT_SIZE, _HEAD_SIZE, _MOST_IN_REPORT = 64, 4, 60
_TO_METER = b"ABC"
_UNWRAPPED_STARTS = bytes((0x02, EOT, ENQ, ACK, NAK))
_NUMBER = re.compile(r"\d+\.?\d*")
_CLOCK = re.compile(r"\d{12}(\d\d)?")
_RANGE = re.compile(r"(\d\d)(\d\d\d)")
_UNITS = ("mg/dL", "mmol/L")
_METHODS = {"P": "plasma", "B": "whole blood", "C": "capillary"}
_REJECTED = {"C": CONTROL_SOLUTION, "T": "temperature out of range"}
_BEYOND = {">": "above", "<": "below"}
_FLAGS = {
    "B": "before a meal",
    "A": "after a meal",
    "D": "logbook",
    "I": "does not feel right",
    "S": "stress",
}
_FLAGS |= {"X": "activity"}
_FIRST_S, _ANSWER_S, _AGAIN_S = 1.0, 2.0, 60.0
_MOST_TRIES = 6
_RECORDS_REMEMBERED = 2048


def unwrapped(data: bytes) -> bytes:
    """What the reports in `data` carry; bytes of a serial cable are left as they are."""
    is_wrapped = data.startswith(_TO_METER) or (
        len(data) % _REPORT_SIZE == 0 and data[:1] not in _single_bytes(_UNWRAPPED_STARTS)
    )
    if not data or not is_wrapped:
        return data
    reports = (data[at : at + _REPORT_SIZE] for at in range(0, len(data), _REPORT_SIZE))
    return b"".join(_content(report) for report in reports)


def wrapped(data: bytes) -> bytes:
    """One report that carries `data`."""
    return (_TO_METER + bytes((len(data),)) + data).ljust(_REPORT_SIZE, b"\0")


def reading_of(record: Record, span: str | None = None) -> Reading | None:
    """The reading of a result, or None where it is none of glucose.

    Parameters
    ----------
    record : Record
    span : str, optional
        What the meter measures, for what is beyond it.

    Raises
    ------
    DecodeError
        Value or unit do not hold; names which.
    """
    if record.component(3, 4) != "Glucose":
        return None
    flags = [flag for flag in record.text(7).split("/") if flag]
    value, unit = record.text(4), record.component(5, 1)
    if not _NUMBER.fullmatch(value):
        raise DecodeError("value", "not a number", offset=record.offset_of(4))
    if unit not in _UNITS:
        raise DecodeError("unit", f"{unit!r} is not one of {', '.join(_UNITS)}", offset=record.offset_of(5))
    reading = glucose(
        Decimal(value),
        unit,
        reasons=tuple(_reasons(record, flags, unit, span)),
        notes=tuple(_notes(record, flags)),
    )
    # R-2 counts the results of one dump, in some models from the newest: it is no number of the record.
    reading = replace(reading, provenance=record.encode())
    try:
        taken_at = moment(record.text(9))
    except DecodeError:
        taken_at = None
    if taken_at is not None:
        return reading.taken(taken_at, by="device")
    return unknown_time(reading)


def _reasons(record: Record, flags: list[str], unit: str, span: str | None) -> Iterator[str]:
    if record.text(8) == "E":
        yield CONTROL_SOLUTION
    yield from (_REJECTED[flag] for flag in flags if flag in _REJECTED)
    for flag in flags:
        if flag in _BEYOND:
            yield f"{_BEYOND[flag]} the meter's range ({span or f'{flag} {record.text(4)} {unit}'})"


def _notes(record: Record, flags: list[str]) -> Iterator[str]:
    if method := _METHODS.get(record.component(5, 2)):
        yield f"reference method: {method}"
    for flag in flags:
        if flag not in _REJECTED and flag not in _BEYOND:
            yield _FLAGS.get(flag, f"flag {flag}")


def _span(settings: dict[str, str]) -> str | None:
    """What the meter measures; in tenths where it shows mmol/L."""
    match = _RANGE.fullmatch(settings.get("V", ""))
    if match is None:
        return None
    tenths = -1 if settings.get("U") == "1" else 0
    low, high = (Decimal(int(limit)).scaleb(tenths) for limit in match.groups())
    return f"{low} to {high} {_UNITS[1 if tenths else 0]}"


def _content(report: bytes) -> bytes:
    size = report[3] if len(report) >= _HEAD_SIZE else 0
    return report[_HEAD_SIZE : _HEAD_SIZE + min(size, _MOST_IN_REPORT)]


def _single_bytes(data: bytes) -> tuple[bytes, ...]:
    return tuple(bytes((byte,)) for byte in data)


class Frames:
    """Every record for itself."""

    def __init__(self, wrapping: str, clock: str) -> None:
        self._is_wrapped = wrapping == "hid"
        self._clock = clock
        self._tokens = Tokens()
        self._records = Records()
        self._span: str | None = None

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        tokens = self._tokens.feed(unwrapped(data) if self._is_wrapped else data)
        return tuple(event for token in tokens for event in self.token(token, at))

    def disconnected(self, at: datetime) -> Events:
        tokens = self._tokens.flush()
        return tuple(event for token in tokens for event in self.token(token, at))

    def token(self, token: Token, at: datetime) -> Events:
        match token:
            case TextFrame(_, text, ends_message, offset):
                found = self._records.feed(text, ends_message=ends_message)
                return tuple(event for each in found for event in self._record(each, offset, at))
            case Damaged(error, offset):
                return (Fault.from_error(error, offset=offset),)
            case Signal(byte):
                return self.signal(byte)

    def signal(self, byte: int) -> Events:
        return ()

    def _record(self, record: Record | DecodeError, offset: int, at: datetime) -> Iterator[Event]:
        if isinstance(record, DecodeError):
            yield Fault.from_error(record, offset=offset)
            return
        try:
            yield from self.record(record, at)
        except DecodeError as error:
            yield Fault.from_error(error, offset=offset + 2)

    def record(self, record: Record, at: datetime) -> Events:
        if record.type == "H":
            return tuple(self._header(record))
        if record.type != "R":
            return (Progress(f"record {record.type}"),)
        reading = reading_of(record, self._span)
        if reading is None:
            return (Progress(f"no glucose: {record.component(3, 4)}"),)
        return self.measured(reading if reading.taken_at else reading.taken(at, by="gateway"))

    def measured(self, reading: Reading) -> Events:
        return (Measured(reading),)

    def _header(self, record: Record) -> Iterator[Event]:
        product = [part.strip() for part in record.raw(5).split(record.delimiters.component)]
        serial = product[2] if len(product) > 2 else ""
        yield Identified(Device(model=product[0] or None, serial=serial or None))
        self._span = _span(dict(each.partition("=")[::2] for each in record.text(6).split("^")))
        if record.text(7).isdigit():
            yield Progress(f"{record.text(7)} records in the memory", 0.0)
        last = record.fields[-1].strip()
        if _CLOCK.fullmatch(last) and self._clock != "off" and (shown := moment(last)):
            yield ClockRead(shown)


class Session(Frames):
    """Reads the memory; each record counts once."""

    def __init__(self, wrapping: str, clock: str) -> None:
        super().__init__(wrapping, clock)
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)
        self._tries = 0
        self._last_number: int | None = None

    def connected(self, at: datetime) -> Events:
        return (SetTimer("answer", _FIRST_S),)

    def timer(self, name: str, at: datetime) -> Events:
        """Begin, or begin again: a dialogue that broke leaves the meter in the middle of it."""
        left = self.disconnected(at)
        self._tries += 1
        if self._tries > _MOST_TRIES:
            self._tries = 0
            return *left, Progress("the meter does not answer"), SetTimer("answer", _AGAIN_S)
        return *left, self._say(EOT), SetTimer("answer", _ANSWER_S)

    def disconnected(self, at: datetime) -> Events:
        left = super().disconnected(at)
        self._records = Records()
        self._last_number = None
        return left

    def token(self, token: Token, at: datetime) -> Events:
        waiting = SetTimer("answer", _ANSWER_S)
        if isinstance(token, Damaged):
            answer = (self._say(NAK),) if token.is_answered else ()
            return *super().token(token, at), *answer, waiting
        if isinstance(token, Signal):
            return super().token(token, at)
        if token.number == self._last_number:
            return self._say(ACK), waiting
        self._last_number = token.number
        return *super().token(token, at), self._say(ACK), waiting

    def signal(self, byte: int) -> Events:
        if byte == ENQ:
            self._tries = 0
            return self._say(ACK), SetTimer("answer", _ANSWER_S)
        if byte == EOT and self._last_number is not None:
            self._records = Records()
            self._last_number = None
            return Progress("the memory was read"), SetTimer("answer", _AGAIN_S)
        return ()

    def measured(self, reading: Reading) -> Events:
        if reading.provenance in self._seen:
            return ()
        self._seen.append(reading.provenance)
        return super().measured(reading)

    def _say(self, byte: int) -> Send:
        said = bytes((byte,))
        return Send(wrapped(said) if self._is_wrapped else said)


DRIVER = Driver(
    id="contour-usb",
    vendor="Ascensia",
    models=("Contour USB", "Contour Next USB", "Contour Next", "Contour Next One", "Contour Plus One"),
    kind="glucose-meter",
    emits={"glucose": _UNITS},
    links=(
        *(UsbLink(_VENDOR, product, _HID) for product in _PRODUCTS),
        SerialLink(baudrate=9600, usb_ids=((_VENDOR, 0x6001),), only_with=("wrapping", "none")),
        TcpLink(),
    ),
    settings=(
        Setting("wrapping", ("hid", "none"), "hid", "hid on USB; none on the serial cable of older meters"),
        clock_setting("measure", "off"),
    ),
    evidence="one-implementation",
    specials=(
        *(f"{where} the range" for where in _BEYOND.values()),
        "control solution",
        "control solution of an older meter",
        "temperature out of range",
        "insulin",
        "carbohydrates",
    ),
    session=Session,
    frames=Frames,
)
