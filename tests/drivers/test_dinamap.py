"""What a clinic can rely on from a Dinamap monitor."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.drivers import Events, Measured, Send, SetTimer
from gateway.drivers.dinamap import Frames, Pressure, Session, check_characters, parse_message
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)


def message(body: str) -> bytes:
    return body.encode() + check_characters(body.encode())


def result(age: int, pressures: str = "124079093", status: int = 1) -> bytes:
    return message(f" NA{status}00{age:04}{pressures}") + b"\r"


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


@pytest.mark.parametrize("command", [b" NC0!E", b" ND!5", b" NA!2", b" RC!8"])
def test_the_check_fits_every_known_command(command: bytes) -> None:
    assert check_characters(command[:-2]) == command[-2:]


def test_a_result_with_its_age() -> None:
    parsed = parse_message(b" NA1000025130067086&)")
    assert isinstance(parsed, Pressure)
    assert parsed.reading is not None
    assert [str(o.value) for o in parsed.reading.observations] == ["130", "67", "86"]
    assert parsed.age == timedelta(seconds=25)


@pytest.mark.parametrize("status", range(3, 10))
def test_a_status_above_two_is_an_error_whatever_digits_stand_beside_it(status: int) -> None:
    parsed = parse_message(result(0, status=status)[:-1])
    assert isinstance(parsed, Pressure)
    assert parsed.reading is not None
    assert (parsed.reading.status, parsed.reading.observations) == ("rejected", ())


def test_an_error_needs_no_numbers() -> None:
    parsed = parse_message(message(" NA400            0000"))
    assert isinstance(parsed, Pressure)
    assert parsed.reading is not None
    assert parsed.reading.notes == ("status 4: error of the monitor",)


def test_a_pressure_that_is_no_number_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        parse_message(message(" NA10000251-0067086"))
    assert (caught.value.code, caught.value.offset) == ("value", 10)


@pytest.mark.parametrize(
    "line", [b" NA1000025130067096&)", b" NA1000025130067086", b"", message(" XX1"), message(" NA1")]
)
def test_a_message_that_does_not_hold_is_refused(line: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_message(line)


def test_what_stood_there_before_we_looked_is_not_taken() -> None:
    session = Session()
    assert readings(session.received(result(1200) + result(1201), "", _AT)) == []


def test_a_new_result_waits_for_its_pulse_rate() -> None:
    session = Session()
    session.received(result(1200, "130067086"), "", _AT)
    events = session.received(result(3), "", _AT)
    assert (readings(events), events) == ([], (Send(b" RC!8\r"), SetTimer("pulse", 2.0)))
    (reading,) = readings(session.received(message(" RC1072") + b"\r", "", _AT))
    assert [str(o.value) for o in reading.observations] == ["124", "79", "93", "72"]
    assert (reading.taken_at, reading.time_source) == (_AT - timedelta(seconds=3), "gateway")


def test_a_pulse_rate_for_itself_is_a_heart_rate_and_zero_is_none() -> None:
    (reading,) = readings(Frames().received(message(" RC1072") + b"\r", "", _AT))
    assert [(o.name, str(o.value)) for o in reading.observations] == [("pulse-rate", "72")]
    assert readings(Frames().received(message(" RC1000") + b"\r", "", _AT)) == []


def test_a_pulse_rate_that_does_not_come_does_not_cost_the_result() -> None:
    session = Session()
    session.received(result(1200, "130067086") + result(3), "", _AT)
    assert len(readings(session.timer("pulse", _AT))) == 1


def test_a_result_that_stays_is_taken_once() -> None:
    session = Session()
    stream = result(1200, "130067086") + b"".join(result(age) for age in range(3, 60))
    session.received(stream, "", _AT)
    assert len(readings(session.timer("pulse", _AT))) == 1
    assert readings(session.received(result(61), "", _AT)) == []
