"""What the one writer promises: whole transactions, on disk, and never two gateways on one file."""

import json
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import Encounter, Identifier, Patient
from gateway.model.serialised import encounter_to_row
from gateway.store import Database, encounters, patients
from gateway.store.database import connect
from gateway.store.schema import MIGRATIONS


def _rows(db: sqlite3.Connection) -> list[str]:
    return [row["action"] for row in db.execute("SELECT action FROM audit ORDER BY seq")]


def _add(db: sqlite3.Connection, action: str) -> None:
    db.execute("INSERT INTO audit (at, actor, action, subject, digest) VALUES ('', '', ?, '', '')", (action,))


def test_commits_survive_a_power_cut(database: Database):
    settings = database.do(
        lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    )
    assert settings == ["wal", 2]


def test_a_failing_write_takes_nothing_of_the_others_with_it(database: Database):
    def fails(db: sqlite3.Connection) -> None:
        _add(db, "never")
        raise ValueError("no")

    before = database.submit(lambda db: _add(db, "before"))
    failing = database.submit(fails)
    after = database.submit(lambda db: _add(db, "after"))
    before.result()
    after.result()
    with pytest.raises(ValueError, match="no"):
        failing.result()
    assert database.do(_rows) == ["before", "after"]


def test_a_write_that_nobody_waits_for_any_more_does_not_stop_the_others(database: Database):
    held = threading.Event()
    database.submit(lambda _: held.wait(10))
    given_up = database.submit(lambda db: _add(db, "given up"))
    given_up.cancel()
    held.set()
    database.do(lambda db: _add(db, "after"))
    assert database.do(_rows) == ["after"]


def test_what_was_submitted_before_closing_is_written(tmp_path: Path):
    database = Database(tmp_path / "gateway.db")
    futures = [database.submit(lambda db, n=n: _add(db, str(n))) for n in range(200)]  # type: ignore[misc] # lambda default
    database.close()
    assert all(future.done() for future in futures)
    assert _rows(connect(tmp_path / "gateway.db")) == [str(n) for n in range(200)]


def test_a_statement_that_the_database_refuses_is_a_store_error(database: Database):
    with pytest.raises(StoreError, match="nothing was written"):
        database.do(lambda db: db.execute("INSERT INTO message (id) VALUES (1)"))


def test_a_second_gateway_on_the_same_file_is_refused(tmp_path: Path):
    with Database(tmp_path / "gateway.db", exclusive=True):
        script = (
            "import pathlib, sys; from gateway.store import Database; "
            "Database(pathlib.Path(sys.argv[1]), exclusive=True)"
        )
        second = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "gateway.db")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "another gateway has it open" in second.stderr


def test_the_file_can_be_opened_again_once_the_first_gateway_is_gone(tmp_path: Path):
    Database(tmp_path / "gateway.db", exclusive=True).close()
    Database(tmp_path / "gateway.db", exclusive=True).close()


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "gateway.db"
    path.write_bytes(b"not a database at all, but long enough to be read as a page of one")
    with pytest.raises(StoreError, match=r"gateway\.db"):
        Database(path)


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path):
    path = tmp_path / "gateway.db"
    connection = connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer than this program"):
        Database(path)


def test_every_installation_makes_control_ids_of_its_own(tmp_path: Path):
    names = set()
    for n in range(3):
        connection = connect(tmp_path / f"{n}.db")
        names.add(connection.execute("SELECT name FROM installation").fetchone()[0])
        connection.close()
    assert len(names) == 3


def test_a_database_of_an_older_program_knows_the_patients_of_its_encounters(tmp_path: Path):
    path = tmp_path / "gateway.db"
    older = sqlite3.connect(path, isolation_level=None)
    for script in MIGRATIONS[:3]:
        older.executescript(script)
    older.execute("PRAGMA user_version = 3")
    alma = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
    row = encounter_to_row(Encounter(room="EXAM3", patient=alma, opened_at=datetime(2026, 3, 2, tzinfo=UTC)))
    del row["by_order"]
    older.execute(
        "INSERT INTO encounter (room, patient_id, body, opened_at) VALUES ('EXAM3', ?, ?, ?)",
        (alma.id, json.dumps(row), "2026-03-02T00:00:00.000000+00:00"),
    )
    older.close()
    with Database(path) as database:
        assert database.do(lambda db: patients.known(db, alma.id)) == alma
        (stored,) = database.do(encounters.currently_open)
        assert (stored.encounter.patient, stored.encounter.by_order) == (alma, "")
