"""HL7 aECG, read and written."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import FormatError
from gateway.formats import parse, read_ekg, write_ekg
from gateway.model import EkgRecording

from .recordings import aecg_bytes, twelve_leads

SMALL = b"""<?xml version="1.0"?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <component><series><code code="RHYTHM"/>
    <effectiveTime><low value="20260302091405"/></effectiveTime>
    <component><sequenceSet>
      <component><sequence><code code="TIME_RELATIVE"/>
        <value xsi:type="GLIST_PQ"><head value="0" unit="s"/><increment value="4" unit="ms"/></value>
      </sequence></component>
      <component><sequence><code code="MDC_ECG_LEAD_AVR"/>
        <value xsi:type="SLIST_PQ"><origin value="0.1" unit="mV"/><scale value="2.5" unit="uV"/>
          <digits>-2 0
            40</digits></value>
      </sequence></component>
    </sequenceSet></component>
  </series></component>
</AnnotatedECG>"""


def read(data: bytes) -> EkgRecording:
    return parse({"one.xml": data}, "one.xml")


def test_an_amplitude_is_origin_plus_digit_times_scale_each_in_its_unit() -> None:
    recording = read(SMALL)
    assert recording.leads == ("aVR",)
    assert recording.samples_mv == pytest.approx(np.array([[0.095, 0.1, 0.2]]), abs=1e-12)
    assert recording.sample_rate_hz == 250.0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb2312", "gb18030", "iso-8859-1"])
def test_the_encoding_is_that_of_the_bytes_or_of_the_declaration(encoding: str) -> None:
    name = "M\u00fcller" if encoding == "iso-8859-1" else "\u738b"
    person = f"<componentOf><subject><trialSubject><subjectDemographicPerson><name>{name}</name>"
    person += "</subjectDemographicPerson></trialSubject></subject></componentOf>"
    text = SMALL.decode().replace('version="1.0"', f'version="1.0" encoding="{encoding}"')
    data = text.replace("</AnnotatedECG>", person + "</AnnotatedECG>").encode(encoding)
    assert read(data).patient_fields == {"name": name}


def test_a_start_without_a_zone_gets_none() -> None:
    started = read(SMALL).started_at
    assert started is not None
    assert (started.isoformat(), started.tzinfo) == ("2026-03-02T09:14:05", None)


@pytest.mark.parametrize(
    ("was", "becomes", "names"),
    [
        (b'<scale value="2.5" unit="uV"/>', b"", "MDC_ECG_LEAD_AVR"),
        (b'<scale value="2.5" unit="uV"/>', b'<scale value="2.5" unit="mmHg"/>', "MDC_ECG_LEAD_AVR"),
        (b'<increment value="4" unit="ms"/>', b'<increment value="0" unit="ms"/>', "time sequence"),
        (b'unit="ms"', b'unit="beats"', "time sequence"),
        (b"-2 0", b"-2 x", "sequence"),
        (b"MDC_ECG_LEAD_AVR", b"TIME_RELATIVE", "time sequence"),
        (b"</AnnotatedECG>", b"", "line 16"),
        (b'<?xml version="1.0"?>', b'<!DOCTYPE a [<!ENTITY b "c">]>', "document type"),
        (b'<?xml version="1.0"?>', b'<?xml version="1.0" encoding="klingon"?>', "declaration"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_by_name(was: bytes, becomes: bytes, names: str) -> None:
    assert was in SMALL
    with pytest.raises(FormatError) as refused:
        read(SMALL.replace(was, becomes))
    assert (refused.value.file_format, refused.value.section) == ("HL7 aECG", names)


def test_a_recording_reads_back_as_it_was_written(tmp_path: Path) -> None:
    recording = twelve_leads()
    write_ekg(recording, tmp_path / "a.xml")
    back = read_ekg(tmp_path / "a.xml")
    assert np.abs(back.samples_mv - recording.samples_mv).max() < 1e-9
    assert np.abs(back.groups[0].samples_mv - recording.groups[0].samples_mv).max() < 1e-9
    fields = ("leads", "sample_rate_hz", "started_at", "device", "filters", "patient_fields", "statements")
    for name in (*fields, "device_measurements", "warnings"):
        assert getattr(back, name) == getattr(recording, name), name


SCHEMA_ORDER = {  # of PORT_MT020001, 2003-12: children in their order, those that must be there
    "AnnotatedECG": (("id", "code", "effectiveTime", "componentOf", "controlVariable", "component"), 4),
    "subjectAssignment": (("subject", "componentOf"), 2),
    "trialSubject": (("id", "subjectDemographicPerson"), 1),
    "clinicalTrial": (("id",), 1),
    "series": (
        ("code", "effectiveTime", "author", "controlVariable", "component", "subjectOf", "derivation"),
        2,
    ),
    "derivedSeries": (("code", "effectiveTime", "component"), 3),
}


@pytest.mark.parametrize(
    "recording",
    [twelve_leads(), replace(twelve_leads(), started_at=None, patient_fields={})],
    ids=["whole", "nobody, at no time"],
)
def test_elements_stand_in_the_order_of_the_schema(recording: EkgRecording) -> None:
    root = fromstring(aecg_bytes(recording))
    for element in root.iter():
        order, needed = SCHEMA_ORDER.get(element.tag.rpartition("}")[2], ((), 0))
        if order:
            children = [child.tag.rpartition("}")[2] for child in element]
            assert children == sorted(children, key=order.index)
            assert set(order[:needed]) <= set(children)


def test_writing_the_same_recording_twice_gives_the_same_bytes() -> None:
    assert aecg_bytes(twelve_leads()) == aecg_bytes(twelve_leads())


def test_samples_without_signal_are_not_written_as_if_they_were_zero(tmp_path: Path) -> None:
    recording = twelve_leads()
    recording.samples_mv[3, 5] = np.nan
    with pytest.raises(FormatError, match="1 without signal become 0 mV"):
        write_ekg(recording, tmp_path / "a.xml")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=30),
    st.decimals("0.001", "20", places=3),
    st.integers(50, 8000),
)
def test_any_scale_and_rate_survive_the_round_trip(counts: list[int], uv: Decimal, rate_hz: int) -> None:
    samples_mv = np.array([counts]) * float(uv / 1000)
    recording = replace(
        twelve_leads(), leads=("II",), samples_mv=samples_mv, sample_rate_hz=float(rate_hz), groups=()
    )
    back = read(aecg_bytes(recording))
    assert np.abs(back.samples_mv - samples_mv).max() <= 1e-9
    assert back.sample_rate_hz == rate_hz


def test_the_rhythm_is_not_mistaken_for_the_beat_that_is_nested_in_it(
    recorded: Callable[[str], EkgRecording],
) -> None:
    recording = recorded("aecg/eli250-example.xml")
    assert recording.samples_mv.shape == (12, 5000)
    assert [(group.label, group.samples_mv.shape) for group in recording.groups] == [("median", (12, 599))]


def test_measurements_of_the_machine_are_those_of_the_whole_recording(
    recorded: Callable[[str], EkgRecording],
) -> None:
    measured = recorded("aecg/eli250-example.xml").device_measurements
    assert {name: (str(one.value), one.unit) for name, one in measured.items()} == {
        "p-duration": ("102", "ms"),
        "pr-interval": ("148", "ms"),
        "qrs-duration": ("120", "ms"),
        "qt-interval": ("420", "ms"),
        "qtc-interval": ("443", "ms"),
        "p-axis": ("44", "deg"),
        "qrs-axis": ("-61", "deg"),
        "t-axis": ("86", "deg"),
    }


def test_vendor_elements_misspelt_units_and_zeros_that_mean_not_measured(
    recorded: Callable[[str], EkgRecording],
) -> None:
    monitor = recorded("aecg/lepu-beneheart-r12.xml")
    assert monitor.samples_mv[0, :3] == pytest.approx([0.0438656, 0.0448192, 0.0457728], abs=1e-12)
    assert monitor.device.serial == "FN-45000759"
    assert "MDC_ECG_PARA_SV1" in monitor.device_measurements
    assert "MDC_ECG_PARA_SV2" not in monitor.device_measurements
    assert monitor.warnings == (
        "effectiveTime and the head of TIME_ABSOLUTE are on different days; effectiveTime was taken",
    )
    rate = recorded("aecg/amps-calecg-example2.xml").device_measurements["heart-rate"]
    assert (rate.value, rate.unit) == (Decimal(52), "/min")
