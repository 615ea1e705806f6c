"""Where a reading becomes the gateway's responsibility: one transaction with its messages, or none."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Self

import structlog

from gateway.errors import Hl7Error, UnsendableError
from gateway.hl7.ekg_results import EkgParts
from gateway.model import EkgRecording, Patient, Reading
from gateway.service.association import Association, associate
from gateway.service.device_identity import identities
from gateway.service.device_time import by_unknown_clock, drift_noted, moment_of
from gateway.service.ekg_step import measured
from gateway.service.guards import guarded
from gateway.service.outgoing import Outgoing
from gateway.service.supervision import place_of
from gateway.store import Database, associations, encounters, patients, readings, recordings


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one reading.

    Parameters
    ----------
    reading_id : int, optional
        None where the same record had been accepted before.
    held : str, optional
        Why it waits for a person.
    control_ids : tuple of str
        Of the messages that carry it, one a destination.
    """

    reading_id: int | None
    held: str | None = None
    control_ids: tuple[str, ...] = ()


async def _measured(reading: Reading) -> Reading:
    """The EKG with what the gateway measured in it; a recording is never lost to a fault in measuring it."""
    try:
        return await asyncio.to_thread(measured, reading)
    except Exception as error:  # noqa: BLE001 - the root of the measuring thread
        structlog.get_logger().error("EKG not measured", where=place_of(error))
        return reading.noted("the gateway could not measure the waveform")


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An EKG's recording as it is stored, and what of it is sent."""

    packed: bytes
    patient: Patient | None
    parts: EkgParts | None

    @classmethod
    def of(cls, recording: EkgRecording, outgoing: Outgoing, patient: Patient | None) -> Self:
        parts = outgoing.ekg_parts(recording, patient) if patient else None
        return cls(recordings.packed(recording), patient, parts)


@dataclass(slots=True, kw_only=True)
class Acceptance:
    """The one door into the store.

    Parameters
    ----------
    database : Database
    outgoing : Outgoing
        Its zone is the site's: readings timed by the gateway carry its offset.
    longest_encounter : timedelta
    queued : callable
        Called after the commit that put messages in the outbox.
    """

    database: Database
    outgoing: Outgoing
    longest_encounter: timedelta
    queued: Callable[[], None]

    async def accept(self, source: str, reading: Reading, *, room: str | None, at: datetime) -> Accepted:
        """Measure, guard, associate and store; on disk when this returns.

        Parameters
        ----------
        source : str
            The device's name in the configuration.
        reading : Reading
        room : str, optional
        at : datetime
            When it was received.

        Raises
        ------
        StoreError
            It is not on disk; the device must not be told that it was taken.
        """
        recorded = None
        if reading.ekg is not None:
            reading = await _measured(reading)
        reading = drift_noted(guarded(self._timed(reading, at)))
        if reading.ekg is not None:
            reading, recorded = await self._recorded(source, reading, reading.ekg, room, at)

        def work(db: sqlite3.Connection) -> Accepted:
            return self._accept(db, source, reading, recorded, room, at)

        accepted = await asyncio.wrap_future(self.database.submit(work))
        if accepted.control_ids:
            self.queued()
        return accepted

    async def _recorded(
        self, source: str, reading: Reading, recording: EkgRecording, room: str | None, at: datetime
    ) -> tuple[Reading, _Recorded | None]:
        """With the recording for the store and for messages; a fault in making it loses no reading.

        Whose it is may still change until it is stored; the messages are then made anew.
        """
        found = await asyncio.wrap_future(
            self.database.submit(lambda db: self._association(db, source, reading, room, at))
        )
        patient = found.encounter.encounter.patient if found.encounter else None
        try:
            return reading, await asyncio.to_thread(_Recorded.of, recording, self.outgoing, patient)
        except Exception as error:  # noqa: BLE001 - the root of the preparing thread
            structlog.get_logger().error("EKG not prepared", where=place_of(error))
            return reading.noted("the gateway could not prepare the waveform for sending"), None

    def _timed(self, reading: Reading, at: datetime) -> Reading:
        if reading.taken_at is None:
            return reading.taken(at.astimezone(self.outgoing.zone), by="gateway")
        if reading.time_source == "gateway":
            return reading.taken(reading.taken_at.astimezone(self.outgoing.zone), by="gateway")
        return reading

    def _accept(
        self,
        db: sqlite3.Connection,
        source: str,
        reading: Reading,
        recorded: _Recorded | None,
        room: str | None,
        at: datetime,
    ) -> Accepted:
        found = self._association(db, source, reading, room, at)
        if found.encounter is not None:
            reading = replace(reading, patient_id=found.encounter.encounter.patient.id)
        reading_id = readings.add(
            db,
            source,
            reading,
            key=readings.record_key(source, reading),
            encounter_id=found.encounter.id if found.encounter else None,
            held=found.held,
            at=at,
        )
        if reading_id is not None and recorded is not None:
            recordings.keep(db, reading_id, recorded.packed)
        if reading_id is None or found.encounter is None or reading.status == "rejected":
            return Accepted(reading_id, found.held)
        try:
            is_theirs = recorded is not None and recorded.patient == found.encounter.encounter.patient
            parts = recorded.parts if recorded and is_theirs else None
            queued = self.outgoing.queue(db, source, reading_id, reading, found.encounter, ekg=parts)
            return Accepted(reading_id, None, queued)
        except (Hl7Error, UnsendableError) as error:
            held = f"no message can be built of it: {error}"
            readings.hold(db, reading_id, held)
            return Accepted(reading_id, held)

    def _association(
        self, db: sqlite3.Connection, source: str, reading: Reading, room: str | None, at: datetime
    ) -> Association:
        moment = moment_of(reading, at)
        names = identities(source, reading.device)
        is_unsure = by_unknown_clock(reading)
        entered = (reading.subject or "").strip()
        return associate(
            moment,
            at,
            room=room,
            encounter=encounters.covering(db, room, moment) if room else None,
            rival=encounters.covering(db, room, at) if room and is_unsure else None,
            worn=associations.covering(db, names, moment),
            worn_now=associations.covering(db, names, at) if is_unsure else (),
            doubt=reading.doubt,
            is_entered=partial(patients.has, db, number=entered) if entered else None,
            longest=self.longest_encounter,
        )
