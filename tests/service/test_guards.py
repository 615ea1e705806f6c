"""A guard marks and asks; it never alters a value, and never touches what is already marked."""

from decimal import Decimal

import pytest

from gateway.model import Observation, Reading, rejected
from gateway.service.guards import guarded


def _temperature(value: str, unit: str) -> Reading:
    return Reading(
        kind="temperature", observations=(Observation("temperature", Decimal(value), unit, site="ear"),)
    )


@pytest.mark.parametrize(("value", "unit"), [("36.8", "Cel"), ("98.2", "[degF]"), ("41.0", "Cel")])
def test_a_plausible_value_passes_as_it_is(value: str, unit: str):
    reading = _temperature(value, unit)
    assert guarded(reading) is reading


@pytest.mark.parametrize(("value", "unit"), [("98.2", "Cel"), ("36.8", "[degF]")])
def test_a_value_that_no_living_patient_has_is_questionable_with_the_reason(value: str, unit: str):
    reading = _temperature(value, unit)
    marked = guarded(reading)
    assert (marked.status, marked.observations) == ("questionable", reading.observations)
    assert "temperature is outside" in marked.notes[0]


def test_no_note_repeats_the_patients_value():
    assert "98.2" not in guarded(_temperature("98.2", "Cel")).notes[0]


def test_a_rejected_reading_is_left_alone():
    reading = rejected("temperature", "probe defective")
    assert guarded(reading) is reading


def test_an_analysers_own_code_has_no_limits():
    reading = Reading(kind="laboratory", observations=(Observation("X-77", Decimal(9999), "g/L"),))
    assert guarded(reading) is reading
