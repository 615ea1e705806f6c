"""Whose reading is it? A pure decision from the device's room, the encounters there and the times."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model import Reading
from gateway.store.encounters import StoredEncounter

_CLOCK_TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Association:
    """An encounter, or the reason why a person has to say."""

    encounter: StoredEncounter | None
    held: str | None


def moment_of(reading: Reading, received_at: datetime) -> datetime:
    """When it was measured by the gateway's clock: the device's time less the drift that was seen."""
    if reading.taken_at is None or reading.taken_at.tzinfo is None:
        return received_at
    return reading.taken_at - (reading.clock_drift or timedelta())


def associate(
    moment: datetime,
    received_at: datetime,
    *,
    room: str | None,
    encounter: StoredEncounter | None,
    longest: timedelta,
) -> Association:
    """The encounter that the reading belongs to.

    Parameters
    ----------
    moment : datetime
        As :func:`moment_of` gives it.
    received_at : datetime
    room : str, optional
        Where the device stands.
    encounter : StoredEncounter, optional
        The one of that room that covers the moment.
    longest : timedelta
        An encounter that has been open for longer is not trusted to be still so.
    """
    if room is None:
        return Association(None, "the device is bound to no room")
    if moment > received_at + _CLOCK_TOLERANCE:
        return Association(None, "the device's clock is ahead of the gateway's")
    if encounter is None:
        return Association(None, f"no patient was in {room} at that time")
    if encounter.encounter.closed_at is None and moment - encounter.encounter.opened_at > longest:
        return Association(None, f"the encounter in {room} has been open for very long")
    return Association(encounter, None)
