"""EDF+ and BDF+ files as a C library reads them."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyedflib
import pytest

from gateway.formats import read_ekg, write_ekg
from gateway.model import EkgRecording

from .recordings import twelve_leads


@pytest.mark.parametrize(("suffix", "unit", "per_mv"), [(".edf", "uV", 1000), (".bdf", "mV", 1)])
def test_another_reader_finds_the_same_samples_and_header(
    suffix: str, unit: str, per_mv: int, tmp_path: Path
) -> None:
    source = twelve_leads(5000)
    write_ekg(source, tmp_path / f"ekg{suffix}")
    with pyedflib.EdfReader(str(tmp_path / f"ekg{suffix}")) as file:
        labels, rates = file.getSignalLabels(), file.getSampleFrequencies()
        header = file.getHeader()
        read = np.stack([file.readSignal(n) for n in range(12)])
        units = {file.getPhysicalDimension(n) for n in range(12)}
        prefilter = file.getPrefilter(0)
    assert labels == [f"ECG {lead}" for lead in source.leads]
    assert (set(rates), units) == ({500.0}, {unit})
    assert np.abs(read / per_mv - source.samples_mv).max() < 1e-9
    assert header["startdate"] == datetime(2026, 3, 2, 9, 14, 5)  # noqa: DTZ001 - the format has no zone
    assert (header["patientcode"], header["patientname"]) == ("P-17", "Muster Erika")
    assert (header["sex"], header["birthdate"]) == ("Female", "12 aug 1964")
    assert header["equipment"] == "E12"
    assert prefilter == "HP:0.05Hz LP:150Hz N:60Hz"


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        (5000, 500.0),
        (4998, 500.0),
        (8999, 300.0),
        (5120, 512.508),
        (10007, 1000.0),
        (13, 500.0),
        (999, 360.0),
    ],
)
def test_records_hold_exactly_the_samples_of_the_recording(
    samples: int, rate_hz: float, tmp_path: Path
) -> None:
    source = replace(twelve_leads(samples), sample_rate_hz=rate_hz)
    write_ekg(source, tmp_path / "ekg.edf")
    with pyedflib.EdfReader(str(tmp_path / "ekg.edf")) as file:
        assert set(file.getNSamples()) == {samples}
        assert file.getSampleFrequency(0) == pytest.approx(rate_hz, rel=1e-6)
    assert read_ekg(tmp_path / "ekg.edf").samples_mv.shape == (12, samples)


@pytest.mark.parametrize("step_uv", [2.5, 4.88, 0.183, 1.2207, 0.9536, 1000 / 405.35, 0.5, 3.05])
def test_counts_are_those_of_the_recorder(step_uv: float, tmp_path: Path) -> None:
    counts = np.array([[0, 1, -1, 7, 3000, -3000]])
    source: EkgRecording = replace(
        twelve_leads(), leads=("II",), samples_mv=counts * step_uv / 1000, groups=()
    )
    write_ekg(source, tmp_path / "ekg.edf")
    with pyedflib.EdfReader(str(tmp_path / "ekg.edf")) as file:
        assert file.readSignal(0, digital=True).tolist() == counts[0].tolist()
        assert file.readSignal(0) == pytest.approx(counts[0] * step_uv, abs=step_uv / 20)


def test_a_patients_name_beyond_ascii_is_left_out_and_told(tmp_path: Path) -> None:
    source = replace(twelve_leads(), patient_fields={"id": "P-17", "name": "M\u00fcller"})
    told = write_ekg(source, tmp_path / "ekg.edf")
    assert "patient name: not held" in map(str, told)
    assert read_ekg(tmp_path / "ekg.edf").patient_fields == {"id": "P-17"}
