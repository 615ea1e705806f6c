"""Which candidates are beats: evidence that follows the heart, weighed in one pass over the candidates.

Each candidate has log odds of being a beat: from its level against the last beats, from its level against
what was not a beat, and from its likeness to the shapes that beats have had. Two neighbouring beats are
judged by their interval against the rhythm, and by their levels: a smaller wave close behind a QRS is its T
wave, close before it its P wave. Three ways lead to a decision:

- in a steady rhythm, as strong as the last beats, on time and clear of the rest: a beat, at once;
- otherwise certain: a beat, unless something larger follows (then it was a P wave);
- possible: decided with the next certain beat, or when one is overdue, as the set of beats between the
  two with the best sum of evidence (Viterbi's algorithm over few candidates).

The weights were fitted and cross-validated over the records of the MIT-BIH Arrhythmia Database, as they are
and with the muscle and electrode noise of its Noise Stress Test Database.
"""

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.known_shapes import KnownShapes
from gateway.signal.qrs_candidates import Candidates
from gateway.signal.qrs_rhythm import Rhythm
from gateway.signal.running_median import RunningMedian

# Log odds of a beat, by log ratios of level.
_PRIOR = -1.435
_BY_LEVEL = 3.424
_BY_CLEARANCE = 2.5
_BY_LIKENESS = 3.239
_PRIOR_OF_LIKE = _PRIOR + _BY_LIKENESS
# A T wave stands in the shadow of its QRS: log odds lost by log ratio to it, at the refractory period.
_BY_SHADOW = 9.769
_SHADOW_S = 0.34
_REFRACTORY_S = 0.2
# A P wave heralds its QRS: log odds lost by log ratio to what follows within a PR interval.
_BY_HERALD = 4.0
_P_WAVE_S = 0.27

_CERTAIN = 1.839
_POSSIBLE = -2.474
_OVERDUE = 1.621

_STEADY_LEVEL = 0.4
_STEADY_CLEARANCE = 1.2

_LEARNING_S = 3.0
_SHORTEST_INTERVAL_S = 0.4
_FIRST_CLEARANCE = 2.0
_BEAT_LEVELS_REMEMBERED = 5
_OTHER_LEVELS_REMEMBERED = 9
_BEATS_TO_COMPARE = 3
_MOST_POSSIBLE = 12


class Weighed(NamedTuple):
    """A candidate with its log odds of being a beat, and its likeness where it was measured."""

    sample: int
    level: float
    shapes: NDArray[np.float64]
    log_odds: float
    likeness: float = 1.0


class BeatDecision:
    """Takes candidates in order of time; the beats do not depend on how these come in portions.

    Parameters
    ----------
    sample_rate_hz : float
    shape_length : int
        Of the candidates' shapes.
    """

    def __init__(self, sample_rate_hz: float, shape_length: int) -> None:
        self._refractory = _REFRACTORY_S * sample_rate_hz
        self._shadow_time = _SHADOW_S * sample_rate_hz
        self._p_wave = _P_WAVE_S * sample_rate_hz
        self._shortest = _SHORTEST_INTERVAL_S * sample_rate_hz
        self._learning_time = _LEARNING_S * sample_rate_hz
        self._learning: list[Weighed] | None = []
        self._beat_level = RunningMedian(_BEAT_LEVELS_REMEMBERED, -inf)
        self._other_level = RunningMedian(_OTHER_LEVELS_REMEMBERED, -inf)
        self._rhythm = Rhythm(sample_rate_hz)
        self._shapes = KnownShapes(shape_length)
        self._last: Weighed | None = None
        self._until = 0
        self._certain: Weighed | None = None
        self._possible: list[Weighed] = []
        self._taken: list[Weighed] = []

    def feed(self, candidates: Candidates, until: int) -> list[Weighed]:
        """Beats that `candidates` confirm, and that none other follows up to sample `until`."""
        samples, levels = candidates.samples.tolist(), candidates.levels.tolist()
        for sample, level, shapes in zip(samples, levels, candidates.shapes, strict=True):
            if self._learning is not None:
                self._learn(sample)
                if self._learning is not None:
                    self._learning.append(Weighed(sample, level, shapes, 0.0))
                    continue
            if self._possible or self._certain is not None:
                self._advance(sample)
            self._weigh(sample, level, shapes)
        if self._learning is not None:
            self._learn(until)
        if self._learning is None:
            self._advance(until)
        self._until = until
        return self._beats_taken()

    def flush(self) -> list[Weighed]:
        """The beats among all that is left."""
        if self._learning is not None:
            self._learn(inf)
        if self._certain is not None:
            self._decide(self._certain)
            self._certain = None
        if self._possible:
            self._decide_overdue(self._until)
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
        for candidate in learnt:
            self._advance(candidate.sample)
            self._weigh(candidate.sample, candidate.level, candidate.shapes)

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
        return max(waited, self._last.sample + _OVERDUE * max(self._rhythm.usual, self._shortest))

    def _weigh(self, sample: int, level: float, shapes: NDArray[np.float64]) -> None:
        above = level - self._beat_level.median
        clearance = level - self._other_level.median
        odds = _PRIOR_OF_LIKE + _BY_LEVEL * above + _BY_CLEARANCE * clearance
        if self._certain is not None:
            self._weigh_after(self._certain, Weighed(sample, level, shapes, odds))
            return
        last, rhythm = self._last, self._rhythm
        interval = sample - last.sample if last is not None else rhythm.usual
        if (
            rhythm.earliest < interval < rhythm.latest
            and -_STEADY_LEVEL < above < _STEADY_LEVEL
            and clearance > _STEADY_CLEARANCE
        ):
            self._decide(Weighed(sample, level, shapes, odds))
        elif interval < self._refractory:
            return
        elif odds <= _POSSIBLE or odds - rhythm.earliness(interval) <= _POSSIBLE:
            self._other_level.add(level)
        else:
            against = self._shadow(interval, last, level) + rhythm.intrusion(interval)
            self._wait(Weighed(sample, level, shapes, odds), against)

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
        """With its log odds, until now those of full likeness to a known shape, corrected."""
        if self._shapes.beats < _BEATS_TO_COMPARE:
            return candidate
        likeness = self._shapes.likeness(candidate.shapes)
        odds = candidate.log_odds - _BY_LIKENESS * (1 - likeness)
        return candidate._replace(log_odds=odds, likeness=likeness)

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
        usual = self._rhythm.usual
        best = 0.0 if self._last is None else self._rhythm.fit(max(end - self._last.sample, usual))
        last = -1
        for i, (score, _) in enumerate(paths):
            total = score + self._rhythm.fit(max(end - nodes[i].sample, usual))
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
            self._rhythm.add(beat.sample - self._last.sample)
        self._beat_level.add(beat.level)
        self._shapes.add(beat.shapes, beat.likeness)
        self._last = beat
        self._taken.append(beat)

    def _follows(self, before: Weighed | None, after: Weighed) -> float:
        if before is None:
            return 0.0
        interval = after.sample - before.sample
        if interval < self._refractory:
            return -inf
        fit = self._rhythm.fit(interval)
        if before.level > after.level:
            return fit - self._shadow(interval, before, after.level)
        return fit - (_BY_HERALD * (after.level - before.level) if interval < self._p_wave else 0.0)

    def _shadow(self, interval: float, before: Weighed | None, level: float) -> float:
        if before is None or interval >= self._shadow_time or before.level <= level:
            return 0.0
        nearness = (self._shadow_time - interval) / (self._shadow_time - self._refractory)
        return _BY_SHADOW * (before.level - level) * nearness
