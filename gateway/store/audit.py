"""Who did what, each row sealed with a digest over itself and the row before: nothing is altered unseen."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.store.times import stamp

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act.

    Parameters
    ----------
    seq : int
    at : str
    actor : str
        ``gateway``, or the person as the operating system or the console knows them.
    action : str
        ``message discarded``, ``reading assigned``, ...
    subject : str
        What it was done to, by its number; never a patient's name or value.
    digest : str
    """

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    digest: str


def record(db: sqlite3.Connection, at: datetime, actor: str, action: str, subject: str) -> None:
    last = db.execute("SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (last["seq"] + 1, last["digest"]) if last else (1, _START)
    row = (seq, stamp(at), actor, action, subject)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", (*row, _seal(previous, *row)))


def entries(db: sqlite3.Connection) -> tuple[AuditEntry, ...]:
    return tuple(AuditEntry(*row) for row in db.execute("SELECT * FROM audit ORDER BY seq"))


def broken(db: sqlite3.Connection) -> Iterator[int]:
    """The numbers of rows that do not follow from those before them; none where nothing was altered."""
    previous, expected = _START, 1
    for entry in entries(db):
        if entry.seq != expected or entry.digest != _seal(
            previous, entry.seq, entry.at, entry.actor, entry.action, entry.subject
        ):
            yield entry.seq
        previous, expected = entry.digest, entry.seq + 1


def _seal(previous: str, *row: object) -> str:
    text = "\x1f".join((previous, *map(str, row)))
    return hashlib.sha256(text.encode()).hexdigest()
