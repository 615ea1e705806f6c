"""A session with what surrounds it: settings checked, identity and site's zone put to each reading.

The same conversation runs live, in replay, in ``decode`` and in tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Self

from gateway.drivers.clock import DeviceClock, at_zone, doubt_of, in_zone
from gateway.drivers.contract import ClockRead, ClockSet, Driver, Event, Events, Identified, Measured, Session
from gateway.errors import ConfigError, Problem
from gateway.model import Device, Reading

_BETWEEN = timedelta(microseconds=1)


def check_settings(driver: Driver, given: Mapping[str, str]) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The driver's settings with defaults filled in, and what is wrong with those given."""
    known = {setting.name: setting for setting in driver.settings}
    problems = [
        Problem(name, f"{driver.id} has no such setting", f"use one of: {', '.join(known) or 'none'}")
        for name in given
        if name not in known
    ]
    values: dict[str, str] = {}
    for setting in driver.settings:
        value = given.get(setting.name, setting.default)
        choices = f"one of: {', '.join(setting.choices)}" if setting.choices else setting.help or "a value"
        if value is None:
            problems.append(Problem(setting.name, f"{driver.id} needs it", f"give {choices}"))
        elif setting.choices and value not in setting.choices:
            problems.append(Problem(setting.name, f"{value!r} is not a choice", f"use {choices}"))
        else:
            values[setting.name] = value
    return values, tuple(problems)


@dataclass(slots=True)
class Conversation:
    """One connection with one device.

    Parameters
    ----------
    driver : Driver
    session : Session
    device : Device
        What the configuration and the link know; the driver's declaration and what the device says of
        itself are added.
    zone : tzinfo, optional
        Of times that the device states without one. None leaves them without.
    clock : DeviceClock
        What was learned of the device's clock by now.
    """

    driver: Driver
    session: Session
    device: Device = field(default_factory=Device)
    zone: tzinfo | None = None
    clock: DeviceClock = field(default_factory=DeviceClock)

    @classmethod
    def start(
        cls,
        driver: Driver,
        settings: Mapping[str, str],
        *,
        device: Device | None = None,
        zone: tzinfo | None = None,
        frames: bool = False,
    ) -> Self:
        """A fresh session of `driver`; with `frames`, one that reports each frame for itself.

        Raises
        ------
        ConfigError
            A setting is missing, unknown or not one of its choices.
        """
        values, problems = check_settings(driver, settings)
        if problems:
            raise ConfigError(f"settings of {driver.id}", problems)
        factory = driver.frames if frames and driver.frames else driver.session
        return cls(driver, factory(**values), device or Device(), zone)

    def connected(self, at: datetime) -> Events:
        return self._ask("connected", at=at)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return self._completed(self.session.received(data, channel, self._local(at)), data, at)

    def timer(self, name: str, at: datetime) -> Events:
        return self._ask("timer", name, at=at)

    def disconnected(self, at: datetime) -> Events:
        return self._ask("disconnected", at=at)

    def _ask(self, method: str, *arguments: str, at: datetime) -> Events:
        handler = getattr(self.session, method, None)
        return self._completed(handler(*arguments, self._local(at)), b"", at) if handler else ()

    def _local(self, at: datetime) -> datetime:
        return at if self.zone is None else in_zone(at, self.zone)

    def _completed(self, events: Events, data: bytes, at: datetime) -> Events:
        return _told_apart(self._complete(event, data, at) for event in events)

    def _complete(self, event: Event, data: bytes, at: datetime) -> Event:
        match event:
            case Identified(device):
                self.device = device.filled_from(self.device)
            case ClockRead(shown):
                self.clock = self.clock.read(at_zone(shown, self.zone or at.tzinfo), at)
            case ClockSet():
                self.clock = self.clock.set(at)
            case Measured(reading):
                return Measured(self._reading(reading, data, at))
            case _:
                pass
        return event

    def _reading(self, reading: Reading, data: bytes, at: datetime) -> Reading:
        by_device = reading.time_source == "device"
        taken_at = reading.taken_at and at_zone(reading.taken_at, self.zone)
        if taken_at is not None and not by_device:
            taken_at = taken_at.astimezone(at.tzinfo)
        return replace(
            reading,
            driver=self.driver.id,
            device=reading.device.filled_from(self.device).filled_from(self.driver.device),
            taken_at=taken_at,
            clock_drift=self._drift(reading, at),
            doubt=reading.doubt or (doubt_of(taken_at) if by_device and taken_at else None),
            provenance=reading.provenance or data,
        )

    def _drift(self, reading: Reading, at: datetime) -> timedelta | None:
        if reading.time_source != "device" or reading.taken_at is None:
            return None
        return self.clock.drift_of(at_zone(reading.taken_at, self.zone or at.tzinfo), at)


def _told_apart(events: Iterable[Event]) -> Events:
    """Equal measurements that arrived in one piece, each by the gateway's clock: a microsecond lies between.

    A record is known by its time and values; without this the second would be the first, delivered again.
    """
    seen: set[tuple[object, ...]] = set()
    apart: list[Event] = []
    for event in events:
        if isinstance(event, Measured) and event.reading.time_source == "gateway":
            while (known := _record_of(event.reading)) in seen:
                assert event.reading.taken_at is not None, "it has a source"
                later = replace(event.reading, taken_at=event.reading.taken_at + _BETWEEN)
                event = Measured(later)  # noqa: PLW2901 - the same measurement
            seen.add(known)
        apart.append(event)
    return tuple(apart)


def _record_of(reading: Reading) -> tuple[object, ...]:
    return reading.kind, reading.observations, reading.sequence, reading.slot, reading.taken_at
