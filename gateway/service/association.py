"""Whose reading is it? A pure decision from the device's patient, its room's and the times."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model import Patient
from gateway.service.device_time import CLOCK_TOLERANCE
from gateway.store import associations
from gateway.store.encounters import StoredEncounter


@dataclass(frozen=True, slots=True)
class Association:
    """An encounter, or the reason why a person has to say."""

    encounter: StoredEncounter | None
    held: str | None


def associate(
    moment: datetime,
    received_at: datetime,
    *,
    room: str | None,
    encounter: StoredEncounter | None,
    rival: StoredEncounter | None = None,
    worn: Sequence[associations.Association] = (),
    worn_now: Sequence[associations.Association] = (),
    doubt: str | None = None,
    is_entered: Callable[[Patient], bool] | None = None,
    longest: timedelta,
) -> Association:
    """The encounter that the reading belongs to.

    Parameters
    ----------
    moment : datetime
        As :func:`gateway.service.device_time.moment_of` gives it.
    received_at : datetime
    room : str, optional
        Where the device stands.
    encounter : StoredEncounter, optional
        The one of that room that covers the moment.
    rival : StoredEncounter, optional
        The one of that room when the reading was received, where the moment is by a clock that nobody has
        read: a slow one makes what was measured now look like the patient's before.
    worn : sequence of Association
        Whom the device itself was on at that moment, or had been on: it goes before the room.
    worn_now : sequence of Association
        The same when the reading was received, where `rival` is asked for.
    doubt : str, optional
        As the reading states it.
    is_entered : callable, optional
        Whether the identifier that was typed or scanned at the device is the patient's; None where there was
        none. It speaks against a patient, and for none.
    longest : timedelta
        An encounter or association that has been open for longer is not trusted to be still so.
    """
    holding = [each for each in worn if each.ended_at is None]
    chosen = holding[0].encounter if holding else encounter
    if chosen is None and room is None:
        return Association(None, _NO_ROOM)
    if doubt is not None:
        return Association(None, doubt)
    if moment > received_at + CLOCK_TOLERANCE:
        return Association(None, "the device's clock is ahead of the gateway's")
    if chosen is None:
        return Association(None, f"{_NOBODY} {room} at that time")
    if held := next(_contradictions(chosen, room, encounter, worn), None):
        return Association(None, held)
    if is_entered is not None and not is_entered(chosen.encounter.patient):
        return Association(None, "the identifier that was entered at the device is not this patient's")
    if _is_another(chosen, (rival,)):
        return Association(None, f"the device's clock was not read, and {room} has another patient now")
    if _is_another(chosen, (each.encounter for each in worn_now if each.ended_at is None)):
        return Association(None, "the device's clock was not read, and it is on another patient now")
    if encounter is not None and _is_trusted(encounter, moment, longest):
        return Association(encounter, None)
    if holding:
        is_recent = moment - holding[0].began_at <= longest
        return (
            Association(chosen, None)
            if is_recent
            else Association(None, "the device has been on its patient for very long")
        )
    return Association(None, f"the encounter in {room} has been open for very long")


def is_of_nobody(held: str) -> bool:
    """Whether that reason says no more than that there was no patient: nothing speaks for another one."""
    return held.startswith((_NO_ROOM, _NOBODY))


_NO_ROOM = "the device is bound to no room"
_NOBODY = "no patient was in"


def _contradictions(
    chosen: StoredEncounter,
    room: str | None,
    encounter: StoredEncounter | None,
    worn: Sequence[associations.Association],
) -> Iterator[str]:
    """What speaks against that patient."""
    holding = [each for each in worn if each.ended_at is None]
    if _is_another(chosen, (each.encounter for each in holding)):
        yield "the device was put on two patients at the same moment"
    if _is_another(chosen, (encounter,)):
        yield f"the device was on another patient than the one in {room}"
    opened_at = chosen.encounter.opened_at
    if not holding and any(
        each.ended_at and opened_at <= each.ended_at and not _is_another(chosen, (each.encounter,))
        for each in worn
    ):
        yield f"the device had been taken off the patient in {room}"


def _is_trusted(stored: StoredEncounter, moment: datetime, longest: timedelta) -> bool:
    return stored.encounter.closed_at is not None or moment - stored.encounter.opened_at <= longest


def _is_another(chosen: StoredEncounter, others: Iterable[StoredEncounter | None]) -> bool:
    patient_id = chosen.encounter.patient.id
    return any(other is not None and other.encounter.patient.id != patient_id for other in others)
