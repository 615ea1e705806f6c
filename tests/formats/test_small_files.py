"""What each reader makes of a small file whose every byte is known."""

from dataclasses import replace

import numpy as np
import pytest

from gateway.errors import FormatError
from gateway.formats import parse
from gateway.model import EkgRecording

from . import small_files as small
from .small_files import SmallFile, small_files

FILES = small_files()
NAN = float("nan")
AS_STORED = [-2, 0, 40, 7, 7, -300]
FIRST_LEAD_UV = {
    "scp": [-5, 0, 100],
    "muse": [count * 4.88 for count in AS_STORED],
    "philips": [240, 220, 195, 170, 150, 130],
    "cardiosoft": [count * 5 for count in AS_STORED],
    "schiller": [count * 2.5 for count in AS_STORED],
    "eli": [count * 2.5 for count in AS_STORED],
    "dicom": [count * 4.88 for count in AS_STORED],
    "edf": [0, 1000, -10000, -5, 1000, -10000],
    "ishne": [count * 2.5 for count in AS_STORED],
    "contec": [-50, 0, 50],
    "mfer": [36, 30, NAN, 16, 6, 0],
    "atc": [count * 0.5 for count in AS_STORED],
    "lepu-dat": [12.336, 7.402, 323.206, 9.869, -740.166, NAN],
    "lepu-text": [-200, -182.716, 2000],
    "healforce": [9.524, 0, 9.524, 9.524, -9.524, 0, 0, -2133.376],
    "bodykom": [0, 10, -10],
    "fhir": [485, 500, NAN, 515],
    "kardia": [-316, 5],
    "apple-watch": [-265.868, 12, 0.5],
    "wfdb": [-145, NAN, 0],
}
LEADS = {
    "muse": ("I", "II"),
    "philips": ("V1", "V2"),
    "cardiosoft": ("I", "V1"),
    "schiller": ("aVR",),
    "dicom": ("I", "aVR"),
    "edf": ("II",),
    "ishne": ("I", "aVR"),
    "contec": ("II", "III", "V1", "V2", "V3", "V4", "V5", "V6"),
    "mfer": ("II",),
    "fhir": ("aVR",),
    "kardia": ("I", "aVR"),
    "apple-watch": ("I",),
    "wfdb": ("MLII", "V5"),
}
RATES_HZ = {"edf": 3, "ishne": 250, "contec": 800, "mfer": 250, "atc": 300, "lepu-dat": 125, "lepu-text": 125}
RATES_HZ |= {"healforce": 150, "bodykom": 150, "kardia": 300, "apple-watch": 512, "wfdb": 360}
WITHOUT_TIME = {"scp", "healforce", "lepu-text"}


def read(data: bytes) -> EkgRecording:
    return parse({"one": data}, "one")


def parsed(file: SmallFile) -> EkgRecording:
    return parse(file.files, file.name)


@pytest.mark.parametrize("name", FIRST_LEAD_UV)
def test_counts_become_millivolts_by_the_scale_of_the_file(name: str) -> None:
    recording = parsed(FILES[name])
    expected = pytest.approx(FIRST_LEAD_UV[name], abs=1e-3, nan_ok=True)
    assert (recording.samples_mv[0] * 1000).tolist() == expected
    assert recording.samples_mv.dtype == np.float64
    assert recording.sample_rate_hz == RATES_HZ.get(name, 500)


@pytest.mark.parametrize("name", LEADS)
def test_leads_come_in_the_order_of_the_file_and_one_spelling(name: str) -> None:
    assert parsed(FILES[name]).leads == LEADS[name]


@pytest.mark.parametrize("name", sorted(FILES.keys() - WITHOUT_TIME))
def test_a_start_is_what_the_file_states(name: str) -> None:
    started = parsed(FILES[name]).started_at
    assert started is not None
    assert started.replace(tzinfo=None).isoformat() == "2026-03-02T09:14:05"


def test_a_zone_is_there_only_where_the_file_states_one() -> None:
    offsets = {
        name: started.utcoffset() for name, file in FILES.items() if (started := parsed(file).started_at)
    }
    hours = {name: offset.total_seconds() / 3600 for name, offset in offsets.items() if offset is not None}
    assert hours == {"aecg": -5, "dicom": -5, "atc": -7, "fhir": -5, "kardia": 5.5, "apple-watch": -5}


def test_identifying_fields_have_the_same_names_in_every_format() -> None:
    fields = {name: dict(parsed(FILES[name]).patient_fields) for name in ("dicom", "ishne", "muse", "edf")}
    assert fields == {
        "dicom": {"id": "P-17", "family_name": "Muster", "given_name": "Erika", "age": "61 a"},
        "ishne": {
            "id": "P-17",
            "family_name": "Muster",
            "given_name": "Erika",
            "sex": "female",
            "birth_date": "1964-08-12",
        },
        "muse": {"id": "P-17", "family_name": "Müller"},
        "edf": {"id": "P-17", "sex": "female", "birth_date": "1964-08-12", "name": "Muster"},
    }


def test_an_axis_of_0_is_a_value_and_an_interval_of_0_is_none() -> None:
    assert {n: str(m.value) for n, m in read(small.muse()).device_measurements.items()} == {
        "heart-rate": "72",
        "qrs-axis": "0",
    }


def test_pieces_of_a_muse_statement_are_one_line() -> None:
    assert read(small.muse()).statements == ("Sinus rhythm",)


def test_a_muse_lead_whose_crc_does_not_hold_is_named() -> None:
    damaged = small.muse().replace(b"<WaveFormData>/v8A", b"<WaveFormData>/v4A")
    assert damaged != small.muse()
    assert read(damaged).warnings == ("rhythm lead I: LeadDataCRC32 does not hold",)


def test_a_typical_cycle_has_a_scale_of_its_own() -> None:
    (cycle,) = read(small.eli()).groups
    assert (cycle.label, cycle.sample_rate_hz) == ("median", 1000)
    assert cycle.samples_mv.tolist() == [[0.005, 0.01, 0.015, 0.02, 0.025, 0.03]]


def test_the_correction_factor_of_a_dicom_channel_is_part_of_its_scale() -> None:
    assert read(small.dicom(correction="2", unit="mV")).samples_mv[0, 0] == -4.0


def test_a_dicom_object_without_preamble_is_read() -> None:
    data = small.dicom()
    bare = data[data.index(b"\x08\0\x16\0") :]
    assert np.array_equal(read(bare).samples_mv, read(data).samples_mv)


def test_a_big_endian_dicom_object_is_read_in_its_byte_order() -> None:
    assert np.array_equal(read(small.dicom(big_endian=True)).samples_mv, read(small.dicom()).samples_mv)


def test_dicom_padding_is_missing_signal_but_not_where_it_is_a_voltage() -> None:
    assert (
        np.isnan(read(small.dicom(padding=40)).samples_mv[0]).tolist() == [False] * 2 + [True] + [False] * 3
    )
    kept = read(small.dicom(padding=0))
    assert kept.samples_mv[0, 1] == 0.0
    assert "WaveformPaddingValue is 0" in kept.warnings[0]


def test_records_of_edf_d_that_are_apart_have_a_gap_between_them() -> None:
    recording = read(small.edf(onsets=(0.5, 3.5)))
    assert np.isnan(recording.samples_mv[0]).tolist() == [False] * 3 + [True] * 6 + [False] * 3
    assert recording.started_at is not None
    assert recording.started_at.microsecond == 500_000
    assert "without gaps" in recording.warnings[0]


def test_an_edf_scale_that_no_recorder_has_is_reported_and_not_repaired() -> None:
    recording = read(small.edf(physical=("-1000", "1000")))
    assert recording.samples_mv[0, 2] == 1000.0
    assert "is not an EKG recorder's" in recording.warnings[0]


def test_more_records_claimed_than_there_are_is_said() -> None:
    data = small.edf()
    assert read(data[:-10]).warnings == ("the header claims 2 records, the file holds 1",)


def test_ishne_writers_that_count_the_samples_of_all_leads_are_understood() -> None:
    assert read(small.ishne(claimed=12)).warnings == ()
    assert read(small.ishne(claimed=9)).warnings == ("the header claims 9 samples a lead, the file holds 6",)


def test_an_electrode_that_is_off_is_no_signal() -> None:
    assert np.isnan(read(small.contec()).samples_mv).sum() == 1


@pytest.mark.parametrize("signed", [False, True])
def test_atc_checksums_are_summed_over_signed_or_unsigned_bytes(signed: bool) -> None:
    data = small.atc(signed=signed)
    assert read(data).warnings == ()
    assert read(data[:-6] + b"\x01" + data[-5:]).warnings == ("the checksum of block 'ecg ' does not hold",)


def test_a_wfdb_signal_whose_checksum_does_not_hold_is_named() -> None:
    files = dict(small.WFDB.files)
    files["a.dat"] = files["a.dat"][:-1] + b"\x04"
    assert parse(files, "a.hea").warnings == ("V5: the checksum does not hold",)


def test_a_wfdb_record_is_found_from_its_signal_file() -> None:
    assert parse(small.WFDB.files, "a.dat").leads == ("MLII", "V5")


@pytest.mark.parametrize(
    ("data", "file_format", "section"),
    [
        (small.fhir(unit=None), "FHIR", "aVR.origin.unit"),
        (small.fhir(unit="mmHg"), "FHIR", "aVR.origin.unit"),
        (small.fhir(period=0), "FHIR", "aVR.period"),
        (small.fhir(factor="a"), "FHIR", "aVR"),
        (small.fhir(data="1 two"), "FHIR", "aVR.data"),
        (small.fhir(codeMap="x"), "FHIR", "aVR"),
        (small.kardia(None), "Kardia JSON", "raw"),
        (small.dicom(unit="mm[Hg]"), "DICOM", "WaveformSequence"),
        (small.muse().replace(b"MICROVOLTS", b"FURLONGS"), "GE MUSE XML", "rhythm lead I"),
        (small.muse().replace(b"<SampleBase>500", b"<SampleBase>0"), "GE MUSE XML", "Waveform rhythm"),
        (small.muse().replace(b"Rhythm", b"Median"), "GE MUSE XML", "Waveform"),
        (small.philips().replace(b"5\0", b"x\0"), "Philips XML", "parsedwaveforms"),
        (small.CARDIOSOFT.replace(b"uVperLsb", b""), "CardioSoft XML", "StripData"),
        (small.CARDIOSOFT.replace(b"40,", b"4O,"), "CardioSoft XML", "WaveformData"),
        (small.SCHILLER.replace(b"<units>UV", b"<units>"), "Schiller XML", "wavedata ECG_RHYTHMS"),
        (small.eli().replace(b'UNITS_PER_MV="400"', b""), "ELI XML", "CHANNEL I"),
        (small.eli().replace(b'OFFSET="0"', b'OFFSET="9"'), "ELI XML", "CHANNEL I"),
        (small.atc().replace(b"fmt ", b"fmx "), "AliveCor ATC", "header"),
        (small.LEPU_TEXT + b"a", "Lepu text", "line 1"),
        (small.APPLE + b"1.5\n", "Apple Watch CSV", "values"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_by_name(
    data: bytes, file_format: str, section: str
) -> None:
    with pytest.raises(FormatError) as refused:
        read(data)
    assert (refused.value.file_format, refused.value.section) == (file_format, section)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"a 1 360 3\n../b.dat 16 200 12 0 0 0 0 I\n", "leads out of the record's folder"),
        (b"a 1 360 3\nb.dat 16 200 12 0 0 0 0 I\n", "is not there"),
        (b"a 2 360 3\na.dat 212 200 12 0 0 0 0 I\n", "2 lines needed"),
        (b"a 1 0 3\na.dat 16 200 12 0 0 0 0 I\n", "not above 0"),
        (b"a 1 360 3\na.dat 99 200 12 0 0 0 0 I\n", "storage format 99"),
        (b"a 1 360 3\na.dat 16 200/mmHg 12 0 0 0 0 ABP\n", "no signal in a unit of voltage"),
        (b"a/2 1 360 3\na 3\n~ 5\n", "a segment that has segments itself"),
        (b"a/1 1 360 3\nnone 3\n", "no segment with a voltage"),
    ],
)
def test_a_wfdb_header_that_does_not_hold_is_refused(header: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        parse(dict(small.WFDB.files) | {"a.hea": header}, "a.hea")


def test_wfdb_segments_are_joined_and_gaps_between_them_are_no_signal() -> None:
    files = dict(small.WFDB.files) | {"m.hea": b"m/4 2 360 11\na 3\n~ 2\na 3\nlost 3\n"}
    recording = parse(files, "m.hea")
    assert recording.samples_mv[1].tolist() == pytest.approx(
        [0.055, 0.01, 0.015, NAN, NAN, 0.055, 0.01, 0.015], nan_ok=True
    )
    assert recording.warnings == ("1 of 4 segments are not there: lost",)


def test_the_calibration_pulse_behind_a_philips_lead_is_cut_and_said() -> None:
    signal, rest = [48, 44, 39, 34, 30, 26], [0, 0, 200, 200, 200, 0]
    leads = " ".join(str(count) for lead in (signal, signal[::-1]) for count in lead + rest)
    text = small.philips()[2:].decode("utf-16-le")
    start, end = text.index(">", text.index("<parsedwaveforms")) + 1, text.index("</parsedwaveforms")
    text = (
        text[:start].replace("XLI", "").replace("Base64", "Plain").replace('"12"', '"24"')
        + leads
        + text[end:]
    )
    recording = read(b"\xfe\xff" + text.encode("utf-16-be"))
    assert (recording.samples_mv[1] / 0.005).round(9).tolist() == signal[::-1]
    assert "the last 6 samples are a calibration pulse of 1 mV" in recording.warnings[0]


def test_samples_are_not_shared_with_the_bytes_they_came_from() -> None:
    first, second = (parsed(FILES["atc"]) for _ in range(2))
    first.samples_mv[:] = 0
    assert replace(second).samples_mv.any()
