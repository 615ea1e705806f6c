"""The frontal-plane axis of a wave, from the areas that it encloses in the limb leads."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# What each pair says of the two orthogonal frontal leads: I, and aVF as II - I/2 = III + I/2 = (II + III)/2.
_AVF_FROM: Mapping[str, tuple[float, float]] = {"aVF": (0.0, 1.0), "II": (-0.5, 1.0), "III": (0.5, 1.0)}
_LEAST_NET = 0.1  # of the area that the wave encloses in all; below it the deflections cancel


def frontal_leads(ekg_mv: NDArray[np.float64], leads: tuple[str, ...]) -> NDArray[np.float64] | None:
    """I and aVF, the latter worked out from II or III where it was not recorded.

    Parameters
    ----------
    ekg_mv : (leads, n) array, mV
    leads : tuple of str

    Returns
    -------
    (2, n) array, mV, or None
        None without lead I and one of aVF, II and III.
    """
    if "I" not in leads:
        return None
    one = ekg_mv[leads.index("I")]
    for name, (of_one, of_other) in _AVF_FROM.items():
        if name in leads:
            return np.stack([one, of_one * one + of_other * ekg_mv[leads.index(name)]])
    return None


def frontal_axis_deg(
    frontal_mv: NDArray[np.float64], onsets: NDArray[np.int64], offsets: NDArray[np.int64]
) -> float | None:
    """Direction of the net area of a wave, mean over the beats.

    Parameters
    ----------
    frontal_mv : (2, n) array, mV
        Leads I and aVF.
    onsets, offsets : (beats,) arrays
        Of the beats that have the wave. Its area is taken above the line from onset to offset.

    Returns
    -------
    float or None
        Degrees, -180 to 180, 0 towards I and +90 towards aVF. None where the deflections cancel.

    Notes
    -----
    aVF, being an augmented lead, is weighted by 2/√3 to the strength of lead I.
    """
    net, gross = np.zeros(2), np.zeros(2)
    for onset, offset in zip(onsets, offsets, strict=True):
        wave = frontal_mv[:, onset : offset + 1]
        wave = wave - np.linspace(wave[:, 0], wave[:, -1], wave.shape[1], axis=1)
        net += wave.sum(axis=1)
        gross += np.abs(wave).sum(axis=1)
    scale = np.array([1.0, 2 / np.sqrt(3)])
    x, y = net * scale
    if not np.hypot(x, y) > _LEAST_NET * np.hypot(*(gross * scale)):
        return None
    return float(np.degrees(np.arctan2(y, x)))
