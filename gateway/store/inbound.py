"""Messages that came in: each answered once it is on disk, a repetition with the same answer."""

import hashlib
import sqlite3
from datetime import datetime

from gateway.store.times import stamp


def answer_to(db: sqlite3.Connection, sender: str, control_id: str, body: bytes) -> bytes | None:
    """The answer that the very same message got before."""
    row = db.execute(
        "SELECT answer FROM inbound WHERE sender = ? AND control_id = ? AND digest = ?",
        (sender, control_id, _digest(body)),
    ).fetchone()
    return None if row is None else bytes(row["answer"])


def keep(
    db: sqlite3.Connection, sender: str, control_id: str, body: bytes, answer: bytes, at: datetime
) -> None:
    db.execute(
        "INSERT INTO inbound VALUES (?, ?, ?, ?, ?, ?)",
        (sender, control_id, _digest(body), body, answer, stamp(at)),
    )


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
