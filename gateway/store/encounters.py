"""Who is in which room: one open encounter a room, and those that were before it."""

import json
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.model import Encounter, Patient
from gateway.model.serialised import encounter_from_row, encounter_to_row
from gateway.store import patients
from gateway.store.times import instant, stamp


@dataclass(frozen=True, slots=True)
class StoredEncounter:
    id: int
    encounter: Encounter


def open_encounter(db: sqlite3.Connection, encounter: Encounter) -> int:
    """The patient is in the room from now on; whoever was there before has left."""
    close_room(db, encounter.room, encounter.opened_at)
    return _add(db, encounter)


def close_room(db: sqlite3.Connection, room: str, at: datetime) -> None:
    db.execute("UPDATE encounter SET closed_at = ? WHERE room = ? AND closed_at IS NULL", (stamp(at), room))


def close_of_patient(db: sqlite3.Connection, patient_id: str, at: datetime) -> int:
    """The patient has left whatever room it was; how many encounters that closed."""
    return db.execute(
        "UPDATE encounter SET closed_at = ? WHERE patient_id = ? AND closed_at IS NULL",
        (stamp(at), patient_id),
    ).rowcount


def subject(patient_id: str) -> str:
    """The patient as a subject of :mod:`gateway.store.movements`."""
    return f"patient {patient_id}"


def opened_at(db: sqlite3.Connection, patient_id: str) -> datetime | None:
    """When the encounter began in which the patient is now."""
    row = db.execute(
        "SELECT MAX(opened_at) AS at FROM encounter WHERE patient_id = ? AND closed_at IS NULL", (patient_id,)
    ).fetchone()
    return None if row["at"] is None else instant(row["at"])


def last_ended(db: sqlite3.Connection, room: str, patient_id: str) -> datetime | None:
    """When the latest of the encounters ended that were in the room or of the patient."""
    row = db.execute(
        "SELECT MAX(closed_at) AS at FROM encounter WHERE room <> '' AND (room = ? OR patient_id = ?)",
        (room, patient_id),
    ).fetchone()
    return None if row["at"] is None else instant(row["at"])


def close_of_order(db: sqlite3.Connection, key: str, at: datetime) -> None:
    """Nobody is in the room any more whom that order put there."""
    db.execute(
        "UPDATE encounter SET closed_at = ? WHERE json_extract(body, '$.by_order') = ? AND closed_at IS NULL",
        (stamp(at), key),
    )


def correct(db: sqlite3.Connection, patient: Patient) -> None:
    """Give the patient's particulars to the encounter that is open."""
    for stored in currently_open(db):
        if stored.encounter.patient.id == patient.id:
            replace_body(db, replace(stored, encounter=replace(stored.encounter, patient=patient)))


def replace_body(db: sqlite3.Connection, stored: StoredEncounter) -> None:
    """Demographics that were corrected while the patient is in the room."""
    encounter = stored.encounter
    db.execute(
        "UPDATE encounter SET patient_id = ?, body = ? WHERE id = ?",
        (encounter.patient.id, _body(encounter), stored.id),
    )


def covering(db: sqlite3.Connection, room: str, at: datetime) -> StoredEncounter | None:
    """The encounter within which that moment of that room lies."""
    row = db.execute(
        "SELECT * FROM encounter WHERE room = ? AND opened_at <= ? AND (closed_at IS NULL OR closed_at > ?)"
        " ORDER BY id DESC LIMIT 1",
        (room, stamp(at), stamp(at)),
    ).fetchone()
    return None if row is None else _stored(row)


def of_patient(db: sqlite3.Connection, patient_id: str) -> tuple[StoredEncounter, ...]:
    """All that were ever known of that patient, oldest first."""
    rows = db.execute("SELECT * FROM encounter WHERE patient_id = ? ORDER BY id", (patient_id,))
    return tuple(map(_stored, rows))


def add_past(db: sqlite3.Connection, encounter: Encounter) -> StoredEncounter:
    """An encounter that covers no time: no reading is ever put to it but by a person."""
    return find(db, _add(db, encounter, closed_at=encounter.opened_at))


def currently_open(db: sqlite3.Connection) -> tuple[StoredEncounter, ...]:
    rows = db.execute("SELECT * FROM encounter WHERE closed_at IS NULL ORDER BY room")
    return tuple(map(_stored, rows))


def find(db: sqlite3.Connection, encounter_id: int) -> StoredEncounter:
    return _stored(db.execute("SELECT * FROM encounter WHERE id = ?", (encounter_id,)).fetchone())


def _add(db: sqlite3.Connection, encounter: Encounter, closed_at: datetime | None = None) -> int:
    patients.first_seen(db, encounter.patient)
    cursor = db.execute(
        "INSERT INTO encounter (room, patient_id, body, opened_at, closed_at) VALUES (?, ?, ?, ?, ?)",
        (
            encounter.room,
            encounter.patient.id,
            _body(encounter),
            stamp(encounter.opened_at),
            stamp(closed_at) if closed_at else None,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _stored(row: sqlite3.Row) -> StoredEncounter:
    closed_at = instant(row["closed_at"]) if row["closed_at"] else None
    encounter = encounter_from_row(json.loads(row["body"]))
    return StoredEncounter(row["id"], replace(encounter, closed_at=closed_at))


def _body(encounter: Encounter) -> str:
    return json.dumps(encounter_to_row(encounter))
