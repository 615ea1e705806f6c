"""The way to one EHR: in order, one message in flight or a few, the same bytes until each is acknowledged.

What follows from each answer is a table; the rest is a sender and a loop. A message is never given up by
the lane itself: it is acknowledged, or it waits, or it is parked where a person sees it.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, TypeVar

import structlog

from gateway.errors import TransportError
from gateway.hl7.acknowledgement import Outcome, Verdict
from gateway.service.backoff import Backoff
from gateway.service.destinations import DeliveryTable
from gateway.service.sender import Sender
from gateway.service.tls import explain
from gateway.store import Database, outbox

T = TypeVar("T")
_Flight: TypeAlias = "tuple[outbox.OutboxMessage, asyncio.Task[Verdict]]"
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
    window : int
        How many messages may be under way at once; of one patient and device only one, unless order is not
        held past a parked message either.
    """

    name: str
    destination: DeliveryTable
    sender: Sender
    database: Database
    now: Callable[[], datetime]
    window: int = 1
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _flights: dict[int, _Flight] = field(default_factory=dict)
    _backoff: Backoff = field(init=False)
    _answers: Counter[tuple[int, Outcome]] = field(default_factory=Counter)
    _reachable: bool = True

    def __post_init__(self) -> None:
        self._backoff = Backoff(first_s=0.25, longest_s=self.destination.longest_backoff_s)

    def wake(self) -> None:
        """Something was put in the outbox."""
        self._woken.set()

    async def run(self) -> None:
        try:
            while True:
                self._woken.clear()
                await self._land()
                wait_s = await self._launch()
                if wait_s > 0:
                    await self._rest(wait_s)
        finally:
            await self._give_up()

    async def _rest(self, wait_s: float) -> None:
        """Until there is an answer or a message, or for so long."""
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _launch(self) -> float:
        """Send what may go, in its order; how long until more may."""
        waiting = await self._write(
            lambda db: outbox.sendable(
                db, self.name, past_parked=self.destination.past_parked, most=self.window
            )
        )
        for message in waiting:
            if message.id in self._flights:
                continue
            due_s = ((message.not_before or message.created_at) - self.now()).total_seconds()
            if due_s > 0:
                return min(_POLL_S, due_s)
            if not await self._send(message):
                return 0.0
        return _POLL_S

    async def _send(self, message: outbox.OutboxMessage) -> bool:
        """Let it go; False where that changed what may go next."""
        try:
            async with asyncio.timeout(self.destination.ack_timeout_s):
                await self.sender.prepare(message)
        except (OSError, TransportError) as error:
            await self._land((message, self._silence("connection", error)))
            return False
        if not await self._write(lambda db: outbox.begin(db, message.id, self.now())):
            return False  # a person has taken it back
        flight = asyncio.create_task(self._answer(message))
        flight.add_done_callback(lambda _: self._woken.set())
        self._flights[message.id] = message, flight
        return True

    async def _answer(self, message: outbox.OutboxMessage) -> Verdict:
        """One sending, to an answer or to silence."""
        try:
            async with asyncio.timeout(self.destination.ack_timeout_s):
                return await self.sender.send(message)
        except (OSError, TransportError) as error:
            return self._silence("answer", error)

    def _silence(self, awaited: str, error: OSError | TransportError) -> Verdict:
        if isinstance(error, TimeoutError) and not error.errno:
            return Verdict("silence", f"no {awaited} within {self.destination.ack_timeout_s:g} s")
        return Verdict("silence", explain(error))

    async def _land(self, *unsent: tuple[outbox.OutboxMessage, Verdict]) -> None:
        """Note what became of messages that are no longer under way, or could not be sent at all."""
        landed = [*unsent, *self._answered()]
        if any(not _RULES[verdict.outcome].keep_socket for _, verdict in landed):
            await self.sender.close()  # whatever else is under way fails with it
            await asyncio.gather(*(flight for _, flight in self._flights.values()))
            landed = [*self._answered(), *unsent]
        pause_s = self._pause({verdict.outcome for _, verdict in landed})
        for message, verdict in landed:
            self._flights.pop(message.id, None)
            await self._settle(message, verdict, max(pause_s, verdict.retry_after_s))

    def _answered(self) -> list[tuple[outbox.OutboxMessage, Verdict]]:
        return [(message, flight.result()) for message, flight in self._flights.values() if flight.done()]

    def _pause(self, outcomes: set[Outcome]) -> float:
        """Seconds until what is to be sent again is; one step however many messages a break cost."""
        settling: set[Outcome] = {"accepted", "refused"}
        if outcomes & settling:
            self._backoff.reset()
        return self._backoff.next() if outcomes - settling else 0.0

    async def _give_up(self) -> None:
        """Hang up; what is still under way may have arrived or not."""
        flights = [flight for _, flight in self._flights.values()]
        self._flights.clear()
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self.sender.close()

    async def _settle(self, message: outbox.OutboxMessage, verdict: Verdict, wait_s: float) -> None:
        self._answers[message.id, verdict.outcome] += 1
        state = self._state_after(message, verdict.outcome, _RULES[verdict.outcome].then)
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
