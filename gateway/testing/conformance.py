"""What every driver has to stand, as checks of one fixture: torn, garbled, cut and repeated bytes.

A check plays a session that was changed in a way that happens on real wires, and compares what came of it
with the undisturbed session. Where a fixture has more bytes than can be gone through, a check takes places
spread evenly over it. Everything is deterministic: a check that failed fails again.

Whether a reading still arrives is asked of the session played twice in one connection, since garbage may
cost the frame that it touches: the device would say it again. A reading is made up when neither the
undisturbed session nor any of its frames for itself says it. Readings are compared by what they state,
without the device, which may have said who it is in a frame that was lost, and without a time of ours or how
far the device's clock was off from it.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR
from functools import partial
from random import Random
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

from gateway.drivers import Conversation, Driver, Session
from gateway.model import Device, Reading
from gateway.model.serialised import reading_json
from gateway.testing.difference import differences
from gateway.testing.replay import Outcome, replay
from gateway.testing.session_fixture import Connection, Exchange, SessionFixture
from gateway.testing.tampering import (
    changed,
    cut_at,
    mutant,
    one_by_one,
    split_at,
    twice,
    with_garbage,
)
from gateway.testing.watchdog import TookTooLong, cpu_limit

MUTATIONS = 1000
"""Of each fixture, where nobody asks for more."""

_PLACES = 400
_LONGEST_S = 2.0
_MUTATED_BYTES = 512
_GARBAGE = (b"\x00\xff\x54\x2c", b"\xff" * 3, bytes(range(0x80, 0x90)), b"\r\n\x00")
_FLOOD_BYTES = 2**17
_MOST_KEPT_BYTES = 2**16
_REFUSED = "refused"
_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType)

Check = Callable[[Driver, SessionFixture], Iterator[str]]


def checks_of(fixture: SessionFixture, *, mutations: int = MUTATIONS, seed: int = 0) -> Mapping[str, Check]:
    """The checks that apply to a fixture, by name. Each yields what does not hold.

    Bytes of a stream may be torn anywhere. Values of characteristics and files come whole or not at all.
    `mutations` and `seed` are those of :func:`mutated`.
    """
    checks: dict[str, Check] = {"specials": specials} if fixture.specials else {}
    if any(exchange.direction == "<" for exchange in fixture.exchanges):
        checks.update(_OF_ANY, mutated=partial(mutated, mutations=mutations, seed=seed))
        checks.update(_OF_STREAMS if is_stream(fixture) else {})
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
    """The same comes of the bytes split at every position, and of one byte at a time.

    In a long session positions far apart are split at once, so that none is left out.
    """
    whole, length = replay(fixture, driver), _length(fixture)
    for first in range(1, min(length, _PLACES + 1)):
        positions = range(first, length, _PLACES)
        torn = replay(split_at(fixture, positions), driver)
        yield from _same(f"split at byte {', '.join(map(str, positions))}", whole, torn)
    yield from _same("one byte at a time", whole, replay(changed(fixture, one_by_one), driver))


def among_garbage(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """Garbage before, between and after costs no more than the frame that it touches, and adds nothing."""
    expected, said = _stated(replay(fixture, driver)), _said(driver, fixture)
    places = range(len(fixture.exchanges) + 1)
    for garbage in _GARBAGE:
        for place in _some(places, _PLACES // len(_GARBAGE) // 4):
            came = _stated(replay(twice(with_garbage(fixture, place, garbage), fixture), driver))
            where = f"{garbage.hex(' ')} before exchange {place + 1}"
            yield from (f"{where}: lost: {reading}" for reading in sorted(expected - came))
            yield from (f"{where}: made up: {reading}" for reading in sorted(came - said))


def cut_short(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """A session cut off at any byte gives no reading that the whole one does not say."""
    said = _said(driver, fixture)
    for length in _spread(_length(fixture)):
        came = _stated(replay(cut_at(fixture, length), driver))
        yield from (f"cut at byte {length}: made up: {reading}" for reading in sorted(came - said))


def repeated(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """A session that is played twice in one connection gives the same readings, once or twice each."""
    expected, came = _stated(replay(fixture, driver)), _stated(replay(twice(fixture, fixture), driver))
    yield from (f"lost: {reading}" for reading in sorted(expected - came))
    yield from (f"made up: {reading}" for reading in sorted(came - _said(driver, fixture)))


def mutated(
    driver: Driver, fixture: SessionFixture, *, mutations: int = MUTATIONS, seed: int = 0
) -> Iterator[str]:
    """No change of bytes makes the driver raise, go on for ever, or state what it cannot.

    What is found first is all that is told; the same `seed` finds it again.
    """
    random = Random(f"{fixture.driver} {seed}")  # noqa: S311 - to be the same each time
    short = cut_at(fixture, _MUTATED_BYTES)
    for number in range(mutations):
        altered = changed(short, lambda exchange: [mutant(exchange, random)])
        if wrong := _wrong(driver, altered):
            said = " | ".join(e.data.hex(" ") for e in altered.exchanges if e.direction == "<")
            yield f"mutation {number} of seed {seed}: {wrong}: from {said}"
            return


def _wrong(driver: Driver, fixture: SessionFixture) -> str | None:
    """What no session may do, whatever it is told."""
    try:
        with cpu_limit(_LONGEST_S):
            outcome = replay(fixture, driver)
    except TookTooLong as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked for
        return f"{type(error).__name__}: {error}"
    return next((wrong for reading in outcome.readings if (wrong := _unsound(driver, reading))), None)


def _unsound(driver: Driver, reading: Reading) -> str | None:
    """Why a reading can be none, whatever was measured; None where it may be."""
    if reading.status == "rejected" and reading.observations:
        return "rejected, with values"
    for observation in reading.observations:
        name, unit, value = observation.name, observation.unit or "", observation.value
        if value is not None and not value.is_finite():
            return f"{name} is {value}"
        if unit not in driver.emits.get(name, (unit,) if driver.own_codes else ()):
            return f"{name} in {unit or 'no unit'}, which is not declared"
    if reading.taken_at is not None and not MINYEAR < reading.taken_at.year < MAXYEAR:
        return f"taken in the year {reading.taken_at.year}, which no clock of another zone can show"
    return None


def flooded(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """Endless bytes are not kept: noise, frames that begin and do not end, the same frames over and over."""
    random = Random(fixture.driver)  # noqa: S311 - to be the same each time
    channels = sorted({e.channel for e in fixture.exchanges if e.direction == "<"})
    own = b"".join(e.data for e in fixture.exchanges if e.direction == "<")[:_MUTATED_BYTES]
    floods = {
        "noise": random.randbytes(256),
        "one byte": b"\x7f" * 256,
        "its first byte": own[:1] * 256,
        "its first bytes": own[: max(2, len(own) // 3)],
        "its own bytes": own,
    }
    for name, piece in floods.items():
        kept = _kept(driver, fixture, channels, piece) if piece else 0
        if kept > _MOST_KEPT_BYTES:
            yield f"{_FLOOD_BYTES} bytes of {name} leave {kept} bytes in the session"


def _kept(driver: Driver, fixture: SessionFixture, channels: Sequence[str], piece: bytes) -> int:
    """Bytes of memory that a session has after a flood of `piece`."""
    conversation = Conversation.start(driver, fixture.settings, device=fixture.device)
    conversation.connected(fixture.started_at)
    for _ in range(max(1, _FLOOD_BYTES // len(piece))):
        for channel in channels:
            conversation.received(piece, channel, fixture.started_at)
    return _size(conversation.session)


def specials(driver: Driver, fixture: SessionFixture) -> Iterator[str]:
    """Each special value of the fixture is understood, and gives no number.

    A fault ``refused`` is what the device said, and understood.
    """
    for special in fixture.specials:
        alone = (Exchange(0.0, "<", special.data, special.channel),)
        played = replace(fixture, connections=(Connection(0.0, alone),))
        by_frame, by_session = replay(played, driver, frames=True), replay(played, driver)
        for fault in by_frame.errors:
            if fault.code != _REFUSED:
                yield f"special {special.what!r}: not understood: {fault.code}: {fault.message}"
        if by_frame == Outcome(sent=by_frame.sent):
            yield f"special {special.what!r}: nothing comes of it; is it a whole frame?"
        for reading in (*by_frame.readings, *by_session.readings):
            for observation in reading.observations:
                if observation.value is not None and observation.name not in special.still:
                    yield f"special {special.what!r}: {observation.name} is {observation.value}"


def unshown(driver: Driver, fixtures: Iterable[SessionFixture]) -> list[str]:
    """The special values that `driver` declares and no fixture shows, and those that it does not declare."""
    declared = set(driver.specials)
    shown = {special.what for fixture in fixtures for special in fixture.specials}
    missing = [f"special {what!r}: declared, in no fixture" for what in declared - shown]
    return sorted([*missing, *(f"special {what!r}: shown, not declared" for what in shown - declared)])


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
    bare = replace(reading, taken_at=taken_at, clock_drift=None, device=Device())
    return json.dumps(reading_json(bare), ensure_ascii=False)


def _same(how: str, whole: Outcome, other: Outcome) -> Iterator[str]:
    expected, came = (list(map(_statement, outcome.readings)) for outcome in (whole, other))
    if came != expected:
        yield f"{how}: {len(came)} readings, not the {len(expected)} of the whole: {came}"
    faults = [[(fault.code, fault.offset) for fault in outcome.errors] for outcome in (whole, other)]
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
