"""The sample of the R, or of whatever deflection dominates a QRS, on the samples as they were recorded."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_QRS_HALF_S = 0.08
_BASELINE_HALF_S = 0.12
_BASELINE_HALF_SAMPLES = 14
_CLEARLY_LARGER = 1.25

# The top of a wave, and by how many standard deviations of the noise its samples may differ.
_TOP_HALF_S = 0.012
_TOP_NOISE = 3.0
# From the median of fourth differences of white noise to its standard deviation.
_DEVIATION_BY_DIFFERENCES = 1 / (0.6745 * 70**0.5)
# Below, the top of a QRS is a sample or two, and its curvature would be taken for noise.
_LEAST_RATE_WITH_A_TOP_HZ = 900.0


class Deflections(NamedTuple):
    """What dominates each QRS.

    Attributes
    ----------
    samples : (k,) int64 array
    heights_mv : (k,) array
        From the lowest to the highest sample of the QRS.
    upward : (k,) bool array
    """

    samples: NDArray[np.int64]
    heights_mv: NDArray[np.float64]
    upward: NDArray[np.bool_]


def dominant_deflections(
    ekg_mv: NDArray[np.float64],
    sample_rate_hz: float,
    near: NDArray[np.int64],
    upward_before: bool | None = None,
) -> Deflections:
    """The sample farthest from the baseline, which is the median around each QRS.

    Where both directions are about as large, that of the beat before is kept, for an R-peak that hops
    between R and S would make a regular rhythm look irregular. At high rates noise alone decides which of the
    samples at the top of a wave is the largest; there it is the middle of those that noise cannot tell apart.

    Parameters
    ----------
    ekg_mv : (n,) array, mV
    sample_rate_hz : float
    near : (k,) int64 array
        Samples near the middle of each QRS, in order of time.
    upward_before : bool, optional
        Direction of the beat before the first, if there was one.
    """
    half, wide = (round(seconds * sample_rate_hz) for seconds in (_QRS_HALF_S, _BASELINE_HALF_S))
    first, qrs = _windows(ekg_mv, near, half, 1)
    _, around = _windows(ekg_mv, near, wide, max(1, wide // _BASELINE_HALF_SAMPLES))
    middle = around.shape[1] // 2
    baseline = np.partition(around, middle, axis=1)[:, middle]
    each = np.arange(len(near))
    highest, lowest = qrs.argmax(axis=1), qrs.argmin(axis=1)
    up, down = qrs[each, highest] - baseline, baseline - qrs[each, lowest]
    upward = up > down
    clear = (up > _CLEARLY_LARGER * down) | (down > _CLEARLY_LARGER * up)
    if upward_before is None and len(near):
        upward_before = bool(upward[0])
    known = np.maximum.accumulate(np.where(clear, each + 1, 0))
    upward = np.concatenate(([bool(upward_before)], upward))[known]
    peaks = np.where(upward, highest, lowest)
    if sample_rate_hz >= _LEAST_RATE_WITH_A_TOP_HZ:
        rising = np.where(upward, 1.0, -1.0)[:, np.newaxis] * qrs
        peaks = _middle_of_top(rising, peaks, round(_TOP_HALF_S * sample_rate_hz))
    return Deflections(first + peaks, up + down, upward)


def _middle_of_top(qrs: NDArray[np.float64], peaks: NDArray[np.int64], half: int) -> NDArray[np.int64]:
    """The mean place, near each peak, of what is as high as it but for noise."""
    length = qrs.shape[1]
    if length < 5:
        return peaks
    noise = np.median(np.abs(np.diff(qrs, 4, axis=1)), axis=1) * _DEVIATION_BY_DIFFERENCES
    near = (peaks[:, np.newaxis] + np.arange(-half, half + 1)).clip(0, length - 1)
    each = np.arange(len(qrs))
    least = qrs[each, peaks] - _TOP_NOISE * noise
    top = np.take_along_axis(qrs, near, axis=1) >= least[:, np.newaxis]
    return np.asarray(np.rint((near * top).sum(axis=1) / top.sum(axis=1)), dtype=np.int64)


def _windows(
    ekg_mv: NDArray[np.float64], near: NDArray[np.int64], half: int, step: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First sample and values of the window around each; at the ends the windows are moved inwards."""
    length = min(2 * half + 1, len(ekg_mv))
    first = np.clip(near - half, 0, len(ekg_mv) - length)
    return first, np.lib.stride_tricks.sliding_window_view(ekg_mv, length)[:, ::step][first]
