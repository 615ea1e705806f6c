"""Whose a reading is: only a patient who was in the device's room when it was measured."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.model import Encounter, Identifier, Observation, Patient, Reading
from gateway.service.association import Association, associate
from gateway.service.device_time import by_unknown_clock, drift_noted, moment_of
from gateway.store.encounters import StoredEncounter

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), family_name="TESTPATIENT")
TWO_HOURS = timedelta(hours=2)


def _in_room(since: datetime, until: datetime | None = None) -> StoredEncounter:
    return StoredEncounter(7, Encounter(room="EXAM3", patient=ALMA, opened_at=since, closed_at=until))


def _ask(moment: datetime, encounter: StoredEncounter | None, room: str | None = "EXAM3") -> Association:
    return associate(moment, NOW, room=room, encounter=encounter, longest=TWO_HOURS)


def test_a_reading_belongs_to_the_patient_who_is_in_the_room():
    alma = _in_room(NOW - timedelta(minutes=10))
    assert _ask(NOW, alma) == Association(alma, None)


def test_a_stored_record_belongs_to_who_was_in_the_room_when_it_was_measured():
    left = _in_room(NOW - timedelta(minutes=40), NOW - timedelta(minutes=20))
    assert _ask(NOW - timedelta(minutes=30), left).encounter is left


def test_nobody_in_the_room_at_that_time_is_a_question_for_a_person():
    assert _ask(NOW, None).held == "no patient was in EXAM3 at that time"


def test_a_device_bound_to_no_room_is_a_question_for_a_person():
    assert _ask(NOW, None, room=None).held == "the device is bound to no room"


def test_an_encounter_that_nobody_ended_is_not_trusted_for_ever():
    held = _ask(NOW, _in_room(NOW - timedelta(hours=3))).held
    assert held == "the encounter in EXAM3 has been open for very long"


def test_a_measurement_from_the_future_is_held():
    alma = _in_room(NOW - timedelta(minutes=10))
    assert _ask(NOW + timedelta(minutes=5), alma).held == "the device's clock is ahead of the gateway's"


def test_the_drift_of_the_device_clock_is_taken_out_before_anybody_is_looked_for():
    weight = Reading(kind="weight", observations=(Observation("weight", Decimal("72.4"), "kg"),))
    fast = weight.taken(NOW + timedelta(minutes=5), by="device")
    moment = moment_of(_with_drift(fast, timedelta(minutes=5)), received_at=NOW)
    assert moment == NOW


def test_a_slow_clock_that_was_not_read_gives_no_reading_to_the_patient_before():
    left = _in_room(NOW - timedelta(minutes=40), NOW - timedelta(minutes=20))
    ben = Patient((Identifier("77", "NORTH", "MR"),), family_name="TESTPATIENT")
    came = StoredEncounter(8, Encounter(room="EXAM3", patient=ben, opened_at=NOW - timedelta(minutes=20)))
    asked = associate(
        NOW - timedelta(minutes=30), NOW, room="EXAM3", encounter=left, rival=came, longest=TWO_HOURS
    )
    assert asked.held == "the device's clock was not read, and EXAM3 has another patient now"


def test_a_clock_that_nobody_has_read_is_unknown_and_the_gateways_own_is_not():
    weight = Reading(kind="weight")
    assert by_unknown_clock(weight.taken(NOW, by="device"))
    assert not by_unknown_clock(weight.taken(NOW, by="gateway"))
    assert not by_unknown_clock(_with_drift(weight.taken(NOW, by="device"), timedelta()))


def test_a_clock_that_is_far_off_is_noted_and_the_time_stays_as_the_device_states_it():
    slow = _with_drift(Reading(kind="weight").taken(NOW, by="device"), timedelta(minutes=-10))
    assert drift_noted(slow) == slow.noted("time as the device states it; its clock was 10 min behind")
    near = _with_drift(slow, timedelta(seconds=90))
    assert drift_noted(near) == near


def test_a_stamp_at_the_end_of_the_calendar_stays_where_it_is():
    end = datetime.max.replace(tzinfo=UTC)
    reading = Reading(kind="weight").taken(end, by="device")
    assert moment_of(_with_drift(reading, timedelta(days=-1)), received_at=NOW) == end


def test_a_reading_without_a_time_was_taken_when_it_was_received():
    assert moment_of(Reading(kind="weight"), received_at=NOW) == NOW


def _with_drift(reading: Reading, drift: timedelta) -> Reading:
    return Reading(
        kind=reading.kind, taken_at=reading.taken_at, time_source=reading.time_source, clock_drift=drift
    )
