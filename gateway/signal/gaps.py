"""What stands in for samples that are not there."""

import numpy as np
from numpy.typing import NDArray


class LevelledGaps:
    """Closes every gap of a signal that arrives in blocks, so that none of its edges looks like a wave.

    The last value is held through the gap, and all that follows is moved to that level: a band-pass
    behind it sees a flat line where the signal is missing, whatever the baseline did meanwhile.
    """

    def __init__(self) -> None:
        self._last = np.nan
        self._in_gap = True
        self._shift = 0.0

    def levelled(self, block: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
        """`block`, not empty, without its gaps.

        Parameters
        ----------
        block : (n,) array, mV
        missing : (n,) bool array

        Returns
        -------
        (n,) array, mV
        """
        if not missing.any():
            if self._in_gap:
                self._shift += np.nan_to_num(self._last) - block[0]
            self._last, self._in_gap = block[-1], False
            return block + self._shift if self._shift else block
        values = np.concatenate(([self._last], np.where(missing, np.nan, block)))
        absent = np.isnan(values)
        held = values[np.maximum.accumulate(np.where(absent, 0, np.arange(len(values))))]
        resumed = np.flatnonzero(np.concatenate(([self._in_gap], missing[:-1])) & ~missing) + 1
        steps = np.zeros(len(values))
        steps[0] = self._shift
        steps[resumed] = np.nan_to_num(held[resumed - 1]) - values[resumed]
        shift = np.cumsum(steps)
        self._last, self._in_gap, self._shift = held[-1], bool(missing[-1]), shift[-1]
        return np.nan_to_num(held + shift)[1:]
