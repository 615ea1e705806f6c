"""An EKG in a message: what is sent of it, without loss, and what is said of the rest."""

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.hl7 import Message, parse
from gateway.hl7.ekg_results import EkgParts, LeadCounts
from gateway.hl7.independent_check import structure_faults
from gateway.hl7.oru import Amendment, build_oru
from gateway.hl7.profiles import PROFILES, EkgForm
from gateway.hl7.validation import validate
from gateway.model import Identifier, Observation, Patient, Reading

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
EKG = Reading(
    kind="ekg",
    observations=(Observation("qt-interval", Decimal(402), "ms"),),
    notes=("Sinus rhythm", "checksum of section 6 is wrong"),
    taken_at=AT,
)
PARTS = EkgParts(
    statements=("Sinus rhythm", "A | B"),
    leads=(
        LeadCounts("II", (-12, "", 0, 240), Decimal("0.0025")),
        LeadCounts("Nehb D", (1, 2), Decimal("0.005")),
    ),
    sample_rate_hz=Decimal("500.0"),
    documents={"aecg": b"<AnnotatedECG/>", "pdf": b"%PDF-1.4" + bytes(200)},
    missing={"aecg": "no aecg of the EKG: a sample is missing"},
)


def _built(
    *ekg: EkgForm,
    profile: str = "loinc-2.5.1",
    amendment: Amendment = "",
    parts: EkgParts | None = PARTS,
    **options: Any,
) -> Message:
    wanted = replace(PROFILES[profile], ekg=frozenset(ekg), **options)
    return parse(
        build_oru(
            EKG,
            ALMA,
            None,
            control_id="G7-1",
            filler_number="G7-R1",
            sent_at=AT,
            profile=wanted,
            amendment=amendment,
            ekg=parts,
        )
    )


def _results(message: Message) -> list[list[str]]:
    """OBX-2 to OBX-6 of each."""
    found = [segment for segment in message.segments if segment.name == "OBX"]
    return [[segment.raw(field) for field in range(2, 7)] for segment in found]


def _notes(message: Message) -> list[str]:
    return [segment.get(3) for segment in message.segments if segment.name == "NTE"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_form_of_an_ekg_is_well_built_in_every_profile(profile):
    message = _built("measures", "statements", "waveform", "aecg", "pdf", profile=profile)
    assert structure_faults(message) == ()
    assert validate(message.encode()) == ()
    numbers = [(segment.get(3), segment.get(4)) for segment in message.segments if segment.name == "OBX"]
    assert len(set(numbers)) == len(numbers)
    assert [segment.get(1) for segment in message.segments if segment.name == "OBX"] == [
        str(number + 1) for number in range(len(numbers))
    ]


def test_measures_alone_are_what_is_sent_of_an_ekg_where_nobody_asks_for_more():
    assert _built("measures").lines == _built("measures", parts=None).lines


def test_statements_are_results_and_no_notes_any_more():
    message = _built("statements")
    assert _results(message) == [
        ["TX", "18844-1^EKG impression^LN", "1", "Sinus rhythm", ""],
        ["TX", "18844-1^EKG impression^LN", "2", r"A \F\ B", ""],
    ]
    assert _notes(message) == ["checksum of section 6 is wrong"]


def test_a_lead_is_whole_counts_behind_their_rate_and_resolution():
    assert _results(_built("waveform")) == [
        ["NM", "0^MDC_ATTR_SAMP_RATE^MDC", "1.1", "500.0", "Hz^hertz^UCUM"],
        ["NM", "2327^MDC_ATTR_NU_MSMT_RES^MDC", "1.2", "0.0025", "mV^millivolt^UCUM"],
        ["NA", "131330^MDC_ECG_ELEC_POTL_II^MDC", "1", "-12^^0^240", "{count}^count^UCUM"],
        ["NM", "0^MDC_ATTR_SAMP_RATE^MDC", "2.1", "500.0", "Hz^hertz^UCUM"],
        ["NM", "2327^MDC_ATTR_NU_MSMT_RES^MDC", "2.2", "0.005", "mV^millivolt^UCUM"],
        ["NA", "Nehb D^EKG lead Nehb D^L", "2", "1^2", "{count}^count^UCUM"],
    ]


def test_in_pcd_01_a_lead_is_a_metric_with_facets():
    _, *rows = _results(_built("waveform", profile="pcd-01"))
    assert [row[2] for row in rows] == [
        "1.0.0.2.1",
        "1.0.0.2.2",
        "1.0.0.2",
        "1.0.0.3.1",
        "1.0.0.3.2",
        "1.0.0.3",
    ]
    assert rows[0][4] == "264608^MDC_DIM_PER_SEC^MDC"


@pytest.mark.parametrize(("plain", "kind"), [(False, "^application^pdf"), (True, "^^PDF")])
def test_a_document_is_base64_without_line_breaks(plain, kind):
    ((data_type, code, _, value, _),) = _results(_built("pdf", plain_pdf=plain))
    assert (data_type, code) == ("ED", "11524-6^EKG study^LN")
    head, _, encoded = value.rpartition("^")
    assert head == f"{kind}^Base64"
    assert b64decode(encoded, validate=True) == PARTS.documents["pdf"]


def test_what_is_longer_than_the_receiver_takes_is_left_out_with_a_note():
    message = _built("waveform", "pdf", largest_value=100)
    assert [row[0] for row in _results(message)] == ["NM", "NM", "NA"] * 2
    assert _notes(message)[2:] == ["the printed EKG is left out: 280 characters, 100 are allowed"]


def test_what_could_not_be_made_is_said_where_it_is_wanted():
    assert "no aecg of the EKG: a sample is missing" in _notes(_built("measures", "aecg"))
    assert "no aecg of the EKG: a sample is missing" not in _notes(_built("measures", "pdf"))


@pytest.mark.parametrize("amendment", ["W", "D"])
def test_what_takes_an_ekg_back_does_not_repeat_it(amendment: Amendment):
    message = _built("measures", "waveform", "pdf", amendment=amendment)
    first, *others = _results(message)
    assert first[3] == "402"
    assert {row[3] for row in others} == {'""'}
    assert {segment.get(11) for segment in message.segments if segment.name == "OBX"} == {amendment}
    assert validate(message.encode()) == ()
