"""What filtering takes from a recording, and what it leaves."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.signal import filter_ekg
from gateway.signal.filters import remove_baseline
from gateway.signal.mains import find_mains, remove_mains
from gateway.signal.muscle import remove_muscle

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


def test_a_lead_of_zeros_beside_one_with_mains_stays_zero(heart: Heart) -> None:
    leads = np.stack([heart() + line(50, 0.2), np.zeros(5000)])
    np.testing.assert_array_equal(filter_ekg(leads, RATE_HZ)[1], 0)
    np.testing.assert_array_equal(remove_mains(leads[1], RATE_HZ, 50), 0)


def test_a_qrs_without_mains_is_left_as_it_was(heart: Heart) -> None:
    assert np.abs(remove_mains(heart(), RATE_HZ, 50) - heart()).max() < 0.01


def test_no_wave_moves_in_time(heart: Heart) -> None:
    assert np.argmax(filter_ekg(heart(), RATE_HZ)[:600]) == 250


def test_baseline_wander_goes(heart: Heart) -> None:
    wander = 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(5000) / RATE_HZ)
    kept = remove_baseline(heart() + wander, RATE_HZ) - remove_baseline(heart(), RATE_HZ)
    assert np.abs(kept[1000:-1000]).max() < 0.05


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


def between_qrs(heart: NDArray[np.float64]) -> NDArray[np.bool_]:
    """At least 120 ms from every R of the known heart."""
    ms = (np.arange(len(heart)) * 1000 / RATE_HZ - 500) % 800
    return np.asarray((ms > 120) & (ms < 680))


def test_muscle_noise_sinks_to_a_third_between_the_qrs_complexes(heart: Heart) -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 5000)
    left = (remove_muscle(heart() + noise, RATE_HZ) - heart())[between_qrs(heart())]
    assert left.std() < 0.36 * noise.std()


def test_the_muscle_filter_leaves_a_qrs_its_height(heart: Heart) -> None:
    triangles = np.zeros(10_000)
    for middle in range(500, 10_000, 800):
        triangles[middle - 20 : middle + 21] = 1.5 * (1 - np.abs(np.arange(-20, 21)) / 20)
    assert np.abs(remove_muscle(triangles, 1000.0) - triangles).max() < 0.01 * 1.5


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 3, 40), (2, 2000)])
def test_the_muscle_filter_keeps_any_shape_and_its_gaps(shape: tuple[int, ...]) -> None:
    ekg = np.zeros(shape)
    ekg[..., 10:20] = np.nan
    np.testing.assert_array_equal(np.isnan(remove_muscle(ekg, RATE_HZ)), np.isnan(ekg))
