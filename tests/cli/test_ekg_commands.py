"""What a person sees of an EKG file, and what a script gets."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.cli import run_command
from gateway.errors import FormatError
from gateway.formats import read_ekg, write_ekg
from gateway.model import STANDARD_LEADS, DeviceMeasurement, EkgGroup, EkgRecording
from gateway.testing.synthetic_ekg import synthetic_recording

RECORDING = replace(
    synthetic_recording(heart_rate_bpm=75.0),
    started_at=datetime(2026, 3, 2, 14, 5, tzinfo=UTC),
    patient_fields={"id": "8834021", "family_name": "TESTPATIENT", "birth_date": "1961-04-17"},
    device_measurements={
        "heart-rate": DeviceMeasurement(Decimal(76), "/min"),
        "qtc-interval": DeviceMeasurement(Decimal(431), "ms"),
    },
    filters={"low_pass_hz": "150"},
)

INFO_KEYS = [
    "format", "format_version", "device", "started_at", "sample_rate_hz", "samples", "duration_s", "leads",
    "filters", "patient_fields", "measurements", "statements", "groups", "warnings",
]  # fmt: skip
ANALYZE_KEYS = {
    "format", "sample_rate_hz", "duration_s", "leads", "r_peaks", "heart_rate_bpm", "rr_ms", "rhythm",
    "intervals_ms", "axes_deg", "quality", "device", "unmeasured",
}  # fmt: skip


def written(recording: EkgRecording, path: Path) -> Path:
    write_ekg(recording, path)
    return path


@pytest.fixture
def resting(tmp_path: Path) -> Path:
    return written(RECORDING, tmp_path / "resting.xml")


@pytest.fixture
def gapped(tmp_path: Path) -> Path:
    """A WFDB record with a lead off for a while: of its 16-bit counts, one says that there is no signal."""
    counts = np.ones((500, 2), "<i2")
    counts[100:118, 1] = -32768
    (tmp_path / "gapped.dat").write_bytes(counts.tobytes())
    signals = "".join(f"gapped.dat 16 400/mV 16 0 0 0 0 {lead}\n" for lead in ("I", "II"))
    (tmp_path / "gapped.hea").write_text(f"gapped 2 250 500\n{signals}")
    return tmp_path / "gapped.hea"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run_command(["ekg", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, err = run(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_info_says_what_the_file_holds(capsys: pytest.CaptureFixture[str], resting: Path):
    info = document(capsys, "info", resting)
    assert list(info) == INFO_KEYS
    assert {
        key: info[key] for key in ("format", "sample_rate_hz", "samples", "duration_s", "started_at")
    } == {
        "format": "HL7 aECG",
        "sample_rate_hz": 250.0,
        "samples": 2500,
        "duration_s": 10.0,
        "started_at": "2026-03-02T14:05:00+00:00",
    }
    assert info["leads"] == list(STANDARD_LEADS)
    assert info["device"] == {"vendor": "Exemplar", "model": "Rhythm 12", "serial": "R12-000042", "id": None}
    assert info["measurements"]["heart-rate"] == {"value": "76", "unit": "/min"}


@pytest.mark.parametrize("command", ["info", "analyze"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_patients_are_never_shown(
    capsys: pytest.CaptureFixture[str], resting: Path, command: str, form: tuple[str, ...]
):
    _, out, err = run(capsys, command, resting, *form)
    assert not [value for value in RECORDING.patient_fields.values() if value in out + err]


def test_the_names_of_patients_fields_are_listed(capsys: pytest.CaptureFixture[str], resting: Path):
    assert document(capsys, "info", resting)["patient_fields"] == ["birth_date", "family_name", "id"]
    assert "birth_date, family_name, id" in run(capsys, "info", resting)[1]


def test_groups_are_counted_apart_from_the_rhythm(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    median = EkgGroup("median", ("I", "II"), RECORDING.samples_mv[:2, :300], 250.0)
    file = written(replace(RECORDING, groups=(median,)), tmp_path / "median.xml")
    assert document(capsys, "info", file)["groups"] == [
        {"label": "median", "leads": ["I", "II"], "samples": 300, "sample_rate_hz": 250.0}
    ]


def test_analyze_measures_what_the_recording_was_made_of(capsys: pytest.CaptureFixture[str], resting: Path):
    found = document(capsys, "analyze", resting)
    assert found.keys() == ANALYZE_KEYS
    assert found["heart_rate_bpm"] == pytest.approx(75, abs=0.5)
    assert len(found["r_peaks"]["samples"]) == len(found["r_peaks"]["seconds"]) == 12
    assert found["rr_ms"] == pytest.approx([800.0] * 11, abs=4)
    assert {"overall", *STANDARD_LEADS} == found["quality"].keys()
    assert found["intervals_ms"].keys() == {
        "p", "pr", "qrs", "qt", "qtc_bazett", "qtc_fridericia", "qtc_framingham", "qtc_hodges",
    }  # fmt: skip


def test_the_machines_own_measurements_stand_beside_ours(capsys: pytest.CaptureFixture[str], resting: Path):
    assert document(capsys, "analyze", resting)["device"]["measurements"] == {
        "heart-rate": {"value": "76", "unit": "/min"},
        "qtc-interval": {"value": "431", "unit": "ms"},
    }
    out = run(capsys, "analyze", resting)[1]
    heart_rate = next(line for line in out.splitlines() if "heart rate" in line)
    assert [cell.strip() for cell in heart_rate.split("│")[2:4]] == ["75 /min", "76 /min"]
    assert "qtc-interval 431 ms" in out


def test_what_could_not_be_measured_is_null_and_says_why(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    short = replace(RECORDING, samples_mv=RECORDING.samples_mv[:, :100], device_measurements={})
    file = written(short, tmp_path / "short.xml")
    found = document(capsys, "analyze", file)
    assert found["heart_rate_bpm"] is None
    assert found["unmeasured"]["heart_rate_bpm"].startswith("0 beats found")
    assert "0 beats found" in run(capsys, "analyze", file)[1]


def test_quality_names_the_lead_that_is_off(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    samples = RECORDING.samples_mv.copy()
    samples[STANDARD_LEADS.index("V3")] = 0
    file = written(replace(RECORDING, samples_mv=samples), tmp_path / "off.xml")
    assert document(capsys, "analyze", file)["quality"]["V3"]["flags"] == ["flat"]
    assert "V3 0.00: flat" in run(capsys, "analyze", file)[1]


@pytest.mark.parametrize(("name", "begins"), [("page.svg", b"<?xml"), ("page.PDF", b"%PDF-")])
def test_the_page_is_drawn_in_the_format_of_its_suffix(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path, name: str, begins: bytes
):
    code, out, err = run(capsys, "analyze", resting, "--plot", tmp_path / name, "--marks")
    assert (code, err) == (0, "")
    assert out.endswith(f"{tmp_path / name}: 1 page\n")
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_json_stays_one_document_when_a_page_is_drawn(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path
):
    page = tmp_path / "page.svg"
    assert document(capsys, "analyze", resting, "--plot", page).keys() == ANALYZE_KEYS
    assert "TESTPATIENT" in page.read_text(encoding="utf-8")


def test_the_page_follows_its_options(capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path):
    page = tmp_path / "page.svg"
    look = "--layout 6x2 --paper letter --speed 50 --gain 20 --cabrera --band 0.5-40 --from 2 --no-patient"
    assert run(capsys, "analyze", resting, "--plot", page, *look.split())[0] == 0
    drawn = page.read_text(encoding="utf-8")
    for sign in (
        "279.4mm",
        "50 mm/s · 20 mm/mV",
        "-aVR",
        "0.5 to 40 Hz",
        "shown: 2 to 7 s",
        "patient not shown",
    ):
        assert sign in drawn
    assert "TESTPATIENT" not in drawn


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("--plot page.png", "choose a name that ends in .svg or .pdf"),
        ("--plot page", "choose a name that ends in .svg or .pdf"),
        ("--layout 6x2", "--layout is for a page; add --plot OUT.svg or OUT.pdf"),
        ("--marks", "--marks is for a page"),
        ("--plot page.svg --band 40", "write it as 0.5-40, in Hz"),
        ("--plot page.svg --band 40-0.5", "give two rising positive frequencies"),
        ("--plot page.svg --from 11", "the recording is 10 s long"),
        ("--plot page.pdf --font page.ttf", "does not exist"),
        ("--plot nowhere/page.pdf", "choose another place"),
    ],
)
def test_a_page_that_cannot_be_drawn_is_bad_usage(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    resting: Path,
    tmp_path: Path,
    given: str,
    complaint: str,
):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "analyze", resting, *given.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert complaint in err
    assert {path.name for path in tmp_path.iterdir()} == {"resting.xml"}


def test_csv_has_a_column_a_lead_in_millivolts(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path
):
    out = tmp_path / "resting.csv"
    code, _, err = run(capsys, "convert", resting, out)
    with out.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    assert (code, names) == (0, list(STANDARD_LEADS))
    np.testing.assert_allclose(np.array(rows, float).T, RECORDING.samples_mv, rtol=0, atol=1e-9)
    assert err.startswith("not kept: sample rate: not held\nnot kept: start time: not held\n")


def test_a_converted_file_reads_back_as_the_same_recording(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path
):
    code, said, err = run(capsys, "convert", resting, tmp_path / "again.xml")
    again = read_ekg(tmp_path / "again.xml")
    assert (code, said.count("\n"), err) == (0, 1, "")
    np.testing.assert_array_equal(again.samples_mv, read_ekg(resting).samples_mv)


def test_what_the_target_cannot_hold_is_named_without_its_value(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path
):
    _, said, err = run(capsys, "convert", resting, tmp_path / "out.csv")
    assert "not kept: patient family_name: not held" in err
    assert "TESTPATIENT" not in said + err


def test_a_script_is_told_what_is_lost(capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path):
    _, said, err = run(capsys, "convert", resting, tmp_path / "out.csv", "--json")
    found = json.loads(said)
    assert (found["format"], found["written"], err) == ("CSV", True, "")
    assert {"part": "sample rate", "detail": "not held", "alters_signal": False} in found["losses"]


def test_a_signal_that_would_become_another_is_written_only_when_that_is_allowed(
    capsys: pytest.CaptureFixture[str], gapped: Path, tmp_path: Path
):
    out = tmp_path / "out.xml"
    code, said, err = run(capsys, "convert", gapped, out)
    assert (code, said, out.exists()) == (1, "", False)
    assert "not kept: samples: 18 without signal become 0 mV" in err
    assert "gateway: HL7 aECG: signal: will be another" in err
    _, said, _ = run(capsys, "convert", gapped, out, "--json")
    assert json.loads(said)["written"] is False
    code, _, _ = run(capsys, "convert", gapped, out, "--allow-loss")
    assert (code, bool(np.isfinite(read_ekg(out).samples_mv).all())) == (0, True)


def test_a_patient_is_left_out_on_request(capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path):
    code, _, err = run(capsys, "convert", resting, tmp_path / "out.xml", "--no-patient")
    assert (code, err) == (0, "")
    assert read_ekg(tmp_path / "out.xml").patient_fields == {}
    assert b"8834021" not in (tmp_path / "out.xml").read_bytes()


def test_a_time_that_the_file_does_not_state_can_be_given_and_no_other(
    capsys: pytest.CaptureFixture[str], gapped: Path, resting: Path, tmp_path: Path
):
    given = ("--started-at", "2026-03-02T09:14:05-05:00")
    code, _, err = run(capsys, "convert", gapped, tmp_path / "out.dcm")
    assert (code, "states no start" in err) == (1, True)
    code, _, _ = run(capsys, "convert", gapped, tmp_path / "out.dcm", *given)
    assert (code, str(read_ekg(tmp_path / "out.dcm").started_at)) == (0, "2026-03-02 09:14:05-05:00")
    code, _, err = run(capsys, "convert", resting, tmp_path / "other.dcm", *given)
    assert (code, "states its own start" in err) == (2, True)
    code, _, err = run(capsys, "convert", gapped, tmp_path / "other.dcm", "--started-at", "noon")
    assert (code, "is no time" in err) == (2, True)


def test_a_target_that_no_writer_knows_leaves_nothing(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path
):
    code, _, err = run(capsys, "convert", resting, tmp_path / "out.docx")
    assert (code, err.startswith("gateway: .docx")) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["resting.xml"]


def test_a_failed_conversion_leaves_an_older_file_as_it_was(tmp_path: Path):
    gaps = RECORDING.samples_mv.copy()
    gaps[0, 5] = np.nan
    older = written(RECORDING, tmp_path / "older.xml")
    before = older.read_bytes()
    with pytest.raises(FormatError, match="without signal"):
        write_ekg(replace(RECORDING, samples_mv=gaps), older)
    assert older.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["older.xml"]


def test_a_place_that_cannot_be_written_is_named(
    capsys: pytest.CaptureFixture[str], resting: Path, tmp_path: Path
):
    code, _, err = run(capsys, "convert", resting, tmp_path / "no" / "out.csv")
    assert (code, err.count("gateway: "), "out.csv: No such file" in err) == (2, 1, True)


@pytest.mark.parametrize("command", ["info", "analyze"])
def test_a_file_that_is_no_ekg_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7\n")
    code, out, err = run(capsys, command, tmp_path / "letter.pdf")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no known EKG format" in err


def test_a_file_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    code, _, err = run(capsys, "info", tmp_path / "gone.xml")
    assert (code, "does not exist" in err) == (2, True)


def test_numbers_that_are_not_millivolts_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    file = written(replace(RECORDING, samples_mv=RECORDING.samples_mv * 1000), tmp_path / "microvolts.xml")
    code, _, err = run(capsys, "analyze", file)
    assert (code, err.count("\n")) == (1, 1)


def test_the_words_of_a_file_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    statements = ("\u009b31mred", "[bold]Sinus rhythm[/bold]")
    file = written(replace(RECORDING, statements=statements), tmp_path / "words.xml")
    out = run(capsys, "info", file)[1]
    assert "\\x9b31mred" in out
    assert "[bold]Sinus rhythm[/bold]" in out


def test_it_works_as_a_command_of_the_shell(resting: Path):
    command = [sys.executable, "-m", "gateway", "ekg", "info", str(resting), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["leads"] == list(STANDARD_LEADS)
