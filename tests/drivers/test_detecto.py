"""What a clinic can rely on from a Detecto solo scale."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import Measured, Progress, Send, SetTimer
from gateway.drivers.detecto import Frames, Session, parse_record
from gateway.drivers.nci_answers import parse_answer
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_MANUAL = b"12:00,08/07/15,21.5,5'03.0\",132.3lb"


def values(reading: Reading) -> dict[str, str]:
    return {o.name: f"{o.value} {o.unit}" for o in reading.observations}


def test_the_manuals_example() -> None:
    assert values(parse_record(_MANUAL)) == {
        "weight": "132.3 [lb_av]",
        "height": "63.0 [in_i]",
        "bmi": "21.5 kg/m2",
    }


@pytest.mark.parametrize(
    "height", [b"5'03.0\"", b"5\x9203.0\x94", b"5\xb403.0\xa8", b"5'03.0", "5’03.0”".encode()]
)
def test_whatever_the_quotes_are_they_part_feet_from_inches(height: bytes) -> None:
    record = b"12:00,08/07/15,21.5," + height + b",132.3lb"
    assert values(parse_record(record))["height"] == "63.0 [in_i]"


@pytest.mark.parametrize("empty", [b",", b"0.0,0'00.0\""])
def test_a_height_that_was_not_entered_is_left_out(empty: bytes) -> None:
    assert values(parse_record(b"12:00,08/07/15," + empty + b",132.3lb")) == {"weight": "132.3 [lb_av]"}


def test_which_of_month_and_day_comes_first_is_a_setting() -> None:
    assert parse_record(_MANUAL).taken_at == datetime(2015, 8, 7, 12, 0)  # noqa: DTZ001 - the scale states no zone
    other = parse_record(_MANUAL, date_order="dmy")
    assert other.taken_at == datetime(2015, 7, 8, 12, 0)  # noqa: DTZ001 - the scale states no zone


@pytest.mark.parametrize(
    ("record", "code", "offset"),
    [
        (b"21.5,5'03.0\",132.3lb", "layout", 0),
        (b"12:00,08/07/15,21.5,5'03.0\",132.3", "value", 28),
        (b"12:00,08/07/15,21.5,5'03.0\",132.3st", "value", 28),
        (b"12:00,08/07/15,21.5,503.0,132.3lb", "value", 20),
        (b"12:00,08/07/15,2l.5,,132.3lb", "value", 15),
        (b"1200,08/07/15,21.5,,132.3lb", "value", 0),
    ],
)
def test_a_record_that_does_not_hold_is_refused_by_name(record: bytes, code: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_record(record)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def answer(text: str, status: str | None = "00") -> bytes:
    behind = "" if status is None else f"\n{status}\r"
    return f"\n{text}\r{behind}\x03".encode("latin-1")


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("   72.45kg", "00", "72.45 kg"),
        ("0072.45kg", "20", "72.45 kg"),
        ("  159.7lb", "S00", "159.7 [lb_av]"),
        ("00.000LB", "0p1", "0.000 [lb_av]"),
        ("  3425 g", "0p", "3425 g"),
        (" 120.8oz", "00", "120.8 [oz_av]"),
    ],
)
def test_a_steady_weight_of_scp_01_keeps_its_digits_and_unit(text: str, status: str, expected: str) -> None:
    parsed = parse_answer(answer(text, status))
    assert isinstance(parsed, Reading)
    assert values(parsed) == {"weight": expected}


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("^^^^^^^^kg", "00", "over capacity"),
        ("________lb", "00", "under capacity"),
        ("--------kg", "00", "zero cannot be set"),
        ("  72.45kg", "02", "over capacity"),
        ("  72.45kg", "01", "under capacity"),
        ("  72.45kg", "12", "over capacity"),
        ("-  0.45kg", "00", "negative weight: not a patient's"),
        ("02", None, "over capacity"),
    ],
)
def test_what_a_scale_declares_failed_has_no_number(text: str, status: str | None, reason: str) -> None:
    parsed = parse_answer(answer(text, status))
    assert isinstance(parsed, Reading)
    assert (parsed.status, parsed.observations, parsed.notes) == ("rejected", (), (reason,))


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("10", None, "weighing"),
        ("S00", None, "the scale is steady"),
        ("lb", None, "the unit was changed"),
        ("  12pcs", "00", "the scale counts pieces; switch it to weighing"),
        ("   72.45kg", "10", "weighing"),
        ("    0.00kg", "20", "nothing on the scale"),
        ("    0.00kg", "10", "nothing on the scale"),
    ],
)
def test_what_is_no_weight_of_anybody_is_for_the_screen(text: str, status: str | None, said: str) -> None:
    (event, _) = Frames("mdy", "solo").received(answer(text, status), "", _AT)
    assert event == Progress(said)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (answer("?", None), "command"),
        (answer("  72.45st"), "unit"),
        (answer("  72.4 5kg"), "value"),
        (answer("  1lb 02.5oz"), "value"),
        (answer("  72.45kg", None), "status"),
        (answer("  72.45kg", "AB"), "status"),
        (answer("hello", None), "layout"),
        (b"", "layout"),
    ],
)
def test_an_answer_that_does_not_hold_is_refused_by_name(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_answer(data)
    assert caught.value.code == code


def test_a_scale_of_scp_01_is_asked_and_weighed_once_a_load() -> None:
    session = Session(date_order="mdy", protocol="scp-01")
    assert SetTimer("poll", 0.5) in session.connected(_AT)
    assert Send(b"W\r") in session.timer("poll", _AT)
    stream = answer("    0.00kg", "20") + answer("10", None) + answer("   72.45kg") * 4 + answer("10", None)
    assert sum(isinstance(event, Measured) for event in session.received(stream, "", _AT)) == 1


def test_a_solo_is_not_asked() -> None:
    assert Session(date_order="mdy", protocol="solo").connected(_AT) == ()


@given(st.integers(0, 9999999), st.integers(0, 4), st.sampled_from(["kg", "lb", "oz", "g"]))
def test_every_weight_of_scp_01_comes_back(digits: int, places: int, unit: str) -> None:
    value = Decimal(digits).scaleb(-places)
    parsed = parse_answer(answer(f"{value:f}{unit}"))
    assert isinstance(parsed, Reading)
    assert parsed.value("weight") == value


@given(st.binary(max_size=120))
def test_after_any_bytes_the_next_record_and_answer_are_read(noise: bytes) -> None:
    frames = Frames("mdy", "solo")
    frames.received(noise, "", _AT)
    frames.timer("silence", _AT)
    events = frames.received(_MANUAL + b"\r" + answer("   72.45kg"), "", _AT)
    assert sum(isinstance(event, Measured) for event in events) == 2


def test_the_key_pressed_twice_is_one_reading() -> None:
    events = Session(date_order="mdy", protocol="solo").received((_MANUAL + b"\r") * 2, "", _AT)
    assert sum(isinstance(event, Measured) for event in events) == 1
