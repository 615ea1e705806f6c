"""Messages that came in: each answered once it is on disk, a repetition with the same answer."""

import hashlib
import sqlite3
from datetime import datetime

from gateway.store.times import stamp


def answers_to(db: sqlite3.Connection, sender: str, control_id: str, body: bytes) -> tuple[bytes, ...] | None:
    """The answers that the very same message got before; None where it is new."""
    row = db.execute(
        "SELECT answer, response FROM inbound WHERE sender = ? AND control_id = ? AND digest = ?",
        (sender, control_id, _digest(body)),
    ).fetchone()
    return None if row is None else tuple(bytes(answer) for answer in row if answer is not None)


def keep(
    db: sqlite3.Connection,
    sender: str,
    control_id: str,
    body: bytes,
    answers: tuple[bytes, ...],
    at: datetime,
) -> None:
    """Keep a message with its one or two answers."""
    answer, response = (*answers, None)[:2]
    db.execute(
        "INSERT INTO inbound VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sender, control_id, _digest(body), body, answer, stamp(at), response),
    )


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
