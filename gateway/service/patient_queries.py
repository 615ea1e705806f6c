"""Readings that wait for a person, but state an identifier: the EHR is asked whose it is (PDQ).

Beside everything else: a reading is stored and held first, and asked about after. An EHR that does not answer
is asked again, the readings taking turns; one that answers without the one patient leaves the reading held,
with the reason. What a crash interrupts is asked at the next start.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog
from cryptography import x509

from gateway.errors import Hl7Error, TransportError, UnsendableError
from gateway.hl7.ekg_results import EkgParts
from gateway.hl7.patient_query import Authority, PatientQuery, QueryForm, Unfound, build_query, read_answer
from gateway.model import Patient
from gateway.service import tls
from gateway.service.association import is_of_nobody
from gateway.service.backoff import Backoff
from gateway.service.configuration import PatientQueryTable, Site
from gateway.service.device_time import CLOCK_TOLERANCE, moment_of
from gateway.service.filing import Filing
from gateway.service.mllp_connection import MllpConnection
from gateway.service.outgoing import Outgoing
from gateway.store import Database, outbox, patients, readings, recordings
from gateway.store.readings import StoredReading

T = TypeVar("T")

ACTOR = "PDQ"
_OUTCOME = "; PDQ: "
_FIRST_BACKOFF_S = 1.0


def asked_identifier(stored: StoredReading | None) -> str | None:
    """What the EHR can be asked by; None where nobody but a person can say whose the reading is.

    A reading whose time is in doubt waits for a person though its patient be known: it would be filed under
    a time that is nobody's. So does one for which room and device name somebody, but not beyond doubt.
    """
    if stored is None or stored.held is None or not is_of_nobody(stored.held):
        return None
    reading = stored.reading
    if reading.status == "rejected" or reading.doubt is not None:
        return None
    if moment_of(reading, stored.accepted_at) > stored.accepted_at + CLOCK_TOLERANCE:
        return None
    return (reading.subject or "").strip() or None


def query_form(table: PatientQueryTable, site: Site) -> QueryForm:
    """How the configured EHR wants to be asked."""
    return QueryForm(
        authority=Authority(table.authority, table.authority_oid),
        domains=table.domains,
        name=table.query_name,
        sending_facility=site.name,
        receiving_application=table.application,
        receiving_facility=table.facility,
    )


@dataclass(slots=True, kw_only=True)
class PatientQueries:
    """Asks for one reading after another, and files those whose patient the EHR names.

    Parameters
    ----------
    table : PatientQueryTable
    form : QueryForm
    database : Database
    outgoing : Outgoing
    queued : callable
        Called after the commit that put messages in the outbox.
    peer_seen : callable
        Called with the EHR's certificate at each connection, or None without TLS.
    """

    table: PatientQueryTable
    form: QueryForm
    database: Database
    outgoing: Outgoing
    queued: Callable[[], None]
    peer_seen: Callable[[x509.Certificate | None], None] = lambda _: None
    _waiting: deque[int] = field(default_factory=deque)
    _arrival: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, reading_id: int) -> None:
        """Ask about the reading, when its turn comes, if it can be asked about."""
        if reading_id not in self._waiting:
            self._waiting.append(reading_id)
            self._arrival.set()

    async def run(self) -> None:
        """Ask about the latest that were held before, and then about each as it comes."""
        for reading_id in await self._do(self._held_before):
            self.ask(reading_id)
        backoff = Backoff(
            first_s=min(_FIRST_BACKOFF_S, self.table.longest_backoff_s),
            longest_s=self.table.longest_backoff_s,
        )
        while True:
            while not self._waiting:
                self._arrival.clear()
                await self._arrival.wait()
            # taken off first, so that one which brings this task down is not in the way of the others
            reading_id = self._waiting.popleft()
            if await self._settled(reading_id):
                backoff.reset()
            else:
                self.ask(reading_id)
                await asyncio.sleep(backoff.next())

    def _held_before(self, db: sqlite3.Connection) -> tuple[int, ...]:
        held = readings.latest(db, self.table.at_start, held=True)
        return tuple(stored.id for stored in held if asked_identifier(stored) is not None)

    async def _settled(self, reading_id: int) -> bool:
        """Ask about one reading; False where no answer came."""
        query = await self._do(partial(self._query, reading_id=reading_id))
        if query is None:
            return True
        log = structlog.get_logger().bind(reading=reading_id, query=query.control_id)
        try:
            answer = await self._answer(query)
        except (OSError, TransportError) as error:
            log.warning("patient query without an answer", reason=tls.explain(error))
            await self._hold(reading_id, f"the EHR gave no answer: {tls.explain(error)}")
            return False
        found = read_answer(answer, query)
        if isinstance(found, Unfound):
            log.warning("patient query without a patient", outcome=found.kind)
            await self._hold(reading_id, found.reason)
            return True
        await self._file(reading_id, found)
        return True

    def _query(self, db: sqlite3.Connection, reading_id: int) -> PatientQuery | None:
        identifier = asked_identifier(readings.find(db, reading_id))
        if identifier is None:
            return None
        return PatientQuery(
            identifier=identifier, authority=self.form.authority, control_id=outbox.next_control_id(db)
        )

    async def _answer(self, query: PatientQuery) -> bytes:
        """What comes back, over a connection of its own: no late answer is ever taken for another's."""
        sent_at = self.outgoing.now().astimezone(self.outgoing.zone)
        connection = await MllpConnection.open(
            self.table.address, self.table.answer_timeout_s, self.table.tls
        )
        try:
            self.peer_seen(connection.peer)
            async with asyncio.timeout(self.table.answer_timeout_s):
                await connection.send(build_query(query, self.form, sent_at))
                return await connection.receive()
        except TimeoutError:
            raise ConnectionError(f"silence for {self.table.answer_timeout_s:g} s") from None
        finally:
            await connection.close()

    async def _file(self, reading_id: int, answered: Patient) -> None:
        """As a person would assign it; where no message can be built, it stays held with the reason."""
        try:
            prepared = await self._do(partial(_prepared, reading_id=reading_id, answered=answered))
            ekg = await asyncio.to_thread(self.outgoing.parts_of_stored, *prepared)
            work = partial(self._assign, answered=answered, drawn_for=prepared[1], ekg=ekg)
            is_filed = await self._do(partial(work, reading_id=reading_id))
        except (Hl7Error, UnsendableError) as error:
            await self._hold(reading_id, f"no message can be built of it: {error}")
            return
        if is_filed:
            structlog.get_logger().info("reading filed by patient query", reading=reading_id)
            self.queued()

    def _assign(
        self,
        db: sqlite3.Connection,
        *,
        reading_id: int,
        answered: Patient,
        drawn_for: Patient,
        ekg: EkgParts | None,
    ) -> bool:
        """File the reading, unless a person has decided about it meanwhile."""
        if asked_identifier(readings.find(db, reading_id)) is None:
            return False
        patient = patients.first_seen(db, answered)
        filing = Filing(outgoing=self.outgoing, actor=ACTOR)
        filing.assign(db, reading_id, patient, ekg if patient == drawn_for else None)
        return True

    async def _hold(self, reading_id: int, why: str) -> None:
        await self._do(partial(_hold, reading_id=reading_id, why=why))

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self.database.submit(work))


def _prepared(db: sqlite3.Connection, *, reading_id: int, answered: Patient) -> tuple[bytes | None, Patient]:
    """The reading's recording, and the patient as the store has them where it does."""
    return recordings.find(db, reading_id), patients.known(db, answered.id) or answered


def _hold(db: sqlite3.Connection, *, reading_id: int, why: str) -> None:
    """Add to why the reading waits what the last answer was, unless it waits for nothing any more."""
    stored = readings.find(db, reading_id)
    if stored is None or stored.held is None:
        return
    held = f"{stored.held.partition(_OUTCOME)[0]}{_OUTCOME}{why}"
    if held != stored.held:
        readings.hold(db, reading_id, held)
