"""What the time of a candidate says about it: when the next beat is due, and how regular the last ones were.

The interval between two beats, by its ratio to the usual one, is drawn from a mixture. As often as the last
beats were on time it is near 1; else it may be any, the less likely the farther from 1. So in a regular
rhythm a beat between two that are on time with each other needs far more evidence than one before a pause,
and in atrial fibrillation no more than any other.
"""

from math import exp, inf, log

from gateway.signal.running_median import RunningMedian

# Log odds lost with an interval unlike the usual one, by its log ratio.
_BY_EARLINESS = 2.268
_BY_LATENESS = 2.444
_MOST_LATENESS = 1.493

# Which ratio is on time, and how much likelier such an interval is when the heart is regular.
_ON_TIME_LEAST = 0.89
_ON_TIME_MOST = 1.13
_ON_TIME_DENSITY = 3.5
# Beats over which punctuality is averaged. Its high power is near 0 for fibrillation, where a third of the
# beats are on time by chance, and it never amounts to certainty.
_PUNCTUALITY_BEATS = 6
_REGULAR_POWER = 6
_MOST_REGULAR = 0.95

_STEADY_LEAST = 0.82
_STEADY_MOST = 1.22
_USUAL_INTERVAL_S = 0.8
_LONGEST_INTERVAL_S = 3.0
_INTERVALS_REMEMBERED = 9


class Rhythm:
    """Follows the intervals from beat to beat, all in samples.

    Parameters
    ----------
    sample_rate_hz : float

    Attributes
    ----------
    usual : float
        Median of the last intervals.
    earliest, latest : float
        Between these, an interval goes on with a steady rhythm; infinite and 0 where it is not steady.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self.usual = _USUAL_INTERVAL_S * sample_rate_hz
        self.earliest, self.latest = inf, 0.0
        self._longest = _LONGEST_INTERVAL_S * sample_rate_hz
        self._intervals = RunningMedian(_INTERVALS_REMEMBERED, self.usual)
        self._punctuality = 0.0

    def add(self, interval: float) -> None:
        """Remember an interval between two beats, above 0; the usual one learns nothing from a pause."""
        usual = self.usual
        steady = _STEADY_LEAST * usual < interval < _STEADY_MOST * usual
        on_time = _ON_TIME_LEAST * usual < interval < _ON_TIME_MOST * usual
        self._punctuality += (on_time - self._punctuality) / _PUNCTUALITY_BEATS
        if interval < self._longest:
            self._intervals.add(interval)
            self.usual = usual = self._intervals.median
        if steady:
            self.earliest, self.latest = _STEADY_LEAST * usual, _STEADY_MOST * usual
        else:
            self.earliest, self.latest = inf, 0.0

    def fit(self, interval: float) -> float:
        """Log likelihood of an interval above 0, up to a constant."""
        lateness = log(interval / self.usual)
        by_chance = -self.earliness(interval) - _BY_LATENESS * min(max(lateness, 0.0), _MOST_LATENESS)
        regular = self._regular()
        if _ON_TIME_LEAST < interval / self.usual < _ON_TIME_MOST:
            return log((1 - regular) * exp(by_chance) + regular * _ON_TIME_DENSITY)
        return log(1 - regular) + by_chance

    def earliness(self, interval: float) -> float:
        """Log odds that a beat loses at least by coming before the usual time."""
        return _BY_EARLINESS * log(self.usual / interval) if interval < self.usual else 0.0

    def intrusion(self, interval: float) -> float:
        """Log odds that an early beat loses should the next one come when it is due all the same."""
        if interval >= self.usual:
            return 0.0
        regular = self._regular()
        on_time = log(1 - regular + regular * _ON_TIME_DENSITY)
        return 2 * (self.earliness(interval) - log(1 - regular)) + on_time

    def _regular(self) -> float:
        return _MOST_REGULAR * self._punctuality**_REGULAR_POWER
