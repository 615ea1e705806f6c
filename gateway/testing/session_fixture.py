r"""Session fixtures: what one device and its host said to each other, and what is to come of it.

A fixture is a TOML file::

    [session]
    driver = "exemplar-x1"
    started_at = 2026-03-02T09:10:00-05:00
    device = { vendor = "Exemplar", model = "X1", serial = "X1-000317" }
    origin = "constructed"
    source = "X1 Service Manual rev. 3, section 5.2"

    [[exchange]]
    at = 0.0
    dir = "<"
    text = "T,0042,36.8,C,E*47\r\n"

    [[expect.reading]]
    kind = "temperature"
    observations = [{ name = "temperature", value = "36.8", unit = "Cel", site = "ear" }]

==============  ====================================================================================
session         driver, started_at, origin (capture, manual, constructed); and where they apply device
                (vendor, model, serial, id), zone (of times that the device states without one, and of
                started_at if that has no offset), settings, source, note, gatt
session.gatt    a Bluetooth peripheral: name, address, advertises (services), and characteristics =
                [{ service, uuid, properties, hex or text: its readable value, encrypted }, ...]
exchange        at (seconds), dir (``<`` from the device, ``>`` to it), channel, and one of hex, text
                (Latin-1), file (beside the fixture; the channel is then the file's name). Of what the host
                says, bytes may be left out: then anything that it says there will do
exchange        at and link: ``connected`` or ``disconnected``. A session begins connected unless its
                first exchange is ``connected``, and ends as its last exchange leaves it
special         what (as the driver's declaration calls it), hex or text: a whole frame with an error code or
                a value that is no number, channel; and still, names of what the frame may hold a number of
                all the same. Such frames are no part of the session, and each has to give no number
expect.reading  any part of a reading as ``gateway replay --json`` prints it; what is not stated is not
                compared, but a list of observations is complete. ekg: format, leads, sample_rate_hz,
                samples. clock_drift_s: seconds that the device's clock was ahead
expect.fault    code, and where wanted offset and a part of the message
expect.event    kind (progress, identified, clock, close) and text; events that are not expected do no harm
==============  ====================================================================================
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from gateway.errors import ConfigError, Problem
from gateway.model import Device
from gateway.testing.expectation import Expectation, read_expectation
from gateway.testing.toml_table import Table

Direction = Literal["<", ">"]
Origin = Literal["capture", "manual", "constructed"]
Property = Literal["read", "write", "write-without-response", "notify", "indicate"]

_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_SHORT_UUID = re.compile(r"[0-9A-Fa-f]{4}|[0-9A-Fa-f]{8}")
_LONG_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_BLUETOOTH_BASE = "-0000-1000-8000-00805f9b34fb"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Bytes that went one way, `at` seconds after the start of the session.

    Without bytes, anything that the host may say on that channel.
    `file` is the path, relative to the fixture, that they were read from.
    """

    at: float
    direction: Direction
    data: bytes
    channel: str = ""
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Special:
    """A frame that holds what is no number.

    Parameters
    ----------
    what : str
        As the driver's declaration names it.
    data : bytes
    channel : str
    still : tuple of str
        Names of observations that it may hold a number of all the same.
    """

    what: str
    data: bytes
    channel: str = ""
    still: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection with its exchanges; `closed_at` is None where it outlasts the session."""

    opened_at: float
    exchanges: tuple[Exchange, ...]
    closed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic of a peripheral, `encrypted` if it wants pairing.

    UUIDs are written as :func:`uuid_name` does.
    """

    service: str
    uuid: str
    properties: tuple[Property, ...]
    value: bytes = b""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Gatt:
    """What a Bluetooth peripheral advertises and serves.

    Parameters
    ----------
    name : str
    address : str, optional
    advertises : tuple of str
        Services in the advertisement; all that it serves where the fixture names none.
    characteristics : tuple of Characteristic
    """

    name: str
    address: str | None = None
    advertises: tuple[str, ...] = ()
    characteristics: tuple[Characteristic, ...] = ()

    def value(self, uuid: str) -> bytes | None:
        """The readable value of a characteristic; None where it has none."""
        return next(
            (c.value for c in self.characteristics if c.uuid == uuid and "read" in c.properties), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFixture:
    """One recorded or constructed session.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    driver : str
    started_at : datetime
        With its offset.
    origin : {"capture", "manual", "constructed"}
    device : Device
    zone : str, optional
        IANA name or ``+HH:MM``.
    settings : mapping
    source, note : str
    gatt : Gatt, optional
    connections : tuple of Connection
        In order; at least one.
    specials : tuple of Special
    expectation : Expectation
    """

    name: str
    driver: str
    started_at: datetime
    origin: Origin
    device: Device = field(default_factory=Device)
    zone: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    note: str = ""
    gatt: Gatt | None = None
    connections: tuple[Connection, ...]
    specials: tuple[Special, ...] = ()
    expectation: Expectation = field(default_factory=Expectation)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Those of all connections."""
        return tuple(exchange for connection in self.connections for exchange in connection.exchanges)

    def moment(self, at: float) -> datetime:
        """The time of day, `at` seconds after the start."""
        return self.started_at + timedelta(seconds=at)


def load_fixture(path: Path) -> SessionFixture:
    """A fixture and the files that it names.

    Raises
    ------
    ConfigError
        With everything that is wrong in it: file, key path, fix.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem("file", f"cannot be read: {error}", "give the path of a session fixture")
        raise ConfigError(str(path), (problem,)) from error
    return parse_fixture(text, name=str(path), folder=path.parent)


def parse_fixture(text: str, *, name: str, folder: Path) -> SessionFixture:
    """The same of a text; files that it names are looked for in `folder`."""
    try:
        document = Table(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, (Problem("TOML", str(error), "mend that line"),)) from error
    fixture = _fixture(document, name, folder)
    if document.problems:
        raise ConfigError(name, tuple(document.problems))
    return fixture


def zone_named(name: str) -> tzinfo | None:
    """A zone by its IANA name or offset (``+02:00``); None where there is no such zone."""
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(offset if sign == "+" else -offset) if offset < timedelta(days=1) else None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfo looks names up as paths
        return None


def uuid_name(text: str) -> str:
    """A UUID as channels are named: ``2A35`` for one of Bluetooth's own, others in full and lower case.

    Text that is no UUID is returned as it is.
    """
    if _SHORT_UUID.fullmatch(text):
        text = f"{text:0>8}{_BLUETOOTH_BASE}"
    if not _LONG_UUID.fullmatch(text):
        return text
    text = text.lower()
    own = text.startswith("0000") and text.endswith(_BLUETOOTH_BASE)
    return text[4:8].upper() if own else text


def _fixture(document: Table, name: str, folder: Path) -> SessionFixture:
    document.only("session", "exchange", "special", "expect")
    session = document.table("session")
    session.only("driver", "started_at", "origin", "device", "zone", "settings", "source", "note", "gatt")
    zone = _zone_name(session)
    return SessionFixture(
        name=name,
        driver=session.text("driver"),
        started_at=_started_at(session, zone),
        origin=_origin(session),
        device=_device(session.table("device")),
        zone=zone,
        settings=session.text_table("settings"),
        source=session.text("source", ""),
        note=session.text("note", ""),
        gatt=_gatt(session.table("gatt")) if "gatt" in session else None,
        connections=_connections(document, folder),
        specials=tuple(map(_special, document.tables("special"))),
        expectation=read_expectation(document.table("expect")),
    )


def _zone_name(session: Table) -> str | None:
    name = session.optional_text("zone")
    if name and zone_named(name) is None:
        session.note(
            "zone", f"no zone is called {name!r}", "use an IANA name, as America/New_York, or +02:00"
        )
        return None
    return name


def _started_at(session: Table, zone: str | None) -> datetime:
    value = session.values.get("started_at")
    if not isinstance(value, datetime):
        session.note("started_at", f"{value!r} is not a date and time", "write 2026-03-02T09:10:00-05:00")
    elif value.tzinfo is not None:
        return value
    elif zone is None:
        session.note("started_at", "has no offset", "add one, as -05:00, or give the session's zone")
    else:
        return value.replace(tzinfo=zone_named(zone))
    return datetime.min.replace(tzinfo=UTC)


def _origin(session: Table) -> Origin:
    text = session.text("origin", choices=get_args(Origin))
    return next((origin for origin in get_args(Origin) if origin == text), "constructed")


def _device(table: Table) -> Device:
    table.only("vendor", "model", "serial", "id")
    return Device(*(table.optional_text(key) for key in ("vendor", "model", "serial", "id")))


def _gatt(table: Table) -> Gatt:
    table.only("name", "address", "advertises", "characteristics")
    characteristics = tuple(_characteristic(entry) for entry in table.tables("characteristics"))
    advertises = tuple(_uuid(table, "advertises", uuid) for uuid in table.texts("advertises"))
    return Gatt(
        name=table.text("name"),
        address=table.optional_text("address"),
        advertises=advertises or tuple(dict.fromkeys(c.service for c in characteristics)),
        characteristics=characteristics,
    )


def _characteristic(table: Table) -> Characteristic:
    table.only("service", "uuid", "properties", "hex", "text", "encrypted")
    if "properties" not in table:
        table.note("properties", "is missing", f"give some of: {', '.join(get_args(Property))}")
    properties = table.texts("properties", choices=get_args(Property))
    return Characteristic(
        service=_uuid(table, "service", table.text("service")),
        uuid=_uuid(table, "uuid", table.text("uuid")),
        properties=tuple(each for text in properties for each in get_args(Property) if each == text),
        value=_data(table) if "hex" in table or "text" in table else b"",
        encrypted=table.flag("encrypted"),
    )


def _uuid(table: Table, key: str, text: str) -> str:
    if text and not (_SHORT_UUID.fullmatch(text) or _LONG_UUID.fullmatch(text)):
        table.note(key, f"{text!r} is not a UUID", "write 4 hexadecimal digits, or 32 with hyphens")
    return uuid_name(text)


def _connections(document: Table, folder: Path) -> tuple[Connection, ...]:
    entries = document.tables("exchange")
    if not entries and "special" not in document:
        document.note("exchange", "there is none", "add [[exchange]] with at, dir and hex or text")
    connections: list[Connection] = []
    opened_at = None if entries and entries[0].values.get("link") == "connected" else 0.0
    exchanges: list[Exchange] = []
    latest = 0.0
    for entry in entries:
        at = entry.seconds("at")
        if at < latest:
            entry.note("at", f"{at} comes after {latest}", "put the exchanges in the order of their times")
        latest = at
        if "link" not in entry:
            if opened_at is None:
                entry.note("at", "nothing is connected now", 'put an exchange with link = "connected" before')
            exchanges.append(_exchange(entry, at, folder))
            continue
        if _link(entry) == (opened_at is not None):
            entry.note("link", "that is so already", "take one of the two out")
        elif opened_at is None:
            opened_at = at
        else:
            connections.append(Connection(opened_at, tuple(exchanges), at))
            opened_at, exchanges = None, []
    if opened_at is not None:
        connections.append(Connection(opened_at, tuple(exchanges)))
    return tuple(connections)


def _special(table: Table) -> Special:
    table.only("what", "hex", "text", "channel", "still")
    return Special(
        what=table.text("what"),
        data=_data(table),
        channel=uuid_name(table.text("channel", "")),
        still=table.texts("still"),
    )


def _link(entry: Table) -> bool:
    entry.only("at", "link")
    return entry.text("link", choices=("connected", "disconnected")) == "connected"


def _exchange(entry: Table, at: float, folder: Path) -> Exchange:
    entry.only("at", "dir", "channel", "hex", "text", "file", "link")
    file = entry.optional_text("file")
    direction: Direction = ">" if entry.text("dir", choices=("<", ">")) == ">" else "<"
    return Exchange(
        at=at,
        direction=direction,
        data=_said(entry, direction) if file is None else _file(entry, folder, file),
        channel=uuid_name(entry.text("channel", "")) or (Path(file).name if file else ""),
        file=file,
    )


def _said(entry: Table, direction: Direction) -> bytes:
    anything = direction == ">" and "hex" not in entry and "text" not in entry
    return b"" if anything else _data(entry)


def _data(table: Table) -> bytes:
    if ("hex" in table) == ("text" in table):
        table.note("hex", "one of hex and text is wanted", 'give hex = "0D 0A" or text = "\\r\\n"')
    elif "hex" in table:
        return _hex(table, "hex")
    else:
        return _latin_1(table, "text")
    return b""


def _hex(table: Table, key: str) -> bytes:
    try:
        return bytes.fromhex(table.text(key))
    except ValueError as error:
        table.note(key, f"is not hexadecimal: {error}", "write pairs of 0-9 and A-F; spaces do not matter")
        return b""


def _latin_1(table: Table, key: str) -> bytes:
    text = table.text(key)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        table.note(key, f"{text[error.start]!r} is no single byte", "write these bytes as hex")
        return b""


def _file(entry: Table, folder: Path, file: str) -> bytes:
    path = Path(file)
    if "hex" in entry or "text" in entry:
        entry.note("file", "hex or text is there too", "keep one of them")
    if path.is_absolute() or ".." in path.parts:
        entry.note("file", f"{file!r} is not beside the fixture", "put the file in the fixture's folder")
        return b""
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        entry.note("file", f"cannot be read: {error.strerror}", "put the file in the fixture's folder")
        return b""
