"""Two patients that turn out to be one: what was stored of the one is the other's from then on."""

import sqlite3
from dataclasses import replace
from datetime import datetime

from gateway.model import Patient
from gateway.store import audit, encounters


def merge(db: sqlite3.Connection, survivor: Patient, retired: tuple[str, ...], at: datetime) -> None:
    """Move encounters and readings, held ones among them, from the retired identifiers to the survivor.

    Messages that wait keep their bytes, which may have reached the EHR already: it knows by its own merge
    whose they are. They keep their turn as well: what is yet to come of the survivor does not overtake them.

    Parameters
    ----------
    db : sqlite3.Connection
    survivor : Patient
    retired : tuple of str
        Identifiers as :attr:`Patient.id` writes them.
    at : datetime
    """
    for old in retired:
        if old == survivor.id:
            continue
        found = encounters.of_patient(db, old)
        for stored in found:
            encounters.replace_body(
                db, replace(stored, encounter=replace(stored.encounter, patient=survivor))
            )
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
        audit.record(db, at, "gateway", "patients merged", f"{len(found)} encounters, {moved} readings")
