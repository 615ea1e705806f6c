"""What is said of a rhythm, and on what evidence."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from wfdb.io.record import rdrecord

from gateway.signal import Measurements, measure_ekg
from gateway.signal.beats import rr_statistics

RATE_HZ = 360.0


def measured(folder: Path, record: str, from_s: int, seconds: int) -> Measurements:
    first = round(from_s * RATE_HZ)
    last = first + round(seconds * RATE_HZ)
    found = rdrecord(str(folder / "ekg" / "mitdb" / record), channels=[0], sampfrom=first, sampto=last)  # type: ignore[no-untyped-call] # wfdb has no types
    return measure_ekg(found.p_signal.T, RATE_HZ, ("II",))


def codes(measured: Measurements) -> set[str]:
    return {finding.code for finding in measured.rhythm.findings}


def evidence(measured: Measurements, code: str) -> str:
    (finding,) = [each for each in measured.rhythm.findings if each.code == code]
    return finding.evidence


def test_a_normal_rhythm_is_regular_and_nothing_is_suspected(gateway_data: Path) -> None:
    assert codes(measured(gateway_data, "101", 0, 30)) == {"rate-usual", "regular", "rr-variability"}


@pytest.mark.parametrize(("record", "from_s"), [("219", 400), ("221", 100), ("203", 500)])
def test_atrial_fibrillation_is_suspected_from_intervals_and_missing_p_waves(
    gateway_data: Path, record: str, from_s: int
) -> None:
    found = evidence(measured(gateway_data, record, from_s, 30), "atrial-fibrillation-suspected")
    assert "RR intervals" in found
    assert "P waves" in found


@pytest.mark.parametrize("record", ["106", "119", "200", "233"])
def test_many_ventricular_beats_are_not_taken_for_atrial_fibrillation(
    gateway_data: Path, record: str
) -> None:
    found = codes(measured(gateway_data, record, 1200, 60))
    assert "ectopic-beats" in found
    assert "atrial-fibrillation-suspected" not in found


def test_a_pause_is_stated_with_its_length(gateway_data: Path) -> None:
    ekg = rdrecord(str(gateway_data / "ekg" / "mitdb" / "101"), channels=[0], sampto=10800).p_signal[:, 0]  # type: ignore[no-untyped-call] # wfdb has no types
    level = np.full(900, ekg[3700])
    cut = np.concatenate((ekg[:3700], level + np.random.default_rng(0).normal(0, 0.01, 900), ekg[3700:]))
    assert "longest" in evidence(measure_ekg(cut[np.newaxis], RATE_HZ, ("II",)), "pause")


@pytest.mark.parametrize(
    ("record", "paced"), [("45", True), ("93", True), ("95", True), ("1", False), ("5", False)]
)
def test_pacing_spikes_are_seen_in_the_recording_as_it_came(
    gateway_data: Path, record: str, *, paced: bool
) -> None:
    found = rdrecord(str(gateway_data / "ekg" / "ludb" / record))  # type: ignore[no-untyped-call] # wfdb has no types
    names = tuple(name.upper() for name in found.sig_name)
    assert ("pacing-spikes" in codes(measure_ekg(found.p_signal.T, 500.0, names))) == paced


def test_no_finding_is_worded_as_a_diagnosis(gateway_data: Path) -> None:
    for record in ("203", "207", "219"):
        for finding in measured(gateway_data, record, 300, 60).rhythm.findings:
            assert finding.evidence
            assert "diagnos" not in finding.text.lower()


def test_statistics_of_intervals_follow_their_definitions() -> None:
    rr: NDArray[np.float64] = np.array([800.0, 820, 760, np.nan, 800, 810])
    found = rr_statistics(rr)
    assert found is not None
    assert (found.intervals, found.shortest, found.longest) == (5, 760, 820)
    assert found.mean == pytest.approx(798)
    assert found.sdnn == pytest.approx(np.std([800, 820, 760, 800, 810], ddof=1))
    assert found.rmssd == pytest.approx(np.sqrt((20**2 + 60**2 + 10**2) / 3))
    assert found.pnn50 == pytest.approx(1 / 3)


def test_no_statistics_are_made_of_too_few_intervals() -> None:
    assert rr_statistics(np.array([800.0, 820.0])) is None
    assert rr_statistics(np.array([800.0, np.nan, 820.0, np.nan, 790.0])) is None
