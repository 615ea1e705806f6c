"""What JSON of a reading shows, and that nothing is lost between the store's rows and the model."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import (
    Device,
    Encounter,
    Identifier,
    Observation,
    Patient,
    Reading,
    ReadingKind,
    Sent,
    rejected,
)
from gateway.model.reading import Comparator, Status, TimeSource
from gateway.model.serialised import (
    encounter_from_row,
    encounter_to_row,
    patient_from_row,
    patient_to_row,
    reading_from_row,
    reading_json,
    reading_to_row,
)

# Surrogates are no characters; anything else may stand in a name that a device or an EHR sent.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=zones)  # noqa: DTZ001 - zone drawn


sents = st.builds(Sent, value=decimals, unit=texts)
observations = st.builds(
    Observation,
    name=texts,
    value=st.none() | decimals,
    unit=st.none() | texts,
    comparator=st.none() | st.sampled_from(get_args(Comparator)),
    text=st.none() | texts,
    site=st.none() | texts,
    as_sent=st.none() | sents,
)
devices = st.builds(Device, *(st.none() | texts for _ in range(4)))
readings = st.builds(
    Reading,
    kind=st.sampled_from(get_args(ReadingKind)),
    observations=st.lists(observations, max_size=3).map(tuple),
    status=st.sampled_from(get_args(Status)),
    notes=st.lists(texts, max_size=2).map(tuple),
    taken_at=st.none() | moments,
    time_source=st.none() | st.sampled_from(get_args(TimeSource)),
    clock_drift=st.none() | st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    sequence=st.none() | texts,
    subject=st.none() | texts,
    device=devices,
    driver=st.none() | texts,
    patient_id=st.none() | texts,
)
identifiers = st.builds(Identifier, value=texts, authority=texts, type=texts)
patients = st.builds(
    Patient,
    identifiers=st.lists(identifiers, min_size=1, max_size=3).map(tuple),
    **dict.fromkeys(("family_name", "given_name", "middle_name", "birth_date", "sex"), texts),
)
encounters = st.builds(
    Encounter,
    room=texts,
    patient=patients,
    location=texts,
    patient_class=texts,
    visit=st.none() | identifiers,
    opened_at=moments,
    closed_at=st.none() | moments,
)


_CUFF = Reading(
    kind="blood-pressure",
    driver="and-ble",
    device=Device("A&D", "UA-651BLE", "5160300123", "00:09:1F:80:0A:0B"),
    taken_at=datetime(2026, 3, 2, 9, 14, 5, tzinfo=timezone(timedelta(hours=-5))),
    time_source="device",
    notes=("irregular pulse detected",),
    observations=(Observation("systolic", Decimal(121), "mm[Hg]"),),
)


def test_a_reading_prints_in_the_public_shape_with_its_codes() -> None:
    assert json.dumps(reading_json(_CUFF), indent=None) == (
        '{"driver": "and-ble", "device": {"vendor": "A&D", "model": "UA-651BLE", "serial": "5160300123", '
        '"id": "00:09:1F:80:0A:0B"}, "kind": "blood-pressure", "taken_at": "2026-03-02T09:14:05-05:00", '
        '"time_source": "device", "status": "final", "notes": ["irregular pulse detected"], '
        '"patient_id": null, "observations": [{"name": "systolic", "value": "121", "unit": "mm[Hg]", '
        '"comparator": null, "text": null, "site": null, "as_sent": null, "loinc": "8480-6", '
        '"mdc": "150021", "mdc_ref": "MDC_PRESS_BLD_NONINV_SYS"}]}'
    )


def test_numbers_print_in_plain_digits_with_every_digit_that_was_sent() -> None:
    observations = (
        Observation("glucose", Decimal("2.0E+2"), "mg/dL", as_sent=Sent(Decimal("2.0E-3"), "kg/L")),
        Observation("temperature", Decimal("36.60"), "Cel"),
        Observation("weight", Decimal("1E-9"), "kg"),
    )
    printed = reading_json(Reading(kind="glucose", observations=observations))["observations"]
    assert [o["value"] for o in printed] == ["200", "36.60", "0.000000001"]
    assert printed[0]["as_sent"] == {"value": "0.0020", "unit": "kg/L"}


def test_a_device_time_without_a_zone_prints_without_offset() -> None:
    reading = rejected("weight", "overload").taken(datetime(2026, 3, 2, 9, 14, 5), by="device")  # noqa: DTZ001
    assert reading_json(reading)["taken_at"] == "2026-03-02T09:14:05"


def test_an_analysers_own_code_prints_without_codes() -> None:
    reading = Reading(kind="laboratory", observations=(Observation("WBC", Decimal("6.1"), "10*3/uL"),))
    (printed,) = reading_json(reading)["observations"]
    assert (printed["loinc"], printed["mdc"], printed["mdc_ref"]) == (None, None, None)


def test_the_public_shape_holds_neither_the_typed_subject_nor_raw_bytes() -> None:
    reading = Reading(kind="weight", subject="typed-at-the-scale", provenance=b"raw-bytes-of-the-frame")
    printed = json.dumps(reading_json(reading))
    assert "typed-at-the-scale" not in printed
    assert "raw-bytes" not in printed


@settings(max_examples=60)
@given(readings)
def test_a_stored_reading_comes_back_to_the_last_digit(reading: Reading) -> None:
    again = reading_from_row(json.loads(json.dumps(reading_to_row(reading))))
    assert again == reading
    assert [str(o.value) for o in again.observations] == [str(o.value) for o in reading.observations]


@settings(max_examples=30)
@given(readings)
def test_any_reading_prints_as_json(reading: Reading) -> None:
    assert json.loads(json.dumps(reading_json(reading)))["kind"] == reading.kind


def test_a_row_holds_no_provenance() -> None:
    assert reading_from_row(reading_to_row(Reading(kind="weight", provenance=b"\x02"))).provenance == b""


@settings(max_examples=30)
@given(patients)
def test_a_stored_patient_comes_back(patient: Patient) -> None:
    assert patient_from_row(json.loads(json.dumps(patient_to_row(patient)))) == patient


@settings(max_examples=30)
@given(encounters)
def test_a_stored_encounter_comes_back(encounter: Encounter) -> None:
    assert encounter_from_row(json.loads(json.dumps(encounter_to_row(encounter)))) == encounter
