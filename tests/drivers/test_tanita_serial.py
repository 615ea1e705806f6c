"""What a clinic can rely on from a Tanita scale."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.checksum import sum8
from gateway.drivers import Events, Fault, Measured, Progress, Send, SetTimer
from gateway.drivers.tanita_serial import Frames, Session, parse_comma, parse_weight
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_HEAD = '{0,16,~0,1,~1,1,~2,1,MO,"SC-330",'


def line(fields: str) -> bytes:
    body = f"{_HEAD}{fields},".encode("latin-1")
    return b"%sCS,%02X" % (body, sum8(body))


def values(reading: Reading) -> dict[str, str]:
    return {o.name: f"{o.value} {o.unit}" for o in reading.observations}


def faults(events: Events) -> list[str]:
    return [event.code for event in events if isinstance(event, Fault)]


def test_keys_that_differ_by_case_alone_are_different_quantities() -> None:
    assert values(parse_comma(line("Wk,82.7,FW,18.6,fW,15.4,MW,67.3,mW,64.0,wW,48.0,ww,58.0"))) == {
        "weight": "82.7 kg",
        "body-fat": "18.6 %",
        "fat-mass": "15.4 kg",
        "fat-free-mass": "67.3 kg",
        "muscle-mass": "64.0 kg",
        "body-water-mass": "48.0 kg",
        "body-water": "58.0 %",
    }


def test_the_digits_are_those_of_the_scale() -> None:
    assert [values(parse_comma(line(f"Hm,{h},Wk,65.2")))["height"] for h in ("170", "170.0")] == [
        "170 cm",
        "170.0 cm",
    ]


def test_the_metabolic_rate_is_given_once() -> None:
    assert values(parse_comma(line("Wk,65.2,rb,8255,rB,1973")))["basal-metabolic-rate"] == "1973 kcal/d"
    assert values(parse_comma(line("Wk,65.2,rb,8255")))["basal-metabolic-rate"] == "8255 kJ"


def test_masses_beside_pounds_are_left_out_and_said_to_be() -> None:
    reading = parse_comma(line("Wp,143.7,FW,18.6,fW,26.7"))
    assert values(reading) == {"weight": "143.7 [lb_av]", "body-fat": "18.6 %"}
    assert "unit" in reading.notes[0]


def test_the_day_stands_before_the_month_and_in_newer_lines_the_year_first() -> None:
    assert parse_comma(line('Da,"03/02/2026",TI,"09:05",Wk,65.2')).taken_at == datetime(2026, 2, 3, 9, 5)  # noqa: DTZ001
    assert parse_comma(line('DT,"2026/02/03",TI,"09:05",Wk,65.2')).taken_at == datetime(2026, 2, 3, 9, 5)  # noqa: DTZ001


@pytest.mark.parametrize("date", ['Da,"00/00/0000"', 'Da,"30/02/2026"', 'Da,"01/01/1970"', 'DT,"9999/12/31"'])
def test_a_clock_that_was_never_set_leaves_the_values(date: str) -> None:
    reading = parse_comma(line(f'{date},TI,"09:05",Wk,65.2'))
    assert (reading.taken_at, values(reading)) == (None, {"weight": "65.2 kg"})
    assert reading.notes == ("the clock of the scale shows no date and time",)


def test_a_patient_id_is_a_hint_and_zeros_are_none() -> None:
    subjects = [parse_comma(line(f'ID,"{who}",Wk,65.2')).subject for who in ("0000004711", "0000000000")]
    assert subjects == ["0000004711", None]


@pytest.mark.parametrize("other", ["Hf,67", "FW,ERR", "MI,2e1", "ZF,-5"])
def test_what_is_no_number_does_not_cost_the_weight(other: str) -> None:
    reading = parse_comma(line(f"Wp,143.7,{other}"))
    assert values(reading) == {"weight": "143.7 [lb_av]"}
    assert reading.notes == (f"{other[:2]} left out: {other[3:]!r} is no number",)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("Wk,-1.2", "negative weight"),
        ("Wk,---", "no weight"),
        ("Wk,0.0", "no weight"),
        ("Wk,6S.2", "no weight"),
        ("Wk,1e3", "no weight"),
    ],
)
def test_a_weight_that_is_none_is_rejected(fields: str, reason: str) -> None:
    reading = parse_comma(line(f"{fields},FW,18.6"))
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes[0].startswith(reason)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (line("Wk,65.2")[:-2] + b"00", "checksum"),
        (line("Wk,65.2").replace(b"65.2", b"56.2").replace(b"SC", b"SD"), "checksum"),
        (line("Wk,65.2")[3:], "layout"),
        (line("Wk,65.2")[:-6], "layout"),
        (line("Wk"), "layout"),
        (line("Wk,65.2,Wk,66.2"), "layout"),
        (line("FW,18.6"), "layout"),
        (b"", "layout"),
    ],
)
def test_a_line_that_does_not_hold_is_refused_by_name(text: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_comma(text)
    assert caught.value.code == code


@given(st.integers(1, 3000), st.integers(1, 600))
def test_every_weight_and_share_of_fat_comes_back(weight: int, fat: int) -> None:
    reading = parse_comma(line(f"Wk,{weight / 10},FW,{fat / 10}"))
    assert values(reading) == {"weight": f"{weight / 10} kg", "body-fat": f"{fat / 10} %"}


def test_the_stray_byte_behind_a_line_is_no_fault_and_two_are() -> None:
    for stray, expected in ((b"", []), (b"\xfe", []), (b"\xfe\x81", ["noise"])):
        frames = Frames(ask="no")
        events = frames.received(line("Wk,65.2") + b"\r\n" + stray + line("Wk,66.2") + b"\r\n", "", _AT)
        assert (sum(isinstance(e, Measured) for e in events), faults(events)) == (2, expected)
    frames = Frames(ask="no")
    assert faults(frames.received(line("Wk,65.2") + b"\r\n\xfe", "", _AT) + frames.disconnected(_AT)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"KS 65.4", "65.4 kg"),
        (b"LS144.2", "144.2 [lb_av]"),
        (b"S     75.0kg", "75.0 kg"),
        (b"S    165.8lb", "165.8 [lb_av]"),
    ],
)
def test_a_stable_weight_keeps_its_digits_and_unit(text: bytes, expected: str) -> None:
    parsed = parse_weight(text)
    assert isinstance(parsed, Reading)
    assert values(parsed) == {"weight": expected}


@pytest.mark.parametrize("text", [b"KI 65.4", b"LI-----", b"SI        kg", b"SI    75.0kg"])
def test_overload_has_no_number_whatever_digits_stand_there(text: bytes) -> None:
    parsed = parse_weight(text)
    assert isinstance(parsed, Reading)
    assert (parsed.status, parsed.observations) == ("rejected", ())


@pytest.mark.parametrize("text", [b"KD 31.2\r\n", b"SD    75.0kg\r\n", b"KS  0.0\r\n", b"S      0.0kg\r\n"])
def test_a_moving_load_and_an_empty_scale_are_for_the_screen(text: bytes) -> None:
    (event,) = Frames(ask="no").received(text, "", _AT)
    assert isinstance(event, Progress)


@pytest.mark.parametrize("text", [b"KX 65.4", b"KS65.4", b"KS 6 .4", b"S   75.0kg", b"S     75.0st", b""])
def test_a_weight_line_that_does_not_hold_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_weight(text)


def test_only_a_scale_that_sends_when_asked_is_asked() -> None:
    assert Session(ask="no").connected(_AT) == ()
    assert SetTimer("poll", 1.0) in Session(ask="yes").connected(_AT)
    assert Send(b"DR\r\n") in Session(ask="yes").timer("poll", _AT)
