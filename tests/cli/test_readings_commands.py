"""What a person sees of stored readings, and does about them while the service runs."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.model import Encounter, Identifier, Observation, Patient, Reading
from gateway.store import Database, encounters, readings

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
CONFIGURATION = """
[site]
name = "NORTHCLINIC"
zone = "America/New_York"
[store]
path = "gateway.db"
[destinations.ehr]
address = "127.0.0.1:2575"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A gateway's folder, with a weight that waits for a person, and Alma known."""
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)

    def work(db: sqlite3.Connection) -> None:
        encounters.open_encounter(db, Encounter(room="EXAM3", patient=ALMA, opened_at=AT))
        weight = Reading(
            kind="weight", observations=(Observation("weight", Decimal("72.40"), "kg"),), taken_at=AT
        )
        readings.add(db, "scale", weight, key="1", encounter_id=None, held="no patient was in EXAM4", at=AT)

    with Database(tmp_path / "gateway.db") as database:
        database.do(work)
    return tmp_path


def _gateway(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments, "--config", str(folder / "gateway.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_list_says_what_waits_and_why(folder: Path):
    (listed,) = json.loads(_gateway(folder, "readings", "list", "--held", "--json").stdout)
    assert (listed["id"], listed["held"]) == (1, "no patient was in EXAM4")
    assert listed["observations"][0]["value"] == "72.40"
    assert "weight 72.40 kg" in _gateway(folder, "readings", "list").stdout


def test_a_held_reading_is_assigned_by_the_patients_number(folder: Path):
    done = _gateway(folder, "readings", "assign", "1", "8834021@NORTH")
    assert (done.returncode, done.stderr) == (0, "")
    assert "is on its way to ehr" in done.stdout
    shown = json.loads(_gateway(folder, "readings", "show", "1", "--json").stdout)
    assert (shown["patient_id"], shown["messages"][0]["state"]) == ("8834021@NORTH", "pending")
    assert "8834021@NORTH" in _gateway(folder, "readings", "show", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("8834021@SOUTH",), "no message has named a patient of that number"),
        (("8834021@NORTH", "--given-name", "BEN"), "has another given name"),
        (("@NORTH",), "has no number"),
    ],
)
def test_a_number_that_may_be_mistyped_is_refused(folder: Path, arguments: tuple[str, ...], why: str):
    refused = _gateway(folder, "readings", "assign", "1", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert why in refused.stderr
    assert "ALMA" not in refused.stderr


def test_a_patient_whom_no_message_named_is_given_whole(folder: Path):
    stated = ("77@NORTH", "--type", "MR", "--family-name", "TESTPATIENT", "--given-name", "BEN")
    assert _gateway(folder, "readings", "assign", "1", *stated).returncode == 0
    assert "TESTPATIENT^BEN" in _gateway(folder, "queue", "show", "1").stdout


def test_a_withdrawn_reading_leaves_the_queue_and_says_why(folder: Path):
    _gateway(folder, "readings", "assign", "1", "8834021@NORTH")
    done = _gateway(folder, "readings", "withdraw", "1", "--reason", "wrong scale")
    assert "was taken out of the queue" in done.stdout
    assert "nothing waits" in _gateway(folder, "queue", "list").stdout
    assert "withdrawn: wrong scale" in _gateway(folder, "readings", "list").stdout


def test_what_was_done_is_in_the_audit_and_an_alteration_is_seen(folder: Path):
    _gateway(folder, "readings", "withdraw", "1", "--reason", "wrong scale")
    listed = json.loads(_gateway(folder, "audit", "list", "--json").stdout)
    assert [entry["action"] for entry in listed] == ["reading withdrawn"]
    assert _gateway(folder, "audit", "verify").stdout == "1 entries, none altered\n"
    with Database(folder / "gateway.db") as database:
        database.do(lambda db: db.execute("UPDATE audit SET actor = 'nobody'").rowcount)
    altered = _gateway(folder, "audit", "verify")
    assert (altered.returncode, altered.stdout) == (1, "")
    assert "seen at: 1" in altered.stderr
