"""From a recording to numbers: what the signal core measured joins what the machine itself reported."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from gateway.model import EkgRecording, Observation, Reading

_INTERVALS = {
    "p": "p-duration",
    "pr": "pr-interval",
    "qrs": "qrs-duration",
    "qt": "qt-interval",
    "qtc_bazett": "qtc-bazett",
    "qtc_fridericia": "qtc-fridericia",
    "qtc_framingham": "qtc-framingham",
    "qtc_hodges": "qtc-hodges",
}
_AXES = {"p": "p-axis", "qrs": "qrs-axis", "t": "t-axis"}


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
    if found.heart_rate_bpm is not None:
        yield Observation("heart-rate", _whole(found.heart_rate_bpm), "/min")
    yield from _named(found.intervals_ms, _INTERVALS, "ms")
    yield from _named(found.axes_deg, _AXES, "deg")


def _named(values: Mapping[str, float | None], names: Mapping[str, str], unit: str) -> Iterator[Observation]:
    for key, name in names.items():
        value = values.get(key)
        if value is not None:
            yield Observation(name, _whole(value), unit)


def _whole(value: float) -> Decimal:
    """A whole number: no EKG measure is known to a fraction of a millisecond, beat or degree."""
    return Decimal(round(value))
