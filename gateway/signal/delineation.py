"""Where each P wave, QRS complex and T wave begins, peaks and ends.

A wave is a run of samples that `wave_network` holds for it; it begins and ends where the probability passes
half of its height, which is where an annotator's mark is as likely earlier as later.

Judged on the Lobachevsky database, each of 100 records by one net that never saw it
(``benchmarks/delineation``), lead by lead: F1 P 98.6, QRS 99.85, T 99.7; standard deviation of onset and
offset P 13.3 and 11.7, QRS 9.9 and 10.4, T 23.8 and 23.3 ms. All leads together: P -1.8 ± 11.9, PR -1.2
± 9.1, QRS -0.1 ± 11.8, QT -0.6 ± 19.2 ms; the QRS of paced hearts is the worst. In atrial fibrillation of
the MIT-BIH database 9 of 7014 beats were given a P wave. One that lies in the T wave before it, as in
fast hearts, is seldom found.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gateway.signal.filters import MONITOR_BAND_HZ, bridged, check_rate, filter_ekg
from gateway.signal.wave_network import NETWORK_RATE_HZ, QRS, P, T, Weights, sharpness, wave_probabilities

Samples = NDArray[np.int64]
Array = NDArray[np.float64]

_ABSENT = -1
_P_REACH = 100  # samples at the network's rate before the QRS in which its P wave may begin
_T_REACH = 180
_QRS_REACH = 25
_SAME_RUN = 4
_FLAT_MV = 0.001


class _Evidence(NamedTuple):
    """What a run of probability needs to count as a wave."""

    floor: float
    mass: float  # summed probability, in samples: about half of the shortest wave


_EVIDENCE = {P: _Evidence(0.2, 2.5), QRS: _Evidence(0.2, 2.0), T: _Evidence(0.2, 4.0)}

# Over all leads a wave lies where at least this many, by the sum of their probabilities, are within it:
# between the second earliest onset and the second latest offset, so that one lead's slip moves nothing; with
# few leads, between the earliest and the latest.
_LEADS_AT_THE_ENDS, _AT_THE_ENDS_OF_FEW, _FEW = 2.0, 0.5, 3
# P waves less certain than this on the mean are none: what the nets make out in noise stays below, and in a
# rhythm this irregular (root mean square of the RR differences over the mean RR) what they make of the
# fibrillating atria.
_CERTAIN_P, _CERTAIN_P_IF_IRREGULAR = 0.6, 0.75
_IRREGULAR = 0.1


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
    certainty: float


class _Seen(NamedTuple):
    """(n, 4) each: what speaks for a wave at each sample, and how probably it lies within the wave's ends."""

    evidence: Array
    within: Array


def _seen(by_lead: Array) -> _Seen:
    """Of (leads, n, 4): whether a wave is there all leads say together, where it ends the outermost."""
    if len(by_lead) == 1:
        return _Seen(by_lead[0], by_lead[0])
    at_the_ends = _AT_THE_ENDS_OF_FEW if len(by_lead) <= _FEW else _LEADS_AT_THE_ENDS
    return _Seen(by_lead.mean(axis=0), np.minimum(by_lead.sum(axis=0) / (2 * at_the_ends), 1))


def _crossing(within: Array, start: int, step: int, level: float) -> float:
    """Where the probability falls to `level`, going from `start`; between two samples."""
    here = start
    while 0 <= here + step < len(within) and within[here + step] >= level:
        here += step
    beyond = here + step
    if not 0 <= beyond < len(within):
        return float(here)
    fall = (within[here] - level) / max(within[here] - within[beyond], 1e-9)
    return float(here + step * fall)


def _wave(seen: _Seen, kind: int, low: int, high: int) -> _Wave | None:
    """The heaviest run of evidence that begins in [low, high)."""
    needed, low, high = _EVIDENCE[kind], max(low, 0), max(high, 0)
    evidence, within = seen.evidence[low:high, kind], seen.within[:, kind]
    held = np.flatnonzero(evidence >= needed.floor)
    if not len(held):
        return None
    runs = np.split(held, np.flatnonzero(np.diff(held) > _SAME_RUN) + 1)
    run = max(runs, key=lambda run: float(evidence[run].sum()))
    if evidence[run].sum() < needed.mass:
        return None
    level = 0.5 * float(within[low + run].max())
    core = low + run[within[low + run] >= level]
    ends = _crossing(within, int(core[0]), -1, level), _crossing(within, int(core[-1]), 1, level)
    return _Wave(*ends, float(evidence[run].max()))


def _peak(leads: Array, wave: _Wave) -> int:
    """Where the leads are farthest from the lines between the wave's ends."""
    start = max(int(wave.onset), 0)
    piece = leads[:, start : int(wave.offset) + 2]
    lines = np.linspace(piece[:, 0], piece[:, -1], piece.shape[1], axis=1)
    return start + int(np.argmax(np.square(piece - lines).sum(axis=0)))


def _irregular(r_peaks: Array) -> bool:
    rr = np.diff(r_peaks)
    return len(rr) > 2 and float(np.sqrt(np.mean(np.diff(rr) ** 2))) > _IRREGULAR * float(rr.mean())


def _marks(leads: Array, seen: _Seen, r_peaks: Array) -> Array:
    """(beats, 9) marks at the network's rate, NaN where a wave is absent."""
    complexes = [_wave(seen, QRS, int(r) - _QRS_REACH, int(r) + _QRS_REACH + 1) for r in r_peaks]
    bounds = [
        (int(qrs.onset), int(qrs.offset)) if qrs else (int(r), int(r))
        for qrs, r in zip(complexes, r_peaks, strict=True)
    ]
    previous = [0] + [offset for _, offset in bounds[:-1]]
    following = [onset for onset, _ in bounds[1:]] + [leads.shape[1]]
    marks, p_certainty = np.full((len(r_peaks), 9), np.nan), []
    for row, qrs, r, before, after in zip(marks, complexes, r_peaks, previous, following, strict=True):
        if qrs is None:
            continue
        row[3:6] = qrs.onset, r, qrs.offset
        onset, offset = int(qrs.onset), int(qrs.offset)
        p = _wave(seen, P, max(before, onset - _P_REACH), onset + 1)
        t = _wave(seen, T, offset, min(after, offset + _T_REACH))
        p_certainty += [p.certainty] if p else []
        for wave, first in ((p, 0), (t, 6)):
            if wave is not None:
                row[first : first + 3] = wave.onset, _peak(leads, wave), wave.offset
    needed = _CERTAIN_P_IF_IRREGULAR if _irregular(r_peaks) else _CERTAIN_P
    if p_certainty and float(np.mean(p_certainty)) < needed:
        marks[:, :3] = np.nan
    return marks


def _nothing(beats: int) -> Delineation:
    return Delineation(*(np.full(beats, _ABSENT, dtype=np.int64) for _ in fields(Delineation)))


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
        the second earliest and the second latest over the leads; of three leads or fewer, the earliest and
        the latest.
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
        return _nothing(len(peaks))
    to_network = NETWORK_RATE_HZ / sample_rate_hz
    clean = filter_ekg(leads, sample_rate_hz, (None, None))
    smooth = CubicSpline(
        np.arange(n) * to_network, filter_ekg(clean, sample_rate_hz, MONITOR_BAND_HZ, None), axis=-1
    )
    resampled = np.asarray(smooth(np.arange(int((n - 1) * to_network) + 1)))
    alive = np.ptp(resampled, axis=1) > _FLAT_MV
    if not alive.any():
        return _nothing(len(peaks))
    resampled, sharp = resampled[alive], sharpness(clean[alive], sample_rate_hz)
    at = np.asarray(peaks * to_network, dtype=np.float64)
    seen = _seen(
        np.stack([wave_probabilities(*each, at, weights) for each in zip(resampled, sharp, strict=True)])
    )
    marks = np.rint(_marks(resampled, seen, at) / to_network)
    rows = np.where(np.isnan(marks), _ABSENT, np.clip(marks, 0, n - 1)).astype(np.int64)
    rows[:, 4] = np.where(rows[:, 4] >= 0, peaks, _ABSENT)
    return Delineation(*(np.ascontiguousarray(column) for column in rows.T))
