"""Records of a device's memory: who they may belong to when nobody knows when they were measured."""

from dataclasses import replace
from datetime import datetime

from gateway.model import Reading

UNKNOWN_TIME = "a record of the past, of unknown time"


def held(reading: Reading) -> Reading:
    """The reading, waiting for a person: it may be of a patient who has left the room."""
    return replace(reading, doubt=UNKNOWN_TIME)


def from_memory(reading: Reading, at: datetime) -> Reading:
    """A record at the time that its device states; one that states none at that of its arrival, and held."""
    return held(reading).taken(at, by="gateway") if reading.taken_at is None else reading
