"""Every patient whom a message has named, by the latest particulars, and identifiers that were given up."""

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import replace

from gateway.model import Patient
from gateway.model.patient import PARTICULARS, Particular
from gateway.model.serialised import patient_from_row, patient_to_row
from gateway.store import movements
from gateway.store.movements import Said


def known(db: sqlite3.Connection, patient_id: str) -> Patient | None:
    """The patient with the latest particulars, whichever identifier of theirs is asked by."""
    row = db.execute("SELECT body FROM patient WHERE id = ?", (survivor(db, patient_id),)).fetchone()
    return None if row is None else patient_from_row(json.loads(row["body"]))


def survivor(db: sqlite3.Connection, patient_id: str) -> str:
    """The identifier that the patient of that one has now: itself, where it was never given up."""
    *_, last = _successors(db, patient_id)
    return last


def has(db: sqlite3.Connection, patient: Patient, number: str) -> bool:
    """Whether a number without its authority is one of the patient's, those that were given up among them.

    Zeros in front count for nothing: devices fill up their field with them.
    """
    bare = number.lstrip("0")
    if any(bare == identifier.value.lstrip("0") for identifier in patient.identifiers):
        return True
    given_up = db.execute(
        "SELECT id FROM retired WHERE ltrim(substr(id, 1, instr(id || '@', '@') - 1), '0') = ?", (bare,)
    )
    return any(survivor(db, row["id"]) == patient.id for row in given_up.fetchall())


def learn(db: sqlite3.Connection, patient: Patient, stated: Collection[Particular], said: Said) -> Patient:
    """The patient as known now that a message has stated some particulars.

    Parameters
    ----------
    db : sqlite3.Connection
    patient : Patient
        As the message has it; under an identifier that was given up it is the surviving patient.
    stated : collection of str
        The particulars of it that count. What it leaves out stays as it is.
    said : Said
    """
    found = known(db, patient.id)
    patient_id = survivor(db, patient.id)
    news = [name for name in sorted(stated) if movements.is_news(db, said, _subject(name, patient_id))]
    if patient_id == patient.id and movements.is_news(db, said, _subject("identifiers", patient_id)):
        found = found and replace(found, identifiers=patient.identifiers)
    return _write(db, patient if found is None else _with(found, patient, news))


def first_seen(db: sqlite3.Connection, patient: Patient) -> Patient:
    """The patient as known; one whom nobody has named before is known as given here from now on."""
    return known(db, patient.id) or _write(db, patient)


def absorb(db: sqlite3.Connection, old: str, new: Patient) -> Patient:
    """The patient with what was known of the other, of each particular the later."""
    row = db.execute("SELECT body FROM patient WHERE id = ?", (old,)).fetchone()
    if row is not None:
        retired = patient_from_row(json.loads(row["body"]))
        later = [name for name in PARTICULARS if _is_later(db, name, retired, new)]
        new = _write(db, _with(new, retired, later))
        db.execute("DELETE FROM patient WHERE id = ?", (old,))
    for name in PARTICULARS:
        movements.rename(db, _subject(name, old), _subject(name, new.id))
    return new


def _is_later(db: sqlite3.Connection, name: Particular, one: Patient, other: Patient) -> bool:
    """Whether that particular of the one is what is known last."""
    is_later = movements.is_later(db, _subject(name, one.id), _subject(name, other.id))
    if is_later is None:
        return not any(getattr(other, attribute) for attribute in PARTICULARS[name])
    return is_later


def retire(db: sqlite3.Connection, old: str, new: str, said: Said) -> bool:
    """Note that the identifier was given up for the other; False where later messages say otherwise."""
    if _said_later(db, old, said):
        return False
    if old in _successors(db, new):
        if _said_later(db, new, said):
            return False
        db.execute("DELETE FROM retired WHERE id = ?", (new,))
    db.execute(
        "INSERT INTO retired VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " survivor = excluded.survivor, clock = excluded.clock, stated_at = excluded.stated_at",
        (old, new, said.clock, said.at),
    )
    return True


def _successors(db: sqlite3.Connection, patient_id: str) -> Iterator[str]:
    """The identifier, and each that it was given up for in turn."""
    yield patient_id
    while row := db.execute("SELECT survivor FROM retired WHERE id = ?", (patient_id,)).fetchone():
        patient_id = row["survivor"]
        yield patient_id


def _said_later(db: sqlite3.Connection, retired: str, said: Said) -> bool:
    row = db.execute(
        "SELECT 1 FROM retired WHERE id = ? AND clock = ? AND stated_at > ?", (retired, said.clock, said.at)
    ).fetchone()
    return row is not None


def _subject(particular: str, patient_id: str) -> str:
    return f"{particular} of {patient_id}"


def _with(known: Patient, other: Patient, names: Collection[Particular]) -> Patient:
    """The patient with those particulars of the other."""
    attributes = (attribute for name in names for attribute in PARTICULARS[name])
    return replace(known, **{attribute: getattr(other, attribute) for attribute in attributes})


def _write(db: sqlite3.Connection, patient: Patient) -> Patient:
    db.execute(
        "INSERT INTO patient VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        (patient.id, json.dumps(patient_to_row(patient))),
    )
    return patient
