"""What the demo ends with: every reading, where it went, and whether it arrived as it was measured."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.hl7 import Message, parse
from gateway.model import Observation, Reading
from gateway.model.vocabulary import term
from gateway.store import outbox, readings
from gateway.testing.room import STATIONS, Station


@dataclass(frozen=True, slots=True)
class Row:
    """One reading in the summary.

    Parameters
    ----------
    device : str
    reading_id : int
    values : tuple of str
    patient, control_id, acknowledgement : str
    faults : tuple of str
        What is not as it should be; empty when the EHR has what the device measured.
    """

    device: str
    reading_id: int
    values: tuple[str, ...]
    patient: str
    control_id: str
    acknowledgement: str
    faults: tuple[str, ...]


def summary(
    db: sqlite3.Connection, *, since: int, left_over: Iterable[int], ehr: Mapping[str, Message] | None
) -> tuple[Row, ...]:
    """A row for every message of the readings accepted after `since`, and of those left from before.

    Parameters
    ----------
    db : Connection
    since : int
        The last reading before this run.
    left_over : iterable of int
        Readings before it whose messages were still on their way.
    ehr : mapping of str to Message, optional
        What the EHR has, by control id; without it, the bytes that it acknowledged are looked at.
    """
    earlier = (readings.find(db, reading_id) for reading_id in left_over)
    stored = [reading for reading in earlier if reading is not None] + list(readings.since(db, since))
    return tuple(row for each in stored for row in _rows(db, each, ehr))


def _rows(
    db: sqlite3.Connection, stored: readings.StoredReading, ehr: Mapping[str, Message] | None
) -> Iterator[Row]:
    station = next((s for s in STATIONS if s.name == stored.source), None)
    messages = outbox.of_reading(db, stored.id)
    if not messages:
        why = stored.held or f"{stored.reading.status}, not sent"
        yield Row(stored.source, stored.id, _values(stored.reading), "", "", why, (why,))
    for message in messages:
        copy = parse(message.body) if ehr is None else ehr.get(message.control_id)
        faults = tuple(_faults(station, stored.reading, copy))
        if message.state != "acknowledged":
            faults = (f"{message.state} {message.reason}".strip(), *faults)
        yield Row(
            device=stored.source,
            reading_id=stored.id,
            values=_values(stored.reading),
            patient=stored.reading.patient_id or "",
            control_id=message.control_id,
            acknowledgement=_acknowledgement(db, message),
            faults=faults,
        )


def _acknowledgement(db: sqlite3.Connection, message: outbox.OutboxMessage) -> str:
    if message.state != "acknowledged":
        return message.state
    return outbox.attempts(db, message.id)[-1].detail


def _values(reading: Reading) -> tuple[str, ...]:
    return tuple(map(_printed, reading.observations))


def _printed(observation: Observation) -> str:
    value = observation.text if observation.value is None else f"{observation.value:f}"
    return " ".join(filter(None, (observation.name, observation.comparator, value, observation.unit)))


def _faults(station: Station | None, reading: Reading, copy: Message | None) -> Iterator[str]:
    """How the EHR's copy differs from what the room's session says was measured."""
    if copy is None:
        yield "the EHR does not have it"
        return
    if station is None:
        return
    for expected in _expected(station):
        if _found(copy, reading, expected) != (f"{expected.value:f}", expected.unit):
            yield f"{expected.name} is not as it was measured"
    for name, (low, high) in station.measures.items():
        unit = "/min" if name == "heart-rate" else "ms"
        value, _ = _found(copy, reading, Observation(name, None, unit))
        if not value or not low <= Decimal(value) <= high:
            yield f"{name} is {value or 'missing'}, not {low} to {high}"


def _expected(station: Station) -> Iterator[Observation]:
    stated = station.fixture.expectation.readings[0].get("observations")
    for each in stated if isinstance(stated, list) else ():
        if isinstance(each, dict):
            yield Observation(str(each["name"]), Decimal(str(each["value"])), str(each["unit"]))


def _found(copy: Message, reading: Reading, observation: Observation) -> tuple[str, str]:
    known = term(observation.name, kind=reading.kind, unit=observation.unit, site=observation.site)
    code = known.loinc if known else observation.name
    for segment in copy.segments:
        if segment.name == "OBX" and segment.get(3) == code:
            return segment.get(5), segment.get(6)
    return "", ""
