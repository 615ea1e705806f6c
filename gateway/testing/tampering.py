"""A session changed as real wires change it: torn, cut, repeated, among garbage, altered at random."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from random import Random

from gateway.testing.session_fixture import Connection, Exchange, SessionFixture


def changed(fixture: SessionFixture, change: Callable[[Exchange], Iterable[Exchange]]) -> SessionFixture:
    """The fixture with each exchange from the device replaced by what `change` makes of it."""
    return replace(
        fixture, connections=tuple(_changed_connection(each, change) for each in fixture.connections)
    )


def _changed_connection(
    connection: Connection, change: Callable[[Exchange], Iterable[Exchange]]
) -> Connection:
    exchanges = (
        made
        for exchange in connection.exchanges
        for made in (change(exchange) if exchange.direction == "<" else (exchange,))
    )
    return replace(connection, exchanges=tuple(exchanges))


def one_by_one(exchange: Exchange) -> Iterator[Exchange]:
    """For :func:`changed`: each byte by itself."""
    for byte in exchange.data:
        yield replace(exchange, data=bytes((byte,)))


def split_at(fixture: SessionFixture, positions: Iterable[int]) -> SessionFixture:
    """The device's bytes, counted over all connections, torn at each of the positions."""
    marks = sorted(set(positions))
    passed = 0

    def split(exchange: Exchange) -> Iterator[Exchange]:
        nonlocal passed
        ends = [mark - passed for mark in marks if passed < mark < passed + len(exchange.data)]
        passed += len(exchange.data)
        for start, end in zip([0, *ends], [*ends, len(exchange.data)], strict=True):
            yield replace(exchange, data=exchange.data[start:end])

    return changed(fixture, split)


def cut_at(fixture: SessionFixture, length: int) -> SessionFixture:
    """The session of which only so many of the device's bytes have come."""
    left = length

    def cut(exchange: Exchange) -> Iterator[Exchange]:
        nonlocal left
        part = exchange.data[:left]
        left -= len(part)
        if part:
            yield replace(exchange, data=part)

    return changed(fixture, cut)


def with_garbage(fixture: SessionFixture, place: int, garbage: bytes) -> SessionFixture:
    """Garbage before the exchange of that number, counted from 0; after the last one if there is none."""
    connections: list[Connection] = []
    for connection in fixture.connections:
        exchanges = connection.exchanges
        if 0 <= place <= len(exchanges):
            at = exchanges[max(place - 1, 0)].at if exchanges else connection.opened_at
            exchanges = (*exchanges[:place], Exchange(at, "<", garbage), *exchanges[place:])
            place -= 1
        place -= len(connection.exchanges)
        connections.append(replace(connection, exchanges=exchanges))
    return replace(fixture, connections=tuple(connections))


def twice(first: SessionFixture, second: SessionFixture) -> SessionFixture:
    """Each connection of `first` gone on with as the same one of `second`, later."""
    pairs = zip(first.connections, second.connections, strict=True)
    return replace(first, connections=tuple(_gone_on_with(one, other) for one, other in pairs))


def _gone_on_with(one: Connection, other: Connection) -> Connection:
    ends = [exchange.at for exchange in one.exchanges]
    later = max([*ends, one.closed_at or 0.0]) - other.opened_at + 60.0
    again = tuple(replace(exchange, at=exchange.at + later) for exchange in other.exchanges)
    closed_at = None if other.closed_at is None else other.closed_at + later
    return Connection(one.opened_at, one.exchanges + again, closed_at)


def mutant(exchange: Exchange, random: Random) -> Exchange:
    """The exchange with one to four changes in its bytes."""
    data = bytearray(exchange.data)
    for _ in range(random.randint(1, 4)):
        _mutate(data, random)
    return replace(exchange, data=bytes(data))


def _mutate(data: bytearray, random: Random) -> None:
    """One change: a byte altered, bytes added, taken out or said twice."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.randint(1, 8))
    match random.randrange(4):
        case 0 if start < len(data):
            data[start] = random.randrange(256)
        case 1:
            data[start:start] = random.randbytes(random.randint(1, 8))
        case 2:
            del data[start:end]
        case _:
            data[start:start] = data[start:end]
