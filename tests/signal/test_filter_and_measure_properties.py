"""What must hold for any EKG: filters, quality and measures scaled, inverted, shifted, resampled, cut."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from gateway.signal import filter_ekg, measure_ekg, signal_quality
from gateway.signal.filters import remove_baseline
from gateway.signal.muscle import remove_muscle
from gateway.testing.synthetic_ekg import synthetic_recording

Array = NDArray[np.float64]
Heart = Callable[..., Array]
RATE_HZ = 500.0
RECORDING = synthetic_recording(heart_rate_bpm=75.0, sample_rate_hz=RATE_HZ)
EKG = RECORDING.samples_mv + np.random.default_rng(5).normal(0, 0.005, RECORDING.samples_mv.shape)
FILTERS: dict[str, Callable[[Array], Array]] = {
    "monitor": lambda ekg: filter_ekg(ekg, RATE_HZ),
    "mains": lambda ekg: filter_ekg(ekg, RATE_HZ, (None, None), 50),
    "baseline": lambda ekg: remove_baseline(ekg, RATE_HZ),
    "muscle": lambda ekg: remove_muscle(ekg, RATE_HZ),
}


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=4, deadline=None)
@given(gain=st.floats(0.1, 10), upside_down=st.booleans())
def test_a_filter_scales_and_inverts_with_its_signal(name: str, *, gain: float, upside_down: bool) -> None:
    factor = -gain if upside_down else gain
    apply = FILTERS[name]
    np.testing.assert_allclose(apply(factor * EKG[1]), factor * apply(EKG[1]), atol=1e-9 * gain)


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=4, deadline=None)
@given(start=st.integers(0, 800))
def test_a_filter_does_the_same_wherever_the_recording_begins(name: str, start: int) -> None:
    whole, part = FILTERS[name](EKG[1]), FILTERS[name](EKG[1, start:])
    inside = slice(1500, 3500)
    assert np.abs(whole[start:][inside] - part[inside]).max() < 0.01


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_does_the_same_to_each_lead_of_any_array(name: str) -> None:
    stacked = FILTERS[name](np.stack([EKG[:3], EKG[3:6]]))
    for i, block in enumerate((EKG[:3], EKG[3:6])):
        for lead, filtered in zip(block, stacked[i], strict=True):
            np.testing.assert_allclose(filtered, FILTERS[name](lead), atol=0.002)


@pytest.mark.parametrize("name", FILTERS)
def test_two_recordings_one_after_the_other_are_filtered_as_each_alone(name: str) -> None:
    apply = FILTERS[name]
    joined = apply(np.concatenate((EKG[1], EKG[1])))
    assert np.abs(joined[1500:3500] - apply(EKG[1])[1500:3500]).max() < 0.01


def test_filtering_and_resampling_commute() -> None:
    doubled = signal.resample_poly(EKG[1], 2, 1)
    one, other = filter_ekg(EKG[1], RATE_HZ), filter_ekg(doubled, 2 * RATE_HZ)[::2]
    assert np.abs(one - other)[500:-500].max() < 0.02


@pytest.mark.parametrize("factor", [0.1, 10.0, -1.0])
def test_quality_is_that_of_the_shape_not_of_the_size(factor: float) -> None:
    noisy = EKG[1] + np.random.default_rng(6).normal(0, 0.05, EKG.shape[1])
    one, other = signal_quality(noisy, RATE_HZ), signal_quality(factor * noisy, RATE_HZ)
    assert other.leads[0].per_second == pytest.approx(one.leads[0].per_second, abs=1e-6)


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_measures_are_the_same_at_any_gain(gain: float) -> None:
    one = measure_ekg(EKG, RATE_HZ, RECORDING.leads)
    other = measure_ekg(gain * EKG, RATE_HZ, RECORDING.leads)
    assert other.heart_rate_bpm == one.heart_rate_bpm
    assert other.intervals_ms == one.intervals_ms
    assert other.axes_deg.qrs == pytest.approx(one.axes_deg.qrs)
    assert [f.code for f in other.rhythm.findings] == [f.code for f in one.rhythm.findings]


def test_an_ekg_turned_over_has_its_axis_turned_by_half_a_circle() -> None:
    one, other = (measure_ekg(each, RATE_HZ, RECORDING.leads).axes_deg.qrs for each in (EKG, -EKG))
    assert one is not None
    assert other is not None
    assert abs(abs(one - other) - 180) < 10


@pytest.mark.parametrize("rate_hz", [250, 1000])
def test_measures_are_the_same_at_any_rate(rate_hz: int) -> None:
    resampled = signal.resample_poly(EKG, rate_hz, 500, axis=1)
    one = measure_ekg(EKG, RATE_HZ, RECORDING.leads)
    other = measure_ekg(resampled, float(rate_hz), RECORDING.leads)
    assert other.heart_rate_bpm == pytest.approx(one.heart_rate_bpm, abs=0.3)
    assert other.intervals_ms.qt == pytest.approx(one.intervals_ms.qt, abs=12)
    assert other.axes_deg.qrs == pytest.approx(one.axes_deg.qrs, abs=8)
