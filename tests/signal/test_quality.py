"""How far a lead is trusted, what is said to disturb it, and no beat where none can be seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from wfdb.io.annotation import rdann
from wfdb.io.record import rdrecord

from gateway.signal import detect_r_peaks, measure_ekg, signal_quality
from gateway.signal.quality import Flag

Lead = NDArray[np.float64]
Heart = Callable[..., Lead]
RATE_HZ = 500.0


def noise(seed: int, level_mv: float, samples: int) -> Lead:
    return np.random.default_rng(seed).normal(0, level_mv, samples)


def off(ekg: Lead) -> Lead:
    return np.where(np.arange(len(ekg)) < 2500, np.nan, ekg)


def at_rail(ekg: Lead) -> Lead:
    return np.where(np.arange(len(ekg)) % 2500 < 1200, 3.0, ekg)


def moving(ekg: Lead) -> Lead:
    return np.asarray(ekg + 3.0 * np.sin(2 * np.pi * 1.3 / RATE_HZ * np.arange(len(ekg))))


DISTURBED: dict[Flag, Callable[[Lead], Lead]] = {
    "lead-off": off,
    "flat": lambda ekg: np.where(np.arange(len(ekg)) < 2500, 0.1, ekg),
    "saturated": at_rail,
    "mains": lambda ekg: ekg + 0.3 * np.sin(2 * np.pi * 50 / RATE_HZ * np.arange(len(ekg))),
    "muscle": lambda ekg: ekg + noise(1, 0.15, len(ekg)),
    "baseline": lambda ekg: ekg + 2.0 * np.sin(2 * np.pi * 0.3 / RATE_HZ * np.arange(len(ekg))),
    "motion": moving,
}


@pytest.mark.parametrize("flag", DISTURBED)
def test_what_disturbs_a_lead_is_named(heart: Heart, flag: Flag) -> None:
    assert flag in signal_quality(DISTURBED[flag](heart()), RATE_HZ).leads[0].flags


def test_a_good_lead_has_no_flag_and_a_high_score(heart: Heart) -> None:
    (lead,) = signal_quality(heart(), RATE_HZ).leads
    assert lead.flags == ()
    assert min(lead.per_second) > 0.95


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_a_lead_is_judged_alike_at_any_gain(heart: Heart, gain: float) -> None:
    noisy = heart() + noise(4, 0.06, 5000)
    one, other = (signal_quality(each, RATE_HZ).leads[0] for each in (noisy, gain * noisy))
    assert other.per_second == pytest.approx(one.per_second)
    assert other.flags == one.flags


def test_a_pause_in_a_clean_signal_is_no_bad_quality(heart: Heart) -> None:
    ekg = heart()
    ekg[1450:3300] = noise(5, 0.005, 1850) + 0.02 * np.sin(np.arange(1850) / 300)
    assert min(signal_quality(ekg, RATE_HZ).leads[0].per_second) > 0.5


def test_a_clipped_qrs_is_no_reason_to_distrust_its_second(heart: Heart) -> None:
    assert min(signal_quality(np.minimum(heart(), 0.5), RATE_HZ).leads[0].per_second) > 0.9


def test_more_noise_never_raises_the_score(heart: Heart) -> None:
    levels = [
        signal_quality(heart() + noise(6, level, 5000), RATE_HZ).overall for level in (0, 0.1, 0.2, 0.4)
    ]
    assert levels == sorted(levels, reverse=True)


def test_seconds_too_disturbed_give_no_beats_and_say_so(heart: Heart) -> None:
    ekg = heart()
    ekg[2000:3500] += noise(7, 1.5, 1500)
    measured = measure_ekg(ekg[np.newaxis], RATE_HZ, ("II",))
    second = measured.r_peaks.samples // 500
    assert not set(second) & {4, 5, 6}
    assert {0, 1, 2, 8, 9} <= set(second)
    assert "of lead II: quality below 0.3" in measured.unmeasured["r_peaks"]
    assert measured.rr_ms == pytest.approx([800.0] * len(measured.rr_ms), abs=8)


def test_noise_alone_gives_no_beats_and_no_rate() -> None:
    measured = measure_ekg(noise(8, 0.3, 5000)[np.newaxis], RATE_HZ, ("II",))
    assert len(measured.r_peaks.samples) == 0
    assert measured.heart_rate_bpm is None
    assert {"r_peaks", "heart_rate_bpm"} <= set(measured.unmeasured)


def test_where_noise_drowns_the_heart_fewer_beats_are_invented_and_few_lost(gateway_data: Path) -> None:
    record = gateway_data / "ekg" / "nstdb" / "118e_6"
    signal = rdrecord(str(record), channels=[0], sampto=600 * 360)  # type: ignore[no-untyped-call] # wfdb has no types
    ekg = signal.p_signal[:, 0]
    marks = rdann(str(record), "atr", sampto=len(ekg))  # type: ignore[no-untyped-call] # as above
    beats = np.array([s for s, c in zip(marks.sample, marks.symbol, strict=True) if c in "NLRAVx"])

    def invented(found: NDArray[np.int64]) -> int:
        return int((np.abs(found[:, np.newaxis] - beats).min(axis=1) > 54).sum())

    all_found, kept = detect_r_peaks(ekg, 360.0), measure_ekg(ekg[np.newaxis], 360.0, ("II",)).r_peaks.samples
    assert invented(kept) < 0.3 * invented(all_found)
    assert len(kept) - invented(kept) > 0.75 * (len(all_found) - invented(all_found))
