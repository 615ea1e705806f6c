"""What a clinic can rely on from a Detecto solo scale."""

from datetime import UTC, datetime

import pytest

from gateway.drivers import Measured
from gateway.drivers.detecto import Session, parse_record
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


@pytest.mark.parametrize("height", [b"5'03.0\"", b"5\x9203.0\x94", b"5\xb403.0\xa8", b"5'03.0"])
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


def test_the_key_pressed_twice_is_one_reading() -> None:
    events = Session(date_order="mdy").received((_MANUAL + b"\r") * 2, "", _AT)
    assert sum(isinstance(event, Measured) for event in events) == 1
