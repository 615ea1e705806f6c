"""Where a QRS may be: the local maxima of energy in the band of the QRS, found block by block.

The signal is decimated to a working rate of about 125 Hz, passed through a Gaussian second derivative
(a matched filter of a QRS of either polarity; no gain at DC, so that an offset cannot matter), squared and
averaged over the length of a QRS. Every stage has a finite response and sums in a fixed order, so that
the result does not depend on how the signal was cut into blocks.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

_WORKING_RATE_HZ = 125.0
_QRS_SIGMA_S = 0.011
_QRS_LENGTH_S = 0.08
_NEIGHBOURHOOD_S = 0.1
_SHAPE_HALF_S = 0.07
_FLAT_MV = 1e-6


class Candidates(NamedTuple):
    """Local maxima of QRS energy, in order of time.

    Attributes
    ----------
    samples : (k,) int64 array
        Counted from the first sample fed, at its rate.
    levels : (k,) array
        Natural logarithm of the energy's root mean square in mV.
    shapes : (k, 3, w) array
        The signal around each at the working rate: one sample early, in time, and one late. That in time is
        of zero mean and unit norm.
    """

    samples: NDArray[np.int64]
    levels: NDArray[np.float64]
    shapes: NDArray[np.float64]


class QrsCandidates:
    """Finds candidates in a signal that arrives in blocks.

    Parameters
    ----------
    sample_rate_hz : float

    Attributes
    ----------
    delay : int
        Samples after a candidate that must have been fed before it is found.
    shape_length : int
        Of the candidates' shapes, at the working rate.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._factor = max(1, round(sample_rate_hz / _WORKING_RATE_HZ))
        rate = sample_rate_hz / self._factor
        self._qrs = _gaussian_second_derivative(_QRS_SIGMA_S * rate)
        self._width = 2 * round(_QRS_LENGTH_S * rate / 2) + 1
        self._near = round(_NEIGHBOURHOOD_S * rate)
        self._reach = (len(self._qrs) + self._width) // 2 - 1 + self._near
        shape_half = round(_SHAPE_HALF_S * rate)
        self._around = np.arange(-shape_half - 1, shape_half + 2)
        self.shape_length = 2 * shape_half + 1
        self.delay = (self._reach + 1) * self._factor
        self._raw: NDArray[np.float64] | None = None
        self._slow = np.empty(0)
        self._slow_start = -self._reach
        self._none = Candidates(np.empty(0, np.int64), np.empty(0), np.empty((0, 3, self.shape_length)))

    def feed(self, block: NDArray[np.float64]) -> Candidates:
        """Candidates that `block`, not empty, completes; its first sample stands for all before the start."""
        factor = self._factor
        if self._raw is None:
            self._raw = np.full(self._reach * factor + factor // 2, block[0])
        raw = np.concatenate((self._raw, block))
        count = len(raw) // factor
        self._raw = raw[count * factor :]
        slow = raw[0 : count * factor : factor].copy()
        for phase in range(1, factor):
            slow += raw[phase : count * factor : factor]
        slow /= factor
        return self._maxima(np.concatenate((self._slow, slow)))

    def _maxima(self, slow: NDArray[np.float64]) -> Candidates:
        count = max(0, len(slow) - 2 * self._reach)
        start, self._slow_start = self._slow_start + self._reach, self._slow_start + count
        self._slow = slow[len(slow) - min(len(slow), 2 * self._reach) :]
        if not count:
            return self._none
        qrs = _symmetric_fir(slow, self._qrs)
        energy = _sliding_sum(np.square(qrs, out=qrs), self._width)
        before, middle = energy[self._near - 1 : -self._near - 1], energy[self._near : -self._near]
        highest = _sliding_maximum(energy, 2 * self._near + 1)
        at = np.flatnonzero((middle == highest) & (middle > before) & (middle > self._width * _FLAT_MV**2))
        return self._candidates(slow, at, middle[at], start) if len(at) else self._none

    def _candidates(
        self, slow: NDArray[np.float64], at: NDArray[np.int64], energy: NDArray[np.float64], start: int
    ) -> Candidates:
        shapes = slow[(at + self._reach)[:, np.newaxis] + self._around]
        in_time = shapes[:, 1:-1]
        shapes -= in_time.mean(axis=1, keepdims=True)
        shapes /= np.sqrt(np.einsum("ij,ij->i", in_time, in_time))[:, np.newaxis] + _FLAT_MV
        lagged = np.lib.stride_tricks.sliding_window_view(shapes, self.shape_length, axis=1)
        return Candidates((start + at) * self._factor, 0.5 * np.log(energy / self._width), lagged)


def _gaussian_second_derivative(sigma: float) -> NDArray[np.float64]:
    reach = int(np.ceil(3.5 * sigma))
    t = np.arange(-reach, reach + 1) / sigma
    kernel = (1 - t**2) * np.exp(-(t**2) / 2)
    kernel -= kernel.mean()
    _, response = signal.freqz(kernel)
    return np.asarray(kernel / np.abs(response).max(), dtype=np.float64)


def _symmetric_fir(values: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fully overlapped part of a convolution, each output summed in the same order."""
    half = len(kernel) // 2
    inner = len(values) - 2 * half
    total: NDArray[np.float64] = kernel[half] * values[half : half + inner]
    pair = np.empty(inner)
    for i, weight in enumerate(kernel[:half].tolist()):
        np.add(values[i : i + inner], values[2 * half - i : 2 * half - i + inner], out=pair)
        pair *= weight
        total += pair
    return total


def _sliding_sum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sum of every `width` neighbours, from sums of 1, 2, 4, ... of them."""
    length = len(values) - width + 1
    total, summed, span = np.zeros(length), 0, 1
    while span <= width:
        if width & span:
            total += values[summed : summed + length]
            summed += span
        if 2 * span <= width:
            values = values[:-span] + values[span:]
        span *= 2
    return total


def _sliding_maximum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Maximum of every `width` neighbours, by doubling."""
    span = 1
    while 2 * span <= width:
        values = np.maximum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return np.maximum(values[: len(values) - rest], values[rest:])
