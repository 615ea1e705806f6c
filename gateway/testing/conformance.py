"""What every driver has to stand, as checks of one fixture: torn, garbled, cut and repeated bytes.

A check plays a session that was changed in a way that happens on real wires, and compares what came of it
with the undisturbed session. Where a fixture has more bytes than can be gone through, a check takes places
spread evenly over it. Everything is deterministic: a check that failed fails again.

Whether a reading still arrives is asked of the session played twice in one connection, since garbage may
cost the frame that it touches: the device would say it again. A reading is made up when neither the
undisturbed session nor any of its frames for itself says it. Readings are compared by what they state,
without the device, which may have said who it is in a frame that was lost, and without a time of ours.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

from gateway.drivers import Conversation, Driver, Session
from gateway.model import Device, Reading
from gateway.model.serialised import reading_json
from gateway.testing.difference import differences
from gateway.testing.replay import Outcome, replay
from gateway.testing.session_fixture import Connection, Exchange, SessionFixture

_PLACES = 400
_MUTATIONS = 1000
_MUTATED_BYTES = 512
_GARBAGE = (b"\x00\xff\x54\x2c", b"\xff" * 3, bytes(range(0x80, 0x90)), b"\r\n\x00")
_FLOOD_BYTES = 2**17
_MOST_KEPT_BYTES = 2**16
_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType)

Check = Callable[[Driver, SessionFixture], Iterator[str]]


def checks_of(fixture: SessionFixture) -> Mapping[str, Check]:
    """The checks that apply to a fixture, by name. Each yields what does not hold.

    Bytes of a stream may be torn anywhere. Values of characteristics and files come whole or not at all.
    """
    checks = {**_OF_ANY, **(_OF_STREAMS if is_stream(fixture) else {})}
    return {**checks, **_OF_CONSTRUCTED} if fixture.origin != "capture" else checks


def is_stream(fixture: SessionFixture) -> bool:
    """Whether the device's bytes come as one stream, without channels."""
    return all(not exchange.channel for exchange in fixture.exchanges)


def uncovered(driver: Driver, fixtures: Iterable[SessionFixture]) -> list[str]:
    """The (name, unit) pairs that `driver` declares and no fixture brings forth, and those undeclared."""
    declared = {(name, unit) for name, units in driver.emits.items() for unit in units}
    seen = {
        (observation.name, observation.unit or "")
        for fixture in fixtures
        for reading in replay(fixture, driver).readings
        for observation in reading.observations
    }
    missing = [f"{name} in {unit or 'no unit'}: declared, in no fixture" for name, unit in declared - seen]
    return sorted([*missing, *([] if driver.own_codes else _undeclared(declared, seen))])


def _undeclared(declared: set[tuple[str, str]], seen: set[tuple[str, str]]) -> list[str]:
    return [f"{name} in {unit or 'no unit'}: came, not declared" for name, unit in seen - declared]


def as_expected(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """The session gives what its fixture expects."""
    yield from differences(replay(fixture, driver), fixture.expectation)


def rejected_without_numbers(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """A rejected reading has no values, and says why."""
    for number, reading in enumerate(replay(fixture, driver).readings, start=1):
        if reading.status == "rejected" and (reading.observations or not reading.notes):
            yield f"reading {number}: rejected with {len(reading.observations)} values, notes {reading.notes}"


def asks_as_recorded(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """Everything that the host says in the fixture is said by the driver, in that order."""
    sent = iter(replay(fixture, driver).sent)
    for exchange in fixture.exchanges:
        said = exchange.data
        if exchange.direction == ">" and not any(said in {each.data, b""} for each in sent):
            yield f"at {exchange.at} s the host says {exchange.data!r}; the driver does not, at that place"


def in_pieces(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """The same comes of the bytes split at any position, and of one byte at a time."""
    whole = replay(fixture, driver)
    for position in _spread(_length(fixture)):
        yield from _same(f"split at byte {position}", whole, replay(_split_at(fixture, position), driver))
    yield from _same("one byte at a time", whole, replay(_changed(fixture, _one_by_one), driver))


def among_garbage(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """Garbage before, between and after costs no more than the frame that it touches, and adds nothing."""
    expected, said = _stated(replay(fixture, driver)), _said(driver, fixture)
    places = range(len(fixture.exchanges) + 1)
    for garbage in _GARBAGE:
        for place in _some(places, _PLACES // len(_GARBAGE) // 4):
            came = _stated(replay(_twice(_with_garbage(fixture, place, garbage), fixture), driver))
            where = f"{garbage.hex(' ')} before exchange {place + 1}"
            yield from (f"{where}: lost: {reading}" for reading in sorted(expected - came))
            yield from (f"{where}: made up: {reading}" for reading in sorted(came - said))


def cut_short(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """A session cut off at any byte gives no reading that the whole one does not say."""
    said = _said(driver, fixture)
    for length in _spread(_length(fixture)):
        came = _stated(replay(_cut_at(fixture, length), driver))
        yield from (f"cut at byte {length}: made up: {reading}" for reading in sorted(came - said))


def repeated(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """A session that is played twice in one connection gives the same readings, once or twice each."""
    expected, came = _stated(replay(fixture, driver)), _stated(replay(_twice(fixture, fixture), driver))
    yield from (f"lost: {reading}" for reading in sorted(expected - came))
    yield from (f"made up: {reading}" for reading in sorted(came - _said(driver, fixture)))


def mutated(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """No change of bytes makes the driver raise."""
    random = Random(fixture.driver)  # noqa: S311 - to be the same each time
    short = _cut_at(fixture, _MUTATED_BYTES)
    for number in range(_MUTATIONS):
        changed = _changed(short, lambda exchange: [_mutant(exchange, random)])
        try:
            replay(changed, driver)
        except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked for
            said = " | ".join(e.data.hex(" ") for e in changed.exchanges if e.direction == "<")
            yield f"mutation {number}: {type(error).__name__}: {error}: from {said}"
            return


def flooded(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """Endless bytes without meaning are not kept."""
    random = Random(fixture.driver)  # noqa: S311 - to be the same each time
    channels = sorted({e.channel for e in fixture.exchanges if e.direction == "<"})
    for noise in (random.randbytes(256), b"\x7f" * 256):
        conversation = Conversation.start(driver, fixture.settings, device=fixture.device)
        conversation.connected(fixture.started_at)
        for _ in range(_FLOOD_BYTES // len(noise)):
            for channel in channels:
                conversation.received(noise, channel, fixture.started_at)
        kept = _size(conversation.session)
        if kept > _MOST_KEPT_BYTES:
            yield f"{_FLOOD_BYTES} bytes of noise leave {kept} bytes in the session"


def _size(session: Session) -> int:
    """Bytes of memory that hang on a session, but for code."""
    found: dict[int, object] = {}
    unseen: list[object] = [session]
    while unseen:
        thing = unseen.pop()
        if id(thing) not in found and not isinstance(thing, _CODE):
            found[id(thing)] = thing
            unseen.extend(gc.get_referents(thing))
    return sum(map(sys.getsizeof, found.values()))


_OF_ANY: Mapping[str, Check] = {
    "expected": as_expected,
    "rejected": rejected_without_numbers,
    "mutated": mutated,
    "flooded": flooded,
}
_OF_STREAMS: Mapping[str, Check] = {
    "in-pieces": in_pieces,
    "among-garbage": among_garbage,
    "cut-short": cut_short,
    "repeated": repeated,
}
_OF_CONSTRUCTED: Mapping[str, Check] = {"asks": asks_as_recorded}


def _stated(outcome: Outcome) -> frozenset[str]:
    return frozenset(map(_statement, outcome.readings))


def _said(driver: Driver, fixture: SessionFixture) -> frozenset[str]:
    """Everything that the session says, and that each of its frames says for itself."""
    return _stated(replay(fixture, driver)) | _stated(replay(fixture, driver, frames=True))


def _statement(reading: Reading) -> str:
    taken_at = reading.taken_at if reading.time_source == "device" else None
    return json.dumps(reading_json(replace(reading, taken_at=taken_at, device=Device())), ensure_ascii=False)


def _same(how: str, whole: Outcome, other: Outcome) -> Iterator[str]:
    expected, came = (list(map(_statement, outcome.readings)) for outcome in (whole, other))
    if came != expected:
        yield f"{how}: {len(came)} readings, not the {len(expected)} of the whole: {came}"
    faults = [[fault.code for fault in outcome.errors] for outcome in (whole, other)]
    if faults[0] != faults[1]:
        yield f"{how}: faults {faults[1]}, not {faults[0]}"


def _length(fixture: SessionFixture) -> int:
    return sum(len(exchange.data) for exchange in fixture.exchanges if exchange.direction == "<")


def _spread(length: int) -> Sequence[int]:
    """All positions within `length` bytes, or as many as can be gone through."""
    return _some(range(1, length), _PLACES)


def _some(places: Sequence[int], most: int) -> Sequence[int]:
    step = max(1, -(-len(places) // most))
    return places[::step]


def _changed(fixture: SessionFixture, change: Callable[[Exchange], Iterable[Exchange]]) -> SessionFixture:
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


def _one_by_one(exchange: Exchange) -> Iterator[Exchange]:
    for byte in exchange.data:
        yield replace(exchange, data=bytes((byte,)))


@dataclass(slots=True)
class _At:
    """Counts the device's bytes, to find the exchange that holds a position."""

    position: int
    passed: int = 0

    def split(self, exchange: Exchange) -> Iterator[Exchange]:
        cut = self._cut(exchange)
        yield from (
            replace(exchange, data=part) for part in (exchange.data[:cut], exchange.data[cut:]) if part
        )

    def cut(self, exchange: Exchange) -> Iterator[Exchange]:
        if part := exchange.data[: self._cut(exchange)]:
            yield replace(exchange, data=part)

    def _cut(self, exchange: Exchange) -> int:
        cut = min(max(self.position - self.passed, 0), len(exchange.data))
        self.passed += len(exchange.data)
        return cut


def _split_at(fixture: SessionFixture, position: int) -> SessionFixture:
    return _changed(fixture, _At(position).split)


def _cut_at(fixture: SessionFixture, length: int) -> SessionFixture:
    return _changed(fixture, _At(length).cut)


def _with_garbage(fixture: SessionFixture, place: int, garbage: bytes) -> SessionFixture:
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


def _twice(first: SessionFixture, second: SessionFixture) -> SessionFixture:
    """Each connection of `first` gone on with as the same one of `second`, later."""
    pairs = zip(first.connections, second.connections, strict=True)
    return replace(first, connections=tuple(_gone_on_with(one, other) for one, other in pairs))


def _gone_on_with(one: Connection, other: Connection) -> Connection:
    ends = [exchange.at for exchange in one.exchanges]
    later = max([*ends, one.closed_at or 0.0]) - other.opened_at + 60.0
    again = tuple(replace(exchange, at=exchange.at + later) for exchange in other.exchanges)
    closed_at = None if other.closed_at is None else other.closed_at + later
    return Connection(one.opened_at, one.exchanges + again, closed_at)


def _mutant(exchange: Exchange, random: Random) -> Exchange:
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
