"""HL7's time stamps: ``YYYYMMDDHHMMSS[.SSSS]+ZZZZ`` (v2.5.1 chapter 2, DTM and TS)."""

from datetime import datetime

from gateway.errors import Hl7Error


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
