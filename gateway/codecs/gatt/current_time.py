"""Current Time Service, 0x1805, and the times that are made of Date Time.

===============================  ======  ========================================================
value                            bytes   fields
===============================  ======  ========================================================
Day of Week 0x2A09               1       0 unknown, 1 Monday to 7 Sunday
Day Date Time 0x2A0A             8       Date Time, Day of Week
Exact Time 256 0x2A0C            9       Day Date Time, fractions of 1/256 s
Current Time 0x2A2B              10      Exact Time 256, adjust reason
Local Time Information 0x2A0F    2       zone in quarters of an hour, sint8, -48 to 56, -128 unknown;
                                         daylight saving 0 none, 2 half, 4 one, 8 two hours, 255 unknown
Reference Time Inf. 0x2A14       4       source, accuracy in 1/8 s (254 out of range, 255 unknown), days
                                         and hours since the last update (255: as many or more)
===============================  ======  ========================================================

Adjust reason bits: 0 by hand, 1 by an external reference, 2 change of zone, 3 of daylight saving; the rest is
reserved. A clock that does not take a field answers with ATT error 0x80.

Source: Current Time Service 1.1; GATT Specification Supplement. Evidence: specification, capture.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.codecs.gatt.date_time import SIZE, decode_date_time, encode_date_time
from gateway.codecs.gatt.fields import Fields, names_of
from gateway.errors import DecodeError

CURRENT_TIME = "2A2B"
LOCAL_TIME_INFORMATION = "2A0F"
REFERENCE_TIME_INFORMATION = "2A14"

_DAYS = 7
_REASONS = ("set by hand", "external reference", "change of zone", "change of daylight saving")
_QUARTER = timedelta(minutes=15)
_UNKNOWN_ZONE = -128
_ZONES = range(-48, 57)
_DAYLIGHT = {0: timedelta(), 2: timedelta(minutes=30), 4: timedelta(hours=1), 8: timedelta(hours=2)}
_UNKNOWN = 255


@dataclass(frozen=True, slots=True)
class CurrentTime:
    """A value of 0x2A2B.

    Parameters
    ----------
    time : datetime, optional
        Naive local time, to 1/256 s. None where the clock was never set.
    day_of_week : int
        1 Monday to 7 Sunday; 0 unknown.
    reason : int
        Why it was adjusted, in bits.
    """

    time: datetime | None
    day_of_week: int
    reason: int

    @property
    def day_is_wrong(self) -> bool:
        """Whether day of the week and date contradict each other."""
        return bool(self.time and self.day_of_week) and self.day_of_week != _weekday(self.time)

    @property
    def reasons(self) -> tuple[str, ...]:
        return names_of(self.reason, _REASONS)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A value of 0x2A0F: offsets from UTC without and for daylight saving; None for unknown."""

    zone: timedelta | None
    daylight_saving: timedelta | None


def decode_current_time(value: bytes) -> CurrentTime:
    """A value of 0x2A2B.

    Raises
    ------
    DecodeError
        A field is cut off (``length``), no such date and time (``time``), or a reserved day (``value``).
    """
    fields = Fields(value)
    time = decode_date_time(fields.take("date-time", SIZE))
    at = fields.offset
    day = fields.unsigned("day-of-week", 1)
    if day > _DAYS:
        raise DecodeError("value", f"day of week {day}, at most {_DAYS} expected", offset=at)
    fractions = timedelta(seconds=fields.unsigned("fractions", 1) / 256)
    return CurrentTime(time and time + fractions, day, fields.unsigned("adjust-reason", 1))


def encode_current_time(time: datetime, reason: int = 0) -> bytes:
    """The ten bytes that set a clock to the local time `time`, with its day of the week.

    Fractions are sent as 0: devices are known that take no others.
    """
    return encode_date_time(time) + bytes((_weekday(time), 0, reason))


def decode_local_time(value: bytes) -> LocalTime:
    """A value of 0x2A0F.

    Raises
    ------
    DecodeError
        A field is cut off (``length``), or reserved (``value``).
    """
    fields = Fields(value)
    zone = fields.signed("time-zone", 1)
    if zone != _UNKNOWN_ZONE and zone not in _ZONES:
        raise DecodeError("value", f"time zone {zone} quarters of an hour is reserved", offset=0)
    daylight = fields.unsigned("daylight-saving", 1)
    if daylight != _UNKNOWN and daylight not in _DAYLIGHT:
        raise DecodeError("value", f"daylight saving {daylight} is reserved", offset=1)
    return LocalTime(None if zone == _UNKNOWN_ZONE else zone * _QUARTER, _DAYLIGHT.get(daylight))


def decode_reference_time(value: bytes) -> timedelta | None:
    """A value of 0x2A14: how long ago the clock was set from its reference; None where it never was.

    Raises
    ------
    DecodeError
        A field is cut off.
    """
    fields = Fields(value)
    fields.take("source and accuracy", 2)
    days, hours = fields.unsigned("days-since-update", 1), fields.unsigned("hours-since-update", 1)
    return None if _UNKNOWN in (days, hours) else timedelta(days=days, hours=hours)


def _weekday(time: datetime | None) -> int:
    return time.isoweekday() if time else 0
