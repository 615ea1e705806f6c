"""Which patient a device is on: what was said of it, and what of that holds at a moment.

What was said is kept as it was said, and what holds is worked out from all of it: in whichever order reports
come and however often, the same holds in the end.
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.model import Encounter
from gateway.store import encounters, movements, patients
from gateway.store.encounters import StoredEncounter
from gateway.store.movements import Said
from gateway.store.times import instant, stamp


@dataclass(frozen=True, slots=True)
class Association:
    """A device on a patient.

    Parameters
    ----------
    encounter : StoredEncounter
        The patient, with the place and the visit that the report stated.
    began_at : datetime
    ended_at : datetime, optional
        None while it holds.
    """

    encounter: StoredEncounter
    began_at: datetime
    ended_at: datetime | None


def keep(
    db: sqlite3.Connection,
    instance: str,
    devices: Collection[str],
    encounter: Encounter,
    *,
    is_end: bool,
    at: datetime,
    said: Said,
) -> None:
    """The association of that instance began, or ended, `at`; unless something later is known of it."""
    if not movements.is_news(db, said, _subject(instance, is_end=is_end)):
        return
    stored = encounters.add_past(db, replace(encounter, opened_at=at))
    _forget(db, instance, is_end=is_end)
    db.executemany(
        "INSERT INTO association VALUES (?, ?, ?, ?, ?)",
        [(device, instance, is_end, stored.id, stamp(at)) for device in sorted(devices)],
    )


def void(db: sqlite3.Connection, instance: str, said: Said) -> None:
    """The association of that instance never was."""
    for is_end in (False, True):
        if movements.is_news(db, said, _subject(instance, is_end=is_end)):
            _forget(db, instance, is_end=is_end)


def covering(db: sqlite3.Connection, devices: Collection[str], moment: datetime) -> tuple[Association, ...]:
    """The last that had begun by then of a device with any of these identities; several that began as one.

    An association ends by its patient's disassociation from the device, or by the next one.
    """
    rows = db.execute(
        "WITH heard AS (SELECT DISTINCT association.encounter_id, is_end, at, patient_id FROM association"
        " JOIN encounter ON encounter.id = association.encounter_id"
        " WHERE device IN (SELECT value FROM json_each(?)) AND at <= ?)"
        " SELECT began.encounter_id, began.at AS began_at, (SELECT MIN(at) FROM heard WHERE is_end"
        " AND patient_id = began.patient_id AND at >= began.at) AS ended_at FROM heard AS began"
        " WHERE NOT is_end AND at = (SELECT MAX(at) FROM heard WHERE NOT is_end) ORDER BY encounter_id",
        (json.dumps(sorted(devices)), stamp(moment)),
    )
    return tuple(_association(db, row) for row in rows.fetchall())


def _association(db: sqlite3.Connection, row: sqlite3.Row) -> Association:
    stored = encounters.find(db, row["encounter_id"])
    patient = patients.first_seen(db, stored.encounter.patient)
    return Association(
        replace(stored, encounter=replace(stored.encounter, patient=patient)),
        instant(row["began_at"]),
        instant(row["ended_at"]) if row["ended_at"] else None,
    )


def _forget(db: sqlite3.Connection, instance: str, *, is_end: bool) -> None:
    db.execute("DELETE FROM association WHERE instance = ? AND is_end = ?", (instance, is_end))


def _subject(instance: str, *, is_end: bool) -> str:
    return f"{'disassociation' if is_end else 'association'} {instance}"
