"""One configured device: its link opened again and again, its session's events carried out in order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gateway.drivers import (
    ClockRead,
    ClockSet,
    Close,
    Conversation,
    Event,
    Events,
    Fault,
    Identified,
    Measured,
    Progress,
    Read,
    Send,
    SetTimer,
    Subscribe,
    Unfinished,
)
from gateway.drivers.clock import drift_text
from gateway.errors import RefusedError, StoreError, TransportError
from gateway.model import Device, Reading
from gateway.service.acceptance import Accepted
from gateway.service.backoff import Backoff
from gateway.service.journal import Journal
from gateway.transports import Connection, Received, Transport, advice

_KEPT = "it was waiting when the gateway connected; nobody knows when it was measured"

Accept = Callable[[Reading, datetime], Awaitable[Accepted]]


class _CloseRequested(Exception):  # noqa: N818 - not an error
    """The session asked for the end of its connection."""


@dataclass(slots=True, kw_only=True)
class DeviceTask:
    """Keeps one device connected for as long as it runs.

    Parameters
    ----------
    name : str
        In the configuration.
    transport : Transport
    converse : callable
        Makes a fresh conversation for a connection.
    accept : callable
        Stores a reading; awaited before the next event is carried out.
    journal : Journal
    now : callable
    hold_kept : bool
        What a device server may have kept from before the connection waits for a person.
    """

    name: str
    transport: Transport
    converse: Callable[[], Conversation]
    accept: Accept
    journal: Journal
    now: Callable[[], datetime]
    hold_kept: bool = False
    _complaint: str = ""
    _backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, longest_s=30.0))

    async def run(self) -> None:
        log = structlog.get_logger().bind(device=self.name)
        unreachable = False
        while True:
            try:
                await self._recover(log)
                connection = await self.transport.open()
            except TransportError as error:
                if not unreachable:
                    log.warning("not reachable, trying again", reason=str(error))
                unreachable = True
            except StoreError as error:
                log.error("not accepting readings", reason=str(error))
            else:
                unreachable = False
                log.info("connected", port=self.transport.url)
                if await self._converse(connection, log):
                    self._backoff.reset()
            await asyncio.sleep(self._backoff.next())

    async def _converse(self, connection: Connection, log: structlog.typing.FilteringBoundLogger) -> bool:
        """One connection to its end; whether that was a good one."""
        try:
            await _Link(self, connection, log).run()
        except TransportError as error:
            log_loss = log.info if str(error) == self._complaint else log.warning
            log_loss("connection lost", reason=str(error))
            self._complaint = str(error)
        except StoreError as error:
            log.error("not accepting readings", reason=str(error))
        else:
            log.info("disconnected")
            self._complaint = ""
            return True
        finally:
            await connection.close()
        return False

    async def _recover(self, log: structlog.typing.FilteringBoundLogger) -> None:
        """Raw values that a crash or a broken link left behind become readings before anything new does."""
        rows = self.journal.left_behind()
        if not rows:
            return
        conversation = self.converse()
        for row in rows:
            conversation.device = Device(id=row.device_id).filled_from(conversation.device)
            await self._accept_recovered(conversation.received(row.data, row.channel, row.at), row.at, log)
        last = rows[-1].at
        await self._accept_recovered(conversation.disconnected(last), last, log)
        for row in rows:
            await self.journal.drop(row.id)

    async def _accept_recovered(
        self, events: Events, at: datetime, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        for event in events:
            if isinstance(event, Measured):
                log.info("recovered from the journal")
                await self.accept(event.reading, at)


class _Link:
    """One connection of a device, from its first byte to its last."""

    def __init__(
        self, task: DeviceTask, connection: Connection, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._task = task
        self._connection = connection
        self._conversation = task.converse()
        self._conversation.device = self._conversation.device.filled_from(connection.device)
        self._log = log
        self._timers: dict[str, datetime] = {}

    async def run(self) -> None:
        at = self._task.now()
        try:
            await self._carry_out(self._conversation.connected(at), at)
            while (arrived := await self._arrival()) is not None:
                await self._take(arrived)
        except _CloseRequested as closed:
            self._log.info("closing", reason=str(closed))
        finally:
            at = self._task.now()
            await self._carry_out(self._only_readings(self._conversation.disconnected(at)), at)

    async def _arrival(self) -> Received | None:
        """The next bytes; timers that run out meanwhile are told to the session."""
        receiving = asyncio.ensure_future(self._connection.receive())
        try:
            while True:
                await asyncio.wait({receiving}, timeout=self._seconds_to_next_timer())
                if receiving.done():
                    return receiving.result()
                await self._run_out()
        finally:
            receiving.cancel()

    async def _take(self, received: Received) -> None:
        events = self._conversation.received(received.data, received.channel, received.at)
        doubtful = received.kept and self._task.hold_kept
        await self._carry_out(_doubted(events) if doubtful else events, received.at)
        if any(isinstance(event, Unfinished) for event in events):
            self._task.journal.unfinished(received)
        else:
            await self._task.journal.settled(received)
        await self._connection.settle(received, _refusal(events))

    def _seconds_to_next_timer(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (min(self._timers.values()) - self._task.now()).total_seconds())

    async def _run_out(self) -> None:
        now = self._task.now()
        for name in [name for name, due in self._timers.items() if due <= now]:
            del self._timers[name]
            await self._carry_out(self._conversation.timer(name, now), now)

    async def _carry_out(self, events: Events, at: datetime) -> None:
        for event in events:
            await self._do(event, at)

    async def _do(self, event: Event, at: datetime) -> None:
        match event:
            case Measured(reading):
                await self._store(reading, at)
            case Send(data, channel, optional):
                await self._on_channel(self._connection.send(data, channel), channel, optional=optional)
            case Subscribe(channel, optional):
                await self._on_channel(self._connection.subscribe(channel), channel, optional=optional)
            case Read(channel):
                await self._on_channel(self._connection.read(channel), channel, optional=True)
            case SetTimer(name, seconds):
                self._set_timer(name, seconds)
            case Fault(code, message, offset):
                hint = {"advice": advice(self._task.transport.url)} if event.is_no_frame else {}
                self._log.warning("fault", code=code, message=message, offset=offset, **hint)
            case Progress(text, fraction):
                self._log.debug("progress", text=text, fraction=fraction)
            case Identified(device):
                self._log.info("identified", vendor=device.vendor, model=device.model)
            case ClockRead():
                self._log.info("device clock read", drift=self._drift())
            case ClockSet():
                self._log.info("device clock set")
            case Close(reason):
                raise _CloseRequested(reason)

    async def _on_channel(self, action: Awaitable[None], channel: str, *, optional: bool) -> None:
        try:
            await action
        except KeyError:
            if not optional:
                raise TransportError(f"the device has no {channel}; is it the right driver for it?") from None
        except RefusedError as refusal:
            if not optional:
                raise
            self._log.info("refused by the device", channel=channel, reason=str(refusal))

    async def _store(self, reading: Reading, at: datetime) -> None:
        accepted = await self._task.accept(reading, at)
        if accepted.reading_id is None:
            self._log.info("stored record delivered again", kind=reading.kind)
        else:
            self._log.info(
                "reading stored",
                reading=accepted.reading_id,
                kind=reading.kind,
                status=reading.status,
                held=accepted.held,
            )

    def _drift(self) -> str | None:
        clock = self._conversation.clock
        drift = clock.drift if clock.set_at is None else clock.drift_since
        return None if drift is None else drift_text(drift)

    def _set_timer(self, name: str, seconds: float) -> None:
        self._timers.pop(name, None)
        if seconds > 0:
            self._timers[name] = self._task.now() + timedelta(seconds=seconds)

    @staticmethod
    def _only_readings(events: Events) -> Events:
        return tuple(event for event in events if isinstance(event, Measured | Fault | Progress))


def _doubted(events: Events) -> Events:
    """Of bytes that a device server may have kept: readings without a time of their own are doubtful."""
    return tuple(
        Measured(replace(event.reading, doubt=_KEPT))
        if isinstance(event, Measured) and event.reading.time_source != "device"
        else event
        for event in events
    )


def _refusal(events: Events) -> str | None:
    """Why nothing came of the bytes: the first fault, unless a reading came of them after all."""
    if any(isinstance(event, Measured) for event in events):
        return None
    return next((event.message for event in events if isinstance(event, Fault)), None)
