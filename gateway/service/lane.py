"""The way to one EHR: strictly in order, one message in flight, the same bytes until it is acknowledged.

What follows from each answer is a table; the rest is a sender and a loop. A message is never given up by
the lane itself: it is acknowledged, or it waits, or it is parked where a person sees it.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import structlog

from gateway.errors import TransportError
from gateway.hl7.acknowledgement import Outcome, Verdict
from gateway.service.backoff import Backoff
from gateway.service.destinations import DeliveryTable
from gateway.service.sender import Sender
from gateway.service.tls import explain
from gateway.store import Database, outbox

T = TypeVar("T")
_POLL_S = 1.0  # a person's retry or discard comes from another process, which cannot wake the lane

Next = Literal["acknowledged", "resend", "resend-or-park", "park"]


@dataclass(frozen=True, slots=True)
class _Rule:
    """What follows from one kind of answer: the next state, and whether the socket is still to be trusted."""

    then: Next
    keep_socket: bool


_RULES: dict[Outcome, _Rule] = {
    "accepted": _Rule("acknowledged", keep_socket=True),
    "error": _Rule("resend-or-park", keep_socket=True),
    "refused": _Rule("park", keep_socket=True),
    "mismatch": _Rule("resend-or-park", keep_socket=False),
    "silence": _Rule("resend", keep_socket=False),
}


@dataclass(slots=True, kw_only=True)
class Lane:
    """Sends one destination's messages for as long as it runs.

    Parameters
    ----------
    name : str
        Of the destination, in the configuration.
    destination : DeliveryTable
    sender : Sender
    database : Database
    now : callable
    """

    name: str
    destination: DeliveryTable
    sender: Sender
    database: Database
    now: Callable[[], datetime]
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: Counter[tuple[int, Outcome]] = field(default_factory=Counter)
    _reachable: bool = True

    def wake(self) -> None:
        """Something was put in the outbox."""
        self._woken.set()

    async def run(self) -> None:
        backoff = Backoff(first_s=0.25, longest_s=self.destination.longest_backoff_s)
        try:
            while True:
                message = await self._next()
                verdict = await self._attempt(message)
                if verdict is None:
                    continue
                wait_s = 0.0
                if verdict.outcome in {"accepted", "refused"}:
                    backoff.reset()
                else:
                    wait_s = max(backoff.next(), verdict.retry_after_s)
                await self._settle(message, verdict, wait_s)
        finally:
            await self.sender.close()

    async def _next(self) -> outbox.OutboxMessage:
        """The message whose turn it is, once it may go."""
        while True:
            self._woken.clear()
            message = await self._write(
                lambda db: outbox.next_pending(db, self.name, past_parked=self.destination.past_parked)
            )
            wait_s = _POLL_S
            if message is not None:
                due = message.not_before or message.created_at
                wait_s = min(_POLL_S, (due - self.now()).total_seconds())
                if wait_s <= 0:
                    return message
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _attempt(self, message: outbox.OutboxMessage) -> Verdict | None:
        """One sending, to an answer or to silence; None where a person has taken the message back."""
        timeout_s = self.destination.ack_timeout_s
        awaited = "connection"
        try:
            async with asyncio.timeout(timeout_s):
                await self.sender.prepare(message)
            awaited = "answer"
            if not await self._write(lambda db: outbox.begin(db, message.id, self.now())):
                return None
            async with asyncio.timeout(timeout_s):
                return await self.sender.send(message)
        except TimeoutError:
            return Verdict("silence", f"no {awaited} within {timeout_s:g} s")
        except (OSError, TransportError) as error:
            return Verdict("silence", explain(error))

    async def _settle(self, message: outbox.OutboxMessage, verdict: Verdict, wait_s: float) -> None:
        rule = _RULES[verdict.outcome]
        if not rule.keep_socket:
            await self.sender.close()
        self._answers[message.id, verdict.outcome] += 1
        state = self._state_after(message, verdict.outcome, rule.then)
        at = self.now()

        def work(db: sqlite3.Connection) -> None:
            outbox.attempted(
                db,
                message.id,
                at,
                outcome=verdict.outcome,
                detail=verdict.reason or verdict.code,
                state=state,
                not_before=at + timedelta(seconds=wait_s) if state == "pending" else None,
            )

        await self._write(work)
        self._say(message, verdict, state)
        if state != "pending":
            for outcome in _RULES:
                self._answers.pop((message.id, outcome), None)

    def _state_after(
        self, message: outbox.OutboxMessage, outcome: Outcome, then: Next
    ) -> outbox.MessageState:
        if then == "acknowledged":
            return "acknowledged"
        tried = self._answers[message.id, outcome] >= self.destination.tries
        return "parked" if then == "park" or (then == "resend-or-park" and tried) else "pending"

    def _say(self, message: outbox.OutboxMessage, verdict: Verdict, state: outbox.MessageState) -> None:
        log = structlog.get_logger().bind(destination=self.name, message=message.control_id)
        # a receiver's own words may name a patient: they are for the queue, not for the log
        reason = verdict.reason if verdict.outcome in {"silence", "mismatch"} else None
        if state == "acknowledged":
            log.info("acknowledged", code=verdict.code)
        elif state == "parked":
            log.error("parked; see `gateway queue list`", code=verdict.code, reason=reason)
        elif self._reachable or verdict.outcome != "silence":
            log.warning(
                "not acknowledged, sending again", outcome=verdict.outcome, code=verdict.code, reason=reason
            )
        self._reachable = verdict.outcome != "silence"

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self.database.submit(work))
