"""ASTM E1381 / CLSI LIS1-A, the upper half: who may speak, what was taken, what is said again.

A machine without I/O or clock. It is told what arrived and that its one timer ran out, and answers with
events in the order in which they are to be carried out. The text of a frame comes *before* the ``ACK`` that
answers it, so that whoever stores what the text says can do so before the sender forgets it.

=====================  ==================================================================================
receiving
=====================  ==================================================================================
``ENQ``                answered ``ACK``; the first frame is number 1
expected number        text, then ``ACK``
last number again      ``ACK``, and no text: the sender did not hear the first one
other number, damage   ``NAK``: say it again
``EOT``, or 30 s       idle
=====================  ==================================================================================

=====================  ==================================================================================
sending
=====================  ==================================================================================
``ENQ`` answered NAK   busy: asked again after 10 s
``ENQ`` by ``ENQ``     both want to speak, and the instrument goes first: it asks again after 1 s; the host
                       leaves it 20 s
frame answered ACK     the next one; after the last ``EOT``. ``EOT`` is an ``ACK`` that asks for a pause,
                       which comes at the end of the message
frame answered NAK     the same again, six times at most, then ``EOT``
no answer in 15 s      ``EOT``
=====================  ==================================================================================

Source: as in :mod:`gateway.codecs.astm_frames`. Evidence: manual for timers and contention.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.codecs.astm_frames import (
    ACK,
    ENQ,
    EOT,
    NAK,
    Damaged,
    Signal,
    TextFrame,
    Token,
    Tokens,
    encode_frame,
)
from gateway.errors import DecodeError

ANSWER_S = 15.0
NEXT_FRAME_S = 30.0
BUSY_S = 10.0
YIELD_S: dict[str, float] = {"instrument": 1.0, "host": 20.0}
MOST_TRIES = 6

Role = Literal["host", "instrument"]
_State = Literal["idle", "receiving", "asking", "pausing", "sending"]


@dataclass(frozen=True, slots=True)
class Say:
    """Bytes for the other side."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """``timed_out`` wanted after so many seconds, instead of the timer before; zero for none."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The other side begins a message."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The other side is done, or gave up: only what the texts say tells."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of ours was taken."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message of ours was not taken."""

    reason: str


LinkEvent = Say | Wait | Opened | TextFrame | Ended | Damaged | Delivered | Undelivered
LinkEvents = tuple[LinkEvent, ...]


class Link:
    """One side of the link.

    Parameters
    ----------
    role : {"host", "instrument"}
        Which goes first where both ask.
    lowest_number : int
        The frame number that follows 7. 0 by the standard; 1 for an analyser known to count so.
    """

    def __init__(self, role: Role = "host", *, lowest_number: Literal[0, 1] = 0) -> None:
        self._yield_s = YIELD_S[role]
        self._lowest = lowest_number
        self._tokens = Tokens()
        self._state: _State = "idle"
        self._expected = 1
        self._last: int | None = None
        self._outgoing: deque[tuple[bytes, ...]] = deque()
        self._sent = 0
        self._tries = 0

    @property
    def is_idle(self) -> bool:
        return self._state == "idle"

    def received(self, data: bytes) -> LinkEvents:
        return tuple(event for token in self._tokens.feed(data) for event in self._take(token))

    def closed(self) -> LinkEvents:
        """The connection ended."""
        left = tuple(event for token in self._tokens.flush() for event in self._take(token))
        ended: LinkEvents = (Ended(),) if self._state == "receiving" else ()
        self._state = "idle"
        return (*left, *ended)

    def timed_out(self) -> LinkEvents:
        if self._state == "receiving":
            reason = f"no frame and no end in {NEXT_FRAME_S:.0f} s"
            broken = Damaged(DecodeError("timeout", reason, offset=0), self._tokens.position)
            return (broken, *self._rest(Ended()))
        if self._state == "pausing":
            return self._ask()
        if self._state in {"asking", "sending"}:
            return (Say(bytes((EOT,))), *self._given_up(f"no answer in {ANSWER_S:.0f} s"))
        return ()

    def send(self, texts: Sequence[bytes]) -> LinkEvents:
        """Send a message, one text a frame, as soon as the link is free."""
        frames = tuple(
            encode_frame(number, text, ends_message=number == len(texts))
            for number, text in enumerate(texts, start=1)
        )
        self._outgoing.append(frames)
        return self._ask() if self.is_idle else ()

    def _take(self, token: Token) -> LinkEvents:
        if isinstance(token, Signal):
            return self._signal(token.byte)
        if self._state != "receiving":
            return (token,) if isinstance(token, Damaged) else (_unasked(token),)
        if isinstance(token, Damaged):
            return (token, *self._answer(NAK)) if token.is_answered else (token,)
        return self._frame(token)

    def _frame(self, frame: TextFrame) -> LinkEvents:
        if frame.number == self._expected:
            self._last = frame.number
            self._expected = frame.number + 1 if frame.number < 7 else self._lowest
            return (frame, *self._answer(ACK))
        if frame.number == self._last:
            return self._answer(ACK)
        reason = f"frame {frame.number}, expected {self._expected}"
        return (Damaged(DecodeError("sequence", reason, offset=1), frame.offset), *self._answer(NAK))

    def _answer(self, answer: int) -> LinkEvents:
        return Say(bytes((answer,))), Wait(NEXT_FRAME_S)

    def _signal(self, byte: int) -> LinkEvents:
        if byte == ENQ:
            return self._asked()
        if self._state == "receiving":
            return self._rest(Ended()) if byte == EOT else ()
        if self._state == "asking":
            return self._answer_to_asking(byte)
        return self._answer_to_frame(byte) if self._state == "sending" else ()

    def _asked(self) -> LinkEvents:
        if self._state == "asking":
            return self._pause(self._yield_s)
        before: LinkEvents = (Ended(),) if self._state == "receiving" else ()
        self._state, self._expected, self._last = "receiving", 1, None
        return (*before, Opened(), *self._answer(ACK))

    def _answer_to_asking(self, byte: int) -> LinkEvents:
        if byte == ACK:
            self._state, self._sent, self._tries = "sending", 0, 0
            return self._say_frame()
        return self._pause(BUSY_S) if byte == NAK else ()

    def _answer_to_frame(self, byte: int) -> LinkEvents:
        if byte == NAK:
            if self._tries == MOST_TRIES:
                return (Say(bytes((EOT,))), *self._given_up(f"a frame was refused {MOST_TRIES} times"))
            return self._say_frame()
        self._sent, self._tries = self._sent + 1, 0
        if self._sent < len(self._outgoing[0]):
            return self._say_frame()
        self._outgoing.popleft()
        return (Say(bytes((EOT,))), *self._rest(Delivered()))

    def _say_frame(self) -> LinkEvents:
        self._tries += 1
        return Say(self._outgoing[0][self._sent]), Wait(ANSWER_S)

    def _ask(self) -> LinkEvents:
        self._state = "asking"
        return Say(bytes((ENQ,))), Wait(ANSWER_S)

    def _pause(self, seconds: float) -> LinkEvents:
        self._state = "pausing"
        return (Wait(seconds),)

    def _given_up(self, reason: str) -> LinkEvents:
        self._outgoing.popleft()
        return self._rest(Undelivered(reason))

    def _rest(self, event: LinkEvent) -> LinkEvents:
        """Idle, or on to what waits to be said."""
        self._state = "idle"
        return (event, *(self._ask() if self._outgoing else (Wait(0.0),)))


def _unasked(frame: TextFrame) -> Damaged:
    return Damaged(DecodeError("sequence", "a frame without ENQ before it", offset=0), frame.offset)
