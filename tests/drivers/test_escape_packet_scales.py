"""What a clinic can rely on from Health o meter and Rice Lake scales."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.codecs.escape_packets import parse_packet
from gateway.drivers import Events, Measured, Send, health_o_meter, rice_lake
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)


def packet(*fields: str) -> bytes:
    return "".join(f"\x1b{field}" for field in ("R", *fields, "E")).encode()


def values(reading: Reading | None) -> dict[str, str]:
    assert reading is not None
    return {o.name: f"{o.value} {o.unit}" for o in reading.observations}


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def test_the_unit_field_tells_pounds_and_inches_from_kilograms_and_centimetres() -> None:
    metric = values(parse_packet(packet("W90.98", "H178.70", "B28", "Nm")))
    assert metric == {"weight": "90.98 kg", "height": "178.70 cm", "bmi": "28 kg/m2"}
    assert values(parse_packet(packet("W0200.5", "Nc"))) == {"weight": "200.5 [lb_av]"}


def test_what_was_typed_is_a_hint_and_zeros_are_nothing_typed() -> None:
    typed, zeros = (parse_packet(packet(f"I{who}", "W71.35", "Nm")) for who in ("1234567890", "0000000000"))
    assert typed is not None
    assert zeros is not None
    assert (typed.subject, zeros.subject) == ("1234567890", None)


@pytest.mark.parametrize("marker", ["999.9", "999.99"])
def test_out_of_range_has_no_number(marker: str) -> None:
    reading = parse_packet(packet(f"W{marker}", "Nc"))
    assert reading is not None
    assert (reading.status, reading.observations) == ("rejected", ())


@pytest.mark.parametrize(
    "fields", [("W71.35",), ("W71.35", "Nx"), ("W7l.35", "Nm"), ("W-71", "Nm"), ("Nm",), ("W", "Nm")]
)
def test_a_packet_without_weight_or_unit_is_refused(fields: tuple[str, ...]) -> None:
    with pytest.raises(DecodeError):
        parse_packet(packet(*fields))


def test_a_packet_that_was_cut_is_started_afresh() -> None:
    cut = packet("W90.98", "H178.70", "Nm")[:-9]
    (reading,) = readings(health_o_meter.Session().received(cut + packet("W71.35", "Nm"), "", _AT))
    assert reading.value("weight") == Decimal("71.35")


def test_the_same_packet_again_is_the_same_person_for_ten_seconds() -> None:
    session, weighed = health_o_meter.Session(), packet("W71.35", "Nm")
    moments = (_AT, _AT + timedelta(seconds=2), _AT + timedelta(seconds=20))
    assert [len(readings(session.received(weighed, "", at))) for at in moments] == [1, 0, 1]


def test_rice_lake_is_asked_and_a_weight_counts_when_it_stays() -> None:
    session = rice_lake.Session()
    assert Send(b"\x1bR\x1bE") in session.timer("poll", _AT)
    assert readings(session.received(packet("W72.4", "Nm"), "", _AT)) == []
    assert len(readings(session.received(packet("W72.4", "Nm") * 5, "", _AT))) == 1
    session.received(packet("W00.0", "Nm"), "", _AT)
    assert len(readings(session.received(packet("W72.4", "Nm") * 5, "", _AT))) == 1


def test_a_print_is_a_reading_at_once() -> None:
    (reading,) = readings(rice_lake.Session().received(b"     10.0 lb Gross \r\n", "", _AT))
    assert values(reading) == {"weight": "10.0 [lb_av]"}


@pytest.mark.parametrize(
    "line", [b"0.0 lb Gross", b"     1O.0 lb Gross", b"     10.0 st Gross", b"     10.0 lb", b""]
)
def test_a_print_that_does_not_hold_is_refused(line: bytes) -> None:
    with pytest.raises(DecodeError):
        rice_lake.parse_print(line)


def test_feet_and_inches_become_inches_by_twelve() -> None:
    stream = (
        b"GROSS WEIGHT 215.0 LB\r\nTARE WEIGHT 0.0 LB\r\nNET WEIGHT 215.0 LB\r\n"
        b"PATIENT HEIGHT 6-01.0 FT\r\nPATIENT BMI 28.4\r\n"
    )
    (reading,) = readings(rice_lake.Session().received(stream, "", _AT))
    assert values(reading) == {"weight": "215.0 [lb_av]", "height": "73.0 [in_i]", "bmi": "28.4 kg/m2"}


def test_bmi_mode_with_a_line_lost_is_no_reading() -> None:
    stream = b"GROSS WEIGHT 215.0 LB\r\nNET WEIGHT 215.0 LB\r\nPATIENT BMI 28.4\r\n"
    assert readings(rice_lake.Session().received(stream, "", _AT)) == []
