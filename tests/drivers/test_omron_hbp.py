"""What a clinic can rely on from cuffs and scales of waiting rooms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import Events, Fault, Measured
from gateway.drivers.omron_hbp import Session, parse_text
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_HBP_9030 = "2025,04,17,10,22,00000000000000041877,0,128,079,071,0"
_HBP_9020 = "bp,99999999999999999999,2023/04/27,15:06,140,098,077,068,3"
_BP_500 = "\x02R1,000000000,210427,153000,128,097,082,084,0000,0000,00000,000\x03"


def values(reading: Reading) -> dict[str, str]:
    return {o.name: f"{o.value} {o.unit}" for o in reading.observations}


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


@pytest.mark.parametrize("text", [_HBP_9020, _BP_500])
def test_the_mean_stands_before_the_diastolic(text: str) -> None:
    mean, diastolic = ("98", "77") if text is _HBP_9020 else ("97", "82")
    found = values(parse_text(text))
    assert (found["mean-arterial-pressure"], found["diastolic"]) == (f"{mean} mm[Hg]", f"{diastolic} mm[Hg]")


def test_format_5_has_no_mean_and_the_time_of_the_cuff() -> None:
    reading = parse_text(_HBP_9030)
    assert values(reading) == {"systolic": "128 mm[Hg]", "diastolic": "79 mm[Hg]", "pulse-rate": "71 /min"}
    assert reading.taken_at == datetime(2025, 4, 17, 10, 22)  # noqa: DTZ001 - the cuff states no zone


@pytest.mark.parametrize("date", ["0000,00,00", "2025,02,29", "1999,04,17", "9999,12,31"])
def test_a_clock_that_was_never_set_leaves_the_values(date: str) -> None:
    reading = parse_text(_HBP_9030.replace("2025,04,17", date))
    assert (reading.taken_at, len(reading.observations)) == (None, 3)
    assert reading.notes == ("the clock of the cuff shows no date and time",)


@pytest.mark.parametrize(
    ("typed", "subject"),
    [
        ("00000000000000041877", "00000000000000041877"),
        ("A-4711              ", "A-4711"),
        ("                    ", None),
        ("0" * 20, None),
        ("9" * 20, None),
    ],
)
def test_what_was_typed_is_a_hint_and_fillers_are_none(typed: str, subject: str | None) -> None:
    assert parse_text(_HBP_9030.replace("00000000000000041877", typed)).subject == subject


@pytest.mark.parametrize("digits", ["128,079,071", "   ,   ,   "])
def test_an_error_rejects_whatever_digits_stand_beside_it(digits: str) -> None:
    reading = parse_text(_HBP_9030.replace("0,128,079,071", f"3,{digits}"))
    assert (reading.status, reading.observations, reading.notes) == ("rejected", (), ("error 3 of the cuff",))


@pytest.mark.parametrize("text", [_HBP_9030, _HBP_9020, _BP_500])
@pytest.mark.parametrize("nothing", ["   ", "000", "---"])
def test_a_systolic_that_is_none_rejects_the_measurement(text: str, nothing: str) -> None:
    systolic = "140" if text is _HBP_9020 else "128"
    reading = parse_text(text.replace(f",{systolic},", f",{nothing},"))
    assert (reading.status, reading.observations) == ("rejected", ())


def test_a_height_of_zero_was_not_measured() -> None:
    assert values(parse_text("\x02  0.0,71.40,,,0.0\x03")) == {"weight": "71.40 kg"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (_HBP_9030[:-1], "layout"),
        (_HBP_9030 + ",0", "layout"),
        (_HBP_9030.replace("071", "71"), "layout"),
        (_HBP_9030.replace("071", "+71"), "value"),
        (_HBP_9030.replace("071", "7 1"), "value"),
        (_HBP_9030.replace("071", "7.1"), "value"),
        (_HBP_9020[1:], "layout"),
        (_BP_500.replace("R1", "R2"), "layout"),
        (_BP_500.replace("082", "8x2"), "value"),
        ("188.6,90.05,,,25.3", "layout"),
        ("\x02188.6\x03", "layout"),
        ("\x02188,90,,,25\x03", "layout"),
        ("", "layout"),
    ],
)
def test_a_text_that_does_not_hold_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_text(text)
    assert caught.value.code == code


def test_the_check_character_behind_a_frame_is_passed_over() -> None:
    stream = f"{_BP_500}?{_BP_500}{_BP_500}\r\n{_HBP_9030}\r\n".encode()
    session = Session()
    events = session.received(stream, "", _AT) + session.disconnected(_AT)
    assert len(readings(events)) == 4
    assert not any(isinstance(event, Fault) for event in events)


@pytest.mark.parametrize("other", [b"MMBP203N\r2026.07.11\r120\r", b"ID99999999B26/07/11/09:05 120 080 072 "])
def test_another_output_format_is_named(other: bytes) -> None:
    session = Session()
    session.received(other, "", _AT)
    assert [event.code for event in session.timer("silence", _AT) if isinstance(event, Fault)] == ["format"]


@given(st.integers(60, 260), st.integers(30, 215), st.integers(40, 180))
def test_every_value_of_the_cuff_comes_back(systolic: int, diastolic: int, pulse: int) -> None:
    text = _HBP_9030.replace("128,079,071", f"{systolic:03},{diastolic:03},{pulse:03}")
    assert [o.value for o in parse_text(text).observations] == [systolic, diastolic, pulse]


@given(st.binary(max_size=200))
def test_after_any_bytes_the_next_line_is_read(noise: bytes) -> None:
    session = Session()
    session.received(noise + b"\r\n\xff\x03", "", _AT)
    session.timer("silence", _AT)
    assert len(readings(session.received(_HBP_9030.encode() + b"\r\n", "", _AT))) == 1
