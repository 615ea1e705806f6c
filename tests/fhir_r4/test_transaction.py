"""A reading as a FHIR transaction: the digits, unit, time and patient that it has, filed once."""

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UnsendableError
from gateway.fhir import FhirProfile
from gateway.fhir.terminology import VITAL_SIGNS
from gateway.hl7.oru import Amendment
from gateway.model import Device, Identifier, Observation, Patient, Reading, ReadingKind, rejected
from gateway.model.vocabulary import TERMS

from .readings import (
    ALMA,
    MRN,
    OWN,
    PRESSURE,
    PROFILE,
    TAKEN,
    requests,
    resources,
    single,
    transaction,
)

_DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?", fullmatch=True).map(Decimal)
_TERMS = [(term, unit) for term in TERMS for unit in term.units]


def _codes(concept: dict[str, Any]) -> list[tuple[str, str]]:
    return [(coding["system"], coding["code"]) for coding in concept["coding"]]


def _observation(data: bytes) -> dict[str, Any]:
    (found,) = resources(data, "Observation")
    return found


def test_a_blood_pressure_is_one_observation_with_components_and_its_pulse_another():
    panel, pulse = resources(transaction(PRESSURE), "Observation")
    assert panel["meta"]["profile"] == ["http://hl7.org/fhir/StructureDefinition/bp"]
    assert _codes(panel["code"])[0] == ("http://loinc.org", "85354-9")
    assert [_codes(part["code"])[0][1] for part in panel["component"]] == ["8480-6", "8462-4", "8478-0"]
    assert panel["component"][0]["valueQuantity"] == {
        "value": Decimal("121"),
        "unit": "mmHg",
        "system": "http://unitsofmeasure.org",
        "code": "mm[Hg]",
    }
    assert "valueQuantity" not in panel
    assert _codes(panel["bodySite"]) == [("http://snomed.info/sct", "368208006")]
    assert pulse["meta"]["profile"] == ["http://hl7.org/fhir/StructureDefinition/heartrate"]
    assert "bodySite" not in pulse
    assert [note["text"] for note in panel["note"]] == ["irregular pulse detected"]


def test_who_when_and_by_what():
    data = transaction(PRESSURE)
    panel = resources(data, "Observation")[0]
    assert panel["subject"] == {
        "reference": f"Patient?identifier={MRN}|8834021",
        "type": "Patient",
        "identifier": {"system": MRN, "value": "8834021"},
    }
    assert panel["encounter"]["identifier"]["value"] == "V00991822"
    assert panel["effectiveDateTime"] == "2026-03-02T09:14:05-05:00"
    (device,) = resources(data, "Device")
    entries = {entry["resource"]["resourceType"]: entry["fullUrl"] for entry in json.loads(data)["entry"]}
    assert panel["device"] == {"reference": entries["Device"]}
    assert device["identifier"] == [
        {"system": "http://hl7.org/fhir/sid/eui-48/bluetooth", "value": "EC-21-E5-00-00-01"},
        {"system": OWN, "value": "Exemplar C1 5171100234"},
    ]
    assert (device["manufacturer"], device["serialNumber"]) == ("Exemplar", "5171100234")
    assert device["deviceName"] == [{"name": "C1", "type": "model-name"}]
    assert _codes(device["type"]) == [("urn:iso:std:iso:11073:10101", "528391")]


@pytest.mark.parametrize(
    ("placer", "identifier"),
    [
        ("ORD7762^VISITS", {"system": "https://north.example.org/visits", "value": "ORD7762"}),
        ("ORD7762^OE", {"value": "ORD7762"}),
        ("ORD7762", {"value": "ORD7762"}),
    ],
)
def test_a_result_names_the_order_that_it_carries_out(placer: str, identifier: dict[str, str]):
    data = transaction(PRESSURE, placer_number=placer)
    Bundle.model_validate_json(data)
    assert {str(o["basedOn"]) for o in resources(data, "Observation")} == {
        str([{"type": "ServiceRequest", "identifier": identifier}])
    }


def test_a_provenance_names_everything_that_is_filed_and_who_measured_it():
    data = transaction(PRESSURE)
    (provenance,) = resources(data, "Provenance")
    entries = json.loads(data)["entry"]
    filed = [entry["fullUrl"] for entry in entries if entry["resource"]["resourceType"] == "Observation"]
    assert [target["reference"] for target in provenance["target"]] == filed
    assert [agent["type"]["coding"][0]["code"] for agent in provenance["agent"]] == ["performer", "assembler"]
    assert resources(transaction(PRESSURE, profile=replace(PROFILE, provenance=False)), "Provenance") == []


@given(_DIGITS, st.sampled_from(_TERMS))
def test_every_quantity_leaves_with_its_digits_and_its_unit(value: Decimal, known: tuple[Any, str]):
    term, unit = known
    kind, site = next(iter(term.kinds), "laboratory"), next(iter(term.sites), None)
    data = transaction(single(Observation(term.name, value, unit or None, site=site), kind))
    Bundle.model_validate_json(data)
    observation = _observation(data)
    (quantity,) = [
        part["valueQuantity"]
        for part in observation.get("component", [observation])
        if "valueQuantity" in part
    ]
    assert str(quantity["value"]) == str(value)
    assert quantity.get("code", "") == unit
    assert b'"value":%b' % f"{value:f}".encode() in data


@pytest.mark.parametrize("digits", ["36.60", "0.850", "100", "2E+2", "1E-7", "-0.50"])
def test_json_holds_the_digits_of_the_device_and_never_an_exponent(digits: str):
    value = Decimal(digits)
    assert f'"value":{value:f},'.encode() in transaction(single(Observation("weight", value, "kg"), "weight"))


@pytest.mark.parametrize(
    ("name", "unit", "profile"),
    [
        ("weight", "kg", "bodyweight"),
        ("weight", "[oz_av]", None),
        ("height", "cm", "bodyheight"),
        ("height", "m", None),
        ("temperature", "Cel", "bodytemp"),
        ("temperature", "K", None),
        ("spo2", "%", "oxygensat"),
        ("respiration-rate", "/min", "resprate"),
        ("bmi", "kg/m2", "bmi"),
    ],
)
def test_a_vital_sign_claims_its_profile_where_the_unit_is_one_of_it(
    name: str, unit: str, profile: str | None
):
    observation = _observation(transaction(single(Observation(name, Decimal(1), unit), "weight")))
    claimed = f"http://hl7.org/fhir/StructureDefinition/{profile}"
    assert observation.get("meta", {}).get("profile") == ([claimed] if profile else None)
    assert ("http://loinc.org", VITAL_SIGNS[name].loinc) in _codes(observation["code"])
    assert _codes(observation["category"][0])[0][1] == "vital-signs"


def test_a_pressure_in_kilopascal_stays_so_and_claims_no_profile():
    observations = tuple(replace(o, unit="kPa") for o in PRESSURE.observations[:3])
    panel = _observation(transaction(replace(PRESSURE, observations=observations)))
    assert "meta" not in panel
    assert {part["valueQuantity"]["code"] for part in panel["component"]} == {"kPa"}


def test_a_pressure_that_is_missing_is_said_to_be():
    panel = _observation(transaction(replace(PRESSURE, observations=PRESSURE.observations[:1])))
    assert [sorted(part) for part in panel["component"]] == [
        ["code", "valueQuantity"],
        ["code", "dataAbsentReason"],
    ]


def test_oxygen_saturation_has_both_codes_that_are_asked_for():
    observation = _observation(transaction(single(Observation("spo2", Decimal(98), "%"), "pulse-oximetry")))
    assert _codes(observation["code"])[:2] == [
        ("http://loinc.org", "2708-6"),
        ("http://loinc.org", "59408-5"),
    ]


def test_a_limit_a_word_and_nothing_are_told_apart():
    limit = _observation(transaction(single(Observation("glucose", Decimal("600"), "mg/dL", ">"), "glucose")))
    word = _observation(transaction(single(Observation("nitrite", text="Negative"), "laboratory")))
    nothing = _observation(transaction(single(Observation("hcg"), "pregnancy-test")))
    assert limit["valueQuantity"]["comparator"] == ">"
    assert word["valueString"] == "Negative"
    assert nothing["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_an_ekg_is_a_report_of_its_measures_with_what_was_said_of_it():
    ekg = Reading(
        kind="ekg",
        observations=(
            Observation("qt-interval", Decimal(392), "ms"),
            Observation("qrs-axis", Decimal(-12), "deg"),
        ),
        notes=("Sinus rhythm", "Normal EKG"),
        taken_at=TAKEN,
    )
    data = transaction(ekg)
    (report,) = resources(data, "DiagnosticReport")
    assert _codes(report["code"]) == [("http://loinc.org", "11524-6")]
    assert report["conclusion"] == "Sinus rhythm\nNormal EKG"
    assert len(report["result"]) == len(resources(data, "Observation")) == 2


def test_a_site_that_is_none_of_the_body_is_a_note():
    sample = Observation("glucose", Decimal(99), "mg/dL", site="control-solution")
    observation = _observation(transaction(single(sample, "glucose")))
    assert "bodySite" not in observation
    assert observation["note"] == [{"text": "glucose: control-solution"}]


@pytest.mark.parametrize(
    ("status", "amendment", "said"),
    [
        ("final", "", "final"),
        ("questionable", "", "preliminary"),
        ("final", "C", "corrected"),
        ("questionable", "C", "preliminary"),
        ("final", "W", "entered-in-error"),
        ("questionable", "D", "entered-in-error"),
    ],
)
def test_the_status_says_what_a_reading_and_its_amendment_are(status: Any, amendment: Amendment, said: str):
    data = transaction(replace(PRESSURE, status=status), amendment)
    assert {observation["status"] for observation in resources(data, "Observation")} == {said}


def test_a_failed_measurement_has_its_reason_and_no_value():
    observation = _observation(
        transaction(rejected("blood-pressure", "cuff loose").taken(TAKEN, by="gateway"))
    )
    assert observation["status"] == "cancelled"
    assert observation["dataAbsentReason"]["coding"][0]["code"] == "error"


def test_what_is_new_is_created_once_and_what_corrects_it_finds_it():
    first, correction = transaction(PRESSURE), transaction(PRESSURE, "C", control_id="G7ABCDEF-0000000002")
    created, updated = requests(first, "Observation")[0], requests(correction, "Observation")[0]
    assert created == {
        "method": "POST",
        "url": "Observation",
        "ifNoneExist": f"identifier={OWN}|G7ABCDEF-R1-E1-1",
    }
    assert updated == {"method": "PUT", "url": f"Observation?identifier={OWN}|G7ABCDEF-R1-E1-1"}
    assert requests(correction, "Device")[0]["method"] == "POST"
    assert requests(first, "Provenance") != requests(correction, "Provenance")


def test_the_same_reading_makes_the_same_bytes():
    assert transaction(PRESSURE) == transaction(PRESSURE)


def test_what_is_special_in_a_search_is_escaped():
    patient = Patient((Identifier("a|b,c $&#%+é\\", "NORTH"),))
    subject = resources(transaction(PRESSURE, patient=patient), "Observation")[0]["subject"]
    assert subject["reference"] == (
        f"Patient?identifier={MRN}|a%5C%7Cb%5C%2Cc%20%5C%24%26%23%25%2B%C3%A9%5C%5C"
    )
    assert subject["identifier"]["value"] == "a|b,c $&#%+é\\"


def test_a_server_that_resolves_no_references_gets_the_identifier_alone():
    subject = resources(
        transaction(PRESSURE, profile=replace(PROFILE, patient_reference="logical")), "Observation"
    )[0]["subject"]
    assert sorted(subject) == ["identifier", "type"]


def test_an_identifier_whose_system_nobody_knows_is_never_sent():
    stranger = Patient((Identifier("8834021", "SOUTH"),), "TESTPATIENT", "ALMA")
    with pytest.raises(UnsendableError, match=r"assigning authority 'SOUTH'; add it") as refused:
        transaction(PRESSURE, patient=stranger)
    assert "8834021" not in str(refused.value)
    both = Patient((*stranger.identifiers, *ALMA.identifiers))
    assert (
        resources(transaction(PRESSURE, patient=both), "Observation")[0]["subject"]["identifier"]["system"]
        == MRN
    )


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (replace(PRESSURE, taken_at=None), "effectiveDateTime"),
        (replace(PRESSURE, taken_at=datetime(2026, 3, 2, 9, 14)), "effectiveDateTime"),  # noqa: DTZ001 - the point
        (single(Observation("x", Decimal("NaN"))), "valueQuantity"),
    ],
)
def test_what_has_no_moment_or_no_number_is_refused_by_element(reading: Reading, message: str):
    with pytest.raises(UnsendableError, match=message):
        transaction(reading)


@pytest.mark.parametrize(
    ("device", "identifiers"),
    [
        (Device(), None),
        (Device("Exemplar", "C1"), None),
        (Device(id="0011223344556677"), ["00-11-22-33-44-55-66-77"]),
        (Device(id="usb 1-4"), ["usb 1-4"]),
        (Device("Exemplar", "C1", "17", "usb 1-4"), ["Exemplar C1 17"]),
    ],
)
def test_a_device_is_named_where_it_can_be_found_again(device: Device, identifiers: list[str] | None):
    data = transaction(replace(PRESSURE, device=device))
    found = resources(data, "Device")
    assert [i["value"] for d in found for i in d["identifier"]] == (identifiers or [])
    assert ("device" in resources(data, "Observation")[0]) is (identifiers is not None)


_READINGS = st.builds(
    Reading,
    kind=st.sampled_from(get_args(ReadingKind)),
    observations=st.lists(
        st.builds(
            Observation,
            st.sampled_from(sorted({term.name for term in TERMS})),
            st.none() | _DIGITS,
            st.none() | st.sampled_from(["mm[Hg]", "kPa", "%", "Cel", "/min"]),
            st.sampled_from([None, "<", ">="]),
            st.none() | st.text(st.characters(min_codepoint=32), max_size=8),
            st.sampled_from([None, "ear", "left-arm", "elsewhere"]),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
    status=st.sampled_from(["final", "questionable"]),
    taken_at=st.just(TAKEN),
)


@given(_READINGS, st.sampled_from(get_args(Amendment)))
def test_every_reading_is_a_bundle_that_another_implementation_takes(reading: Reading, amendment: Amendment):
    data = transaction(reading, amendment)
    Bundle.model_validate_json(data)
    entries = json.loads(data)["entry"]
    assert len({entry["fullUrl"] for entry in entries}) == len(entries)
    values = [
        str(part["valueQuantity"]["value"])
        for observation in resources(data, "Observation")
        for part in (observation, *observation.get("component", ()))
        if "valueQuantity" in part
    ]
    assert sorted(values) == sorted(str(o.value) for o in reading.observations if o.value is not None)


def test_a_profile_without_systems_sends_nobody():
    with pytest.raises(UnsendableError):
        transaction(PRESSURE, profile=FhirProfile())
