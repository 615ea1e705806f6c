"""What each band does to the standards' test signals: the figures that the docstrings state."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.signal import filter_ekg
from gateway.signal.streaming_filters import filter_ekg_causal

Array = NDArray[np.float64]
Filter = Callable[[Array, float, tuple[float, float], None], Array]
RATE_HZ = 1000.0
WIDTHS_MS = (20, 40, 100, 200)
SHIFT_LIMIT_MV, SLOPE_LIMIT_MV_S = 0.1, 0.3  # IEC 60601-2-25

# Filter, band, loss of R in percent for each width, shift in mV, slope in mV/s.
STATED = [
    (filter_ekg, (0.05, 150), (5.4, 2.8, 1.5, 1.5), 0.027, 0.0005),
    (filter_ekg, (0.67, 150), (6.5, 5.0, 7.0, 12), 0.34, 0.55),
    (filter_ekg, (0.5, 40), (27, 13, 8.9, 11), 0.26, 0.28),
    (filter_ekg_causal, (0.05, 150), (6.8, 3.6, 2.1, 2.2), 0.09, 0.03),
    (filter_ekg_causal, (0.05, 40), (27, 14, 6.1, 4.2), 0.09, 0.03),
    (filter_ekg_causal, (0.5, 40), (28, 16, 13, 17), 0.71, 2.2),
]


def triangle(width_ms: int) -> Array:
    ekg, half = np.zeros(20_000), width_ms // 2
    ekg[10_000 - half : 10_001 + half] = 1.5 * (1 - np.abs(np.arange(-half, half + 1)) / half)
    return ekg


def after_impulse(apply: Filter, band_hz: tuple[float, float]) -> Array:
    """From 50 ms after the end of 3 mV for 100 ms."""
    impulse = np.zeros(40_000)
    impulse[20_000:20_100] = 3.0
    return apply(impulse, RATE_HZ, band_hz, None)[20_150:]


@pytest.mark.parametrize(("apply", "band_hz", "losses", "shift", "slope"), STATED)
def test_an_r_wave_loses_what_is_stated(
    apply: Filter, band_hz: tuple[float, float], losses: tuple[float, ...], shift: float, slope: float
) -> None:
    found = [100 * (1 - apply(triangle(width), RATE_HZ, band_hz, None).max() / 1.5) for width in WIDTHS_MS]
    assert found == pytest.approx(losses, rel=0.05)


@pytest.mark.parametrize(("apply", "band_hz", "losses", "shift", "slope"), STATED)
def test_an_st_segment_is_moved_by_what_is_stated(
    apply: Filter, band_hz: tuple[float, float], losses: tuple[float, ...], shift: float, slope: float
) -> None:
    after = after_impulse(apply, band_hz)
    assert np.abs(after).max() == pytest.approx(shift, rel=0.1)
    assert np.abs(np.diff(after[:200])).max() * RATE_HZ == pytest.approx(slope, rel=0.1)


@pytest.mark.parametrize(
    ("apply", "band_hz"),
    [(filter_ekg, (0.05, 150)), (filter_ekg_causal, (0.05, 150)), (filter_ekg_causal, (0.05, 40))],
)
def test_a_band_for_the_st_segment_is_within_the_standards_limits(
    apply: Filter, band_hz: tuple[float, float]
) -> None:
    after = after_impulse(apply, band_hz)
    assert np.abs(after).max() <= SHIFT_LIMIT_MV
    assert np.abs(np.diff(after[:200])).max() * RATE_HZ <= SLOPE_LIMIT_MV_S
