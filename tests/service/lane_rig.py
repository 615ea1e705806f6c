"""A lane with readings of an invented person in its queue, run until nothing waits."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from gateway.model import Encounter, Identifier, Observation, Patient, Reading
from gateway.service.acceptance import Acceptance
from gateway.service.destinations import DeliveryTable
from gateway.service.filing import Filing
from gateway.service.lane import Lane
from gateway.service.outgoing import AnyProfile, Outgoing
from gateway.service.sender import Sender
from gateway.store import Database, encounters, outbox
from gateway.testing.virtual_device import until

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", birth_date="19610417", sex="F")
BEN = Patient((Identifier("77", "NORTH", "MR"),), "TESTPATIENT", "BEN")


@dataclass
class Rig:
    """A store with Alma in EXAM3, and one destination, `ehr`."""

    database: Database
    profile: AnyProfile

    def __post_init__(self) -> None:
        alma = Encounter(room="EXAM3", patient=ALMA, opened_at=NOW - timedelta(minutes=5))
        self.database.do(lambda db: encounters.open_encounter(db, alma))

    @property
    def outgoing(self) -> Outgoing:
        return Outgoing(profiles={"ehr": self.profile}, zone=ZoneInfo("America/New_York"), now=lambda: NOW)

    @property
    def filing(self) -> Filing:
        return Filing(outgoing=self.outgoing, actor="nurse")

    def accept(self, weight: str) -> int:
        """The number of a stored reading, whose message is in the queue."""
        reading = Reading(kind="weight", observations=(Observation("weight", Decimal(weight), "kg"),))
        acceptance = Acceptance(
            database=self.database,
            outgoing=self.outgoing,
            longest_encounter=timedelta(hours=2),
            queued=lambda: None,
        )
        accepted = asyncio.run(acceptance.accept("scale", reading, room="EXAM3", at=NOW))
        assert accepted.reading_id is not None
        assert accepted.held is None, accepted.held
        return accepted.reading_id

    def messages(self, reading_id: int) -> tuple[outbox.OutboxMessage, ...]:
        return self.database.do(lambda db: outbox.of_reading(db, reading_id))

    def states(self) -> list[str]:
        return [m.state for m in self.database.do(outbox.unsettled)]

    async def run(self, table: DeliveryTable, sender: Sender, done: Callable[[], bool] | None = None) -> None:
        """Run the lane until `done`; without it, until no message is pending."""
        lane = Lane(
            name="ehr",
            destination=table,
            sender=sender,
            database=self.database,
            now=lambda: datetime.now(UTC),
        )
        running = asyncio.create_task(lane.run())
        try:
            async with asyncio.timeout(60):
                await until(lambda: running.done() or (done or self._is_idle)())
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    def _is_idle(self) -> bool:
        return "pending" not in self.states()
