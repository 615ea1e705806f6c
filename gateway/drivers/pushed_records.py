"""Records that a Bluetooth device pushes as soon as it is asked: each counts once, and not each is of now.

A record without a time was measured when it came, where it comes alone: the device woke because of it.
Several that follow each other within seconds are a memory, of a clock that was never set; which of them is of
now, nobody knows, and all wait for a person. So a record without a time is told only when a few seconds have
passed, or the connection ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.drivers.contract import Event, Events, Measured, SetTimer, Unfinished
from gateway.drivers.gatt_session import Recent
from gateway.drivers.stored_records import held

_TIMER = "undated "
_QUIET_S = 3.0
_ONE_OF_SEVERAL = "one of several that came without a time"


@dataclass(slots=True)
class _Undated:
    """Those of one characteristic that have followed each other until now."""

    values: list[bytes]
    last_at: datetime
    alone: Measured | None


class PushedRecords:
    """The records of one connection, by characteristic."""

    def __init__(self) -> None:
        self._recent = Recent()
        self._undated: dict[str, _Undated] = {}

    def once(self, channel: str, data: bytes, at: datetime, events: Callable[[], Events]) -> Events:
        """What comes of a value the first time that it holds; of one without a time, when that is clear."""
        before = self._over(channel) if self._is_quiet(channel, at) else ()
        for event in (found := self._recent.once(data, events)):
            if isinstance(event, Measured) and _is_undated(event):
                others = tuple(other for other in found if other is not event)
                return (*before, *others, *self._follow(channel, data, at, event))
        return (*before, *found)

    def timer(self, name: str) -> Events:
        """What has become clear when one of the timers set here has run out; nothing of another one."""
        return self._over(name.removeprefix(_TIMER)) if name.startswith(_TIMER) else ()

    def disconnected(self) -> Events:
        return tuple(event for channel in tuple(self._undated) for event in self._over(channel))

    def _is_quiet(self, channel: str, at: datetime) -> bool:
        undated = self._undated.get(channel)
        return undated is not None and at - undated.last_at >= timedelta(seconds=_QUIET_S)

    def _follow(self, channel: str, data: bytes, at: datetime, measured: Measured) -> Events:
        wait = SetTimer(_TIMER + channel, _QUIET_S)
        undated = self._undated.get(channel)
        if undated is None:
            self._undated[channel] = _Undated([data], at, measured)
            return Unfinished(), wait
        first = (undated.alone,) if undated.alone is not None else ()
        undated.values.append(data)
        undated.last_at, undated.alone = at, None
        return (*map(_doubted, (*first, measured)), wait)

    def _over(self, channel: str) -> Events:
        """No other has followed: one that came alone was measured then; its like is another from now on."""
        undated = self._undated.pop(channel, None)
        if undated is None:
            return ()
        self._recent.forget(undated.values)
        return () if undated.alone is None else (undated.alone,)


def _is_undated(measured: Measured) -> bool:
    reading = measured.reading
    return reading.time_source == "gateway" and reading.status != "rejected" and reading.doubt is None


def _doubted(measured: Measured) -> Event:
    return Measured(held(measured.reading.noted(_ONE_OF_SEVERAL, status="questionable")))
