"""How the fake EHR misbehaves: which faults, how often, and which of them meet in one answer."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from gateway.errors import GatewayError


class FaultKind(StrEnum):
    """What can go wrong on a receiver's side."""

    SILENT = "silent"
    CLOSE = "close"
    NAK = "nak"
    REJECT = "reject"
    GARBAGE = "garbage"
    WRONG_ID = "wrong-id"
    LATE = "late"
    SLOW = "slow"
    SPLIT = "split"


MEANINGS = {
    FaultKind.SILENT: "takes the message and never answers",
    FaultKind.CLOSE: "takes the message and closes the connection without an answer",
    FaultKind.NAK: "does not take it and answers AE, application internal error",
    FaultKind.REJECT: "does not take it and answers AR",
    FaultKind.GARBAGE: "takes it and answers what is no acknowledgement: a web page, noise, an empty frame",
    FaultKind.WRONG_ID: "takes it and acknowledges another message than it got",
    FaultKind.LATE: "takes it and acknowledges it when the sender has long given up, next messages first",
    FaultKind.SLOW: "takes its time before each answer, next messages wait",
    FaultKind.SPLIT: "sends the acknowledgement byte by byte",
}

REFUSING = frozenset({FaultKind.NAK, FaultKind.REJECT})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and how often it strikes.

    Parameters
    ----------
    kind : FaultKind
    percent : float
        Of the messages, above 0 and at most 100.
    """

    kind: FaultKind
    percent: float = 100.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """``nak@10%``, ``late@5``, or ``silent`` for every message.

        Raises
        ------
        GatewayError
            The kind is not known, or the share is not one.
        """
        name, at, share = text.partition("@")
        if name not in MEANINGS:
            raise GatewayError(f"no fault is called {name!r}; choose from {', '.join(MEANINGS)}")
        try:
            percent = float(share.removesuffix("%")) if at else 100.0
        except ValueError:
            percent = 0.0
        if not 0 < percent <= 100:
            raise GatewayError(
                f"{text!r}: the share is not above 0 and at most 100 %; write it as {name}@10%"
            )
        return cls(FaultKind(name), percent)


@dataclass(slots=True)
class FaultDice:
    """Which faults strike the next message; the same for the same seed and number of messages.

    Parameters
    ----------
    faults : tuple of Fault
    seed : int
    """

    faults: tuple[Fault, ...]
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable on purpose

    def throw(self) -> frozenset[FaultKind]:
        return frozenset(f.kind for f in self.faults if self._random.random() * 100 < f.percent)

    def choose(self, choices: tuple[bytes, ...]) -> bytes:
        return self._random.choice(choices)
