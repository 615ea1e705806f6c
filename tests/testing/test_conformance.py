"""The checks that every driver has to stand find what is wrong with one that does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.drivers import Driver, Events, Fault, Measured, Send, SerialLink, Session
from gateway.model import Observation, Reading, rejected
from gateway.testing import SessionFixture, load_fixture
from gateway.testing.conformance import checks_of, mutated, uncovered, unshown
from gateway.testing.fixture_writer import fixture_text
from gateway.testing.session_fixture import Connection, Exchange, Special, parse_fixture

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.toml"))


def weight(digits: bytes) -> Reading:
    return Reading(kind="weight", observations=(Observation("weight", Decimal(digits.decode()), "kg"),))


@dataclass
class Sound:
    """``W<digits>;`` and nothing else; what is wrong with the others is what they change."""

    kept: bytes = b""

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        *frames, self.kept = (self.kept + data)[-32:].split(b";")
        return tuple(self.frame(frame, at) for frame in frames)

    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        if not frame.startswith(b"W") or not frame[1:].isdigit():
            return Fault("layout", "no weight", 0)
        return Measured(weight(frame[1:]).taken(at, by="gateway"))


class TakesChunksForFrames(Sound):
    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return tuple(self.frame(frame, at) for frame in data.split(b";") if frame)


class LosesItsPlace(Sound):
    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        self.kept += data
        if not self.kept.startswith(b"W"):
            return ()
        *frames, self.kept = self.kept.split(b";")
        return tuple(self.frame(frame, at) for frame in frames)


class TakesTheRestForAFrame(Sound):
    def disconnected(self, at: datetime) -> Events:
        return (self.frame(self.kept, at),)


class GivesTheLastOneAgain(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        event = super().frame(frame, at)
        return event if isinstance(event, Measured) else Measured(weight(b"0"))


class Raises(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        return Measured(weight(frame[1:]).taken(at, by="gateway"))


@dataclass
class KeepsEverything(Sound):
    everything: list[bytes] = field(default_factory=list)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        self.everything.append(bytes(bytearray(data)))
        return super().received(data, channel, at)


class LosesATornFrameAfterHours(Sound):
    """Wrong only at one position, deep in a long session."""

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        if data.startswith(b"777"):
            self.kept = b""
        return super().received(data, channel, at)


class NeverEnds(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        while not frame.startswith(b"W"):
            pass
        return super().frame(frame, at)


class StatesNoNumber(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        return super().frame(frame, at) if frame.startswith(b"W") else Measured(weight(b"NaN"))


class StatesWhatItDoesNotDeclare(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        height = Observation("height", Decimal(1), "m")
        wrong = Reading(kind="height", observations=(height,))
        return super().frame(frame, at) if frame.startswith(b"W") else Measured(wrong)


class StatesATimeThatNoZoneHas(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        event = super().frame(frame, at)
        never = datetime.min  # noqa: DTZ901 - as a device states it
        return event if isinstance(event, Measured) else Measured(weight(b"1").taken(never, by="device"))


@dataclass
class WaitsForTheEndOfAFrame(Sound):
    """Bounded by noise, and not by a frame that begins and goes on."""

    whole: bytes = b""

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        self.whole = self.whole + data if (self.whole + data).startswith(b"W") else b""
        *frames, self.whole = self.whole.split(b";")
        return tuple(self.frame(frame, at) for frame in frames)


@dataclass
class RemembersEveryReading(Sound):
    readings: list[Reading] = field(default_factory=list)

    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        event = super().frame(frame, at)
        if isinstance(event, Measured):
            self.readings.append(event.reading)
        return event


class CountsFromTheChunk(Sound):
    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        events = super().received(data, channel, at)
        return tuple(replace(e, offset=len(data)) if isinstance(e, Fault) else e for e in events)


class RejectsWithNumbers(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        number = Observation("weight", Decimal(0), "kg")
        return Measured(replace(rejected("weight", "overload"), observations=(number,)))


class AsksOtherThings(Sound):
    def connected(self, at: datetime) -> Events:
        return (Send(b"?"),)


def driver(session: Callable[[], Session]) -> Driver:
    return Driver(
        id="test",
        vendor="Exemplar",
        models=("S",),
        kind="scale",
        emits={"weight": ("kg", "g")},
        links=(SerialLink(baudrate=9600),),
        evidence="manual",
        session=session,
    )


@pytest.fixture
def weights() -> SessionFixture:
    text = """
        [session]
        driver = "test"
        started_at = 2026-03-02T09:10:00Z
        origin = "constructed"
        [[exchange]]
        at = 0
        dir = ">"
        text = "SEND"
        [[exchange]]
        at = 1
        dir = "<"
        text = "W70;W71;"
        [[exchange]]
        at = 2
        dir = "<"
        text = "W72;"
    """
    return parse_fixture(text, name="weights.toml", folder=Path())


def faults(check: str, session: Callable[[], Session], fixture: SessionFixture) -> Sequence[str]:
    return list(checks_of(fixture)[check](driver(session), fixture))


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_sound_driver_stands_every_check(path: Path, exemplar: Callable[[str], Driver]):
    fixture = load_fixture(path)
    sound = exemplar(fixture.driver.removeprefix("exemplar-"))
    failed = {name: list(check(sound, fixture)) for name, check in checks_of(fixture).items()}
    assert failed == {name: [] for name in failed}


@pytest.mark.parametrize(
    "check", ["in-pieces", "among-garbage", "cut-short", "repeated", "mutated", "flooded", "rejected"]
)
def test_no_check_fails_for_nothing(check: str, weights: SessionFixture):
    assert faults(check, Sound, weights) == []


@pytest.mark.parametrize(
    ("check", "session", "said"),
    [
        ("in-pieces", TakesChunksForFrames, "split at byte 1: 2 readings, not the 3 of the whole"),
        ("among-garbage", LosesItsPlace, "00 ff 54 2c before exchange 1: lost: "),
        ("among-garbage", GivesTheLastOneAgain, "00 ff 54 2c before exchange 1: made up: "),
        ("cut-short", TakesTheRestForAFrame, "cut at byte 2: made up: "),
        ("mutated", Raises, "mutation "),
        ("mutated", NeverEnds, "no end after 2 s of computing: from "),
        ("mutated", StatesNoNumber, "weight is NaN: from "),
        ("mutated", StatesWhatItDoesNotDeclare, "height in m, which is not declared: from "),
        ("mutated", StatesATimeThatNoZoneHas, "taken in the year 1, which no clock"),
        ("flooded", KeepsEverything, "131072 bytes of noise leave "),
        ("flooded", WaitsForTheEndOfAFrame, "131072 bytes of its first byte leave "),
        ("flooded", RemembersEveryReading, "131072 bytes of its own bytes leave "),
        ("rejected", RejectsWithNumbers, "reading 1: rejected with 1 values"),
        ("asks", AsksOtherThings, "at 0.0 s the host says b'SEND'; the driver does not"),
    ],
)
def test_a_driver_that_does_not_stand_a_check_is_told_where(
    check: str, session: Callable[[], Session], said: str, weights: SessionFixture
):
    assert any(said in fault for fault in faults(check, session, weights))


def test_every_position_of_a_long_session_is_split_at_once(weights: SessionFixture):
    said = [b"W70;"] * 300 + [b"W777;"]
    exchanges = tuple(Exchange(float(at), "<", data) for at, data in enumerate(said))
    long = replace(weights, connections=(Connection(0.0, exchanges),))
    assert any("split at byte" in fault for fault in faults("in-pieces", LosesATornFrameAfterHours, long))
    assert faults("in-pieces", Sound, long) == []


def test_a_fault_is_at_the_same_place_however_the_bytes_come(weights: SessionFixture):
    garbled = replace(weights, connections=(Connection(0.0, (Exchange(0.0, "<", b"W70;X;W71;"),)),))
    assert any("faults" in fault for fault in faults("in-pieces", CountsFromTheChunk, garbled))


def test_another_seed_tries_other_changes(weights: SessionFixture):
    first, again, other = (
        list(mutated(driver(StatesNoNumber), weights, mutations=50, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


OVERLOAD = Special("OL", b"WOL;")


class KnowsOverload(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        return Measured(rejected("weight", "overload")) if frame == b"WOL" else super().frame(frame, at)


class HearsARefusal(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        return Fault("refused", "overload") if frame == b"WOL" else super().frame(frame, at)


class TakesOverloadForZero(Sound):
    def frame(self, frame: bytes, at: datetime) -> Fault | Measured:
        return Measured(weight(b"0")) if frame == b"WOL" else super().frame(frame, at)


@pytest.mark.parametrize(
    ("session", "special", "said"),
    [
        (KnowsOverload, OVERLOAD, None),
        (HearsARefusal, OVERLOAD, None),
        (TakesOverloadForZero, OVERLOAD, "special 'OL': weight is 0"),
        (TakesOverloadForZero, replace(OVERLOAD, still=("weight",)), None),
        (Sound, OVERLOAD, "special 'OL': not understood: layout: no weight"),
        (KnowsOverload, Special("OL", b"WOL"), "special 'OL': nothing comes of it; is it a whole frame?"),
    ],
)
def test_a_special_value_is_understood_and_no_number(
    session: Callable[[], Session], special: Special, said: str | None, weights: SessionFixture
):
    found = faults("specials", session, replace(weights, specials=(special,)))
    assert set(found) == ({said} if said else set())


def test_every_declared_special_value_has_to_be_shown_and_the_other_way_round(weights: SessionFixture):
    shown = replace(weights, specials=(OVERLOAD,))
    declared = replace(driver(KnowsOverload), specials=("OL", "UL"))
    assert unshown(declared, [weights, shown]) == ["special 'UL': declared, in no fixture"]
    assert unshown(driver(KnowsOverload), [shown]) == ["special 'OL': shown, not declared"]


def test_a_fixture_may_hold_special_values_alone():
    text = """
        [session]
        driver = "test"
        started_at = 2026-03-02T09:10:00Z
        origin = "manual"
        [[special]]
        what = "OL"
        text = "WOL;"
    """
    alone = parse_fixture(text, name="specials.toml", folder=Path())
    assert alone.specials == (OVERLOAD,)
    assert set(checks_of(alone)) == {"specials", "asks"}
    assert parse_fixture(fixture_text(alone), name="specials.toml", folder=Path()) == alone


def test_what_is_declared_has_to_be_shown_by_a_fixture(weights: SessionFixture):
    assert uncovered(driver(Sound), [weights]) == ["weight in g: declared, in no fixture"]
    undeclared = replace(driver(Sound), emits={})
    assert uncovered(undeclared, [weights]) == ["weight in kg: came, not declared"]


def test_values_of_characteristics_are_never_torn(session: Callable[[str], SessionFixture]):
    assert "in-pieces" not in checks_of(session("cuff"))
    assert "in-pieces" in checks_of(session("ear_temperature"))
