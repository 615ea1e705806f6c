"""A device's clock: how far it is off, and for which stamps that holds."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import (
    ClockRead,
    ClockSet,
    Conversation,
    Driver,
    Events,
    Measured,
    Send,
    SerialLink,
    clock_setting,
)
from gateway.drivers.clock import DeviceClock, drift_text
from gateway.model import Observation, Reading

NEW_YORK = ZoneInfo("America/New_York")
AT = datetime(2026, 3, 2, 9, 14, 5, tzinfo=NEW_YORK)
FORMAT = "%Y%m%d%H%M%S"


class _Session:
    """``C`` and a time says what the clock shows, ``S`` that it was set, ``R`` and a time is a record."""

    def __init__(self, clock: str) -> None:
        self._clock = clock

    def connected(self, at: datetime) -> Events:
        return (Send(b"S" + at.strftime(FORMAT).encode()), ClockSet()) if self._clock == "set" else ()

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        kind, time = data[:1], data[1:].decode()
        if kind == b"S":
            return (ClockSet(),)
        stated = datetime.strptime(time, FORMAT)  # noqa: DTZ007 - a device states no zone
        if kind == b"C":
            return (ClockRead(stated),)
        weight = Reading(kind="weight", observations=(Observation("weight", Decimal("72.4"), "kg"),))
        return (Measured(weight.taken(stated, by="device")),)


DRIVER = Driver(
    id="exemplar-clock",
    vendor="Exemplar",
    models=("C1",),
    kind="scale",
    emits={"weight": ("kg",)},
    links=(SerialLink(9600),),
    settings=(clock_setting("measure", "set", "off"),),
    evidence="manual",
    session=_Session,
)


def _conversation(settings: Mapping[str, str] | None = None) -> Conversation:
    return Conversation.start(DRIVER, settings or {}, zone=NEW_YORK)


def _record(conversation: Conversation, stated: str, at: datetime = AT) -> Reading:
    (event,) = conversation.received(b"R" + stated.encode(), "", at)
    assert isinstance(event, Measured)
    return event.reading


def test_a_record_carries_how_far_the_clock_is_off_and_the_time_that_the_device_states():
    conversation = _conversation()
    conversation.received(b"C20260302090405", "", AT)
    reading = _record(conversation, "20260302090000")
    assert reading.taken_at == datetime(2026, 3, 2, 9, 0, tzinfo=NEW_YORK)
    assert reading.clock_drift == timedelta(minutes=-10)


def test_a_record_before_the_clock_was_read_has_no_drift():
    assert _record(_conversation(), "20260302090000").clock_drift is None


def test_a_time_of_the_gateway_has_no_drift():
    conversation = _conversation()
    conversation.received(b"C20260302090405", "", AT)
    weight = Reading(kind="weight").taken(AT, by="gateway")
    conversation.session.received = lambda *_: (Measured(weight),)  # type: ignore[method-assign]
    (event,) = conversation.received(b"", "", AT)
    assert isinstance(event, Measured)
    assert event.reading.clock_drift is None


def test_setting_the_clock_leaves_the_old_drift_to_the_records_of_before():
    conversation = _conversation()
    conversation.received(b"C20260302090405", "", AT)
    conversation.received(b"S", "", AT + timedelta(seconds=1))
    later = AT + timedelta(minutes=1)
    assert _record(conversation, "20260302090300", later).clock_drift == timedelta(minutes=-10)
    assert _record(conversation, "20260302091430", later).clock_drift == timedelta()


def test_records_of_before_have_no_drift_where_the_clock_was_set_unread():
    conversation = _conversation({"clock": "set"})
    conversation.connected(AT)
    assert _record(conversation, "20260302090300").clock_drift is None


def test_a_clock_is_set_to_the_time_of_its_zone():
    utc = AT.astimezone(timezone(timedelta()))
    assert _conversation({"clock": "set"}).connected(utc)[0] == Send(b"S20260302091405")


def test_of_an_hour_that_occurs_twice_the_one_nearer_to_now_is_meant():
    shown = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)
    second_time = datetime(2026, 11, 1, 1, 31, fold=1, tzinfo=NEW_YORK)
    assert DeviceClock().read(shown, second_time).drift == timedelta(minutes=-1)


def test_a_time_that_daylight_saving_makes_twice_or_never_is_doubtful():
    conversation = _conversation()
    assert "occurs twice" in (_record(conversation, "20261101013000").doubt or "")
    assert "does not exist" in (_record(conversation, "20260308023000").doubt or "")
    assert _record(conversation, "20261101033000").doubt is None


def test_a_drift_is_told_as_a_person_would():
    assert drift_text(timedelta(minutes=-10, seconds=-3)) == "10 min 3 s behind"
    assert drift_text(timedelta(days=1, hours=2)) == "1 d 2 h ahead"
    assert drift_text(timedelta(seconds=0.2)) == "exact"


@given(st.datetimes(), st.timedeltas(timedelta(), timedelta(days=9999)))
def test_no_time_that_a_device_may_state_is_too_odd_for_its_clock(stated, later):
    at, stamp = AT + later, stated.replace(tzinfo=NEW_YORK)
    clock = DeviceClock().read(stamp, at)
    assert clock.drift_of(stamp, at) == clock.drift
