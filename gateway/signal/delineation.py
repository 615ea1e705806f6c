"""Where each P wave, QRS complex and T wave begins, peaks and ends."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gateway.signal.filters import bridged, check_rate, filter_ekg

Samples = NDArray[np.int64]

_ABSENT = -1


@dataclass(frozen=True, slots=True)
class Delineation:
    """Onset, peak and offset of each wave of each beat, as sample indices; -1 where the wave is absent.

    Parameters
    ----------
    p_onset, p_peak, p_offset, qrs_onset, qrs_peak, qrs_offset, t_onset, t_peak, t_offset : (beats,) int64
    """

    p_onset: Samples
    p_peak: Samples
    p_offset: Samples
    qrs_onset: Samples
    qrs_peak: Samples
    qrs_offset: Samples
    t_onset: Samples
    t_peak: Samples
    t_offset: Samples


def _qrs_bounds(steep: NDArray[np.float64], peak: int, fs: float) -> tuple[int, int]:
    reach = round(0.12 * fs)
    low, high = max(peak - reach, 0), min(peak + reach + 1, len(steep))
    top = steep[max(peak - round(0.05 * fs), 0) : peak + round(0.05 * fs) + 1].max()
    calm = steep[low:high] < 0.08 * top
    hold = max(round(0.012 * fs), 1)
    calm = ndimage.minimum_filter1d(calm.astype(np.int8), hold) > 0
    before = np.flatnonzero(calm[: peak - low])
    after = np.flatnonzero(calm[peak - low :])
    return (low + int(before[-1]) if len(before) else low), (peak + int(after[0]) if len(after) else high - 1)


def _wave(x: NDArray[np.float64], low: int, high: int, floor: float, fs: float) -> tuple[int, int, int]:
    if high - low < round(0.05 * fs):
        return (_ABSENT,) * 3
    piece = x[low:high]
    chord = np.interp(np.arange(len(piece)), (0, len(piece) - 1), (piece[:3].mean(), piece[-3:].mean()))
    height = np.abs(piece - chord)
    peak = int(np.argmax(height))
    if height[peak] < floor:
        return (_ABSENT,) * 3
    under = height < 0.12 * height[peak]
    before, after = np.flatnonzero(under[:peak]), np.flatnonzero(under[peak:])
    onset = int(before[-1]) if len(before) else 0
    offset = peak + int(after[0]) if len(after) else len(piece) - 1
    return low + onset, low + peak, low + offset


def _delineate_lead(ekg: NDArray[np.float64], fs: float, r_peaks: Samples) -> NDArray[np.int64]:
    smooth = filter_ekg(ekg, fs, (0.5, 40), None)
    slow = filter_ekg(ekg, fs, (0.5, 15), None)
    steep = ndimage.uniform_filter1d(np.abs(np.gradient(smooth)), max(round(0.01 * fs), 1))
    rows = np.full((len(r_peaks), 9), _ABSENT, dtype=np.int64)
    bounds = [_qrs_bounds(steep, int(r), fs) for r in r_peaks]
    for i, r in enumerate(r_peaks):
        onset, offset = bounds[i]
        rows[i, 3:6] = onset, r, offset
        tall = float(np.ptp(smooth[onset : offset + 1]))
        rr_before = r - r_peaks[i - 1] if i else round(0.8 * fs)
        rr_after = r_peaks[i + 1] - r if i + 1 < len(r_peaks) else round(0.8 * fs)
        end = min(offset + round(min(0.5 * fs, 0.62 * rr_after)), len(slow))
        rows[i, 6:9] = _wave(slow, offset + round(0.03 * fs), end, 0.03 * tall, fs)
        start = max(onset - round(min(0.26 * fs, 0.35 * rr_before)), 0)
        rows[i, 0:3] = _wave(slow, start, onset, 0.015 * tall, fs)
    return rows


def _all_leads(by_lead: NDArray[np.int64]) -> NDArray[np.int64]:
    """(leads, beats, 9) joined: the median of each point over the leads that have the wave."""
    marks = np.where(by_lead < 0, np.nan, by_lead.astype(np.float64))
    absent = np.mean(np.isnan(marks), axis=0) > 0.5
    marks[:, absent] = 0
    return np.where(absent, _ABSENT, np.rint(np.nanmedian(marks, axis=0))).astype(np.int64)


def delineate(
    ekg_mv: NDArray[np.floating], sample_rate_hz: float, r_peaks: NDArray[np.integer]
) -> Delineation:
    """The waves of each beat, in one lead or over all leads together.

    Parameters
    ----------
    ekg_mv : (n,) or (leads, n) array, mV
        With several leads a beat has one onset and one offset for each wave, of all leads together.
    sample_rate_hz : float
    r_peaks : (beats,) array
        Rising sample indices, as of `detect_r_peaks`.

    Returns
    -------
    Delineation
        One entry a beat.

    Raises
    ------
    ValueError
        The sampling rate is not one, the array has more than two axes, or an R-peak lies outside of it.
    """
    check_rate(sample_rate_hz)
    peaks = np.asarray(r_peaks, dtype=np.int64)
    ekg = bridged(ekg_mv)
    if ekg.ndim not in {1, 2}:
        raise ValueError(f"an array of {ekg.ndim} axes; give (n,) or (leads, n)")
    if len(peaks) and (peaks.min() < 0 or peaks.max() >= ekg.shape[-1]):
        raise ValueError(f"an R-peak outside of the {ekg.shape[-1]} samples")
    if not ekg.size or not len(peaks):
        return Delineation(*(np.full(len(peaks), _ABSENT, dtype=np.int64) for _ in fields(Delineation)))
    rows = _all_leads(np.stack([_delineate_lead(lead, sample_rate_hz, peaks) for lead in np.atleast_2d(ekg)]))
    return Delineation(*(np.ascontiguousarray(rows[:, k]) for k in range(len(fields(Delineation)))))
