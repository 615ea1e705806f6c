"""A session with what surrounds it: settings checked, identity and site's zone put to each reading.

The same conversation runs live, in replay, in ``decode`` and in tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Self

from gateway.drivers.contract import Driver, Event, Events, Identified, Measured, Session
from gateway.errors import ConfigError, Problem
from gateway.model import Device, Reading


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
    """

    driver: Driver
    session: Session
    device: Device = field(default_factory=Device)
    zone: tzinfo | None = None

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
        return self._ask("connected", at)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return self._completed(self.session.received(data, channel, at), data)

    def timer(self, name: str, at: datetime) -> Events:
        return self._ask("timer", name, at)

    def disconnected(self, at: datetime) -> Events:
        return self._ask("disconnected", at)

    def _ask(self, method: str, *arguments: str | datetime) -> Events:
        handler = getattr(self.session, method, None)
        return self._completed(handler(*arguments), b"") if handler else ()

    def _completed(self, events: Events, data: bytes) -> Events:
        return tuple(self._complete(event, data) for event in events)

    def _complete(self, event: Event, data: bytes) -> Event:
        if isinstance(event, Identified):
            self.device = event.device.filled_from(self.device)
        if isinstance(event, Measured):
            return Measured(self._reading(event.reading, data))
        return event

    def _reading(self, reading: Reading, data: bytes) -> Reading:
        device = reading.device.filled_from(self.device).filled_from(self.driver.device)
        taken_at = reading.taken_at
        if taken_at is not None and taken_at.tzinfo is None and self.zone is not None:
            taken_at = taken_at.replace(tzinfo=self.zone)
        return replace(
            reading,
            driver=self.driver.id,
            device=device,
            taken_at=taken_at,
            provenance=reading.provenance or data,
        )
