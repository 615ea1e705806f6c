"""What a clinic can rely on from a scale that speaks MT-SICS."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.drivers import Events, Fault, Identified, Measured, Progress, Send, SetTimer
from gateway.drivers.mt_sics import Frames, Session, parse_weight
from gateway.drivers.weighing_lines import Moving
from gateway.errors import DecodeError
from gateway.model import Device, Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_STABLE = b"S S      72.45 kg\r\n"
_MOVING = b"S D      71.90 kg\r\n"
_EMPTY = b"S S       0.00 kg\r\n"


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def test_a_stable_weight_keeps_the_digits_and_unit_of_the_display() -> None:
    reading = parse_weight(b"S S     100.00 g")
    assert isinstance(reading, Reading)
    (observation,) = reading.observations
    assert (str(observation.value), observation.unit) == ("100.00", "g")


def test_a_moving_weight_is_no_reading() -> None:
    assert parse_weight(b"S D      71.90 kg") == Moving(Decimal("71.90"))


def test_a_negative_weight_is_rejected_without_a_number() -> None:
    reading = parse_weight(b"S S      -0.15 kg")
    assert isinstance(reading, Reading)
    assert (reading.status, reading.observations) == ("rejected", ())


@pytest.mark.parametrize(
    ("line", "code", "offset"),
    [
        (b"S S    72.45 kg", "layout", 0),
        (b"S S      72.45", "layout", 0),
        (b"S S 72.45      kg", "value", 4),
        (b"S S      7 2.4 kg", "value", 4),
        (b"S S      +2.45 kg", "value", 4),
        (b"S S      -----  kg", "layout", 0),
        (b"S S        NaN kg", "value", 4),
        (b"S S       1e99 kg", "value", 4),
        (b"S S      72.45 ct", "unit", 15),
        (b"S S      \xb2\xb3.45 kg", "value", 4),
        (b"", "layout", 0),
    ],
)
def test_a_line_that_does_not_hold_is_refused_by_name(line: bytes, code: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_weight(line)
    assert (caught.value.code, caught.value.offset) == (code, offset)


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"S +", "overload"), (b"S -", "underload"), (b"S S Error 12b", "balance fault 12b")],
)
def test_what_the_balance_declares_failed_is_rejected_with_its_reason(line: bytes, reason: str) -> None:
    (reading,) = readings(Frames().received(line + b"\r\n", "", _AT))
    assert (reading.status, reading.notes, reading.observations) == ("rejected", (reason,), ())


def test_the_balance_says_who_it_is() -> None:
    events = Frames().received(b'I4 A "B021002593"\r\nI2 A "IND236"\r\n', "", _AT)
    assert events == (Identified(Device(serial="B021002593")), Identified(Device(model="IND236")))


def test_the_driver_asks_for_the_weight_now_and_never_waits_for_stillness() -> None:
    session = Session()
    assert SetTimer("poll", 0.5) in session.connected(_AT)
    assert session.timer("poll", _AT) == (Send(b"SI\r\n"), SetTimer("poll", 0.5))


def test_one_stable_line_is_not_yet_a_weight_and_the_second_is() -> None:
    session = Session()
    assert readings(session.received(_MOVING + _STABLE, "", _AT)) == []
    (reading,) = readings(session.received(_STABLE, "", _AT))
    assert (reading.value("weight"), reading.taken_at, reading.time_source) == (
        Decimal("72.45"),
        _AT,
        "gateway",
    )


def test_who_stays_on_the_scale_is_weighed_once() -> None:
    session = Session()
    shifting = _STABLE * 3 + _MOVING + b"S S      72.50 kg\r\n" * 3
    assert len(readings(session.received(shifting, "", _AT))) == 1
    assert len(readings(session.received(_EMPTY + _STABLE * 2, "", _AT))) == 1


def test_an_empty_pan_is_no_reading() -> None:
    assert readings(Session().received(_EMPTY * 10, "", _AT)) == []


def test_an_empty_pan_for_itself_is_for_the_screen() -> None:
    events = Frames().received(_EMPTY + _EMPTY.replace(b"S S", b"S D"), "", _AT)
    assert events == (Progress("nothing on the scale"),) * 2


def test_one_stable_line_and_silence_is_the_print_key() -> None:
    session = Session()
    assert SetTimer("silence", 3.0) in session.received(_STABLE, "", _AT)
    assert len(readings(session.timer("silence", _AT))) == 1


def test_a_print_out_is_passed_over() -> None:
    assert Frames().received(b"Gross     72.45 kg\r\n", "", _AT) == (Progress("print-out passed over"),)


def test_text_with_parity_read_without_it_says_so() -> None:
    with_even_parity = bytes(byte | 0x80 * (byte.bit_count() % 2) for byte in _STABLE * 3)
    frames = Frames()
    faults = (*frames.received(with_even_parity, "", _AT), *frames.disconnected(_AT))
    assert [("line settings" in event.message) for event in faults if isinstance(event, Fault)] == [True]
    assert not readings(faults)
