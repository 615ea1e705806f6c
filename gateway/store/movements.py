"""The latest that each sender has said of a patient or a room, by its own clock: what comes late is old."""

import sqlite3


def is_news(db: sqlite3.Connection, clock: str, subject: str, stated_at: str | None) -> bool:
    """Whether nothing later is known of the subject; what is news is noted.

    Parameters
    ----------
    db : sqlite3.Connection
    clock : str
        Whose time it is. Times of two clocks are never compared.
    subject : str
    stated_at : str, optional
        Text whose order is that of time. What states no time counts as news, and is not noted.
    """
    if stated_at is None:
        return True
    return bool(
        db.execute(
            "INSERT INTO movement VALUES (?, ?, ?) ON CONFLICT (clock, subject)"
            " DO UPDATE SET stated_at = excluded.stated_at WHERE excluded.stated_at >= stated_at",
            (clock, subject, stated_at),
        ).rowcount
    )
