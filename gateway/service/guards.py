"""Is this number plausible for a living patient? A guard marks a reading and asks; it alters nothing."""

from gateway.model import Observation, Reading
from gateway.model.vocabulary import term


def guarded(reading: Reading) -> Reading:
    """The reading, marked questionable with a note for every value outside its physiological limits."""
    if reading.status != "final":
        return reading
    doubts = tuple(filter(None, (_doubt(reading, observation) for observation in reading.observations)))
    return reading.noted(*doubts, status="questionable") if doubts else reading


def _doubt(reading: Reading, observation: Observation) -> str | None:
    known = term(observation.name, kind=reading.kind, unit=observation.unit, site=observation.site)
    if known is None or observation.value is None:
        return None
    if known.plausible(observation.value, observation.unit):
        return None
    limits = known.limits[observation.unit or ""]
    span = f"{limits.low} to {limits.high} {observation.unit or ''}".rstrip()
    return f"{observation.name} is outside {span}; please confirm"
