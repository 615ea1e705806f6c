"""What a session over GATT concludes from several values, and asks the device in return."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drivers import (
    ClockRead,
    ClockSet,
    Conversation,
    Event,
    Events,
    Fault,
    Measured,
    Progress,
    Read,
    Send,
    SetTimer,
    Subscribe,
    Unfinished,
    load,
)
from gateway.model import UNKNOWN_TIME, Reading

AT = datetime(2026, 3, 2, 9, 14, 5, tzinfo=UTC)
DRIVERS = (
    "gatt-blood-pressure",
    "gatt-body-composition",
    "gatt-glucose",
    "gatt-heart-rate",
    "gatt-pulse-oximeter",
    "gatt-thermometer",
    "gatt-weight-scale",
)
CHANNELS = (
    *("2A08", "2A0F", "2A14", "2A18", "2A19", "2A1C", "2A1D", "2A1E", "2A21", "2A23", "2A24", "2A26", "2A2A"),
    *("2A2B", "2A34", "2A35", "2A36", "2A37", "2A38", "2A49", "2A50", "2A51", "2A52", "2A5E", "2A5F", "2A60"),
    *("2A99", "2A9A", "2A9B", "2A9C", "2A9D", "2A9E", "2A9F", "", "elsewhere"),
)
NOW = "EA07030209 0E05 01 00 00".replace(" ", "")
SLOW = "EA07030209 0405 01 00 00".replace(" ", "")


def conversation(driver: str, **settings: str) -> Conversation:
    return Conversation.start(load(driver), settings, zone=UTC)


def received(talk: Conversation, channel: str, value: str, at: datetime = AT) -> Events:
    return talk.received(bytes.fromhex(value), channel, at)


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def first(events: Events, kind: type[Event]) -> Event:
    return next(event for event in events if isinstance(event, kind))


@pytest.mark.parametrize(
    ("driver", "last"),
    [
        ("gatt-blood-pressure", "2A35"),
        ("gatt-body-composition", "2A9C"),
        ("gatt-heart-rate", "2A37"),
        ("gatt-thermometer", "2A1C"),
        ("gatt-weight-scale", "2A9D"),
    ],
)
def test_measurements_are_asked_for_last_since_that_releases_the_records(driver: str, last: str) -> None:
    assert conversation(driver).connected(AT)[-1] == Subscribe(last)


def test_a_clock_is_read_to_be_compared_and_left_alone_unless_it_is_to_be_set() -> None:
    talk = conversation("gatt-thermometer")
    assert {Read("2A2B"), Read("2A08")} <= set(talk.connected(AT))
    assert received(talk, "2A2B", SLOW) == (ClockRead(datetime(2026, 3, 2, 9, 4, 5)),)  # noqa: DTZ001
    (reading,) = readings(received(talk, "2A1C", "02 740100FF EA0703020904 05"))
    assert reading.clock_drift == timedelta(minutes=-10)


def test_a_clock_that_is_set_is_read_before_and_after() -> None:
    talk = conversation("gatt-weight-scale", clock="set")
    read, send, again = received(talk, "2A2B", SLOW)
    assert isinstance(read, ClockRead)
    assert send == Send(bytes.fromhex(NOW), "2A2B", optional=True)
    assert again == Read("2A2B")
    assert received(talk, "2A2B", NOW) == (ClockSet(),)


def test_a_clock_without_a_service_of_its_own_is_set_by_date_and_time_alone() -> None:
    talk = conversation("gatt-blood-pressure", clock="set")
    events = received(talk, "2A08", "00000000000000")
    assert first(events, Progress) == Progress("clock of the cuff is not set")
    assert first(events, Send) == Send(bytes.fromhex("EA070302090E05"), "2A08", optional=True)


def test_only_one_of_two_clocks_is_set() -> None:
    talk = conversation("gatt-blood-pressure", clock="set")
    received(talk, "2A2B", SLOW)
    assert not any(isinstance(event, Send) for event in received(talk, "2A08", SLOW[:14]))


def test_a_device_that_does_not_take_the_time_is_a_fault() -> None:
    talk = conversation("gatt-blood-pressure", clock="set")
    received(talk, "2A2B", SLOW)
    (fault,) = received(talk, "2A2B", SLOW)
    assert isinstance(fault, Fault)
    assert "did not take the time" in fault.message


def test_a_clock_that_is_nobody_s_concern_is_not_read() -> None:
    events = conversation("gatt-blood-pressure", clock="off").connected(AT)
    assert not {Read("2A2B"), Read("2A08")} & set(events)


def test_a_thermometer_that_measures_at_one_place_says_so_once() -> None:
    talk = conversation("gatt-thermometer")
    received(talk, "2A1D", "03")
    (reading,) = readings((*received(talk, "2A1C", "00 740100FF"), *talk.disconnected(AT)))
    assert reading.observations[0].site == "ear"
    (other,) = readings((*received(talk, "2A1C", "04 750100FF 06"), *talk.disconnected(AT)))
    assert other.observations[0].site == "mouth"


def test_a_scale_with_users_is_given_the_consent_before_and_after_which_it_may_send() -> None:
    events = conversation("gatt-weight-scale", user="1", consent_code="3752").connected(AT)
    assert events[-3:] == (
        Subscribe("2A9F", optional=True),
        Subscribe("2A9D"),
        Send(bytes.fromhex("0201A80E"), "2A9F", optional=True),
    )


@pytest.mark.parametrize("code", ["", "10000", "12x4"])
def test_a_consent_code_that_is_none_is_a_fault_and_not_sent(code: str) -> None:
    events = conversation("gatt-body-composition", user="1", consent_code=code).connected(AT)
    assert first(events, Fault) == Fault("setting", "consent_code is not a number up to 9999")
    assert not any(isinstance(event, Send) for event in events)


def test_a_composition_without_a_time_is_of_the_weight_before_it_and_only_the_first_is() -> None:
    talk = conversation("gatt-body-composition")
    received(talk, "2A9D", "02 1937 EA07030209 0C00")
    (reading,) = readings(received(talk, "2A9C", "0000 C800"))
    assert (reading.time_source, reading.taken_at) == ("device", datetime(2026, 3, 2, 9, 12, tzinfo=UTC))
    (later,) = readings((*received(talk, "2A9C", "0000 C900"), *talk.disconnected(AT)))
    assert later.time_source == "gateway"


def test_the_first_part_of_a_measurement_is_a_reading_when_the_link_ends_before_the_second() -> None:
    talk = conversation("gatt-body-composition")
    assert readings(received(talk, "2A9C", "0014 C800 B036")) == []
    (reading,) = readings(talk.disconnected(AT))
    assert (reading.status, str(reading.value("weight"))) == ("questionable", "70.000")


UNDATED = (
    ("gatt-blood-pressure", "2A35", ("00 7900 5000 5E00", "00 8200 5500 6400", "00 8300 5600 6500")),
    ("gatt-weight-scale", "2A9D", ("00 1937", "00 2837", "00 3037")),
    ("gatt-thermometer", "2A1C", ("00 730100FF", "00 740100FF", "00 750100FF")),
    ("gatt-body-composition", "2A9C", ("0000 C800", "0000 C900", "0000 CA00")),
    ("gatt-pulse-oximeter", "2A5E", ("00 6100 4600", "00 6200 4700", "00 6000 4800")),
    ("and-ble", "2A9D", ("00 1937", "00 2837", "00 3037")),
)


@pytest.mark.parametrize(("driver", "channel", "values"), UNDATED)
def test_a_record_without_a_time_that_comes_alone_was_measured_when_it_came(
    driver: str, channel: str, values: tuple[str, ...]
) -> None:
    talk = conversation(driver)
    said = received(talk, channel, values[0])
    assert said[:2] == (Unfinished(), SetTimer(f"undated {channel}", 3.0))
    assert not readings(said)
    (reading,) = readings(talk.timer(f"undated {channel}", AT + timedelta(seconds=3)))
    assert (reading.taken_at, reading.status, reading.doubt) == (AT, "final", None)
    assert talk.disconnected(AT) == ()


@pytest.mark.parametrize(("driver", "channel", "values"), UNDATED)
def test_records_without_a_time_that_follow_each_other_wait_for_a_person(
    driver: str, channel: str, values: tuple[str, ...]
) -> None:
    talk = conversation(driver)
    at = [AT + timedelta(seconds=second) for second in range(3)]
    found = [
        readings(received(talk, channel, value, moment)) for value, moment in zip(values, at, strict=True)
    ]
    assert [len(each) for each in found] == [0, 2, 1]
    told = [reading for each in found for reading in each]
    assert {reading.status for reading in told} == {"questionable"}
    assert {reading.doubt for reading in told} == {UNKNOWN_TIME}
    assert [reading.taken_at for reading in told] == at
    assert talk.disconnected(AT) == ()


def test_two_weighings_of_one_connection_a_minute_apart_are_both_of_their_moments() -> None:
    talk = conversation("gatt-weight-scale")
    later = AT + timedelta(minutes=1)
    before = readings((*received(talk, "2A9D", "00 1937"), *received(talk, "2A9D", "00 1937", later)))
    after = readings(talk.disconnected(later))
    assert [(r.taken_at, r.doubt) for r in (*before, *after)] == [(AT, None), (later, None)]


def test_a_record_without_a_time_that_is_sent_twice_at_once_is_one() -> None:
    talk = conversation("gatt-weight-scale")
    received(talk, "2A9D", "00 1937")
    assert received(talk, "2A9D", "00 1937") == (Progress("record sent again"),)
    (reading,) = readings(talk.disconnected(AT))
    assert reading.doubt is None


def test_records_with_a_time_are_told_at_once_whatever_comes_between() -> None:
    talk = conversation("gatt-blood-pressure")
    received(talk, "2A35", "00 7900 5000 5E00")
    (dated,) = readings(received(talk, "2A35", "02 8200 5500 6400 EA070302090E05"))
    (failed,) = readings(received(talk, "2A35", "00 FF07 FF07 FF07"))
    (alone,) = readings(talk.disconnected(AT))
    assert [dated.time_source, failed.status, alone.doubt] == ["device", "rejected", None]


def test_an_oximeter_that_stores_nothing_is_not_asked_for_records() -> None:
    talk = conversation("gatt-pulse-oximeter")
    assert not any(isinstance(event, Send) for event in talk.connected(AT))
    assert not any(isinstance(event, Send) for event in received(talk, "2A60", "0000"))


def test_a_status_bit_that_an_oximeter_does_not_support_means_nothing() -> None:
    talk = conversation("gatt-pulse-oximeter")
    received(talk, "2A60", "0100 2000")
    (reading,) = readings((*received(talk, "2A5E", "02 6100 4600 2080"), *talk.disconnected(AT)))
    assert (reading.status, reading.notes) == ("final", ("measurement ongoing",))


def test_a_measurement_waits_for_its_context() -> None:
    talk = conversation("gatt-glucose")
    assert readings(received(talk, "2A18", "12 2A00 EA0703020900 00 76B0 11")) == []
    (reading,) = readings(received(talk, "2A34", "02 2A00 03"))
    assert "meal: fasting" in reading.notes
    assert len(reading.provenance) == 17


@pytest.mark.parametrize("ends", ["timer", "disconnected", "another", "answer"])
def test_a_measurement_whose_context_does_not_come_is_a_reading_without_it(ends: str) -> None:
    talk = conversation("gatt-glucose")
    received(talk, "2A18", "12 2A00 EA0703020900 00 76B0 11")
    events = {
        "timer": lambda: talk.timer("context", AT),
        "disconnected": lambda: talk.disconnected(AT),
        "another": lambda: received(talk, "2A18", "02 2B00 EA0703020901 00 77B0 11"),
        "answer": lambda: received(talk, "2A52", "06 00 01 01"),
    }[ends]()
    assert readings(events)[0].sequence == "42"


def test_a_context_of_another_record_is_shown_and_changes_nothing() -> None:
    talk = conversation("gatt-glucose")
    received(talk, "2A18", "12 2A00 EA0703020900 00 76B0 11")
    events = received(talk, "2A34", "02 0700 03")
    assert readings(events) == []
    assert first(events, Progress) == Progress("context of record 7: meal: fasting")


def test_amounts_whose_unit_is_doubtful_are_shown_and_not_filed() -> None:
    talk = conversation("gatt-glucose")
    received(talk, "2A18", "12 2A00 EA0703020900 00 76B0 11")
    events = received(talk, "2A34", "11 2A00 0364D0 040CA0")
    shown = first(events, Progress)
    assert isinstance(shown, Progress)
    assert "carbohydrate: dinner, 0.100 kg as sent" in shown.text
    assert not any("carbohydrate" in note for reading in readings(events) for note in reading.notes)


def test_a_record_of_unknown_time_is_in_doubt_for_nobody_knows_whose_it_is() -> None:
    (reading,) = readings(received(conversation("gatt-glucose"), "2A18", "02 0100 00000000000000 76B0 11"))
    assert (reading.status, reading.time_source) == ("questionable", "gateway")
    assert reading.doubt == "a record of the past, of unknown time"


@pytest.mark.parametrize(
    ("value", "is_held"),
    [
        ("11 6100 4800 00000000000000", False),
        ("13 6100 4800 00000000000000 0002", True),
        ("13 6100 4800 EA070302090000 0002", True),
        ("03 6100 4800 EA070302090000 0002", False),
        ("02 6100 4800 0002", True),
    ],
)
def test_a_spot_check_from_storage_without_a_time_waits_for_a_person(value: str, is_held: bool) -> None:
    talk = conversation("gatt-pulse-oximeter")
    (reading,) = readings((*received(talk, "2A5E", value), *talk.disconnected(AT)))
    assert (reading.doubt is not None) == is_held


def test_what_comes_while_records_are_reported_is_a_record() -> None:
    talk = conversation("gatt-pulse-oximeter")
    received(talk, "2A60", "0400")
    (record,) = readings(received(talk, "2A5E", "00 6100 4800"))
    received(talk, "2A52", "06000101")
    (live,) = readings((*received(talk, "2A5E", "00 6200 4900"), *talk.disconnected(AT)))
    assert [reading.doubt is not None for reading in (record, live)] == [True, False]


def transferring() -> Conversation:
    talk = conversation("gatt-glucose")
    assert talk.connected(AT)[-2] == Send(bytes.fromhex("0101"), "2A52")
    return talk


def test_a_transfer_ends_with_the_meter_s_word() -> None:
    talk = transferring()
    received(talk, "2A18", "02 2B00 EA0703020901 00 77B0 11")
    assert Progress("meter: all 1 records have come") in received(talk, "2A52", "06000101")
    assert talk.timer("records", AT) == ()


def test_each_record_gives_the_meter_thirty_more_seconds() -> None:
    assert SetTimer("records", 30.0) in received(transferring(), "2A18", "02 2B00 EA0703020901 00 77B0 11")


def test_a_meter_that_says_no_more_is_told_to_stop_and_may_say_that_it_has() -> None:
    talk = transferring()
    fault, send, _ = talk.timer("records", AT)
    assert isinstance(fault, Fault)
    assert send == Send(bytes.fromhex("0300"), "2A52", optional=True)
    assert Progress("meter: abort: success") in received(talk, "2A52", "06000301")
    assert talk.timer("records", AT) == ()


def test_a_meter_that_does_not_even_stop_is_left_alone() -> None:
    talk = transferring()
    talk.timer("records", AT)
    assert talk.timer("records", AT) == (SetTimer("records", 0),)


@pytest.mark.parametrize("answer", ["06000108", "0600010A"])
def test_a_meter_that_is_busy_is_asked_again_three_times_in_all(answer: str) -> None:
    talk = transferring()
    for _ in range(2):
        assert SetTimer("records again", 3.0) in received(talk, "2A52", answer)
        assert first(talk.timer("records again", AT), Send) == Send(b"\x01\x01", "2A52", optional=True)
    assert isinstance(first(received(talk, "2A52", answer), Fault), Fault)


@pytest.mark.parametrize("outcome", ["02", "03", "04", "05", "09", "77"])
def test_a_refusal_is_a_fault(outcome: str) -> None:
    assert isinstance(first(received(transferring(), "2A52", f"060001{outcome}"), Fault), Fault)


def test_a_heart_rate_is_one_reading_when_it_has_been_steady_and_another_when_it_changed() -> None:
    talk = conversation("gatt-heart-rate", settle_s="5")
    said = [received(talk, "2A37", f"00 {rate}", AT) for rate in ["48"] * 9 + ["60"] * 5]
    assert [str(r.value("heart-rate")) for events in said for r in readings(events)] == ["72", "96"]


def test_a_sensor_that_is_taken_off_begins_anew() -> None:
    talk = conversation("gatt-heart-rate", settle_s="5")
    said = [received(talk, "2A37", f"00 {rate}", AT) for rate in ["48"] * 5 + ["00"] + ["48"] * 5]
    assert len([r for events in said for r in readings(events)]) == 2


@pytest.mark.parametrize("driver", DRIVERS)
@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(CHANNELS), st.binary(max_size=32))))
def test_no_value_makes_a_session_raise_or_a_rejected_reading_hold_numbers(
    driver: str, values: list[tuple[str, bytes]]
) -> None:
    talk = conversation(driver)
    events = [*talk.connected(AT)]
    for channel, data in values:
        events += talk.received(data, channel, AT)
    for name in ("records", "records again", "context", "second part"):
        events += talk.timer(name, AT)
    for reading in readings((*events, *talk.disconnected(AT))):
        assert (reading.status == "rejected") == (reading.observations == ())
        assert all(o.value is None or o.value.is_finite() for o in reading.observations)
