"""What a clinic can rely on from a USB scale of usage page 0x8D."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drivers import Events, Fault, Measured, Progress, UsbLink
from gateway.drivers.usb_hid_scale import DRIVER, Frames, Session, parse_report
from gateway.errors import DecodeError
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_EMPTY = bytes.fromhex("03 02 03 FF 00 00")
_MOVING = bytes.fromhex("03 03 03 FF 10 03")
_STABLE = bytes.fromhex("03 04 03 FF 16 03")


def readings(events: Events) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, Measured)]


def after(*reports: bytes) -> list[Reading]:
    """The readings of a fresh session, which ignores the first report."""
    session = Session()
    return [r for report in (_EMPTY, *reports) for r in readings(session.received(report, "0x81", _AT))]


@pytest.mark.parametrize(
    ("report", "value", "unit", "as_sent"),
    [
        ("03 04 02 00 14 00", "20", "g", None),
        ("03 04 03 FF 16 03", "79.0", "kg", None),
        ("03 04 0B FF 6F 04", "113.5", "[oz_av]", None),
        ("03 04 0C FE 11 03", "7.85", "[lb_av]", None),
        ("03 04 0C FE FF FF", "655.35", "[lb_av]", None),
        ("03 04 02 01 14 00", "200", "g", None),
        ("03 04 01 00 14 00", "0.020", "g", ("20", "mg")),
        ("03 04 04 FF 19 00", "0.50", "g", ("2.5", "[car_m]")),
        ("03 04 06 00 01 00", "0.06479891", "g", ("1", "[gr]")),
        ("03 04 07 00 01 00", "1.55517384", "g", ("1", "[pwt_tr]")),
        ("03 04 08 FD 4F 00", "79.000", "kg", ("0.079", "t")),
        ("03 04 0A 00 01 00", "31.1034768", "g", ("1", "[oz_tr]")),
    ],
)
def test_the_exponent_keeps_the_digits_and_the_unit_is_the_report_s(
    report: str, value: str, unit: str, as_sent: tuple[str, str] | None
) -> None:
    weight = parse_report(bytes.fromhex(report)).weight
    assert weight is not None
    assert (f"{weight.value:f}", weight.unit) == (value, unit)
    assert (weight.as_sent and (f"{weight.as_sent.value:f}", weight.as_sent.unit)) == as_sent


@pytest.mark.parametrize(
    "form",
    [
        "03 04 0B FF 31 00",
        "04 04 0B FF 31 00",
        "04 0B FF 31 00",
        "00 03 04 0B FF 31 00",
        "00 04 0B FF 31 00",
        "03 04 0B FF 31 00 00 00",
    ],
)
def test_every_form_of_a_report_says_the_same(form: str) -> None:
    weight = parse_report(bytes.fromhex(form)).weight
    assert weight is not None
    assert (str(weight.value), weight.unit) == ("4.9", "[oz_av]")


@pytest.mark.parametrize("code", range(256))
def test_a_status_other_than_stable_gives_no_number(code: int) -> None:
    report = bytes([3, code, 3, 0xFF, 0x16, 3])
    values = [r.observations for r in readings(Frames().received(report, "0x81", _AT)) if r.observations]
    assert bool(values) == (code == 4)


@pytest.mark.parametrize("code", [0, 5, 9, *range(13, 256)])
def test_a_unit_that_is_reserved_or_has_no_one_size_is_a_fault(code: int) -> None:
    (event,) = Frames().received(bytes([3, 4, code, 0, 5, 0]), "0x81", _AT)
    assert isinstance(event, Fault)
    assert (event.code, event.offset) == ("unit", 2)


@pytest.mark.parametrize("status", [1, 5, 6, 7, 8])
def test_a_failed_or_negative_weighing_is_rejected_with_its_reason(status: int) -> None:
    (reading,) = readings(Frames().received(bytes([3, status, 2, 0, 30, 0]), "0x81", _AT))
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes


@pytest.mark.parametrize("report", ["03 02 0B FF 00 00", "03 04 0B FF 00 00"])
def test_an_empty_pan_is_no_reading(report: str) -> None:
    assert Frames().received(bytes.fromhex(report), "0x81", _AT) == (Progress("the pan is empty"),)


@pytest.mark.parametrize(
    ("report", "code", "offset"),
    [
        ("", "length", 0),
        ("03", "length", 1),
        ("03 04 0B FF", "length", 4),
        ("03 04 0B FF 6F", "length", 5),
        ("03 04 0B FF 6F 04 01", "length", 6),
        ("07 04 0B FF 6F 04", "report", 0),
        ("03 00 0B FF 6F 04", "status", 1),
        ("03 02 0B FF 01 00", "value", 4),
    ],
)
def test_a_report_that_does_not_hold_is_refused_by_name(report: str, code: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_report(bytes.fromhex(report))
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_the_first_report_after_the_connection_may_be_of_before_and_is_ignored() -> None:
    session = Session()
    assert [readings(session.received(_STABLE, "0x81", _AT)) for _ in range(2)] == [[], []]


def test_two_equal_stable_reports_are_a_weight_and_one_is_not() -> None:
    assert after(_MOVING, _STABLE) == []
    (reading,) = after(_MOVING, _STABLE, _STABLE)
    assert (reading.value("weight"), reading.taken_at) == (Decimal("79.0"), _AT)


def test_a_load_is_weighed_once_and_the_next_one_after_an_empty_pan() -> None:
    assert len(after(*[_STABLE] * 5, _MOVING, *[_STABLE] * 5)) == 1
    assert len(after(*[_STABLE] * 5, _EMPTY, *[_STABLE] * 5)) == 2


def test_switching_the_unit_is_not_another_load() -> None:
    in_pounds = bytes.fromhex("03 04 0C FF CE 06")
    assert len(after(*[_STABLE] * 3, *[in_pounds] * 3, *[_STABLE] * 2)) == 1
    assert len(after(*[_STABLE] * 3, *[in_pounds] * 3, _EMPTY, *[in_pounds] * 2)) == 2


def test_reports_that_came_together_are_each_decoded_at_their_offset() -> None:
    good, bad, again = Frames().received(_STABLE + bytes.fromhex("03 04 0D 00 05 00") + _STABLE, "", _AT)
    assert isinstance(good, Measured)
    assert isinstance(again, Measured)
    assert isinstance(bad, Fault)
    assert bad.offset == 8


def test_scales_are_found_by_id_or_recognised_by_their_usage() -> None:
    assert {link.usage for link in DRIVER.links if isinstance(link, UsbLink)} == {(0x8D, 0x20)}


@settings(max_examples=300)
@given(st.binary(max_size=70))
def test_no_report_does_harm(report: bytes) -> None:
    Session().received(report, "0x81", _AT)
    Frames().received(report, "0x81", _AT)


@settings(max_examples=100)
@given(st.integers(1, 65535), st.integers(-128, 127), st.sampled_from([2, 3, 11, 12]))
def test_every_weight_comes_back(weight: int, exponent: int, unit: int) -> None:
    report = bytes([3, 4, unit, exponent & 0xFF]) + weight.to_bytes(2, "little")
    observation = parse_report(report).weight
    assert observation is not None
    assert observation.value == Decimal(weight).scaleb(exponent)
