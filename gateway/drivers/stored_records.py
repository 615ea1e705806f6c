"""Records of a device's memory: which is which, and whose one may be of which nobody knows the time."""

from dataclasses import replace
from datetime import datetime

from gateway.model import UNKNOWN_TIME, Reading


def held(reading: Reading) -> Reading:
    """The reading, waiting for a person: it may be of a patient who has left the room."""
    return replace(reading, doubt=UNKNOWN_TIME)


def from_memory(reading: Reading, at: datetime) -> Reading:
    """A record at the time that its device states; one that states none at that of its arrival, and held."""
    return held(reading).taken(at, by="gateway") if reading.taken_at is None else reading


def in_slot(reading: Reading, user: int | None) -> Reading:
    """The reading, of the slot of the device that it states, if any."""
    return reading if user is None else replace(reading, slot=str(user))
