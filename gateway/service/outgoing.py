"""The messages of a reading: one for each destination that is to have it, all in the queue or none."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self, TypeAlias
from zoneinfo import ZoneInfo

from gateway.fhir import FhirProfile, build_transaction
from gateway.gdt import GdtProfile, build_examination
from gateway.hl7.ekg_results import EkgParts
from gateway.hl7.ordered_services import SERVICES
from gateway.hl7.oru import Amendment, build_oru
from gateway.hl7.profiles import PROFILES, EkgForm, Profile
from gateway.model import EkgRecording, Patient, Reading
from gateway.service.configuration import AnyDestination, Configuration, DestinationTable, OrdersTable, Site
from gateway.service.destinations import FhirTable
from gateway.service.device_time import moment_of
from gateway.service.ekg_parts import parts_of, withdrawn_parts
from gateway.service.ordering import Ordering
from gateway.store import orders, outbox, recordings
from gateway.store.encounters import StoredEncounter
from gateway.store.orders import StoredOrder

AnyProfile: TypeAlias = Profile | FhirProfile | GdtProfile


def profiles_of(configuration: Configuration) -> Mapping[str, AnyProfile]:
    """How each destination wants its results, by its name in the configuration."""
    return {
        name: _profile(configuration.site, destination)
        for name, destination in configuration.destinations.items()
    }


def _profile(site: Site, destination: AnyDestination) -> AnyProfile:
    if isinstance(destination, DestinationTable):
        return _hl7_profile(site, destination)
    if isinstance(destination, FhirTable):
        return FhirProfile(
            identifier_systems=destination.identifier_systems,
            own_system=destination.own_system,
            patient_reference=destination.patient_reference,
            provenance=destination.provenance,
        )
    return GdtProfile(
        patient_authority=destination.patient_authority,
        sender=destination.sender,
        receiver=destination.receiver,
        character_set=destination.character_set,
        decimal_mark=destination.decimal_mark,
        examinations=destination.examinations,
        tests=destination.tests,
    )


def _hl7_profile(site: Site, destination: DestinationTable) -> Profile:
    profile = PROFILES[destination.profile].between(
        destination.sending_facility or site.name, (destination.application, destination.facility)
    )
    return destination.applied_to(profile, site.zone)


def ordering_of(table: OrdersTable) -> Ordering:
    """The services that can be ordered: the site's codes, and those that mean the same everywhere."""
    own = {code: frozenset(kinds) for code, kinds in table.services.items()}
    return Ordering(services={**SERVICES, **own}, within=timedelta(seconds=table.within_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Builds messages and puts them in the outbox.

    Parameters
    ----------
    profiles : mapping of str to Profile, FhirProfile or GdtProfile
        By destination.
    zone : ZoneInfo
        The site's, in which a message says when it was made.
    now : callable
    ordering : Ordering
    """

    profiles: Mapping[str, AnyProfile]
    zone: ZoneInfo
    now: Callable[[], datetime]
    ordering: Ordering = field(default_factory=Ordering)

    @classmethod
    def of(cls, configuration: Configuration, *, now: Callable[[], datetime]) -> Self:
        return cls(
            profiles=profiles_of(configuration),
            zone=configuration.site.zone,
            now=now,
            ordering=ordering_of(configuration.orders),
        )

    def queue(
        self,
        db: sqlite3.Connection,
        source: str,
        reading_id: int,
        reading: Reading,
        stored: StoredEncounter,
        amendments: Mapping[str, Amendment] | None = None,
        ekg: EkgParts | None = None,
    ) -> tuple[str, ...]:
        """The control ids of the messages that now wait to be sent.

        Parameters
        ----------
        db : sqlite3.Connection
        source : str
            The device's name in the configuration.
        reading_id : int
        reading : Reading
        stored : StoredEncounter
        amendments : mapping of str to Amendment, optional
            By destination. Without it every destination gets a first message.
        ekg : EkgParts, optional
            Of the reading's recording; without them they are made of the one that is stored.

        Raises
        ------
        Hl7Error, UnsendableError
            A message cannot be built; none is in the queue.
        """
        made_at = self.now()
        filler_number = outbox.filler_number(db, reading_id)
        bodies = {}
        wanted = dict.fromkeys(self.profiles, _FIRST) if amendments is None else amendments
        if ekg is None and reading.kind == "ekg":
            taking_back = set(wanted.values()) <= set(_TAKING_BACK)
            ekg = self._stored_parts(db, reading_id, stored.encounter.patient, taking_back=taking_back)
        order = self._order(db, reading_id, reading, stored, wanted)
        for destination, amendment in wanted.items():
            control_id = outbox.next_control_id(db)
            bodies[destination, control_id] = _message(
                self.profiles[destination],
                reading,
                stored,
                control_id=control_id,
                filler_number=filler_number,
                sent_at=made_at.astimezone(self.zone),
                amendment=amendment,
                placer_number=order.order.placer if order else "",
                ekg=ekg,
            )
        for (destination, control_id), body in bodies.items():
            outbox.enqueue(
                db,
                destination=destination,
                reading_id=reading_id,
                control_id=control_id,
                stream=f"{stored.encounter.patient.id} {source}",
                body=body,
                at=made_at,
                stands=wanted[destination] not in _TAKING_BACK,
            )
        return tuple(control_id for _, control_id in bodies)

    def ekg_parts(self, recording: EkgRecording, patient: Patient) -> EkgParts | None:
        """What any destination wants of a recording besides its measures; None where none wants anything."""
        wanted = self._wanted_of_ekgs
        return parts_of(recording, wanted, patient) if wanted else None

    @property
    def _wanted_of_ekgs(self) -> frozenset[EkgForm]:
        forms = (profile.ekg for profile in self.profiles.values() if isinstance(profile, Profile))
        return frozenset().union(*forms) - {"measures"}

    def parts_of_stored(self, data: bytes | None, patient: Patient) -> EkgParts | None:
        """The same of a recording as the store has it."""
        if data is None or not self._wanted_of_ekgs:
            return None
        return self.ekg_parts(recordings.unpacked(data), patient)

    def _stored_parts(
        self, db: sqlite3.Connection, reading_id: int, patient: Patient, *, taking_back: bool
    ) -> EkgParts | None:
        data = recordings.find(db, reading_id)
        if data is not None and taking_back:
            return withdrawn_parts(recordings.unpacked(data), self._wanted_of_ekgs)
        return self.parts_of_stored(data, patient)

    def _order(
        self,
        db: sqlite3.Connection,
        reading_id: int,
        reading: Reading,
        stored: StoredEncounter,
        wanted: Mapping[str, Amendment],
    ) -> StoredOrder | None:
        """The order that the reading was filed under, or where it is new the one that it carries out."""
        filed = orders.of_reading(db, reading_id)
        if filed is None and not set(wanted.values()) <= set(_TAKING_BACK):
            patient_id = stored.encounter.patient.id
            filed = self.ordering.order_for(db, reading, patient_id, moment_of(reading, self.now()))
            orders.file(db, reading_id, filed.id if filed else None)
        return filed


def _message(
    profile: AnyProfile,
    reading: Reading,
    stored: StoredEncounter,
    *,
    control_id: str,
    filler_number: str,
    sent_at: datetime,
    amendment: Amendment,
    placer_number: str,
    ekg: EkgParts | None,
) -> bytes:
    """The reading as that destination wants it."""
    patient = stored.encounter.patient
    is_placed = stored.encounter.room or stored.encounter.location
    encounter = stored.encounter if is_placed else None
    if isinstance(profile, Profile):
        return build_oru(
            reading,
            patient,
            encounter,
            control_id=control_id,
            filler_number=filler_number,
            sent_at=sent_at,
            profile=profile,
            amendment=amendment,
            placer_number=placer_number,
            ekg=ekg,
        )
    if isinstance(profile, FhirProfile):
        return build_transaction(
            reading,
            patient,
            encounter,
            control_id=control_id,
            record=f"{filler_number}-E{stored.id}",
            sent_at=sent_at,
            profile=profile,
            amendment=amendment,
            placer_number=placer_number,
        )
    return build_examination(
        reading, patient, control_id=control_id, sent_at=sent_at, profile=profile, amendment=amendment
    )


_FIRST: Amendment = ""
_TAKING_BACK = ("W", "D")
