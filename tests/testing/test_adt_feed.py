"""The EHR's feed to somebody's inbound door: in order, until each is answered."""

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.errors import Hl7Error
from gateway.hl7 import parse
from gateway.model import Encounter, Identifier, Patient
from gateway.service.configuration import Address
from gateway.testing import FakeEhr
from gateway.testing.adt import adt_a04
from gateway.testing.adt_feed import AdtFeed, FeedEvent, read_feed
from gateway.testing.ehr_faults import Fault

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=-5)))


def _arrival(number: int) -> bytes:
    patient = Patient((Identifier(f"883402{number}", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
    encounter = Encounter(room="EXAM3", patient=patient, patient_class="O", opened_at=NINE)
    return adt_a04(encounter, control_id=f"REG{number}", sent_at=NINE)


def _fed(messages: list[bytes], *faults: str, seed: int = 0) -> tuple[FakeEhr, list[FeedEvent]]:
    events: list[FeedEvent] = []

    async def run() -> FakeEhr:
        async with FakeEhr(faults=tuple(map(Fault.parse, faults)), seed=seed) as receiver:
            feed = AdtFeed(
                messages=tuple(map(parse, messages)),
                to=Address(host=receiver.host, port=receiver.port),
                every_s=0.01,
                timeout_s=0.3,
                on_event=events.append,
            )
            async with asyncio.timeout(60):
                await feed.run()
            return receiver

    return asyncio.run(run()), events


def test_messages_are_sent_in_their_order_and_each_is_told():
    receiver, events = _fed([_arrival(1), _arrival(2)])
    assert [message.control_id for message in receiver.received] == ["REG1", "REG2"]
    assert [(event.message.control_id, event.outcome, event.said) for event in events] == [
        ("REG1", "accepted", "AA"),
        ("REG2", "accepted", "AA"),
    ]


def test_what_is_not_answered_is_sent_again_until_it_is():
    receiver, events = _fed([_arrival(1), _arrival(2)], "silent@50%", "close@30%", seed=3)
    assert [message.control_id for message in receiver.received] == ["REG1", "REG2"]
    assert receiver.repeated > 0
    assert {event.outcome for event in events} == {"again", "accepted"}


def test_what_is_refused_is_told_and_the_next_follows():
    _, events = _fed([_arrival(1), _arrival(2)], "reject")
    assert [event.outcome for event in events] == ["refused", "refused"]
    assert events[0].said.startswith("AR 207")


def test_a_folder_is_read_in_the_order_of_names_and_a_file_may_hold_several(tmp_path: Path):
    (tmp_path / "2.hl7").write_bytes(_arrival(3))
    (tmp_path / "1.hl7").write_bytes(_arrival(1) + _arrival(2))
    (tmp_path / "notes.txt").write_text("no message")
    assert [message.control_id for message in read_feed(tmp_path)] == ["REG1", "REG2", "REG3"]
    assert [message.control_id for message in read_feed(tmp_path / "1.hl7")] == ["REG1", "REG2"]


def test_a_feed_without_messages_or_with_a_broken_one_names_the_file(tmp_path: Path):
    with pytest.raises(Hl7Error, match="holds no message"):
        read_feed(tmp_path)
    (tmp_path / "1.hl7").write_bytes(_arrival(1).replace(b"UNICODE UTF-8", b"KLINGON"))
    with pytest.raises(Hl7Error, match=r"1\.hl7: MSH-18"):
        read_feed(tmp_path)
