"""What a clinic can rely on from a Clinitek Status."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers import Measured, load
from gateway.drivers.clinitek import Session, parse_record
from gateway.errors import DecodeError
from gateway.model import Observation, Reading
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_NOT_VALUES = {"patient-id", "taken_at"}


def record(pads: str, *, date: str = "24-12-2021", time: str = " 5:33PM", subject: str = "2756") -> bytes:
    return f"1822,{date},{time},,{subject},,,,,Multistix 10 SG,Yellow,Not Entered,{pads}".encode("latin-1")


def parsed(line: bytes, date_order: str = "dmy") -> Reading:
    reading, errors = parse_record(line, date_order, "latin-1")
    assert errors == ()
    return reading


def as_printed(observation: Observation) -> str:
    return observation.text or f"{observation.comparator or ''}{observation.value}"


def test_every_published_record_says_what_it_says(sample_bytes: tuple[dict[str, Any], ...]) -> None:
    mine = [s for s in sample_bytes if s["driver"] == "clinitek" and "taken_at" in s["expect"]]
    assert mine
    for sample in mine:
        settings = {"date_order": sample["date_order"]}
        (reading,) = decode(load("clinitek"), sample["text"].encode("latin-1"), settings=settings).readings
        expected = {name: value for name, value in sample["expect"].items() if name not in _NOT_VALUES}
        assert {o.name: as_printed(o) for o in reading.observations} == expected
        units = {o.name: o.unit for o in reading.observations if o.unit}
        assert units == sample.get("expect_units", {})
        abnormal = [n.partition(":")[0] for n in reading.notes if "outside" in n]
        assert abnormal == sample.get("abnormal", [])
        assert (reading.subject, reading.taken_at) == (
            sample["expect"].get("patient-id"),
            datetime.fromisoformat(sample["expect"]["taken_at"]),
        )
        assert (reading.status == "rejected") == ("rejected" in sample)


@pytest.mark.parametrize(
    ("time", "hour"), [("12:05AM", 0), ("12:05PM", 12), (" 5:33PM", 17), ("00:10", 0), ("23:59", 23)]
)
def test_both_clocks_are_read(time: str, hour: int) -> None:
    reading = parsed(record("GLU,Negative,", time=time))
    assert reading.taken_at is not None
    assert reading.taken_at.hour == hour


@pytest.mark.parametrize(
    ("date", "order"),
    [("24-12-2021", "mdy"), ("12-24-2021", "dmy"), ("00-01-2021", "dmy"), ("30-02-2021", "dmy")],
)
def test_a_date_that_contradicts_the_setting_is_refused_with_its_record(date: str, order: str) -> None:
    with pytest.raises(DecodeError, match="date_order"):
        parse_record(record("GLU,Negative,", date=date), order, "latin-1")


def test_a_failed_strip_is_no_set_of_negatives() -> None:
    reading = parsed(record("E58"))
    assert (reading.status, reading.observations, reading.notes) == ("rejected", (), ("analyser error E58",))


def test_a_control_is_no_patient() -> None:
    reading = parsed(record("GLU,Negative,", subject="CONTROL 2"))
    assert (reading.status, reading.observations) == ("rejected", ())


def test_a_result_in_an_unknown_unit_is_left_out_and_its_place_named() -> None:
    line = record("GLU,5 furlong,,KET,Negative,")
    reading, (error,) = parse_record(line, "dmy", "latin-1")
    assert [o.name for o in reading.observations] == ["ketones"]
    assert line[error.offset :].startswith(b"5 furlong")


def test_a_pad_that_is_not_known_keeps_its_code() -> None:
    assert [o.name for o in parsed(record("P:C,<150 mg/g,,GLU,Negative,")).observations] == ["P:C", "glucose"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (record("GLU,Negative,,GLU,Positive,"), "layout"),
        (record("GLU,Negative,x"), "layout"),
        (record("\x01\x02,Negative,"), "pad"),
        (record("GLU,Negative,", subject="DOE,J"), "strip"),
        (record("GLU,Negative,", time="25:00"), "time"),
        (record("GLU,Negative,", time="17:33PM"), "time"),
        (b"1822,24-12-2021,10:35", "layout"),
        (b"", "layout"),
    ],
)
def test_a_record_that_does_not_hold_is_refused_by_name(line: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_record(line, "dmy", "latin-1")
    assert caught.value.code == code


@given(st.binary(max_size=200), st.integers(0, 100))
def test_no_bytes_make_it_raise_anything_else(noise: bytes, place: int) -> None:
    line = record("GLU,15 mg/dL,*,KET,Negative,")
    Session("dmy", "utf-8").received(line[:place] + noise + line[place:] + b"\r", "", _AT)


def test_a_memory_that_is_sent_again_counts_once() -> None:
    session, line = Session("dmy", "latin-1"), record("GLU,Negative,")
    events = [event for _ in range(3) for event in session.received(line + b"\r\n", "", _AT)]
    assert sum(isinstance(event, Measured) for event in events) == 1
