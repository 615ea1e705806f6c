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
from datetime import datetime

from gateway.errors import DecodeError

SIZE = 7
CHARACTERISTIC = "2A08"

_FIRST_YEAR = 1582


def decode_date_time(data: bytes) -> datetime | None:
    """The naive local time, or None where year, month or day are not known (a clock that was never set).

    Raises
    ------
    DecodeError
        Not seven bytes (``length``), or no date and time of the calendar (``time``).
    """
    if len(data) != SIZE:
        raise DecodeError("length", f"time stamp of {len(data)} bytes, {SIZE} expected", offset=0)
    year, month, day, hour, minute, second = struct.unpack("<H5B", data)
    if 0 in (year, month, day):
        return None
    stated = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    if year < _FIRST_YEAR:
        raise DecodeError("time", f"no such date and time: {stated}", offset=0)
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the device states no zone
    except ValueError:
        raise DecodeError("time", f"no such date and time: {stated}", offset=0) from None
