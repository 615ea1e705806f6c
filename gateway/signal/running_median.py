"""The median of the last values of a series."""

from bisect import bisect_left, insort
from collections import deque


class RunningMedian:
    """The median of the last values.

    Parameters
    ----------
    length : int
        How many values are remembered.
    median : float
        What it is before the first.
    """

    __slots__ = ("_ascending", "_length", "_values", "median")

    def __init__(self, length: int, median: float) -> None:
        self._values: deque[float] = deque()
        self._ascending: list[float] = []
        self._length = length
        self.median = median

    def add(self, value: float) -> None:
        values, ascending = self._values, self._ascending
        if len(values) == self._length:
            del ascending[bisect_left(ascending, values.popleft())]
        values.append(value)
        insort(ascending, value)
        self.median = ascending[len(ascending) >> 1]
