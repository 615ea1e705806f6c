"""What messages and guards may rely on from the vocabulary."""

from collections import Counter
from decimal import Decimal

import pytest

from gateway.model import ReadingKind
from gateway.model.vocabulary import TERMS, UNITS, Term, term

_SCADA, _DIMENSIONS = 2, 4  # partitions of ISO/IEEE 11073-10101

_EYES, _EARS = ("right", "left"), ("right", "left")
PUBLIC_NAMES = [
    *("systolic", "diastolic", "mean-arterial-pressure", "cuff-pressure", "pulse-rate", "heart-rate"),
    *("spo2", "perfusion-index", "pulse-amplitude-index", "temperature", "respiration-rate"),
    *("weight", "height", "bmi", "body-fat", "muscle-percentage", "body-water", "fat-mass"),
    *("fat-free-mass", "muscle-mass", "soft-lean-mass", "bone-mass", "body-water-mass"),
    *("basal-metabolic-rate", "impedance", "glucose", "bilirubin", "ketones", "specific-gravity", "blood"),
    *("ph", "protein", "urobilinogen", "nitrite", "leukocytes", "albumin", "creatinine"),
    *("albumin-creatinine-ratio", "hcg", "pain"),
    *(f"visual-acuity-{eye}-{how}" for eye in _EYES for how in ("corrected", "uncorrected")),
    *(f"{what}-{eye}" for what in ("sphere", "cylinder", "axis") for eye in _EYES),
    *(
        f"hearing-threshold-{ear}-{hz}-hz"
        for ear in _EARS
        for hz in (500, 1000, 2000, 3000, 4000, 6000, 8000)
    ),
    *("rr-interval", "p-duration", "pr-interval", "qrs-duration", "qt-interval", "qtc-interval"),
    *("qtc-bazett", "qtc-fridericia", "qtc-framingham", "qtc-hodges", "p-axis", "qrs-axis", "t-axis"),
]

each_term = pytest.mark.parametrize("entry", TERMS, ids=lambda entry: f"{entry.name}:{'/'.join(entry.units)}")


def luhn(digits: str) -> int:
    doubled = (int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits)))
    return -sum(d // 10 + d % 10 for d in doubled) % 10


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_every_public_name_is_there(name: str) -> None:
    assert name in {entry.name for entry in TERMS}


@each_term
def test_a_loinc_code_ends_in_its_check_digit_and_has_a_name(entry: Term) -> None:
    assert (entry.loinc is None) == (entry.loinc_name is None)
    if entry.loinc is not None:
        number, _, check = entry.loinc.partition("-")
        assert luhn(number) == int(check)


@each_term
def test_an_mdc_code_lies_in_its_partition_and_has_a_reference_id(entry: Term) -> None:
    for code, ref, partition in (
        (entry.mdc, entry.mdc_ref, _SCADA),
        *((unit.mdc, unit.mdc_ref, _DIMENSIONS) for unit in entry.units.values()),
    ):
        assert (code is None) == (ref is None)
        if code is not None and ref is not None:
            assert int(code) // 65536 == partition
            assert ref.startswith("MDC_DIM_" if partition == _DIMENSIONS else "MDC_")


@each_term
def test_units_are_of_the_table_and_limits_are_of_the_units(entry: Term) -> None:
    assert entry.units
    assert set(entry.units) <= set(UNITS)
    assert set(entry.limits) <= set(entry.units)
    assert all(limits.low < limits.high for limits in entry.limits.values())


def test_no_two_terms_answer_to_the_same_question() -> None:
    questions = Counter(
        (entry.name, kind, site, unit)
        for entry in TERMS
        for kind in entry.kinds or (None,)
        for site in entry.sites or (None,)
        for unit in entry.units
    )
    assert [question for question, times in questions.items() if times > 1] == []


def test_a_code_has_one_name_everywhere() -> None:
    named = {(entry.loinc, entry.loinc_name) for entry in TERMS}
    named |= {(entry.mdc, entry.mdc_ref) for entry in TERMS}
    named |= {(unit.mdc, unit.mdc_ref) for entry in TERMS for unit in entry.units.values()}
    assert [code for code, times in Counter(code for code, _ in named).items() if times > 1] == []


@pytest.mark.parametrize(
    ("name", "kind", "unit", "site", "loinc", "mdc"),
    [
        ("pulse-rate", "blood-pressure", "/min", None, "8867-4", "149546"),
        ("pulse-rate", "pulse-oximetry", "/min", None, "8889-8", "149530"),
        ("heart-rate", "ekg", "/min", None, "76282-3", "147842"),
        ("heart-rate", "heart-rate", "/min", None, "8867-4", "147842"),
        ("glucose", "glucose", "mg/dL", None, "41653-7", "160184"),
        ("glucose", "glucose", "mmol/L", None, "14743-9", "160184"),
        ("glucose", "urinalysis", None, None, "25428-4", None),
        ("glucose", "urinalysis", "mg/dL", None, "5792-7", None),
        ("temperature", "temperature", "Cel", "oral", "8331-1", "188424"),
        ("temperature", "temperature", "[degF]", "ear", "8333-7", "188428"),
        ("temperature", "temperature", "Cel", None, "8310-5", "150364"),
        ("temperature", "temperature", "Cel", "elbow", "8310-5", "150364"),
        ("systolic", "blood-pressure", "kPa", "left-arm", "8480-6", "150021"),
        ("hearing-threshold-left-1000-hz", "hearing", "dB", None, "89016-0", None),
        ("visual-acuity-right-corrected", "vision", None, None, "65893-0", None),
        ("rr-interval", "ekg", "ms", None, "8637-1", "147240"),
    ],
)
def test_kind_unit_and_site_decide_what_a_name_means(
    name: str, kind: ReadingKind, unit: str | None, site: str | None, loinc: str, mdc: str | None
) -> None:
    found = term(name, kind=kind, unit=unit, site=site)
    assert found is not None
    assert (found.loinc, found.mdc) == (loinc, mdc)


@pytest.mark.parametrize(
    ("sample", "unit", "loinc"),
    [
        ("undetermined-whole-blood", "mg/dL", "2339-0"),
        ("undetermined-plasma", "mmol/L", "14749-6"),
        ("interstitial-fluid", "mg/dL", None),
    ],
)
def test_a_sample_that_is_not_capillary_has_no_capillary_code(
    sample: str, unit: str, loinc: str | None
) -> None:
    found = term("glucose", kind="glucose", unit=unit, site=sample)
    assert found is not None
    assert found.loinc == loinc


def test_an_analysers_own_code_means_nothing_here() -> None:
    assert term("WBC", kind="laboratory", unit="10*3/uL") is None
    assert term("glucose", kind="laboratory", unit="mg/dL") is None


def test_a_unit_that_fits_none_of_several_terms_is_not_guessed() -> None:
    assert term("glucose", kind="glucose", unit="g/L") is None


def test_breaths_and_beats_per_minute_are_different_units_to_a_monitor() -> None:
    respiration = term("respiration-rate", kind="respiration", unit="/min")
    pulse = term("pulse-rate", kind="blood-pressure", unit="/min")
    assert respiration is not None
    assert pulse is not None
    assert (respiration.units["/min"].mdc, pulse.units["/min"].mdc) == ("264928", "264864")


@pytest.mark.parametrize(
    ("value", "unit", "plausible"),
    [("98.6", "[degF]", True), ("98.6", "Cel", False), ("36.6", "Cel", True), ("310", "K", True)],
)
def test_plausibility_is_judged_in_the_unit_that_was_sent(value: str, unit: str, plausible: bool) -> None:
    temperature = term("temperature", kind="temperature", unit=unit)
    assert temperature is not None
    assert temperature.plausible(Decimal(value), unit) is plausible
