"""Whom a device is on, from the manager's report to the reading that is filed by it."""

import asyncio
from collections.abc import Mapping
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

from gateway.hl7 import Message, mllp, parse
from gateway.hl7.profiles import PROFILES
from gateway.model import Device, Encounter, Identifier, Observation, Patient, Reading
from gateway.service.acceptance import Acceptance
from gateway.service.configuration import InboundTable
from gateway.service.inbound import InboundServer
from gateway.service.intake import Intake
from gateway.service.mllp_connection import MllpConnection
from gateway.service.outgoing import Outgoing
from gateway.store import Database, encounters, outbox, readings
from gateway.testing.fake_ehr import send
from gateway.testing.gateway_process import GatewayProcess
from gateway.testing.talking_scale import write_site

from .test_killed_gateway import free_port

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
INTAKE = Intake(zone=ZONE, devices={"cuff": Device(serial="SN-77"), "scale": Device()})
EUI = "00:22:09:FF:FE:31:AB:0C"
PRESSURE = Reading(
    kind="blood-pressure",
    observations=(Observation("systolic", Decimal(121), "mm[Hg]"),),
    taken_at=NOW,
    time_source="device",
    clock_drift=timedelta(),
    device=Device(serial="SN-77", id=EUI),
)
NUMBERS = count(1)
PROFILE = "IHE_DEV_052^IHE PCD^1.3.6.1.4.1.19376.1.6.1.52.1^ISO"
CODES = {
    "on": "198332^MDC_EVT_ASSOCIATION_PATIENT_DEVICE",
    "off": "198334^MDC_EVT_DISASSOCIATION_PATIENT_DEVICE",
}


def _report(
    word: str = "on",
    patient: str = "1",
    at: str = "0925",
    *,
    device: str = "SN-77",
    instance: str = "A1",
    parent: str = "",
    status: str = "F",
    said: str = "",
) -> bytes:
    """DEV-52: `word` at that hour and minute of the morning, said then unless `said` is another."""
    moment = f"20260302{at}00"
    begun, ended = (moment, "") if word == "on" else ("", moment)
    header = (
        f"MSH|^~\\&|PCIM|NORTH|GATEWAY|EXAM|20260302{said or at}00-0500||ORU^R01^ORU_R01|P{next(NUMBERS)}"
    )
    lines = (
        f"{header}|P|2.6|||AL|NE|||||{PROFILE}",
        f"PID|||{patient}^^^NORTH^MR||TESTPATIENT^ALMA",
        "PV1||O|FAMMED^EXAM3^^NORTH||||||||||||||||V00991822^^^NORTH^VN",
        f"OBR|||{instance}^^020000FFFE000000^EUI-64|69136^MDC_OBS_ASSOCIATION_PATIENT_DEVICE^MDC|||{moment}|{moment}"
        + (f"{'|' * 21}^{parent}&&020000FFFE000000&EUI-64" if parent else ""),
        f"OBX|1|CWE|68487^MDC_ATTR_EVT_COND^MDC|0.0.0.0|{CODES[word]}^MDC||||||{status}",
        f"PRT|1|UC||EQUIP^EQUIP^HL70912|||||FAMMED^EXAM3|{device}|{begun}|{ended}",
        "PRT|2|UC||AUT^AUT^HL70912|58793^NURSE^N||||FAMMED^EXAM3||" + moment,
    )
    return "\r".join((*lines, "")).encode()


def _merge(survivor: str, retired: str, at: str) -> bytes:
    lines = (
        f"MSH|^~\\&|REG|NORTH|GATEWAY|EXAM|20260302{at}00-0500||ADT^A40|M{next(NUMBERS)}|P|2.5.1",
        f"PID|||{survivor}^^^NORTH^MR",
        f"MRG|{retired}^^^NORTH^MR",
    )
    return "\r".join((*lines, "")).encode()


def _taken(database: Database, *messages: bytes) -> list[Message]:
    take = [partial(INTAKE.take, message=parse(data), data=data, at=NOW) for data in messages]
    return [parse(database.do(each)[-1]) for each in take]


def _told(answer: Message) -> tuple[str, ...]:
    return tuple(answer.get(path) for path in ("MSA-1", "ERR-2.1", "ERR-2.3", "ERR-3.1"))


def _filed(
    database: Database, reading: Reading = PRESSURE, *, room: str | None = None, source: str = "cuff"
) -> tuple[str | None, str | None]:
    """The patient whom the reading's message names, and why it is held."""
    acceptance = Acceptance(
        database=database,
        outgoing=Outgoing(
            profiles={"ehr": PROFILES["loinc-2.5.1"].between("NORTH", ("EHR", "NORTH"))},
            zone=ZONE,
            now=lambda: NOW,
        ),
        longest_encounter=timedelta(hours=2),
        queued=lambda: None,
    )
    accepted = asyncio.run(acceptance.accept(source, reading, room=room, at=NOW))
    sent = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    return (parse(sent[0].body).get("PID-3.1") if sent else None), accepted.held


def _in_exam3(database: Database, patient: str, minutes: int = 20) -> None:
    encounter = Encounter(
        room="EXAM3",
        patient=Patient((Identifier(patient, "NORTH", "MR"),)),
        opened_at=NOW - timedelta(minutes=minutes),
    )
    database.do(lambda db: encounters.open_encounter(db, encounter))


def test_a_report_through_the_socket_is_on_disk_before_its_answer_and_files_the_readings(database: Database):
    async def run() -> tuple[Message, list[object]]:
        table = InboundTable.model_validate({"listen": "127.0.0.1:0"})
        server = InboundServer(table=table, database=database, intake=INTAKE, now=lambda: NOW)
        await server.open()
        connection = MllpConnection(*await asyncio.open_connection("127.0.0.1", server.port))
        async with asyncio.timeout(30):
            connection.writer.write(mllp.frame(_report()))
            answer = parse(await connection.receive())
            stored = database.do(lambda db: db.execute("SELECT device FROM association").fetchall())
        await server.close()
        await connection.close()
        return answer, [row["device"] for row in stored]

    answer, stored = asyncio.run(run())
    assert (answer.get("MSH-9.1"), answer.get("MSA-1"), stored) == ("ACK", "CA", ["SN-77"])
    assert _filed(database) == ("1", None)


def test_a_gateway_knows_the_devices_of_its_configuration(tmp_path: Path):
    async def run() -> list[tuple[str, ...]]:
        inbound, nobody = await free_port(), await free_port()
        gateway = GatewayProcess(
            write_site(tmp_path, inbound=inbound, ehr=nobody, scale=nobody), lambda _: None
        )
        await gateway.start()
        answers = [
            await send(_report(device=device), "127.0.0.1", inbound, timeout_s=60)
            for device in ("scale", "scale-4")
        ]
        await gateway.stop()
        return [_told(answer) for answer in answers]

    assert asyncio.run(run()) == [("CA", "", "", ""), ("CR", "PRT", "10", "204")]


def test_the_result_names_the_place_and_the_visit_of_the_report(database: Database):
    _taken(database, _report())
    _filed(database)
    ((message,),) = [database.do(lambda db: outbox.of_reading(db, 1))]
    sent = parse(message.body)
    assert (sent.get("PV1-3.2"), sent.get("PV1-19.1")) == ("EXAM3", "V00991822")


@pytest.mark.parametrize("device", ["cuff", "SN-77", "unheard-of~SN-77"])
def test_a_device_is_known_by_its_name_and_its_serial_number(database: Database, device: str):
    assert _told(_taken(database, _report(device=device))[0]) == ("CA", "", "", "")
    assert _filed(database) == ("1", None)


def test_the_serial_number_of_a_udi_may_stand_in_its_own_field(database: Database):
    report = _report(device="(01)00643169001763").replace(
        b"|20260302092500|\r", b"|20260302092500|||||||||SN-77\r", 1
    )
    assert b"|||SN-77" in report
    assert _told(_taken(database, report)[0]) == ("CA", "", "", "")
    assert _filed(database) == ("1", None)


@pytest.mark.parametrize("stated", [EUI, "002209FFFE31AB0C", "00-22-09-ff-fe-31-ab-0c^^X^EUI-64"])
def test_a_device_is_known_by_the_address_that_its_latest_reading_had(database: Database, stated: str):
    assert _told(_taken(database, _report(device=stated))[0]) == ("CR", "PRT", "10", "204")
    _filed(database, replace(PRESSURE, taken_at=NOW - timedelta(minutes=1)))
    assert _told(_taken(database, _report(device=stated, said="0926"))[0]) == ("CA", "", "", "")
    assert _filed(database) == ("1", None)


def test_another_device_under_the_same_name_is_not_the_one_that_was_put_on_the_patient(database: Database):
    _taken(database, _report())
    exchanged = replace(PRESSURE, device=Device(serial="SN-78"))
    assert _filed(database, exchanged) == (None, "the device is bound to no room")


def test_another_device_is_on_nobody(database: Database):
    _taken(database, _report())
    assert _filed(database, replace(PRESSURE, device=Device()), source="scale")[0] is None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"device": "SN-99"}, ("PRT", "10", "204")),
        ({"device": "cuff~scale"}, ("PRT", "10", "204")),
        ({"device": ""}, ("PRT", "10", "101")),
        ({"instance": ""}, ("OBR", "3", "101")),
        ({"status": "R"}, ("OBX", "11", "103")),
        ({"status": "P"}, ("OBX", "11", "103")),
        ({"word": "off", "status": "D"}, ("OBX", "11", "103")),
        ({"at": "", "said": "0925"}, ("PRT", "11", "101")),
    ],
)
def test_a_report_that_cannot_be_relied_on_is_refused_with_its_place(
    database: Database, changes: Mapping[str, str], refused: tuple[str, ...]
):
    assert _told(_taken(database, _report(**changes))[0]) == ("CR", *refused)
    assert _filed(database)[0] is None


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (b"69136^MDC_OBS_ASSOCIATION_PATIENT_DEVICE^MDC", b"85354-9^BP^LN", ("OBR", "4", "103")),
        (b"68487^MDC_ATTR_EVT_COND^MDC", b"68487^^L", ("OBX", "3", "103")),
        (b"198332^", b"198333^", ("OBX", "5", "103")),
        (b"EQUIP^EQUIP", b"RO^RO", ("PRT", "4", "101")),
        (b"PRT|2|UC||AUT", b"PRT|2|UC||EQUIP", ("PRT", "4", "101")),
        (b"PID|||1^^^NORTH^MR", b"PID|||", ("PID", "3", "101")),
        (b"PID|", b"PID|||2^^^NORTH\rPID|", ("PID", "", "100")),
    ],
)
def test_another_observation_is_no_association(database: Database, old: bytes, new: bytes, refused):
    report = _report()
    assert old in report
    assert _told(_taken(database, report.replace(old, new, 1))[0]) == ("CR", *refused)


def test_a_reading_from_before_the_association_or_after_its_end_is_not_the_patients(database: Database):
    _taken(database, _report(at="0925"), _report("off", at="0929", instance="A2", parent="A1"))
    times = [NOW - timedelta(minutes=minutes) for minutes in (6, 5, 2, 1, 0)]
    named = [_filed(database, replace(PRESSURE, taken_at=taken_at))[0] for taken_at in times]
    assert named == [None, "1", "1", None, None]


def test_the_next_patients_association_ends_the_one_before(database: Database):
    _taken(database, _report(), _report(patient="2", at="0928", instance="A2"))
    _taken(database, _report("off", at="0929", instance="A3", parent="A1"))
    assert _filed(database) == ("2", None)


def test_a_correction_moves_the_time_and_an_older_report_does_not_move_it_back(database: Database):
    old = _report(at="0925")
    _taken(database, _report(at="0929", status="C", instance="A9", parent="A1", said="0930"), old)
    assert _filed(database, replace(PRESSURE, taken_at=NOW - timedelta(minutes=3)))[0] is None
    assert _filed(database) == ("1", None)


@pytest.mark.parametrize("status", ["D", "W"])
def test_an_association_that_was_wrong_never_was(database: Database, status: str):
    _taken(database, _report(status=status, instance="A9", parent="A1", said="0929"), _report())
    assert _filed(database) == (None, "the device is bound to no room")


def test_the_association_goes_before_the_room_that_says_the_same_or_nothing(database: Database):
    _taken(database, _report())
    assert _filed(database, room="EXAM3") == ("1", None)
    _in_exam3(database, "1", minutes=300)
    assert _filed(database, replace(PRESSURE, taken_at=NOW + timedelta(seconds=1)), room="EXAM3") == (
        "1",
        None,
    )


@pytest.mark.parametrize(
    ("reports", "in_room", "held"),
    [
        ([_report()], "2", "the device was on another patient than the one in EXAM3"),
        (
            [_report(), _report(patient="2", instance="A2")],
            "1",
            "the device was put on two patients at the same moment",
        ),
        (
            [_report(), _report("off", at="0928", instance="A2", parent="A1")],
            "1",
            "the device had been taken off the patient in EXAM3",
        ),
    ],
)
def test_where_two_words_disagree_a_person_decides(database: Database, reports, in_room: str, held: str):
    _in_exam3(database, in_room)
    _taken(database, *reports)
    assert _filed(database, room="EXAM3") == (None, held)


def test_after_the_association_the_room_tells_who_it_is(database: Database):
    _in_exam3(database, "2")
    _taken(database, _report(), _report("off", at="0928", instance="A2", parent="A1"))
    assert _filed(database, room="EXAM3") == ("2", None)


def test_an_association_that_nobody_ended_is_not_trusted_for_ever(database: Database):
    _taken(database, _report(at="0720"))
    assert _filed(database) == (None, "the device has been on its patient for very long")


def test_a_slow_clock_that_was_not_read_gives_no_reading_to_the_patient_before(database: Database):
    _taken(database, _report(), _report(patient="2", at="0929", instance="A2"))
    unread = replace(PRESSURE, taken_at=NOW - timedelta(minutes=3), clock_drift=None)
    held = "the device's clock was not read, and it is on another patient now"
    assert _filed(database, unread) == (None, held)


def test_a_doubtful_reading_is_a_question_though_the_device_is_on_a_patient(database: Database):
    _taken(database, _report())
    assert _filed(database, replace(PRESSURE, doubt="two users")) == (None, "two users")


def test_a_merge_moves_associations_and_their_end(database: Database):
    _taken(database, _report(), _merge("3", "1", "0927"))
    assert _filed(database) == ("3", None)
    _taken(database, _report("off", at="0929", instance="A2", parent="A1"))
    assert _filed(database, replace(PRESSURE, taken_at=NOW - timedelta(seconds=5)))[0] is None


def test_an_association_holds_back_no_order_of_its_patient(database: Database):
    _taken(database, _report(at="0929"))
    ended = database.do(lambda db: encounters.last_ended(db, "EXAM3", "1@NORTH"))
    assert ended is None


FEED = (
    _report(patient="1", at="0910"),
    _report("off", patient="1", at="0914", instance="A2", parent="A1"),
    _report(patient="2", at="0915", instance="B1", device="cuff"),
    _report(patient="3", at="0918", instance="C1"),
    _report("off", patient="2", at="0919", instance="B2", parent="B1"),
    _report(patient="3", at="0921", instance="C2", parent="C1", status="C", said="0922"),
    _report(patient="4", at="0924", instance="D1"),
    _report(patient="4", at="0924", instance="D2", parent="D1", status="W", said="0925"),
    _merge("5", "3", "0926"),
    _report("off", patient="5", at="0927", instance="C3", parent="C1"),
)


@settings(max_examples=15, deadline=None)
@given(st.permutations(FEED), st.lists(st.sampled_from(FEED), max_size=4))
def test_reports_in_any_order_and_repeated_end_in_the_same_patients(messages, again):
    minutes = {9: None, 11: "1", 14: None, 16: "2", 20: None, 21: "5", 25: "5", 28: None}
    with TemporaryDirectory() as folder, Database(Path(folder) / "gateway.db") as database:
        _taken(database, *messages, *again)
        found = {
            minute: _filed(
                database, replace(PRESSURE, taken_at=datetime(2026, 3, 2, 9, minute, 30, tzinfo=ZONE))
            )[0]
            for minute in minutes
        }
        assert found == minutes
        assert len(database.do(readings.since)) == len(minutes)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_report_with_any_field_exchanged_is_answered(data):
    lines = [line.split("|") for line in _report().decode().split("\r") if line]
    line = data.draw(st.sampled_from(lines[1:]))
    place = data.draw(st.integers(1, len(line) - 1))
    line[place] = data.draw(st.text(st.sampled_from("0129^~&\\EF.AZ-+:"), max_size=20))
    message = "\r".join("|".join(each) for each in (*lines, [""])).encode()
    with TemporaryDirectory() as folder, Database(Path(folder) / "gateway.db") as database:
        assert _taken(database, message)[0].get("MSA-1") in {"CA", "CR"}
