"""What a clinic can rely on from a Masimo oximeter on a serial line."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.drivers import ClockRead, Measured
from gateway.drivers.masimo_serial import Session, parse_line
from gateway.errors import DecodeError

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_WHEN = "02/22/16 22:47:45 SN=0000056661 "


def line(rest: str) -> bytes:
    return (_WHEN + rest).encode()


def test_values_are_looked_up_by_key_and_keep_their_digits() -> None:
    reading = parse_line(line("SPO2=098% BPM=097 PI=03.60% SPCO=--.-% EXC=000800")).reading
    assert [(o.name, str(o.value), o.unit) for o in reading.observations] == [
        ("spo2", "98", "%"),
        ("pulse-rate", "97", "/min"),
        ("perfusion-index", "3.60", "%"),
    ]


def test_the_devices_own_time_is_month_day_year() -> None:
    reading = parse_line(line("SPO2=098 BPM=097 EXC=800")).reading
    assert (reading.taken_at, reading.time_source) == (datetime(2016, 2, 22, 22, 47, 45), "device")  # noqa: DTZ001


@pytest.mark.parametrize("bit", ["001", "002", "008", "020", "040", "080"])
def test_digits_that_stand_while_nothing_is_measured_are_never_read(bit: str) -> None:
    reading = parse_line(line(f"SPO2=098% BPM=101 PI=03.60% EXC=000{int(bit, 16) | 0x800:03X}")).reading
    assert (reading.status, reading.observations) == ("rejected", ())


@pytest.mark.parametrize(
    ("bit", "note"), [("C00", "low signal IQ"), ("804", "low perfusion"), ("810", "interference")]
)
def test_a_poor_signal_is_in_doubt(bit: str, note: str) -> None:
    reading = parse_line(line(f"SPO2=098% BPM=101 EXC=000{bit}")).reading
    assert (reading.status, reading.notes, reading.value("spo2")) == ("questionable", (note,), Decimal(98))


@pytest.mark.parametrize("none", ["SPO2=---% BPM=101", "SPO2=098% BPM=---", "SPO2=098%"])
def test_both_values_are_needed(none: str) -> None:
    assert parse_line(line(f"{none} EXC=000800")).reading.status == "rejected"


def test_zeros_are_no_value_in_a_trend_line_only() -> None:
    assert parse_line(b"09/21/08 09:56:10 SpO2=000 PR=000 PI=00.00 EXC=800:SET").reading.status == "rejected"
    streamed = parse_line(line("SPO2=098 BPM=097 PI=00.00 EXC=800")).reading
    assert streamed.value("perfusion-index") == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SPO2=0x8% BPM=101 EXC=000800", "value"),
        ("SPO2=098% BPM=NaN EXC=000800", "value"),
        ("SPO2=098% BPM=101 EXC=ZZZ", "value"),
        ("SPO2=098% BPM=101", "layout"),
        ("BPM=101 EXC=000800", "layout"),
    ],
)
def test_a_line_that_does_not_hold_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_line(line(text))
    assert caught.value.code == code


def test_a_steady_finger_is_one_reading() -> None:
    session = Session(settle_s="3", repeat_s="never", clock="measure")
    events = session.received(line("SPO2=098% BPM=097 EXC=000800\r\n") * 9, "", _AT)
    assert sum(isinstance(event, Measured) for event in events) == 1


@pytest.mark.parametrize("values", ["SPO2=000% BPM=097", "SPO2=098% BPM=000"])
def test_zeros_of_saturation_and_pulse_are_no_values_in_the_stream_either(values: str) -> None:
    assert parse_line(line(f"{values} EXC=000800")).reading.status == "rejected"


@pytest.mark.parametrize(("stated", "serial"), [("SN=0000056661", "0000056661"), ("SN=----------", None)])
def test_the_line_says_which_oximeter_it_is(stated: str, serial: str | None) -> None:
    reading = parse_line(f"02/22/16 22:47:45 {stated} SPO2=098% BPM=097 EXC=800".encode()).reading
    assert reading.device.serial == serial


def test_the_clock_is_read_once_from_a_line_of_this_moment() -> None:
    session = Session(settle_s="3", repeat_s="never", clock="measure")
    trend = b"09/21/08 09:56:12 SpO2=097 PR=069 PI=04.69 EXC=800:SET\r\n"
    events = session.received(trend + line("SPO2=098% BPM=097 EXC=000800\r\n") * 2, "", _AT)
    read = [event.shown for event in events if isinstance(event, ClockRead)]
    assert read == [datetime(2016, 2, 22, 22, 47, 45)]  # noqa: DTZ001 - no zone is stated


def test_the_clock_is_left_alone_where_the_configuration_says_so() -> None:
    session = Session(settle_s="3", repeat_s="never", clock="off")
    events = session.received(line("SPO2=098% BPM=097 EXC=000800\r\n") * 9, "", _AT)
    assert not any(isinstance(event, ClockRead) for event in events)
