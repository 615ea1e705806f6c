"""The shapes that beats have had lately, with those that come seldom.

Ectopic beats of one origin resemble each other, and may come a minute apart.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

_LAST = 6
_UNLIKE = 12
_LIKE = 0.7


class KnownShapes:
    """The shapes of the last 6 beats, and of the last 12 that resembled none that was known.

    Parameters
    ----------
    length : int
        Of a shape.

    Attributes
    ----------
    beats : int
        How many have been added.
    """

    def __init__(self, length: int) -> None:
        self.beats = 0
        self._last: deque[NDArray[np.float64]] = deque(maxlen=_LAST)
        self._unlike = 0
        self._table = np.zeros((_LAST + _UNLIKE, length))

    def add(self, shapes: NDArray[np.float64], likeness: float) -> None:
        """Remember a beat.

        Parameters
        ----------
        shapes : (3, length) array
            One sample early, in time, and one late; that in time, which is remembered, of unit norm.
        likeness : float
            As measured before.
        """
        self.beats += 1
        self._last.append(shapes)
        if likeness < _LIKE:
            self._table[_LAST + self._unlike % _UNLIKE] = shapes[1]
            self._unlike += 1

    def likeness(self, shapes: NDArray[np.float64]) -> float:
        """The highest correlation of any of `shapes`, (3, length), with any that is known; 0 to 1."""
        for row, last in enumerate(self._last):
            self._table[row] = last[1]
        return max(0.0, float((self._table @ shapes.T).max()))
