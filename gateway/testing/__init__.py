"""The bench: recorded sessions, their replay, virtual devices that play them, and checks for any driver."""

from gateway.testing.difference import differences
from gateway.testing.fake_ehr import FakeEhr
from gateway.testing.replay import Outcome, decode, replay
from gateway.testing.session_fixture import Exchange, SessionFixture, load_fixture

__all__ = [
    "Exchange",
    "FakeEhr",
    "Outcome",
    "SessionFixture",
    "decode",
    "differences",
    "load_fixture",
    "replay",
]
