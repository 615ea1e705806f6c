"""Nothing in the audit can be altered, removed or put in unseen."""

import sqlite3
from datetime import UTC, datetime

import pytest

from gateway.store import Database, audit

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)


@pytest.fixture
def three_acts(database: Database) -> Database:
    for subject in ("message 1", "message 2", "message 3"):
        database.do(lambda db, s=subject: audit.record(db, AT, "technician", "message discarded", s))  # type: ignore[misc] # lambda default
    return database


def test_an_untouched_chain_holds(three_acts: Database):
    assert three_acts.do(lambda db: list(audit.broken(db))) == []


@pytest.mark.parametrize(
    ("tampering", "where"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE seq = 2", [2]),
        ("DELETE FROM audit WHERE seq = 2", [3]),
        ("UPDATE audit SET seq = 4 WHERE seq = 3", [4]),
    ],
)
def test_a_changed_removed_or_moved_row_shows(three_acts: Database, tampering: str, where: list[int]):
    def tamper(db: sqlite3.Connection) -> list[int]:
        db.execute(tampering)
        return list(audit.broken(db))

    assert three_acts.do(tamper) == where
