"""The beats of a recording: in which lead they are sought, where they cannot be seen, the RR intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.signal.quality import Quality, second_starts
from gateway.signal.r_peaks import detect_r_peaks

# Below this score of a second more of the beats found there are invented than right.
LEAST_SCORE = 0.3

_RHYTHM_LEADS = ("II", "V5", "I", "V2", "III", "V1", "aVF")
_LOST_S = 0.25  # without signal between two beats, for which another beat may be missing there


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats of one lead.

    Parameters
    ----------
    lead : int or None
        Row of the array; None where no lead shows anything.
    samples : (beats,) int64 array
    rr_ms : (beats - 1,) array
        NaN where a beat may be missing between the two.
    left_out : tuple of int
        Seconds of that lead, from 0, in which no beat is given because the signal is too disturbed.
    """

    lead: int | None
    samples: NDArray[np.int64]
    rr_ms: NDArray[np.float64]
    left_out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RrStatistics:
    """Of the RR intervals between two beats of the commonest shape in their time, ms.

    Parameters
    ----------
    intervals : int
    mean, shortest, longest, sdnn, rmssd : float
        RMSSD is of intervals that follow one another.
    pnn50 : float
        Share of their differences above 50 ms.
    """

    intervals: int
    mean: float
    shortest: float
    longest: float
    sdnn: float
    rmssd: float
    pnn50: float


def rr_statistics(rr_ms: NDArray[np.float64]) -> RrStatistics | None:
    """Variability of the intervals that are known.

    Parameters
    ----------
    rr_ms : (k,) array
        NaN where the interval is not known or not from one usual beat to the next.

    Returns
    -------
    RrStatistics or None
        None with fewer than three intervals, or no two in succession.
    """
    known = rr_ms[np.isfinite(rr_ms)]
    change = np.diff(rr_ms)
    change = change[np.isfinite(change)]
    if len(known) < 3 or not len(change):
        return None
    return RrStatistics(
        len(known),
        float(known.mean()),
        float(known.min()),
        float(known.max()),
        float(known.std(ddof=1)),
        float(np.sqrt(np.mean(change**2))),
        float(np.mean(np.abs(change) > 50)),
    )


def _rhythm_lead(ekg_mv: NDArray[np.float64], leads: tuple[str, ...], quality: Quality) -> int:
    """The first customary rhythm lead whose quality is near the best and whose waves are not tiny."""
    height = np.nan_to_num(np.nanpercentile(ekg_mv, 99, axis=1) - np.nanpercentile(ekg_mv, 1, axis=1))
    worth = np.array([lead.score for lead in quality.leads]) * np.minimum(
        1, height / max(np.median(height), 1e-9)
    )
    for name in _RHYTHM_LEADS:
        if name in leads and worth[leads.index(name)] >= 0.8 * worth.max():
            return leads.index(name)
    return int(np.argmax(worth))


def find_beats(
    ekg_mv: NDArray[np.float64], leads: tuple[str, ...], quality: Quality, sample_rate_hz: float
) -> Beats:
    """Beats of the best rhythm lead, without those of seconds whose score is below `LEAST_SCORE`.

    Parameters
    ----------
    ekg_mv : (leads, n) array, mV
    leads : tuple of str
    quality : Quality
    sample_rate_hz : float

    Raises
    ------
    ValueError
        The rate is out of range, or the numbers are not in mV.
    """
    if not ekg_mv.size or quality.overall == 0:
        return Beats(None, np.empty(0, np.int64), np.empty(0), ())
    row = _rhythm_lead(ekg_mv, leads, quality)
    lead = ekg_mv[row]
    second = np.searchsorted(second_starts(len(lead), sample_rate_hz), np.arange(len(lead)), side="right") - 1
    doubtful = np.array(quality.leads[row].per_second) < LEAST_SCORE
    unseen = np.isnan(lead) | doubtful[second]
    # What is too disturbed is kept from the detector, so that it need not find its way back out of the noise.
    samples = detect_r_peaks(np.where(unseen, np.nan, lead), sample_rate_hz)
    missing = np.concatenate(([0], np.cumsum(unseen)))
    lost = missing[samples[1:]] - missing[samples[:-1]]
    rr_ms = np.diff(samples) * 1000 / sample_rate_hz
    rr_ms = np.where(lost >= _LOST_S * sample_rate_hz, np.nan, rr_ms)
    return Beats(row, samples, rr_ms, tuple(np.flatnonzero(doubtful).tolist()))
