"""Accepted means on disk together with its message; what cannot be sent waits where a person sees it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from gateway.drivers import Conversation, Measured, load
from gateway.hl7 import parse
from gateway.hl7.profiles import PROFILES
from gateway.model import Device, Encounter, Identifier, Observation, Patient, Reading, rejected
from gateway.service.acceptance import Acceptance, Accepted
from gateway.service.outgoing import Outgoing
from gateway.store import Database, encounters, outbox, patients, readings
from gateway.store.movements import Said

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), family_name="TESTPATIENT", given_name="ALMA")
_NOT_THEIRS = "the identifier that was entered at the device is not this patient's"
WEIGHT = Reading(kind="weight", observations=(Observation("weight", Decimal("72.40"), "kg"),))


@pytest.fixture
def alma_in_exam3(database: Database) -> None:
    alma = Encounter(
        room="EXAM3", patient=ALMA, location="FAMMED^EXAM3", opened_at=NOW - timedelta(minutes=5)
    )
    database.do(lambda db: encounters.open_encounter(db, alma))


def _accept(
    database: Database, reading: Reading, *, room: str | None = "EXAM3", profile: str = "loinc-2.5.1"
) -> Accepted:
    acceptance = Acceptance(
        database=database,
        outgoing=Outgoing(
            profiles={"ehr": PROFILES[profile].between("NORTHCLINIC", ("EHR", "NORTH"))},
            zone=ZoneInfo("America/New_York"),
            now=lambda: NOW,
        ),
        longest_encounter=timedelta(hours=2),
        queued=lambda: None,
    )
    return asyncio.run(acceptance.accept("scale-3", reading, room=room, at=NOW))


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_reading_and_its_message_are_stored_together(database: Database):
    accepted = _accept(database, WEIGHT)
    (message,) = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    sent = parse(message.body)
    assert (sent.get("MSH-10"), *accepted.control_ids) == (message.control_id, message.control_id)
    assert [sent.get(path) for path in ("PID-3.1", "PV1-3.2", "OBX-3.1", "OBX-5", "OBX-6.1")] == [
        "8834021",
        "EXAM3",
        "29463-7",
        "72.40",
        "kg",
    ]


@pytest.mark.usefixtures("alma_in_exam3")
def test_the_time_of_a_device_without_a_clock_is_the_gateways_in_the_sites_zone(database: Database):
    accepted = _accept(database, WEIGHT)
    (message,) = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    assert parse(message.body).get("OBX-14") == "20260302093000-0500"


@pytest.mark.usefixtures("alma_in_exam3")
def test_the_same_record_delivered_again_is_not_accepted_again(database: Database):
    record = replace(WEIGHT, taken_at=NOW - timedelta(minutes=1), time_source="device")
    assert _accept(database, record).reading_id == 1
    assert _accept(database, record) == Accepted(None)
    assert len(database.do(outbox.unsettled)) == 1


@pytest.mark.usefixtures("alma_in_exam3")
def test_another_measurement_with_the_same_value_is_another_reading(database: Database):
    for minutes in (1, 2):
        taken = NOW - timedelta(minutes=minutes)
        _accept(database, replace(WEIGHT, taken_at=taken, time_source="device"))
    assert len(database.do(outbox.unsettled)) == 2


def test_a_reading_without_a_patient_waits_with_the_reason_and_nothing_is_sent(database: Database):
    accepted = _accept(database, WEIGHT)
    stored = database.do(lambda db: readings.find(db, accepted.reading_id or 0))
    assert stored is not None
    assert (stored.held, stored.reading.patient_id) == ("no patient was in EXAM3 at that time", None)
    assert database.do(outbox.unsettled) == ()


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_failed_measurement_is_stored_and_not_sent(database: Database):
    accepted = _accept(database, rejected("weight", "overload"))
    assert accepted.reading_id == 1
    assert database.do(outbox.unsettled) == ()


@pytest.mark.usefixtures("alma_in_exam3")
def test_an_implausible_value_leaves_as_measured_and_marked_for_review(database: Database):
    accepted = _accept(database, replace(WEIGHT, observations=(Observation("weight", Decimal(9999), "kg"),)))
    (message,) = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    sent = parse(message.body)
    assert (sent.get("OBX-5"), sent.get("OBX-11")) == ("9999", "R")


def test_a_reading_that_no_message_can_hold_is_kept_and_held(database: Database):
    name = Patient((Identifier("1", "NORTH", "MR"),), family_name="試験")
    encounter = Encounter(room="EXAM3", patient=name, opened_at=NOW - timedelta(minutes=5))
    database.do(lambda db: encounters.open_encounter(db, encounter))
    accepted = _accept(database, WEIGHT, profile="loinc-2.3")
    assert accepted.reading_id == 1
    assert accepted.held is not None
    assert "MSH-18" in accepted.held
    assert "試" not in accepted.held
    assert database.do(outbox.unsettled) == ()


@pytest.mark.usefixtures("alma_in_exam3")
def test_messages_of_two_destinations_carry_the_same_filler_number(database: Database):
    acceptance = Acceptance(
        database=database,
        outgoing=Outgoing(
            profiles=dict.fromkeys(("ehr", "registry"), PROFILES["loinc-2.5.1"]),
            zone=ZoneInfo("America/New_York"),
            now=lambda: NOW,
        ),
        longest_encounter=timedelta(hours=2),
        queued=lambda: None,
    )
    accepted = asyncio.run(acceptance.accept("scale-3", WEIGHT, room="EXAM3", at=NOW))
    messages = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    assert [message.destination for message in messages] == ["ehr", "registry"]
    assert len({parse(message.body).get("OBR-3.1") for message in messages}) == 1
    assert len({message.control_id for message in messages}) == 2


CUFF_RECORD = replace(
    WEIGHT,
    kind="blood-pressure",
    observations=(Observation("systolic", Decimal("121"), "mm[Hg]"),),
    taken_at=NOW - timedelta(minutes=1),
    time_source="device",
)


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_record_delivered_again_days_later_is_the_same_whatever_is_said_of_its_arrival(database: Database):
    later = replace(
        CUFF_RECORD.noted("stored in the cuff before this connection"), device=Device(model="UA-651BLE")
    )
    assert _accept(database, CUFF_RECORD).reading_id == 1
    assert _accept(database, later) == Accepted(None)
    assert len(database.do(outbox.unsettled)) == 1


@pytest.mark.usefixtures("alma_in_exam3")
def test_two_failures_of_one_moment_are_told_apart_by_their_reasons(database: Database):
    for reason in ("overload", "probe defective"):
        failed = replace(rejected("weight", reason), taken_at=CUFF_RECORD.taken_at, time_source="device")
        assert _accept(database, failed).reading_id is not None


def _patients_in_turn(database: Database) -> None:
    """Alma was in EXAM3 until twelve minutes ago; Ben has been there for ten."""
    ben = Patient((Identifier("77", "NORTH", "MR"),), family_name="TESTPATIENT", given_name="BEN")
    for patient, minutes in ((ALMA, 30), (ben, 10)):
        came = NOW - timedelta(minutes=minutes)
        encounter = Encounter(room="EXAM3", patient=patient, opened_at=came)
        database.do(partial(encounters.open_encounter, encounter=encounter))


def test_a_slow_clock_that_was_read_files_with_the_patient_of_the_true_time_and_says_so(database: Database):
    _patients_in_turn(database)
    stated = NOW - timedelta(minutes=16)
    slow = replace(CUFF_RECORD, taken_at=stated, clock_drift=timedelta(minutes=-15))
    accepted = _accept(database, slow)
    (message,) = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    sent = parse(message.body)
    assert sent.get("PID-3.1") == "77"
    assert sent.get("OBX-14") == "20260302141400+0000"
    assert sent.get("NTE-3") == "time as the device states it; its clock was 15 min behind"
    stored = database.do(lambda db: readings.find(db, accepted.reading_id or 0))
    assert stored is not None
    assert stored.reading.clock_drift == timedelta(minutes=-15)


def test_a_stored_record_by_a_good_clock_files_with_the_patient_before(database: Database):
    _patients_in_turn(database)
    record = replace(CUFF_RECORD, taken_at=NOW - timedelta(minutes=16), clock_drift=timedelta(seconds=2))
    accepted = _accept(database, record)
    (message,) = database.do(lambda db: outbox.of_reading(db, accepted.reading_id or 0))
    assert parse(message.body).get("PID-3.1") == "8834021"


def test_a_clock_that_was_not_read_leaves_the_choice_between_two_patients_to_a_person(database: Database):
    _patients_in_turn(database)
    accepted = _accept(database, replace(CUFF_RECORD, taken_at=NOW - timedelta(minutes=16)))
    assert accepted.held == "the device's clock was not read, and EXAM3 has another patient now"
    assert database.do(outbox.unsettled) == ()


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_record_is_the_same_however_far_the_clock_was_off_when_it_was_delivered(database: Database):
    for minutes in (1, 3):
        _accept(database, replace(CUFF_RECORD, clock_drift=timedelta(minutes=minutes)))
    assert len(database.do(outbox.unsettled)) == 1


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_doubtful_reading_waits_for_a_person_although_a_patient_is_there(database: Database):
    accepted = _accept(database, replace(WEIGHT, doubt="nobody knows when it was measured"))
    assert accepted.held == "nobody knows when it was measured"
    assert database.do(outbox.unsettled) == ()


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_record_that_a_meter_kept_under_no_time_is_not_filed_with_whoever_is_in_the_room(
    database: Database,
):
    meter = Conversation.start(load("gatt-glucose"), {}, zone=UTC)
    events = meter.received(bytes.fromhex("02 0100 00000000000000 76B0 11"), "2A18", NOW)
    (record,) = (event.reading for event in events if isinstance(event, Measured))
    assert _accept(database, record).held == "a record of the past, of unknown time"
    assert database.do(outbox.unsettled) == ()


CUFF_DUMP = ("00 7900 5000 5E00", "00 8200 5500 6400")


def _pushed(driver: str, channel: str, *values: str, at: datetime = NOW) -> list[Reading]:
    """What a device gives in one connection that begins at a moment."""
    talk = Conversation.start(load(driver), {}, zone=UTC)
    events = [event for value in values for event in talk.received(bytes.fromhex(value), channel, at)]
    return [event.reading for event in (*events, *talk.disconnected(at)) if isinstance(event, Measured)]


@pytest.mark.usefixtures("alma_in_exam3")
def test_several_records_without_a_time_are_held_and_a_single_one_is_of_now(database: Database):
    dump = [_accept(database, reading) for reading in _pushed("gatt-blood-pressure", "2A35", *CUFF_DUMP)]
    assert [accepted.held for accepted in dump] == ["a record of the past, of unknown time"] * 2
    (alone,) = _pushed("gatt-blood-pressure", "2A35", "00 7000 4600 5000")
    assert _accept(database, alone).held is None
    assert len(database.do(outbox.unsettled)) == 1


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_memory_without_times_is_held_once_however_often_it_is_delivered(database: Database):
    for day in range(3):
        for reading in _pushed("gatt-blood-pressure", "2A35", *CUFF_DUMP, at=NOW + timedelta(days=day)):
            _accept(database, reading)
    assert len(database.do(readings.since)) == len(CUFF_DUMP)


@pytest.mark.parametrize("state", ["held", "queued", "acknowledged", "withdrawn", "assigned"])
def test_a_record_delivered_again_is_one_row_in_whatever_state_it_is(database: Database, state: str):
    alma = Encounter(room="EXAM3", patient=ALMA, opened_at=NOW - timedelta(minutes=5))
    encounter_id = database.do(lambda db: encounters.open_encounter(db, alma))
    room = None if state in {"held", "assigned"} else "EXAM3"
    accepted = _accept(database, CUFF_RECORD, room=room)
    reading_id = accepted.reading_id or 0
    if state == "acknowledged":
        (message,) = database.do(lambda db: outbox.of_reading(db, reading_id))
        database.do(lambda db: outbox.begin(db, message.id, NOW))
        database.do(lambda db: outbox.attempted(db, message.id, NOW, outcome="AA", state="acknowledged"))
    if state == "withdrawn":
        database.do(lambda db: readings.withdraw(db, reading_id, "another patient's"))
    if state == "assigned":
        database.do(lambda db: readings.file(db, reading_id, CUFF_RECORD, encounter_id))
    for again in (None, "EXAM3"):
        assert _accept(database, CUFF_RECORD, room=again).reading_id is None
    assert len(database.do(readings.since)) == 1


@pytest.mark.usefixtures("alma_in_exam3")
def test_the_same_values_of_the_same_second_in_two_slots_of_a_cuff_are_two_records(database: Database):
    stamped = "0A 7900 5000 5E00 EA070302090E05"
    values = (f"{stamped} {slot}" for slot in ("00", "01", "00"))
    found = [
        _accept(database, r).reading_id for v in values for r in _pushed("gatt-blood-pressure", "2A35", v)
    ]
    assert found == [1, 2, None]


@pytest.mark.usefixtures("alma_in_exam3")
def test_two_equal_weights_that_arrive_in_one_piece_are_two(database: Database):
    scale = Conversation.start(load("mt-sics"), {}, zone=UTC)
    stable, empty = b"S S      72.40 kg\r\n", b"S S       0.00 kg\r\n"
    events = scale.received((stable * 2 + empty) * 2, "", NOW)
    weights = [event.reading for event in events if isinstance(event, Measured)]
    assert [_accept(database, weight).reading_id for weight in weights] == [1, 2]


@pytest.mark.usefixtures("alma_in_exam3")
@pytest.mark.parametrize(
    ("entered", "held"),
    [
        ("8834021", None),
        (" 8834021 ", None),
        ("0008834021", None),
        ("883402", _NOT_THEIRS),
        ("5550123", _NOT_THEIRS),
    ],
)
def test_an_identifier_entered_at_the_device_speaks_against_another_patient(
    entered: str, held: str | None, database: Database
) -> None:
    accepted = _accept(database, replace(WEIGHT, subject=entered))
    assert accepted.held == held
    assert bool(accepted.control_ids) == (held is None)


@pytest.mark.usefixtures("alma_in_exam3")
def test_a_wristband_with_an_identifier_that_was_given_up_is_still_the_patients(database: Database) -> None:
    merged = Said("NORTH", "20260302142000")
    database.do(lambda db: patients.retire(db, "1110001@NORTH", ALMA.id, merged))
    assert _accept(database, replace(WEIGHT, subject="1110001")).held is None
    assert _accept(database, replace(WEIGHT, subject="111000")).held == _NOT_THEIRS
