"""Characteristics of the Bluetooth SIG, field by field."""

import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.gatt.blood_pressure import (
    BloodPressure,
    conditions,
    decode_blood_pressure,
    decode_feature,
    feature_names,
)
from gateway.codecs.gatt.date_time import Stamp, decode_date_time
from gateway.codecs.gatt.device_information import decode_battery_level, decode_text
from gateway.codecs.ieee11073 import Special
from gateway.errors import DecodeError


def test_a_date_time_is_local_and_has_no_zone() -> None:
    assert decode_date_time(bytes.fromhex("DD 07 08 1A 09 0A 14")) == datetime(2013, 8, 26, 9, 10, 20)  # noqa: DTZ001


@pytest.mark.parametrize("wire", ["00 00 00 00 00 00 00", "E8 07 00 0C 01 02 03", "E8 07 05 00 01 02 03"])
def test_a_clock_that_was_never_set_states_no_time(wire: str) -> None:
    assert decode_date_time(bytes.fromhex(wire)) is None


@pytest.mark.parametrize(
    "wire", ["E7 07 02 1D 08 00 00", "E8 07 0D 01 08 00 00", "E8 07 06 01 18 00 00", "D0 05 01 01 00 00 00"]
)
def test_a_time_that_is_not_in_the_calendar_is_refused(wire: str) -> None:
    with pytest.raises(DecodeError, match="no such date and time"):
        decode_date_time(bytes.fromhex(wire))


def test_the_date_times_among_the_sample_bytes_are_what_they_should_be(gateway_data: Path) -> None:
    samples = tomllib.loads((gateway_data.parent / "protocols" / "samples" / "bluetooth.toml").read_text())
    stamps = [s for s in samples["sample"] if s["characteristic"] == "DateTime"]
    assert stamps
    for sample in stamps:
        if sample.get("expect_time_invalid"):
            with pytest.raises(DecodeError):
                decode_date_time(bytes.fromhex(sample["hex"]))
        else:
            moment = decode_date_time(bytes.fromhex(sample["hex"]))
            assert (moment and moment.isoformat()) == sample.get("expect_time"), sample


def test_every_field_of_a_full_blood_pressure_measurement() -> None:
    full = decode_blood_pressure(bytes.fromhex("1E 7C00 4F00 5D00 E40707010A0E1E 4800 01 0000"))
    assert full == BloodPressure(
        flags=0x1E,
        unit="mm[Hg]",
        systolic=Decimal(124),
        diastolic=Decimal(79),
        mean=Decimal(93),
        stamp=Stamp(datetime(2020, 7, 1, 10, 14, 30)),  # noqa: DTZ001 - the device states no zone
        pulse_rate=Decimal(72),
        user=1,
        status=0,
    )


def test_a_kilopascal_measurement_keeps_its_decimals_and_its_unit() -> None:
    value = decode_blood_pressure(bytes.fromhex("01 A0F0 6BF0 FF07"))
    assert (value.unit, str(value.systolic), value.mean) == ("kPa", "16.0", Special.NAN)


@pytest.mark.parametrize(
    ("wire", "field", "offset"),
    [
        ("", "flags", 0),
        ("00 7C00 4F00 5D", "mean-arterial-pressure", 5),
        ("02 7C00 4F00 5D00 E4070701", "time-stamp", 7),
        ("06 7C00 4F00 5D00 E40707010A0E1E 48", "pulse-rate", 14),
        ("1E 7C00 4F00 5D00 E40707010A0E1E 4800 01 00", "measurement-status", 17),
    ],
)
def test_a_field_that_is_cut_off_is_named_with_its_offset(wire: str, field: str, offset: int) -> None:
    with pytest.raises(DecodeError, match=f"{field} is cut off") as caught:
        decode_blood_pressure(bytes.fromhex(wire))
    assert caught.value.offset == offset


def test_reserved_flags_are_ignored_and_bytes_beyond_the_fields_are_kept_apart() -> None:
    value = decode_blood_pressure(bytes.fromhex("E0 7900 5000 5E00 AABB"))
    assert (value.systolic, value.rest) == (Decimal(121), b"\xaa\xbb")


def test_an_impossible_time_stamp_does_not_cost_the_measurement() -> None:
    value = decode_blood_pressure(bytes.fromhex("02 8000 5200 6100 E807021E070000"))
    assert value.stamp is not None
    assert value.stamp.error is not None
    assert (value.systolic, value.stamp.time, value.stamp.error.offset) == (Decimal(128), None, 7)


@pytest.mark.parametrize(
    ("status", "features", "names"),
    [
        (0x0027, 0xFFFF, ("body-movement", "cuff-too-loose", "irregular-pulse", "improper-position")),
        (0x0008, 0xFFFF, ("pulse-rate-above-limit",)),
        (0x0010, 0xFFFF, ("pulse-rate-below-limit",)),
        (0x0018, 0xFFFF, ("pulse-rate-range-reserved",)),
        (0x0144, 0xFFFF, ("irregular-pulse",)),
        (0x003F, 0x0004, ("irregular-pulse",)),
    ],
)
def test_a_status_bit_means_something_only_where_the_device_supports_it(
    status: int, features: int, names: tuple[str, ...]
) -> None:
    assert conditions(status, features) == names


def test_features_are_named() -> None:
    assert feature_names(decode_feature(b"\x05\x00")) == ("body-movement", "irregular-pulse")


@pytest.mark.parametrize(("value", "text"), [(b"BM54\0\0", "BM54"), (b"  ", None), (b"\xffX", "\ufffdX")])
def test_padding_is_no_part_of_a_name(value: bytes, text: str | None) -> None:
    assert decode_text(value) == text


def test_a_battery_level_above_a_hundred_percent_is_refused() -> None:
    assert decode_battery_level(b"\x64") == 100
    for value in (b"", b"\x65"):
        with pytest.raises(DecodeError):
            decode_battery_level(value)


@settings(max_examples=150)
@given(st.binary(max_size=24))
def test_any_bytes_decode_or_are_refused_by_name(value: bytes) -> None:
    for decode in (decode_blood_pressure, decode_date_time, decode_feature, decode_battery_level):
        try:
            decode(value)
        except DecodeError as error:
            assert 0 <= error.offset <= len(value)  # noqa: PT017 - refusing is one of two right answers
