"""DICOM waveforms as pydicom decodes them and as dciodvfy, the validator of dicom3tools, judges them."""

import shutil
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import (
    AmbulatoryECGWaveformStorage,
    GeneralECGWaveformStorage,
    TwelveLeadECGWaveformStorage,
)
from pydicom.waveforms.numpy_handler import multiplex_array

from gateway.errors import FormatError
from gateway.formats import losses, read_ekg, write_ekg
from gateway.model import EkgRecording

from .recordings import twelve_leads

GENERAL_32_BIT = "1.2.840.10008.5.1.4.1.1.9.1.4"
HARMLESS = (
    "PatientID(0010,0020)> - Missing attribute or value that would be needed to build DICOMDIR",  # left out
    "<99GATEWAY>",  # a lead that no public code names has one of ours
)
BARE = replace(twelve_leads(500), groups=())


def written(recording: EkgRecording, folder: Path, *, allow_loss: bool = False) -> Dataset:
    write_ekg(recording, folder / "ekg.dcm", allow_loss=allow_loss)
    return dcmread(folder / "ekg.dcm")


def of_leads(leads: tuple[str, ...], rate_hz: float, *, step_mv: float = 0.005) -> EkgRecording:
    counts = np.arange(len(leads) * 600).reshape(len(leads), 600) % 401 - 200
    samples_mv: NDArray[np.float64] = counts * np.float64(step_mv)
    return replace(BARE, leads=leads, samples_mv=samples_mv, sample_rate_hz=rate_hz, device_measurements={})


def test_pydicom_decodes_the_same_samples_and_gaps(tmp_path: Path) -> None:
    source = twelve_leads(5000)
    source.samples_mv[3, 7] = np.nan
    dataset = written(source, tmp_path)
    decoded_uv = dataset.waveform_array(0).T
    np.testing.assert_allclose(
        np.delete(decoded_uv, 7, axis=1), np.delete(source.samples_mv, 7, axis=1) * 1000, rtol=0, atol=1e-6
    )
    assert multiplex_array(dataset, 0, as_raw=True)[7, 3] == -32768
    assert dataset.WaveformSequence[0].WaveformPaddingValue == (-32768).to_bytes(2, "little", signed=True)
    assert np.isnan(read_ekg(tmp_path / "ekg.dcm").samples_mv[3, 7])


@pytest.mark.parametrize(
    ("recording", "storage"),
    [
        (BARE, TwelveLeadECGWaveformStorage),
        (twelve_leads(500), GeneralECGWaveformStorage),
        (of_leads((*BARE.leads, "V7", "V8", "V9"), 500.0), GeneralECGWaveformStorage),
        (of_leads(("I",), 300.0), GeneralECGWaveformStorage),
        (of_leads(("I",), 125.0), AmbulatoryECGWaveformStorage),
        (of_leads(BARE.leads, 2000.0), GENERAL_32_BIT),
        (of_leads(BARE.leads, 500.0, step_mv=np.pi / 1000), TwelveLeadECGWaveformStorage),
        (replace(BARE, samples_mv=np.sin(np.arange(6000.0)).reshape(12, 500)), GENERAL_32_BIT),
    ],
)
def test_the_class_is_the_narrowest_that_holds_the_recording(
    recording: EkgRecording, storage: str, tmp_path: Path
) -> None:
    assert written(recording, tmp_path).SOPClassUID == storage
    back = read_ekg(tmp_path / "ekg.dcm")
    np.testing.assert_allclose(back.samples_mv, recording.samples_mv, rtol=0, atol=1e-8)


def test_everything_that_has_a_place_comes_back(tmp_path: Path) -> None:
    source = twelve_leads()
    assert losses(source, ".dcm") == ()
    written(source, tmp_path)
    back = read_ekg(tmp_path / "ekg.dcm")
    fields = ("leads", "sample_rate_hz", "started_at", "device", "filters", "patient_fields", "statements")
    for name in (*fields, "device_measurements", "warnings"):
        assert getattr(back, name) == getattr(source, name), name
    np.testing.assert_allclose(back.groups[0].samples_mv, source.groups[0].samples_mv, rtol=0, atol=1e-9)


def test_a_name_in_any_script_is_kept(tmp_path: Path) -> None:
    fields = {"id": "P-17", "family_name": "\u738b", "given_name": "J\u00f8rgen"}
    dataset = written(replace(BARE, patient_fields=fields), tmp_path)
    assert (dataset.PatientName.family_name, dataset.PatientName.given_name) == ("\u738b", "J\u00f8rgen")


def test_leads_have_the_codes_of_context_group_3001(tmp_path: Path) -> None:
    channels = written(BARE, tmp_path).WaveformSequence[0].ChannelDefinitionSequence
    codes = [channel.ChannelSourceSequence[0] for channel in channels]
    assert {code.CodingSchemeDesignator for code in codes} == {"MDC"}
    assert [code.CodeValue for code in codes] == [f"2:{n}" for n in (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)]


def test_an_object_written_twice_is_the_same_object_and_without_the_patient_another(tmp_path: Path) -> None:
    one, again = (written(BARE, tmp_path).SOPInstanceUID for _ in range(2))
    assert one == again
    assert written(replace(BARE, patient_fields={}), tmp_path).SOPInstanceUID != one


def test_a_recording_without_its_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="AcquisitionDateTime"):
        write_ekg(replace(BARE, started_at=None), tmp_path / "ekg.dcm")


def test_too_many_leads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no storage class takes 25 channels"):
        write_ekg(of_leads(tuple(f"lead{n}" for n in range(25)), 500.0), tmp_path / "ekg.dcm")


@pytest.fixture(scope="session")
def dciodvfy() -> str:
    found = shutil.which("dciodvfy")
    if found is None:
        pytest.skip("dciodvfy is not there; Debian: apt install dicom3tools")
    return found


@pytest.mark.parametrize(
    "recording",
    [
        BARE,
        twelve_leads(5000),
        replace(BARE, patient_fields={}, statements=(), device_measurements={}),
        replace(BARE, started_at=datetime(2026, 3, 2, 9, 14, 5, 120000)),  # noqa: DTZ001 - files have such times
        of_leads((*BARE.leads, "V7", "V8", "V9"), 500.0),
        of_leads(("I", "chest strap"), 300.0),
        of_leads(("I",), 125.0),
    ],
    ids=["12 leads", "with a median", "without a patient", "without a zone", "15 leads", "2 leads", "125 Hz"],
)
def test_a_validator_finds_no_error(recording: EkgRecording, dciodvfy: str, tmp_path: Path) -> None:
    written(recording, tmp_path)
    judged = subprocess.run(
        [dciodvfy, "-new", str(tmp_path / "ekg.dcm")], capture_output=True, text=True, check=False
    )
    said = judged.stdout + judged.stderr
    found = [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]
    assert [line for line in found if not any(harmless in line for harmless in HARMLESS)] == []
