"""USB scales of the HID class, usage page 0x8D (Weighing Devices), whoever made them.

A scale sends its data report several times a second, unasked:

======  =====================================================
byte    field
======  =====================================================
0       report id: 3; 4 on some Stamps.com models
1       status
2       unit
3       scaling: the exponent of ten, signed
4-5     weight, low byte first, never negative
======  =====================================================

Some libraries take the report id away, others put a zero before it, and a packet may be filled up with zeros;
a report of five bytes that could be the beginning of a whole one is refused as cut short. Report 4 of two
bytes is the status alone.

======  =====================  ===========================
status  meaning                what comes of it
======  =====================  ===========================
1       fault                  rejected
2       stable at zero         nothing: the pan is empty
3       in motion              progress
4       stable                 a weight
5       under zero             rejected: the weight is the
                               magnitude of a negative one
6       over the limit         rejected
7, 8    to be calibrated, to   rejected
        be set to zero again
======  =====================  ===========================

Grams, kilograms, ounces and pounds are kept as sent. The standard's other units are converted to one of these
by their exact definitions: milligram 0.001 g, carat 0.2 g, grain 0.06479891 g, pennyweight 1.55517384 g, troy
ounce 31.1034768 g, metric ton 1000 kg. The tael (it differs by country) and the avoirdupois ton (2000 or
2240 lb) have none, and are refused.

The first report after the connection may be the last weighing of before, and is ignored. One reading a load:
:class:`gateway.drivers.steadiness.OneLoad`. The scale switches itself off after minutes and comes back as a
new connection.

Source: USB-IF, HID Point of Sale Usage Tables, section 4; reports of DYMO and Stamps.com scales published in
node-hid, usbscale and other programs. Evidence: capture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.drivers.contract import Driver, Events, Fault, Measured, Progress, UsbLink
from gateway.drivers.steadiness import OneLoad
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, Sent, rejected

_USAGE = (0x8D, 0x20)
_KNOWN = (
    (0x0922, 0x8003),  # DYMO M10
    (0x0922, 0x8004),  # DYMO M25
    (0x0922, 0x8009),  # DYMO S100 to S250
    (0x1446, 0x6A73),  # Stamps.com
    (0x2474, 0x0550),  # Stamps.com
    (0x2474, 0x3550),  # Stamps.com
    (0x7B7C, 0x0100),  # Elane
    (0x0EB8, 0xF000),  # Mettler-Toledo
    (0x6096, 0x0158),  # Sanford
    (0x0B67, 0x555E),  # Fairbanks
    (0x0D8F, 0x0200),  # Pitney Bowes
)
_REPORT_IDS = b"\x03\x04"
_SIZE = 6
_ZERO, _MOVING, _STABLE = 2, 3, 4
_STATUS = {
    1: "the scale reports a fault",
    2: "the pan is empty",
    3: "weighing",
    4: "stable",
    5: "under zero: the pan was lifted, or not set to zero; a negative weight is not a patient's",
    6: "over the scale's weight limit",
    7: "the scale must be calibrated",
    8: "the scale must be set to zero again",
}
_NOT_FAILED = (_ZERO, _MOVING, _STABLE)
_KEPT = {2: "g", 3: "kg", 11: "[oz_av]", 12: "[lb_av]"}
# Code: UCUM unit as sent, its size in a kept unit, the kept unit.
_CONVERTED = {
    1: ("mg", Decimal("0.001"), "g"),
    4: ("[car_m]", Decimal("0.2"), "g"),
    6: ("[gr]", Decimal("0.06479891"), "g"),
    7: ("[pwt_tr]", Decimal("1.55517384"), "g"),
    8: ("t", Decimal(1000), "kg"),
    10: ("[oz_tr]", Decimal("31.1034768"), "g"),
}
_AMBIGUOUS = {5: "the tael, which differs by country", 9: "the avoirdupois ton, which is 2000 or 2240 lb"}
_UNIT_CODES = range(1, 13)


@dataclass(frozen=True, slots=True)
class Report:
    """One report.

    Parameters
    ----------
    status : int
        1 to 8.
    weight : Observation, optional
        None in a report that holds the status alone.
    """

    status: int
    weight: Observation | None = None


def parse_report(data: bytes) -> Report:
    """What one report says, in any of the forms in which it reaches us.

    Raises
    ------
    DecodeError
        Length, report id, status or unit do not hold; names which, and its offset.
    """
    at = 1 if data[:1] == b"\0" and data[1:] else 0
    if data[at : at + 1] in (b"\x03", b"\x04") and not _without_id(data[at:]):
        at += 1
        if len(data) == at + 1:
            return Report(_status(data, at))
    elif len(data) == at + _SIZE:
        raise DecodeError("report", f"report {data[at]} holds no weight", offset=at)
    if len(data) < at + _SIZE - 1:
        raise DecodeError("length", f"a report of {len(data)} bytes is cut short", offset=len(data))
    end = at + _SIZE - 1
    if data[end:].strip(b"\0"):
        raise DecodeError("length", f"{len(data) - end} bytes after the report", offset=end)
    status = _status(data, at)
    observation = _weight(data[at:end], at)
    if status == _ZERO and observation.value:
        raise DecodeError("value", "at zero by its status, and not by its weight", offset=at + 3)
    return Report(status, observation)


def _without_id(data: bytes) -> bool:
    """Whether these five bytes are a report without its id, and not the beginning of one with it."""
    return len(data) == _SIZE - 1 and not (data[1] in _STATUS and data[2] in _UNIT_CODES)


def _status(data: bytes, at: int) -> int:
    if data[at] not in _STATUS:
        raise DecodeError("status", f"{data[at]} is no status of a scale", offset=at)
    return data[at]


def _weight(fields: bytes, offset: int) -> Observation:
    unit, exponent = fields[1], int.from_bytes(fields[2:3], "big", signed=True)
    value = Decimal(int.from_bytes(fields[3:5], "little")).scaleb(exponent)
    if unit in _KEPT:
        return Observation("weight", value, _KEPT[unit])
    if unit in _CONVERTED:
        sent_unit, size, kept_unit = _CONVERTED[unit]
        return Observation("weight", value * size, kept_unit, as_sent=Sent(value, sent_unit))
    meant = _AMBIGUOUS.get(unit, "no unit of the standard")
    raise DecodeError("unit", f"{unit} is {meant}", offset=offset + 1)


def _reports(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole reports that came together, with their offsets; anything else as it is."""
    starts = data[::_SIZE]
    if len(data) % _SIZE == 0 and len(starts) > 1 and starts[:1] in _REPORT_IDS and len(set(starts)) == 1:
        yield from ((at, data[at : at + _SIZE]) for at in range(0, len(data), _SIZE))
    else:
        yield 0, data


class Frames:
    """Every report for itself."""

    def __init__(self) -> None:
        self._received = 0

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        start, self._received = self._received, self._received + len(data)
        return tuple(
            event for offset, report in _reports(data) for event in self._events(report, start + offset, at)
        )

    def _events(self, data: bytes, offset: int, at: datetime) -> Events:
        try:
            report = parse_report(data)
        except DecodeError as error:
            return (Fault.from_error(error, offset=offset),)
        return self.report(report, data, at)

    def report(self, report: Report, data: bytes, at: datetime) -> Events:
        if report.status not in _NOT_FAILED:
            reading = rejected("weight", _STATUS[report.status])
        elif report.status == _STABLE and report.weight and report.weight.value:
            reading = Reading(kind="weight", observations=(report.weight,))
        else:
            return self.no_reading(report)
        return self.weighed(replace(reading, provenance=data).taken(at, by="gateway"))

    def weighed(self, reading: Reading) -> Events:
        return (Measured(reading),)

    def no_reading(self, report: Report) -> Events:
        return (Progress(_STATUS[_ZERO if _is_empty(report) else report.status]),)


class Session(Frames):
    """Takes one weight for each load."""

    def __init__(self) -> None:
        super().__init__()
        self._load = OneLoad()
        self._first = True
        self._taken_in: str | None = None

    def report(self, report: Report, data: bytes, at: datetime) -> Events:
        if self._first:
            self._first = False
            return ()
        if self._is_same_load_in_another_unit(report):
            return ()
        return super().report(report, data, at)

    def weighed(self, reading: Reading) -> Events:
        events = self._load.stable(reading)
        if events and reading.observations:
            self._taken_in = reading.observations[0].unit
        return events

    def no_reading(self, report: Report) -> Events:
        if _is_empty(report):
            self._taken_in = None
            return self._load.empty()
        return self._load.unstable(report.weight.value) if report.weight and report.status == _MOVING else ()

    def _is_same_load_in_another_unit(self, report: Report) -> bool:
        """Whether the unit was switched while what was weighed is still on the scale."""
        if self._taken_in is None or report.weight is None or _is_empty(report):
            return False
        return report.weight.unit != self._taken_in


def _is_empty(report: Report) -> bool:
    return report.status == _ZERO or (
        report.status == _STABLE and report.weight is not None and not report.weight.value
    )


DRIVER = Driver(
    id="usb-hid-scale",
    vendor="",
    models=(),
    kind="scale",
    emits={"weight": tuple(_KEPT.values())},
    links=(
        *(UsbLink(vendor, product, 3, _USAGE) for vendor, product in _KNOWN),
        UsbLink(None, None, 3, _USAGE),
    ),
    evidence="capture",
    specials=(*(_STATUS[status] for status in _STATUS if status != _STABLE), "status alone"),
    session=Session,
    frames=Frames,
)
