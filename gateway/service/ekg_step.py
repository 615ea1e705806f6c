"""From a recording to numbers: what the signal core measured joins what the machine itself reported."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from gateway.model import EkgRecording, Observation, Reading

# None that rests on a P wave: the delineator gives one to rhythms that have none, and a PR interval that was
# never there must not be filed. A machine's own P and PR leave as it reported them.
_MEASURES = (
    ("intervals_ms.qrs", "qrs-duration", "ms"),
    ("intervals_ms.qt", "qt-interval", "ms"),
    ("intervals_ms.qtc_bazett", "qtc-bazett", "ms"),
    ("intervals_ms.qtc_fridericia", "qtc-fridericia", "ms"),
    ("intervals_ms.qtc_framingham", "qtc-framingham", "ms"),
    ("intervals_ms.qtc_hodges", "qtc-hodges", "ms"),
    ("axes_deg.qrs", "qrs-axis", "deg"),
    ("axes_deg.t", "t-axis", "deg"),
)


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
    from gateway.signal import measure_ekg  # noqa: PLC0415 - SciPy loads when the first EKG arrives

    found = measure_ekg(recording.samples_mv, recording.sample_rate_hz, recording.leads)
    values = [("heart-rate", "/min", found.heart_rate_bpm)]
    values += [(name, unit, attrgetter(place)(found)) for place, name, unit in _MEASURES]
    for name, unit, value in values:
        if value is not None:
            yield Observation(name, _whole(value), unit)


def _whole(value: float) -> Decimal:
    """A whole number: no EKG measure is known to a fraction of a millisecond, beat or degree."""
    return Decimal(round(value))
