"""Orders from the wire to the result: answered once on disk, named by the results that carry them out."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hl7 import Message, parse
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.profiles import PROFILES
from gateway.hl7.validation import validate
from gateway.model import Identifier, Observation, Patient, Reading
from gateway.service.acceptance import Acceptance
from gateway.service.filing import Filing
from gateway.service.intake import Intake
from gateway.service.ordering import Ordering
from gateway.service.outgoing import Outgoing
from gateway.store import Database, encounters, orders, outbox

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ORDERING = Ordering(services={"85354-9": frozenset({"blood-pressure"}), "93000": frozenset({"ekg"})})
INTAKE = Intake(zone=ZONE, ordering=ORDERING)
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(Observation("systolic", Decimal(121), "mm[Hg]"),),
    taken_at=NOW,
    time_source="device",
)
NUMBERS = count(1)


def _order(
    control: str,
    placer: str = "ORD1^OE",
    *,
    patient: str = "8834021",
    service: str = "85354-9^BP^LN",
    room: str = "EXAM3",
    at: str = "20260302091500-0500",
    due: str = "",
    status: str = "",
    asked: str = "|",
) -> bytes:
    lines = (
        f"MSH|^~\\&|OE|NORTH|GATEWAY|EXAM|20260302092000-0500||OMG^O19^OMG_O19|O{next(NUMBERS)}|P|2.5.1|||{asked}",
        f"PID|1||{patient}^^^NORTH^MR||TESTPATIENT^ALMA",
        f"PV1|1|O|FAMMED^{room}",
        f"ORC|{control}|{placer}|||{status}||||{at}",
        f"TQ1|1||||||{due}",
        f"OBR|1|{placer}||{service}",
    )
    return "\r".join((*lines, "")).encode()


def _adt(event: str, patient: str, room: str, at: str = "20260302090000-0500") -> bytes:
    lines = (
        f"MSH|^~\\&|REG|NORTH|GATEWAY|EXAM|{at}||ADT^{event}|A{next(NUMBERS)}|P|2.5.1",
        f"EVN|{event}|{at}",
        f"PID|1||{patient}^^^NORTH^MR||TESTPATIENT^ALMA",
        f"PV1|1|O|FAMMED^{room}",
    )
    return "\r".join((*lines, "")).encode()


def _taken(
    database: Database, *messages: bytes, intake: Intake = INTAKE, at: datetime = NOW
) -> list[Message]:
    """The last answer to each message."""
    take = [partial(intake.take, message=parse(data), data=data, at=at) for data in messages]
    return [parse(database.do(each)[-1]) for each in take]


def _replied(answer: Message) -> list[str]:
    return [answer.get(path) for path in ("MSA-1", "ORC-1", "ORC-2", "ORC-5", "ERR-3.1", "ERR-2.1")]


def _outgoing(profile: str = "loinc-2.5.1") -> Outgoing:
    return Outgoing(
        profiles={"ehr": PROFILES[profile].between("NORTH", ("EHR", "NORTH"))},
        zone=ZONE,
        now=lambda: NOW,
        ordering=ORDERING,
    )


def _read(database: Database, reading: Reading = PRESSURE, profile: str = "loinc-2.5.1") -> Message:
    """The message of a reading in EXAM3."""
    acceptance = Acceptance(
        database=database,
        outgoing=_outgoing(profile),
        longest_encounter=timedelta(hours=2),
        queued=lambda: None,
    )
    accepted = asyncio.run(acceptance.accept("cuff", reading, room="EXAM3", at=NOW))
    (message,) = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    return parse(message.body)


def _minutes_later(minutes: int) -> Reading:
    return replace(PRESSURE, taken_at=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_result_names_the_order_that_it_carries_out(database: Database, profile: str):
    (answer,) = _taken(database, _order("NW"))
    message = _read(database, profile=profile)
    assert _replied(answer) == ["AA", "OK", "ORD1", "SC", "", ""]
    orc, obr = message.segment("ORC"), message.segment("OBR")
    assert orc is not None
    assert obr is not None
    assert (orc.get(1), orc.raw(2), obr.raw(2)) == ("RE", "ORD1^OE", "ORD1^OE")
    assert orc.raw(3) == obr.raw(3)
    assert structure_faults(message) == ()
    assert validate(message.encode()) == ()


def test_a_result_that_nobody_ordered_names_no_order(database: Database):
    _taken(database, _adt("A04", "8834021", "EXAM3"), _order("NW", service="93000^EKG^C4"))
    assert _read(database).segment("ORC") is None


@pytest.mark.parametrize("ended", [("CA", ""), ("DC", ""), ("SC", "CA"), ("SC", "CM"), ("HD", "")])
def test_an_order_that_is_not_to_be_carried_out_is_not_used(database: Database, ended: tuple[str, str]):
    control, status = ended
    _taken(
        database,
        _adt("A04", "8834021", "EXAM3"),
        _order("NW"),
        _order(control, status=status, at="20260302091600-0500"),
    )
    assert _read(database).segment("ORC") is None


def test_an_order_that_was_held_and_released_is_used_again(database: Database):
    _taken(
        database,
        _order("NW"),
        _order("HD", at="20260302091600-0500"),
        _order("RL", at="20260302091700-0500"),
    )
    assert _read(database).get("ORC-2") == "ORD1"


def test_another_patients_order_is_not_used(database: Database):
    _taken(database, _adt("A04", "8834021", "EXAM3"), _order("NW", patient="77", room="EXAM4"))
    assert _read(database).segment("ORC") is None


def test_each_of_two_orders_gets_a_reading_and_a_third_goes_with_the_later(database: Database):
    _taken(database, _order("NW"), _order("NW", "ORD2^OE", due="20260302100000-0500"))
    named = [_read(database, _minutes_later(minutes)).get("OBR-2") for minutes in (0, 1, 2)]
    assert named == ["ORD1", "ORD2", "ORD2"]


def test_an_order_for_another_day_waits(database: Database):
    _taken(database, _adt("A04", "8834021", "EXAM3"), _order("NW", due="20260309091500-0500"))
    assert _read(database).segment("ORC") is None


def test_corrections_name_the_same_order_even_if_it_is_cancelled_meanwhile(database: Database):
    _taken(database, _order("NW"))
    _read(database)

    def decide(db: sqlite3.Connection) -> None:
        first = outbox.next_pending(db, "ehr")
        assert first is not None
        assert outbox.begin(db, first.id, NOW)
        filing = Filing(outgoing=_outgoing(), actor="nurse")
        filing.assign(db, 1, Patient((Identifier("77", "NORTH", "MR"),), "TESTPATIENT", "BEN"))

    _taken(database, _order("CA"), _order("NW", "ORD9^OE", patient="77", room="EXAM4"))
    database.do(decide)
    _, withdrawal, correction = [parse(m.body) for m in database.do(lambda db: outbox.of_reading(db, 1))]
    assert [withdrawal.get(path) for path in ("PID-3", "ORC-2", "OBR-2", "OBX-11")] == [
        "8834021",
        "ORD1",
        "ORD1",
        "W",
    ]
    assert [correction.get(path) for path in ("PID-3", "OBR-2", "OBX-11")] == ["77", "ORD9", "C"]


def test_an_order_that_was_carried_out_cannot_be_cancelled(database: Database):
    _taken(database, _order("NW"))
    _read(database)
    (answer,) = _taken(database, _order("CA"))
    assert _replied(answer)[:4] == ["AA", "UC", "ORD1", "CA"]
    assert answer.get("NTE-3")


def test_a_cancelled_order_is_answered_and_never_comes_to_life_again(database: Database):
    answers = _taken(database, _order("CA"), _order("NW"), _order("CA"), _order("XO"))
    assert [_replied(answer)[1] for answer in answers] == ["CR", "OK", "CR", "UX"]
    assert {_replied(answer)[3] for answer in answers} == {"CA"}
    assert database.do(encounters.currently_open) == ()


def test_an_older_change_does_not_undo_a_newer_one(database: Database):
    _taken(
        database,
        _order("XO", service="93000^EKG^C4", at="20260302091800-0500"),
        _order("XO", at="20260302091700-0500"),
        _order("NW"),
    )
    stored = database.do(lambda db: orders.find(db, "ORD1^OE"))
    assert stored is not None
    assert stored.order.codes == ("93000",)


def test_a_service_that_no_device_carries_out_is_refused_by_name(database: Database):
    (answer,) = _taken(database, _order("NW", service="58410-2^CBC^LN"))
    assert _replied(answer) == ["AR", "", "", "", "103", "OBR"]
    assert database.do(lambda db: orders.find(db, "ORD1^OE")) is None


def test_of_two_orders_the_one_that_can_be_done_is_taken(database: Database):
    both = _order("NW") + b"ORC|NW|ORD2^OE\rOBR|2|ORD2^OE||58410-2^CBC^LN\r"
    (answer,) = _taken(database, both)
    assert [answer.get(path) for path in ("MSA-1", "ORC-1", "ORC[2]-1", "ORC[2]-2")] == [
        "AA",
        "OK",
        "UA",
        "ORD2",
    ]
    assert database.do(lambda db: orders.find(db, "ORD2^OE")) is None


def test_a_number_is_not_given_to_two_patients(database: Database):
    _, answer = _taken(database, _order("NW"), _order("NW", patient="77"))
    assert _replied(answer) == ["AR", "", "", "", "205", "ORC"]


def test_numbers_of_two_systems_without_a_name_are_two_orders(database: Database):
    other = _order("NW", "1", patient="77").replace(b"|OE|", b"|LAB|")
    answers = _taken(database, _order("NW", "1"), other)
    assert [_replied(answer)[1] for answer in answers] == ["OK", "OK"]


def test_an_order_is_stored_before_its_commit_accept_and_both_answers_are_repeated(database: Database):
    data = _order("NW", asked="AL|AL")
    take = partial(INTAKE.take, message=parse(data), data=data, at=NOW)
    first, again = database.do(take), database.do(take)
    assert [parse(answer).get("MSA-1") for answer in first] == ["CA", "AA"]
    assert again == first


def test_an_acknowledgement_is_never_answered(database: Database):
    data = b"MSH|^~\\&|OE|NORTH|GATEWAY|EXAM|1||ACK^O20|1|P|2.5.1\rMSA|AA|G-1\r"
    assert database.do(partial(INTAKE.take, message=parse(data), data=data, at=NOW)) == ()


def _rooms(database: Database) -> dict[str, str]:
    return {e.encounter.room: e.encounter.patient.id for e in database.do(encounters.currently_open)}


def test_an_order_puts_its_patient_into_an_empty_room_and_the_next_order_the_next(database: Database):
    _taken(database, _order("NW"))
    assert _rooms(database) == {"EXAM3": "8834021@NORTH"}
    _taken(database, _order("NW", "ORD2^OE", patient="77", at="20260302091600-0500"))
    assert _rooms(database) == {"EXAM3": "77@NORTH"}


@pytest.mark.parametrize(
    ("said", "order"),
    [
        (_adt("A04", "77", "EXAM3"), _order("NW")),
        (_adt("A04", "8834021", "EXAM5"), _order("NW")),
    ],
)
def test_an_order_moves_nobody_against_an_adt_message(database: Database, said: bytes, order: bytes):
    _taken(database, said)
    before = _rooms(database)
    _taken(database, order)
    assert _rooms(database) == before


def test_an_order_from_before_the_visits_end_puts_nobody_back(database: Database):
    _taken(database, _adt("A04", "8834021", "EXAM3"), _adt("A03", "8834021", "EXAM3", "20260302092500-0500"))
    _taken(database, _order("NW"))
    assert _rooms(database) == {}


def test_an_order_for_later_puts_nobody_into_a_room_yet(database: Database):
    _taken(database, _order("NW", due="20260303091500-0500"))
    assert _rooms(database) == {}


def test_a_site_may_leave_rooms_to_adt_alone(database: Database):
    _taken(database, _order("NW"), intake=replace(INTAKE, rooms_by_order=False))
    assert _rooms(database) == {}


def test_a_cancellation_takes_the_patient_out_of_the_room_again(database: Database):
    _taken(database, _order("NW"), _order("CA"))
    assert _rooms(database) == {}


def _state(database: Database) -> object:
    found = [database.do(partial(orders.find, key=key)) for key in ("ORD1^OE", "ORD2^OE", "ORD3^OE")]
    return [(o.state, o.order.codes) if o and o.is_placed else o and o.state for o in found], _rooms(database)


FEED = (
    _order("NW"),
    _order("XO", service="93000^EKG^C4", at="20260302091600-0500"),
    _order("HD", at="20260302091700-0500"),
    _order("RL", at="20260302091800-0500"),
    _order("NW", "ORD2^OE", patient="77", room="EXAM4"),
    _order("CA", "ORD2^OE", patient="77", room="EXAM4", at="20260302091600-0500"),
    _order("NW", "ORD3^OE", patient="78", room=""),
    _order("SC", "ORD3^OE", patient="78", room="", status="CM", at="20260302091600-0500"),
)


@settings(max_examples=40, deadline=None)
@given(st.permutations(FEED), st.lists(st.sampled_from(FEED), max_size=4))
def test_orders_in_any_order_and_repeated_end_in_the_same_state(messages, again):
    with TemporaryDirectory() as folder, Database(Path(folder) / "gateway.db") as database:
        _taken(database, *messages, *again)
        assert _state(database) == (
            [("active", ("93000",)), ("withdrawn", ("85354-9",)), ("completed", ("85354-9",))],
            {"EXAM3": "8834021@NORTH"},
        )
