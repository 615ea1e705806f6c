"""Whose reading is it? A pure decision from the device's room, the encounters there and the times."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.service.device_time import CLOCK_TOLERANCE
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
    doubt: str | None = None,
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
    doubt : str, optional
        As the reading states it.
    longest : timedelta
        An encounter that has been open for longer is not trusted to be still so.
    """
    if room is None:
        return Association(None, "the device is bound to no room")
    if doubt is not None:
        return Association(None, doubt)
    if moment > received_at + CLOCK_TOLERANCE:
        return Association(None, "the device's clock is ahead of the gateway's")
    if encounter is None:
        return Association(None, f"no patient was in {room} at that time")
    if rival is not None and _patient(rival) != _patient(encounter):
        return Association(None, f"the device's clock was not read, and {room} has another patient now")
    if encounter.encounter.closed_at is None and moment - encounter.encounter.opened_at > longest:
        return Association(None, f"the encounter in {room} has been open for very long")
    return Association(encounter, None)


def _patient(stored: StoredEncounter) -> str:
    return stored.encounter.patient.id
