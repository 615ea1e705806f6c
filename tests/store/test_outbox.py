"""What a lane may rely on: order, bytes that never change, parked messages that hold back only their own."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import StoreError
from gateway.model import Reading
from gateway.store import Database, audit, outbox, readings

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)


def _message(database: Database, stream: str, destination: str = "ehr") -> outbox.OutboxMessage:
    def work(db: sqlite3.Connection) -> outbox.OutboxMessage:
        control_id = outbox.next_control_id(db)
        reading_id = readings.add(
            db, "scale", Reading(kind="weight"), key=control_id, encounter_id=None, held=None, at=AT
        )
        assert reading_id is not None
        outbox.enqueue(
            db,
            destination=destination,
            reading_id=reading_id,
            control_id=control_id,
            stream=stream,
            body=b"MSH|" + control_id.encode(),
            at=AT,
        )
        return outbox.find(db, control_id)

    return database.do(work)


def _park(database: Database, message: outbox.OutboxMessage) -> None:
    database.do(
        lambda db: outbox.attempted(
            db, message.id, AT, outcome="AR", detail="unknown patient", state="parked"
        )
    )


def _next(database: Database, *, past_parked: bool = False) -> str | None:
    message = database.do(lambda db: outbox.next_pending(db, "ehr", past_parked=past_parked))
    return message.control_id if message else None


def test_the_oldest_message_of_a_destination_goes_first(database: Database):
    _message(database, "a", destination="registry")
    first, _ = _message(database, "a"), _message(database, "b")
    assert _next(database) == first.control_id


def test_a_parked_message_holds_back_its_own_patient_and_device_only(database: Database):
    first, _, other = (_message(database, stream) for stream in ("ann scale", "ann scale", "bob scale"))
    _park(database, first)
    assert _next(database) == other.control_id


def test_a_destination_may_ask_for_what_waits_behind_a_parked_message(database: Database):
    first, behind = _message(database, "ann scale"), _message(database, "ann scale")
    _park(database, first)
    assert _next(database, past_parked=True) == behind.control_id


def test_a_retried_message_goes_with_its_own_bytes_and_control_id(database: Database):
    message = _message(database, "ann scale")
    _park(database, message)
    database.do(lambda db: outbox.retry(db, outbox.find(db, str(message.id)), AT, "technician"))
    again = database.do(lambda db: outbox.next_pending(db, "ehr"))
    assert again is not None
    assert (again.control_id, again.body, again.attempts) == (message.control_id, message.body, 0)


def test_a_discarded_message_lets_the_next_one_go_and_stands_in_the_audit(database: Database):
    first, behind = _message(database, "ann scale"), _message(database, "ann scale")
    _park(database, first)
    database.do(
        lambda db: outbox.discard(db, outbox.find(db, first.control_id), AT, "technician", "wrong site")
    )
    (entry,) = database.do(audit.entries)
    assert _next(database) == behind.control_id
    assert (entry.actor, entry.action) == ("technician", "message discarded")


def test_an_acknowledged_message_cannot_be_retried(database: Database):
    message = _message(database, "ann scale")
    database.do(lambda db: outbox.attempted(db, message.id, AT, outcome="AA", state="acknowledged"))
    with pytest.raises(StoreError, match="is acknowledged"):
        database.do(lambda db: outbox.retry(db, outbox.find(db, message.control_id), AT, "technician"))


def test_an_answer_that_comes_after_a_discard_changes_nothing(database: Database):
    message = _message(database, "ann scale")
    database.do(lambda db: outbox.discard(db, message, AT, "technician", "duplicate"))
    database.do(lambda db: outbox.attempted(db, message.id, AT, outcome="silence", state="pending"))
    assert database.do(lambda db: outbox.find(db, message.control_id)).state == "discarded"


def test_every_attempt_is_kept_with_its_outcome(database: Database):
    message = _message(database, "ann scale")
    for outcome in ("silence", "AE"):
        database.do(lambda db, o=outcome: outbox.attempted(db, message.id, AT, outcome=o))  # type: ignore[misc] # lambda default
    tries = database.do(lambda db: outbox.attempts(db, message.id))
    assert [attempt.outcome for attempt in tries] == ["silence", "AE"]


def test_a_message_that_waits_says_until_when(database: Database):
    message = _message(database, "ann scale")
    later = AT + timedelta(seconds=8)
    database.do(lambda db: outbox.attempted(db, message.id, AT, outcome="AE", not_before=later))
    assert database.do(lambda db: outbox.find(db, message.control_id)).not_before == later


def test_control_ids_fit_the_twenty_characters_of_msh_10(database: Database):
    ids = [database.do(outbox.next_control_id) for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(len(control_id) <= 20 for control_id in ids)


def test_an_unknown_message_is_named_in_the_error(database: Database):
    with pytest.raises(StoreError, match="no message '77'"):
        database.do(lambda db: outbox.find(db, "77"))
