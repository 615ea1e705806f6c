"""What a caller can rely on from R-peak detection of a whole recording."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.signal import detect_r_peaks

RATE_HZ = 360.0
R_PEAKS = np.arange(200, 10_000, 290)


def heart(r_peaks: NDArray[np.int64] = R_PEAKS, samples: int = 10_000) -> NDArray[np.float64]:
    """R of 1 mV and 40 ms, then a T of 0.3 mV; a little noise, always the same."""
    at = np.arange(samples) / RATE_HZ
    ekg = np.random.default_rng(7).normal(0, 0.01, samples)
    for r in r_peaks / RATE_HZ:
        ekg += np.maximum(0, 1 - np.abs(at - r) / 0.02) + 0.3 * np.exp(-(((at - r - 0.28) / 0.05) ** 2))
    return ekg


def test_every_r_peak_is_found_to_the_sample() -> None:
    assert detect_r_peaks(heart(), RATE_HZ).tolist() == R_PEAKS.tolist()


@pytest.mark.parametrize("gain", [0.1, -1.0, 10.0])
def test_gain_and_polarity_change_nothing(gain: float) -> None:
    assert detect_r_peaks(gain * heart(), RATE_HZ).tolist() == R_PEAKS.tolist()


@pytest.mark.parametrize("offset_mv", [-10.0, 5000.0])
def test_an_offset_changes_nothing(offset_mv: float) -> None:
    assert detect_r_peaks(heart() + offset_mv, RATE_HZ).tolist() == R_PEAKS.tolist()


@pytest.mark.parametrize(("factor", "unit"), [(1000, "microvolts"), (0.001, "volts")])
def test_another_unit_is_refused_by_its_name(factor: float, unit: str) -> None:
    with pytest.raises(ValueError, match=rf"probably {unit}"):
        detect_r_peaks(factor * heart(), RATE_HZ)


@pytest.mark.parametrize("ekg", [[], [0.0], [0.1] * 20, [np.nan] * 5000, [1.0] * 5000])
def test_no_beat_is_invented_where_there_is_nothing(ekg: list[float]) -> None:
    peaks = detect_r_peaks(np.array(ekg), RATE_HZ)
    assert peaks.tolist() == []
    assert peaks.dtype == np.int64


def test_a_gap_hides_its_own_beats_and_no_others() -> None:
    ekg = heart()
    ekg[3000:5000] = np.nan
    ekg[5000:] += 3
    outside = (R_PEAKS < 3000) | (R_PEAKS >= 5000)
    assert detect_r_peaks(ekg, RATE_HZ).tolist() == R_PEAKS[outside].tolist()


@pytest.mark.parametrize("rate_hz", [99.0, 2001.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="100 to 2000 Hz"):
        detect_r_peaks(heart(), rate_hz)


def test_several_leads_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 100\)"):
        detect_r_peaks(np.zeros((2, 100)), RATE_HZ)
