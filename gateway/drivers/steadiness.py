"""When values that keep coming become one reading.

Scales and oximeters talk all the time; a clinic wants one weight of each person and one saturation of
each finger. These rules are the same for every device that streams.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

from gateway.drivers.contract import Events, Measured, Progress, Setting
from gateway.model import Reading

REPEAT = Setting(
    "repeat_s", ("60", "300", "900", "never"), "300", "seconds to the next of an unchanged value"
)


def repeat_after(repeat_s: str) -> timedelta | None:
    """What the setting `REPEAT` means; None for never."""
    return None if repeat_s == "never" else timedelta(seconds=int(repeat_s))


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
class _OneWearer:
    """One reading for each wearer of a sensor, and another when it has changed or time has passed.

    Every value that is watched must have been valid in `frames` frames in a row, within its spread; the last
    of them is the reading, with the digits of the display. The device's own statement that the value is
    settled takes the place of waiting. While the wearer stays, the next reading comes when a settled value
    differs from the last by its change, or after `repeat`.

    Parameters
    ----------
    frames : int
    repeat : timedelta, optional
        None for never.
    """

    frames: int
    repeat: timedelta | None
    _window: deque[tuple[Decimal, ...]] = field(default_factory=deque)
    _reported: Reading | None = None
    _shown: str = ""

    _SPREADS_AND_CHANGES: ClassVar[Mapping[str, tuple[int, int]]]

    @property
    def is_new(self) -> bool:
        """Whether the finger has given no reading yet."""
        return self._reported is None

    def valid(self, reading: Reading, *, settled: bool = False) -> Events:
        """A frame that holds every value."""
        values = self._watched(reading)
        self._window.append(values)
        if len(self._window) > self.frames:
            self._window.popleft()
        if not (settled and self._reported is None) and not self._steady():
            return self._progress("measuring", len(self._window) / self.frames)
        if self._reported is not None and not self._due(self._reported, reading, values):
            return self._progress("measuring", 1.0)
        self._reported = reading
        return (Measured(reading),)

    def disturbed(self, text: str) -> Events:
        """A frame whose values cannot be used, with the sensor still worn."""
        self._window.clear()
        return self._progress(text)

    def gone(self, text: str) -> Events:
        """A frame that says that nobody wears it, or that there is no sensor."""
        self._reported = None
        return self.disturbed(text)

    def _steady(self) -> bool:
        spreads = (spread for spread, _ in self._SPREADS_AND_CHANGES.values())
        return len(self._window) == self.frames and all(
            max(values) - min(values) <= spread
            for values, spread in zip(zip(*self._window, strict=True), spreads, strict=True)
        )

    def _due(self, reported: Reading, reading: Reading, values: tuple[Decimal, ...]) -> bool:
        changes = (change for _, change in self._SPREADS_AND_CHANGES.values())
        before = self._watched(reported)
        if any(abs(now - then) >= by for now, then, by in zip(values, before, changes, strict=True)):
            return True
        if self.repeat is None or reading.taken_at is None or reported.taken_at is None:
            return False
        return reading.taken_at - reported.taken_at >= self.repeat

    def _watched(self, reading: Reading) -> tuple[Decimal, ...]:
        return tuple(reading.value(name) or Decimal(0) for name in self._SPREADS_AND_CHANGES)

    def _progress(self, text: str, fraction: float | None = None) -> Events:
        """Each step of a measurement, but a state only when it begins."""
        repeated = text == self._shown and fraction in {None, 1.0}
        self._shown = text
        return () if repeated else (Progress(text, fraction),)


class OneFinger(_OneWearer):
    """A finger in an oximeter: SpO2 within 2 %, pulse rate within 10 /min; changed by 3 % or 15 /min."""

    __slots__ = ()
    _SPREADS_AND_CHANGES = MappingProxyType({"spo2": (2, 3), "pulse-rate": (10, 15)})


class OneHeart(_OneWearer):
    """A heart rate sensor on somebody: within 10 /min; changed by 15 /min."""

    __slots__ = ()
    _SPREADS_AND_CHANGES = MappingProxyType({"heart-rate": (10, 15)})


def _alike(one: Reading, other: Reading) -> bool:
    return (one.status, one.notes, one.observations) == (other.status, other.notes, other.observations)
