"""The journal of raw values, as one device's connection uses it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from gateway.store import Database, journal
from gateway.transports import Received


@dataclass(slots=True)
class Journal:
    """Raw values of one device, from the notification until the readings made of them are stored.

    Parameters
    ----------
    database : Database
    source : str
        The device's name in the configuration.
    """

    database: Database
    source: str
    _waiting: deque[tuple[Received, int]] = field(default_factory=deque)
    _parts: dict[str, list[int]] = field(default_factory=dict)

    def keep(self, received: Received) -> None:
        """On disk when this returns; called within the notification, so it blocks for one commit.

        Raises
        ------
        StoreError
            It is not on disk, and the value must not be confirmed.
        """
        row_id = self.database.do(
            lambda db: journal.keep(
                db,
                self.source,
                received.channel,
                received.data,
                received.at,
                device_id=received.device_id,
            )
        )
        self._waiting.append((received, row_id))

    async def settled(self, received: Received) -> None:
        """What came of the value is stored; its row goes, and those of the parts before it."""
        row_id = self._taken(received)
        if row_id is not None:
            for settled in (*self._parts.pop(received.channel, ()), row_id):
                await self.drop(settled)

    def unfinished(self, received: Received) -> None:
        """The value is a part of what will come of a later one of its channel; its row stays until then."""
        row_id = self._taken(received)
        if row_id is not None:
            self._parts.setdefault(received.channel, []).append(row_id)

    def _taken(self, received: Received) -> int | None:
        """The row of a value that was kept, which is the next in turn."""
        if not self._waiting or self._waiting[0][0] is not received:
            return None
        return self._waiting.popleft()[1]

    async def drop(self, row_id: int) -> None:
        await asyncio.wrap_future(self.database.submit(lambda db: journal.drop(db, row_id)))

    def left_behind(self) -> tuple[journal.JournalRow, ...]:
        """What a crash or a broken connection left."""
        self._waiting.clear()
        self._parts.clear()
        return self.database.do(lambda db: journal.rows(db, self.source))
