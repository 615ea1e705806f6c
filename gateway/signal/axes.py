"""The frontal-plane axis of a wave, from its net deflection in the limb leads.

Net is the height above the level at the wave's onset less the depth below it, as an axis is read from paper.
Against the axes written into LUDB's records (left, horizontal, normal, vertical, right) it told left from
horizontal in 88 of 100 pairs, the net area in 71; in all other pairs the two were alike.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# What each lead says of aVF together with I: II - I/2 = III + I/2 = aVF.
_AVF_FROM: Mapping[str, tuple[float, float]] = {"aVF": (0.0, 1.0), "II": (-0.5, 1.0), "III": (0.5, 1.0)}
_LEAST_NET = 0.1  # of the wave's whole height; below it the deflections cancel


def frontal_leads(
    ekg_mv: NDArray[np.float64], leads: tuple[str, ...], gains: Mapping[str, float]
) -> NDArray[np.float64] | None:
    """I and aVF, the latter worked out from II or III where it was not recorded.

    Parameters
    ----------
    ekg_mv : (leads, n) array, mV
    leads : tuple of str
    gains : mapping of str to float
        As of `limb_leads.limb_gains`; empty where the leads agree.

    Returns
    -------
    (2, n) array, mV, or None
        None without lead I and one of aVF, II and III.
    """
    if "I" not in leads:
        return None
    one = gains.get("I", 1.0) * ekg_mv[leads.index("I")]
    for name, (of_one, of_other) in _AVF_FROM.items():
        if name in leads:
            other = gains.get(name, 1.0) * ekg_mv[leads.index(name)]
            return np.stack([one, of_one * one + of_other * other])
    return None


def frontal_axis_deg(
    frontal_mv: NDArray[np.float64], onsets: NDArray[np.int64], offsets: NDArray[np.int64]
) -> float | None:
    """Direction of the net deflection of a wave, median over the beats.

    Parameters
    ----------
    frontal_mv : (2, n) array, mV
        Leads I and aVF.
    onsets, offsets : (beats,) arrays
        Of the beats that have the wave.

    Returns
    -------
    float or None
        Degrees, -180 to 180, 0 towards I and +90 towards aVF. None where the deflections cancel.

    Notes
    -----
    aVF, being an augmented lead, is weighted by 2/√3 to the strength of lead I.
    """
    nets, heights = [], []
    for onset, offset in zip(onsets, offsets, strict=True):
        wave = frontal_mv[:, onset : offset + 1] - frontal_mv[:, onset : onset + 1]
        highest, lowest = wave.max(axis=1), wave.min(axis=1)
        nets.append(highest + lowest)
        heights.append(highest - lowest)
    scale = np.array([1.0, 2 / np.sqrt(3)])
    x, y = scale * np.median(nets, axis=0)
    if not np.hypot(x, y) > _LEAST_NET * np.hypot(*(scale * np.median(heights, axis=0))):
        return None
    return float(np.degrees(np.arctan2(y, x)))
