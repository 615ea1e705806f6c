"""Which candidates are beats: thresholds that follow the heart, in one pass over the candidates."""

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

_LEARNING_S = 2.0
_REFRACTORY_S = 0.2
_T_WAVE_S = 0.36
_SURE = 0.45
_POSSIBLE = 0.2
_LONG_PAUSE = 1.66
_SLOWEST_S = 2.0
_REMEMBERED = 8


class Accepted(NamedTuple):
    """A candidate taken for a beat."""

    sample: int
    confidence: float


class BeatDecision:
    """Takes candidates in order of time; knows the past only.

    Parameters
    ----------
    sample_rate_hz : float
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._rate = sample_rate_hz
        self._learning: list[tuple[int, float]] = []
        self._levels: deque[float] = deque(maxlen=_REMEMBERED)
        self._intervals: deque[int] = deque(maxlen=_REMEMBERED)
        self._possible: list[tuple[int, float]] = []
        self._last: int | None = None

    def feed(self, candidates: Iterable[tuple[int, float]], until: int) -> list[Accepted]:
        """Beats among `candidates`, and those overdue at sample `until`; all up to there are known."""
        accepted: list[Accepted] = []
        for sample, level in candidates:
            if not self._levels:
                self._learn(sample, level, accepted)
            else:
                self._search_back(sample, accepted)
                self._take(sample, level, accepted)
        if not self._levels and until >= _LEARNING_S * self._rate:
            self._finish_learning(accepted)
        self._search_back(until, accepted)
        return accepted

    def flush(self) -> list[Accepted]:
        accepted: list[Accepted] = []
        if not self._levels:
            self._finish_learning(accepted)
        return accepted

    def _learn(self, sample: int, level: float, accepted: list[Accepted]) -> None:
        if sample < _LEARNING_S * self._rate:
            self._learning.append((sample, level))
            return
        self._finish_learning(accepted)
        self._levels.append(level)
        self._take(sample, level, accepted)

    def _finish_learning(self, accepted: list[Accepted]) -> None:
        if not self._learning:
            return
        highest = sorted((level for _, level in self._learning), reverse=True)[:2]
        self._levels.append(highest[-1])
        for sample, level in self._learning:
            self._search_back(sample, accepted)
            self._take(sample, level, accepted)
        self._learning.clear()

    def _take(self, sample: int, level: float, accepted: list[Accepted]) -> None:
        ratio = level / median(self._levels)
        since = sample - self._last if self._last is not None else self._rate
        if ratio > _SURE and since > _REFRACTORY_S * self._rate:
            self._accept(sample, level, ratio, accepted)
        elif ratio > _POSSIBLE and since > _T_WAVE_S * self._rate:
            self._possible.append((sample, level))

    def _search_back(self, now: int, accepted: list[Accepted]) -> None:
        while self._possible and self._last is not None:
            usual = median(self._intervals) if self._intervals else self._rate
            if now - self._last < min(_LONG_PAUSE * usual, _SLOWEST_S * self._rate):
                return
            sample, level = max(self._possible, key=lambda candidate: candidate[1])
            self._accept(sample, level, level / median(self._levels), accepted)

    def _accept(self, sample: int, level: float, ratio: float, accepted: list[Accepted]) -> None:
        if self._last is not None:
            self._intervals.append(sample - self._last)
        self._levels.append(level)
        self._last = sample
        self._possible = [c for c in self._possible if c[0] > sample + _T_WAVE_S * self._rate]
        accepted.append(Accepted(sample, min(1.0, ratio)))
