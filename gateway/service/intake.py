"""What a message that came in changes: who is where, what was ordered; in one transaction with its answer."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

import structlog

from gateway.hl7 import Message
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.answers import Reply, build_answers
from gateway.hl7.associations import Associated
from gateway.hl7.demographics import Person
from gateway.hl7.inbound import Arrived, InboundEvent, Left, Merged, Updated, meaning
from gateway.hl7.orders import Ordered, Request
from gateway.hl7.timestamps import read_time
from gateway.model import Device, Encounter, Patient
from gateway.service.device_identity import meant
from gateway.service.ordering import Asked, Ordering, carry_out
from gateway.store import associations, encounters, inbound, merging, movements, orders, outbox, patients
from gateway.store.movements import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes what comes in.

    Parameters
    ----------
    zone : tzinfo
        The site's, of times in orders and associations that state none.
    devices : mapping of str to Device
        As the configuration has them, by name: of these it is told who they are on.
    ordering : Ordering
    longest_encounter : timedelta
        An order for later than that puts nobody into a room yet.
    rooms_by_order : bool
        An order puts its patient into its room, where no ADT message says otherwise.
    """

    zone: tzinfo
    devices: Mapping[str, Device] = field(default_factory=dict)
    ordering: Ordering = field(default_factory=Ordering)
    longest_encounter: timedelta = timedelta(hours=2)
    rooms_by_order: bool = True

    def take(self, db: sqlite3.Connection, message: Message, data: bytes, at: datetime) -> tuple[bytes, ...]:
        """Do what the message says, keep it, and answer; a repetition is only answered.

        An acknowledgement has no answer: two systems would go on acknowledging for ever.
        """
        sender = f"{message.header.get(3)}|{message.header.get(4)}"
        log = structlog.get_logger().bind(
            event_type=f"{message.type}^{message.trigger}", control_id=message.control_id
        )
        if message.segment("MSA") is not None:
            log.warning("acknowledgement of nothing", code=message.get("MSA-1"))
            return ()
        if (earlier := inbound.answers_to(db, sender, message.control_id, data)) is not None:
            return earlier
        found = meaning(message, at)
        outcome = found if isinstance(found, Refusal) else self._apply(db, found, message, sender, at)
        if isinstance(outcome, Refusal):
            log.warning("inbound message refused", reason=outcome.text)
        else:
            log.info(
                "inbound message taken", room=found.encounter.room if isinstance(found, Arrived) else None
            )
        answers = build_answers(
            message,
            next_control_id=partial(outbox.next_control_id, db),
            at=at,
            refusal=outcome if isinstance(outcome, Refusal) else None,
            replies=() if isinstance(outcome, Refusal) else outcome,
        )
        inbound.keep(db, sender, message.control_id, data, answers, at)
        return answers

    def _apply(
        self, db: sqlite3.Connection, event: InboundEvent, message: Message, sender: str, at: datetime
    ) -> Sequence[Reply] | Refusal:
        """Do what the event says, unless its sender has said something later already."""
        moment = read_time(message.get("EVN-2")) or read_time(message.get("MSH-7"))
        said = _said(sender, moment)
        match event:
            case Arrived(person, encounter):
                _arrive(db, replace(encounter, patient=_learn(db, person, said)), said, at)
            case Left(person):
                patient_id = patients.survivor(db, person.patient.id)
                if movements.is_news(db, said, encounters.subject(patient_id)):
                    encounters.close_of_patient(db, patient_id, at)
            case Updated(person):
                _learn(db, person, said)
            case Merged(pairs):
                for person, retired in pairs:
                    merging.merge(db, person.patient, person.stated, retired, said, at)
            case Associated():
                return self._associated(db, event, sender, said)
            case Ordered():
                return self._ordered(db, event, sender, moment, at)
        return ()

    def _associated(
        self, db: sqlite3.Connection, report: Associated, sender: str, said: Said
    ) -> Sequence[Reply] | Refusal:
        found = meant(db, self.devices, report.devices)
        if len(found) != 1:
            named = "several devices here have" if found else "no device here has"
            return Refusal(204, f"{named} one of the identifiers", "PRT", 10)
        instance = report.instance if "^" in report.instance else f"{report.instance} of {sender}"
        patient = _learn(db, report.person, said)
        if report.at is None:
            associations.void(db, instance, said)
        else:
            (devices,) = found.values()
            associations.keep(
                db,
                instance,
                devices,
                replace(report.encounter, patient=patient),
                is_end=report.word == "ended",
                at=self._zoned(report.at),
                said=said,
            )
        return ()

    def _ordered(
        self, db: sqlite3.Connection, event: Ordered, sender: str, sent_at: datetime | None, at: datetime
    ) -> Sequence[Reply] | Refusal:
        patient = patients.first_seen(db, event.person.patient) if event.person else None
        asked = [self._asked(request, patient, sender, sent_at, at) for request in event.requests]
        if any(_is_of_another(db, each) for each in asked):
            return Refusal(205, "the placer's number is that of another patient's order", "ORC", 2)
        unknown = [each for each in asked if not self._is_for_us(each.request)]
        if len(unknown) == len(asked):
            return Refusal(103, f"{_NOT_FOR_US}; [orders.services] of the configuration maps it", "OBR", 4)
        return [self._reply(db, each, patient) for each in asked]

    def _is_for_us(self, request: Request) -> bool:
        return request.control.action not in ("place", "change") or bool(self.ordering.kinds(request.order))

    def _asked(
        self,
        request: Request,
        patient: Patient | None,
        sender: str,
        sent_at: datetime | None,
        at: datetime,
    ) -> Asked:
        order = request.order
        stated_at = request.stated_at or sent_at
        due_at = self._zoned(order.due_at) if order.due_at else at
        return Asked(
            request=request,
            key=order.placer if "^" in order.placer else f"{order.placer} of {sender}",
            patient_id=patient.id if patient else None,
            said=_said(sender, stated_at),
            stated_at=stated_at and self._zoned(stated_at),
            due_at=max(due_at, at),
            at=at,
        )

    def _zoned(self, moment: datetime) -> datetime:
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def _reply(self, db: sqlite3.Connection, asked: Asked, patient: Patient | None) -> Reply:
        order = asked.request.order
        if not self._is_for_us(asked.request):
            return Reply(asked.request.control.unable, order, note=_NOT_FOR_US)
        before = orders.find(db, asked.key)
        reply = carry_out(db, asked)
        after = orders.find(db, asked.key)
        assert after is not None
        is_new = after.is_placed and not (before and before.is_placed)
        if is_new and not after.is_ended and order.encounter and patient and self.rooms_by_order:
            self._arrive_by_order(db, asked, replace(order.encounter, patient=patient, by_order=asked.key))
        return reply

    def _arrive_by_order(self, db: sqlite3.Connection, asked: Asked, encounter: Encounter) -> None:
        """Put the patient into the order's room, but against no word of an ADT message, nor belatedly."""
        in_the_way = [
            stored.encounter
            for stored in encounters.currently_open(db)
            if encounter.room == stored.encounter.room or encounter.patient.id == stored.encounter.patient.id
        ]
        is_there = any(
            (other.room, other.patient.id) == (encounter.room, encounter.patient.id) for other in in_the_way
        )
        if is_there or any(not other.by_order for other in in_the_way):
            return
        ended = encounters.last_ended(db, encounter.room, encounter.patient.id)
        is_late = asked.stated_at is not None and ended is not None and asked.stated_at <= ended
        if is_late or asked.due_at - asked.at > self.longest_encounter:
            return
        _arrive(db, encounter, asked.said, asked.at)


_NOT_FOR_US = "no device here carries out this service"


def _said(sender: str, moment: datetime | None) -> Said:
    if moment is None:
        return Said(sender, None)
    zoned = moment.tzinfo is not None
    utc = moment.astimezone(UTC) if zoned else moment
    return Said(f"{sender}|{'zoned' if zoned else 'local'}", f"{utc:%Y%m%d%H%M%S.%f}")


def _learn(db: sqlite3.Connection, person: Person, said: Said) -> Patient:
    """The patient as known now, in the room as well."""
    patient = patients.learn(db, person.patient, person.stated, said)
    encounters.correct(db, patient)
    return patient


def _arrive(db: sqlite3.Connection, encounter: Encounter, said: Said, at: datetime) -> None:
    patient_id = encounter.patient.id
    patient_came = movements.is_news(db, said, encounters.subject(patient_id))
    room_changed = movements.is_news(db, said, f"room {encounter.room}")
    if patient_came:
        encounters.close_of_patient(db, patient_id, at)
    if room_changed and patient_came:
        encounters.open_encounter(db, encounter)
    elif room_changed:
        # the patient has moved on since, and whoever was there before has left all the same
        encounters.close_room(db, encounter.room, at)


def _is_of_another(db: sqlite3.Connection, asked: Asked) -> bool:
    stored = orders.find(db, asked.key)
    known = {stored.patient_id, asked.patient_id} if stored else set()
    return len(known - {None}) > 1
