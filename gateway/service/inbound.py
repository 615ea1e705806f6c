"""The inbound door: an MLLP server that answers a message once what it says is on disk."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from gateway.errors import Hl7Error, StoreError, TransportError
from gateway.hl7 import Message, mllp, parse
from gateway.hl7.acknowledgement import Refusal, build_acknowledgement, refuse_unreadable
from gateway.hl7.inbound import Arrived, InboundEvent, Left, Merged, Updated, meaning
from gateway.hl7.timestamps import read_time
from gateway.service.configuration import InboundTable
from gateway.service.mllp_connection import next_events
from gateway.store import Database, encounters, inbound, merging, movements, outbox


@dataclass(slots=True, kw_only=True)
class InboundServer:
    """Takes ADT from any sender that connects.

    Parameters
    ----------
    table : InboundTable
    database : Database
    now : callable
    """

    table: InboundTable
    database: Database
    now: Callable[[], datetime]
    _server: asyncio.Server | None = None
    _clients: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        TransportError
            The port is taken, or is not this user's to take.
        """
        listen = self.table.listen
        try:
            self._server = await asyncio.start_server(self._client, listen.host, listen.port)
        except OSError as error:
            raise TransportError(
                f"{listen}: {error.strerror}; stop what has it, or configure another"
            ) from error

    @property
    def port(self) -> int:
        """The TCP port that it listens on; the system's choice where the configuration says 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Finish what is being answered, then hang up on every sender."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._clients.values():
            writer.close()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        try:
            await self._serve(reader, writer)
        except (OSError, StoreError) as error:
            # without an answer the sender keeps the message and sends it again
            structlog.get_logger().warning("inbound connection closed", reason=str(error))
        finally:
            del self._clients[task]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = mllp.Decoder(self.table.largest_message)
        while (events := await next_events(reader, decoder)) is not None:
            for event in events:
                match event:
                    case mllp.Received(message):
                        writer.write(mllp.frame(await self._answer(message)))
                    case mllp.TooLong(limit):
                        writer.write(mllp.frame(await self._refuse(b"", f"longer than {limit} bytes")))
                    case mllp.Noise(data):
                        structlog.get_logger().warning("bytes between messages", count=len(data))
            await writer.drain()

    async def _refuse(self, data: bytes, why: str) -> bytes:
        control_id = await asyncio.wrap_future(self.database.submit(outbox.next_control_id))
        refusal = Refusal(207, why)
        return refuse_unreadable(data, refusal, control_id=control_id, at=self.now())

    async def _answer(self, data: bytes) -> bytes:
        try:
            message = parse(data)
        except Hl7Error as error:
            structlog.get_logger().warning("inbound message refused", reason=str(error))
            return await self._refuse(data, str(error))
        at = self.now()
        return await asyncio.wrap_future(self.database.submit(lambda db: _taken(db, message, data, at)))


def _taken(db: sqlite3.Connection, message: Message, data: bytes, at: datetime) -> bytes:
    """Do what the message says, keep it, and answer: one transaction. A repetition is only answered."""
    sender = f"{message.header.get(3)}|{message.header.get(4)}"
    if earlier := inbound.answer_to(db, sender, message.control_id, data):
        return earlier
    found = meaning(message, at)
    control_id = outbox.next_control_id(db)
    log = structlog.get_logger().bind(
        event_type=f"{message.type}^{message.trigger}", control_id=message.control_id
    )
    if isinstance(found, Refusal):
        log.warning("inbound message refused", reason=found.text)
        answer = build_acknowledgement(message, "reject", control_id=control_id, at=at, refusal=found)
    else:
        _apply(db, found, at, _Stated.by(message, sender))
        log.info("inbound message taken", room=found.encounter.room if isinstance(found, Arrived) else None)
        answer = build_acknowledgement(message, "accept", control_id=control_id, at=at)
    inbound.keep(db, sender, message.control_id, data, answer, at)
    return answer


@dataclass(frozen=True, slots=True)
class _Stated:
    """When a message says that it happened, by its sender's clock."""

    clock: str
    at: str | None

    @classmethod
    def by(cls, message: Message, sender: str) -> "_Stated":
        moment = read_time(message.get("EVN-2")) or read_time(message.get("MSH-7"))
        if moment is None:
            return cls(sender, None)
        zoned = moment.tzinfo is not None
        utc = moment.astimezone(UTC) if zoned else moment
        return cls(f"{sender}|{'zoned' if zoned else 'local'}", f"{utc:%Y%m%d%H%M%S.%f}")

    def is_news(self, db: sqlite3.Connection, subject: str) -> bool:
        return movements.is_news(db, self.clock, subject, self.at)


def _apply(db: sqlite3.Connection, event: InboundEvent, at: datetime, stated: _Stated) -> None:
    """Do what the event says, unless its sender has said something later already."""
    match event:
        case Arrived(encounter):
            patient_came = stated.is_news(db, f"patient {encounter.patient.id}")
            room_changed = stated.is_news(db, f"room {encounter.room}")
            if patient_came:
                encounters.close_of_patient(db, encounter.patient.id, at)
            if room_changed and patient_came:
                encounters.open_encounter(db, encounter)
            elif room_changed:
                # the patient has moved on since, and whoever was there before has left all the same
                encounters.close_room(db, encounter.room, at)
        case Left(patient):
            if stated.is_news(db, f"patient {patient.id}"):
                encounters.close_of_patient(db, patient.id, at)
        case Updated(patient):
            for stored in encounters.currently_open(db):
                if stored.encounter.patient.id == patient.id:
                    changed = replace(stored.encounter, patient=patient)
                    encounters.replace_body(db, replace(stored, encounter=changed))
        case Merged(pairs):
            for survivor, retired in pairs:
                merging.merge(db, survivor, retired, at)
