"""Accepted readings. One that was accepted before is recognised by its key and not accepted again."""

import hashlib
import json
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.model import UNKNOWN_TIME, Device, Reading
from gateway.model.serialised import reading_from_row, reading_to_row
from gateway.store.times import instant, stamp


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading on disk.

    Parameters
    ----------
    id : int
    source : str
        The device's name in the configuration.
    reading : Reading
        Without its raw bytes and waveform; :func:`raw` has the bytes.
    encounter_id : int, optional
    held : str, optional
        Why it waits for a person.
    accepted_at : datetime
    withdrawn : str, optional
        Why a person took it back.
    """

    id: int
    source: str
    reading: Reading
    encounter_id: int | None
    held: str | None
    accepted_at: datetime
    withdrawn: str | None


def record_key(source: str, reading: Reading) -> str:
    """What tells one record from another of the same device.

    A file is known by its content, since the time of its arrival changes when it is read again; anything
    else by device, time, number, the device's slot and values. Where the device states a number and no time,
    or keeps records without a time, the time is that of the delivery, and no part of the record.
    """
    if reading.kind == "ekg":
        content = hashlib.sha256(reading.provenance).hexdigest()
    else:
        content = json.dumps(reading_to_row(_as_measured(reading)), sort_keys=True)
    return hashlib.sha256(f"{source}\x1f{content}".encode()).hexdigest()


def _as_measured(reading: Reading) -> Reading:
    """What two deliveries of one record have in common, and two records have not.

    Notes, status and what the device has said of itself by then may differ between deliveries; a failed
    measurement has nothing but its reason to be known by.
    """
    bare = replace(reading, clock_drift=None, doubt=None, patient_id=None, driver=None, device=Device())
    if reading.time_source == "gateway" and (reading.sequence is not None or reading.doubt == UNKNOWN_TIME):
        bare = replace(bare, taken_at=None)
    return replace(bare, notes=(), status="final") if reading.observations else bare


def add(
    db: sqlite3.Connection,
    source: str,
    reading: Reading,
    *,
    key: str,
    encounter_id: int | None,
    held: str | None,
    at: datetime,
) -> int | None:
    """The new row's number; None where the same record was accepted before."""
    cursor = db.execute(
        "INSERT INTO reading (key, source, body, raw, encounter_id, held, accepted_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (key, source, json.dumps(reading_to_row(reading)), reading.provenance, encounter_id, held, stamp(at)),
    )
    return cursor.lastrowid if cursor.rowcount else None


def hold(db: sqlite3.Connection, reading_id: int, reason: str) -> None:
    """The reading waits for a person."""
    db.execute("UPDATE reading SET held = ? WHERE id = ?", (reason, reading_id))


def file(db: sqlite3.Connection, reading_id: int, reading: Reading, encounter_id: int) -> None:
    """The reading is that patient's; it waits for nobody, and is under no order yet."""
    db.execute(
        "UPDATE reading SET body = ?, encounter_id = ?, order_id = NULL, held = NULL, withdrawn = NULL"
        " WHERE id = ?",
        (json.dumps(reading_to_row(reading)), encounter_id, reading_id),
    )


def withdraw(db: sqlite3.Connection, reading_id: int, reason: str) -> None:
    """The reading is nobody's: kept as it was measured, and waiting for nobody."""
    db.execute("UPDATE reading SET held = NULL, withdrawn = ? WHERE id = ?", (reason, reading_id))


def find(db: sqlite3.Connection, reading_id: int) -> StoredReading | None:
    row = db.execute("SELECT * FROM reading WHERE id = ?", (reading_id,)).fetchone()
    return None if row is None else _stored(row)


def since(db: sqlite3.Connection, reading_id: int = 0) -> tuple[StoredReading, ...]:
    """Readings accepted after that one, in order of acceptance."""
    rows = db.execute("SELECT * FROM reading WHERE id > ? ORDER BY id", (reading_id,))
    return tuple(map(_stored, rows))


def latest(db: sqlite3.Connection, count: int, *, held: bool = False) -> tuple[StoredReading, ...]:
    """The last so many, in order of acceptance; with `held` only those that wait for a person."""
    rows = db.execute(
        "SELECT * FROM reading WHERE (NOT ? OR held IS NOT NULL) ORDER BY id DESC LIMIT ?", (held, count)
    )
    return tuple(map(_stored, reversed(rows.fetchall())))


def latest_device(db: sqlite3.Connection, source: str) -> Device:
    """What the device of that name in the configuration last said of itself; nothing where it never did."""
    row = db.execute("SELECT * FROM reading WHERE source = ? ORDER BY id DESC LIMIT 1", (source,)).fetchone()
    return Device() if row is None else _stored(row).reading.device


def raw(db: sqlite3.Connection, reading_id: int) -> bytes:
    return bytes(db.execute("SELECT raw FROM reading WHERE id = ?", (reading_id,)).fetchone()["raw"])


def _stored(row: sqlite3.Row) -> StoredReading:
    return StoredReading(
        id=row["id"],
        source=row["source"],
        reading=reading_from_row(json.loads(row["body"])),
        encounter_id=row["encounter_id"],
        held=row["held"],
        accepted_at=instant(row["accepted_at"]),
        withdrawn=row["withdrawn"],
    )
