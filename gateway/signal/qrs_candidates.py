"""Where a QRS may be: the local maxima of QRS-band energy, found block by block.

The signal is decimated to a working rate of about 125 Hz, passed through a Gaussian second derivative
(a matched filter of a QRS of either polarity; zero gain at DC, so an offset cannot matter), squared and
averaged over the length of a QRS. Every stage has a finite response and sums in a fixed order, so that
the result does not depend on how the signal was cut into blocks.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.ndimage import maximum_filter1d

_WORKING_RATE_HZ = 125.0
_QRS_SIGMA_S = 0.013
_QRS_LENGTH_S = 0.1
_NEIGHBOURHOOD_S = 0.1


class Candidates(NamedTuple):
    """Local maxima of QRS energy, in order of time.

    Attributes
    ----------
    samples : (k,) int64 array
        At the rate of the input.
    levels : (k,) array, mV
        Root mean square of the QRS band around each.
    """

    samples: NDArray[np.int64]
    levels: NDArray[np.float64]


def _gaussian_second_derivative(sigma: float) -> NDArray[np.float64]:
    reach = int(np.ceil(3.5 * sigma))
    t = np.arange(-reach, reach + 1) / sigma
    kernel = (1 - t**2) * np.exp(-(t**2) / 2)
    kernel -= kernel.mean()
    _, response = signal.freqz(kernel)
    return np.asarray(kernel / np.abs(response).max(), dtype=np.float64)


class QrsCandidates:
    """Finds candidates in a signal that arrives in blocks.

    Parameters
    ----------
    sample_rate_hz : float

    Attributes
    ----------
    delay : int
        Samples after a candidate that must have been fed before it is found.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._factor = max(1, round(sample_rate_hz / _WORKING_RATE_HZ))
        rate = sample_rate_hz / self._factor
        box = np.full(self._factor, 1 / self._factor)
        self._antialias = np.pad(np.convolve(box, box), 1)
        self._qrs = _gaussian_second_derivative(_QRS_SIGMA_S * rate)
        width = 2 * round(_QRS_LENGTH_S * rate / 2) + 1
        self._mean = np.full(width, 1 / width)
        self._neighbours = round(_NEIGHBOURHOOD_S * rate)
        self._reach = (len(self._qrs) + width) // 2 - 1 + self._neighbours
        self._raw = np.empty(0)
        self._slow = np.empty(0)
        self._slow_start = -self._reach
        self.delay = (self._reach + 2) * self._factor

    def feed(self, block: NDArray[np.float64]) -> Candidates:
        """Candidates that `block`, not empty, completes; its first sample stands for all before the start."""
        if not len(self._raw):
            self._raw = np.full((self._reach + 1) * self._factor, block[0])
        raw = np.concatenate((self._raw, block))
        count = max(0, (len(raw) - 1) // self._factor - 1)
        self._raw = raw[count * self._factor :]
        slow = signal.upfirdn(self._antialias, raw, 1, self._factor)[2 : 2 + count]
        return self._maxima(np.concatenate((self._slow, slow)))

    def _maxima(self, slow: NDArray[np.float64]) -> Candidates:
        count = max(0, len(slow) - 2 * self._reach)
        self._slow = slow[count:]
        start = self._slow_start + self._reach
        self._slow_start += count
        if not count:
            return Candidates(np.empty(0, np.int64), np.empty(0))
        energy = self._valid(self._mean, self._valid(self._qrs, slow) ** 2)
        near, middle = self._neighbours, energy[self._neighbours : len(energy) - self._neighbours]
        highest = maximum_filter1d(energy, 2 * near + 1)[near : near + count]
        at = np.flatnonzero((middle == highest) & (middle > energy[near - 1 : near - 1 + count]))
        return Candidates((start + at) * self._factor, np.sqrt(middle[at]))

    @staticmethod
    def _valid(kernel: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(signal.upfirdn(kernel, values)[len(kernel) - 1 : len(values)])
