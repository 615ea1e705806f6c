"""The inbound door through a socket: every message is answered, and only once it is on disk."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hl7 import Message, mllp, parse
from gateway.model import Identifier, Patient, Reading
from gateway.service.configuration import InboundTable
from gateway.service.inbound import InboundServer
from gateway.service.intake import Intake
from gateway.service.mllp_connection import MllpConnection
from gateway.store import Database, audit, encounters, orders, outbox, patients, readings

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
INTAKE = Intake(zone=ZoneInfo("America/New_York"))
ARRIVAL = (
    b"MSH|^~\\&|REG|NORTHCLINIC|GATEWAY|EXAM|20260302084112-0500||ADT^A04^ADT_A01|REG1|P|2.5.1\r"
    b"EVN|A04|20260302084112-0500\r"
    b"PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA^R||19610417|F\r"
    b"PV1|1|O|FAMMED^EXAM3^^NORTH||||||||||||||||V00991822^^^NORTH^VN\r"
)


def _with(data: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


def _send(database: Database, *messages: bytes, raw: bytes | None = None) -> list[Message]:
    """Answers to messages sent on one connection."""

    async def run() -> list[Message]:
        table = InboundTable.model_validate({"listen": "127.0.0.1:0", "largest_message": 2000})
        server = InboundServer(table=table, database=database, intake=INTAKE, now=lambda: datetime.now(UTC))
        await server.open()
        connection = MllpConnection(*await asyncio.open_connection("127.0.0.1", server.port))
        answers = []
        async with asyncio.timeout(30):
            for message in messages:
                connection.writer.write(raw or mllp.frame(message))
                answers.append(parse(await connection.receive()))
        await server.close()
        await connection.close()
        return answers

    return asyncio.run(run())


ORDER = (
    b"MSH|^~\\&|OE|NORTHCLINIC|GATEWAY|EXAM|20260302085010-0500||OMG^O19^OMG_O19|OE1|P|2.5.1|||AL|AL\r"
    b"PID|1||8834021^^^NORTH^MR||TESTPATIENT^ALMA\r"
    b"PV1|1|O|FAMMED^EXAM3\r"
    b"ORC|NW|ORD1^OE\r"
    b"OBR|1|ORD1^OE||85354-9^Blood pressure panel^LN\r"
)


def test_an_order_gets_both_answers_that_it_asks_for_and_is_on_disk_before_the_first(database: Database):
    async def run() -> list[Message]:
        table = InboundTable.model_validate({"listen": "127.0.0.1:0"})
        server = InboundServer(table=table, database=database, intake=INTAKE, now=lambda: datetime.now(UTC))
        await server.open()
        connection = MllpConnection(*await asyncio.open_connection("127.0.0.1", server.port))
        async with asyncio.timeout(30):
            connection.writer.write(mllp.frame(ORDER))
            commit = parse(await connection.receive())
            stored = database.do(lambda db: orders.find(db, "ORD1^OE"))
            application = parse(await connection.receive())
            connection.writer.write(mllp.frame(application.data))  # an acknowledgement has no answer
            connection.writer.write(mllp.frame(ARRIVAL))
            following = parse(await connection.receive())
        await server.close()
        await connection.close()
        assert stored is not None
        return [commit, application, following]

    answers = asyncio.run(run())
    assert [(a.type, a.get("MSA-1"), a.get("MSA-2"), a.get("ORC-1")) for a in answers] == [
        ("ACK", "CA", "OE1", ""),
        ("ORG", "AA", "OE1", "OK"),
        ("ACK", "AA", "REG1", ""),
    ]


def _rooms(database: Database) -> dict[str, str]:
    return {e.encounter.room: e.encounter.patient.id for e in database.do(encounters.currently_open)}


def test_an_arrival_puts_the_patient_in_the_room(database: Database):
    (answer,) = _send(database, ARRIVAL)
    assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AA", "REG1")
    assert _rooms(database) == {"EXAM3": "8834021@NORTH"}


def test_the_place_and_visit_are_kept_as_the_ehr_wrote_them(database: Database):
    _send(database, ARRIVAL)
    (stored,) = database.do(encounters.currently_open)
    assert stored.encounter.location == "FAMMED^EXAM3^^NORTH"
    assert stored.encounter.visit is not None
    assert stored.encounter.visit.value == "V00991822"


def test_the_next_arrival_in_a_room_ends_the_one_before(database: Database):
    _send(database, ARRIVAL, _with(ARRIVAL, (b"REG1", b"REG2"), (b"8834021", b"8834022")))
    assert _rooms(database) == {"EXAM3": "8834022@NORTH"}


def test_a_patient_is_in_one_room_only(database: Database):
    _send(database, ARRIVAL, _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A02"), (b"EXAM3", b"EXAM4")))
    assert _rooms(database) == {"EXAM4": "8834021@NORTH"}


@pytest.mark.parametrize("event", [b"A03", b"A11"])
def test_the_end_of_a_visit_and_a_cancelled_one_empty_the_room(database: Database, event: bytes):
    _send(database, ARRIVAL, _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", event)))
    assert _rooms(database) == {}


def test_corrected_particulars_reach_the_open_encounter(database: Database):
    _send(database, ARRIVAL, _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A08"), (b"ALMA", b"ALMAZ")))
    (stored,) = database.do(encounters.currently_open)
    assert stored.encounter.patient.given_name == "ALMAZ"


def _said(number: int, event: str, patient: str, room: str, at: str) -> bytes:
    header = f"MSH|^~\\&|REG|NORTHCLINIC|GATEWAY|EXAM|{at}||ADT^{event}|DAY{number}|P|2.5.1"
    return "\r".join(
        (header, f"EVN|{event}|{at}", f"PID|1||{patient}^^^NORTH", f"PV1|1|O|F^{room}", "")
    ).encode()


DAY = tuple(
    _said(number, *said)
    for number, said in enumerate(
        (
            ("A04", "4", "EXAM5", "20260302074000-0500"),
            ("A04", "1", "EXAM5", "20260302075000-0500"),
            ("A04", "5", "EXAM3", "20260302075500-0500"),
            ("A02", "1", "EXAM3", "20260302080000-0500"),
            ("A02", "1", "EXAM4", "20260302081000-0500"),
            ("A04", "2", "EXAM3", "20260302081500-0500"),
            ("A03", "1", "EXAM4", "20260302082000-0500"),
            ("A04", "3", "EXAM4", "20260302083000-0500"),
            ("A11", "3", "EXAM4", "20260302073100-0600"),
            ("A03", "2", "EXAM3", "20260302084000-0500"),
            ("A04", "1", "EXAM3", "20260302090000-0500"),
        )
    )
)


@settings(max_examples=40, deadline=None)
@given(st.permutations(DAY), st.lists(st.sampled_from(DAY), max_size=4))
def test_a_days_messages_in_any_order_and_repeated_end_in_the_same_rooms(messages, again):
    with TemporaryDirectory() as folder, Database(Path(folder) / "gateway.db") as database:
        for message in (*messages, *again):
            database.do(partial(INTAKE.take, message=parse(message), data=message, at=datetime.now(UTC)))
        assert _rooms(database) == {"EXAM3": "1@NORTH"}


def _person(number: int, event: str, at: str, patient: str, particulars: str, *, gives_up: str = "") -> bytes:
    """A message of that hour of a day: names an id, ``family^given|birth date|sex``, and MRG's id."""
    name, birth_date, sex = particulars.split("|")
    lines = [
        f"MSH|^~\\&|REG|NORTHCLINIC|GATEWAY|EXAM|2026030{at}00-0500||ADT^{event}|P{number}|P|2.5.1",
        f"EVN|{event}|2026030{at}00-0500",
        f"PID|1||{patient}^^^NORTH||{name}||{birth_date}|{sex}",
    ]
    lines += [f"MRG|{gives_up}^^^NORTH"] if gives_up else []
    lines += ["PV1|1|O|F^EXAM3"] if event in ("A04", "A02") else []
    return "\r".join((*lines, "")).encode()


CHAIN = (
    _person(1, "A04", "20800", "A", "TEST^ALMA|19610417|F"),
    _person(2, "A08", "20830", "A", "TEST^ALMAZ||"),
    _person(3, "A28", "20840", "B", "TEST^AL|1961|"),
    _person(4, "A40", "20900", "B", "||", gives_up="A"),
    _person(5, "A08", "20930", "A", "|19610418|"),
    _person(6, "A31", "20940", "C", "TEST^ALMA^R||"),
    _person(7, "A47", "21000", "C", "||", gives_up="B"),
    _person(8, "A08", "21030", "B", '||""'),
    _person(9, "A02", "21100", "A", "||"),
)


@settings(max_examples=40, deadline=None)
@given(st.permutations(CHAIN), st.lists(st.sampled_from(CHAIN), max_size=4))
def test_chained_merges_in_any_order_and_repeated_end_in_one_patient_with_the_latest_of_each(messages, again):
    with TemporaryDirectory() as folder, Database(Path(folder) / "gateway.db") as database:
        for message in (*messages, *again):
            database.do(partial(INTAKE.take, message=parse(message), data=message, at=datetime.now(UTC)))
        expected = Patient((Identifier("C", "NORTH"),), "TEST", "ALMA", "R", "19610418", "")
        for former in ("A@NORTH", "B@NORTH", "C@NORTH"):
            assert database.do(partial(patients.known, patient_id=former)) == expected
        (stored,) = database.do(encounters.currently_open)
        assert (stored.encounter.room, stored.encounter.patient) == ("EXAM3", expected)


@pytest.mark.parametrize("event", ["A03", "A11"])
def test_the_end_of_a_visit_under_a_retired_identifier_ends_the_survivors(database: Database, event: str):
    _send(database, ARRIVAL, MERGE, _said(1, event, "8834021", "EXAM3", "20260303080000-0500"))
    assert _rooms(database) == {}


def test_an_arrival_under_a_retired_identifier_is_the_survivors(database: Database):
    _send(database, MERGE, ARRIVAL)
    assert _rooms(database) == {"EXAM3": "9000001@NORTH"}


def test_a_merge_that_was_turned_round_keeps_the_one_that_was_named_last(database: Database):
    back = _with(
        MERGE,
        (b"REG9", b"REG10"),
        (b"20260303070000", b"20260303080000"),
        (b"|8834021", b"|X"),
        (b"||9000001", b"||8834021"),
        (b"|X", b"|9000001"),
    )
    for order in ((MERGE, back), (back, MERGE)):
        _send(database, ARRIVAL, *order)
        assert database.do(partial(patients.survivor, patient_id="9000001@NORTH")) == "8834021@NORTH"


def test_an_older_correction_does_not_undo_a_newer_one(database: Database):
    newer = _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A08"), (b"ALMA", b"ALMAZ"), (b"084112", b"093000"))
    older = _with(ARRIVAL, (b"REG1", b"REG3"), (b"A04", b"A08"), (b"ALMA", b"AL"), (b"084112", b"092000"))
    _send(database, ARRIVAL, newer, older)
    (stored,) = database.do(encounters.currently_open)
    assert stored.encounter.patient.given_name == "ALMAZ"


def test_a_correction_leaves_what_it_does_not_state_and_deletes_what_it_says_is_gone(database: Database):
    _send(database, ARRIVAL, _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A08"), (b"19610417|F", b'""|')))
    (stored,) = database.do(encounters.currently_open)
    patient = stored.encounter.patient
    assert (patient.birth_date, patient.sex, patient.family_name) == ("", "F", "TESTPATIENT")


def test_who_was_two_is_in_the_room_of_the_later_message(database: Database):
    other = _said(1, "A04", "9000001", "EXAM5", "20260302090000-0500")
    _send(database, other, ARRIVAL, MERGE)
    assert _rooms(database) == {"EXAM5": "9000001@NORTH"}


def test_an_arrival_that_comes_after_its_end_leaves_the_room_empty(database: Database):
    left = _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A03"), (b"084112", b"093001"))
    answers = _send(database, left, ARRIVAL)
    assert [answer.get("MSA-1") for answer in answers] == ["AA", "AA"]
    assert _rooms(database) == {}


def test_the_times_of_two_senders_are_not_compared(database: Database):
    other = _with(ARRIVAL, (b"|REG|", b"|DESK|"), (b"084112", b"093001"), (b"A04", b"A03"))
    _send(database, other, ARRIVAL)
    assert _rooms(database) == {"EXAM3": "8834021@NORTH"}


MERGE = (
    b"MSH|^~\\&|REG|NORTHCLINIC|GATEWAY|EXAM|20260303070000-0500||ADT^A40^ADT_A39|REG9|P|2.5.1\r"
    b"EVN|A40|20260303070000-0500\r"
    b"PID|1||9000001^^^NORTH^MR||TESTPATIENT^ALMA^R\r"
    b"MRG|8834021^^^NORTH^MR\r"
)


def test_a_merge_keeps_the_patient_in_the_room_under_the_surviving_identifier(database: Database):
    _, answer = _send(database, ARRIVAL, MERGE)
    assert answer.get("MSA-1") == "AA"
    assert _rooms(database) == {"EXAM3": "9000001@NORTH"}


def test_a_merge_reaches_visits_that_have_ended(database: Database):
    _send(database, ARRIVAL, _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A03")), MERGE)
    (stored,) = database.do(lambda db: encounters.of_patient(db, "9000001@NORTH"))
    assert stored.encounter.patient.id == "9000001@NORTH"
    assert stored.encounter.location == "FAMMED^EXAM3^^NORTH"


def test_a_merge_moves_a_held_reading_and_leaves_others_alone(database: Database):
    def two(db: sqlite3.Connection) -> None:
        for number, patient in enumerate(("8834021@NORTH", "8834021@SOUTH"), start=1):
            reading = Reading(kind="weight", patient_id=patient)
            readings.add(db, "scale", reading, key=str(number), encounter_id=None, held="why", at=NOW)

    database.do(two)
    _send(database, MERGE)
    stored = database.do(readings.since)
    assert [(s.reading.patient_id, s.held) for s in stored] == [
        ("9000001@NORTH", "why"),
        ("8834021@SOUTH", "why"),
    ]


def test_a_merge_changes_no_byte_that_waits_and_lets_nothing_overtake_it(database: Database):
    def one(db: sqlite3.Connection) -> None:
        reading_id = readings.add(
            db, "scale", Reading(kind="weight"), key="1", encounter_id=None, held=None, at=NOW
        )
        assert reading_id is not None
        outbox.enqueue(
            db,
            destination="ehr",
            reading_id=reading_id,
            control_id="T1",
            stream="8834021@NORTH scale",
            body=b"MSH of the patient before",
            at=NOW,
        )

    database.do(one)
    _send(database, MERGE)
    (waiting,) = database.do(outbox.unsettled)
    assert (waiting.stream, waiting.body) == ("9000001@NORTH scale", b"MSH of the patient before")


def test_a_merge_is_on_the_record_without_naming_the_patient(database: Database):
    _send(database, ARRIVAL, MERGE)
    (entry,) = database.do(audit.entries)
    assert (entry.action, entry.subject) == ("patients merged", "1 encounters, 0 readings")


def test_a_merge_of_a_patient_that_nobody_knows_is_harmless(database: Database):
    (answer,) = _send(database, MERGE)
    assert answer.get("MSA-1") == "AA"
    assert _rooms(database) == {}


def test_a_repeated_message_gets_the_same_answer_and_changes_nothing(database: Database):
    left = _with(ARRIVAL, (b"REG1", b"REG2"), (b"A04", b"A03"))
    first, _, again = _send(database, ARRIVAL, left, ARRIVAL)
    assert again.encode() == first.encode()
    assert _rooms(database) == {}


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ((b"ADT^A04^ADT_A01", b"ADT^A60"), "201", "MSH"),
        ((b"ADT^A04^ADT_A01", b"SIU^S12"), "200", "MSH"),
        ((b"ADT^A04^ADT_A01", b"ACK^R01^ACK"), "200", "MSH"),
        ((b"FAMMED^EXAM3^^NORTH", b"FAMMED"), "101", "PV1"),
        ((b"8834021^^^NORTH^MR", b""), "101", "PID"),
    ],
)
def test_what_is_not_taken_is_refused_with_the_reason(
    database: Database, change: tuple[bytes, bytes], code: str, where: str
):
    (answer,) = _send(database, _with(ARRIVAL, change))
    assert [answer.get(path) for path in ("MSA-1", "MSA-2", "ERR-3.1", "ERR-2.1")] == [
        "AR",
        "REG1",
        code,
        where,
    ]
    assert _rooms(database) == {}


def test_an_old_version_is_refused_in_its_own_form(database: Database):
    (answer,) = _send(database, _with(ARRIVAL, (b"|2.5.1", b"|2.3"), (b"ADT^A04^ADT_A01", b"ADT^A60")))
    assert [answer.get(path) for path in ("MSH-9", "MSH-12", "ERR-1.4")] == ["ACK", "2.3", "201"]
    assert answer.get("MSA-3")


def test_enhanced_mode_is_answered_with_commit_codes(database: Database):
    (answer,) = _send(database, _with(ARRIVAL, (b"|2.5.1", b"|2.5.1|||AL|NE")))
    assert answer.get("MSA-1") == "CA"


def test_a_message_that_cannot_be_parsed_is_refused_by_its_control_id(database: Database):
    (answer,) = _send(database, _with(ARRIVAL, (b"|2.5.1", b"|2.5.1||||||KLINGON")))
    assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AR", "REG1")
    assert "MSH-18" in answer.get("ERR-8")


def test_a_message_over_the_limit_is_refused_and_the_next_one_is_taken(database: Database):
    large = _with(ARRIVAL, (b"ALMA", b"A" * 3000))
    refused, taken = _send(database, large, ARRIVAL)
    assert (refused.get("MSA-1"), taken.get("MSA-1")) == ("AR", "AA")


def test_a_sender_that_leaves_out_the_last_byte_is_answered_all_the_same(database: Database):
    (answer,) = _send(database, ARRIVAL, raw=mllp.frame(ARRIVAL)[:-1])
    assert answer.get("MSA-1") == "AA"
