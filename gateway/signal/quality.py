"""How far each lead can be trusted, second by second.

What disturbs an EKG is measured against the height of the lead's own QRS, so that a recording at a tenth of
its gain is judged as the same recording. The flags name the disturbance. The score is the probability that
the R-peaks found in that second of that lead are the right ones, all of them and no other.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from gateway.signal.filters import bridged, check_rate, filter_ekg
from gateway.signal.mains import find_mains, remove_mains

Flag = Literal["lead-off", "flat", "saturated", "mains", "muscle", "baseline", "motion"]

_FLAT_OF_QRS = 0.02
_RAIL_RUN_S = 0.03
_NOT_EKG: tuple[Flag, ...] = ("lead-off", "flat", "saturated")
# Ratio to the QRS height at which a disturbance is flagged.
_LIMITS: dict[Flag, float] = {"mains": 0.1, "muscle": 0.06, "baseline": 0.8, "motion": 2.0}
# Of the logistic score; fitted on MIT-BIH and its noise records, none below 0.25. Between 0.1 and 0.9 the
# score is not calibrated: 0.11 was right in 0.33 of the seconds, 0.71 in 0.56.
_CERTAINTY = 5.34
_WEIGHTS: dict[Flag, float] = {"mains": 0.25, "muscle": 1.74, "baseline": 0.25, "motion": 0.31}


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """One lead's quality.

    Parameters
    ----------
    score : float
        0 to 1, mean over the seconds.
    flags : tuple of str
        Disturbances of at least a fifth of the lead's seconds.
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


def _seconds(lead: NDArray[np.float64], sample_rate_hz: float) -> list[NDArray[np.float64]]:
    starts = np.arange(0, len(lead), sample_rate_hz)
    return np.split(lead, np.rint(starts[1:]).astype(np.int64))


def _qrs_height(lead: NDArray[np.float64], sample_rate_hz: float) -> float:
    """Usual height of the steepest complex in stretches of 1.5 s, mV."""
    steep = filter_ekg(lead, sample_rate_hz, (5, 25), None)
    stretch = round(1.5 * sample_rate_hz)
    pieces = np.array_split(steep, max(len(steep) // stretch, 1))
    return float(np.median([np.ptp(piece) for piece in pieces]))


def _at_rail(lead: NDArray[np.float64], sample_rate_hz: float) -> NDArray[np.bool_]:
    """Where the lead stays at its own highest or lowest value, as a converter at its end does."""
    run = max(round(_RAIL_RUN_S * sample_rate_hz), 4)
    railed = np.zeros(len(lead), dtype=bool)
    for rail in (np.nanmax(lead), np.nanmin(lead)):
        held = ndimage.binary_opening(lead == rail, np.ones(run, dtype=bool))
        railed |= np.asarray(held)
    return railed


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
    low = filter_ekg(lead, sample_rate_hz, (None, 0.5), None)
    fast = filter_ekg(clean, sample_rate_hz, (12, None), None)
    middle = filter_ekg(clean, sample_rate_hz, (0.5, 30), None)
    per_second: dict[Flag, list[float]] = {
        # The median of the modulus passes over the QRS, which fills less than half of a second.
        "mains": [2 * float(np.median(np.abs(piece))) for piece in _seconds(line, sample_rate_hz)],
        "muscle": [1.5 * float(np.median(np.abs(piece))) for piece in _seconds(fast, sample_rate_hz)],
        "baseline": [float(np.ptp(piece)) for piece in _seconds(low, sample_rate_hz)],
        "motion": [float(np.ptp(piece)) / 1.5 for piece in _seconds(middle, sample_rate_hz)],
    }
    ratios = {flag: np.array(values) / height for flag, values in per_second.items()}
    # Beats that have become small drown in less noise: the heights of the seconds around count here.
    around = ndimage.maximum_filter1d([float(np.ptp(piece)) for piece in _seconds(fast, sample_rate_hz)], 3)
    ratios["muscle"] = np.array(per_second["muscle"]) / np.clip(around, 1e-6, height)
    return ratios


def features(ratios: dict[Flag, NDArray[np.float64]]) -> NDArray[np.float64]:
    """(seconds, 4) what the score weighs: 0 for no disturbance, 1.4 at its limit, rising as a logarithm."""
    return np.stack([np.log1p(3 * (ratios[flag] / limit) ** 2) for flag, limit in _LIMITS.items()], axis=1)


def _lead_quality(lead: NDArray[np.float64], sample_rate_hz: float, mains_hz: float | None) -> LeadQuality:
    pieces = _seconds(lead, sample_rate_hz)
    if not np.isfinite(lead).any() or len(lead) < 0.5 * sample_rate_hz:
        return LeadQuality(0.0, ("lead-off",), (0.0,) * len(pieces))
    known = bridged(lead)
    ratios = disturbances(known, sample_rate_hz, mains_hz)
    sound = expit(_CERTAINTY - features(ratios) @ np.array(list(_WEIGHTS.values())))
    least = _FLAT_OF_QRS * _qrs_height(known, sample_rate_hz)
    railed = _seconds(_at_rail(lead, sample_rate_hz).astype(np.float64), sample_rate_hz)
    scores, flagged = [], []
    for i, piece in enumerate(pieces):
        flags: set[Flag] = {flag for flag, limit in _LIMITS.items() if ratios[flag][i] > limit}
        if np.isnan(piece).mean() > 0.5:
            flags.add("lead-off")
        elif np.nanmax(piece) - np.nanmin(piece) <= least:
            flags.add("flat")
        elif railed[i].mean() > 0.05:
            flags.add("saturated")
        flagged.append(flags)
        scores.append(0.0 if flags.intersection(_NOT_EKG) else float(sound[i]))
    often = 0.2 * len(pieces)
    usual = tuple(flag for flag in (*_NOT_EKG, *_LIMITS) if sum(flag in flags for flags in flagged) >= often)
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
