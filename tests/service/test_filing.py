"""A person's decision reaches every EHR that may have the reading, and no other."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest

from gateway.errors import StoreError
from gateway.hl7 import Message, parse
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.profiles import PROFILES
from gateway.model import Encounter, Identifier, Observation, Patient, Reading, rejected
from gateway.service.acceptance import Acceptance
from gateway.service.filing import Filing
from gateway.service.outgoing import Outgoing
from gateway.store import Database, audit, encounters, outbox, readings

T = TypeVar("T")
NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
BEN = Patient((Identifier("77", "NORTH", "MR"),), "TESTPATIENT", "BEN")
WEIGHT = Reading(kind="weight", observations=(Observation("weight", Decimal("72.40"), "kg"),))
OUTGOING = Outgoing(
    profiles={
        name: PROFILES["loinc-2.5.1"].between("NORTHCLINIC", (name, "NORTH")) for name in ("ehr", "lab")
    },
    zone=ZoneInfo("America/New_York"),
    now=lambda: NOW,
)
FILING = Filing(outgoing=OUTGOING, actor="nurse")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Alma is in EXAM3, nobody in EXAM4."""
    alma = Encounter(room="EXAM3", patient=ALMA, location="FAM^EXAM3", opened_at=NOW - timedelta(minutes=5))
    with Database(tmp_path / "gateway.db") as database:
        database.do(lambda db: encounters.open_encounter(db, alma))
        yield database


def _accept(database: Database, reading: Reading = WEIGHT, room: str = "EXAM3") -> int:
    acceptance = Acceptance(
        database=database, outgoing=OUTGOING, longest_encounter=timedelta(hours=2), queued=lambda: None
    )
    accepted = asyncio.run(acceptance.accept("scale", reading, room=room, at=NOW))
    assert accepted.reading_id is not None
    return accepted.reading_id


def _sent(database: Database, *destinations: str) -> None:
    """The first message of each of those destinations went out and was acknowledged."""

    def work(db: sqlite3.Connection, destination: str) -> None:
        message = outbox.next_pending(db, destination)
        assert message is not None
        assert outbox.begin(db, message.id, NOW)
        outbox.attempted(db, message.id, NOW, outcome="accepted", state="acknowledged")

    for destination in destinations:
        database.do(partial(work, destination=destination))


def _waiting(database: Database, destination: str = "ehr") -> list[Message]:
    return [parse(m.body) for m in database.do(lambda db: outbox.unsettled(db, destination))]


def _said(message: Message) -> list[str]:
    return [message.get(path) for path in ("PID-3.1", "OBR-3.1", "OBR-25", "OBX-11", "OBX-5")]


def _do(database: Database, decision: Callable[..., T], *arguments: object, **options: object) -> T:
    return database.do(lambda db: decision(db, *arguments, **options))


def test_a_held_reading_is_sent_to_its_patient_as_if_it_had_been_known(database: Database):
    number = _accept(database, room="EXAM4")
    _do(database, FILING.assign, number, ALMA)
    (message,) = _waiting(database)
    assert _said(message)[0] == "8834021"
    assert _said(message)[2:] == ["F", "F", "72.40"]
    stored = database.do(lambda db: readings.find(db, number))
    assert stored is not None
    assert (stored.held, stored.reading.patient_id) == (None, "8834021@NORTH")


def test_the_visit_is_named_only_where_it_covers_the_moment(database: Database):
    number = _accept(database, room="EXAM4")
    _do(database, FILING.assign, number, ALMA)
    assert _waiting(database)[0].get("PV1-3.2") == "EXAM3"
    _do(database, FILING.assign, number, BEN)
    assert [message.segment("PV1") for message in _waiting(database)] == [None]


def test_what_never_began_to_go_out_is_taken_back_and_nothing_is_sent(database: Database):
    decided = _do(database, FILING.withdraw, _accept(database), "wrong cuff")
    assert (len(decided.taken_back), decided.queued) == (2, ())
    assert database.do(outbox.unsettled) == ()


def test_a_withdrawal_goes_to_every_destination_that_had_it_and_to_no_other(database: Database):
    number = _accept(database)
    original = _waiting(database)[0]
    _sent(database, "ehr")
    _do(database, FILING.withdraw, number, "wrong cuff")
    (withdrawal,) = _waiting(database)
    assert _said(withdrawal) == ["8834021", original.get("OBR-3.1"), "C", "W", "72.40"]
    assert withdrawal.get("NTE-3") == "wrong cuff; withdrawn"
    assert structure_faults(withdrawal) == ()
    assert _waiting(database, "lab") == []


def test_a_message_whose_fate_is_unknown_is_not_sent_again_but_taken_back_aloud(database: Database):
    number = _accept(database)
    (message, _) = database.do(outbox.unsettled)
    database.do(lambda db: outbox.begin(db, message.id, NOW))
    _do(database, FILING.withdraw, number, "wrong cuff", delete=True)
    assert [_said(m)[3] for m in _waiting(database)] == ["D"]
    database.do(lambda db: outbox.attempted(db, message.id, NOW, outcome="silence"))
    assert len(_waiting(database)) == 1


def test_a_message_that_was_taken_back_can_no_longer_begin(database: Database):
    number = _accept(database)
    message = database.do(lambda db: outbox.next_pending(db, "ehr"))
    assert message is not None
    _do(database, FILING.withdraw, number, "wrong cuff")
    assert not database.do(lambda db: outbox.begin(db, message.id, NOW))


def test_another_patient_gets_it_after_the_first_has_lost_it(database: Database):
    number = _accept(database)
    _sent(database, "ehr")
    _do(database, FILING.assign, number, BEN)
    withdrawal, corrected = map(_said, _waiting(database))
    assert (withdrawal[0], withdrawal[2:]) == ("8834021", ["C", "W", "72.40"])
    assert (corrected[0], corrected[2:]) == ("77", ["C", "C", "72.40"])
    assert withdrawal[1] == corrected[1]
    assert [_said(m)[0] + _said(m)[2] for m in _waiting(database, "lab")] == ["77F"]


def test_a_reading_moved_twice_is_withdrawn_only_where_it_stands(database: Database):
    number = _accept(database)
    _sent(database, "ehr")
    _do(database, FILING.assign, number, BEN)
    _do(database, FILING.withdraw, number, "nobody's")
    assert [(_said(m)[0], _said(m)[3]) for m in _waiting(database)] == [("8834021", "W")]


def test_a_withdrawn_reading_may_be_assigned_after_all(database: Database):
    number = _accept(database)
    _do(database, FILING.withdraw, number, "mistaken")
    _do(database, FILING.assign, number, ALMA)
    assert [_said(m)[2] for m in _waiting(database)] == ["F"]


def test_a_destination_that_is_no_longer_configured_is_named(database: Database):
    number = _accept(database)
    _sent(database, "lab")
    fewer = Outgoing(profiles={"ehr": OUTGOING.profiles["ehr"]}, zone=OUTGOING.zone, now=OUTGOING.now)
    decided = _do(database, Filing(outgoing=fewer, actor="nurse").withdraw, number, "wrong cuff")
    assert (decided.untold, decided.queued) == (("lab",), ())


def test_every_decision_stands_in_the_audit_without_a_patient(database: Database):
    number = _accept(database, room="EXAM4")
    _do(database, FILING.assign, number, ALMA)
    _do(database, FILING.withdraw, number, "wrong cuff")
    entries = database.do(audit.entries)
    assert [(e.actor, e.action, e.subject) for e in entries] == [
        ("nurse", "reading assigned", "reading 1 to encounter 1"),
        ("nurse", "reading withdrawn", "reading 1: wrong cuff"),
    ]


def test_what_cannot_be_decided_changes_nothing(database: Database):
    filed, failed = _accept(database), _accept(database, rejected("weight", "overload"))
    for decision, arguments in (
        (FILING.assign, (filed, ALMA)),
        (FILING.assign, (failed, ALMA)),
        (FILING.withdraw, (failed, "no value")),
        (FILING.withdraw, (99, "not there")),
    ):
        with pytest.raises(StoreError):
            _do(database, decision, *arguments)
    assert database.do(audit.entries) == ()
    assert len(_waiting(database)) == 1
