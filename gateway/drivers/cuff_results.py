"""What results of blood-pressure devices have in common: which values make one, and when it was."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from gateway.model import Observation, Reading, rejected

UNITS = {
    "systolic": "mm[Hg]",
    "diastolic": "mm[Hg]",
    "mean-arterial-pressure": "mm[Hg]",
    "pulse-rate": "/min",
}


def blood_pressure(values: Mapping[str, int]) -> Reading:
    """The reading of values in mmHg and 1/min, by the names of :data:`UNITS`; 0 is none.

    Without a systolic and a diastolic it is a failed measurement.
    """
    if not values["systolic"] or not values["diastolic"]:
        return rejected("blood-pressure", "no systolic or no diastolic")
    return Reading(
        kind="blood-pressure",
        observations=tuple(
            Observation(name, Decimal(values[name]), unit) for name, unit in UNITS.items() if values.get(name)
        ),
    )


def at_stated_time(
    reading: Reading, year: int, month: int, day: int, hour: int, minute: int, second: int = 0
) -> Reading:
    """The reading at the time that its device states without a zone; noted where that is no date."""
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - no zone is stated
    except ValueError:
        return reading.noted("the clock of the cuff shows no date and time")
    return reading.taken(moment, by="device")
