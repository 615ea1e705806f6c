"""Where a converter was at its limit, seen in a signal that arrives in blocks."""

import numpy as np
from numpy.typing import NDArray

_SHORTEST_S = 0.02
_FEWEST_SAMPLES = 4


class SaturationWatch:
    """Finds runs of one value that no sample so far exceeds: the rails of a converter.

    A flat line from the start is not one, for the signal has shown no range yet.

    Parameters
    ----------
    sample_rate_hz : float
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._shortest = max(_FEWEST_SAMPLES, round(_SHORTEST_S * sample_rate_hz))
        self._highest = -np.inf
        self._lowest = np.inf
        self._value = np.nan
        self._length = 0
        self._fed = 0

    def feed(self, block: NDArray[np.float64]) -> list[tuple[int, int]]:
        """First sample, and the one after the last, of every run that ended within `block`.

        Parameters
        ----------
        block : (n,) array, mV
            NaN where there is no signal.
        """
        if not len(block):
            return []
        values = np.concatenate(([self._value], block))
        highest = np.fmax.accumulate(np.concatenate(([self._highest], values)))
        lowest = np.fmin.accumulate(np.concatenate(([self._lowest], values)))
        changes = np.flatnonzero(np.diff(values)) + 1
        # Indices into `values`, whose first stands for the whole run that the last block left open.
        first = np.concatenate(([1 - self._length], changes))
        stop = changes[changes > 0]
        at_limit = (values == highest[1:]) | (values == lowest[1:])
        seen = at_limit[stop - 1] & (lowest[stop] < highest[stop])
        begin = first[: len(stop)]
        long = seen & (stop - begin >= self._shortest)
        offset = self._fed - 1
        runs = list(zip((begin[long] + offset).tolist(), (stop[long] + offset).tolist(), strict=True))
        self._fed += len(block)
        self._value, self._length = float(values[-1]), int(len(values) - first[-1])
        self._highest, self._lowest = float(highest[max(first[-1], 0)]), float(lowest[max(first[-1], 0)])
        return runs
