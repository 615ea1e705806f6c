"""From a recording to numbers: what the signal core measured joins what the machine itself reported."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from gateway.model import EkgRecording, Observation, Reading


def measured(reading: Reading) -> Reading:
    """The EKG reading with the gateway's own measures for all that the machine did not report.

    Takes tens of milliseconds of CPU for a ten-second record: not for the event loop.
    """
    if reading.ekg is None or reading.status == "rejected":
        return reading
    reported = {observation.name for observation in reading.observations}
    try:
        computed = tuple(o for o in _observations(reading.ekg) if o.name not in reported)
    except ValueError as error:
        return reading.noted(f"the waveform could not be measured: {error}")
    if not computed:
        return reading
    names = ", ".join(observation.name for observation in computed)
    return replace(reading, observations=reading.observations + computed).noted(
        f"computed by the gateway from the waveform: {names}"
    )


def _observations(recording: EkgRecording) -> Iterator[Observation]:
    from gateway.signal.measures import NAMED_MEASURES, measure_ekg  # noqa: PLC0415 - SciPy is slow to load

    found = measure_ekg(recording.samples_mv, recording.sample_rate_hz, recording.leads)
    for place, name, unit in NAMED_MEASURES:
        value = attrgetter(place)(found)
        if value is not None:
            yield Observation(name, _whole(value), unit)


def _whole(value: float) -> Decimal:
    """A whole number: no EKG measure is known to a fraction of a millisecond, beat or degree."""
    return Decimal(round(value))
