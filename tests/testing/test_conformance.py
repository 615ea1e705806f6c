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
from gateway.testing.conformance import checks_of, uncovered
from gateway.testing.session_fixture import parse_fixture

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
        ("flooded", KeepsEverything, "131072 bytes of noise leave "),
        ("rejected", RejectsWithNumbers, "reading 1: rejected with 1 values"),
        ("asks", AsksOtherThings, "at 0.0 s the host says b'SEND'; the driver does not"),
    ],
)
def test_a_driver_that_does_not_stand_a_check_is_told_where(
    check: str, session: Callable[[], Session], said: str, weights: SessionFixture
):
    assert any(said in fault for fault in faults(check, session, weights))


def test_what_is_declared_has_to_be_shown_by_a_fixture(weights: SessionFixture):
    assert uncovered(driver(Sound), [weights]) == ["weight in g: declared, in no fixture"]
    undeclared = replace(driver(Sound), emits={})
    assert uncovered(undeclared, [weights]) == ["weight in kg: came, not declared"]


def test_values_of_characteristics_are_never_torn(session: Callable[[str], SessionFixture]):
    assert "in-pieces" not in checks_of(session("cuff"))
    assert "in-pieces" in checks_of(session("ear_temperature"))
