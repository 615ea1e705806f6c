"""Messages on their way to an EHR: bytes that never change, and what became of them."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.errors import StoreError
from gateway.store import audit
from gateway.store.times import instant, stamp

MessageState = Literal["pending", "parked", "acknowledged", "discarded"]


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message to one destination.

    Parameters
    ----------
    id : int
    destination : str
    reading_id : int
    control_id : str
        MSH-10, unique for this installation for ever.
    stream : str
        Patient and device; within it order is kept even past a parked message.
    body : bytes
        Sent the same each time.
    state : str
    attempts : int
    not_before : datetime, optional
    reason : str
        Why it is parked or was last not accepted, in the receiver's code and words.
    created_at : datetime
    settled_at : datetime, optional
    begun_at : datetime, optional
        Before its first byte went out. From then on the receiver may have it.
    """

    id: int
    destination: str
    reading_id: int
    control_id: str
    stream: str
    body: bytes
    state: MessageState
    attempts: int
    not_before: datetime | None
    reason: str
    created_at: datetime
    settled_at: datetime | None
    begun_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a message, and how it ended."""

    at: datetime
    outcome: str
    detail: str


def next_control_id(db: sqlite3.Connection) -> str:
    """A number that no message of any installation had before: at most 20 characters, as MSH-10 allows."""
    db.execute("UPDATE installation SET last_control = last_control + 1")
    row = db.execute("SELECT name, last_control FROM installation").fetchone()
    return f"{row['name']}-{row['last_control']:010d}"


def filler_number(db: sqlite3.Connection, reading_id: int) -> str:
    """OBR-3 of a reading: the same in its first message and in every correction."""
    name = db.execute("SELECT name FROM installation").fetchone()["name"]
    return f"{name}-R{reading_id}"


def enqueue(
    db: sqlite3.Connection,
    *,
    destination: str,
    reading_id: int,
    control_id: str,
    stream: str,
    body: bytes,
    at: datetime,
    stands: bool = True,
) -> int:
    """Put a message in the queue; one that takes back what was said before does not itself stand."""
    cursor = db.execute(
        "INSERT INTO message (destination, reading_id, control_id, stream, body, state, created_at, stands)"
        " VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
        (destination, reading_id, control_id, stream, body, stamp(at), stands),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def sendable(
    db: sqlite3.Connection, destination: str, *, past_parked: bool = False, most: int = 1
) -> tuple[OutboxMessage, ...]:
    """The first messages that may be under way together, oldest first.

    Of a patient and device only the oldest is, and only while nothing of theirs is parked before it. With
    `past_parked` their order is not held.
    """
    rows = db.execute(
        "SELECT * FROM message WHERE destination = ? AND state = 'pending' AND (? OR NOT EXISTS ("
        "  SELECT 1 FROM message AS before WHERE before.destination = message.destination"
        "  AND before.stream = message.stream AND before.state IN ('parked', 'pending')"
        "  AND before.id < message.id)) ORDER BY id LIMIT ?",
        (destination, past_parked, most),
    )
    return tuple(map(_message, rows))


def next_pending(
    db: sqlite3.Connection, destination: str, *, past_parked: bool = False
) -> OutboxMessage | None:
    """The first message that may go."""
    return next(iter(sendable(db, destination, past_parked=past_parked)), None)


def unsettled(db: sqlite3.Connection, destination: str | None = None) -> tuple[OutboxMessage, ...]:
    """What is pending or parked, oldest first."""
    rows = db.execute(
        "SELECT * FROM message WHERE state IN ('pending', 'parked')"
        " AND (? IS NULL OR destination = ?) ORDER BY id",
        (destination, destination),
    )
    return tuple(map(_message, rows))


def of_reading(db: sqlite3.Connection, reading_id: int) -> tuple[OutboxMessage, ...]:
    rows = db.execute("SELECT * FROM message WHERE reading_id = ? ORDER BY id", (reading_id,))
    return tuple(map(_message, rows))


def find(db: sqlite3.Connection, message: str) -> OutboxMessage:
    """A message by its number or its control id.

    Raises
    ------
    StoreError
        There is none.
    """
    row = db.execute(
        "SELECT * FROM message WHERE control_id = ? OR CAST(id AS TEXT) = ?", (message, message)
    ).fetchone()
    if row is None:
        raise StoreError(f"no message {message!r}; `gateway queue list` shows those that wait")
    return _message(row)


def attempts(db: sqlite3.Connection, message_id: int) -> tuple[Attempt, ...]:
    rows = db.execute(
        "SELECT at, outcome, detail FROM attempt WHERE message_id = ? ORDER BY id", (message_id,)
    )
    return tuple(Attempt(instant(row["at"]), row["outcome"], row["detail"]) for row in rows)


def begin(db: sqlite3.Connection, message_id: int, at: datetime) -> bool:
    """Note that the message goes out now; False where a person has settled it meanwhile."""
    return bool(
        db.execute(
            "UPDATE message SET begun_at = COALESCE(begun_at, ?) WHERE id = ? AND state = 'pending'",
            (stamp(at), message_id),
        ).rowcount
    )


def take_back(db: sqlite3.Connection, reading_id: int, at: datetime, why: str) -> tuple[OutboxMessage, ...]:
    """Nothing that was said of a reading stands any more, and what waits is not sent, or not again.

    Returns
    -------
    tuple of OutboxMessage
        What stood until now. Of those with `begun_at` the receivers have to be told.
    """
    rows = db.execute("SELECT * FROM message WHERE reading_id = ? AND stands ORDER BY id", (reading_id,))
    stood = tuple(map(_message, rows.fetchall()))
    db.execute(
        "UPDATE message SET state = 'discarded', reason = ?, settled_at = ?"
        " WHERE reading_id = ? AND stands AND state IN ('pending', 'parked')",
        (why, stamp(at), reading_id),
    )
    db.execute("UPDATE message SET stands = 0 WHERE reading_id = ?", (reading_id,))
    return stood


def attempted(
    db: sqlite3.Connection,
    message_id: int,
    at: datetime,
    *,
    outcome: str,
    detail: str = "",
    state: MessageState = "pending",
    not_before: datetime | None = None,
) -> None:
    """What came of one sending. A message that a person has settled meanwhile stays as it is."""
    db.execute(
        "INSERT INTO attempt (message_id, at, outcome, detail) VALUES (?, ?, ?, ?)",
        (message_id, stamp(at), outcome, detail),
    )
    db.execute(
        "UPDATE message SET state = ?, attempts = attempts + 1, not_before = ?, reason = ?, settled_at = ?"
        " WHERE id = ? AND state IN ('pending', 'parked')",
        (
            state,
            stamp(not_before) if not_before else None,
            "" if state == "acknowledged" else ": ".join(filter(None, (outcome, detail))),
            stamp(at) if state == "acknowledged" else None,
            message_id,
        ),
    )


def retry(db: sqlite3.Connection, message: OutboxMessage, at: datetime, actor: str) -> None:
    """A parked message goes out again, with its own bytes and control id, before what waits behind it."""
    _must_be(message, "parked")
    db.execute(
        "UPDATE message SET state = 'pending', attempts = 0, not_before = NULL WHERE id = ?", (message.id,)
    )
    audit.record(db, at, actor, "message retried", f"message {message.id} {message.control_id}")


def discard(db: sqlite3.Connection, message: OutboxMessage, at: datetime, actor: str, why: str) -> None:
    """A message is given up by a person; what waited behind it goes on."""
    _must_be(message, "parked", "pending")
    db.execute(
        "UPDATE message SET state = 'discarded', reason = ?, settled_at = ? WHERE id = ?",
        (f"discarded by {actor}: {why}", stamp(at), message.id),
    )
    audit.record(db, at, actor, "message discarded", f"message {message.id} {message.control_id}: {why}")


def _must_be(message: OutboxMessage, *states: MessageState) -> None:
    if message.state not in states:
        raise StoreError(
            f"message {message.id} is {message.state}; only one that is {' or '.join(states)} can be"
        )


def _message(row: sqlite3.Row) -> OutboxMessage:
    return OutboxMessage(
        id=row["id"],
        destination=row["destination"],
        reading_id=row["reading_id"],
        control_id=row["control_id"],
        stream=row["stream"],
        body=row["body"],
        state=row["state"],
        attempts=row["attempts"],
        not_before=instant(row["not_before"]) if row["not_before"] else None,
        reason=row["reason"],
        created_at=instant(row["created_at"]),
        settled_at=instant(row["settled_at"]) if row["settled_at"] else None,
        begun_at=instant(row["begun_at"]) if row["begun_at"] else None,
    )
