"""Every reserved and special value of every characteristic: rejected, left out with a note, or a fault."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.codecs.checksum import crc8
from gateway.drivers import Measured, load
from gateway.drivers.berrymed_oximeter import STREAM
from gateway.drivers.viatom_o2ring import ANSWERS
from gateway.model import Reading
from gateway.testing import Outcome, decode

NAN, NRES, PLUS_INF, MINUS_INF, RESERVED = "FF07", "0008", "FE07", "0208", "0108"
SPECIALS = (NAN, NRES, PLUS_INF, MINUS_INF, RESERVED)
FLOAT_SPECIALS = ("FFFF7F00", "00008000", "FEFF7F00", "02008000", "01008000")
TIMES_THAT_ARE_NONE = (
    "00000000000000",  # never set
    "0000040A0B0C0D",
    "EA07000A0B0C0D",
    "EA0704000B0C0D",
    "2D06040A0B0C0D",  # 1581
    "EA070D0A0B0C0D",
    "EA07041F0B0C0D",  # 31 April
    "E707021D0B0C0D",  # 29 February 2023
    "EA07040A180C0D",
    "EA07040A0B3C0D",
    "EA07040A0B0C3C",
    "0F270C1F173B3B",  # the end of the calendar
    "FFFFFFFFFFFFFF",
)


def ring(spo2: int, pulse_rate: int, *, finger: int = 1) -> str:
    """The answer of an O2Ring."""
    data = bytes((spo2, pulse_rate, 0, 0, 0, 0, 0, 0x61, 0, 0x92, 0x0A, finger, 0))
    answer = bytes.fromhex("55 17 E8 00 00 0D 00") + data
    return (answer + bytes((crc8(answer),))).hex()


RING_NONE = (
    *(ring(spo2, 66) for spo2 in (0, 101, 127, 255)),
    *(ring(98, pulse_rate) for pulse_rate in (0, 255)),
    ring(255, 255),
    ring(98, 66, finger=0),
)
REJECTED = (  # driver, characteristic, value with {} for each of some numbers that are none, those numbers
    ("gatt-blood-pressure", "2A35", "00 {} 5000 5E00", SPECIALS),
    ("gatt-blood-pressure", "2A35", "01 7900 {} 5E00", SPECIALS),
    ("gatt-blood-pressure", "2A35", "00 {} 5000 5E00", ("0000", "FFFF")),
    ("gatt-thermometer", "2A1C", "00 {}", FLOAT_SPECIALS),
    ("gatt-thermometer", "2A1C", "01 {}", FLOAT_SPECIALS),
    ("gatt-thermometer", "2A1C", "00 {}", ("FFFF7FFF", "00000000", "E7FFFFFF", "D60300FF")),
    ("gatt-thermometer", "2A1C", "01 {}", ("730100FF",)),
    ("gatt-weight-scale", "2A9D", "00 {}", ("FFFF",)),
    ("gatt-weight-scale", "2A9D", "09 {} F700 0907", ("FFFF",)),
    ("gatt-body-composition", "2A9D", "01 {}", ("FFFF",)),
    ("gatt-body-composition", "2A9C", "0000 {}", ("FFFF", "E907", "0000")),
    ("gatt-body-composition", "2A9C", "0004 {} B036", ("FFFF",)),
    ("gatt-body-composition", "2A9C", "9803 0000 9623 {} {} {} {}", ("0000", "FFFF")),
    ("gatt-pulse-oximeter", "2A5E", "00 {} 4600", (*SPECIALS, "0000", "6500", "7F00", "FFFF", "FFF7")),
    ("gatt-pulse-oximeter", "2A5E", "00 6100 {}", (*SPECIALS, "0000", "FF01", "FFFF")),
    ("gatt-pulse-oximeter", "2A5F", "00 {} 4600", (*SPECIALS, "0000", "6500", "7F00", "FFFF", "FFF7")),
    ("gatt-pulse-oximeter", "2A5F", "00 6100 {}", (*SPECIALS, "0000", "FF01", "FFFF")),
    ("gatt-pulse-oximeter", "2A5E", "02 6100 4600 {}", ("0004", "0008", "0020", "0080")),
    ("gatt-pulse-oximeter", "2A5F", "04 6100 4600 {}", ("0004", "0008", "0020", "0080")),
    ("gatt-pulse-oximeter", "2A5E", "04 6100 4600 {} 00", ("0200", "0008", "0010", "0040", "0080")),
    ("gatt-pulse-oximeter", "2A5F", "08 6100 4600 {} 00", ("0200", "0008", "0010", "0040", "0080")),
    ("gatt-glucose", "2A18", "02 0100 EA07040A0B0C0D {} 11", (*SPECIALS, "0000", "FFFF", "9CBF")),
    ("gatt-glucose", "2A18", "06 0100 EA07040A0B0C0D {} 11", (*SPECIALS, "0000", "FFFF")),
    ("gatt-glucose", "2A18", "02 0100 EA07040A0B0C0D 76B0 {}", ("1A", "41", "4A")),
    (
        "gatt-glucose",
        "2A18",
        "0A 0100 EA07040A0B0C0D 76B0 11 {}",
        ("0200", "0400", "0800", "1000", "6000", "8000", "0001", "0002", "0004"),
    ),
    ("gatt-glucose", "2A18", "08 0100 EA07040A0B0C0D {}", ("0000", "2000", "0400")),
    ("gatt-glucose", "2A18", "00 0100 {}", ("EA07040A0B0C0D",)),
    ("viatom-o2ring", ANSWERS, "{}", RING_NONE),
    ("berrymed-oximeter", STREAM, "85 28 06 46 {}", ("00", "65", "7F")),
    ("berrymed-oximeter", STREAM, "85 28 46 {} 61", ("7F",)),
    ("berrymed-oximeter", STREAM, "85 28 06 {} 61", ("00",)),
    ("berrymed-oximeter", STREAM, "85 28 {} 46 61", ("16", "26", "36", "56")),
    ("berrymed-oximeter", STREAM, "{} 28 06 46 61", ("A5", "E0")),
    ("gatt-heart-rate", "2A37", "00 {}", ("00",)),
    ("gatt-heart-rate", "2A37", "04 {}", ("00",)),
    ("gatt-heart-rate", "2A37", "01 {}", ("0000", "FFFF", "FF07", "FF01")),
)
LEFT_OUT = (  # the same, and the observation that is missing while others stay
    ("gatt-blood-pressure", "2A35", "00 7900 5000 {}", (*SPECIALS, "0000", "FFFF"), "mean-arterial-pressure"),
    ("gatt-blood-pressure", "2A35", "04 7900 5000 5E00 {}", (*SPECIALS, "0000", "FFFF"), "pulse-rate"),
    ("gatt-weight-scale", "2A9D", "08 1937 {} 0907", ("0000", "FFFF"), "bmi"),
    ("gatt-weight-scale", "2A9D", "08 1937 F700 {}", ("0000", "FFFF"), "height"),
    ("gatt-body-composition", "2A9C", "0800 C800 {}", ("0000", "FFFF"), "basal-metabolic-rate"),
    ("gatt-body-composition", "2A9C", "1000 C800 {}", ("0000", "FFFF"), "muscle-percentage"),
    ("gatt-body-composition", "2A9C", "2000 C800 {}", ("0000", "FFFF"), "muscle-mass"),
    ("gatt-body-composition", "2A9C", "4100 C800 {}", ("0000", "FFFF"), "fat-free-mass"),
    ("gatt-body-composition", "2A9C", "8000 C800 {}", ("0000", "FFFF"), "soft-lean-mass"),
    ("gatt-body-composition", "2A9C", "0001 C800 {}", ("0000", "FFFF"), "body-water-mass"),
    ("gatt-body-composition", "2A9C", "0002 C800 {}", ("0000", "FFFF"), "impedance"),
    ("gatt-body-composition", "2A9C", "0104 C800 {}", ("0000", "FFFF"), "weight"),
    ("gatt-body-composition", "2A9C", "0108 C800 {}", ("0000", "FFFF"), "height"),
    ("gatt-body-composition", "2A9C", "0004 {} B036", ("0000",), "body-fat"),
    ("gatt-pulse-oximeter", "2A5E", "08 6100 4600 {}", SPECIALS, "pulse-amplitude-index"),
    ("gatt-pulse-oximeter", "2A5F", "10 6100 4600 {}", SPECIALS, "pulse-amplitude-index"),
    ("gatt-pulse-oximeter", "2A5F", "01 6100 4600 {} 4700", SPECIALS, "spo2-fast"),
    ("gatt-pulse-oximeter", "2A5F", "01 6100 4600 6000 {}", SPECIALS, "pulse-rate-fast"),
    ("gatt-pulse-oximeter", "2A5F", "02 6100 4600 {} 4700", SPECIALS, "spo2-slow"),
    ("gatt-pulse-oximeter", "2A5F", "02 6100 4600 6000 {}", SPECIALS, "pulse-rate-slow"),
    ("gatt-heart-rate", "2A37", "08 48 {}", ("FFFF",), "energy-expended"),
)
STAMPED = (  # with {} for a time
    ("gatt-blood-pressure", "2A35", "02 7C00 4F00 5D00 {}"),
    ("gatt-thermometer", "2A1C", "02 730100FF {}"),
    ("gatt-weight-scale", "2A9D", "02 1937 {}"),
    ("gatt-body-composition", "2A9C", "0200 C800 {}"),
    ("gatt-body-composition", "2A9D", "02 1937 {}"),
    ("gatt-pulse-oximeter", "2A5E", "01 6100 4600 {}"),
    ("gatt-glucose", "2A18", "02 0100 {} 76B0 11"),
    ("gatt-glucose", "2A18", "03 0100 {} 0A00 76B0 11"),
)
_IMPOSSIBLE = (*TIMES_THAT_ARE_NONE[4:-2], TIMES_THAT_ARE_NONE[-1])
NOT_SENT_AS_ASKED = (  # a clock, a battery, an answer that cannot be
    *(("2A2B", f"{time}0000 00") for time in _IMPOSSIBLE),
    *(("2A08", time) for time in _IMPOSSIBLE),
    ("2A2B", "EA07040A0B0C0D 08 00 00"),
    ("2A0F", "81 00"),
    ("2A0F", "04 03"),
    ("2A19", "65"),
    ("2A19", "FF"),
)


def each(table: tuple[tuple[str, str, str, tuple[str, ...]], ...]) -> Iterator[tuple[str, str, str]]:
    for driver, characteristic, pattern, numbers in table:
        for number in numbers:
            yield driver, characteristic, pattern.format(*[number] * pattern.count("{}"))


def decoded(driver: str, characteristic: str, value: str) -> Outcome:
    return decode(load(driver), bytes.fromhex(value), channel=characteristic)


def only_reading(driver: str, characteristic: str, value: str) -> Reading:
    outcome = decoded(driver, characteristic, value)
    assert outcome.errors == ()
    (reading,) = outcome.readings
    return reading


@pytest.mark.parametrize(("driver", "characteristic", "value"), tuple(each(REJECTED)))
def test_what_is_no_measurement_is_rejected_without_values_and_says_why(
    driver: str, characteristic: str, value: str
) -> None:
    reading = only_reading(driver, characteristic, value)
    assert (reading.status, reading.observations) == ("rejected", ())
    assert reading.notes[0]


@pytest.mark.parametrize(("driver", "characteristic", "pattern", "numbers", "name"), LEFT_OUT)
def test_what_is_no_number_is_left_out_and_does_not_cost_the_others(
    driver: str, characteristic: str, pattern: str, numbers: tuple[str, ...], name: str
) -> None:
    for number in numbers:
        reading = only_reading(driver, characteristic, pattern.format(number))
        assert reading.observations
        assert reading.status != "rejected"
        assert name not in {observation.name for observation in reading.observations}, number


@pytest.mark.parametrize(("driver", "characteristic", "pattern"), STAMPED)
def test_a_time_that_is_none_leaves_the_value_and_says_so(
    driver: str, characteristic: str, pattern: str
) -> None:
    for time in TIMES_THAT_ARE_NONE:
        reading = only_reading(driver, characteristic, pattern.format(time))
        assert reading.taken_at is None, time
        assert any("clock" in note or "no such date" in note for note in reading.notes), time
        assert reading.observations


def test_a_time_stamp_of_a_clock_that_is_not_set_is_no_time() -> None:
    reading = only_reading("gatt-pulse-oximeter", "2A5E", "11 6100 4600 E1070101012213")
    assert (reading.taken_at, reading.notes) == (None, ("clock of the oximeter is not set",))


@pytest.mark.parametrize("offset", ["FF7F", "0080"])
def test_a_time_offset_that_does_not_fit_leaves_no_time(offset: str) -> None:
    reading = only_reading("gatt-glucose", "2A18", f"03 0100 EA07040A0B0C0D {offset} 76B0 11")
    assert (reading.taken_at, reading.value("glucose")) == (None, Decimal(118))


@pytest.mark.parametrize(("characteristic", "value"), NOT_SENT_AS_ASKED)
def test_a_clock_or_battery_that_cannot_be_is_a_fault(characteristic: str, value: str) -> None:
    outcome = decoded("gatt-weight-scale", characteristic, value)
    assert outcome.readings == ()
    assert [fault.code in {"time", "value"} for fault in outcome.errors] == [True]


def test_a_number_with_the_mantissa_of_a_special_value_is_never_taken_for_granted() -> None:
    for value in ("00 FFF7 5000 5E00", "00 FEF7 5000 5E00", "00 FF17 5000 5E00"):
        assert only_reading("gatt-blood-pressure", "2A35", value).status == "questionable"


def test_two_parts_of_one_measurement_that_differ_in_unit_are_rejected() -> None:
    at = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)
    session = load("gatt-body-composition").session()
    session.received(bytes.fromhex("0014 C800 B036"), "2A9C", at)
    events = session.received(bytes.fromhex("0112 C800 7E13"), "2A9C", at)
    (reading,) = (event.reading for event in events if isinstance(event, Measured))
    assert (reading.status, reading.observations) == ("rejected", ())
