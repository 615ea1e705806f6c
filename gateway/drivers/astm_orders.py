"""Results of an analyser as ASTM records state them, gathered by order, and the readings that they are.

=============================  ============================================================================
what R says                    what becomes of it
=============================  ============================================================================
a number, ``>`` or ``<`` too   value; flag ``<`` or ``>`` makes a limit of a number without one
a word                         text
``-----``, ``INVALID``, X      in the order's rejected reading, with the reason
status P, S, W                 the reading is questionable, and a note says which result
status I                       pending: no result yet
status C, R                    note: a correction, a repeat
no value, flag A               note: a finding (``Anemia``)
a test that ends in ``?``      note: the analyser's suspicion, no measurement
the name of an image           nothing
a unit that is not known       fault, and that result is left out
=============================  ============================================================================

The time of a result is when it was completed (R-13) or begun (R-12); a result that states neither has that of
the one before it in its order, or else the message's, and a note says so.

Processing id Q, T or D in the header and action code Q in the order are no patient's: rejected. A unit of one
digit is the number of the analyser's unit system (Pentra): no unit, and a note.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, cast

from gateway.codecs import urine_strip
from gateway.codecs.astm_records import Record, moment
from gateway.codecs.laboratory_units import ucum
from gateway.drivers.contract import Event, Fault, Measured, Progress
from gateway.errors import DecodeError
from gateway.model import Observation, Reading
from gateway.model.reading import Comparator

Kind = Literal["laboratory", "urinalysis"]

MOST_RESULTS = 1000
_NUMBER = re.compile(r"(?P<comparator>[<>]=?)?\s*(?P<value>[+-]?(?:\d+\.?\d*|\.\d+))", re.ASCII)
_COMMA = re.compile(r"[<>]?=?\s*[+-]?\d+,\d+")
_FAILURE_WORDS = r"|[-*.?]{3,}|INVALID|ERROR|NO RESULT"
_NO_VALUE = {
    "laboratory": re.compile(r"\+{3,}" + _FAILURE_WORDS, re.IGNORECASE),
    "urinalysis": re.compile(_FAILURE_WORDS[1:], re.IGNORECASE),  # ``+++`` is a class of a strip
}
_IMAGE = re.compile(r".*\.(?:PNG|BMP|JPE?G|GIF|TIFF?)", re.IGNORECASE)
_UNIT_SYSTEM = re.compile(r"\d")
_FAILED, _PENDING, _FINDING = "X", "I", "A"
_DONE = {"", "F", "V"}
_DOUBT = {"P": "preliminary", "S": "partial", "W": "of questionable validity"}
_STATUS_NOTES = {**_DOUBT, "C": "a correction of an earlier result", "R": "sent before"}
_TIME_OF_ANOTHER = "a result states no time: it has that of the one before it"
_FLAGS = {
    "L": "below the normal range",
    "H": "above the normal range",
    "LL": "below the panic range",
    "HH": "above the panic range",
    "<": "below the analyser's range",
    ">": "above the analyser's range",
    "A": "abnormal",
    "U": "significantly higher than before",
    "D": "significantly lower than before",
    "B": "better than before",
    "W": "worse than before",
}
_NOT_PATIENTS = {"Q": "quality control", "T": "training", "D": "debugging"}


@dataclass(slots=True)
class Result:
    """An ``R`` record, its frame's offset in the stream, and the comments that follow it."""

    record: Record
    offset: int
    comments: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The analyser's own code of the test: the first part that is not empty after the universal ones."""
        parts = self.record.repeats(3)[0]
        return next((part.rstrip("/") for part in (*parts[3:], *parts[:3]) if part), "")

    @property
    def full_code(self) -> str:
        """All that is stated of the test, for analysers that give one code to several results."""
        return " ".join(part for part in self.record.repeats(3)[0] if part)

    @property
    def status(self) -> str:
        return self.record.text(9).upper()

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(repeat[0].upper() for repeat in self.record.repeats(7) if repeat[0])

    @property
    def value(self) -> str:
        """The first component that is not empty: GeneXpert has words in the first, numbers in the second."""
        return next((part for part in self.record.repeats(4)[0] if part), "")


@dataclass(slots=True)
class Order:
    """What belongs to one ``O`` record.

    Parameters
    ----------
    specimen, subject : str, optional
    no_patient : str
        Why it is no patient's; empty where it is one's.
    cannot_be_done : bool
        The report says so.
    results : list of Result
    comments : list of str
    raw : list of bytes
    """

    specimen: str | None = None
    subject: str | None = None
    no_patient: str = ""
    cannot_be_done: bool = False
    results: list[Result] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    @classmethod
    def ordered(cls, record: Record, *, subject: str | None, processing: str) -> "Order":
        """What an ``O`` record begins, in a message of that processing id."""
        specimens = [part for number in (3, 4) for part in record.repeats(number)[0] if part]
        control = _NOT_PATIENTS["Q"] if record.text(12).upper() == "Q" else ""
        return cls(
            specimen=specimens[0] if specimens else None,
            subject=subject,
            no_patient=_NOT_PATIENTS.get(processing, control),
            cannot_be_done=record.text(26).upper() == _FAILED,
        )


def events_of(order: Order, kind: Kind, header_time: datetime | None, at: datetime) -> Iterator[Event]:
    """The readings of an order, one a time of completion, and what does not hold in it."""
    if order.cannot_be_done and not order.results:
        order.comments.append("the order cannot be done")
        yield Measured(_completed(_rejected(order, kind, []), None, header_time, at))
    codes = [result.code for result in order.results]
    by_time: dict[datetime | None, _Panel] = {}
    before: datetime | None = None
    for result in order.results:
        name = result.full_code if codes.count(result.code) > 1 else result.code
        try:
            stated = moment(result.record.text(13)) or moment(result.record.text(12))
        except DecodeError as error:
            yield Fault(error.code, f"{name}: {error.message}", result.offset)
            stated = None
        panel = by_time.setdefault(stated or before, _Panel())
        if stated is None and before is not None:
            panel.notes.append(_TIME_OF_ANOTHER)
        before = stated or before
        try:
            panel.add(result, name, kind)
        except DecodeError as error:
            panel.notes.append(f"{name}: left out: {error.message}")
            yield Fault(error.code, f"{name}: {error.message}", result.offset)
    for taken_at, panel in by_time.items():
        for reading in panel.readings(order, kind):
            yield Measured(_completed(reading, taken_at, header_time, at))
        yield from (Progress(f"{name} is pending") for name in panel.pending)


@dataclass(slots=True)
class _Panel:
    """Results of one order that were completed at the same time."""

    observations: list[Observation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    in_doubt: bool = False

    def add(self, result: Result, name: str, kind: Kind) -> None:
        """One result in its place. Raises DecodeError where its value or unit does not hold."""
        comments = [f"{name}: {comment}" for comment in result.comments]
        if result.status == _PENDING:
            self.pending.append(name)
        elif result.status == _FAILED or _NO_VALUE[kind].fullmatch(result.value):
            self.failures += [_failure(result, name), *comments]
        elif not result.value or name.endswith("?"):
            self.notes += [*_finding(result, name), *comments]
        elif not _IMAGE.fullmatch(result.value):
            observation, notes = _observed(result, name, kind)
            self.observations.append(observation)
            self.notes += [*notes, *_flagged(result, name), *comments]
            self.in_doubt = self.in_doubt or result.status in _DOUBT

    def readings(self, order: Order, kind: Kind) -> Iterator[Reading]:
        if order.no_patient:
            if self.observations or self.failures:
                yield _rejected(order, kind, [f"{order.no_patient}: not a patient's"])
            return
        if self.observations:
            yield Reading(
                kind=kind,
                observations=tuple(self.observations),
                status="questionable" if self.in_doubt else "final",
                notes=tuple(dict.fromkeys((*order.comments, *self.notes))),
                sequence=order.specimen,
                subject=order.subject,
                provenance=b"".join(order.raw),
            )
        if self.failures:
            yield _rejected(order, kind, self.failures)


def _rejected(order: Order, kind: Kind, reasons: list[str]) -> Reading:
    return Reading(
        kind=kind,
        status="rejected",
        notes=(*reasons, *order.comments),
        sequence=order.specimen,
        subject=order.subject,
        provenance=b"".join(order.raw),
    )


def _completed(
    reading: Reading, taken_at: datetime | None, header_time: datetime | None, at: datetime
) -> Reading:
    if taken_at is not None:
        return reading.taken(taken_at, by="device")
    if header_time is not None:
        noted = reading.noted("the time is the message's: the result states none")
        return noted.taken(header_time, by="device")
    return reading.taken(at, by="gateway")


def _observed(result: Result, name: str, kind: Kind) -> tuple[Observation, tuple[str, ...]]:
    spelling = result.record.component(5, 1)
    if _UNIT_SYSTEM.fullmatch(spelling):
        observation, _ = _of_kind(result, name, "", kind)
        return observation, (f"the analyser's unit system {spelling}: no units are stated",)
    return _of_kind(result, name, spelling, kind)


def _of_kind(result: Result, name: str, spelling: str, kind: Kind) -> tuple[Observation, tuple[str, ...]]:
    if kind == "urinalysis":
        return urine_strip.observation(name, result.value, spelling), ()
    # ``10^3/uL`` is often sent unescaped, and then looks like two components.
    unit = (ucum(result.record.text(5)) or ucum(spelling)) if spelling else None
    if spelling and unit is None:
        raise DecodeError("unit", f"{spelling!r} is no unit that is known", offset=0)
    match = _NUMBER.fullmatch(result.value)
    if match is None:
        if _COMMA.fullmatch(result.value):
            raise DecodeError("value", "a comma in a number: decimal or thousands, it does not say", offset=0)
        return Observation(name, text=result.value, unit=unit), ()
    limit = next((flag for flag in result.flags if flag in {"<", ">"}), None)
    comparator = cast("Comparator | None", match["comparator"] or limit)
    return Observation(name, Decimal(match["value"]), unit, comparator=comparator), ()


def _failure(result: Result, name: str) -> str:
    said = [
        f"no value ({result.value})" if result.value else "no value",
        *(["cannot be done"] if result.status == _FAILED else []),
        *(f"flag {flag}" for flag in result.flags if flag != "N"),
    ]
    return f"{name}: {', '.join(said)}"


def _finding(result: Result, name: str) -> list[str]:
    if result.value:
        return [f"{name.rstrip('?')} suspected: {result.value}"]
    return [name] if _FINDING in result.flags else []


def _flagged(result: Result, name: str) -> Iterator[str]:
    for flag in result.flags:
        if flag != "N":
            yield f"{name}: {flag}, {_FLAGS[flag]}" if flag in _FLAGS else f"{name}: flag {flag}"
    if result.status not in _DONE:
        yield f"{name}: {_STATUS_NOTES.get(result.status, f'status {result.status}')}"
