"""What a reading's time is worth: when it was by the gateway's clock, and what is to be said of it."""

from datetime import datetime, timedelta

from gateway.drivers.clock import drift_text
from gateway.model import Reading

CLOCK_TOLERANCE = timedelta(minutes=2)


def moment_of(reading: Reading, received_at: datetime) -> datetime:
    """When it was measured by the gateway's clock: the device's time less the drift that was seen."""
    if reading.taken_at is None or reading.taken_at.tzinfo is None:
        return received_at
    try:
        return reading.taken_at - (reading.clock_drift or timedelta())
    except OverflowError:  # a stamp at the end of the calendar is nobody's, corrected or not
        return reading.taken_at


def by_unknown_clock(reading: Reading) -> bool:
    """Whether the time is a device's whose clock was not read."""
    return reading.time_source == "device" and reading.taken_at is not None and reading.clock_drift is None


def drift_noted(reading: Reading) -> Reading:
    """The reading, with a note where the clock that timed it was off by more than a small tolerance.

    Its time stays as the device stated it: who reads the result sees both.
    """
    drift = reading.clock_drift
    if drift is None or abs(drift) <= CLOCK_TOLERANCE:
        return reading
    return reading.noted(f"time as the device states it; its clock was {drift_text(drift)}")
