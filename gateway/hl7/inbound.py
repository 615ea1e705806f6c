"""What a message that comes in means: who arrived, who left, whose particulars changed, what was
ordered, which device is on whom.

Events of ADT: HL7 v2.5.1 chapter 3. A message that means nothing here is refused by name, never dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from gateway.hl7 import associations, orders
from gateway.hl7.acknowledgement import Refusal
from gateway.hl7.associations import Associated
from gateway.hl7.demographics import Person, identifiers, person, person_of, visit_of
from gateway.hl7.message import Message
from gateway.hl7.orders import Ordered
from gateway.model import Encounter


@dataclass(frozen=True, slots=True)
class Arrived:
    """A patient is in a room from now on, and in no other."""

    person: Person
    encounter: Encounter


@dataclass(frozen=True, slots=True)
class Left:
    """A patient's visit has ended, or never was."""

    person: Person


@dataclass(frozen=True, slots=True)
class Updated:
    """A patient's particulars, wherever the patient is."""

    person: Person


@dataclass(frozen=True, slots=True)
class Merged:
    """Identifiers that were given up, each list for the patient who has what was filed under them.

    Parameters
    ----------
    pairs : tuple of (Person, tuple of str)
        The surviving patient, and the retired identifiers as :attr:`Identifier.text` writes them.
    """

    pairs: tuple[tuple[Person, tuple[str, ...]], ...]


InboundEvent: TypeAlias = Arrived | Left | Updated | Merged | Ordered | Associated


def meaning(message: Message, at: datetime) -> InboundEvent | Refusal:
    """What the message says happened, received `at`."""
    triggers = _TYPES.get(message.type)
    if triggers is None:
        known = ", ".join(_TYPES)
        return Refusal(200, f"{message.type or 'no type'} is not taken here; {known} are", "MSH", 9)
    if message.version and not message.version.startswith("2."):
        return Refusal(203, "only version 2 is taken here", "MSH", 12)
    read = triggers.get(message.trigger)
    if read is None:
        known = ", ".join(triggers)
        return Refusal(201, f"event {message.trigger or '(none)'} is not taken here; {known} are", "MSH", 9)
    return read(message, at)


_Reader: TypeAlias = Callable[[Message, datetime], InboundEvent | Refusal]


def _of_a_person(read: Callable[[Message, Person, datetime], InboundEvent | Refusal]) -> _Reader:
    def of_message(message: Message, at: datetime) -> InboundEvent | Refusal:
        found = person_of(message)
        return found if isinstance(found, Refusal) else read(message, found, at)

    return of_message


def _arrived(message: Message, who: Person, at: datetime) -> Arrived | Refusal:
    visit = visit_of(message, who.patient, at)
    return Refusal(101, "the room is missing", "PV1", 3) if visit is None else Arrived(who, visit)


def _left(_message: Message, who: Person, _at: datetime) -> Left:
    return Left(who)


def _updated(_message: Message, who: Person, _at: datetime) -> Updated:
    return Updated(who)


def _merged(message: Message, _first: Person, _at: datetime) -> Merged | Refusal:
    """Each PID with the MRG that follows it; one without the other is no merge."""
    pairs: list[tuple[Person, tuple[str, ...]]] = []
    waiting: Person | None = None
    for segment in message.segments:
        if segment.name == "PID":
            who = person(segment)
            if isinstance(who, Refusal):
                return who
            if waiting is not None:
                break
            waiting = who
        elif segment.name == "MRG" and waiting is not None:
            retired = tuple(identifier.text for identifier in identifiers(segment, 1))
            if not retired:
                return Refusal(101, "the identifier that was given up is missing", "MRG", 1)
            pairs.append((waiting, retired))
            waiting = None
    return Refusal(100, "MRG is missing", "MRG") if waiting is not None else Merged(tuple(pairs))


_ADT: Mapping[str, _Reader] = MappingProxyType(
    {
        event: _of_a_person(read)
        for read, events in (
            (_arrived, "A01 A02 A04 A06 A07 A10 A12 A13"),
            (_left, "A03 A11"),
            (_updated, "A05 A08 A28 A31"),
            (_merged, "A18 A30 A34 A39 A40 A47"),
        )
        for event in events.split()
    }
)
_TYPES: Mapping[str, Mapping[str, _Reader]] = MappingProxyType(
    {
        "ADT": _ADT,
        "ORM": {"O01": orders.ordered},
        "OMG": {"O19": orders.ordered},
        "ORU": {"R01": associations.associated},
    }
)
