"""Every measurement characteristic with every combination of its flags, and cut off at every byte."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.gatt.blood_pressure import decode_blood_pressure
from gateway.codecs.gatt.body_composition import decode_composition
from gateway.codecs.gatt.current_time import (
    decode_current_time,
    decode_local_time,
    decode_reference_time,
)
from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.gatt.device_information import decode_pnp_id, decode_system_id
from gateway.codecs.gatt.glucose import decode_feature as decode_glucose_feature
from gateway.codecs.gatt.glucose import decode_glucose
from gateway.codecs.gatt.glucose_context import Amount, Exercise, decode_context
from gateway.codecs.gatt.health_thermometer import decode_interval, decode_temperature, decode_type
from gateway.codecs.gatt.heart_rate import decode_heart_rate, decode_location
from gateway.codecs.gatt.pulse_oximeter import (
    Saturation,
    decode_continuous,
    decode_features,
    decode_spot_check,
)
from gateway.codecs.gatt.record_access import decode_answer
from gateway.codecs.gatt.user_data import decode_answer as decode_user_answer
from gateway.codecs.gatt.weight_scale import decode_feature as decode_scale_feature
from gateway.codecs.gatt.weight_scale import decode_weight
from gateway.errors import DecodeError

TIME = "EA07040A0B0C0D"
STAMP = Stamp(datetime(2026, 4, 10, 11, 12, 13))  # noqa: DTZ001 - devices state no zone


@dataclass(frozen=True)
class Part:
    """Some bytes of a value, the flags that they come with, and what is to be found where.

    `bit` says with which flag; `other` is the flag that changes what the bytes mean, and to what.
    """

    bit: int
    wire: str
    where: str
    value: object
    other: tuple[int, object] | None = None


@dataclass(frozen=True)
class Layout:
    """A characteristic: its decoder, the size of its flags, those that stand for themselves, its parts."""

    name: str
    decode: Callable[[bytes], Any]
    flag_bytes: int
    own_flags: tuple[int, ...]
    parts: tuple[Part, ...]


def part(bit: int, wire: str, where: str, value: object, other: tuple[int, object] | None = None) -> Part:
    return Part(bit, wire, where, value, other)


def mass(bit: int, wire: str, name: str, kilograms: str, pounds: str) -> Part:
    return Part(bit, wire, name, (Decimal(kilograms), "kg"), (0x01, (Decimal(pounds), "[lb_av]")))


LAYOUTS = (
    Layout(
        "blood pressure",
        decode_blood_pressure,
        1,
        (0x01,),
        (
            part(0, "7C00", "systolic", Decimal(124)),
            part(0, "4F00", "diastolic", Decimal(79)),
            part(0, "5D00", "mean", Decimal(93)),
            part(0x02, TIME, "stamp", STAMP),
            part(0x04, "4800", "pulse_rate", Decimal(72)),
            part(0x08, "03", "user", 3),
            part(0x10, "0400", "status", 4),
        ),
    ),
    Layout(
        "temperature",
        decode_temperature,
        1,
        (0x01,),
        (
            part(0, "730100FF", "value", Decimal("37.1")),
            part(0x02, TIME, "stamp", STAMP),
            part(0x04, "03", "type", 3),
        ),
    ),
    Layout(
        "weight",
        decode_weight,
        1,
        (0x01,),
        (
            part(0, "1937", "weight", Decimal("70.525"), (0x01, Decimal("141.05"))),
            part(0x02, TIME, "stamp", STAMP),
            part(0x04, "02", "user", 2),
            part(0x08, "F700", "bmi", Decimal("24.7")),
            part(0x08, "0907", "height", Decimal("1.801"), (0x01, Decimal("180.1"))),
        ),
    ),
    Layout(
        "body composition",
        decode_composition,
        2,
        (0x01, 0x1000),
        (
            part(0, "DE00", "values.body-fat", (Decimal("22.2"), "%")),
            part(0x0002, TIME, "stamp", STAMP),
            part(0x0004, "02", "user", 2),
            part(0x0008, "6419", "values.basal-metabolic-rate", (Decimal(6500), "kJ")),
            part(0x0010, "A701", "values.muscle-percentage", (Decimal("42.3"), "%")),
            mass(0x0020, "F82A", "values.muscle-mass", "55.000", "110.00"),
            mass(0x0040, "882C", "values.fat-free-mass", "57.000", "114.00"),
            mass(0x0080, "C02B", "values.soft-lean-mass", "56.000", "112.00"),
            mass(0x0100, "401F", "values.body-water-mass", "40.000", "80.00"),
            part(0x0200, "9413", "values.impedance", (Decimal("501.2"), "Ohm")),
            mass(0x0400, "3A39", "values.weight", "73.250", "146.50"),
            part(
                0x0800,
                "DB06",
                "values.height",
                (Decimal("1.755"), "m"),
                (0x01, (Decimal("175.5"), "[in_i]")),
            ),
        ),
    ),
    Layout(
        "spot check",
        decode_spot_check,
        1,
        (0x10,),
        (
            part(0, "60005100", "normal", Saturation(Decimal(96), Decimal(81))),
            part(0x01, TIME, "stamp", STAMP),
            part(0x02, "8001", "status", 0x0180),
            part(0x04, "200080", "sensor_status", 0x800020),
            part(0x08, "2BF0", "amplitude_index", Decimal("4.3")),
        ),
    ),
    Layout(
        "continuous oximetry",
        decode_continuous,
        1,
        (),
        (
            part(0, "61004600", "normal", Saturation(Decimal(97), Decimal(70))),
            part(0x01, "60004700", "fast", Saturation(Decimal(96), Decimal(71))),
            part(0x02, "62004500", "slow", Saturation(Decimal(98), Decimal(69))),
            part(0x04, "2000", "status", 0x0020),
            part(0x08, "300100", "sensor_status", 0x000130),
            part(0x10, "0CF0", "amplitude_index", Decimal("1.2")),
        ),
    ),
    Layout(
        "glucose",
        decode_glucose,
        1,
        (0x04, 0x10),
        (
            part(0, "2A00", "sequence", 42),
            part(0, TIME, "stamp", STAMP, (0x01, Stamp(datetime(2026, 4, 10, 10, 58, 13)))),  # noqa: DTZ001
            part(0x01, "F2FF", "", None),
            part(0x02, "76B0", "concentration", Decimal("0.00118")),
            part(0x02, "F8", "fluid location", (8, 15)),
            part(0x08, "0108", "annunciation", 0x0801),
        ),
    ),
    Layout(
        "glucose context",
        decode_context,
        1,
        (0x20,),
        (
            part(0, "2A00", "sequence", 42),
            part(0x80, "99", "", None),
            part(0x01, "0364D0", "carbohydrate", Amount("dinner", Decimal("0.100"), "kg")),
            part(0x02, "04", "meal", "casual"),
            part(0x04, "12", "tester health", ("professional", "minor-issues")),
            part(0x08, "3C0032", "exercise", Exercise(Decimal(60), 50)),
            part(
                0x10,
                "040CA0",
                "medication",
                Amount("long-acting", Decimal("0.000012"), "kg"),
                (0x20, Amount("long-acting", Decimal("0.000012"), "L")),
            ),
            part(0x40, "41F0", "hba1c", Decimal("6.5")),
        ),
    ),
    Layout(
        "heart rate",
        decode_heart_rate,
        1,
        (0x02, 0x04),
        (
            part(0, "48", "rate", 72, (0x01, 328)),
            part(0x01, "01", "", None),
            part(0x08, "8101", "energy", Decimal(385)),
            part(0x10, "B101AE01", "rr_intervals", (433, 430)),
        ),
    ),
)


def combinations(layout: Layout) -> Iterator[tuple[int, ...]]:
    """The parts that come together, by every combination of flags, with the flags first."""
    bits = sorted({part.bit for part in layout.parts if part.bit} | set(layout.own_flags))
    for number in range(1 << len(bits)):
        yield tuple(bit for place, bit in enumerate(bits) if number >> place & 1)


def present(layout: Layout, flags: int) -> tuple[Part, ...]:
    return tuple(part for part in layout.parts if not part.bit or flags & part.bit)


def wire(layout: Layout, flags: int) -> bytes:
    return flags.to_bytes(layout.flag_bytes, "little") + b"".join(
        bytes.fromhex(part.wire) for part in present(layout, flags)
    )


def found(decoded: Any, where: str) -> object:
    """What stands at a place: an attribute, an entry of a mapping, or two attributes together."""
    mapping, dot, key = where.partition(".")
    if dot:
        return getattr(decoded, mapping)[key]
    return attrgetter(*where.split())(decoded)


def absent(decoded: Any, where: str) -> bool:
    mapping, dot, key = where.partition(".")
    if dot:
        return key not in getattr(decoded, mapping)
    value = attrgetter(*where.split())(decoded)
    return value in (None, (), (None, None))


@pytest.mark.parametrize("layout", LAYOUTS, ids=attrgetter("name"))
def test_every_field_is_found_at_its_place_with_every_combination_of_flags(layout: Layout) -> None:
    for bits in combinations(layout):
        flags = sum(bits)
        decoded = layout.decode(wire(layout, flags))
        for each in layout.parts:
            if not each.where:
                continue
            if each.bit and not flags & each.bit:
                assert absent(decoded, each.where), (hex(flags), each)
                continue
            changed = each.other is not None and flags & each.other[0]
            value = each.other[1] if each.other and changed else each.value
            assert found(decoded, each.where) == value, (hex(flags), each)
            assert str(found(decoded, each.where)) == str(value), (hex(flags), each)
        assert decoded.rest == b"", hex(flags)


@pytest.mark.parametrize("layout", LAYOUTS, ids=attrgetter("name"))
def test_a_value_that_is_cut_off_anywhere_is_refused_at_the_field_that_is_cut(layout: Layout) -> None:
    for bits in combinations(layout):
        flags = sum(bits)
        whole = wire(layout, flags)
        for length in range(len(whole)):
            if layout.name == "heart rate" and is_after_whole_intervals(layout, flags, length):
                continue
            with pytest.raises(DecodeError) as caught:
                layout.decode(whole[:length])
            assert caught.value.code == "length"
            assert caught.value.offset <= length, (hex(flags), length)


def is_after_whole_intervals(layout: Layout, flags: int, length: int) -> bool:
    """RR intervals fill the rest of a value: fewer of them are no fault."""
    return bool(flags & 0x10) and (len(wire(layout, flags)) - length) in {2, 4}


@pytest.mark.parametrize("layout", LAYOUTS, ids=attrgetter("name"))
def test_bytes_of_a_later_version_are_kept_apart_and_reserved_flags_ignored(layout: Layout) -> None:
    reserved = {"body composition": 0xE000, "glucose context": 0, "heart rate": 0xE0}.get(layout.name, 0x60)
    plain = layout.decode(wire(layout, 0))
    value = bytearray(wire(layout, 0) + b"\xaa\xbb")
    value[layout.flag_bytes - 1] |= reserved >> (8 * (layout.flag_bytes - 1))
    later = layout.decode(bytes(value))
    assert later.rest == b"\xaa\xbb"
    for each in layout.parts:
        if each.where and not each.bit:
            assert found(later, each.where) == found(plain, each.where)


@settings(max_examples=300)
@given(st.binary(max_size=40))
def test_any_bytes_decode_or_are_refused_at_a_place_within_them(value: bytes) -> None:
    for decode in (
        *(layout.decode for layout in LAYOUTS),
        *(decode_type, decode_interval, decode_location, decode_features, decode_scale_feature),
        *(decode_glucose_feature, decode_answer, decode_user_answer, decode_current_time),
        *(decode_local_time, decode_reference_time, decode_pnp_id, decode_system_id),
    ):
        try:
            decode(value)
        except DecodeError as error:
            assert 0 <= error.offset <= len(value)  # noqa: PT017 - refusing is one of two right answers
