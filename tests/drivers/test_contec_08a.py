"""What a clinic can rely on from the memory of a Contec cuff."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drivers import Close, Measured, Send
from gateway.drivers.contec_08a import Session, parse_record
from gateway.errors import DecodeError

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_RECORD = bytes.fromhex("82 80 94 D5 C8 E9 97 85 80 81 8D 89 80 91")


def packed(fields: list[int]) -> bytes:
    """A record of its 12 fields."""
    first, second = fields[:7], fields[7:]
    return b"".join(
        bytes(
            (
                0x80 | sum((value >> 7) << bit for bit, value in enumerate(group)),
                *(value | 0x80 for value in group),
            )
        )
        for group in (first, second)
    )


def test_the_true_top_bits_stand_in_the_heads() -> None:
    values = {o.name: str(o.value) for o in parse_record(_RECORD).observations}
    assert values == {
        "systolic": "148",
        "diastolic": "85",
        "mean-arterial-pressure": "105",
        "pulse-rate": "72",
    }


def test_a_systolic_below_128_does_not_keep_the_bit_of_the_wire() -> None:
    record = bytes.fromhex("80 80 F6 CC C8 DA 98 82 80 9D 88 85 80 91")
    assert str(parse_record(record).value("systolic")) == "118"


@settings(max_examples=60)
@given(st.lists(st.integers(1, 255), min_size=3, max_size=3))
def test_every_value_of_a_byte_comes_back(values: list[int]) -> None:
    diastolic, pulse, mean = values
    reading = parse_record(packed([0, 118, diastolic, pulse, mean, 24, 2, 29, 8, 5, 0, 17]))
    names = ("diastolic", "pulse-rate", "mean-arterial-pressure")
    assert [reading.value(name) for name in names] == values


def test_the_report_around_the_record_is_filled_with_zeros() -> None:
    assert parse_record(_RECORD.ljust(64, b"\0")) == parse_record(_RECORD)


def test_a_clock_that_was_never_set_leaves_the_values() -> None:
    reading = parse_record(packed([0, 118, 76, 72, 90, 0, 0, 0, 0, 0, 0, 17]))
    assert (reading.taken_at, str(reading.value("systolic"))) == (None, "118")


@pytest.mark.parametrize("report", [b"", _RECORD[:13], bytes(64), _RECORD.replace(b"\x94", b"\x14")])
def test_bytes_that_are_no_record_are_refused(report: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_record(report)


def test_the_memory_is_asked_for_only_when_the_device_said_that_it_is_a_cuff() -> None:
    ask = Send(bytes.fromhex("43 41 01 07 02 00"))
    assert ask not in Session().connected(_AT)
    assert ask in Session().received(bytes.fromhex("48 41 02 13 01 02"), "", _AT)
    assert any(isinstance(event, Close) for event in Session().received(bytes.fromhex("48 50"), "", _AT))


def test_a_record_counts_once() -> None:
    session = Session()
    events = [event for _ in range(3) for event in session.received(_RECORD, "", _AT)]
    assert sum(isinstance(event, Measured) for event in events) == 1


def test_reports_that_come_together_are_each_read() -> None:
    other = bytes.fromhex("80 80 F6 CC C8 DA 98 82 80 9D 88 85 80 91")
    events = Session().received(_RECORD.ljust(64, b"\0") + other.ljust(64, b"\0"), "", _AT)
    assert sum(isinstance(event, Measured) for event in events) == 2
