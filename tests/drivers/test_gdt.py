"""What a clinic can rely on from a device that leaves GDT files."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.gdt import encode_set
from gateway.drivers import Events, Fault, Measured, Progress, load
from gateway.drivers.gdt import Session
from gateway.drivers.gdt_forms import observations
from gateway.model import Reading
from gateway.testing import decode

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_NAMES = {
    f"{eye}-{name}": f"{name}-{eye}" for eye in ("right", "left") for name in ("sphere", "cylinder", "axis")
}
_NOT_VALUES = {
    "examination", "family-name", "birth-date", "sex", "patient-id", "results", "taken_at", "upper-limit",
    "warnings",
}  # fmt: skip


def events(*fields: tuple[str, str], kind: str = "by-examination") -> Events:
    return Session(kind, "declared").received(encode_set("6310", fields), "a.gdt", _AT)


def readings(*fields: tuple[str, str]) -> list[Reading]:
    return [event.reading for event in events(*fields) if isinstance(event, Measured)]


def result(*fields: tuple[str, str]) -> list[Reading]:
    return readings(("6200", "02032026"), ("6201", "091500"), ("8410", "SYS"), *fields)


def test_every_documented_examination_says_what_its_document_says(
    sample_bytes: tuple[dict[str, Any], ...],
) -> None:
    mine = [
        s for s in sample_bytes if s["driver"] == "gdt" and s["format"].startswith("6310") and "text" in s
    ]
    assert mine
    for sample in mine:
        found = decode(load("gdt"), sample["text"].encode("cp1252"))
        expect = sample.get("expect", {})
        said = {o.name: o for r in found.readings for o in r.observations}
        for name, value in expect.items():
            if name not in _NOT_VALUES:
                observation = said[_NAMES.get(name, name)]
                assert value == (observation.text or str(observation.value))
                assert observation.unit == sample.get("expect_units", {}).get(name)
        assert {r.subject for r in found.readings} <= {expect.get("patient-id")}
        assert any(r.status == "rejected" for r in found.readings) == ("rejected" in sample)
        assert bool(found.errors) == ("fault" in sample)
        if "taken_at" in expect:
            assert {r.taken_at for r in found.readings} == {datetime.fromisoformat(expect["taken_at"])}


@pytest.mark.parametrize(
    ("sent", "value"), [("142", "142"), ("180,0", "180.0"), ("-5", "-5"), ("3.80", "3.80")]
)
def test_a_value_keeps_its_digits_whichever_decimal_mark(sent: str, value: str) -> None:
    (reading,) = result(("8420", sent), ("8421", "mmHg"))
    assert (str(reading.value("SYS")), reading.observations[0].unit) == (value, "mm[Hg]")


def test_a_result_without_a_value_is_rejected_with_what_the_device_says() -> None:
    (reading,) = result(("8418", "NR"), ("8470", "no response"))
    assert (reading.status, reading.notes) == ("rejected", ("SYS: no value, status NR, no response",))


def test_a_unit_that_is_not_known_is_a_fault_and_the_other_results_stay() -> None:
    fields = (
        ("8410", "A"),
        ("8420", "1"),
        ("8421", "furlong"),
        ("8410", "B"),
        ("8420", "2"),
        ("8421", "kPa"),
    )
    assert [event.code for event in events(*fields) if isinstance(event, Fault)] == ["unit"]
    assert [[o.name for o in reading.observations] for reading in readings(*fields)] == [["B"]]


@pytest.mark.parametrize(
    ("examination", "kind"),
    [("AUDI01", "hearing"), ("OPTO00", "vision"), ("BDM_01", "blood-pressure"), ("X", "laboratory")],
)
def test_the_examination_decides_the_kind(examination: str, kind: str) -> None:
    (reading,) = readings(("8402", examination), ("8410", "A"), ("8420", "1"))
    assert reading.kind == kind


def test_a_date_without_a_time_of_day_is_no_time_of_arrival() -> None:
    (reading,) = readings(("6200", "02032026"), ("8410", "A"), ("8420", "1"))
    assert reading.taken_at == datetime(2026, 3, 2)  # noqa: DTZ001 - as it is stated
    assert "the date is stated without a time of day" in reading.notes


def test_a_time_that_is_none_is_a_fault() -> None:
    came = events(("6200", "31022026"), ("6201", "091500"), ("8410", "A"), ("8420", "1"))
    assert [event.code for event in came if isinstance(event, Fault)] == ["time"]


def test_texts_stay_as_they_are() -> None:
    (reading,) = readings(("6220", "Visus  rechts  1.0"), ("6220", ""), ("6220", " links 0.8"))
    (observation,) = reading.observations
    assert (observation.name, observation.text) == ("finding", "Visus  rechts  1.0\n\n links 0.8")


@pytest.mark.parametrize(
    "text", ["R.:S=- 5.50 Z=+ 0.00*  0 comment", "R.:S=5.50 Z=0.00* 0", "X.:S=- 5.50 Z=+ 0.00*  0", ""]
)
def test_a_line_that_is_not_wholly_in_a_form_stays_text(text: str) -> None:
    assert observations("6228", text) == ()


def test_signs_may_stand_apart_from_their_digits() -> None:
    values = {o.name: o.value for o in observations("6228", "L.:S=+ 1.25 Z=- 0.75*175")}
    assert values == {
        "sphere-left": Decimal("1.25"),
        "cylinder-left": Decimal("-0.75"),
        "axis-left": Decimal(175),
    }


def test_a_request_is_no_reading() -> None:
    came = Session("vision", "declared").received(encode_set("6302", [("3000", "1")]), "a.gdt", _AT)
    assert [type(event) for event in came] == [Progress]


@given(st.binary(max_size=400))
def test_no_file_makes_it_raise(data: bytes) -> None:
    session = Session("by-examination", "declared")
    session.received(data, "a.gdt", _AT)
    session.received(encode_set("6310", [("8410", "A")]) + data + b"\r\n", "a.gdt", _AT)
