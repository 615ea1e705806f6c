"""Which wave each moment of a lead belongs to, by a small convolutional network in plain NumPy.

Four U-Nets [1]_ of one lead, whose mean counts: six levels and about 243 000 weights each, trained on the
annotations of the Lobachevsky University database [2]_, each without another quarter of the records, by
``benchmarks/delineation/train.py``. They see the lead, the average of the beats around each moment, which
brings P waves out of noise, where the R-peaks are, and how sharp the lead is above their band, which shows
the edges of a QRS and tells it from a pacemaker's spike; all at 250 Hz, in units of the lead's own QRS height
and with most R-peaks pointing up, so that neither rate nor gain nor polarity of the recording matters.

References
----------
.. [1] Ronneberger et al., MICCAI 2015, 234-241.
.. [2] Kalyakulina et al., IEEE Access 8:186181-186190, 2020.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import IO

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from gateway.signal.filters import MONITOR_BAND_HZ, filter_ekg

NETWORK_RATE_HZ = 250.0
FOLDED = 2  # samples that the nets take at a time
NONE, P, QRS, T = range(4)

Weights = Mapping[str, NDArray[np.float32]]
Array = NDArray[np.float64]

_BEFORE, _AFTER = 100, 160  # samples of a beat around its R-peak
_BEATS_ON_EACH_SIDE = 10
_COMPARED = slice(75, 180)  # of a beat's samples
_ALIKE = 0.7
_QRS_HALF = 15
_CLIP = 4.0
_MARK_WIDTH = 3.0
_SHARP_BAND_HZ = (MONITOR_BAND_HZ[1], 150.0)
_SHARP_AT_LEAST_HZ = 100.0
_SHARP_STEP = 0.01  # of the QRS height, above which sharpness counts by its logarithm


def read_weights(file: IO[bytes]) -> Weights:
    """Kernels ``*_w`` (nets, taps, channels in, channels out) and biases ``*_b`` (nets, channels out).

    The file keeps kernels in eight bits, with the step ``*_s`` of each net's each channel out.
    """
    with np.load(file) as kept:
        return {
            name: kept[name] * kept[f"{name[:-2]}_s"].astype(np.float32)
            if name.endswith("_w")
            else kept[name].astype(np.float32)
            for name in kept.files
            if not name.endswith("_s")
        }


@cache
def trained_weights() -> Weights:
    """The weights that come with the package."""
    with resources.files("gateway.signal").joinpath("wave_network.npz").open("rb") as file:
        return read_weights(file)


def _convolved(x: NDArray[np.float32], weights: Weights, name: str) -> NDArray[np.float32]:
    """A centred convolution along the time axis, (nets, n, channels)."""
    kernel, bias = weights[f"{name}_w"], weights[f"{name}_b"]
    n, taps = x.shape[1], kernel.shape[1]
    padded = np.pad(x, [(0, 0), (taps // 2, taps // 2), (0, 0)])
    # Tap by tap: one product over all taps would first copy its input as many times.
    total = bias[:, None] + padded[:, :n] @ kernel[:, 0]
    for tap in range(1, taps):
        total += padded[:, tap : tap + n] @ kernel[:, tap]
    return np.asarray(total)


def _twice_convolved(x: NDArray[np.float32], weights: Weights, level: str) -> NDArray[np.float32]:
    for name in (f"{level}a", f"{level}b"):
        x = np.maximum(_convolved(x, weights, name), 0)
    return x


def _depth(weights: Weights) -> int:
    return sum(re.fullmatch(r"d\d+a_w", name) is not None for name in weights)


def _network(seen: NDArray[np.float32], weights: Weights) -> NDArray[np.float32]:
    """(n, 4) channels to (n, 4) probabilities, the mean of all nets'; n fit for the halvings."""
    depth, kept = _depth(weights), []
    x = seen.reshape(1, len(seen) // FOLDED, -1)
    for level in range(depth):
        if level:
            x = np.maximum(x[:, ::2], x[:, 1::2])
        x = _twice_convolved(x, weights, f"d{level}")
        kept.append(x)
    for level in reversed(range(depth - 1)):
        x = np.concatenate((np.repeat(x, 2, axis=1), kept[level]), axis=-1)
        x = _twice_convolved(x, weights, f"u{level}")
    odds = np.exp(np.clip(_convolved(x, weights, "out"), -30, 30)).reshape(len(x), len(seen), -1)
    return np.asarray((odds / odds.sum(axis=-1, keepdims=True)).mean(axis=0))


def qrs_height(lead: Array, r_peaks: NDArray[np.int64]) -> float:
    """Median height within 60 ms of the R-peaks, at the network's rate; of the whole lead without any."""
    heights = [np.ptp(lead[max(r - _QRS_HALF, 0) : r + _QRS_HALF + 1]) for r in r_peaks]
    return float(np.median(heights) if heights else np.ptp(lead)) or 1.0


def _mean_of_like_beats(beats: Array, inside: Array) -> Array:
    """(beats, samples): ectopic beats must not blur those of the sinus, nor the other way round."""
    compared = beats[:, _COMPARED] - beats[:, _COMPARED].mean(axis=1, keepdims=True)
    compared /= np.maximum(np.linalg.norm(compared, axis=1, keepdims=True), 1e-9)
    total, known = beats.copy(), inside.copy()
    for apart in range(1, min(_BEATS_ON_EACH_SIDE, len(beats) - 1) + 1):
        alike = (compared[apart:] * compared[:-apart]).sum(axis=1, keepdims=True) > _ALIKE
        for these, others in ((slice(apart, None), slice(-apart)), (slice(-apart), slice(apart, None))):
            total[these] += alike * beats[others]
            known[these] += alike * inside[others]
    return np.asarray(total / np.maximum(known, 1e-3))


def beat_average(lead: Array, r_peaks: NDArray[np.int64]) -> Array:
    """The lead with each beat replaced by the mean of the beats around it that look like it.

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
    mean = _mean_of_like_beats(beats, inside)
    rr = np.diff(r_peaks)
    before = np.minimum(_BEFORE, (0.45 * np.concatenate((rr[:1], rr))).astype(np.int64))
    after = np.minimum(_AFTER, np.concatenate((rr, rr[-1:])) - np.append(before[1:], before[-1]))
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


def _upright(lead: Array, r_peaks: NDArray[np.int64]) -> float:
    """-1 if most R-peaks point down, else 1."""
    around = np.clip(r_peaks[:, None] + np.arange(-_QRS_HALF, _QRS_HALF + 1), 0, len(lead) - 1)
    beats = lead[around]
    return -1.0 if len(beats) and np.median(beats.max(axis=1) + beats.min(axis=1)) < 0 else 1.0


def sharpness(ekg_mv: Array, sample_rate_hz: float) -> Array:
    """What lies above the network's band: where a QRS is steep, and where a pacemaker's spike is.

    Parameters
    ----------
    ekg_mv : (leads, n) array, mV
        Without NaN and mains.
    sample_rate_hz : float

    Returns
    -------
    (leads, m) array, mV
        At the network's rate, the largest modulus around each sample; 0 of rates that carry nothing of it.
    """
    n, step = ekg_mv.shape[-1], sample_rate_hz / NETWORK_RATE_HZ
    at = np.rint(np.arange(int((n - 1) / step) + 1) * step).astype(np.int64)
    if sample_rate_hz < _SHARP_AT_LEAST_HZ:
        return np.zeros((len(ekg_mv), len(at)))
    sharp = np.abs(filter_ekg(ekg_mv, sample_rate_hz, _SHARP_BAND_HZ, None))
    return np.asarray(maximum_filter1d(sharp, 2 * int(np.ceil(step / 2)) + 1, axis=-1)[:, at])


def channels(lead: Array, sharp: Array, r_peaks: Array) -> NDArray[np.float32]:
    """What the network sees of one lead: (n, 4), the lead, its beat average, its R-peaks, its sharpness."""
    whole = np.rint(r_peaks).astype(np.int64)
    height = qrs_height(lead, whole)
    scaled = lead * _upright(lead, whole) / height
    edges = 0.5 * np.log1p(sharp / (_SHARP_STEP * height))
    seen = np.stack((scaled, beat_average(scaled, whole), r_peak_marks(len(lead), r_peaks), edges), axis=-1)
    return np.clip(seen, -_CLIP, _CLIP).astype(np.float32)


def wave_probabilities(lead: Array, sharp: Array, r_peaks: Array, weights: Weights | None = None) -> Array:
    """How probably each sample is of no wave, a P wave, a QRS complex or a T wave.

    Parameters
    ----------
    lead : (n,) array
        At 250 Hz, within 0.5 to 40 Hz, in any unit.
    sharp : (n,) array
        As of `sharpness`, in the same unit.
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
    seen = channels(lead, sharp, r_peaks)
    whole = FOLDED << (_depth(weights) - 1)
    padded = np.pad(seen, [(0, -len(seen) % whole), (0, 0)], mode="edge")
    return np.asarray(_network(padded, weights)[: len(lead)], dtype=np.float64)
