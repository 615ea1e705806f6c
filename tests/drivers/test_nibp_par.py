"""What a clinic can rely on from a blood-pressure module of the PAR type."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.checksum import sum8
from gateway.drivers import Events, Fault, Measured, Progress, Send
from gateway.drivers.nibp_par import Frames, Session, parse_status
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_STATUS = "S1;A0;C00;M00;P118076090;R068;T0000;"
_ASK = Send(b"\x0218;;DF\x03")


def packet(text: str) -> bytes:
    return b"\x02" + text.encode("latin-1") + b"\x03\r"


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


@pytest.mark.parametrize("more", ["", "T0000", f"T0000;{sum8(_STATUS.encode()):02X}"])
def test_a_result_with_or_without_what_follows_the_pulse(more: str) -> None:
    reading = parse_status(_STATUS.removesuffix("T0000;") + more)
    assert reading is not None
    assert [f"{o.name} {o.value}" for o in reading.observations] == [
        "systolic 118",
        "diastolic 76",
        "mean-arterial-pressure 90",
        "pulse-rate 68",
    ]


@pytest.mark.parametrize("code", ["06", "07", "09", "11", "15", "42"])
def test_every_error_rejects_whatever_digits_stand_beside_it(code: str) -> None:
    reading = parse_status(_STATUS.replace("M00", f"M{code}"))
    assert reading is not None
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes[0].startswith(f"error {code}: ")


@pytest.mark.parametrize("pressures", ["000000000", "---------", "000076090", "118000090"])
def test_pressures_of_zeros_or_dashes_are_no_result(pressures: str) -> None:
    reading = parse_status(_STATUS.replace("118076090", pressures))
    assert reading is not None
    assert (reading.status, reading.observations) == ("rejected", ())


def test_while_the_module_measures_the_result_is_an_old_one() -> None:
    assert parse_status(_STATUS.replace("S1", "S3")) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (_STATUS + "00", "checksum"),
        (_STATUS.replace("R068", "R68"), "layout"),
        (_STATUS.replace("P118", "P1x8"), "value"),
        (_STATUS.replace("P118", "P-18"), "value"),
        (_STATUS[:20], "layout"),
        ("", "layout"),
    ],
)
def test_a_status_that_does_not_hold_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_status(text)
    assert caught.value.code == code


@given(st.integers(1, 999), st.integers(1, 999), st.integers(1, 999), st.integers(1, 999))
def test_every_value_comes_back(systolic: int, diastolic: int, mean: int, pulse: int) -> None:
    reading = parse_status(f"S1;A0;C00;M00;P{systolic:03}{diastolic:03}{mean:03};R{pulse:03};")
    assert reading is not None
    assert [o.value for o in reading.observations] == [systolic, diastolic, mean, pulse]


def test_the_pressure_in_the_cuff_is_for_the_screen() -> None:
    assert Progress("cuff at 165 mmHg") in Frames().received(packet("165C0S3"), "", _AT)


def test_the_result_is_asked_for_when_the_measurement_is_over_and_taken_once() -> None:
    session = Session()
    assert readings(session.received(packet(_STATUS), "", _AT)) == []
    assert _ASK in session.received(packet("999"), "", _AT)
    assert len(readings(session.received(packet(_STATUS) * 3, "", _AT))) == 1


def test_an_answer_that_does_not_come_is_asked_for_three_times() -> None:
    session = Session()
    session.received(packet("999"), "", _AT)
    assert [_ASK in session.timer("answer", _AT) for _ in range(3)] == [True, True, False]


def test_a_command_that_inflates_a_cuff_is_never_sent() -> None:
    session = Session()
    events = (*session.received(packet("999"), "", _AT), *session.timer("answer", _AT))
    assert {event.data for event in events if isinstance(event, Send)} == {_ASK.data}


@given(st.binary(max_size=200))
def test_after_any_bytes_the_next_status_is_read(noise: bytes) -> None:
    frames = Frames()
    frames.received(noise, "", _AT)
    frames.timer("silence", _AT)
    events = frames.received(packet(_STATUS), "", _AT)
    assert len(readings(events)) == 1
    assert not any(isinstance(event, Fault) for event in events)
