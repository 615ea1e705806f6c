"""Which candidates are beats: evidence that follows the heart, weighed in one pass over the candidates.

Each candidate has log odds of being a beat: from its level against the last beats, from its level against
what was not a beat, and from its likeness to the last beats. A pair of neighbouring beats is judged by its
interval against the usual one. Three ways lead to a decision:

- as strong as the last beats, on time and clear of the noise: a beat, at once;
- clearly a beat, but not like that: a beat, unless something larger follows (it was a P wave);
- possible: decided with the next certain beat, or when one is overdue, as the set of beats between
  them with the best sum of evidence (Viterbi's algorithm over few candidates).

The nine weights were fitted by cross-validation over the records of the MIT-BIH Arrhythmia Database.
"""

from collections import deque
from math import inf, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.qrs_candidates import Candidates

# Log odds of a beat, by log ratios of level.
_PRIOR = -1.435
_BY_LEVEL = 3.424
_BY_CLEARANCE = 2.5
_MOST_CLEARANCE = 3.0
_BY_LIKENESS = 3.239
# Log odds that are lost with an interval unlike the usual one, by its log ratio.
_BY_EARLINESS = 2.268
_BY_LATENESS = 2.444
_MOST_LATENESS = 1.493
# A T wave stands in the shadow of its QRS: what is lost by log ratio to it, at the refractory period.
_BY_SHADOW = 9.769
_SHADOW_S = 0.34
_REFRACTORY_S = 0.2

_CERTAIN = 1.839
_POSSIBLE = -2.474
_P_WAVE_S = 0.29
_OVERDUE = 1.621

_STEADY_LEVEL = 0.4
_STEADY_CLEARANCE = 1.2
_STEADY_INTERVAL = 0.2

_LEARNING_S = 3.0
_USUAL_INTERVAL_S = 0.8
_SHORTEST_INTERVAL_S = 0.4
_LONGEST_INTERVAL_S = 3.0
_FIRST_CLEARANCE = 2.0
_FIRST_LIKENESS = 0.9
_BEATS_TO_COMPARE = 3
_MOST_POSSIBLE = 12


class Weighed(NamedTuple):
    """A candidate with its log odds of being a beat."""

    sample: int
    at: float
    level: float
    shape: NDArray[np.float64]
    log_odds: float


class _Recent:
    """The median of the last values."""

    __slots__ = ("_values", "median")

    def __init__(self, length: int, value: float) -> None:
        self._values: deque[float] = deque(maxlen=length)
        self.median = value

    def add(self, value: float) -> None:
        values = self._values
        values.append(value)
        self.median = sorted(values)[len(values) // 2]


class BeatDecision:
    """Takes candidates in order of time; the beats do not depend on how these come in portions.

    Parameters
    ----------
    sample_rate_hz : float
    shape_length : int
        Of the candidates' shapes.
    """

    def __init__(self, sample_rate_hz: float, shape_length: int) -> None:
        self._rate = sample_rate_hz
        self._learning: list[Weighed] | None = []
        self._beat_level = _Recent(5, -inf)
        self._other_level = _Recent(9, -inf)
        self._interval = _Recent(9, _USUAL_INTERVAL_S)
        self._shapes = np.zeros((6, shape_length))
        self._beats = 0
        self._last: Weighed | None = None
        self._certain: Weighed | None = None
        self._possible: list[Weighed] = []
        self._taken: list[Weighed] = []

    def feed(self, candidates: Candidates, until: int) -> list[Weighed]:
        """Beats that `candidates` confirm, and that none other follows up to sample `until`."""
        for sample, at, level, shape in zip(
            candidates.samples.tolist(),
            (candidates.samples / self._rate).tolist(),
            candidates.levels.tolist(),
            candidates.shapes,
            strict=True,
        ):
            if self._learning is None:
                self._advance(at)
                self._weigh(sample, at, level, shape)
            else:
                self._learn(Weighed(sample, at, level, shape, 0.0))
        if self._learning is None:
            self._advance(until / self._rate)
        elif self._learning and until / self._rate > self._learning[0].at + _LEARNING_S:
            self._finish_learning()
        return self._beats_taken()

    def flush(self) -> list[Weighed]:
        """The beats among all that is left."""
        if self._learning:
            self._finish_learning()
        self._advance(inf)
        return self._beats_taken()

    def _beats_taken(self) -> list[Weighed]:
        taken, self._taken = self._taken, []
        return taken

    def _learn(self, candidate: Weighed) -> None:
        assert self._learning is not None
        if self._learning and candidate.at > self._learning[0].at + _LEARNING_S:
            self._finish_learning()
            self._advance(candidate.at)
            self._weigh(candidate.sample, candidate.at, candidate.level, candidate.shape)
        else:
            self._learning.append(candidate)

    def _finish_learning(self) -> None:
        """The second highest level is a beat's, for the highest may be an artefact."""
        learnt, self._learning = self._learning or [], None
        self._beat_level.add(sorted(candidate.level for candidate in learnt)[-2:][0])
        self._other_level.median = self._beat_level.median - _FIRST_CLEARANCE
        for candidate in learnt:
            self._advance(candidate.at)
            self._weigh(candidate.sample, candidate.at, candidate.level, candidate.shape)

    def _advance(self, now: float) -> None:
        """Decide what has waited long enough by `now`."""
        if self._certain is not None and now > self._certain.at + _P_WAVE_S:
            self._decide(self._certain)
            self._certain = None
        if self._possible and self._certain is None:
            overdue = self._overdue()
            if now > overdue:
                self._decide_overdue(overdue)

    def _overdue(self) -> float:
        waited = self._possible[-1].at + _P_WAVE_S
        if self._last is None:
            return waited + _LEARNING_S
        return max(waited, self._last.at + _OVERDUE * max(self._interval.median, _SHORTEST_INTERVAL_S))

    def _weigh(self, sample: int, at: float, level: float, shape: NDArray[np.float64]) -> None:
        before = self._certain or self._last
        interval = at - before.at if before is not None else self._interval.median
        above = level - self._beat_level.median
        clearance = level - self._other_level.median
        odds = _PRIOR + _BY_LEVEL * above + _BY_CLEARANCE * min(clearance, _MOST_CLEARANCE)
        if self._certain is None:
            if interval < _REFRACTORY_S:
                return
            if odds + _BY_LIKENESS <= _POSSIBLE:
                self._other_level.add(level)
                return
        lateness = log(interval / self._interval.median)
        if (
            self._certain is None
            and before is not None
            and -_STEADY_INTERVAL < lateness < _STEADY_INTERVAL
            and -_STEADY_LEVEL < above < _STEADY_LEVEL
            and clearance > _STEADY_CLEARANCE
        ):
            self._decide(Weighed(sample, at, level, shape, odds + _BY_LIKENESS))
            return
        candidate = Weighed(sample, at, level, shape, odds + _BY_LIKENESS * self._likeness(shape))
        if self._certain is not None:
            self._weigh_after_certain(candidate, self._certain)
        elif candidate.log_odds + 2 * _early(lateness) - _shadow(interval, before, level) > _CERTAIN:
            self._certain = candidate
        elif candidate.log_odds > _POSSIBLE:
            self._possible.append(candidate)
            if len(self._possible) > _MOST_POSSIBLE:
                self._decide_overdue(at)
        else:
            self._other_level.add(level)

    def _likeness(self, shape: NDArray[np.float64]) -> float:
        """Correlation with that of the last beats which is most alike."""
        if self._beats < _BEATS_TO_COMPARE:
            return _FIRST_LIKENESS
        return max(0.0, *(self._shapes @ shape).ravel().tolist())

    def _weigh_after_certain(self, candidate: Weighed, certain: Weighed) -> None:
        if candidate.log_odds > certain.log_odds:
            self._possible.append(certain)
            self._certain = candidate
        elif candidate.log_odds > _POSSIBLE and candidate.at - certain.at >= _REFRACTORY_S:
            self._decide(certain)
            self._certain = None
            self._possible.append(candidate)

    def _decide(self, beat: Weighed) -> None:
        """Take `beat`, and of the possible ones before it those that fit best."""
        if not self._possible:
            self._take(beat)
            return
        nodes = [*self._possible, beat]
        self._settle(nodes, self._best_paths(nodes), len(nodes) - 1)

    def _decide_overdue(self, end: float) -> None:
        """Take those of the possible ones that fit best when no beat follows up to `end`."""
        nodes = self._possible
        paths = self._best_paths(nodes)
        usual = self._interval.median
        last, best = -1, self._fit(max(end - self._last.at, _REFRACTORY_S)) if self._last is not None else 0.0
        for i, (score, _) in enumerate(paths):
            total = score + self._fit(max(end - nodes[i].at, usual))
            if total > best:
                last, best = i, total
        self._settle(nodes, paths, last)

    def _best_paths(self, nodes: list[Weighed]) -> list[tuple[float, int]]:
        """For each node, the best sum of evidence of beats that end with it, and the one before (or -1)."""
        paths: list[tuple[float, int]] = []
        for node in nodes:
            best, before = node.log_odds + self._follows(self._last, node), -1
            for i, (score, _) in enumerate(paths):
                total = score + node.log_odds + self._follows(nodes[i], node)
                if total > best:
                    best, before = total, i
            paths.append((best, before))
        return paths

    def _settle(self, nodes: list[Weighed], paths: list[tuple[float, int]], last: int) -> None:
        beats = set()
        while last >= 0:
            beats.add(last)
            last = paths[last][1]
        self._possible = []
        for i, node in enumerate(nodes):
            if i in beats:
                self._take(node)
            else:
                self._other_level.add(node.level)

    def _take(self, beat: Weighed) -> None:
        if self._last is not None and beat.at - self._last.at < _LONGEST_INTERVAL_S:
            self._interval.add(beat.at - self._last.at)
        self._beat_level.add(beat.level)
        self._shapes[self._beats % len(self._shapes)] = beat.shape[:, 1]
        self._beats += 1
        self._last = beat
        self._taken.append(beat)

    def _follows(self, before: Weighed | None, after: Weighed) -> float:
        if before is None:
            return 0.0
        interval = after.at - before.at
        if interval < _REFRACTORY_S:
            return -inf
        return self._fit(interval) - _shadow(interval, before, after.level)

    def _fit(self, interval: float) -> float:
        lateness = log(interval / self._interval.median)
        return _early(lateness) - _BY_LATENESS * min(max(lateness, 0.0), _MOST_LATENESS)


def _early(lateness: float) -> float:
    return _BY_EARLINESS * min(lateness, 0.0)


def _shadow(interval: float, before: Weighed | None, level: float) -> float:
    if before is None or interval >= _SHADOW_S:
        return 0.0
    return _BY_SHADOW * max(0.0, before.level - level) * (_SHADOW_S - interval) / (_SHADOW_S - _REFRACTORY_S)
