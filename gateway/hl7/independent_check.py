"""The structure of a message by another's judgement: hl7apy's, which knows the structures of every version.

It checks segments, groups and fields; types and tables it lets pass. What it is known to refuse wrongly is
not held against a message: a v2.3 order without its timing (ORC-7, OBR-27), an order's detail that is one of
several kinds and not all of them, OBX-20, which v2.5.1 reserves for what v2.6 has there, a query's QPD-3 that
repeats (chapter 5 has its type and its repetitions be those of the query's profile), and messages whose
MSH-9 names no structure that it could look up. Segments of a site's own (Z), which the standard lets stand
anywhere, it is not shown: it would take what follows for another group.
"""

import re
import warnings

from gateway.hl7.message import Message

_WRONGLY_REFUSED = (
    re.compile(r"Missing required child (OBR\.OBR_27|ORC\.ORC_7)"),
    re.compile(r"Missing required child OR[MR]_O0[12]_(ORDER_DETAIL|CHOICE)\.(RQD|RQ1|RXO|ODS|ODT)"),
    re.compile(r"Child limit exceeded (OBX\.OBX_20|QPD\.QPD_3)"),
    re.compile(r"Unknown element found: None\.<Message >"),
)
_ELEMENT = re.compile(r"\b([A-Z][A-Z0-9]{2})_(\d+)(?:_(\d+))?\b")
_SEGMENT = re.compile(r"\b([A-Z][A-Z0-9]{2})\b")


def structure_faults(message: Message) -> tuple[str, ...]:
    """What hl7apy refuses in the structure of `message`; empty where it refuses nothing.

    The texts name elements, never their values.
    """
    from hl7apy.consts import VALIDATION_LEVEL  # noqa: PLC0415 - its tables take most of a second to load
    from hl7apy.exceptions import HL7apyException  # noqa: PLC0415 - as above
    from hl7apy.parser import parse_message  # noqa: PLC0415 - as above
    from hl7apy.validation import Validator  # noqa: PLC0415 - as above

    text = "\r".join(line for line in message.lines if not line.startswith("Z")) + "\r"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT)  # type: ignore[no-untyped-call] # hl7apy has no types
            Validator.validate(read)  # type: ignore[no-untyped-call] # as above
    except HL7apyException as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001 - hl7apy raises anything on input that it did not foresee
        fault = f"hl7apy cannot read it ({type(error).__name__})"
    else:
        return ()
    return () if any(known.search(fault) for known in _WRONGLY_REFUSED) else (fault,)


def place_of(fault: str) -> tuple[str, int | None, int | None]:
    """Segment, field and component that a fault speaks of: ``OBR.OBR_4`` is OBR-4."""
    if element := _ELEMENT.search(fault):
        segment, field, component = element.groups()
        return segment, int(field), int(component) if component else None
    named = _SEGMENT.search(fault)
    return (named[1] if named else "", None, None)
