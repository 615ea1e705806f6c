"""Siemens Clinitek Status urine analysers: the text records that they send by themselves or on request.

Listened to only: there is no frame, no checksum, no command and no acknowledgement. A record ends with CR or
CR LF; its fields are parted by commas::

    1490,14-06-2018,10:35,06178,67628,,,,,Multistix 10 SG,Amarillo,Otros,GLU,Negativo,,CET,15 mg/dL,*

========  ===============================================================================================
position  field
========  ===============================================================================================
0         number of the test
1, 2      date, ``DD-MM-YYYY`` or ``MM-DD-YYYY`` as set in the analyser; ``HH:MM`` or `` h:mmPM``
3         operator
4         patient or sample; ``CONTROL..`` is quality control
5 - 8     further entries, empty in all captures
9         strip: what stands there must be one, or a comma in an identifier has shifted the rest
10, 11    colour and clarity, in the analyser's language
12 ..     triples of pad, result, flag (``*`` outside the normal limits set in the analyser), until a blank
          pad; or one error code: the strip failed, and there is no result
========  ===============================================================================================

Pads have the names of :mod:`gateway.codecs.urine_strip`, and results are read as it says; a pad that it does
not know keeps its code. The order of day and month cannot be told from most dates, so that it has to be
configured, and a date that contradicts it is refused with its record.

The first firmware sends its whole memory each time it is told to send, newest first: each record counts
once. Status Connect, Status+, Advantus and Novus can be set to LIS2-A2, which the driver ``astm`` reads with
``reading_kind = "urinalysis"``; their other formats and the dialogue of the Clinitek 50 are not read: the
documents were not to be had.

Source: records in English and Spanish that users of several readers published; Bayer technical bulletin
CTStatus-002 for the line. hCG and albumin strips from memory. Evidence: capture.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

from gateway.codecs.urine_strip import name_of, observation
from gateway.drivers.contract import Driver, Event, Events, Fault, Measured, SerialLink, Setting, TcpLink
from gateway.drivers.line_session import LineFrames
from gateway.errors import DecodeError
from gateway.model import Observation, Reading
from gateway.model.kinds import ReadingKind

_START = re.compile(rb"\d{1,6},\d\d-\d\d-\d{4},")
_DATE = re.compile(r"(\d\d)-(\d\d)-((?:19|20|21)\d\d)", re.ASCII)
_TIME = re.compile(r"\s*(\d{1,2}):(\d\d)\s*(AM|PM)?\s*", re.IGNORECASE | re.ASCII)
_STRIP = re.compile(r"stix|clinitek|microalbumin|hcg", re.IGNORECASE)
_PREGNANCY = re.compile(r"hcg", re.IGNORECASE)
_PAD = re.compile(r"[A-Za-z][A-Za-z:./-]{0,7}")
_ERROR = re.compile(r"E\d{1,3}")
_CONTROL = re.compile(r"control", re.IGNORECASE)
_ABNORMAL = "*"
_NOT_ENTERED = {"", "not entered", "no introducido"}
_NUMBER, _DATE_AT, _TIME_AT, _SUBJECT, _STRIP_AT, _COLOR, _CLARITY, _PADS = 0, 1, 2, 4, 9, 10, 11, 12
_RECORDS_REMEMBERED = 1024
_EMITS = {
    "glucose": ("", "mg/dL", "mmol/L", "g/L"),
    "bilirubin": ("",),
    "ketones": ("", "mg/dL", "mmol/L"),
    "specific-gravity": ("",),
    "blood": ("", "{cells}/uL"),
    "ph": ("",),
    "protein": ("", "mg/dL", "g/L"),
    "urobilinogen": ("", "[EU]/dL", "mg/dL", "umol/L"),
    "nitrite": ("",),
    "leukocytes": ("", "{cells}/uL"),
    "albumin": ("", "mg/L"),
    "creatinine": ("", "mg/dL", "mmol/L"),
    "albumin-creatinine-ratio": ("", "mg/g", "mg/mmol"),
    "hcg": ("",),
}


def parse_record(line: bytes, date_order: str, encoding: str) -> tuple[Reading, tuple[DecodeError, ...]]:
    """One record, without its terminator, and what is wrong with single results, which are left out.

    Raises
    ------
    DecodeError
        Layout, strip, date, time or a pad's name do not hold; names which, and its offset in the line.
    """
    try:
        fields = line.decode(encoding).split(",")
    except UnicodeDecodeError as error:
        raise DecodeError("encoding", f"no {encoding}", offset=error.start) from None
    if len(fields) <= _PADS:
        raise DecodeError("layout", f"{len(fields)} fields, expected {_PADS + 1} at least", offset=len(line))
    if not _STRIP.search(fields[_STRIP_AT]):
        message = "no strip at position 9: is there a comma in an identifier?"
        raise DecodeError("strip", message, offset=_offset(fields, _STRIP_AT))
    taken_at = _moment(fields, date_order)
    reading, errors = _reading(fields)
    return reading.taken(taken_at, by="device"), errors


def _reading(fields: Sequence[str]) -> tuple[Reading, tuple[DecodeError, ...]]:
    kind: ReadingKind = "pregnancy-test" if _PREGNANCY.search(fields[_STRIP_AT]) else "urinalysis"
    subject = fields[_SUBJECT].strip()
    if _CONTROL.match(subject):
        return _rejected(fields, kind, "quality control: not a patient's"), ()
    if _ERROR.fullmatch(fields[_PADS].strip()):
        return _rejected(fields, kind, f"analyser error {fields[_PADS].strip()}"), ()
    observations: list[Observation] = []
    notes, errors = list(_appearance(fields)), []
    for at, pad, result, flag in _triples(fields):
        try:
            observations.append(_held_to_its_units(observation(pad, result)))
        except DecodeError as error:
            errors.append(error.moved(at))
            notes.append(f"{name_of(pad)}: left out: {error.message}")
        if flag == _ABNORMAL:
            notes.append(f"{name_of(pad)}: outside the normal limits set in the analyser")
    if len({each.name for each in observations}) < len(observations):
        raise DecodeError("layout", "a pad comes twice: two records run together", offset=0)
    if not observations:
        return _rejected(fields, kind, "no results"), tuple(errors)
    reading = Reading(
        kind=kind,
        observations=tuple(observations),
        notes=tuple(notes),
        sequence=fields[_NUMBER],
        subject=subject or None,
    )
    return reading, tuple(errors)


def _held_to_its_units(found: Observation) -> Observation:
    """The observation, if the pad is one that is printed in that unit. Without a checksum a unit is one."""
    if (found.unit or "") not in _EMITS.get(found.name, (found.unit or "",)):
        raise DecodeError(
            "unit", f"{found.name} in {found.unit or 'no unit'}: not how it is printed", offset=0
        )
    return found


def _rejected(fields: Sequence[str], kind: ReadingKind, reason: str) -> Reading:
    subject = fields[_SUBJECT].strip() or None
    return Reading(kind=kind, status="rejected", notes=(reason,), sequence=fields[_NUMBER], subject=subject)


def _triples(fields: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    """Offset of the result, pad, result and flag of each."""
    for at in range(_PADS, len(fields), 3):
        pad, result, flag = (each.strip() for each in (*fields[at : at + 3], "", "")[:3])
        if not pad:
            return
        if not _PAD.fullmatch(pad):
            raise DecodeError("pad", "no name of a pad", offset=_offset(fields, at))
        if flag not in {"", _ABNORMAL}:
            raise DecodeError("layout", "a flag other than *", offset=_offset(fields, at + 2))
        yield _offset(fields, at + 1), pad, result, flag


def _appearance(fields: Sequence[str]) -> Iterator[str]:
    for name, at in (("color", _COLOR), ("clarity", _CLARITY)):
        word = fields[at].strip()
        if word.lower() not in _NOT_ENTERED:
            yield f"{name}: {word}"


def _moment(fields: Sequence[str], date_order: str) -> datetime:
    date, time = _DATE.fullmatch(fields[_DATE_AT].strip()), _TIME.fullmatch(fields[_TIME_AT])
    if date is None or time is None:
        raise DecodeError("time", "no date and time", offset=_offset(fields, _DATE_AT))
    first, second, year = (int(part) for part in date.groups())
    day, month = (first, second) if date_order == "dmy" else (second, first)
    hour, minute, half = int(time[1]), int(time[2]), (time[3] or "").upper()
    if half and not 1 <= hour <= 12:
        raise DecodeError("time", "an hour beyond 12 with AM or PM", offset=_offset(fields, _TIME_AT))
    hour = hour % 12 + (12 if half == "PM" else 0) if half else hour
    try:
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - no zone is stated
    except ValueError:
        message = f"no such date or time when read as {date_order}; check the setting date_order"
        raise DecodeError("time", message, offset=_offset(fields, _DATE_AT)) from None


def _offset(fields: Sequence[str], position: int) -> int:
    return sum(len(field) + 1 for field in fields[:position])


class Frames(LineFrames):
    """Every record for itself."""

    terminator = b"\r"
    longest = 1024
    silent = b"\n"
    frame = _START

    def __init__(self, date_order: str, encoding: str) -> None:
        super().__init__()
        self._date_order = date_order
        self._encoding = encoding

    def line(self, line: bytes, at: datetime) -> Events:
        if not line.strip():
            return ()
        reading, errors = parse_record(line, self._date_order, self._encoding)
        return (*self.said(line, reading), *map(Fault.from_error, errors))

    def said(self, line: bytes, reading: Reading) -> tuple[Event, ...]:
        return (Measured(reading),)


class Session(Frames):
    """One connection; a record that comes again with the rest of the memory counts once."""

    def __init__(self, date_order: str, encoding: str) -> None:
        super().__init__(date_order, encoding)
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def said(self, line: bytes, reading: Reading) -> tuple[Event, ...]:
        known = blake2b(line, digest_size=16).digest()
        if known in self._seen:
            return ()
        self._seen.append(known)
        return super().said(line, reading)


DRIVER = Driver(
    id="clinitek",
    vendor="Siemens",
    models=("Clinitek Status", "Clinitek Status+"),
    kind="urinalysis-reader",
    emits=_EMITS,
    own_codes=True,
    links=(SerialLink(baudrate=9600), TcpLink()),
    settings=(
        Setting(
            "date_order", ("dmy", "mdy"), help="which of day and month comes first, as set in the analyser"
        ),
        Setting("encoding", ("latin-1", "cp1252", "utf-8", "cp850"), "latin-1", "of words and identifiers"),
    ),
    evidence="capture",
    specials=("error code", "control", "no results"),
    session=Session,
    frames=Frames,
)
