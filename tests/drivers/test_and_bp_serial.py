"""What a clinic can rely on from an A&D cuff on a serial line."""

from datetime import UTC, datetime

import pytest

from gateway.drivers import Fault, Measured, Progress
from gateway.drivers.and_bp_serial import Session, parse_payload, parse_rb
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)


def frame(
    *, error: str = "E00", systolic: str = "S124", when: str = "2603020905", pulse: str = "P 66"
) -> bytes:
    fields = ("TM2655P", when, "00", "00", error, systolic, "M 93", "D 78", pulse, "L180", "A 12")
    return b"\x02" + "\x1e".join(fields).encode() + b"\x03"


def values(reading: Reading) -> dict[str, str]:
    return {o.name: str(o.value) for o in reading.observations}


def test_fields_are_taken_by_their_letter() -> None:
    assert values(parse_rb(frame())) == {
        "systolic": "124",
        "diastolic": "78",
        "mean-arterial-pressure": "93",
        "pulse-rate": "66",
    }


def test_the_time_and_the_model_are_the_cuffs() -> None:
    reading = parse_rb(frame())
    assert (reading.taken_at, reading.device.model) == (datetime(2026, 3, 2, 9, 5), "TM2655P")  # noqa: DTZ001


@pytest.mark.parametrize(("error", "reason"), [("E44", "patient moved"), ("E99", "error of the cuff")])
def test_an_error_code_rejects_whatever_digits_stand_beside_it(error: str, reason: str) -> None:
    reading = parse_rb(frame(error=error))
    assert (reading.status, reading.observations, reading.notes) == ("rejected", (), (f"{error}: {reason}",))


@pytest.mark.parametrize("systolic", ["S   ", "S  0", "S000"])
def test_a_systolic_that_is_none_rejects_the_measurement(systolic: str) -> None:
    assert parse_rb(frame(systolic=systolic)).status == "rejected"


def test_a_pulse_that_was_not_found_is_left_out() -> None:
    assert "pulse-rate" not in values(parse_rb(frame(pulse="P   ")))


@pytest.mark.parametrize("systolic", ["S1 4", "S---", "S12x", "S1234"])
def test_a_value_that_is_no_number_of_three_characters_is_refused(systolic: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_rb(frame(systolic=systolic))
    assert (caught.value.code, caught.value.offset) == ("value", frame().index(b"S124") + 1)


def test_the_second_pair_of_a_payload_is_the_difference_to_the_systolic() -> None:
    assert values(parse_payload(b"801D4C4152")) == {
        "systolic": "105",
        "diastolic": "76",
        "mean-arterial-pressure": "82",
        "pulse-rate": "65",
    }


def test_another_first_pair_is_an_error_and_no_numbers() -> None:
    assert (parse_payload(b"851D4C4152").status, parse_payload(b"851D4C4152").observations) == (
        "rejected",
        (),
    )


def test_a_payload_counts_when_silence_follows() -> None:
    session = Session()
    assert not any(isinstance(event, Measured) for event in session.received(b"801D4C4152", "", _AT))
    (event,) = session.timer("silence", _AT)
    assert isinstance(event, Measured)


@pytest.mark.parametrize("between", [b"\r\n", b"\n", b" "])
def test_several_payloads_are_each_a_result(between: bytes) -> None:
    session = Session()
    session.received(b"801D4C4152" + between + b"8048624d82" + between, "", _AT)
    events = session.timer("silence", _AT)
    assert [values(event.reading)["systolic"] for event in events if isinstance(event, Measured)] == [
        "105",
        "170",
    ]
    assert not any(isinstance(event, Fault) for event in events)


def test_the_check_character_behind_a_frame_is_passed_over() -> None:
    session = Session()
    events = session.received(frame() + b"\x12\r\n" + frame() + b"\x00", "", _AT) + session.timer(
        "silence", _AT
    )
    assert not any(isinstance(event, Fault) for event in events)


def test_ten_digits_inside_a_torn_frame_are_no_payload() -> None:
    session = Session()
    session.received(frame()[3:25], "", _AT)
    (event,) = session.timer("silence", _AT)
    assert isinstance(event, Fault)


@pytest.mark.parametrize(("last", "said"), [(0x06, "command taken"), (0x15, "command refused")])
def test_the_answer_to_a_command_of_somebody_else_is_for_the_screen(last: int, said: str) -> None:
    session = Session()
    session.received(bytes((0x16, 0x16, 0x01, 0x30, 0x30, last)), "", _AT)
    assert session.timer("silence", _AT) == (Progress(said),)
