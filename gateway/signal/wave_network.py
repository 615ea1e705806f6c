"""Which wave each moment of a lead belongs to, by a small convolutional network in plain NumPy.

A U-Net [1]_ of one lead: five halvings, about 165 000 weights, trained on the annotations of the Lobachevsky
University database [2]_ by ``benchmarks/delineation/train.py``. It sees the lead, the average of the beats
around each moment, which brings P waves out of noise, and where the R-peaks are; all at 250 Hz and in units
of the lead's own QRS height, so that neither rate nor gain of the recording matter. The mean of its answers
to the lead and to the lead upside down is taken, so polarity does not matter either.

References
----------
.. [1] Ronneberger et al., MICCAI 2015, 234-241.
.. [2] Kalyakulina et al., IEEE Access 8:186181-186190, 2020.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

NETWORK_RATE_HZ = 250.0
NONE, P, QRS, T = range(4)

Weights = Mapping[str, NDArray[np.float32]]
Array = NDArray[np.float64]

_BEFORE, _AFTER = 100, 160  # samples of a beat around its R-peak
_BEATS_AVERAGED = 17
_QRS_HALF = 15
_CLIP = 4.0
_MARK_WIDTH = 3.0


@cache
def trained_weights() -> Weights:
    """Kernels ``*_w`` (taps, channels in, channels out) and biases ``*_b`` of each convolution."""
    with (
        resources.files("gateway.signal").joinpath("wave_network.npz").open("rb") as file,
        np.load(file) as kept,
    ):
        return {name: kept[name].astype(np.float32) for name in kept.files}


def _convolved(x: NDArray[np.float32], weights: Weights, name: str) -> NDArray[np.float32]:
    """A centred convolution along the time axis, (..., n, channels)."""
    kernel, bias = weights[f"{name}_w"], weights[f"{name}_b"]
    n, half = x.shape[-2], len(kernel) // 2
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(half, half), (0, 0)])
    total = padded[..., :n, :] @ kernel[0]
    for tap in range(1, len(kernel)):
        total += padded[..., tap : tap + n, :] @ kernel[tap]
    return np.asarray(total + bias)


def _twice_convolved(x: NDArray[np.float32], weights: Weights, level: str) -> NDArray[np.float32]:
    for name in (f"{level}a", f"{level}b"):
        x = np.maximum(_convolved(x, weights, name), 0)
    return x


def _depth(weights: Weights) -> int:
    return sum(re.fullmatch(r"d\d+a_w", name) is not None for name in weights)


def _network(x: NDArray[np.float32], weights: Weights) -> NDArray[np.float32]:
    """(..., n, 3) channels to (..., n, 4) probabilities; n a multiple of what the halvings need."""
    depth, kept = _depth(weights), []
    for level in range(depth):
        if level:
            x = np.maximum(x[..., ::2, :], x[..., 1::2, :])
        x = _twice_convolved(x, weights, f"d{level}")
        kept.append(x)
    for level in reversed(range(depth - 1)):
        x = np.concatenate((np.repeat(x, 2, axis=-2), kept[level]), axis=-1)
        x = _twice_convolved(x, weights, f"u{level}")
    odds = np.exp(np.clip(_convolved(x, weights, "out"), -30, 30))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


def qrs_height(lead: Array, r_peaks: NDArray[np.int64]) -> float:
    """Median height within 60 ms of the R-peaks, at the network's rate; of the whole lead without any."""
    heights = [np.ptp(lead[max(r - _QRS_HALF, 0) : r + _QRS_HALF + 1]) for r in r_peaks]
    return float(np.median(heights) if heights else np.ptp(lead)) or 1.0


def beat_average(lead: Array, r_peaks: NDArray[np.int64]) -> Array:
    """The lead with each beat replaced by the mean of the beats around it.

    Parameters
    ----------
    lead : (n,) array
    r_peaks : (beats,) array

    Returns
    -------
    (n,) array
        Where no beat reaches, and with fewer than two beats, the lead itself.
    """
    averaged = lead.copy()
    if len(r_peaks) < 2:
        return averaged
    at = r_peaks[:, None] + np.arange(-_BEFORE, _AFTER)
    inside = ((at >= 0) & (at < len(lead))).astype(np.float64)
    beats = lead[np.clip(at, 0, len(lead) - 1)] * inside
    if len(r_peaks) > _BEATS_AVERAGED:
        beats = uniform_filter1d(beats, _BEATS_AVERAGED, axis=0, mode="nearest")
        inside = uniform_filter1d(inside, _BEATS_AVERAGED, axis=0, mode="nearest")
    else:
        beats, inside = (np.broadcast_to(each.mean(axis=0), each.shape) for each in (beats, inside))
    mean = beats / np.maximum(inside, 1e-3)
    rr = np.diff(r_peaks)
    before = np.minimum(_BEFORE, np.concatenate(([_BEFORE], (0.45 * rr).astype(np.int64))))
    after = np.minimum(_AFTER, np.concatenate((rr - before[1:], [_AFTER])))
    for beat, r, reach, rest in zip(mean, r_peaks, before, after, strict=True):
        start, stop = max(r - reach, 0), min(r + rest, len(lead))
        averaged[start:stop] = beat[start - r + _BEFORE : stop - r + _BEFORE]
    return averaged


def r_peak_marks(n: int, r_peaks: Array) -> Array:
    """(n,) a narrow bell of height 1 at each R-peak."""
    marks = np.zeros(n)
    for r in r_peaks:
        near = np.arange(max(int(r) - 9, 0), min(int(r) + 11, n))
        marks[near] = np.maximum(marks[near], np.exp(-0.5 * ((near - r) / _MARK_WIDTH) ** 2))
    return marks


def channels(lead: Array, r_peaks: Array) -> NDArray[np.float32]:
    """What the network sees of one lead: (n, 3), the lead, its beat average and its R-peaks."""
    whole = np.rint(r_peaks).astype(np.int64)
    scaled = lead / qrs_height(lead, whole)
    seen = np.stack((scaled, beat_average(scaled, whole), r_peak_marks(len(lead), r_peaks)), axis=-1)
    return np.clip(seen, -_CLIP, _CLIP).astype(np.float32)


def wave_probabilities(lead: Array, r_peaks: Array, weights: Weights | None = None) -> Array:
    """How probably each sample is of no wave, a P wave, a QRS complex or a T wave.

    Parameters
    ----------
    lead : (n,) array
        At 250 Hz, within 0.5 to 40 Hz, in any unit.
    r_peaks : (beats,) float array
        In samples at 250 Hz.
    weights : mapping, optional
        Those that come with the package.

    Returns
    -------
    (n, 4) array
        Columns `NONE`, `P`, `QRS`, `T`.
    """
    weights = trained_weights() if weights is None else weights
    seen = channels(lead, r_peaks)
    whole = 1 << (_depth(weights) - 1)
    seen = np.pad(seen, [(0, -len(seen) % whole), (0, 0)], mode="edge")
    upside_down = seen * np.array([-1, -1, 1], dtype=np.float32)
    return np.asarray(
        _network(np.stack((seen, upside_down)), weights).mean(axis=0)[: len(lead)], dtype=np.float64
    )
