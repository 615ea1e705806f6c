"""R-peaks follow the signal: whatever moves, scales, turns, resamples or joins it does so to them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.signal import detect_r_peaks

RATE_HZ = 360.0


def train(
    at_s: NDArray[np.float64],
    sign: float = 1.0,
    *,
    rate_hz: float = RATE_HZ,
    width_s: float = 0.02,
    t_mv: float = 0.2,
    height_mv: float = 1.0,
) -> NDArray[np.float64]:
    """Triangular R waves at these seconds, each with a T."""
    ekg = np.zeros(round((at_s[-1] + 1) * rate_hz))
    seconds = np.arange(len(ekg)) / rate_hz
    for r in np.round(at_s * rate_hz) / rate_hz:
        ekg += height_mv * np.maximum(0, 1 - np.abs(seconds - r) / width_s)
        ekg += t_mv * np.exp(-(((seconds - r - 0.3) / 0.06) ** 2))
    return sign * ekg + np.random.default_rng(5).normal(0, 0.005, len(ekg))


STEADY_S = np.arange(0.6, 30, 0.83)


def samples(at_s: NDArray[np.float64], rate_hz: float = RATE_HZ) -> list[int]:
    return [int(s) for s in np.round(at_s * rate_hz)]


@pytest.mark.parametrize("shift", [1, 2, 77, 500])
def test_a_shift_in_time_shifts_the_peaks(shift: int) -> None:
    ekg = train(STEADY_S)
    later = np.concatenate((np.full(shift, ekg[0]), ekg))
    assert (detect_r_peaks(later, RATE_HZ) - shift).tolist() == detect_r_peaks(ekg, RATE_HZ).tolist()


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 257.3, 500.0, 1000.0, 2000.0])
def test_the_rate_changes_no_beat(rate_hz: float) -> None:
    ekg = train(STEADY_S, rate_hz=rate_hz)
    assert detect_r_peaks(ekg, rate_hz).tolist() == samples(STEADY_S, rate_hz)


@pytest.mark.parametrize("rate_hz", [500.0, 1000.0, 2000.0])
def test_noise_moves_no_peak_farther_than_a_sample(rate_hz: float) -> None:
    ekg = train(STEADY_S, rate_hz=rate_hz)
    ekg += np.random.default_rng(8).normal(0, 0.02, len(ekg))
    assert np.abs(detect_r_peaks(ekg, rate_hz) - samples(STEADY_S, rate_hz)).max() <= 1


def test_a_drifting_baseline_moves_no_peak() -> None:
    ekg = train(STEADY_S, width_s=0.05)
    drift = 1.5 * np.sin(2 * np.pi * 0.3 * np.arange(len(ekg)) / RATE_HZ)
    assert np.abs(detect_r_peaks(ekg + drift, RATE_HZ) - samples(STEADY_S)).max() <= 1


def test_a_qrs_that_the_recording_cuts_off_is_no_peak() -> None:
    ekg = train(STEADY_S)
    cut = samples(STEADY_S)[-1] - 2
    assert detect_r_peaks(ekg[:cut], RATE_HZ).tolist() == samples(STEADY_S)[:-1]


def test_two_recordings_joined_have_the_peaks_of_both() -> None:
    first, second = train(STEADY_S), train(STEADY_S, -1.0)
    joined = detect_r_peaks(np.concatenate((first, second)), RATE_HZ)
    apart = [*detect_r_peaks(first, RATE_HZ), *(detect_r_peaks(second, RATE_HZ) + len(first))]
    assert joined.tolist() == apart


@pytest.mark.parametrize(
    ("heart", "ekg"),
    [
        ("inverted", train(STEADY_S, -1.0)),
        ("tiny", train(STEADY_S, height_mv=0.1, t_mv=0.02)),
        ("wide", train(STEADY_S, width_s=0.07)),
        ("tall T", train(STEADY_S, t_mv=0.9)),
    ],
)
def test_an_unusual_heart_is_found_to_the_sample(heart: str, ekg: NDArray[np.float64]) -> None:
    assert np.abs(detect_r_peaks(ekg, RATE_HZ) - samples(STEADY_S)).max() <= 1, heart


@pytest.mark.parametrize("rate_per_min", [30, 45, 60, 100, 150, 220])
def test_slow_and_fast_hearts_are_found(rate_per_min: int) -> None:
    at_s = np.arange(0.6, 30, 60 / rate_per_min)
    ekg = train(at_s, t_mv=0.1 if rate_per_min > 120 else 0.2)
    assert detect_r_peaks(ekg, RATE_HZ).tolist() == samples(at_s)


def test_an_irregular_heart_is_found() -> None:
    at_s = 0.6 + np.cumsum(np.random.default_rng(2).uniform(0.45, 1.3, 40))
    assert detect_r_peaks(train(at_s), RATE_HZ).tolist() == samples(at_s)


def test_a_pause_has_no_beat_and_hides_none_after_it() -> None:
    at_s = STEADY_S[(STEADY_S < 12) | (STEADY_S > 18)]
    assert detect_r_peaks(train(at_s), RATE_HZ).tolist() == samples(at_s)


def test_pacing_spikes_are_part_of_their_beat() -> None:
    ekg = train(STEADY_S, width_s=0.06)
    for r in samples(STEADY_S):
        ekg[r - 36 : r - 35] += 2.0
    assert len(detect_r_peaks(ekg, RATE_HZ)) == len(STEADY_S)


def bump(at_s: float, height_mv: float, sigma_s: float, length: int) -> NDArray[np.float64]:
    seconds = np.arange(length) / RATE_HZ
    return np.asarray(height_mv * np.exp(-0.5 * ((seconds - at_s) / sigma_s) ** 2))


@pytest.mark.parametrize("height_mv", [0.5, -1.0])
@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_an_artefact_between_two_beats_that_are_on_time_is_no_beat(height_mv: float, share: float) -> None:
    ekg = train(STEADY_S)
    ekg += bump(STEADY_S[20] + share * 0.83, height_mv, 0.012, len(ekg))
    assert detect_r_peaks(ekg, RATE_HZ).tolist() == samples(STEADY_S)


@pytest.mark.parametrize("height_mv", [1.0, -1.0])
@pytest.mark.parametrize("share", [0.5, 0.6, 0.7])
def test_the_same_before_a_pause_is_an_ectopic_beat(height_mv: float, share: float) -> None:
    ekg = train(np.delete(STEADY_S, 21))
    early = STEADY_S[20] + share * 0.83
    ekg += bump(early, height_mv, 0.02, len(ekg))
    found = detect_r_peaks(ekg, RATE_HZ)
    assert len(found) == len(STEADY_S)
    assert abs(found[21] - early * RATE_HZ) <= 2


@pytest.mark.parametrize("height_mv", [0.2, 0.4])
@pytest.mark.parametrize("pr_s", [0.12, 0.16, 0.22])
def test_a_tall_p_wave_is_no_beat(height_mv: float, pr_s: float) -> None:
    ekg = train(STEADY_S)
    for r in STEADY_S:
        ekg += bump(r - pr_s, height_mv, 0.02, len(ekg))
    assert detect_r_peaks(ekg, RATE_HZ).tolist() == samples(STEADY_S)


@pytest.mark.parametrize("seed", range(6))
def test_noise_larger_than_the_heart_hides_no_beat_a_second_later(seed: int) -> None:
    ekg, rate = train(STEADY_S), round(RATE_HZ)
    ekg[8 * rate : 11 * rate] += np.random.default_rng(seed).normal(0, 1.5, 3 * rate)
    found = detect_r_peaks(ekg, RATE_HZ)
    assert set(samples(STEADY_S[STEADY_S > 12])) <= set(found.tolist())


def test_a_sudden_tenth_of_the_amplitude_is_followed() -> None:
    ekg = train(STEADY_S)
    ekg[len(ekg) // 2 :] *= 0.1
    assert len(detect_r_peaks(ekg, RATE_HZ)) >= len(STEADY_S) - 4
