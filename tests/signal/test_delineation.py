"""Where waves are found, on a heart whose waves are known and on hearts that cardiologists marked."""

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from wfdb.io.annotation import rdann
from wfdb.io.record import rdrecord

from gateway.signal import Delineation, delineate
from gateway.testing.synthetic_ekg import synthetic_recording

Heart = Callable[..., NDArray[np.float64]]
RATE_HZ = 500.0
R_PEAKS = np.arange(250, 5000, 400)


def marks(ekg: NDArray[np.float64], rate_hz: float = RATE_HZ) -> NDArray[np.int64]:
    """(9, beats) all points of all beats, but for the first and last beat."""
    waves = delineate(ekg, rate_hz, np.rint(R_PEAKS * rate_hz / RATE_HZ).astype(np.int64))
    return np.stack(astuple(waves))[:, 1:-1]


@pytest.mark.parametrize(
    ("point", "ms"),
    [("p_peak", -160), ("t_peak", 280), ("qrs_onset", -44), ("qrs_offset", 44)],
)
def test_waves_are_where_they_were_put(heart: Heart, point: str, ms: float) -> None:
    found = getattr(delineate(heart(), RATE_HZ, R_PEAKS), point)[1:-1]
    assert np.abs((found - R_PEAKS[1:-1]) * 2 - ms).max() <= 16


def test_each_wave_begins_before_its_peak_and_ends_after_it(heart: Heart) -> None:
    assert (np.diff(marks(heart()), axis=0) > 0).all()


@pytest.mark.parametrize("gain", [0.1, 10.0, -1.0])
def test_gain_and_polarity_move_no_mark(heart: Heart, gain: float) -> None:
    assert np.abs(marks(gain * heart()) - marks(heart())).max() <= 1


def test_an_offset_moves_no_mark(heart: Heart) -> None:
    assert np.abs(marks(heart() + 5.0) - marks(heart())).max() <= 1


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 360.0, 1000.0, 2000.0])
def test_another_sampling_rate_moves_no_mark(heart: Heart, rate_hz: float) -> None:
    moved_ms = marks(heart(rate_hz), rate_hz) * 1000 / rate_hz - marks(heart()) * 2
    assert np.abs(moved_ms).max() <= 10


def test_a_shift_in_time_shifts_every_mark(heart: Heart) -> None:
    shifted = delineate(heart()[60:], RATE_HZ, R_PEAKS - 60)
    moved = np.stack(astuple(shifted))[:, 1:-1] + 60 - marks(heart())
    assert np.abs(moved).max() <= 4


def test_several_leads_give_the_earliest_onset_and_the_latest_offset(heart: Heart) -> None:
    late = np.roll(heart(), 6)
    together = delineate(np.stack([heart(), late]), RATE_HZ, R_PEAKS)
    alone = [delineate(lead, RATE_HZ, R_PEAKS) for lead in (heart(), late)]
    assert abs(np.median(together.qrs_onset - alone[0].qrs_onset)) <= 1
    assert abs(np.median(together.qrs_offset - alone[1].qrs_offset)) <= 1


@pytest.mark.parametrize(("shape", "beats"), [((0,), 0), ((3,), 1), ((2, 0), 0), ((5000,), 0)])
def test_where_there_is_nothing_every_mark_is_absent(shape: tuple[int, ...], beats: int) -> None:
    waves = delineate(np.zeros(shape), RATE_HZ, np.zeros(beats, dtype=np.int64))
    assert all(column.tolist() == [-1] * beats for column in astuple(waves))
    assert waves.p_onset.dtype == np.int64


def test_a_beat_where_no_qrs_is_has_no_wave(heart: Heart) -> None:
    waves = delineate(heart(), RATE_HZ, np.sort(np.append(R_PEAKS, 1300)))
    assert waves.qrs_peak[3] == -1


def test_an_r_peak_outside_is_refused(heart: Heart) -> None:
    with pytest.raises(ValueError, match="outside of the 5000 samples"):
        delineate(heart(), RATE_HZ, np.array([5000]))


@pytest.mark.parametrize(("lead", "record"), [("ii", "1"), ("v5", "7"), ("avl", "25")])
def test_marks_are_those_of_cardiologists(gateway_data: Path, lead: str, record: str) -> None:
    path = str(gateway_data / "ekg" / "ludb" / record)
    ekg = rdrecord(path, channel_names=[lead]).p_signal[:, 0]  # type: ignore[no-untyped-call]  # wfdb has no types
    noted = rdann(path, lead)  # type: ignore[no-untyped-call]  # wfdb has no types
    r_peaks = np.array([at for at, kind in zip(noted.sample, noted.symbol, strict=True) if kind == "N"])
    waves: Delineation = delineate(ekg, RATE_HZ, r_peaks)
    for kind, onset, limit_ms in (
        ("N", waves.qrs_onset, 15),
        ("p", waves.p_onset, 25),
        ("t", waves.t_onset, 40),
    ):
        at = np.array([noted.sample[i - 1] for i, each in enumerate(noted.symbol) if each == kind])
        off = np.abs(onset[onset >= 0][:, None] - at).min(axis=0)
        assert np.median(off) * 2 <= limit_ms


@pytest.mark.parametrize("rr_ms", [600, 800, 1100, 1400])
@pytest.mark.parametrize("gain", [1.0, -1.0])
def test_in_a_regular_rhythm_without_p_waves_none_is_found(heart: Heart, rr_ms: int, gain: float) -> None:
    r_peaks = np.arange(250, 5000, rr_ms // 2)
    assert (delineate(gain * heart(rr_ms=rr_ms, p_mv=0.0), RATE_HZ, r_peaks).p_peak < 0).all()


def spiked(heart: NDArray[np.float64], before_r_ms: int, spike_mv: float) -> NDArray[np.float64]:
    ekg = heart.copy()
    ekg[R_PEAKS - before_r_ms // 2] += spike_mv
    return ekg


@pytest.mark.parametrize("before_r_ms", [60, 80, 100])
@pytest.mark.parametrize("spike_mv", [0.3, 1.0, -2.0])
def test_a_pacing_spike_is_no_p_wave_and_begins_no_qrs(
    heart: Heart, before_r_ms: int, spike_mv: float
) -> None:
    waves = delineate(spiked(heart(p_mv=0.0), before_r_ms, spike_mv), RATE_HZ, R_PEAKS)
    assert (waves.p_peak < 0).all()
    assert np.abs((waves.qrs_onset - R_PEAKS)[1:-1] * 2 + 44).max() <= 8


def test_a_pacing_spike_taken_for_an_r_peak_has_no_wave(heart: Heart) -> None:
    both = np.sort(np.concatenate((R_PEAKS, R_PEAKS - 100)))
    waves = delineate(spiked(heart(), 200, 0.8), RATE_HZ, both)
    assert (waves.qrs_peak[::2] < 0).all()
    assert (waves.qrs_peak[1::2] >= 0).all()


@pytest.mark.parametrize(
    ("rr_ms", "p_mv"), [(600, 0.15), (600, -0.08), (800, 0.05), (800, -0.08), (1100, 0.05), (1400, 0.15)]
)
def test_where_each_beat_has_a_p_wave_each_is_found(heart: Heart, rr_ms: int, p_mv: float) -> None:
    r_peaks = np.arange(250, 5000, rr_ms // 2)
    waves = delineate(heart(rr_ms=rr_ms, p_mv=p_mv), RATE_HZ, r_peaks)
    assert (waves.p_peak[1:-1] >= 0).all()


@pytest.mark.parametrize("noise_mv", [0.002, 0.01, 0.03, 0.06])
def test_twelve_leads_together_find_no_p_wave_where_there_is_none(heart: Heart, noise_mv: float) -> None:
    noise = np.random.default_rng(11).normal(0, noise_mv, (12, 5000))
    gains = np.array([0.6, 1.0, 0.5, -0.8, 0.2, 0.7, -0.4, -0.7, 0.5, 1.1, 1.0, 0.8])
    assert (delineate(gains[:, None] * heart(p_mv=0.0) + noise, RATE_HZ, R_PEAKS).p_peak < 0).all()


def test_what_trembles_between_irregular_beats_is_no_p_wave() -> None:
    at_s, random = np.arange(5000) / RATE_HZ, np.random.default_rng(4)
    r_s = np.cumsum(random.uniform(0.45, 1.1, 14))
    r_peaks = np.rint(r_s[r_s < 9.5] * RATE_HZ).astype(np.int64)
    from_r = at_s[None, :] - r_peaks[:, None] / RATE_HZ
    waves = ((-0.026, 0.008, -0.08), (0.0, 0.011, 1.1), (0.028, 0.010, -0.16), (0.25, 0.045, 0.25))
    beats = sum(mv * np.exp(-0.5 * ((from_r - at) / width) ** 2).sum(axis=0) for at, width, mv in waves)
    trembling = 0.05 * np.sin(2 * np.pi * np.cumsum(6 + 0.8 * np.sin(at_s)) / RATE_HZ)
    noise = random.normal(0, 0.005, 5000)
    assert (delineate(beats + trembling + noise, RATE_HZ, r_peaks).p_peak < 0).all()


@pytest.mark.parametrize(
    ("record", "start_s", "least", "most"),
    [("100", 60, 0.97, 1.0), ("103", 300, 0.97, 1.0), ("203", 300, 0.0, 0.02), ("221", 900, 0.0, 0.02)],
)
def test_p_waves_are_given_to_sinus_rhythm_and_not_to_fibrillation(
    gateway_data: Path, record: str, start_s: int, least: float, most: float
) -> None:
    path, first = str(gateway_data / "ekg" / "mitdb" / record), start_s * 360
    last = first + 60 * 360
    ekg = rdrecord(path, sampfrom=first, sampto=last, channels=[0]).p_signal[:, 0]  # type: ignore[no-untyped-call]  # wfdb has no types
    noted = rdann(path, "atr", sampfrom=first, sampto=last)  # type: ignore[no-untyped-call]  # wfdb has no types
    r_peaks = noted.sample[np.isin(noted.symbol, ["N", "A", "V"])] - first
    share = float(np.mean(delineate(ekg, 360.0, r_peaks).p_peak >= 0))
    assert least <= share <= most


def test_the_order_of_the_leads_moves_no_mark(heart: Heart) -> None:
    leads = np.stack([heart(), 0.5 * heart(p_mv=0.1), -0.7 * heart(), np.roll(heart(), 3), 1.2 * heart()])
    one, other = (np.stack(astuple(delineate(each, RATE_HZ, R_PEAKS))) for each in (leads, leads[::-1]))
    assert np.abs(one - other).max() <= 1


def test_a_lead_that_is_off_moves_no_mark(heart: Heart) -> None:
    leads = np.stack([heart(), 0.5 * heart(), -0.7 * heart(), 0.8 * heart(), 1.2 * heart()])
    with_off = np.vstack([leads, np.zeros(5000), np.full(5000, np.nan)])
    one, other = (np.stack(astuple(delineate(each, RATE_HZ, R_PEAKS))) for each in (leads, with_off))
    assert np.abs(one - other).max() <= 1


def test_a_gap_takes_the_waves_in_it_and_leaves_the_others(heart: Heart) -> None:
    ekg, whole = heart(), np.stack(astuple(delineate(heart(), RATE_HZ, R_PEAKS)))
    ekg[2200:3000] = np.nan
    clear = (R_PEAKS < 2000) | (R_PEAKS > 3200)
    rest = np.stack(astuple(delineate(ekg, RATE_HZ, R_PEAKS[clear])))
    assert np.abs(rest - whole[:, clear])[:, 1:-1].max() <= 5


@given(
    gain=st.floats(0.1, 10.0),
    sign=st.sampled_from([-1, 1]),
    offset=st.floats(-5, 5),
    shift=st.integers(0, 200),
)
@settings(max_examples=20, deadline=None)
def test_gain_polarity_offset_and_time_shift_move_no_mark(
    gain: float, sign: int, offset: float, shift: int
) -> None:
    ekg = synthetic_recording(sample_rate_hz=RATE_HZ).samples_mv[1]
    r_peaks = np.arange(240, 5000, 400)
    changed = delineate(sign * gain * ekg[shift:] + offset, RATE_HZ, r_peaks[1:] - shift)
    moved = np.stack(astuple(changed)) + shift - np.stack(astuple(delineate(ekg, RATE_HZ, r_peaks)))[:, 1:]
    assert np.abs(moved)[:, 1:-1].max() <= 4
