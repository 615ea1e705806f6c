"""What the tests of the service share: a database, and messages in it on their way to an EHR."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.hl7.building import build
from gateway.model import Reading
from gateway.service.configuration import DestinationTable
from gateway.service.lane import Lane
from gateway.service.mllp_sender import MllpSender
from gateway.store import Database, outbox, readings

NOW = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)


@asynccontextmanager
async def at_work(
    work: Coroutine[Any, Any, None],
) -> AsyncIterator[Callable[[Callable[[], bool]], Awaitable[None]]]:
    """Work that goes on until the block ends; gives a function that waits for something to hold."""
    task = asyncio.create_task(work)

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(100):
            while not holds():
                await asyncio.sleep(0.01)
                if task.done():
                    task.result()

    try:
        yield until
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass
class Outbound:
    """Messages to a destination called ``ehr``, and lanes that send them to a port."""

    database: Database

    def queue(self, stream: str = "ann scale", note: str = "") -> str:
        """Put a message in the outbox, longer by `note`; its control id."""

        def work(db: sqlite3.Connection) -> str:
            control_id = outbox.next_control_id(db)
            reading_id = readings.add(
                db, "scale", Reading(kind="weight"), key=control_id, encounter_id=None, held=None, at=NOW
            )
            assert reading_id is not None
            header: dict[int, str | tuple[str, ...]] = {
                3: "GATEWAY", 4: stream, 9: ("ORU", "R01"), 10: control_id, 11: "P", 12: "2.5.1"
            }  # fmt: skip
            outbox.enqueue(
                db,
                destination="ehr",
                reading_id=reading_id,
                control_id=control_id,
                stream=stream,
                body=build([("MSH", header), ("NTE", {3: note})]),
                at=NOW,
            )
            return control_id

        return self.database.do(work)

    def message(self, control_id: str) -> outbox.OutboxMessage:
        return self.database.do(lambda db: outbox.find(db, control_id))

    def state(self, control_id: str) -> tuple[str, str]:
        message = self.message(control_id)
        return message.state, message.reason

    def attempts(self, control_id: str) -> list[str]:
        """How each sending of it ended."""
        number = self.message(control_id).id
        return [attempt.outcome for attempt in self.database.do(lambda db: outbox.attempts(db, number))]

    def lane(
        self,
        port: int,
        *,
        application_ack: bool = False,
        peer_seen: Callable[[object], None] = lambda _: None,
        **settings: Any,
    ) -> Lane:
        table = DestinationTable.model_validate(
            {"address": f"127.0.0.1:{port}", "ack_timeout_s": 0.3, "longest_backoff_s": 0.02, **settings}
        )
        return Lane(
            name="ehr",
            destination=table,
            sender=MllpSender(destination=table, application_ack=application_ack, peer_seen=peer_seen),
            database=self.database,
            now=lambda: datetime.now(UTC),
            window=table.window,
        )

    @asynccontextmanager
    async def running(self, lane: Lane):
        """The lane at work; gives a function that waits for something to hold."""
        async with at_work(lane.run()) as until:
            yield until

    async def settle(self, lane: Lane, *control_ids: str) -> None:
        """Let the lane work until none of these messages is pending."""
        async with self.running(lane) as until:
            await until(lambda: all(self.state(control_id)[0] != "pending" for control_id in control_ids))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "gateway.db") as database:
        yield database


@pytest.fixture
def outbound(database: Database) -> Outbound:
    return Outbound(database)
