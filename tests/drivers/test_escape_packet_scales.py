"""What a clinic can rely on from Health o meter and Rice Lake scales."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.codecs.escape_packets import parse_packet
from gateway.drivers import Events, Measured, Progress, Send, health_o_meter, rice_lake
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)


def packet(*fields: str) -> bytes:
    return "".join(f"\x1b{field}" for field in ("R", *fields, "E")).encode()


def values(reading: Reading | str) -> dict[str, str]:
    assert isinstance(reading, Reading)
    return {o.name: f"{o.value} {o.unit}" for o in reading.observations}


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def test_the_unit_field_tells_pounds_and_inches_from_kilograms_and_centimetres() -> None:
    metric = values(parse_packet(packet("W90.98", "H178.70", "B28", "Nm")))
    assert metric == {"weight": "90.98 kg", "height": "178.70 cm", "bmi": "28 kg/m2"}
    assert values(parse_packet(packet("W0200.5", "Nc"))) == {"weight": "200.5 [lb_av]"}


def test_what_was_typed_is_a_hint_and_zeros_are_nothing_typed() -> None:
    typed, zeros = (parse_packet(packet(f"I{who}", "W71.35", "Nm")) for who in ("1234567890", "0000000000"))
    assert isinstance(typed, Reading)
    assert isinstance(zeros, Reading)
    assert (typed.subject, zeros.subject) == ("1234567890", None)


@pytest.mark.parametrize("weight", ["999.9", "999.99", "0999.9", "-0.5"])
def test_out_of_range_and_a_negative_weight_have_no_number(weight: str) -> None:
    reading = parse_packet(packet(f"W{weight}", "H178.70", "Nc"))
    assert isinstance(reading, Reading)
    assert (reading.status, reading.observations) == ("rejected", ())


@pytest.mark.parametrize("fields", [("W71.35",), ("W71.35", "Nx"), ("W7l.35", "Nm"), ("Nm",), ("W", "Nm")])
def test_a_packet_without_weight_or_unit_is_refused(fields: tuple[str, ...]) -> None:
    with pytest.raises(DecodeError):
        parse_packet(packet(*fields))


@pytest.mark.parametrize(
    ("notice", "text"),
    [
        (b"\x1bO\x1bE", "the scale is on"),
        (b"\x1bL\x1bE", "the scale saves power"),
        (b"\x1bPAHT=10\x1bE", "a setting of the scale"),
        (b"\x1bZ000\x1bE", "the scale found nothing wrong with itself"),
    ],
)
def test_what_a_scale_says_of_itself_is_for_the_screen(notice: bytes, text: str) -> None:
    events = health_o_meter.Frames().received(notice, "", _AT)
    assert [event.text for event in events if isinstance(event, Progress)] == [text]


def test_what_diagnostics_found_is_a_fault() -> None:
    with pytest.raises(DecodeError):
        parse_packet(b"\x1bZ012\x1bE")


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
    "line",
    [b"0.0 lb Gross", b"     1O.0 lb Gross", b"     10.0 st Gross", b"     10.0 lb", b"10.0 lb Net", b""],
)
def test_a_print_that_does_not_hold_is_refused(line: bytes) -> None:
    with pytest.raises(DecodeError):
        rice_lake.parse_print(line)


@pytest.mark.parametrize("line", [b"     10.0 lb Gross ", b"    10.0 lb  Net   ", b"   10.0 LB GROSS"])
def test_a_print_counts_by_its_parts(line: bytes) -> None:
    assert values(rice_lake.parse_print(line)) == {"weight": "10.0 [lb_av]"}


@pytest.mark.parametrize("weight", [b"    999.9", b"   0999.9", b"   999.99", b"     -1.5"])
def test_a_print_without_a_weight_of_a_patient_is_rejected(weight: bytes) -> None:
    reading = rice_lake.parse_print(weight + b" kg Gross ")
    assert (reading.status, reading.observations) == ("rejected", ())


def test_an_empty_scale_that_prints_is_no_reading() -> None:
    assert readings(rice_lake.Frames().received(b"      0.0 lb Gross \r\n", "", _AT)) == []


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
