"""What a person decides about a stored reading: whose it is, or that it is nobody's.

Each decision is one transaction: the reading, its messages, and the audit. What waited in the queue and had
not begun to go out is taken back; a destination that had a message, or may have had it, is told, with the
filler number that the message had.
"""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.errors import StoreError
from gateway.hl7.ekg_results import EkgParts
from gateway.hl7.oru import Amendment
from gateway.model import Encounter, Patient
from gateway.service.device_time import moment_of
from gateway.service.outgoing import Outgoing
from gateway.store import audit, encounters, outbox, readings
from gateway.store.encounters import StoredEncounter
from gateway.store.readings import StoredReading


@dataclass(frozen=True, slots=True)
class Decided:
    """What follows from a decision.

    Parameters
    ----------
    queued : tuple of str
        Control ids of the messages that now wait to be sent.
    taken_back : tuple of str
        Control ids of messages that will never be sent, or never again.
    untold : tuple of str
        Destinations that may have the reading and are no longer configured: nobody tells them.
    """

    queued: tuple[str, ...]
    taken_back: tuple[str, ...]
    untold: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """Decisions of one person.

    Parameters
    ----------
    outgoing : Outgoing
    actor : str
        As the audit is to name the person.
    """

    outgoing: Outgoing
    actor: str

    def assign(
        self, db: sqlite3.Connection, reading_id: int, patient: Patient, ekg: EkgParts | None = None
    ) -> Decided:
        """The reading is that patient's, and sent. One that another had is withdrawn there first.

        The visit is named where an encounter of the patient covers the moment of the reading; nothing is
        guessed from one that does not.

        Parameters
        ----------
        db : sqlite3.Connection
        reading_id : int
        patient : Patient
        ekg : EkgParts, optional
            Of the reading's recording, made before the transaction: drawing an EKG within it would keep
            everybody else from the store meanwhile.

        Raises
        ------
        StoreError
            There is no such reading, it is a failed measurement, or it is that patient's already.
        Hl7Error, UnsendableError
            A message cannot be built.
        """
        stored = found(db, reading_id)
        self._must_be_sendable(stored)
        is_theirs = stored.encounter_id is not None and stored.reading.patient_id == patient.id
        if is_theirs and stored.held is None and stored.withdrawn is None:
            raise StoreError(f"reading {reading_id} is that patient's already; nothing was changed")
        before = outbox.of_reading(db, reading_id)
        taken = self._taken_back(db, stored, "W", "measured on another patient")
        encounter = _encounter_of(db, patient, moment_of(stored.reading, stored.accepted_at))
        reading = replace(stored.reading, patient_id=patient.id)
        readings.file(db, reading_id, reading, encounter.id)
        told = {message.destination for message in before if message.begun_at is not None}
        amendments: dict[str, Amendment] = {
            destination: "C" if destination in told else "" for destination in self.outgoing.profiles
        }
        sent = self.outgoing.queue(db, stored.source, reading_id, reading, encounter, amendments, ekg)
        self._record(db, "reading assigned", f"reading {reading_id} to encounter {encounter.id}")
        return replace(taken, queued=taken.queued + sent)

    def withdraw(
        self, db: sqlite3.Connection, reading_id: int, reason: str, *, delete: bool = False
    ) -> Decided:
        """The reading is taken back wherever it is, and stays in the store as it was measured.

        Raises
        ------
        StoreError
            There is no such reading, it is a failed measurement, or it is withdrawn already.
        Hl7Error, UnsendableError
            A message cannot be built.
        """
        stored = found(db, reading_id)
        self._must_be_sendable(stored)
        if stored.withdrawn is not None:
            raise StoreError(f"reading {reading_id} is withdrawn already; nothing was changed")
        taken = self._taken_back(db, stored, "D" if delete else "W", reason)
        readings.withdraw(db, reading_id, reason)
        self._record(db, "reading withdrawn", f"reading {reading_id}: {reason}")
        return taken

    def _taken_back(
        self, db: sqlite3.Connection, stored: StoredReading, amendment: Amendment, reason: str
    ) -> Decided:
        why = f"reading withdrawn by {self.actor}: {reason}"
        stood = outbox.take_back(db, stored.id, self.outgoing.now(), why)
        to_tell = dict.fromkeys(m.destination for m in stood if m.begun_at is not None)
        unsent = tuple(m.control_id for m in stood if m.state in {"pending", "parked"})
        untold = tuple(name for name in to_tell if name not in self.outgoing.profiles)
        amendments = {name: amendment for name in to_tell if name in self.outgoing.profiles}
        if stored.encounter_id is None or not amendments:
            return Decided((), unsent, untold)
        reading = stored.reading.noted(f"{reason}; withdrawn")
        had_it = encounters.find(db, stored.encounter_id)
        queued = self.outgoing.queue(db, stored.source, stored.id, reading, had_it, amendments)
        return Decided(queued, unsent, untold)

    def _record(self, db: sqlite3.Connection, action: str, subject: str) -> None:
        audit.record(db, self.outgoing.now(), self.actor, action, subject)

    @staticmethod
    def _must_be_sendable(stored: StoredReading) -> None:
        if stored.reading.status == "rejected":
            raise StoreError(f"reading {stored.id} is a failed measurement without a value; it is never sent")


def found(db: sqlite3.Connection, reading_id: int) -> StoredReading:
    """The reading of that number.

    Raises
    ------
    StoreError
        There is none.
    """
    stored = readings.find(db, reading_id)
    if stored is None:
        raise StoreError(f"no reading {reading_id}; `gateway readings list` shows what was stored")
    return stored


def _encounter_of(db: sqlite3.Connection, patient: Patient, moment: datetime) -> StoredEncounter:
    for stored in reversed(encounters.of_patient(db, patient.id)):
        encounter = stored.encounter
        if encounter.opened_at <= moment and (encounter.closed_at is None or moment < encounter.closed_at):
            return stored
    return encounters.add_past(db, Encounter(room="", patient=patient, opened_at=moment))
