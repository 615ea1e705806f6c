"""Identifiers that were given up: whatever merges come, everybody is somebody."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Encounter, Identifier, Patient
from gateway.store import encounters, merging, patients
from gateway.store.movements import Said
from gateway.store.schema import migrate

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _open() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    return connection


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = _open()
    yield connection
    connection.close()


def _patient(name: str) -> Patient:
    return Patient((Identifier(name),))


def _merge(db: sqlite3.Connection, old: str, new: str, at: str) -> None:
    merging.merge(db, _patient(new), (), (old,), Said("REG", at), NOW)


def test_an_identifier_that_is_in_use_again_is_its_own(db: sqlite3.Connection):
    for old, new, at in (("B", "A", "1"), ("A", "Z", "2"), ("A", "B", "3")):
        _merge(db, old, new, at)
    assert [patients.survivor(db, name) for name in ("A", "B", "Z")] == ["B", "B", "Z"]


_NAMES = st.sampled_from("ABCD")


@given(st.lists(st.tuples(_NAMES, _NAMES, st.sampled_from("1234")), max_size=12))
def test_any_merges_leave_everybody_one_survivor_and_one_room(merges):
    db = _open()
    for name in "ABCD":
        visit = Encounter(room=f"ROOM-{name}", patient=_patient(name), opened_at=NOW)
        encounters.open_encounter(db, visit)
    for old, new, at in merges:
        _merge(db, old, new, at)
    for name in "ABCD":
        last = patients.survivor(db, name)
        assert patients.survivor(db, last) == last
        assert patients.known(db, name) is not None
    present = [stored.encounter.patient.id for stored in encounters.currently_open(db)]
    assert len(present) == len(set(present))
    db.close()
