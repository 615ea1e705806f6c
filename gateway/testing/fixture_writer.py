"""Session fixtures as text: one key a line, bytes as a person would type them, so that changes can be read.

Written piece by piece, so that a recording is a whole fixture at every moment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime

from gateway.model import Device
from gateway.testing.expectation import Expectation, Json, Stated
from gateway.testing.session_fixture import (
    Characteristic,
    Connection,
    Exchange,
    Gatt,
    SessionFixture,
    Special,
)

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_BYTES_A_LINE = 16


def fixture_text(fixture: SessionFixture) -> str:
    """The whole of it."""
    last = len(fixture.connections) - 1
    parts = [session_text(fixture)]
    for index, connection in enumerate(fixture.connections):
        parts.extend(_connection(connection, first=index == 0, last=index == last))
    parts.extend(map(special_text, fixture.specials))
    return "\n".join([*parts, *expectation_texts(fixture.expectation)])


def session_text(fixture: SessionFixture) -> str:
    """The ``[session]`` table."""
    lines = ["[session]", f"driver = {_string(fixture.driver)}", f"started_at = {_time(fixture.started_at)}"]
    if device := _device(fixture.device):
        lines.append(f"device = {_inline(device)}")
    if fixture.zone:
        lines.append(f"zone = {_string(fixture.zone)}")
    if fixture.settings:
        lines.append(f"settings = {_inline(dict(fixture.settings))}")
    lines.append(f"origin = {_string(fixture.origin)}")
    lines += [f"{key} = {_string(text)}" for key, text in _remarks(fixture) if text]
    if fixture.gatt:
        lines += ["", *_gatt(fixture.gatt)]
    return "\n".join(lines) + "\n"


def exchange_text(exchange: Exchange) -> str:
    """One ``[[exchange]]`` with bytes."""
    lines = ["[[exchange]]", f"at = {exchange.at!r}", f'dir = "{exchange.direction}"']
    if exchange.channel:
        lines.append(f"channel = {_string(exchange.channel)}")
    if exchange.file is not None:
        lines.append(f"file = {_string(exchange.file)}")
    elif exchange.data or exchange.direction == "<":
        lines.append(_bytes(exchange.data))
    return "\n".join(lines) + "\n"


def special_text(special: Special) -> str:
    """One ``[[special]]``."""
    lines = ["[[special]]", f"what = {_string(special.what)}"]
    lines += [f"channel = {_string(special.channel)}"] if special.channel else []
    lines += [_bytes(special.data)]
    lines += [f"still = {_inline(list(special.still))}"] if special.still else []
    return "\n".join(lines) + "\n"


def link_text(at: float, *, connected: bool) -> str:
    """One ``[[exchange]]`` that says what became of the link."""
    return f'[[exchange]]\nat = {at!r}\nlink = "{"connected" if connected else "disconnected"}"\n'


def expectation_texts(expectation: Expectation) -> Iterator[str]:
    """The ``[[expect....]]`` tables, one by one."""
    for stated in expectation.readings:
        yield reading_text(stated)
    for fault in expectation.faults:
        lines = ["[[expect.fault]]", f"code = {_string(fault.code)}"]
        lines += [f"offset = {fault.offset}"] if fault.offset is not None else []
        lines += [f"message = {_string(fault.message)}"] if fault.message else []
        yield "\n".join(lines) + "\n"
    for event in expectation.events:
        yield f"[[expect.event]]\nkind = {_string(event.kind)}\ntext = {_string(event.text)}\n"


def reading_text(stated: Stated) -> str:
    """One ``[[expect.reading]]``."""
    lines = [f"{key} = {_value(key, value)}" for key, value in stated.items() if value is not None]
    return "\n".join(["[[expect.reading]]", *lines]) + "\n"


def _connection(connection: Connection, *, first: bool, last: bool) -> Iterator[str]:
    if not first or connection.opened_at > 0:
        yield link_text(connection.opened_at, connected=True)
    yield from map(exchange_text, connection.exchanges)
    if connection.closed_at is not None:
        yield link_text(connection.closed_at, connected=False)
    elif not last:
        raise ValueError("a connection that is not the last has to be closed")


def _remarks(fixture: SessionFixture) -> tuple[tuple[str, str], ...]:
    return ("source", fixture.source), ("note", fixture.note)


def _device(device: Device) -> dict[str, Json]:
    stated = {field.name: getattr(device, field.name) for field in fields(Device)}
    return {name: value for name, value in stated.items() if value is not None}


def _gatt(gatt: Gatt) -> Iterator[str]:
    yield "[session.gatt]"
    yield f"name = {_string(gatt.name)}"
    if gatt.address:
        yield f"address = {_string(gatt.address)}"
    if gatt.advertises:
        yield f"advertises = {_inline(list(gatt.advertises))}"
    if gatt.characteristics:
        yield "characteristics = ["
        yield from (f"    {_characteristic(characteristic)}," for characteristic in gatt.characteristics)
        yield "]"


def _characteristic(characteristic: Characteristic) -> str:
    value = f", {_bytes(characteristic.value, inline=True)}" if characteristic.value else ""
    encrypted = ", encrypted = true" if characteristic.encrypted else ""
    return (
        f'{{ service = "{characteristic.service}", uuid = "{characteristic.uuid}", '
        f"properties = {_inline(list(characteristic.properties))}{value}{encrypted} }}"
    )


def bytes_text(data: bytes) -> str:
    """Bytes on one line, as a person would rather read them: quoted text or spaced hexadecimal."""
    return _string(data.decode("ascii")) if data and _is_text(data) else _spaced(data)


def _bytes(data: bytes, *, inline: bool = False) -> str:
    if _is_text(data):
        return f"text = {_string(data.decode('ascii'))}"
    if inline or len(data) <= _BYTES_A_LINE:
        return f'hex = "{_spaced(data)}"'
    lines = (data[start : start + _BYTES_A_LINE] for start in range(0, len(data), _BYTES_A_LINE))
    return 'hex = """\n' + "\n".join(map(_spaced, lines)) + '"""'


def _is_text(data: bytes) -> bool:
    """Whether a person would rather read it as text: ASCII, most of it printable."""
    printable = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in data)
    return data.isascii() and printable >= 2 / 3 * len(data)


def _spaced(data: bytes) -> str:
    return data.hex(" ").upper()


def _time(moment: datetime) -> str:
    return moment.isoformat()


def _value(key: str, value: Json) -> str:
    if key == "observations" and isinstance(value, list) and len(value) > 1:
        return "[\n" + "".join(f"    {_inline(item)},\n" for item in value) + "]"
    return _inline(value)


def _inline(value: Json) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, Mapping):
        items = (f"{_key(key)} = {_inline(item)}" for key, item in value.items() if item is not None)
        return f"{{ {', '.join(items)} }}"
    if isinstance(value, bool):
        return str(value).lower()
    return _string(value) if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _string(name)


def _string(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return (
        character
        if character.isprintable()
        else f"\\u{ord(character):04X}"
        if ord(character) < 0x10000
        else f"\\U{ord(character):08X}"
    )
