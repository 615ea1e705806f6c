"""What devices say of themselves, their clocks, users and stored records."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.gatt.body_composition import decode_feature as decode_composition_feature
from gateway.codecs.gatt.current_time import (
    LocalTime,
    decode_current_time,
    decode_local_time,
    decode_reference_time,
    encode_current_time,
)
from gateway.codecs.gatt.date_time import decode_date_time, encode_date_time
from gateway.codecs.gatt.device_information import PnpId, decode_pnp_id, decode_system_id
from gateway.codecs.gatt.glucose import decode_feature as decode_glucose_feature
from gateway.codecs.gatt.pulse_oximeter import decode_features, status_names
from gateway.codecs.gatt.record_access import ABORT, Answer, Op, Operator, ask, decode_answer
from gateway.codecs.gatt.user_data import UserAnswer, consent
from gateway.codecs.gatt.user_data import decode_answer as decode_user_answer
from gateway.codecs.gatt.weight_scale import decode_feature as decode_scale_feature
from gateway.errors import DecodeError


def test_a_current_time_has_day_fraction_and_reason() -> None:
    now = decode_current_time(bytes.fromhex("EA07 05 0C 12 35 2B 02 11 01"))
    assert now.time == datetime(2026, 5, 12, 18, 53, 43, 66406)  # noqa: DTZ001 - the device states no zone
    assert (now.day_of_week, now.day_is_wrong, now.reasons) == (2, False, ("set by hand",))


def test_a_day_of_the_week_that_is_another_than_the_date_s_is_seen() -> None:
    assert decode_current_time(bytes.fromhex("EA07 05 0C 12 35 2B 03 00 00")).day_is_wrong
    assert not decode_current_time(bytes.fromhex("EA07 05 0C 12 35 2B 00 00 00")).day_is_wrong


def test_every_adjust_reason_is_named() -> None:
    reasons = decode_current_time(bytes.fromhex("EA07 05 0C 12 35 2B 02 00 FF")).reasons
    assert reasons == ("set by hand", "external reference", "change of zone", "change of daylight saving")


@given(st.datetimes(min_value=datetime(1582, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001
def test_a_time_that_is_written_reads_as_the_same_second(time: datetime) -> None:
    second = time.replace(microsecond=0)
    assert decode_date_time(encode_date_time(time)) == second
    now = decode_current_time(encode_current_time(time, reason=1))
    assert (now.time, now.day_is_wrong, now.reason) == (second, False, 1)


@pytest.mark.parametrize(
    ("wire", "zone", "daylight"),
    [("F0 04", -4, 1), ("38 00", 14, 0), ("16 02", 5.5, 0.5), ("04 08", 1, 2), ("80 FF", None, None)],
)
def test_local_time_information_is_hours_or_unknown(
    wire: str, zone: float | None, daylight: float | None
) -> None:
    def hours(number: float | None) -> timedelta | None:
        return None if number is None else timedelta(hours=number)

    assert decode_local_time(bytes.fromhex(wire)) == LocalTime(hours(zone), hours(daylight))


@pytest.mark.parametrize("wire", ["CF 00", "39 00", "04 01", "04 FE"])
def test_reserved_zones_and_savings_are_refused(wire: str) -> None:
    with pytest.raises(DecodeError, match="reserved"):
        decode_local_time(bytes.fromhex(wire))


def test_a_reference_that_is_too_long_ago_is_none() -> None:
    assert decode_reference_time(bytes.fromhex("01 08 02 05")) == timedelta(days=2, hours=5)
    assert decode_reference_time(bytes.fromhex("01 08 FF FF")) is None


def test_a_system_id_is_written_manufacturer_first_and_a_pnp_id_has_four_numbers() -> None:
    assert decode_system_id(bytes.fromhex("66 55 44 FE FF 33 22 11")) == "11-22-33-FF-FE-44-55-66"
    assert decode_pnp_id(bytes.fromhex("01 0602 0100 1001")) == PnpId("Bluetooth SIG", 0x0206, 1, 0x0110)


@pytest.mark.parametrize(
    ("code", "mass"),
    [(0, None), (1, "0.5 kg or 1 lb"), (4, "0.05 kg or 0.1 lb"), (7, "0.005 kg or 0.01 lb"), (8, None)],
)
def test_the_steps_of_a_scale_are_the_same_codes_at_two_places(code: int, mass: str | None) -> None:
    assert decode_scale_feature((code << 3).to_bytes(4, "little")).mass == mass
    assert decode_composition_feature((code << 11).to_bytes(4, "little")).mass == mass


@pytest.mark.parametrize(
    ("code", "height"), [(0, None), (1, "0.01 m or 1 in"), (3, "0.001 m or 0.1 in"), (4, None), (7, None)]
)
def test_so_are_those_of_its_heights(code: int, height: str | None) -> None:
    assert decode_scale_feature((code << 7).to_bytes(4, "little")).height == height
    assert decode_composition_feature((code << 15).to_bytes(4, "little")).height == height


def test_an_oximeter_names_the_status_bits_that_it_supports() -> None:
    features = decode_features(bytes.fromhex("4300 8021 200800"))
    assert features.supported == ("measurement-status", "device-and-sensor-status", "pulse-amplitude-index")
    assert status_names(features) == (
        *("validated-data", "fully-qualified-data", "measurement-unavailable"),
        *("low-perfusion", "sensor-unconnected-to-user"),
    )


def test_a_meter_names_every_annunciation_that_it_makes() -> None:
    assert len(decode_glucose_feature(b"\xff\xff")) == 11
    assert decode_glucose_feature(b"\x20\x00") == ("result-high-low",)


@pytest.mark.parametrize(
    ("request_bytes", "wire"),
    [
        (ask(Op.REPORT), "01 01"),
        (ask(Op.REPORT, Operator.LAST), "01 06"),
        (ask(Op.REPORT, Operator.GREATER_OR_EQUAL, 42), "01 03 01 2A00"),
        (ask(Op.REPORT, Operator.WITHIN_RANGE, 10, 20), "01 04 01 0A00 1400"),
        (ask(Op.DELETE), "02 01"),
        (ask(Op.COUNT), "04 01"),
        (ABORT, "03 00"),
    ],
)
def test_records_are_asked_for_in_the_standard_s_words(request_bytes: bytes, wire: str) -> None:
    assert request_bytes == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("wire", "answer", "text"),
    [
        ("06 00 01 01", Answer(1, 1), "success"),
        ("06 00 01 06", Answer(1, 6), "no records found"),
        ("06 00 03 07", Answer(3, 7), "abort unsuccessful"),
        ("06 00 02 02", Answer(2, 2), "op code not supported"),
        ("06 00 01 FF", Answer(1, 255), "reserved response 255"),
        ("05 00 0C 01", Answer(4, 1, 268), "success"),
    ],
)
def test_an_answer_says_what_came_of_which_request(wire: str, answer: Answer, text: str) -> None:
    assert decode_answer(bytes.fromhex(wire)) == answer
    assert answer.text == text


@pytest.mark.parametrize(
    ("wire", "offset"), [("01 01", 0), ("06 01 01 01", 1), ("06 00 01", 3), ("05 00 0C", 2)]
)
def test_what_is_no_answer_is_refused(wire: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_answer(bytes.fromhex(wire))
    assert caught.value.offset == offset


def test_a_user_of_a_scale_consents_by_slot_and_code() -> None:
    assert consent(1, 3752) == bytes.fromhex("02 01 A8 0E")
    assert decode_user_answer(bytes.fromhex("20 02 05")) == UserAnswer(2, 5)
    assert decode_user_answer(bytes.fromhex("20 02 05")).text == "consent: user not authorized"
    assert decode_user_answer(bytes.fromhex("20 01 01 03")) == UserAnswer(1, 1, 3)
