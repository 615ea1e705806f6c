"""A heart whose every wave is known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Heart = Callable[..., NDArray[np.float64]]

# Centre in ms from the R-peak, half width at base in ms, height in mV. QRS lasts from -44 to 44 ms.
_P_CENTRE, _P_HALF = -160, 50
_WAVES = ((-28, 16, -0.1), (0, 20, 1.2), (28, 16, -0.25), (280, 90, 0.3))


def heart(
    sample_rate_hz: float = 500.0, seconds: float = 10.0, rr_ms: float = 800.0, p_mv: float = 0.15
) -> NDArray[np.float64]:
    """One lead, (n,) mV: raised cosines; R-peaks from 500 ms on; 5 µV of noise, always the same."""
    ms = np.arange(round(seconds * sample_rate_hz)) * 1000 / sample_rate_hz
    ekg = np.random.default_rng(3).normal(0, 0.005, len(ms))
    for r in np.arange(500, 1000 * seconds, rr_ms):
        for centre, half, height in ((_P_CENTRE, _P_HALF, p_mv), *_WAVES):
            away = np.abs(ms - r - centre) / half
            ekg += np.where(away < 1, height * 0.5 * (1 + np.cos(np.pi * np.minimum(away, 1))), 0)
    return ekg


@pytest.fixture(name="heart")
def heart_maker() -> Heart:
    return heart
