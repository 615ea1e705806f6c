"""What a clinic can rely on from any cuff of the Blood Pressure Service."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.gatt.blood_pressure import CUFF_PRESSURE, FEATURE, MEASUREMENT
from gateway.codecs.gatt.device_information import MODEL
from gateway.drivers import Fault, Measured, Progress, Read, Subscribe
from gateway.drivers.gatt_blood_pressure import Frames, Session, parse_measurement
from gateway.model import Reading

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_GOOD = bytes.fromhex("00 7900 5000 5E00")


def parse(wire: str, **known: str) -> Reading:
    return parse_measurement(bytes.fromhex(wire), at=_AT, model=known.get("model"))


def values(reading: Reading) -> dict[str, str]:
    return {o.name: f"{o.value:f} {o.unit}" for o in reading.observations}


def test_pressures_come_in_the_unit_and_with_the_digits_of_the_cuff() -> None:
    assert values(parse("05 A0F0 6BF0 7DF0 4200")) == {
        "systolic": "16.0 kPa",
        "diastolic": "10.7 kPa",
        "mean-arterial-pressure": "12.5 kPa",
        "pulse-rate": "66 /min",
    }


@pytest.mark.parametrize("special", ["FF07", "0008", "FE07", "0208", "0108"])
@pytest.mark.parametrize("wire", ["00 {} 5000 5E00", "00 7900 {} 5E00"])
def test_a_pressure_that_is_no_number_rejects_the_measurement(wire: str, special: str) -> None:
    reading = parse(wire.format(special))
    assert (reading.status, reading.observations) == ("rejected", ())
    assert "could not measure" in reading.notes[0]


@pytest.mark.parametrize("wire", ["00 0000 5000 5E00", "00 7900 FFFF 5E00"])
def test_a_pressure_that_no_patient_has_rejects_the_measurement(wire: str) -> None:
    assert parse(wire).status == "rejected"


@pytest.mark.parametrize(("wire", "there"), [("00 7900 5000 FF07", False), ("00 7900 5000 0000", False)])
def test_a_mean_that_was_not_computed_is_left_out(wire: str, there: bool) -> None:
    assert ("mean-arterial-pressure" in values(parse(wire))) is there


def test_a_pulse_rate_that_was_not_found_does_not_cost_the_pressures() -> None:
    assert "pulse-rate" not in values(parse("04 7700 4D00 5B00 FF07"))


def test_a_number_that_may_be_a_disguised_special_value_is_in_doubt() -> None:
    reading = parse("00 FFF7 5000 5E00")
    assert (reading.status, reading.value("systolic")) == ("questionable", Decimal("204.7"))


def test_movement_makes_a_measurement_questionable_and_an_irregular_pulse_does_not() -> None:
    assert parse("10 8A00 5800 7800 0100").status == "questionable"
    irregular = parse("10 8A00 5800 7800 0400")
    assert (irregular.status, irregular.notes) == ("final", ("irregular pulse detected",))


def test_the_clock_of_the_cuff_is_the_time_of_the_measurement() -> None:
    reading = parse("02 7900 5000 5E00 EA070302090E05")
    assert (reading.taken_at, reading.time_source) == (datetime(2026, 3, 2, 9, 14, 5), "device")  # noqa: DTZ001


@pytest.mark.parametrize("stamp", ["00000000000000", "E807021E070000"])
def test_a_stamp_that_is_no_time_leaves_the_time_of_arrival_and_a_note(stamp: str) -> None:
    reading = parse(f"02 8000 5200 6100 {stamp}")
    assert (reading.taken_at, reading.time_source, len(reading.notes)) == (_AT, "gateway", 1)


_BM85 = "56 6A00 4700 0000 EA07080B121F00 003F 00 0000"


def test_the_layout_of_beurer_bm85_is_recognised_where_the_standard_cannot_be() -> None:
    assert values(parse(_BM85))["pulse-rate"] == "63 /min"


def test_a_pulse_rate_that_both_layouts_allow_is_read_by_the_standard_unless_the_cuff_is_named() -> None:
    ambiguous = _BM85.replace("003F", "00F2")  # 51.2 by the standard, 242 by the other
    assert values(parse(ambiguous))["pulse-rate"] == "51.2 /min"
    assert values(parse(ambiguous, model="BM85"))["pulse-rate"] == "242 /min"


def test_indications_are_enabled_last_since_that_releases_the_records() -> None:
    *before, last = Session().connected(_AT)
    assert last == Subscribe(MEASUREMENT)
    assert Read(FEATURE) in before


def test_a_status_bit_that_the_cuff_does_not_support_means_nothing() -> None:
    session = Session()
    session.received(b"\x04\x00", FEATURE, _AT)
    session.received(bytes.fromhex("10 8A00 5800 7800 2700"), MEASUREMENT, _AT)
    (event,) = session.disconnected(_AT)
    assert isinstance(event, Measured)
    assert (event.reading.status, event.reading.notes) == ("final", ("irregular pulse detected",))


def test_a_record_that_is_indicated_twice_is_taken_once() -> None:
    session = Session()
    session.received(_GOOD, MEASUREMENT, _AT)
    (again,) = session.received(_GOOD, MEASUREMENT, _AT)
    (told,) = session.disconnected(_AT)
    assert isinstance(told, Measured)
    assert again == Progress("record sent again")


def test_inflation_is_progress() -> None:
    (event,) = Frames().received(bytes.fromhex("00 8E00 FF07 FF07"), CUFF_PRESSURE, _AT)
    assert event == Progress("cuff at 142 mmHg")


def test_a_value_that_is_cut_off_is_a_fault_at_its_place_in_all_that_was_received() -> None:
    session = Session()
    session.received(_GOOD, MEASUREMENT, _AT)
    (fault,) = session.received(_GOOD[:-1], MEASUREMENT, _AT)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.offset) == ("length", len(_GOOD) + 5)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([MEASUREMENT, CUFF_PRESSURE, FEATURE, MODEL, "", "other"]), st.binary(max_size=24)
        )
    )
)
def test_no_value_makes_the_session_raise_or_a_rejected_reading_hold_numbers(
    received: list[tuple[str, bytes]],
) -> None:
    session = Session()
    for channel, data in received:
        for event in session.received(data, channel, _AT):
            if isinstance(event, Measured) and event.reading.status == "rejected":
                assert event.reading.observations == ()
