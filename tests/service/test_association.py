"""Whose a reading is: only a patient who was in the device's room when it was measured."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.model import Encounter, Identifier, Observation, Patient, Reading
from gateway.service.association import Association, associate, moment_of
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


def test_a_reading_without_a_time_was_taken_when_it_was_received():
    assert moment_of(Reading(kind="weight"), received_at=NOW) == NOW


def _with_drift(reading: Reading, drift: timedelta) -> Reading:
    return Reading(
        kind=reading.kind, taken_at=reading.taken_at, time_source=reading.time_source, clock_drift=drift
    )
