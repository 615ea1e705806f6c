"""What is measured in an EKG whose waves are known, and what stays when it is shifted or scaled."""

import numpy as np
import pytest

from gateway.signal import delineate, detect_r_peaks, filter_ekg, measure_ekg, signal_quality
from gateway.testing.synthetic_ekg import synthetic_recording

RECORDING = synthetic_recording(heart_rate_bpm=75.0, duration_s=10.0, sample_rate_hz=500.0)
EKG, RATE, LEADS = RECORDING.samples_mv, RECORDING.sample_rate_hz, RECORDING.leads
LEAD_II = EKG[1]
FIRST_R, RR = round(0.48 * RATE), round(0.8 * RATE)


def test_every_beat_is_found_on_its_peak():
    found = detect_r_peaks(LEAD_II, RATE)
    assert np.abs(found - np.arange(FIRST_R, len(LEAD_II), RR)).max() <= 1


def test_rate_and_intervals_are_those_of_the_waves():
    measured = measure_ekg(EKG, RATE, LEADS)
    assert measured.heart_rate_bpm == pytest.approx(75, abs=0.5)
    assert measured.intervals_ms.pr == pytest.approx(170, abs=25)
    assert measured.intervals_ms.qrs == pytest.approx(105, abs=20)
    assert measured.intervals_ms.qt == pytest.approx(425, abs=30)


def test_corrections_of_qt_follow_their_formulas():
    intervals = measure_ekg(EKG, RATE, LEADS).intervals_ms
    assert intervals.qt is not None
    qt_s, rr_s = intervals.qt / 1000, 0.8
    assert intervals.qtc_bazett == pytest.approx(1000 * qt_s / rr_s**0.5, abs=2)
    assert intervals.qtc_fridericia == pytest.approx(1000 * qt_s / rr_s ** (1 / 3), abs=2)
    assert intervals.qtc_framingham == pytest.approx(1000 * (qt_s + 0.154 * (1 - rr_s)), abs=2)
    assert intervals.qtc_hodges == pytest.approx(1000 * qt_s + 1.75 * (75 - 60), abs=2)


def test_the_qrs_axis_lies_where_the_limb_leads_put_it():
    net_i, net_avf = EKG[0].max() + EKG[0].min(), EKG[5].max() + EKG[5].min()
    measured = measure_ekg(EKG, RATE, LEADS).axes_deg.qrs
    assert measured == pytest.approx(np.degrees(np.arctan2(2 / np.sqrt(3) * net_avf, net_i)), abs=15)


def test_what_cannot_be_measured_is_none_with_its_reason():
    measured = measure_ekg(np.zeros((1, 5000)), RATE, ("II",))
    assert (measured.heart_rate_bpm, measured.intervals_ms.qt, measured.axes_deg.qrs) == (None, None, None)
    assert {"heart_rate_bpm", "intervals_ms.qt"} <= set(measured.unmeasured)


def test_without_p_waves_what_rests_on_them_is_none_with_its_reason():
    measured = measure_ekg(synthetic_recording(p_waves=False).samples_mv, 250.0, LEADS)
    assert (measured.intervals_ms.p, measured.intervals_ms.pr, measured.axes_deg.p) == (None, None, None)
    assert measured.unmeasured["intervals_ms.pr"].startswith("P wave found in 0 of")


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_a_tenth_to_ten_times_the_amplitude_is_the_same_ekg(gain: float):
    assert detect_r_peaks(gain * LEAD_II, RATE).tolist() == detect_r_peaks(LEAD_II, RATE).tolist()


def test_microvolts_taken_for_millivolts_are_named():
    with pytest.raises(ValueError, match=r"uV|µV|microvolt"):
        detect_r_peaks(1000 * LEAD_II, RATE)


def test_an_offset_is_no_unit():
    assert detect_r_peaks(LEAD_II - 500.0, RATE).tolist() == detect_r_peaks(LEAD_II, RATE).tolist()


def test_delineated_waves_stand_in_their_order():
    waves = delineate(LEAD_II, RATE, detect_r_peaks(LEAD_II, RATE))
    p = (waves.p_onset, waves.p_peak, waves.p_offset)
    qrs = (waves.qrs_onset, waves.qrs_peak, waves.qrs_offset)
    t = (waves.t_onset, waves.t_peak, waves.t_offset)
    marks = np.array((*p, *qrs, *t))
    whole = marks[:, (marks >= 0).all(axis=0)]
    assert whole.shape[1] >= 10
    assert (np.diff(whole, axis=0) >= 0).all()


def test_all_leads_together_give_one_mark_a_beat():
    r_peaks = detect_r_peaks(LEAD_II, RATE)
    together = delineate(EKG, RATE, r_peaks)
    assert together.qrs_onset.shape == r_peaks.shape
    assert (together.qrs_onset < r_peaks).all()


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_is_found_by_itself_and_removed_without_touching_the_beat(mains_hz: float):
    hum = 0.2 * np.sin(2 * np.pi * mains_hz * np.arange(len(LEAD_II)) / RATE)
    clean = filter_ekg(LEAD_II, RATE, mains_hz=None)
    rest = filter_ekg(LEAD_II + hum, RATE) - clean
    middle = slice(round(RATE), -round(RATE))
    assert np.sqrt(np.mean(rest[middle] ** 2)) < 0.02


def test_filtering_keeps_shape_and_the_place_of_the_peak():
    filtered = filter_ekg(EKG, RATE)
    assert filtered.shape == EKG.shape
    assert abs(int(np.argmax(filtered[1][: 2 * FIRST_R])) - FIRST_R) <= 1


def test_baseline_wander_goes_and_the_beats_stay():
    wander = 2.0 * np.sin(2 * np.pi * 0.15 * np.arange(len(LEAD_II)) / RATE)
    rest = filter_ekg(LEAD_II + wander, RATE) - filter_ekg(LEAD_II, RATE)
    middle = slice(2 * round(RATE), -2 * round(RATE))
    assert np.abs(rest[middle]).max() < 0.2


def test_quality_tells_a_good_lead_from_one_that_is_off():
    with_lead_off = EKG.copy()
    with_lead_off[6] = 0.0
    quality = signal_quality(with_lead_off, RATE)
    assert quality.leads[1].score > 0.7 > quality.leads[6].score
    assert quality.leads[6].flags


def test_noise_lowers_the_score():
    noise = np.random.default_rng(7).normal(0, 0.5, EKG.shape)
    assert signal_quality(EKG + noise, RATE).overall < signal_quality(EKG, RATE).overall
