"""Where each P wave, QRS complex and T wave begins, peaks and ends.

A wave is a run of samples that `wave_network` holds for it; it begins and ends where the probability passes
half of its height, which is where an annotator's mark is as likely earlier as later. On records left out of
the training (75 of 100 of the Lobachevsky database, cross-validated by record), lead by lead: F1 P 97.4,
QRS 99.9, T 99.6; standard deviation of onset and offset P 14 and 13, QRS 10 and 11, T 24 and 23 ms. All
leads together: P -2 ± 12, PR -1 ± 11, QRS -5 ± 12, QT -1 ± 21 ms.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gateway.signal.filters import MONITOR_BAND_HZ, bridged, check_rate, filter_ekg
from gateway.signal.wave_network import NETWORK_RATE_HZ, QRS, P, T, Weights, wave_probabilities

Samples = NDArray[np.int64]
Array = NDArray[np.float64]

_ABSENT = -1
_P_REACH = 100  # samples at the network's rate before the QRS in which its P wave may begin
_T_REACH = 180
_QRS_REACH = 25
_SAME_RUN = 4


class _Evidence(NamedTuple):
    """What a run of probability needs to count as a wave."""

    floor: float
    mass: float  # summed probability, in samples: about half of the shortest wave


_EVIDENCE = {P: _Evidence(0.2, 2.5), QRS: _Evidence(0.2, 2.0), T: _Evidence(0.2, 4.0)}

# Onset is the earliest, offset the latest of what the leads say, but for outliers.
_ONSET_QUANTILE, _OFFSET_QUANTILE = 0.06, 0.94
_SHARE_OF_LEADS = 0.4
# In a rhythm this irregular (root mean square of the RR differences over the mean RR), P waves that are this
# doubtful on the mean are taken for the fibrillating atrium's.
_IRREGULAR = 0.1
_DOUBTFUL_P = 0.6


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


class _Wave(NamedTuple):
    onset: float
    offset: float


def _crossing(probability: Array, start: int, step: int, level: float) -> float:
    """Where the probability falls to `level`, going from `start`; between two samples."""
    here = start
    while 0 <= here + step < len(probability) and probability[here + step] >= level:
        here += step
    beyond = here + step
    if not 0 <= beyond < len(probability):
        return float(here)
    fall = (probability[here] - level) / max(probability[here] - probability[beyond], 1e-9)
    return float(here + step * fall)


def _wave(probability: Array, low: int, high: int, needed: _Evidence) -> _Wave | None:
    """The heaviest run of probability that begins in [low, high)."""
    piece = probability[max(low, 0) : max(high, 0)]
    held = np.flatnonzero(piece >= needed.floor)
    if not len(held):
        return None
    runs = np.split(held, np.flatnonzero(np.diff(held) > _SAME_RUN) + 1)
    run = max(runs, key=lambda run: float(piece[run].sum()))
    if piece[run].sum() < needed.mass:
        return None
    level = 0.5 * float(piece[run].max())
    core = max(low, 0) + run[piece[run] >= level]
    return _Wave(
        _crossing(probability, int(core[0]), -1, level), _crossing(probability, int(core[-1]), 1, level)
    )


def _peak(lead: Array, wave: _Wave) -> int:
    """Where the lead is farthest from the line between the wave's ends."""
    start = max(int(wave.onset), 0)
    piece = lead[start : int(wave.offset) + 2]
    return start + int(np.argmax(np.abs(piece - np.linspace(piece[0], piece[-1], len(piece)))))


def _qrs_complexes(probability: Array, r_peaks: Array) -> list[_Wave | None]:
    return [_wave(probability, int(r) - _QRS_REACH, int(r) + _QRS_REACH + 1, _EVIDENCE[QRS]) for r in r_peaks]


def _irregular(r_peaks: Array) -> bool:
    rr = np.diff(r_peaks)
    return len(rr) > 2 and float(np.sqrt(np.mean(np.diff(rr) ** 2))) > _IRREGULAR * float(rr.mean())


def _fibrillating(marks: Array, p_probability: Array, r_peaks: Array) -> bool:
    """Whether the P waves of an irregular rhythm, all beats together, are too doubtful to be any."""
    if not _irregular(r_peaks):
        return False
    beats = marks[np.isfinite(marks[:, 3])]
    certainty = [
        0.0 if np.isnan(onset) else float(p_probability[max(int(onset), 0) : int(offset) + 1].max())
        for onset, offset in beats[:, [0, 2]]
    ]
    return bool(certainty) and float(np.mean(certainty)) < _DOUBTFUL_P


def _lead_marks(lead: Array, r_peaks: Array, weights: Weights | None) -> Array:
    """(beats, 9) marks at the network's rate, NaN where a wave is absent."""
    probability = wave_probabilities(lead, r_peaks, weights)
    complexes = _qrs_complexes(probability[:, QRS], r_peaks)
    bounds = [
        (int(qrs.onset), int(qrs.offset)) if qrs else (int(r), int(r))
        for qrs, r in zip(complexes, r_peaks, strict=True)
    ]
    previous = [0] + [offset for _, offset in bounds[:-1]]
    following = [onset for onset, _ in bounds[1:]] + [len(lead)]
    marks = np.full((len(r_peaks), 9), np.nan)
    for row, qrs, r, before, after in zip(marks, complexes, r_peaks, previous, following, strict=True):
        if qrs is None:
            continue
        row[3:6] = qrs.onset, r, qrs.offset
        onset, offset = int(qrs.onset), int(qrs.offset)
        p = _wave(probability[:, P], max(before, onset - _P_REACH), onset + 1, _EVIDENCE[P])
        t = _wave(probability[:, T], offset, min(after, offset + _T_REACH), _EVIDENCE[T])
        for wave, first in ((p, 0), (t, 6)):
            if wave is not None:
                row[first : first + 3] = wave.onset, _peak(lead, wave), wave.offset
    if _fibrillating(marks, probability[:, P], r_peaks):
        marks[:, :3] = np.nan
    return marks


def _all_leads(by_lead: Array) -> Array:
    """(leads, beats, 9) joined into (beats, 9): a wave is there if enough leads show it."""
    rows = np.full(by_lead.shape[1:], np.nan)
    quantiles = (_ONSET_QUANTILE, 0.5, _OFFSET_QUANTILE)
    for first in (0, 3, 6):
        there = np.isfinite(by_lead[:, :, first]).mean(axis=0) >= _SHARE_OF_LEADS
        for point, quantile in enumerate(quantiles):
            column = by_lead[:, there, first + point]
            if column.size:
                rows[there, first + point] = np.nanquantile(column, quantile, axis=0)
    return rows


def delineate(
    ekg_mv: NDArray[np.floating],
    sample_rate_hz: float,
    r_peaks: NDArray[np.integer],
    weights: Weights | None = None,
) -> Delineation:
    """The waves of each beat, in one lead or over all leads together.

    Parameters
    ----------
    ekg_mv : (n,) or (leads, n) array, mV
        NaN where there is no signal. With several leads a beat has one onset and one offset for each wave:
        the earliest and the latest over the leads, but for outliers.
    sample_rate_hz : float
    r_peaks : (beats,) array
        Rising sample indices, as of `detect_r_peaks`. One where no QRS is seen has no wave at all.
    weights : mapping, optional
        Of the network, to judge others than those that come with the package.

    Returns
    -------
    Delineation
        One entry a beat; `qrs_peak` is the R-peak given.

    Raises
    ------
    ValueError
        The sampling rate is not one, the array has more than two axes, or an R-peak lies outside of it.
    """
    check_rate(sample_rate_hz)
    peaks = np.asarray(r_peaks, dtype=np.int64)
    leads = np.atleast_2d(bridged(ekg_mv))
    if leads.ndim > 2:
        raise ValueError(f"an array of {leads.ndim} axes; give (n,) or (leads, n)")
    n = leads.shape[-1]
    if len(peaks) and (peaks.min() < 0 or peaks.max() >= n):
        raise ValueError(f"an R-peak outside of the {n} samples")
    if not leads.size or not len(peaks) or n < 4:
        return Delineation(*(np.full(len(peaks), _ABSENT, dtype=np.int64) for _ in fields(Delineation)))
    to_network = NETWORK_RATE_HZ / sample_rate_hz
    smooth = CubicSpline(
        np.arange(n) * to_network, filter_ekg(leads, sample_rate_hz, MONITOR_BAND_HZ), axis=-1
    )
    resampled = smooth(np.arange(int((n - 1) * to_network) + 1))
    at = np.asarray(peaks * to_network, dtype=np.float64)
    marks = np.stack([_lead_marks(np.asarray(lead), at, weights) for lead in resampled])
    joined = np.rint(_all_leads(marks) / to_network)
    rows = np.where(np.isnan(joined), _ABSENT, np.clip(joined, 0, n - 1)).astype(np.int64)
    rows[:, 4] = np.where(rows[:, 4] >= 0, peaks, _ABSENT)
    return Delineation(*(np.ascontiguousarray(column) for column in rows.T))
