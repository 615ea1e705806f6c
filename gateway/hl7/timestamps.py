"""HL7's time stamps: ``YYYYMMDDHHMMSS[.SSSS]+ZZZZ`` (v2.5.1 chapter 2, DTM and TS)."""

import re
from datetime import datetime

from gateway.errors import Hl7Error

_TO_THE_MINUTE = re.compile(r"(\d{12})(\d\d)?(\.\d{1,4})?([+-]\d{4})?", re.ASCII)


def read_time(text: str) -> datetime | None:
    """The moment that a time stamp states, without a zone where it states none.

    None where it is no time stamp, or one that is coarser than a minute.
    """
    found = _TO_THE_MINUTE.fullmatch(text)
    if found is None:
        return None
    minute, second, fraction, zone = found.groups(default="")
    try:
        return datetime.strptime(  # noqa: DTZ007 - a zone is part of it where one is stated
            minute + (second or "00") + (fraction or ".0") + zone, "%Y%m%d%H%M%S.%f" + "%z" * bool(zone)
        )
    except ValueError:
        return None


def hl7_time(at: datetime) -> str:
    """`at` to the second, with its offset.

    Raises
    ------
    Hl7Error
        It has no zone: another system would read it in its own.
    """
    if at.tzinfo is None:
        raise Hl7Error("a time without a zone means another hour to every reader")
    return at.strftime("%Y%m%d%H%M%S%z")[:19]
