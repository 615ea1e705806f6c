"""What becomes of a session that is played through its driver."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from gateway.drivers import Driver, Send
from gateway.errors import ConfigError
from gateway.testing import SessionFixture, decode, differences, load_fixture, replay
from gateway.testing.expectation import Expectation, ExpectedEvent, ExpectedFault, Stated, stated_of
from gateway.testing.replay import Notice

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.toml"))
Exemplar = Callable[[str], Driver]
Sessions = Callable[[str], SessionFixture]


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_session_gives_what_its_fixture_expects(path: Path, exemplar: Exemplar):
    fixture = load_fixture(path)
    driver = exemplar(fixture.driver.removeprefix("exemplar-"))
    assert differences(replay(fixture, driver), fixture.expectation) == ()


def test_timers_run_on_the_time_line_of_the_fixture(exemplar: Exemplar, session: Sessions):
    outcome = replay(session("polled_weight"), exemplar("scale"))
    assert outcome.sent == (Send(b"W\r\n"),) * 4  # on connection, at 5 s, on connection, and as it ended


def test_a_pending_timer_is_heard_when_the_session_ends_with_the_link_open(
    exemplar: Exemplar, session: Sessions
):
    fixture = session("polled_weight")
    first, _ = fixture.connections
    outcome = replay(replace(fixture, connections=(replace(first, closed_at=None),)), exemplar("scale"))
    assert [str(reading.value("weight")) for reading in outcome.readings] == ["72.35", "72.10"]


def test_a_timer_that_is_not_due_when_the_device_goes_is_never_heard(exemplar: Exemplar, session: Sessions):
    fixture = session("polled_weight")
    first, _ = fixture.connections
    weighed = replace(first, exchanges=first.exchanges[:3], closed_at=1.5)
    assert replay(replace(fixture, connections=(weighed,)), exemplar("scale")).readings == ()


def test_what_comes_after_the_driver_closed_the_link_is_not_heard(exemplar: Exemplar, session: Sessions):
    fixture = session("polled_weight")
    first, *_ = fixture.connections
    told, *rest = (exchange for exchange in first.exchanges if exchange.direction == "<")
    off = replace(first, exchanges=(replace(told, data=b"OFF\r\n"), *rest))
    outcome = replay(replace(fixture, connections=(off,)), exemplar("scale"))
    assert (outcome.readings, outcome.events) == ((), (Notice("close", "switched off"),))


def test_settings_and_zone_given_go_before_those_of_the_fixture(exemplar: Exemplar, session: Sessions):
    two_hours = timezone(timedelta(hours=2))
    _, stored, _ = replay(session("polled_weight"), exemplar("scale"), zone=two_hours).readings
    assert stored.taken_at is not None
    assert stored.taken_at.isoformat() == "2026-01-15T08:00:00+02:00"
    with pytest.raises(ConfigError, match="'elephant' is not a choice"):
        replay(session("ear_temperature"), exemplar("x1"), settings={"probe": "elephant"})


def test_the_document_of_an_outcome_has_readings_events_and_errors(exemplar: Exemplar, session: Sessions):
    document = replay(session("ear_temperature"), exemplar("x1")).as_json()
    assert list(document) == ["readings", "events", "errors"]
    assert document["events"] == [{"kind": "progress", "text": "warming the probe"}]
    assert document["errors"] == [
        {"offset": 21, "code": "checksum", "message": r"b'\x00\xffT,', computed b'00'"}
    ]


def test_decode_gives_no_time_that_the_bytes_do_not_hold(exemplar: Exemplar):
    live, stored = decode(exemplar("scale"), b"71.90\r\nM72.10,2026-01-15T08:00\r\n").readings
    assert live.taken_at is None
    assert stored.taken_at is not None
    assert stored.taken_at.isoformat() == "2026-01-15T08:00:00"


def test_decode_shows_what_each_frame_says(exemplar: Exemplar):
    readings = decode(exemplar("scale"), b"71.90\r\n~\r\n72.35\r\n").readings
    assert [str(reading.value("weight")) for reading in readings] == ["71.90", "72.35"]


def expecting(session: SessionFixture, driver: Driver, *readings: Stated) -> tuple[str, ...]:
    return differences(replay(session, driver), replace(session.expectation, readings=readings))


def test_a_difference_names_the_reading_the_observation_and_both_values(
    exemplar: Exemplar, session: Sessions
):
    stated: Stated = {
        "kind": "weight",
        "device": {"serial": "S2-0099"},
        "observations": [{"name": "systolic", "value": "121", "unit": "kPa"}, {"name": "pulse-rate"}],
    }
    assert expecting(session("cuff"), exemplar("cuff"), stated) == (
        "reading 1: kind is 'blood-pressure', expected 'weight'",
        "reading 1: device: serial is 'C1-0007', expected 'S2-0099'",
        "reading 1: systolic: unit is 'mm[Hg]', expected 'kPa'",
        "reading 1: pulse-rate expected, none came",
        "reading 1: diastolic 78 mm[Hg] came, none expected",
    )


def test_a_digit_more_or_less_is_a_difference(exemplar: Exemplar, session: Sessions):
    stated: Stated = {"observations": [{"name": "height", "value": "1.720"}]}
    assert expecting(session("height"), exemplar("kiosk"), stated) == (
        "reading 1: height: value is '1.72', expected '1.720'",
    )


def test_readings_that_are_missing_or_too_many_are_differences(exemplar: Exemplar, session: Sessions):
    fixture, driver = session("height"), exemplar("kiosk")
    assert expecting(fixture, driver) == ("reading 1: height (height 1.72 m) came, none expected",)
    stated: Stated = {"kind": "weight", "status": "rejected"}
    assert expecting(fixture, driver, {}, stated) == ("reading 2: rejected weight expected, none came",)


def test_faults_and_events_are_compared_too(exemplar: Exemplar, session: Sessions):
    outcome = replay(session("ear_temperature"), exemplar("x1"))
    stated = tuple(stated_of(reading) for reading in outcome.readings)
    assert differences(
        outcome,
        Expectation(
            readings=stated,
            faults=(ExpectedFault("unit", 4, "no such"), ExpectedFault("length")),
            events=(ExpectedEvent("progress", "warming the probe"), ExpectedEvent("progress", "done")),
        ),
    ) == (
        "fault 1: code is 'checksum', expected 'unit': b'\\x00\\xffT,', computed b'00'",
        "fault 1: offset is 21, expected 4",
        "fault 1: message is \"b'\\\\x00\\\\xffT,', computed b'00'\", expected 'no such' in it",
        "fault 2: length expected, none came",
        "event 2: progress 'done' expected, none came in its place",
    )
