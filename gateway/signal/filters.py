"""Zero-phase filters for a whole recording. Their streaming counterparts are in `streaming_filters`.

Two bands have names in the field: `MONITOR_BAND_HZ` to see a rhythm, `DIAGNOSTIC_BAND_HZ` to judge a wave's
shape. Run forwards and backwards, a filter moves no wave in time, and AHA/ACC/HRS then allow a high-pass up
to 0.67 Hz where a causal one may not exceed 0.05 Hz [1]_.

References
----------
.. [1] Kligfield et al., Circulation 115:1306-1324, 2007, sections on low- and high-frequency filtering.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from gateway.signal.mains import find_mains, remove_mains

MONITOR_BAND_HZ = (0.5, 40.0)
DIAGNOSTIC_BAND_HZ = (0.05, 150.0)
ZERO_PHASE_BASELINE_HZ = 0.67

Mains = Literal["auto", 50, 60] | float | None

_ORDER = 2
# Two passes are 6 dB down at the filter's own cutoff; moved by this, they are 3 dB down where asked.
_TWO_PASSES = (np.sqrt(2) - 1) ** (1 / (2 * _ORDER))


def check_rate(sample_rate_hz: float) -> None:
    """Refuses a sampling rate that is not a positive number.

    Raises
    ------
    ValueError
    """
    if not (np.isfinite(sample_rate_hz) and sample_rate_hz > 0):
        raise ValueError(f"a sampling rate of {sample_rate_hz} Hz; it must be a positive number")


def check_band(band_hz: tuple[float | None, float | None]) -> None:
    """Refuses a band whose edges are not two rising positive frequencies.

    Raises
    ------
    ValueError
    """
    low, high = band_hz
    if any(edge is not None and edge <= 0 for edge in band_hz) or (low and high and low >= high):
        raise ValueError(f"a band from {low} to {high} Hz; give two rising positive frequencies")


def bridged(ekg_mv: NDArray[np.floating]) -> NDArray[np.float64]:
    """A copy with straight lines where there is no signal (NaN), level at the ends; zeros if there is none.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV
    """
    ekg = np.array(ekg_mv, dtype=np.float64)
    for lead in ekg.reshape(-1, ekg.shape[-1]) if ekg.size else ():
        there = np.isfinite(lead)
        if there.all():
            continue
        known = np.flatnonzero(there)
        lead[~there] = np.interp(np.flatnonzero(~there), known, lead[known]) if len(known) else 0.0
    return ekg


def _both_ways(
    ekg: NDArray[np.float64], cutoff_hz: float, kind: Literal["highpass", "lowpass"], sample_rate_hz: float
) -> NDArray[np.float64]:
    moved = cutoff_hz * _TWO_PASSES if kind == "highpass" else cutoff_hz / _TWO_PASSES
    if moved >= 0.5 * sample_rate_hz:
        return ekg
    sos = signal.butter(_ORDER, moved, kind, fs=sample_rate_hz, output="sos")
    padding = min(ekg.shape[-1] - 1, round(2 * sample_rate_hz / cutoff_hz))
    return np.asarray(signal.sosfiltfilt(sos, ekg, axis=-1, padlen=padding))


def remove_baseline(
    ekg_mv: NDArray[np.floating], sample_rate_hz: float, cutoff_hz: float = ZERO_PHASE_BASELINE_HZ
) -> NDArray[np.float64]:
    """Baseline wander removed without moving a wave.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV, without NaN
    sample_rate_hz : float
    cutoff_hz : float
        3 dB down here, both passes together.

    Returns
    -------
    (..., n) array, mV
    """
    ekg = np.asarray(ekg_mv, dtype=np.float64)
    return ekg.copy() if ekg.shape[-1] < 2 else _both_ways(ekg, cutoff_hz, "highpass", sample_rate_hz)


def filter_ekg(
    ekg_mv: NDArray[np.floating],
    sample_rate_hz: float,
    band_hz: tuple[float | None, float | None] = MONITOR_BAND_HZ,
    mains_hz: Mains = "auto",
) -> NDArray[np.float64]:
    """The recording within a band, without the mains, no wave moved in time.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV
        Last axis is time. NaN means no signal: it stays NaN, and nothing of it reaches its neighbours.
    sample_rate_hz : float
    band_hz : (low, high)
        Each 3 dB down. None leaves that side open; a `high` beyond what the rate carries does as well.
    mains_hz : 50, 60, "auto" or None
        ``"auto"`` removes what `find_mains` finds, None leaves it alone.

    Returns
    -------
    (..., n) array, mV

    Raises
    ------
    ValueError
        The sampling rate or the band is not one.

    Notes
    -----
    Distortion at 1000 Hz, of a triangular R of 1.5 mV, by its width at the base, and of the impulse of
    IEC 60601-2-25, 3 mV for 100 ms, from 50 ms after its end on (permitted: a shift of 0.1 mV, and a slope of
    0.3 mV/s in the next 200 ms):

    ==============  ================================  ================  ==============
    band            loss of R of 20, 40, 100, 200 ms  shift by impulse  slope after it
    ==============  ================================  ================  ==============
    0.05 to 150 Hz  5.4 %, 2.8 %, 1.5 %, 1.5 %        0.027 mV          0.0005 mV/s
    0.67 to 150 Hz  6.5 %, 5.0 %, 7.0 %, 12 %         0.34 mV           0.55 mV/s
    0.5 to 40 Hz    27 %, 13 %, 8.9 %, 11 %           0.26 mV           0.28 mV/s
    ==============  ================================  ================  ==============

    So the monitor band is for rhythm; amplitudes and the ST segment are read in the diagnostic one.
    """
    check_rate(sample_rate_hz)
    check_band(band_hz)
    low, high = band_hz
    ekg = bridged(ekg_mv)
    if ekg.shape[-1] < 2:
        return ekg
    line_hz = find_mains(ekg, sample_rate_hz) if mains_hz == "auto" else mains_hz
    if line_hz is not None:
        ekg = remove_mains(ekg, sample_rate_hz, float(line_hz))
    if low is not None:
        ekg = _both_ways(ekg, low, "highpass", sample_rate_hz)
    if high is not None:
        ekg = _both_ways(ekg, high, "lowpass", sample_rate_hz)
    return np.where(np.isnan(ekg_mv), np.nan, ekg)
