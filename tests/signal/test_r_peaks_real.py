"""R-peaks of recorded hearts, against the beats that cardiologists marked."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from wfdb.io.annotation import rdann
from wfdb.io.record import rdrecord

from gateway.signal import detect_r_peaks

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")


def errors(record: Path, seconds: int) -> tuple[int, int, int]:
    """Beats marked, marked but not found, and found but not marked, within 150 ms."""
    signal = rdrecord(str(record), channels=[0], sampto=seconds * 360)  # type: ignore[no-untyped-call] # wfdb has no types
    ann = rdann(str(record), "atr", sampto=seconds * 360)  # type: ignore[no-untyped-call] # as above
    marked = np.array([s for s, c in zip(ann.sample, ann.symbol, strict=True) if c in BEATS])
    found = detect_r_peaks(signal.p_signal[:, 0], signal.fs)
    return len(marked), _unmatched(marked, found), _unmatched(found, marked)


def _unmatched(these: NDArray[np.int64], those: NDArray[np.int64]) -> int:
    return int((np.abs(these[:, np.newaxis] - those).min(axis=1) > 54).sum())


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ("mitdb/100", "normal"),
        ("mitdb/119", "ventricular ectopic beats"),
        ("mitdb/121", "drifting baseline"),
        ("mitdb/219", "atrial fibrillation with pauses"),
        ("mitdb/221", "ventricular couplets"),
        ("mitdb/233", "ventricular beats of several shapes"),
        ("nstdb/118e18", "electrode motion at 18 dB, about a baseline of -10 mV"),
    ],
)
def test_a_heart_of_this_kind_is_found_beat_by_beat(gateway_data: Path, record: str, kind: str) -> None:
    marked, missed, invented = errors(gateway_data / "ekg" / record, seconds=600)
    assert marked > 500
    assert missed + invented <= 3, f"{kind}: missed {missed}, invented {invented}, of {marked}"


def test_noise_as_strong_as_the_heart_costs_no_more_than_every_sixth_beat(gateway_data: Path) -> None:
    marked, missed, invented = errors(gateway_data / "ekg" / "nstdb" / "118e06", seconds=600)
    assert missed + invented < marked / 6
