"""Files of real machines: samples as independent decoders gave them, one recording in many formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import FormatError
from gateway.formats import read_ekg, with_limb_leads
from gateway.model import EkgRecording

Recorded = Callable[[str], EkgRecording]

# lead, first samples in uV, shape, Hz
VERIFIED = {
    "scp/ecgviewer-demo.scp": ("I", (46.482, 45.018, 45.933, 40.809, 45.933), (8, 10000), 1000),
    "scp/healforce-62.SCP": ("lead 1", (9.524, 9.524), (3, 4500), 150),
    "aecg/fda-minimum-interval.xml": ("II", (-5, -5, -5, -5, -7.5), (1, 13), 500),
    "aecg/amps-calecg-example2.xml": ("I", (162.5, 167.5, 175, 170, 167.5), (12, 10000), 1000),
    "dicom/pydicom-waveform_ecg.dcm": ("I", (100, 81.25, 62.5, 43.75, 46.25), (12, 10000), 1000),
    "muse/muse7-mac-2008.xml": ("I", (-39.04,) * 5, (8, 2500), 250),
    "muse/muse9-example1.xml": ("I", (-97.6, -97.6, -97.6, -97.6, -87.84), (8, 5000), 500),
    "muse/muse9-example3.xml": ("I", (-58.56, -58.56, -58.56, -58.56, -63.44), (8, 5000), 500),
    "philips/103-mrx-129DYPRG.xml": ("III", (345, 350, 355, 360, 365), (12, 5264), 500),
    "philips/103-pwtouch-example01.xml": ("V1", (40, 45, 45, 45, 45), (12, 5050), 500),
    "philips/104-pwtouch-15lead.xml": ("III", (-60, -55, -55, -50, -55), (15, 5300), 500),
    "philips/104-pwtouch-zzdemo.xml": ("II", (190, 190, 170, 175, 175), (12, 5300), 500),
    "philips/10401-pwtc-test1.xml": ("aVR", (35, 60, 140, 270, 395), (12, 5300), 500),
    "cardiosoft/cardiosoft-671-dummy.xml": ("I", (10, 5, -5, -15, -25), (12, 5000), 500),
    "schiller/sema-at110.xml": ("I", (-25, -65, -135, -195, -255), (12, 4998), 500),
    "ishne/ECG_P28.01.ecg": ("I", (15, 10, 10, 20, 40), (12, 95573), 1000),
    "mfer/nk-cns6000.MWF": ("II", (36, 30, 16, 6, 0), (2, 180000), 250),
    "atc/1_lead.atc": ("I", (497.5, 527.5, 512, 441.5, 242.5), (1, 9000), 300),
    "atc/normal-v2.atc": ("I", (-41, -67, -81.5, -72, -32.5), (1, 9000), 300),
    "atc/test_NSR_ef.atc": ("I", (26, 30, 36, 42.5, 49), (1, 8999), 300),
    "lepu/R20210930114104.dat": ("lead 1", (-231.9, -315.8, -397.2, -239.3, 498.4), (1, 352500), 125),
    "lepu/R20211119105847.txt": ("II", (-200, -182.7, -187.7, -195.1, -192.6), (1, 3750), 125),
    "made/apple-watch.csv": ("I", (-115.078, -115.866, -114.139, -115.932), (1, 5120), 512.508),
    "bodykom/000052.zip": ("channel 1", (13.1, 15.6, 16.6, 17.8, 16.6), (2, 406016), 150),
    "edf/short_psg.edf": ("EEG Fpz-Cz", (5.02, -2.58, 1.36, -2.39, -5.20), (3, 30000), 100),
    "edf/test_subsecond.edf": ("Fp1", (6.25, 7.58, 10.23, 9.97, 6.78), (1, 89344), 128),
    "edf/test_generator.bdf": ("sine 5Hz", (31.41, 62.79, 94.11, 125.33, 156.43), (1, 30000), 1000),
    "edf/nk-eeg1200-ecg-channel.edf": ("ECG1", (-17.09, -6.44, -8.10, -13.37, 2.93), (2, 1000), 200),
    "wfdb/00001_hr.hea": ("I", (-115,) * 5, (12, 5000), 500),
    "wfdb/3000003_0003.hea": ("II", (-172.4, -172.4, -206.9, -241.4, -206.9), (2, 1028), 125),
    "wfdb/a103l.hea": ("II", (-23.6, -37.0, -62.9, -92.5, -94.5), (2, 82500), 250),
    "wfdb/s0010_re.hea": ("I", (-244.5, -242.5, -241.5, -241.0, -231.5), (15, 38400), 1000),
}
SAME = [
    ("aecg/eli250-example.xml", "aecg/fda-subject1_0.xml"),
    ("aecg/eli250-example.xml", "dicom/eli250-example.dcm"),
    ("aecg/eli250-example.xml", "made/eli250-as-eli.xml"),
    ("philips/103-mrx-129DYPRG.xml", "philips/103-repbeats.xml"),
    ("philips/10401-pwtc-test1.xml", "dicom/10401-pwtc-test1-general.dcm"),
    ("cardiosoft/cardiosoft-671-dummy.xml", "dicom/cardiosoft-671-general.dcm"),
    ("atc/6_lead.atc", "made/kardia-6l.json"),
    ("edf/short_psg.edf", "edf/short_psg.bdf"),
    ("muse/muse7-mac-2008.xml", "dicom/muse7-mac-2008-general.dcm"),
]


@pytest.mark.parametrize("name", VERIFIED)
def test_first_samples_are_those_that_an_independent_decoder_gave(name: str, recorded: Recorded) -> None:
    lead, first_uv, shape, rate_hz = VERIFIED[name]
    recording = recorded(name)
    row = recording.samples_mv[recording.leads.index(lead)]
    assert row[: len(first_uv)] * 1000 == pytest.approx(first_uv, abs=0.06)
    assert (recording.samples_mv.shape, recording.sample_rate_hz) == (shape, rate_hz)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_recording_in_two_formats_has_the_same_samples(one: str, other: str, recorded: Recorded) -> None:
    first, second = recorded(one), recorded(other)
    samples = min(first.samples_mv.shape[1], second.samples_mv.shape[1])
    for lead, row in zip(first.leads, first.samples_mv, strict=True):
        same = second.samples_mv[second.leads.index(lead)]
        assert np.abs(row[:samples] - same[:samples]).max() < 1e-9, lead


def test_leads_that_a_converter_computed_are_within_one_count_of_ours(recorded: Recorded) -> None:
    ours, theirs = (
        with_limb_leads(recorded("muse/muse7-mac-2008.xml")),
        recorded("dicom/muse7-mac-2008-general.dcm"),
    )
    order = [theirs.leads.index(lead) for lead in ours.leads]
    assert np.abs(ours.samples_mv - theirs.samples_mv[order]).max() <= 0.00488 + 1e-9


def test_contec_and_its_converted_copies_hold_the_same_counts(recorded: Recorded, ekg_files: Path) -> None:
    native = with_limb_leads(recorded("contec/0000050.ECG"))
    converted = recorded("contec/0000050.ECG.scp")
    for lead in ("I", "II", "III"):
        row = converted.samples_mv[converted.leads.index(lead)]
        assert np.abs(native.samples_mv[native.leads.index(lead)][: row.size] - row).max() < 1e-9
    edf = recorded("contec/0000050.ECG.edf")
    counts = edf.samples_mv[1] * 65535 / 2000 - 0.5
    assert np.abs(counts - native.samples_mv[native.leads.index("II")] / 0.005).max() < 1e-6
    assert any("is not an EKG recorder's" in warning for warning in edf.warnings)


def test_bytes_that_changed_leave_the_rest_and_are_said(recorded: Recorded) -> None:
    whole, broken = recorded("atc/1_lead.atc"), recorded("atc/broken_checksum.atc")
    assert (whole.samples_mv != broken.samples_mv).sum() == 2
    assert broken.warnings == ("the checksum of block 'ecg ' does not hold",)


@pytest.mark.parametrize(
    "name",
    [
        "scp/eli250-example.scp",
        "scp/pfe105-high.scp",
        "scp/pfe105-redred.scp",
        "scp/ecgviewer-demo.scp",
        "muse/muse9-example1.xml",
        "atc/1_lead.atc",
        "atc/test_NSR_ef.atc",
        "ishne/ECG_P28.01.ecg",
        "wfdb/s0010_re.hea",
        "wfdb/binformats.hea",
        "wfdb/100_3chan.hea",
        "wfdb/00001_hr.hea",
    ],
)
def test_checksums_of_undamaged_files_hold(name: str, recorded: Recorded) -> None:
    assert not [warning for warning in recorded(name).warnings if "CRC" in warning or "checksum" in warning]


def test_leads_that_hold_the_same_numbers_break_einthovens_law(recorded: Recorded) -> None:
    warnings = recorded("wfdb/100_3chan.hea").warnings
    assert warnings == ("III is not II - I: up to 1745 uV apart",)


def test_a_discontinuous_file_without_a_gap_has_none(recorded: Recorded) -> None:
    recording = recorded("edf/nk-eeg1100-discontinuous.edf")
    assert recording.samples_mv.shape == (25, 5800)
    assert not np.isnan(recording.samples_mv).any()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fhir/tw-connectathon-12lead.json", "I.origin.unit: is missing"),
        ("fhir/hl7-observation-example-sample-data.json", "I.origin.unit: is missing"),
        ("wfdb/test_edfann.edf", "no signal in a unit of voltage"),
        ("wfdb/flac_3_constant.hea", "20480 bytes claim 16800000 samples"),
        ("pc80b/20250105-10.dat", "no known EKG format"),
        ("csv/opensignals-bitalino-ecg.txt", "no known EKG format"),
    ],
)
def test_a_file_without_a_scale_or_a_signal_is_refused(name: str, why: str, ekg_files: Path) -> None:
    with pytest.raises(FormatError, match=why):
        read_ekg(ekg_files / name)


def test_segments_that_are_not_there_are_named(recorded: Recorded) -> None:
    recording = recorded("wfdb/multi-p000878/p000878-2137-10-26-16-57.hea")
    assert recording.leads == ("II",)
    assert recording.samples_mv.shape == (1, 3750 + 2000 + 1750)
    assert np.isnan(recording.samples_mv[0, :5750]).all()
    assert np.isfinite(recording.samples_mv[0, 5750:]).any()
    assert "30 of 36 segments are not there: 3269321_0003, " in recording.warnings[-1]
