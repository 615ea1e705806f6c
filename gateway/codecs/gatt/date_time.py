"""Date Time, 0x2A08, and the same seven bytes inside measurements: local time without a zone.

======  ====  ======  =====================
offset  size  field   not known
======  ====  ======  =====================
0       2     year    0 (else 1582 to 9999)
2       1     month   0
3       1     day     0
4       1     hour
5       1     minute
6       1     second
======  ====  ======  =====================

Source: GATT Specification Supplement, Date Time.
"""

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.errors import DecodeError

SIZE = 7
CHARACTERISTIC = "2A08"

_LAYOUT = "<H5B"
_FIRST_YEAR = 1582


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time stamp of a measurement, or why there is no time in it.

    Parameters
    ----------
    time : datetime, optional
        Naive local time. None where the clock was never set, or where `error` says what does not hold.
    error : DecodeError, optional
    """

    time: datetime | None = None
    error: DecodeError | None = None

    def moved(self, by: timedelta, offset: int) -> "Stamp":
        """The same later, by a field at `offset`; an error where the calendar ends before that."""
        if self.time is None:
            return self
        try:
            return Stamp(self.time + by)
        except OverflowError:
            return Stamp(error=DecodeError("time", f"no such date: {self.time} and {by} more", offset=offset))


def read_stamp(data: bytes, offset: int) -> Stamp:
    """The time in seven bytes that start at `offset` of a value."""
    try:
        return Stamp(decode_date_time(data))
    except DecodeError as error:
        return Stamp(error=error.moved(offset))


def decode_date_time(data: bytes) -> datetime | None:
    """The naive local time, or None where year, month or day are not known (a clock that was never set).

    Raises
    ------
    DecodeError
        Not seven bytes (``length``), or no date and time of the calendar (``time``).
    """
    if len(data) != SIZE:
        raise DecodeError("length", f"time stamp of {len(data)} bytes, {SIZE} expected", offset=0)
    year, month, day, hour, minute, second = struct.unpack(_LAYOUT, data)
    if 0 in (year, month, day):
        return None
    stated = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    if year < _FIRST_YEAR:
        raise DecodeError("time", f"no such date and time: {stated}", offset=0)
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the device states no zone
    except ValueError:
        raise DecodeError("time", f"no such date and time: {stated}", offset=0) from None


def encode_date_time(time: datetime) -> bytes:
    """The seven bytes that set a clock to the local time `time`; fractions of a second are cut off."""
    return struct.pack(_LAYOUT, time.year, time.month, time.day, time.hour, time.minute, time.second)
