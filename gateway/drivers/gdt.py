"""Devices that leave GDT files in a folder: audiometers, refractors, tonometers, spirometers of any maker.

Lines, lengths and character sets are in :mod:`gateway.codecs.gdt`. Sets of kind 6310, examination data, are
read; 6300 to 6302 and 6311 are requests and told of.

============  ============================================================================================
field         use
============  ============================================================================================
3000          patient number, of the patient's object where there are objects; ``0`` is none
8316          who sent it
8402          kind of examination; decides the kind of reading where the configuration does not
6200 6201     date ddmmyyyy and time hhmmss of the examination
8410 - 8480   one result: 8410 code, 8411 name, 8420 value, 8421 unit, 8418 status, 8432 date, 8439 time,
              8460 - 8462 normal range, 8470 comment, 8480 text; the next 8410, or in 3.5 the end of its
              object, ends it
7278 7279     in 3.5 date and time of a result or, outside of one, of the examination, with its zone in 7273
7273
3622 3623     height in cm, weight in kg
6205 6220     text: diagnosis, finding, finding of others, comment, preformatted table
6221 6227
6228
============  ============================================================================================

A result keeps the device's own code, 8420 its digits; a comma is a decimal mark here. A result without value
and text is rejected, with its status and comment as the reason. Texts stay as they are, but for lines in the
forms of :mod:`gateway.drivers.gdt_forms`. Height and weight may be what the request stated: nothing tells
them from measured ones, so that they are questionable.

The folder is to be the device's own, or one for results only: requests are files of the same kind, and would
be put away with the results before the device has seen them.

A date without a time of day counts as the beginning of that day, and a note says so. Patient number, name and
birth date are what was typed or sent at the device: a hint for whoever matches, since a file can have stayed
from the patient before.

Source: descriptions' examples of GDT 2.1, 3.0 and 3.5; result lines of two eye devices; a request file.
Evidence: manual.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import cast

from gateway.codecs.gdt import DECLARED, OBJECT_BEGINS, OBJECT_ENDS, Line, RecordSet, parse_file
from gateway.codecs.laboratory_units import ucum
from gateway.drivers.contract import (
    Driver,
    Event,
    Events,
    Fault,
    FolderLink,
    Identified,
    Measured,
    Progress,
    Setting,
)
from gateway.drivers.gdt_forms import observations as observations_in_text
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading
from gateway.model.kinds import ReadingKind
from gateway.model.reading import Comparator

_EXAMINATION = "6310"
_REQUESTS = {
    "6300": "a request for patient data",
    "6301": "patient data",
    "6302": "a request for an examination",
    "6311": "a request to show an examination",
}
_KINDS: dict[str, ReadingKind] = {
    "AUDI": "hearing",
    "OPTO": "vision",
    "BDM": "blood-pressure",
    "LUFU": "respiration",
}
_BY_EXAMINATION = "by-examination"
_RESULT_BEGINS = "8410"
_RESULT_FIELDS = {"8411", "8418", "8420", "8421", "8432", "8439", "8460", "8461", "8462", "8470", "8480"}
_TIME_FIELDS = {"7278", "7279", "7273"}
_PATIENT_OBJECT = "8145"
_TEXTS = {
    "6205": "diagnosis",
    "6220": "finding",
    "6221": "finding-of-others",
    "6227": "comment",
    "6228": "table",
}
_BODY: dict[str, tuple[ReadingKind, str]] = {"3622": ("height", "cm"), "3623": ("weight", "kg")}
_NUMBER = re.compile(r"(?P<comparator>[<>]=?)?\s*(?P<value>[+-]?\d+(?:[.,]\d+)?)", re.ASCII)
_ZONE = re.compile(r"UTC(?:([+-])(\d{1,2})(?::?(\d\d))?)?", re.ASCII)
_MIDNIGHT = "the date is stated without a time of day"


@dataclass(slots=True)
class Result:
    """One result's fields, and its place in the file."""

    offset: int
    fields: dict[str, list[str]] = field(default_factory=dict)

    def text(self, number: str) -> str:
        """The lines of a field; empty where there is none."""
        return " ".join(self.fields.get(number, ())).strip()

    def add(self, line: Line) -> None:
        self.fields.setdefault(line.field, []).append(line.content)


@dataclass(slots=True)
class Examination:
    """What one set says, sorted."""

    results: list[Result] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    body: list[Line] = field(default_factory=list)
    stated: dict[str, str] = field(default_factory=dict)
    subject: str = ""


def sorted_out(lines: Sequence[Line]) -> Examination:
    """The lines of a set, each where it belongs."""
    found, current = Examination(), cast("Result | None", None)
    objects: list[tuple[str, Result | None]] = []
    has_patient_object = any(line.field == _PATIENT_OBJECT for line in lines)
    before = ""
    for line in lines:
        if line.field in OBJECT_BEGINS:
            objects.append((before, current))
        elif line.field in OBJECT_ENDS:
            current = objects.pop()[1] if objects else None
        elif line.field == _RESULT_BEGINS:
            current = Result(line.offset)
            current.add(line)
            found.results.append(current)
        elif current is not None and line.field in _RESULT_FIELDS | _TIME_FIELDS:
            current.add(line)
        elif line.field in _TEXTS:
            found.texts.setdefault(line.field, []).append(line.content)
        elif line.field in _BODY:
            found.body.append(line)
            current = None
        elif line.field == "3000":
            in_patient = any(kind == _PATIENT_OBJECT for kind, _ in objects)
            if (in_patient or not has_patient_object) and not found.subject:
                found.subject = line.content.strip()
        else:
            found.stated.setdefault(line.field, line.content.strip())
        before = line.field
    return found


def events_of(record_set: RecordSet, reading_kind: str, at: datetime) -> Iterator[Event]:
    """The readings of one set, and what does not hold in it."""
    yield from (Progress(warning) for warning in record_set.warnings)
    if record_set.kind != _EXAMINATION:
        yield Progress(
            f"{_REQUESTS.get(record_set.kind, f'a set {record_set.kind[:8]!r}')}: no results in it"
        )
        return
    found = sorted_out(record_set.lines)
    if sender := found.stated.get("8316"):
        yield Identified(Device(model=sender))
    examined = None
    try:
        examined = _moment(found.stated, "6200", "6201") or _moment(found.stated, "7278", "7279")
    except DecodeError as error:
        yield Fault(error.code, f"time of the examination: {error.message}")
    panels: dict[datetime | None, _Panel] = {}
    for result in found.results:
        try:
            panel = panels.setdefault(_result_moment(result) or examined, _Panel())
        except DecodeError as error:
            yield _fault(result, error)
            continue
        try:
            panel.add(result)
        except DecodeError as error:
            panel.notes.append(f"{result.text('8410')}: left out: {error.message}")
            yield _fault(result, error)
    examined = examined or (next(iter(panels)) if len(panels) == 1 else None)
    panels.setdefault(examined, _Panel()).add_texts(found.texts)
    kind = _kind(reading_kind, found, panels[examined])
    readings = [
        _timed(reading, taken_at, at)
        for taken_at, panel in panels.items()
        for reading in panel.readings(kind, found)
    ]
    yield from map(Measured, readings)
    yield from _body(found, examined, at)
    if not readings and not found.body:
        yield Progress("no results in it")


@dataclass(slots=True)
class _Panel:
    """Results that were measured at the same time."""

    observations: list[Observation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    in_forms: bool = False

    def add(self, result: Result) -> None:
        """Raises DecodeError where the value or the unit does not hold."""
        code, value, text = result.text("8410"), result.text("8420"), result.text("8480")
        if not code:
            raise DecodeError("layout", "a result without a code in 8410", offset=0)
        if not value and not text:
            said = [result.text("8418") and f"status {result.text('8418')}", result.text("8470")]
            self.failures.append(f"{code}: no value{''.join(f', {each}' for each in said if each)}")
            return
        self.observations.append(_observed(code, value, text, result.text("8421")))
        self.notes += [f"{code}: {note}" for note in _notes(result, text if value else "")]

    def add_texts(self, texts: dict[str, list[str]]) -> None:
        """Lines in a known form become values, the others one text for each field."""
        for number, lines in texts.items():
            left = []
            for line in lines:
                in_form = observations_in_text(number, line)
                self.in_forms = self.in_forms or bool(in_form)
                self.observations += in_form
                left += [] if in_form else [line]
            if any(line.strip() for line in left):
                self.observations.append(Observation(_TEXTS[number], text="\n".join(left)))

    def readings(self, kind: ReadingKind, found: Examination) -> Iterator[Reading]:
        examination = found.stated.get("8402", "")
        about = (f"examination: {examination}",) if examination else ()
        subject = found.subject if found.subject.strip("0") else None
        if self.observations:
            yield Reading(
                kind=kind,
                observations=tuple(self.observations),
                notes=(*about, *self.notes),
                subject=subject,
            )
        if self.failures:
            yield Reading(kind=kind, status="rejected", notes=tuple(self.failures), subject=subject)


def _observed(code: str, value: str, text: str, spelling: str) -> Observation:
    unit = ucum(spelling) if spelling else None
    if spelling and unit is None:
        raise DecodeError("unit", f"{spelling!r} is no unit that is known", offset=0)
    number = _NUMBER.fullmatch(value)
    if number is None:
        return Observation(code, text=value or text, unit=unit)
    comparator = cast("Comparator | None", number["comparator"])
    return Observation(code, Decimal(number["value"].replace(",", ".")), unit, comparator=comparator)


def _notes(result: Result, text: str) -> Iterator[str]:
    for label, number in (("", "8411"), ("status ", "8418"), ("normal range ", "8460"), ("", "8470")):
        if said := result.text(number):
            yield f"{label}{said}"
    lower, upper = result.text("8461"), result.text("8462")
    if lower or upper:
        yield f"normal{f' from {lower}' if lower else ''}{f' up to {upper}' if upper else ''}"
    if text:
        yield text


def _kind(reading_kind: str, found: Examination, panel: _Panel) -> ReadingKind:
    if reading_kind != _BY_EXAMINATION:
        return cast("ReadingKind", reading_kind)
    examination = found.stated.get("8402", "").upper()
    named = next((kind for start, kind in _KINDS.items() if examination.startswith(start)), None)
    return named or ("vision" if panel.in_forms else "laboratory")


def _body(found: Examination, examined: datetime | None, at: datetime) -> Iterator[Event]:
    for line in found.body:
        kind, unit = _BODY[line.field]
        number = _NUMBER.fullmatch(line.content.strip())
        if number is None or number["comparator"]:
            yield Fault("value", f"{kind} in field {line.field} is no number", line.offset)
            continue
        if not Decimal(number["value"].replace(",", ".")):
            continue
        reading = Reading(
            kind=kind,
            observations=(Observation(kind, Decimal(number["value"].replace(",", ".")), unit),),
            status="questionable",
            notes=("body data of the set: measured, or stated by the request",),
            subject=found.subject or None,
        )
        yield Measured(_timed(reading, examined, at))


def _fault(result: Result, error: DecodeError) -> Fault:
    return Fault(error.code, f"{result.text('8410')}: {error.message}", result.offset)


def _result_moment(result: Result) -> datetime | None:
    said = {number: result.text(number) for number in (*_TIME_FIELDS, "8432", "8439")}
    return _moment(said, "8432", "8439") or _moment(said, "7278", "7279")


def _moment(said: dict[str, str], date: str, time: str) -> datetime | None:
    """A date and time of day; the beginning of the day where no time is stated, None without a date.

    Raises
    ------
    DecodeError
        They are none.
    """
    if not said.get(date):
        return None
    digits = said[date] + (said.get(time) or "000000")
    if not re.fullmatch(r"\d{4}(?:19|20|21)\d{8}", digits, re.ASCII):
        raise DecodeError("time", f"no date and time in fields {date} and {time}", offset=0)
    try:
        moment = datetime.strptime(digits, "%d%m%Y%H%M%S")  # noqa: DTZ007 - no zone is stated
    except ValueError:
        raise DecodeError("time", f"no such date or time in fields {date} and {time}", offset=0) from None
    zone = _ZONE.fullmatch(said.get("7273", "").replace(" ", ""))
    if date != "7278" or zone is None:
        return moment
    offset = timedelta(hours=int(zone[2] or 0), minutes=int(zone[3] or 0))
    return moment.replace(tzinfo=timezone(-offset if zone[1] == "-" else offset))


def _timed(reading: Reading, taken_at: datetime | None, at: datetime) -> Reading:
    if taken_at is None:
        return reading.taken(at, by="gateway")
    reading = reading.taken(taken_at, by="device")
    return reading.noted(_MIDNIGHT) if f"{taken_at:%H%M%S}" == "000000" else reading


class Session:
    """One file in, the readings of its sets out."""

    def __init__(self, reading_kind: str, encoding: str) -> None:
        self._reading_kind = reading_kind
        self._encoding = encoding

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        try:
            sets = parse_file(data, self._encoding)
        except DecodeError as error:
            return (Fault.from_error(error),)
        return tuple(
            Measured(replace(event.reading, provenance=data)) if isinstance(event, Measured) else event
            for each in sets
            for event in events_of(each, self._reading_kind, at)
        )


DRIVER = Driver(
    id="gdt",
    vendor="",
    models=(),
    kind="vision-screener",
    emits={
        **{f"{name}-{eye}": ("[diop]",) for name in ("sphere", "cylinder") for eye in ("right", "left")},
        "axis-right": ("deg",),
        "axis-left": ("deg",),
        "height": ("cm",),
        "weight": ("kg",),
    },
    own_codes=True,
    links=(FolderLink(patterns=("*.gdt", "*.[0-9][0-9][0-9]")),),
    settings=(
        Setting(
            "reading_kind",
            (_BY_EXAMINATION, "laboratory", "vision", "hearing", "blood-pressure", "respiration"),
            _BY_EXAMINATION,
            "what is examined",
        ),
        Setting(
            "encoding",
            (DECLARED, "cp437", "cp850", "latin-1", "cp1252", "iso-8859-15", "utf-8"),
            DECLARED,
            "of texts; declared for what each file says of itself",
        ),
    ),
    evidence="manual",
    specials=("no value",),
    session=Session,
)
