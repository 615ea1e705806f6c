"""What a clinic can rely on from an A&D scale."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.drivers import Measured, Progress, Send
from gateway.drivers.and_scale import Frames, Pieces, Session, parse_line
from gateway.drivers.weighing_lines import Moving
from gateway.errors import DecodeError
from gateway.model import Observation, Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "value", "unit"),
    [
        (b"ST,+00065.40 kg", "65.40", "kg"),
        (b"ST,+00123.45  g", "123.45", "g"),
        (b"WT,+000145.2 lb", "145.2", "[lb_av]"),
        (b"ST,OK,+0001.234 kg", "1.234", "kg"),
        (b"ST,+000120,8 oz", "120.8", "[oz_av]"),
        (b"ST,+00000.00 kg", "0.00", "kg"),
    ],
)
def test_a_stable_line_keeps_the_decimals_and_its_own_unit(line: bytes, value: str, unit: str) -> None:
    parsed = parse_line(line)
    assert isinstance(parsed, Reading)
    assert parsed.observations == (Observation("weight", Decimal(value), unit),)
    assert str(parsed.value("weight")) == value


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"OL,+9999999E+19", "overload"),
        (b"OL,+999999.9  g", "overload"),
        (b"OL,+0000.234 PC", "overload"),
        (b"OL,+00065.40 kg", "overload"),
        (b"OL,-999999.9  g", "underload"),
        (b"ST,-00183.96  g", "negative weight: not a patient's"),
    ],
)
def test_the_header_decides_and_no_digits_come_of_a_failed_weighing(line: bytes, reason: str) -> None:
    parsed = parse_line(line)
    assert isinstance(parsed, Reading)
    assert (parsed.status, parsed.observations, parsed.notes) == ("rejected", (), (reason,))


def test_an_unstable_line_is_for_the_screen_only() -> None:
    assert parse_line(b"US,-00183.96  g") == Moving(Decimal("-183.96"))


def test_counted_pieces_are_no_weight() -> None:
    assert parse_line(b"QT,+00000123 PC") == parse_line(b"US,+00000123 PC") == Pieces()


@pytest.mark.parametrize(
    ("line", "code", "offset"),
    [
        (b"ST,+00065.4 kg", "layout", 0),
        (b"ST,+0006.5.40kg", "value", 3),
        (b"ST, 00065.40 kg", "value", 3),
        (b"ST,+------.- kg", "value", 3),
        (b"ST,+00065.40 st", "unit", 12),
        (b"ST,+00065.40kg ", "unit", 12),
        (b"XX,+00065.40 kg", "layout", 0),
        (b"OL,", "layout", 0),
        (b"", "layout", 0),
    ],
)
def test_a_line_that_does_not_hold_is_refused_by_name(line: bytes, code: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_line(line)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_an_acknowledgement_before_a_line_is_no_part_of_it() -> None:
    (event,) = Frames().received(b"\x06ST,+00065.40 kg\r\n", "", _AT)
    assert isinstance(event, Measured)
    assert event.reading.value("weight") == Decimal("65.40")


@pytest.mark.parametrize("line", [b"\x06", b"US,+00000.00 kg", b"ST,+00000.00 kg", b"QT,+00000123 PC"])
def test_what_is_no_weight_of_anybody_is_for_the_screen(line: bytes) -> None:
    (event,) = Frames().received(line + b"\r\n", "", _AT)
    assert isinstance(event, Progress)


def test_a_quiet_scale_is_asked() -> None:
    assert Send(b"Q\r\n") in Session().timer("quiet", _AT)
