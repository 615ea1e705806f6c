"""How far each lead can be trusted, second by second.

What disturbs an EKG is measured against the height of the lead's own QRS, so that a recording at a tenth of
its gain is judged as the same recording. The flags name the disturbance. The score is the probability that
the R-peaks found in that second of that lead are the right ones, all of them and no other.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from gateway.signal.filters import bridged, check_rate, filter_ekg
from gateway.signal.mains import find_mains, remove_mains

Flag = Literal[
    "lead-off", "flat", "saturated", "mains", "muscle", "baseline", "motion", "reversed", "inverted"
]
_FLAGS: tuple[Flag, ...] = get_args(Flag)

_FLAT_OF_QRS = 0.02
_RAIL_RUN_S = 0.03
_RAIL_FLAGGED_S = 0.05
_NOT_EKG: tuple[Flag, ...] = ("lead-off", "flat")
# How long the lead may stay at a rail within a second before beats are lost, and when all are: the tip of a
# clipped QRS hides nothing, and of the seconds at a rail for 0.2 to 0.4 s 64 in 100 were right.
_RAIL_HARMLESS_S, _RAIL_FATAL_S = 0.12, 0.7
# Ratio to the QRS height at which a disturbance is flagged.
_LIMITS: dict[Flag, float] = {"mains": 0.1, "muscle": 0.06, "baseline": 0.8, "motion": 2.5}
_USUAL_OF_STRETCHES = 0.3  # quantile: a recording may be disturbed for more than half of its time
_FAINTEST_BEAT = 0.2  # of the usual height; what is lower is a pause, in which noise covers no beat

# Of the score, fitted by `benchmarks.quality.fit`: a logistic regression whose log odds are then bent to the
# observed ones. Columns as of `features`.
_CERTAINTY = 5.0
_WEIGHTS = np.array([0.46, 0.86, 0.82])
_LOG_ODDS = np.array([-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.0])
_BENT = np.array([-1.52, -1.47, -0.74, 0.22, 0.73, 1.36, 3.38, 5.53, 9.16])


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """One lead's quality.

    Parameters
    ----------
    score : float
        0 to 1, mean over the seconds.
    flags : tuple of str
        Disturbances of at least a fifth of the lead's seconds. ``reversed`` and ``inverted``, of electrodes
        that may be interchanged, need the names of the leads: `measure_ekg` adds them.
    per_second : tuple of float
        A score for each second begun.
    """

    score: float
    flags: tuple[Flag, ...]
    per_second: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a recording.

    Parameters
    ----------
    overall : float
        0 to 1, mean of the leads' scores; 0 where there is no lead or no sample.
    leads : tuple of LeadQuality
        In the order of the array's leads.
    """

    overall: float
    leads: tuple[LeadQuality, ...]


def second_starts(samples: int, sample_rate_hz: float) -> NDArray[np.int64]:
    """First sample of each second begun."""
    return np.asarray(np.rint(np.arange(0, samples, sample_rate_hz)), dtype=np.int64)


def _seconds(lead: NDArray[np.float64], sample_rate_hz: float) -> list[NDArray[np.float64]]:
    return np.split(lead, second_starts(len(lead), sample_rate_hz)[1:])


def _qrs_height(lead: NDArray[np.float64], sample_rate_hz: float) -> float:
    """Usual height of the steepest complex in stretches of 1.5 s, mV."""
    steep = filter_ekg(lead, sample_rate_hz, (5, 25), None)
    stretch = round(1.5 * sample_rate_hz)
    pieces = np.array_split(steep, max(len(steep) // stretch, 1))
    return float(np.quantile([np.ptp(piece) for piece in pieces], _USUAL_OF_STRETCHES))


def _at_rail(lead: NDArray[np.float64], sample_rate_hz: float) -> NDArray[np.bool_]:
    """Where the lead stays at its own highest or lowest value, as a converter at its end does."""
    run = max(round(_RAIL_RUN_S * sample_rate_hz), 4)
    railed = np.zeros(len(lead), dtype=bool)
    for rail in (np.nanmax(lead), np.nanmin(lead)):
        held = ndimage.binary_opening(lead == rail, np.ones(run, dtype=bool))
        railed |= np.asarray(held)
    return railed


def _longest_run(held: NDArray[np.float64]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], held.astype(np.int8), [0]))))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def disturbances(
    lead: NDArray[np.float64], sample_rate_hz: float, mains_hz: float | None
) -> dict[Flag, NDArray[np.float64]]:
    """Mains, muscle, baseline and motion in each second, as ratios to the height of the lead's QRS.

    Parameters
    ----------
    lead : (n,) array, mV, without NaN
    sample_rate_hz : float
    mains_hz : float or None
        As of `find_mains`.

    Returns
    -------
    dict of str to (seconds,) array
    """
    clean = lead if mains_hz is None else remove_mains(lead, sample_rate_hz, mains_hz)
    line = lead - clean
    height = max(_qrs_height(clean, sample_rate_hz), 1e-6)
    drift = filter_ekg(lead, sample_rate_hz, (None, 0.5), None)
    fast = _seconds(filter_ekg(clean, sample_rate_hz, (12, None), None), sample_rate_hz)
    slow = _seconds(filter_ekg(clean, sample_rate_hz, (0.5, 5), None), sample_rate_hz)
    # The median of the modulus passes over the QRS, which fills less than half of a second.
    muscle = np.array([1.5 * np.median(np.abs(piece)) for piece in fast])
    # Beats that have become small drown in less noise: the heights of the seconds around count here.
    beats = ndimage.maximum_filter1d([np.ptp(piece) for piece in fast], 3)
    highest = ndimage.maximum_filter1d([piece.max() for piece in slow], 3)
    lowest = ndimage.minimum_filter1d([piece.min() for piece in slow], 3)
    return {
        "mains": np.array([2 * np.median(np.abs(piece)) for piece in _seconds(line, sample_rate_hz)])
        / height,
        "muscle": muscle / np.clip(beats, _FAINTEST_BEAT * height, height),
        "baseline": np.array([np.ptp(piece) for piece in _seconds(drift, sample_rate_hz)]) / height,
        "motion": (highest - lowest) / height,
    }


def features(ratios: dict[Flag, NDArray[np.float64]]) -> NDArray[np.float64]:
    """What the score weighs: muscle, muscle in the seconds around, motion.

    Mains and baseline wander are filtered away before R-peaks are sought, and weigh nothing in the fit.

    Parameters
    ----------
    ratios : dict of str to (seconds,) array
        As of `disturbances`.

    Returns
    -------
    (seconds, 3) array
        0 for no disturbance, 1.4 at its limit, rising as a logarithm.
    """
    muscle, motion = (np.log1p(3 * (ratios[flag] / _LIMITS[flag]) ** 2) for flag in ("muscle", "motion"))
    return np.stack([muscle, ndimage.maximum_filter1d(muscle, 3), motion], axis=1)


def _probability(weighed: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(expit(np.interp(_CERTAINTY - weighed @ _WEIGHTS, _LOG_ODDS, _BENT)))


def _lead_quality(lead: NDArray[np.float64], sample_rate_hz: float, mains_hz: float | None) -> LeadQuality:
    pieces = _seconds(lead, sample_rate_hz)
    if not np.isfinite(lead).any() or len(lead) < 0.5 * sample_rate_hz:
        return LeadQuality(0.0, ("lead-off",), (0.0,) * len(pieces))
    known = bridged(lead)
    ratios = disturbances(known, sample_rate_hz, mains_hz)
    sound = _probability(features(ratios))
    at_rail = _at_rail(lead, sample_rate_hz).astype(np.float64)
    least = _FLAT_OF_QRS * _qrs_height(known, sample_rate_hz)
    railed = [_longest_run(piece) / sample_rate_hz for piece in _seconds(at_rail, sample_rate_hz)]
    sound = sound * np.interp(railed, [_RAIL_HARMLESS_S, _RAIL_FATAL_S], [1.0, 0.0])
    scores, flagged = [], []
    for i, piece in enumerate(pieces):
        flags: set[Flag] = {flag for flag, limit in _LIMITS.items() if ratios[flag][i] > limit}
        if np.isnan(piece).mean() > 0.5:
            flags.add("lead-off")
        elif np.nanmax(piece) - np.nanmin(piece) <= least:
            flags.add("flat")
        elif railed[i] > _RAIL_FLAGGED_S:
            flags.add("saturated")
        flagged.append(flags)
        scores.append(0.0 if flags.intersection(_NOT_EKG) else float(sound[i]))
    often = 0.2 * len(pieces)
    usual = tuple(flag for flag in _FLAGS if sum(flag in flags for flags in flagged) >= often)
    return LeadQuality(float(np.mean(scores)), usual, tuple(scores))


def signal_quality(ekg_mv: NDArray[np.floating], sample_rate_hz: float) -> Quality:
    """Quality of each lead and second.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV
        NaN where there is no signal.
    sample_rate_hz : float

    Returns
    -------
    Quality

    Raises
    ------
    ValueError
        The sampling rate is not a positive number.
    """
    check_rate(sample_rate_hz)
    ekg = np.asarray(ekg_mv, dtype=np.float64)
    leads = ekg.reshape(math.prod(ekg.shape[:-1]), ekg.shape[-1])
    if not leads.size:
        return Quality(0.0, (LeadQuality(0.0, ("lead-off",), ()),) * len(leads))
    mains_hz = find_mains(bridged(leads), sample_rate_hz)
    found = tuple(_lead_quality(lead, sample_rate_hz, mains_hz) for lead in leads)
    return Quality(float(np.mean([lead.score for lead in found])), found)
