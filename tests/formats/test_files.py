"""Files in, files out, whatever their format."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import FormatError
from gateway.formats import parse, read_ekg, with_limb_leads, write_ekg
from gateway.formats.leads import broken_equations, lead_name
from gateway.model import STANDARD_LEADS, EkgRecording

from .recordings import scp_file, scp_leads, scp_stream, twelve_leads


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\0" * 600, b"<html><ECGs/></html>", b"<?xml?>"])
def test_bytes_of_no_known_format_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        parse({"ekg.scp": data}, "ekg.scp")
    assert (refused.value.file_format, refused.value.offset) == ("unknown", 0)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    write_ekg(twelve_leads(), tmp_path / "a.xml")
    (tmp_path / "a.xml").rename(tmp_path / "a.scp")
    assert read_ekg(tmp_path / "a.scp").format == "HL7 aECG"


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_ekg(tmp_path / "none.scp")


def test_csv_has_one_column_a_lead_in_mv_and_nothing_where_there_is_no_signal(tmp_path: Path) -> None:
    samples_mv = np.array([[0.0025, -0.005], [np.nan, 1.5]])
    recording = replace(twelve_leads(), leads=("I", 'a "b"'), samples_mv=samples_mv)
    write_ekg(recording, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b'I,"a ""b"""\r\n0.0025,\r\n-0.005,1.5\r\n'


def test_a_suffix_without_a_writer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be written"):
        write_ekg(twelve_leads(), tmp_path / "a.gif")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("MDC_ECG_LEAD_AVR", "aVR"),
        ("Lead I", "I"),
        ("ECG Lead II", "II"),
        ("avf", "aVF"),
        ("C1", "V1"),
        ("v4r", "V4R"),
        ("ECG MLII", "MLII"),
        ("Fp1-F7", "Fp1-F7"),
        ("ECG1", "ECG1"),
        ("ECG 1", "ECG 1"),
        ("ECG ECG1", "ECG1"),
        ("V 1", "V1"),
    ],
)
def test_leads_have_one_spelling(written: str, name: str) -> None:
    assert lead_name(written) == name


def test_limb_leads_that_do_not_obey_their_equations_are_named_and_left_alone() -> None:
    recording = twelve_leads()
    assert broken_equations(recording.leads, recording.samples_mv) == ()
    swapped = recording.samples_mv.copy()
    swapped[3] = 0.7
    (warning,) = broken_equations(recording.leads, swapped)
    assert warning.startswith("aVR is not -(I + II)/2: up to ")


def test_a_lead_that_is_there_twice_is_said() -> None:
    sections = {3: scp_leads((1, 1), 2), 6: scp_stream((bytes(4), bytes(4)))}
    assert parse({"a": scp_file(sections)}, "a").warnings == ("lead I is there 2 times",)


def test_the_four_leads_that_eight_lead_files_leave_out_are_computed_on_request() -> None:
    full = twelve_leads()
    stored = [0, 1, *range(6, 12)]
    eight = replace(full, leads=tuple(full.leads[n] for n in stored), samples_mv=full.samples_mv[stored])
    completed = with_limb_leads(eight)
    assert completed.leads == STANDARD_LEADS
    assert np.abs(completed.samples_mv - full.samples_mv).max() < 1e-12


def test_statements_that_name_the_patient_are_left_out(recorded: Callable[[str], EkgRecording]) -> None:
    recording = recorded("scp/pfe105-high.scp")
    assert "ZPabnormales EKG" in recording.statements
    assert not any("PFE105" in statement for statement in recording.statements)
