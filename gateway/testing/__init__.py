"""The bench: recorded sessions, their replay, virtual devices that play them, and checks for any driver."""

from gateway.testing.difference import differences
from gateway.testing.replay import Outcome, decode, replay
from gateway.testing.session_fixture import Exchange, SessionFixture, load_fixture

__all__ = [
    "Exchange",
    "Outcome",
    "SessionFixture",
    "decode",
    "differences",
    "load_fixture",
    "replay",
]
