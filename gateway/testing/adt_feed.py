"""The EHR's own feed: messages sent one by one, at intervals, each until somebody accepts or refuses it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.errors import Hl7Error, TransportError
from gateway.hl7 import Message, parse
from gateway.hl7.acknowledgement import Verdict, judge, read_acknowledgement
from gateway.hl7.batch import split_batch
from gateway.service.backoff import Backoff
from gateway.service.configuration import Address
from gateway.service.tls import explain
from gateway.service.tls_settings import ClientTls
from gateway.testing.fake_ehr import send

Outcome = Literal["accepted", "refused", "again"]


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One sending of the feed.

    Parameters
    ----------
    message : Message
    outcome : str
        ``accepted``; ``refused``, and not sent again; or ``again`` after a while.
    said : str
        The acknowledgement code and its reason, or why there was none.
    """

    message: Message
    outcome: Outcome
    said: str


def read_feed(path: Path) -> tuple[Message, ...]:
    """The messages of a file, or of a folder's files in the order of their names.

    Raises
    ------
    Hl7Error
        There is none, or one cannot be read.
    """
    files = sorted(path.glob("*.hl7")) if path.is_dir() else [path]
    messages = tuple(_read(files))
    if not messages:
        raise Hl7Error(f"{path} holds no message; a folder's end in .hl7")
    return messages


def _read(files: list[Path]) -> Iterator[Message]:
    for file in files:
        for data in split_batch(file.read_bytes()):
            try:
                yield parse(data)
            except Hl7Error as error:
                raise Hl7Error(f"{file}: {error}") from error


@dataclass(slots=True, kw_only=True)
class AdtFeed:
    """Sends messages as a registration desk's system would.

    Parameters
    ----------
    messages : tuple of Message
    to : Address
    every_s : float
        Between one message and the next.
    timeout_s : float
    security : ClientTls, optional
    on_event : callable
        Called with each sending and its end.
    """

    messages: tuple[Message, ...]
    to: Address
    every_s: float = 1.0
    timeout_s: float = 10.0
    security: ClientTls | None = None
    on_event: Callable[[FeedEvent], None] = lambda _: None
    _backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, longest_s=10.0))

    async def run(self) -> None:
        """Send all; returns when the last is accepted or refused."""
        for number, message in enumerate(self.messages):
            if number:
                await asyncio.sleep(self.every_s)
            while (event := await self._sent(message)).outcome == "again":
                self.on_event(event)
                await asyncio.sleep(self._backoff.next())
            self._backoff.reset()
            self.on_event(event)

    async def _sent(self, message: Message) -> FeedEvent:
        try:
            answer = await send(
                message.for_sending(),
                self.to.host,
                self.to.port,
                timeout_s=self.timeout_s,
                security=self.security,
            )
            acknowledgement = read_acknowledgement(answer)
        except TimeoutError:
            return FeedEvent(message, "again", f"no answer within {self.timeout_s:g} s")
        except (OSError, TransportError, Hl7Error) as error:
            return FeedEvent(message, "again", explain(error))
        verdict = judge(acknowledgement, message.control_id, match="exact", application_ack_expected=False)
        return FeedEvent(message, _OUTCOMES.get(verdict.outcome, "again"), _said(verdict))


_OUTCOMES: dict[str, Outcome] = {"accepted": "accepted", "refused": "refused", "error": "refused"}


def _said(verdict: Verdict) -> str:
    return " ".join(filter(None, (verdict.code, verdict.reason)))
