"""What a person does about messages that an EHR refused."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.model import Reading
from gateway.store import Database, audit, outbox, readings

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
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
    """A gateway's folder, with one parked message and one that waits behind it."""
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)

    def work(db: sqlite3.Connection) -> None:
        for number in (1, 2):
            control_id = f"GTEST-{number}"
            reading_id = readings.add(
                db, "scale", Reading(kind="weight"), key=control_id, encounter_id=None, held=None, at=AT
            )
            assert reading_id is not None
            outbox.enqueue(
                db,
                destination="ehr",
                reading_id=reading_id,
                control_id=control_id,
                stream="ann scale",
                body=f"MSH|^~\\&|GATEWAY\rPID|{number}\r".encode(),
                at=AT,
            )
        outbox.attempted(db, 1, AT, outcome="refused", detail="204 unknown patient", state="parked")

    with Database(tmp_path / "gateway.db") as database:
        database.do(work)
    return tmp_path


def _queue(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "queue", *arguments, "--config", str(folder / "gateway.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_list_shows_what_is_parked_and_why(folder: Path):
    listed = json.loads(_queue(folder, "list", "--json").stdout)
    assert [(m["control_id"], m["state"], m["reason"]) for m in listed] == [
        ("GTEST-1", "parked", "refused: 204 unknown patient"),
        ("GTEST-2", "pending", ""),
    ]


def test_the_list_for_people_names_no_patient(folder: Path):
    printed = _queue(folder, "list").stdout
    assert "204 unknown patient" in printed
    assert "ann" not in printed


def test_one_message_is_shown_with_its_attempts_and_its_text(folder: Path):
    printed = _queue(folder, "show", "GTEST-1").stdout
    assert "refused  204 unknown patient" in printed
    assert "MSH|^~\\&|GATEWAY\nPID|1" in printed


def test_a_retried_message_waits_to_be_sent_again(folder: Path):
    assert _queue(folder, "retry", "1").returncode == 0
    listed = json.loads(_queue(folder, "list", "--json").stdout)
    assert [message["state"] for message in listed] == ["pending", "pending"]


def test_a_discarded_message_is_gone_from_the_list_and_stands_in_the_audit(folder: Path):
    assert _queue(folder, "discard", "1", "--reason", "entered by hand").returncode == 0
    listed = json.loads(_queue(folder, "list", "--json").stdout)
    assert [message["control_id"] for message in listed] == ["GTEST-2"]
    with Database(folder / "gateway.db") as database:
        (entry,) = database.do(audit.entries)
    assert (entry.action, entry.subject) == ("message discarded", "message 1 GTEST-1: entered by hand")


def test_discarding_needs_a_reason(folder: Path):
    refused = _queue(folder, "discard", "1")
    assert refused.returncode == 2
    assert "--reason" in refused.stderr


def test_a_message_that_is_not_there_is_named(folder: Path):
    refused = _queue(folder, "show", "77")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("gateway: no message '77'")


def test_a_message_that_is_not_parked_cannot_be_retried(folder: Path):
    refused = _queue(folder, "retry", "2")
    assert refused.returncode == 2
    assert "message 2 is pending" in refused.stderr


def test_a_file_for_a_practice_system_is_shown_line_by_line(folder: Path):
    with Database(folder / "gateway.db") as database:
        body = b"01380006310\r\n0148402BDM01\r\n"
        database.do(lambda db: db.execute("UPDATE message SET body = ? WHERE id = 1", (body,)))
    assert "01380006310\n0148402BDM01\n" in _queue(folder, "show", "1").stdout
