"""The bench: recorded sessions, their replay, virtual devices that play them, and checks for any driver."""

from typing import TYPE_CHECKING

from gateway.testing.difference import differences
from gateway.testing.replay import Outcome, decode, replay
from gateway.testing.session_fixture import Exchange, SessionFixture, load_fixture

if TYPE_CHECKING:
    from gateway.testing.fake_ehr import FakeEhr

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


def __getattr__(name: str) -> object:
    """The fake EHR brings TLS, HL7 and the configuration with it, which few who import this package need."""
    if name == "FakeEhr":
        from gateway.testing.fake_ehr import FakeEhr  # noqa: PLC0415 - see above

        return FakeEhr
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
