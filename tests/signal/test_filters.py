"""What filtering takes from a recording, and what it leaves."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.signal import filter_ekg
from gateway.signal.filters import DIAGNOSTIC_BAND_HZ, remove_baseline
from gateway.signal.mains import find_mains, remove_mains
from gateway.signal.streaming_filters import EkgFilterStream, filter_ekg_causal

Heart = Callable[..., NDArray[np.float64]]
RATE_HZ = 500.0


def line(hz: float, amplitude_mv: float, samples: int = 5000) -> NDArray[np.float64]:
    return np.asarray(amplitude_mv * np.sin(2 * np.pi * hz * np.arange(samples) / RATE_HZ + 0.4))


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_the_mains_is_found_by_itself(heart: Heart, mains_hz: float) -> None:
    assert find_mains(heart() + line(mains_hz, 0.02), RATE_HZ) == mains_hz


def test_no_mains_is_found_where_there_is_none(heart: Heart) -> None:
    assert find_mains(heart(), RATE_HZ) is None


@pytest.mark.parametrize("hz", [49.8, 50.0, 60.0, 60.1])
def test_the_mains_goes_and_the_qrs_does_not_ring(heart: Heart, hz: float) -> None:
    clean = remove_mains(heart() + line(hz, 0.2), RATE_HZ, round(hz, -1))
    inside = slice(250, -250)
    assert np.abs(clean - heart())[inside].max() < 0.02


def test_a_qrs_without_mains_is_left_as_it_was(heart: Heart) -> None:
    assert np.abs(remove_mains(heart(), RATE_HZ, 50) - heart()).max() < 0.01


def test_no_wave_moves_in_time(heart: Heart) -> None:
    assert np.argmax(filter_ekg(heart(), RATE_HZ)[:600]) == 250


def test_baseline_wander_goes(heart: Heart) -> None:
    wander = 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(5000) / RATE_HZ)
    kept = remove_baseline(heart() + wander, RATE_HZ) - remove_baseline(heart(), RATE_HZ)
    assert np.abs(kept[1000:-1000]).max() < 0.05


def test_the_diagnostic_band_keeps_the_r_amplitude_of_the_standard_triangle() -> None:
    triangle = np.zeros(10_000)
    triangle[4980:5021] = 1.5 * (1 - np.abs(np.arange(-20, 21)) / 20)
    assert filter_ekg(triangle, 1000.0, DIAGNOSTIC_BAND_HZ, None).max() > 0.97 * 1.5


def test_a_causal_high_pass_passes_the_standard_impulse_within_the_limits() -> None:
    impulse = np.zeros(20_000)
    impulse[10_000:10_100] = 3.0
    after = filter_ekg_causal(impulse, 1000.0, DIAGNOSTIC_BAND_HZ, None)[10_130:12_000]
    assert np.abs(after).max() <= 0.1
    assert np.abs(np.diff(after)).max() * 1000 <= 0.3


def test_a_gap_stays_a_gap_and_spoils_nothing_else(heart: Heart) -> None:
    ekg = heart()
    ekg[2000:2500] = np.nan
    filtered = filter_ekg(ekg, RATE_HZ)
    assert np.isnan(filtered).nonzero()[0].tolist() == list(range(2000, 2500))


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (2, 3, 40)])
def test_any_shape_comes_back_as_it_was(shape: tuple[int, ...]) -> None:
    assert filter_ekg(np.zeros(shape), RATE_HZ).shape == shape


@pytest.mark.parametrize("band_hz", [(40, 0.5), (-1, 40), (0, 40)])
def test_what_is_no_band_is_refused(band_hz: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="rising positive"):
        filter_ekg(np.zeros(1000), RATE_HZ, band_hz)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.sampled_from([None, "auto", 50]))
def test_a_stream_gives_the_same_however_it_is_cut(cuts: list[int], mains_hz: object) -> None:
    ekg = np.random.default_rng(1).normal(size=(2, 3000)).cumsum(axis=1) / 50
    ekg[:, 700:900] = np.nan
    stream = EkgFilterStream(RATE_HZ, mains_hz=mains_hz)  # type: ignore[arg-type]  # three of its literals
    parts = [stream.feed(part) for part in np.split(ekg, np.minimum(np.cumsum(cuts), 3000), axis=1)]
    whole = filter_ekg_causal(ekg, RATE_HZ, mains_hz=mains_hz)  # type: ignore[arg-type]  # as above
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_a_lost_stretch_told_is_the_same_as_fed(heart: Heart) -> None:
    told, fed = EkgFilterStream(RATE_HZ), EkgFilterStream(RATE_HZ)
    told.feed(heart()[:2000])
    fed.feed(heart()[:2000])
    told.gap(300)
    fed.feed(np.full(300, np.nan))
    np.testing.assert_array_equal(told.feed(heart()[2300:]), fed.feed(heart()[2300:]))


def test_a_stream_finds_the_mains_and_removes_it(heart: Heart) -> None:
    kept = filter_ekg_causal(heart() + line(50, 0.2), RATE_HZ) - filter_ekg_causal(heart(), RATE_HZ)
    assert np.abs(kept[2000:]).max() < 0.03
