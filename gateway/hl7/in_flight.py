"""Messages on one connection that await an acknowledgement, and which of them an answer is for.

Several may be under way at once, and be answered in any order. What settles a message is an answer that
names it (MSA-2) and that came after the whole of it had left: a receiver that answers sooner, or answers a
message that it was never sent, has read something else than what was sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.hl7.acknowledgement import Acknowledgement, Match, Verdict, judge, names

_REMEMBERED = 256
_TOO_SOON = Verdict("mismatch", "the answer came before the message was sent")


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that need not be awaited any longer."""

    control_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Repeated:
    """Another answer to a message that was settled before: an application's after a commit, or a double."""

    control_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Stray:
    """An answer while nothing awaited one: the connection is not to be trusted."""

    reason: str


@dataclass(slots=True, kw_only=True)
class InFlight:
    """The messages of one connection, oldest first.

    Parameters
    ----------
    match : {"exact", "prefix20", "any"}
    application_ack_expected : bool
        A commit accept is not the end of a message.
    """

    match: Match
    application_ack_expected: bool
    _sent: dict[str, bool] = field(default_factory=dict)
    _settled: dict[str, None] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._sent))

    def begin(self, control_id: str) -> None:
        """The first byte of a message goes out."""
        self._sent[control_id] = False
        self._settled.pop(control_id, None)

    def sent(self, control_id: str) -> None:
        """The last byte of it has left."""
        if control_id in self._sent:
            self._sent[control_id] = True

    def answered(self, answer: Acknowledgement) -> Settled | Repeated | Stray | None:
        """What an answer does; None where there is more to come."""
        control_id = next((own for own in self if names(answer.control_id, own, self.match)), None)
        if control_id is None:
            return self._unexpected(answer)
        if not self._sent[control_id]:
            return self._settle(
                control_id, Verdict("mismatch", "the answer came before the message was sent")
            )
        verdict = judge(
            answer, control_id, match=self.match, application_ack_expected=self.application_ack_expected
        )
        return None if verdict.outcome == "committed" else self._settle(control_id, verdict)

    def unreadable(self, reason: str) -> Settled | Stray:
        """Something came that is no acknowledgement; the oldest message has lost its answer."""
        control_id = next(iter(self), None)
        if control_id is None:
            return Stray(reason)
        return self._settle(control_id, Verdict("mismatch", reason))

    def _unexpected(self, answer: Acknowledgement) -> Settled | Repeated | Stray:
        for control_id in () if self.match == "any" else self._settled:
            if names(answer.control_id, control_id, self.match):
                return Repeated(control_id, answer.code)
        return self.unreadable("the answer names another message")

    def _settle(self, control_id: str, verdict: Verdict) -> Settled:
        del self._sent[control_id]
        self._settled[control_id] = None
        if len(self._settled) > _REMEMBERED:
            del self._settled[next(iter(self._settled))]
        return Settled(control_id, verdict)
