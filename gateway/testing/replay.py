"""A session fixture played through its driver, without any I/O and in no time.

The driver's :class:`~gateway.drivers.Conversation` gets what the device said, at the times of the
fixture; its timers run on the same time line. What the host said is not fed: the driver says its own
part, which the outcome keeps as ``sent``. When a session ends with the link still open, every timer that
is pending fires once more before the link is closed, so that what waits for silence is heard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.drivers import (
    ClockRead,
    ClockSet,
    Close,
    Conversation,
    Driver,
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
)
from gateway.model import Device, Reading
from gateway.model.serialised import reading_json
from gateway.testing.expectation import Json
from gateway.testing.session_fixture import Connection, SessionFixture, uuid_name, zone_named

_DECODED_AT = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to show that is neither a reading nor a fault.

    Parameters
    ----------
    kind : str
        ``progress``, ``identified``, ``clock`` or ``close``.
    text : str
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that came of some bytes, each kind in order."""

    readings: tuple[Reading, ...] = ()
    events: tuple[Notice, ...] = ()
    errors: tuple[Fault, ...] = ()
    sent: tuple[Send, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """The document that ``gateway replay`` and ``gateway decode`` print."""
        return {
            "readings": [reading_json(reading) for reading in self.readings],
            "events": [{"kind": event.kind, "text": event.text} for event in self.events],
            "errors": [
                {"offset": fault.offset, "code": fault.code, "message": fault.message}
                for fault in self.errors
            ],
        }


def replay(
    fixture: SessionFixture,
    driver: Driver,
    *,
    settings: Mapping[str, str] | None = None,
    zone: tzinfo | None = None,
    frames: bool = False,
) -> Outcome:
    """What `driver` makes of the session; `settings` and `zone` go before the fixture's own.

    With `frames`, what each frame says for itself, before the driver concludes anything from several.

    Raises
    ------
    ConfigError
        The settings do not fit the driver.
    """
    conversation = _starter(fixture, driver, settings or {}, zone, frames)
    values = fixture.gatt.value if fixture.gatt else _no_value
    taken = _Taken()
    for connection in fixture.connections:
        _play(connection, _Line(conversation(), values, taken), fixture)
    return taken.outcome()


def decode(
    driver: Driver,
    data: bytes,
    *,
    channel: str = "",
    settings: Mapping[str, str] | None = None,
    zone: tzinfo | None = None,
) -> Outcome:
    """What each frame in `data` says for itself. A reading has a time only where its bytes hold one."""
    taken = _Taken()
    conversation = Conversation.start(driver, settings or {}, zone=zone, frames=True)
    line = _Line(conversation, _no_value, taken)
    line.opened(_DECODED_AT)
    line.received(data, uuid_name(channel), _DECODED_AT)
    line.run_out(_DECODED_AT)
    outcome = taken.outcome()
    return replace(outcome, readings=tuple(_without_our_time(reading) for reading in outcome.readings))


def _without_our_time(reading: Reading) -> Reading:
    if reading.time_source == "gateway":
        return replace(reading, taken_at=None, clock_drift=None)
    return replace(reading, clock_drift=None)


def _starter(
    fixture: SessionFixture,
    driver: Driver,
    settings: Mapping[str, str],
    zone: tzinfo | None,
    frames: bool,
) -> Callable[[], Conversation]:
    own_zone = zone_named(fixture.zone) if fixture.zone else None
    known = {**fixture.settings, **settings}
    return lambda: Conversation.start(
        driver, known, device=fixture.device, zone=zone or own_zone, frames=frames
    )


def _play(connection: Connection, line: "_Line", fixture: SessionFixture) -> None:
    line.opened(fixture.moment(connection.opened_at))
    at = connection.opened_at
    for exchange in connection.exchanges:
        at = exchange.at
        if exchange.direction == "<":
            line.received(exchange.data, exchange.channel, fixture.moment(at))
    if connection.closed_at is None:
        line.run_out(fixture.moment(at))
    else:
        line.closed(fixture.moment(connection.closed_at))


def _no_value(_channel: str) -> bytes | None:
    return None


@dataclass(slots=True)
class _Taken:
    readings: list[Reading] = field(default_factory=list)
    events: list[Notice] = field(default_factory=list)
    errors: list[Fault] = field(default_factory=list)
    sent: list[Send] = field(default_factory=list)

    def outcome(self) -> Outcome:
        return Outcome(tuple(self.readings), tuple(self.events), tuple(self.errors), tuple(self.sent))


@dataclass(slots=True)
class _Line:
    """One connection on its time line: what arrives goes in, timers fire when they are due.

    A value comes under the channel's name as the session spelled it when it subscribed, as it does live.
    """

    conversation: Conversation
    values: Callable[[str], bytes | None]
    taken: _Taken
    ended: bool = False
    timers: dict[str, datetime] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    spelling: dict[str, str] = field(default_factory=dict)

    def opened(self, at: datetime) -> None:
        self._carry_out(self.conversation.connected(at), at)

    def received(self, data: bytes, channel: str, at: datetime) -> None:
        self._fire_before(at)
        if not self.ended:
            as_asked_for = self.spelling.get(uuid_name(channel), channel)
            self._carry_out(self.conversation.received(data, as_asked_for, at), at)

    def run_out(self, at: datetime) -> None:
        """Fire what is pending, once each, then close."""
        pending = set(self.timers)
        while due := pending & set(self.timers):
            name = min(due, key=lambda name: (self.timers[name], name))
            pending.discard(name)
            at = max(at, self.timers[name])
            self._fire(name)
        self.closed(at)

    def closed(self, at: datetime) -> None:
        self._fire_before(at)
        if not self.ended:
            self.ended = True
            self._carry_out(self.conversation.disconnected(at), at)

    def _fire_before(self, at: datetime) -> None:
        while not self.ended and self.timers:
            name = min(self.timers, key=lambda name: (self.timers[name], name))
            if self.timers[name] >= at:
                return
            self._fire(name)

    def _fire(self, name: str) -> None:
        due = self.timers.pop(name)
        self._carry_out(self.conversation.timer(name, due), due)

    def _carry_out(self, events: Events, at: datetime) -> None:
        for event in events:
            self._carry_out_one(event, at)

    def _carry_out_one(self, event: Event, at: datetime) -> None:
        match event:
            case Measured(reading):
                self.taken.readings.append(reading)
            case Fault():
                self.taken.errors.append(event)
            case Progress(text):
                self.taken.events.append(Notice("progress", text))
            case Identified(device):
                self.taken.events.append(Notice("identified", _named(device)))
            case Send():
                self.taken.sent.append(event)
            case SetTimer(name, seconds):
                self._set_timer(name, seconds, at)
            case Read(channel):
                self._give_value(channel, at)
            case ClockRead(shown):
                self.taken.events.append(Notice("clock", f"shows {shown.isoformat(' ')}"))
            case ClockSet():
                self.taken.events.append(Notice("clock", "set"))
            case Close(reason):
                self.taken.events.append(Notice("close", reason))
                self.closed(at)
            case Subscribe(channel):
                self.spelling[uuid_name(channel)] = channel

    def _set_timer(self, name: str, seconds: float, at: datetime) -> None:
        self.timers.pop(name, None)
        if seconds > 0 and not self.ended:
            self.timers[name] = at + timedelta(seconds=seconds)

    def _give_value(self, channel: str, at: datetime) -> None:
        value = self.values(uuid_name(channel))
        if value is not None and channel not in self.read and not self.ended:
            self.read.add(channel)
            self._carry_out(self.conversation.received(value, channel, at), at)


def _named(device: Device) -> str:
    parts = (device.vendor, device.model, device.serial)
    return " ".join(part for part in parts if part) or device.id or ""
