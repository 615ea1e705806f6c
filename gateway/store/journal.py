"""Raw values of devices that forget a record once it is confirmed: on disk before the confirmation."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from gateway.store.times import instant, stamp


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A value as it came, until the readings made of it are stored."""

    id: int
    source: str
    channel: str
    data: bytes
    at: datetime
    device_id: str | None = None


def keep(
    db: sqlite3.Connection,
    source: str,
    channel: str,
    data: bytes,
    at: datetime,
    *,
    device_id: str | None = None,
) -> int:
    cursor = db.execute(
        "INSERT INTO journal (source, channel, data, at, device_id) VALUES (?, ?, ?, ?, ?)",
        (source, channel, data, stamp(at), device_id),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def rows(db: sqlite3.Connection, source: str) -> tuple[JournalRow, ...]:
    """What a device's connection left behind, in the order in which it came."""
    found = db.execute("SELECT * FROM journal WHERE source = ? ORDER BY id", (source,))
    return tuple(
        JournalRow(
            row["id"], row["source"], row["channel"], row["data"], instant(row["at"]), row["device_id"]
        )
        for row in found
    )


def drop(db: sqlite3.Connection, row_id: int) -> None:
    db.execute("DELETE FROM journal WHERE id = ?", (row_id,))
