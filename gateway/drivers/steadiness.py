"""When values that keep coming become one reading.

Scales and oximeters talk all the time; a clinic wants one weight of each person and one saturation of
each finger. These rules are the same for every device that streams.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from gateway.drivers.contract import Events, Measured, Progress
from gateway.model import Reading

_SPO2_SPREAD, _PULSE_SPREAD = 2, 10
_SPO2_CHANGE, _PULSE_CHANGE = 3, 15


@dataclass(slots=True)
class OneLoad:
    """One reading for each load on a scale.

    A stable value counts when it comes twice in a row, or once with silence after it (a scale that sends
    on its print key). After a weight nothing more is taken until the scale was seen empty, or at less than
    half of that weight; a rejected one may be followed by a weight.
    """

    _candidate: Reading | None = None
    _reported: Reading | None = None

    def stable(self, reading: Reading) -> Events:
        weight = reading.value("weight")
        self._unloaded_at(weight)
        if weight == 0:
            return self.empty()
        if self._candidate is None or not _alike(self._candidate, reading):
            self._candidate = reading
            return ()
        return self._take(reading)

    def unstable(self, weight: Decimal | None) -> Events:
        self._unloaded_at(weight)
        self._candidate = None
        return (Progress("weighing"),) if weight else ()

    def empty(self) -> Events:
        """The scale holds nothing."""
        self._candidate = self._reported = None
        return ()

    def silent(self) -> Events:
        """Nothing more came after the last value."""
        return self._take(self._candidate) if self._candidate is not None else ()

    def _take(self, reading: Reading) -> Events:
        self._candidate = None
        reported = self._reported
        if reported is not None and (reported.status == "final" or _alike(reported, reading)):
            return ()
        self._reported = reading
        return (Measured(reading),)

    def _unloaded_at(self, weight: Decimal | None) -> None:
        if weight is None or self._reported is None:
            return
        if weight <= (self._reported.value("weight") or 0) / 2:
            self._reported = None


@dataclass(slots=True)
class OneFinger:
    """One reading for each finger in an oximeter, and another when it has changed or time has passed.

    SpO2 and pulse rate must have been valid in `frames` frames in a row, within 2 % and 10 /min of each
    other; the last of them is the reading, with the digits of the display. The device's own statement that
    the value is settled takes the place of waiting. While the finger stays, the next reading comes when the
    settled values differ by 3 % or 15 /min from the last, or after `repeat`.

    Parameters
    ----------
    frames : int
    repeat : timedelta, optional
        None for never.
    """

    frames: int
    repeat: timedelta | None
    _window: deque[tuple[Decimal, Decimal]] = field(default_factory=deque)
    _reported: Reading | None = None
    _shown: str = ""

    def valid(self, reading: Reading, *, settled: bool = False) -> Events:
        """A frame that holds both values."""
        values = _pair(reading)
        self._window.append(values)
        if len(self._window) > self.frames:
            self._window.popleft()
        if not (settled and self._reported is None) and not self._steady():
            return self._progress("measuring", len(self._window) / self.frames)
        if self._reported is not None and not self._due(reading, values):
            return self._progress("measuring", 1.0)
        self._reported = reading
        return (Measured(reading),)

    def disturbed(self, text: str) -> Events:
        """A frame whose values cannot be used, with the finger still in."""
        self._window.clear()
        return self._progress(text)

    def gone(self, text: str) -> Events:
        """A frame that says that there is no finger, or no sensor."""
        self._reported = None
        return self.disturbed(text)

    def _steady(self) -> bool:
        spo2, pulse = zip(*self._window, strict=True)
        return (
            len(self._window) == self.frames
            and max(spo2) - min(spo2) <= _SPO2_SPREAD
            and max(pulse) - min(pulse) <= _PULSE_SPREAD
        )

    def _due(self, reading: Reading, values: tuple[Decimal, Decimal]) -> bool:
        if self._reported is None:
            return True
        spo2, pulse = _pair(self._reported)
        if abs(values[0] - spo2) >= _SPO2_CHANGE or abs(values[1] - pulse) >= _PULSE_CHANGE:
            return True
        if self.repeat is None or reading.taken_at is None or self._reported.taken_at is None:
            return False
        return reading.taken_at - self._reported.taken_at >= self.repeat

    def _progress(self, text: str, fraction: float | None = None) -> Events:
        """Each step of a measurement, but a state only when it begins."""
        repeated = text == self._shown and fraction in {None, 1.0}
        self._shown = text
        return () if repeated else (Progress(text, fraction),)


def _alike(one: Reading, other: Reading) -> bool:
    return (one.status, one.notes, one.observations) == (other.status, other.notes, other.observations)


def _pair(reading: Reading) -> tuple[Decimal, Decimal]:
    return reading.value("spo2") or Decimal(0), reading.value("pulse-rate") or Decimal(0)
