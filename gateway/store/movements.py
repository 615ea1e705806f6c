"""The latest that each sender has said of a patient, a room or an order: what comes late is old."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """When a sender says that something happened.

    Parameters
    ----------
    clock : str
        Whose time it is. Times of two clocks are never compared.
    at : str, optional
        Text whose order is that of time. None where no time was stated.
    """

    clock: str
    at: str | None


def is_news(db: sqlite3.Connection, said: Said, subject: str) -> bool:
    """Whether nothing later is known of the subject; what is news is noted.

    What states no time counts as news, and is not noted.
    """
    if said.at is None:
        return True
    return bool(
        db.execute(
            "INSERT INTO movement VALUES (?, ?, ?) ON CONFLICT (clock, subject)"
            " DO UPDATE SET stated_at = excluded.stated_at WHERE excluded.stated_at >= stated_at",
            (said.clock, subject, said.at),
        ).rowcount
    )


def is_later(db: sqlite3.Connection, subject: str, other: str) -> bool | None:
    """Whether by one clock the latest of `subject` is after that of `other`; None where none tells."""
    row = db.execute(
        "SELECT MAX(a.stated_at > b.stated_at) AS later FROM movement AS a JOIN movement AS b USING (clock)"
        " WHERE a.subject = ? AND b.subject = ?",
        (subject, other),
    ).fetchone()
    return None if row["later"] is None else bool(row["later"])


def rename(db: sqlite3.Connection, subject: str, other: str) -> None:
    """What was said of the subject was said of the other; of each clock's the later stays."""
    for row in db.execute("SELECT clock, stated_at FROM movement WHERE subject = ?", (subject,)).fetchall():
        is_news(db, Said(row["clock"], row["stated_at"]), other)
    db.execute("DELETE FROM movement WHERE subject = ?", (subject,))
