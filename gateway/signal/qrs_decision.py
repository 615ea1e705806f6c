"""Which candidates are beats: evidence that follows the heart, weighed in one pass over the candidates.

Each candidate has log odds of being a beat: from its level against the last beats, from its level against
what was not a beat, and from its likeness to the last beats. Two neighbouring beats are judged by their
interval against the usual one. Three ways lead to a decision:

- in a steady rhythm, as strong as the last beats, on time and clear of the rest: a beat, at once;
- otherwise certain: a beat, unless something larger follows (then it was a P wave);
- possible: decided with the next certain beat, or when one is overdue, as the set of beats between the
  two with the best sum of evidence (Viterbi's algorithm over few candidates).

The weights were fitted and cross-validated over the records of the MIT-BIH Arrhythmia Database, as they are
and with the muscle and electrode noise of its Noise Stress Test Database.
"""

from bisect import bisect_left, insort
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
_PRIOR_OF_LIKE = _PRIOR + _BY_LIKENESS
# Log odds lost with an interval unlike the usual one, by its log ratio.
_BY_EARLINESS = 2.268
_BY_LATENESS = 2.444
_MOST_LATENESS = 1.493
# A T wave stands in the shadow of its QRS: log odds lost by log ratio to it, at the refractory period.
_BY_SHADOW = 9.769
_SHADOW_S = 0.34
_REFRACTORY_S = 0.2

_CERTAIN = 1.839
_POSSIBLE = -2.474
_P_WAVE_S = 0.29
_OVERDUE = 1.621

_STEADY_LEVEL = 0.4
_STEADY_CLEARANCE = 1.2
_STEADY_LEAST = 0.82
_STEADY_MOST = 1.22

_LEARNING_S = 3.0
_USUAL_INTERVAL_S = 0.8
_SHORTEST_INTERVAL_S = 0.4
_LONGEST_INTERVAL_S = 3.0
_FIRST_CLEARANCE = 2.0
_BEATS_TO_COMPARE = 3
_BEATS_REMEMBERED = 6
_MOST_POSSIBLE = 12


class Weighed(NamedTuple):
    """A candidate with its log odds of being a beat."""

    sample: int
    level: float
    shape: NDArray[np.float64]
    log_odds: float


class _Recent:
    """The median of the last values."""

    __slots__ = ("_ascending", "_length", "_values", "median")

    def __init__(self, length: int, value: float) -> None:
        self._values: deque[float] = deque()
        self._ascending: list[float] = []
        self._length = length
        self.median = value

    def add(self, value: float) -> None:
        values, ascending = self._values, self._ascending
        if len(values) == self._length:
            del ascending[bisect_left(ascending, values.popleft())]
        values.append(value)
        insort(ascending, value)
        self.median = ascending[len(ascending) // 2]


class BeatDecision:
    """Takes candidates in order of time; the beats do not depend on how these come in portions.

    Parameters
    ----------
    sample_rate_hz : float
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._refractory = _REFRACTORY_S * sample_rate_hz
        self._shadow_time = _SHADOW_S * sample_rate_hz
        self._p_wave = _P_WAVE_S * sample_rate_hz
        self._shortest = _SHORTEST_INTERVAL_S * sample_rate_hz
        self._longest = _LONGEST_INTERVAL_S * sample_rate_hz
        self._learning_time = _LEARNING_S * sample_rate_hz
        self._learning: list[Weighed] | None = []
        self._beat_level = _Recent(5, -inf)
        self._other_level = _Recent(9, -inf)
        self._interval = _Recent(9, _USUAL_INTERVAL_S * sample_rate_hz)
        self._shapes: deque[NDArray[np.float64]] = deque(maxlen=_BEATS_REMEMBERED)
        self._steady = False
        self._last: Weighed | None = None
        self._certain: Weighed | None = None
        self._possible: list[Weighed] = []
        self._taken: list[Weighed] = []

    def feed(self, candidates: Candidates, until: int) -> list[Weighed]:
        """Beats that `candidates` confirm, and that none other follows up to sample `until`."""
        samples, levels = candidates.samples.tolist(), candidates.levels.tolist()
        for sample, level, shape in zip(samples, levels, candidates.shapes, strict=True):
            if self._learning is not None:
                self._learn(sample)
            if self._learning is not None:
                self._learning.append(Weighed(sample, level, shape, 0.0))
                continue
            if self._certain is not None or self._possible:
                self._advance(sample)
            self._weigh(sample, level, shape)
        if self._learning is not None:
            self._learn(until)
        if self._learning is None:
            self._advance(until)
        return self._beats_taken()

    def flush(self) -> list[Weighed]:
        """The beats among all that is left."""
        if self._learning is not None:
            self._learn(inf)
        self._advance(inf)
        return self._beats_taken()

    def _beats_taken(self) -> list[Weighed]:
        taken, self._taken = self._taken, []
        return taken

    def _learn(self, now: float) -> None:
        """With enough candidates, weigh them: the second highest is a beat, the highest may be noise."""
        learnt = self._learning
        if not learnt or now <= learnt[0].sample + self._learning_time:
            return
        self._learning = None
        self._beat_level.add(sorted(candidate.level for candidate in learnt)[-2:][0])
        self._other_level.median = self._beat_level.median - _FIRST_CLEARANCE
        for sample, level, shape, _ in learnt:
            self._advance(sample)
            self._weigh(sample, level, shape)

    def _advance(self, now: float) -> None:
        """Decide what has waited long enough by sample `now`."""
        if self._certain is not None and now > self._certain.sample + self._p_wave:
            self._decide(self._certain)
            self._certain = None
        if self._possible and self._certain is None:
            overdue = self._overdue()
            if now > overdue:
                self._decide_overdue(overdue)

    def _overdue(self) -> float:
        waited = self._possible[-1].sample + self._p_wave
        if self._last is None:
            return waited + self._learning_time
        return max(waited, self._last.sample + _OVERDUE * max(self._interval.median, self._shortest))

    def _weigh(self, sample: int, level: float, shape: NDArray[np.float64]) -> None:
        above = level - self._beat_level.median
        clearance = level - self._other_level.median
        odds = _PRIOR_OF_LIKE + _BY_LEVEL * above + _BY_CLEARANCE * min(clearance, _MOST_CLEARANCE)
        if self._certain is not None:
            self._weigh_after(self._certain, Weighed(sample, level, shape, odds))
            return
        last, usual = self._last, self._interval.median
        interval = sample - last.sample if last is not None else usual
        if (
            self._steady
            and _STEADY_LEAST < interval / usual < _STEADY_MOST
            and -_STEADY_LEVEL < above < _STEADY_LEVEL
            and clearance > _STEADY_CLEARANCE
        ):
            self._decide(Weighed(sample, level, shape, odds))
            return
        if interval < self._refractory:
            return
        early = _BY_EARLINESS * log(interval / usual) if interval < usual else 0.0
        if odds + early <= _POSSIBLE:
            self._other_level.add(level)
            return
        against = self._shadow(interval, last, level) - 2 * early
        self._wait(Weighed(sample, level, shape, odds), against)

    def _weigh_after(self, certain: Weighed, candidate: Weighed) -> None:
        if candidate.level > certain.level:
            self._possible.append(self._compared(certain))
            self._certain = candidate
        elif candidate.log_odds > _POSSIBLE and candidate.sample - certain.sample >= self._refractory:
            candidate = self._compared(candidate)
            if candidate.log_odds > _POSSIBLE:
                self._decide(certain)
                self._certain = None
                self._possible.append(candidate)

    def _wait(self, candidate: Weighed, against: float) -> None:
        """Likeness is measured only where it can change the verdict, for it takes the most time."""
        if candidate.log_odds - against <= _CERTAIN + _BY_LIKENESS:
            candidate = self._compared(candidate)
        if candidate.log_odds - against > _CERTAIN:
            self._certain = candidate
        elif candidate.log_odds > _POSSIBLE:
            self._possible.append(candidate)
            if len(self._possible) > _MOST_POSSIBLE:
                self._decide_overdue(candidate.sample)
        else:
            self._other_level.add(candidate.level)

    def _compared(self, candidate: Weighed) -> Weighed:
        """With its log odds, until now those of full likeness to the last beats, corrected."""
        if len(self._shapes) < _BEATS_TO_COMPARE:
            return candidate
        beats = np.stack([shape[1] for shape in self._shapes])
        likeness = max(0.0, *(beats @ candidate.shape.T).ravel().tolist())
        return candidate._replace(log_odds=candidate.log_odds - _BY_LIKENESS * (1 - likeness))

    def _decide(self, beat: Weighed) -> None:
        """Take `beat`, and of the possible ones before it those that fit best."""
        if not self._possible:
            self._take(beat)
            return
        nodes = [*self._possible, beat]
        self._settle(nodes, self._best_paths(nodes), len(nodes) - 1)

    def _decide_overdue(self, end: float) -> None:
        """Take those of the possible ones that fit best when no beat follows up to sample `end`."""
        nodes = self._possible
        paths = self._best_paths(nodes)
        usual = self._interval.median
        best = 0.0 if self._last is None else self._fit(max(end - self._last.sample, self._refractory))
        last = -1
        for i, (score, _) in enumerate(paths):
            total = score + self._fit(max(end - nodes[i].sample, usual))
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
        if self._last is not None:
            interval = beat.sample - self._last.sample
            self._steady = _STEADY_LEAST < interval / self._interval.median < _STEADY_MOST
            if interval < self._longest:
                self._interval.add(interval)
        self._beat_level.add(beat.level)
        self._shapes.append(beat.shape)
        self._last = beat
        self._taken.append(beat)

    def _follows(self, before: Weighed | None, after: Weighed) -> float:
        if before is None:
            return 0.0
        interval = after.sample - before.sample
        if interval < self._refractory:
            return -inf
        return self._fit(interval) - self._shadow(interval, before, after.level)

    def _fit(self, interval: float) -> float:
        lateness = log(interval / self._interval.median)
        if lateness < 0:
            return _BY_EARLINESS * lateness
        return -_BY_LATENESS * min(lateness, _MOST_LATENESS)

    def _shadow(self, interval: float, before: Weighed | None, level: float) -> float:
        if before is None or interval >= self._shadow_time or before.level <= level:
            return 0.0
        nearness = (self._shadow_time - interval) / (self._shadow_time - self._refractory)
        return _BY_SHADOW * (before.level - level) * nearness
