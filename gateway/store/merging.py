"""Two patients that turn out to be one: what was stored of the one is the other's from then on."""

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from gateway.model import Patient
from gateway.model.patient import Particular
from gateway.store import audit, encounters, movements, patients
from gateway.store.movements import Said


def merge(
    db: sqlite3.Connection,
    survivor: Patient,
    stated: Collection[Particular],
    retired: tuple[str, ...],
    said: Said,
    at: datetime,
) -> None:
    """Move what was stored under the retired identifiers to the survivor, and remember that they are retired.

    Visits, readings, held ones among them, and orders move. Messages that wait keep their bytes, which may
    have reached the EHR already: it knows by its own merge whose they are. They keep their turn as well: what
    is yet to come of the survivor does not overtake them. Merges may come in any order: who was retired
    meanwhile is survived by whoever survives that one.

    Parameters
    ----------
    db : sqlite3.Connection
    survivor : Patient
    stated : collection of str
        The particulars that the message states of the survivor.
    retired : tuple of str
        Identifiers as :attr:`Patient.id` writes them.
    said : Said
    at : datetime
    """
    patients.learn(db, survivor, stated, said)
    for old in retired:
        if old != survivor.id and patients.retire(db, old, survivor.id, said):
            _move(db, old, patients.first_seen(db, survivor), at)


def _move(db: sqlite3.Connection, old: str, survivor: Patient, at: datetime) -> None:
    survivor = patients.absorb(db, old, survivor)
    _leave_one_room(db, old, survivor.id, at)
    found = encounters.of_patient(db, old)
    for stored in found:
        encounters.replace_body(db, replace(stored, encounter=replace(stored.encounter, patient=survivor)))
    encounters.correct(db, survivor)
    moved = db.execute(
        "UPDATE reading SET body = json_set(body, '$.patient_id', ?)"
        " WHERE json_extract(body, '$.patient_id') = ?",
        (survivor.id, old),
    ).rowcount
    db.execute(
        "UPDATE message SET stream = ? || substr(stream, length(?) + 1)"
        " WHERE state IN ('pending', 'parked') AND substr(stream, 1, length(?) + 1) = ? || ' '",
        (survivor.id, old, old, old),
    )
    db.execute("UPDATE service_order SET patient_id = ? WHERE patient_id = ?", (survivor.id, old))
    audit.record(db, at, "gateway", "patients merged", f"{len(found)} encounters, {moved} readings")


def _leave_one_room(db: sqlite3.Connection, old: str, new: str, at: datetime) -> None:
    """Whoever was two is where the later message has put either, and left the other's room."""
    subjects = encounters.subject(old), encounters.subject(new)
    is_later = movements.is_later(db, *subjects)
    if is_later is None:
        opened = [encounters.opened_at(db, patient_id) for patient_id in (old, new)]
        is_later = None if None in opened else opened[0] > opened[1]  # type: ignore[operator]  # none is None
    if is_later is not None:
        encounters.close_of_patient(db, new if is_later else old, at)
    movements.rename(db, *subjects)
