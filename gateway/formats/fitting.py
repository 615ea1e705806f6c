"""Parts of a recording as formats can hold them: what every `fit` is made of."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name
from gateway.formats.measures import date_of, device, measured, present, without_patient
from gateway.formats.resolution import on_steps, step_within
from gateway.model.ekg import DeviceMeasurement, EkgRecording
from gateway.model.reading import Device

Held = Callable[[str], str | None]  # a text as it comes back from a file; None where it has no place there
Steps = tuple[Decimal, ...]
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A recording as a format can hold it.

    Parameters
    ----------
    recording : EkgRecording
        What a reader of the format will give back. A sample rate of NaN is one that is not held.
    steps_mv : tuple of Decimal
        Millivolts of one count, a lead; empty where the format stores numbers, not counts.
    group_steps_mv : tuple of tuple of Decimal
        The same of each group.
    """

    recording: EkgRecording
    steps_mv: Steps = ()
    group_steps_mv: tuple[Steps, ...] = ()


def as_read(recording: EkgRecording) -> EkgRecording:
    """The recording with its texts as readers give them, whatever the format, and no warnings."""
    fields = present(recording.patient_fields)
    about = recording.device
    return replace(
        recording,
        leads=tuple(map(lead_name, recording.leads)),
        device=device(about.vendor, about.model, about.serial),
        patient_fields=fields,
        statements=without_patient(recording.statements, fields),
        warnings=(),
    )


def held_fields(fields: Mapping[str, str], held: Mapping[str, Held]) -> dict[str, str]:
    """The fields that come back as they are: one that would come back as another is left out."""
    return {name: value for name, value in fields.items() if name in held and held[name](value) == value}


def held_date(text: str) -> str | None:
    """An ISO date; None where the text is none."""
    match = _DATE.fullmatch(text)
    return date_of(*map(int, match.groups())) if match else None


def held_device(about: Device, held: Mapping[str, Held]) -> Device:
    """The device's texts that come back as they are."""
    texts = {"vendor": about.vendor, "model": about.model, "serial": about.serial}
    return Device(**held_fields({name: text for name, text in texts.items() if text}, held))


def held_measurements(
    recording: EkgRecording, held: Callable[[str, DeviceMeasurement], bool]
) -> dict[str, DeviceMeasurement]:
    """The measurements for which the format has a place, and which no reader takes for "not computed"."""
    return {
        name: one
        for name, one in recording.device_measurements.items()
        if held(name, one) and measured(name, one.value, one.unit) == {name: one}
    }


def held_start(
    started: datetime | None, *, zone: bool, resolution: timedelta = timedelta(microseconds=1)
) -> datetime | None:
    """The start cut to a resolution, with its zone where that is a whole number of minutes."""
    if started is None:
        return None
    microseconds = resolution // timedelta(microseconds=1)
    if microseconds >= 1_000_000:
        started = started.replace(microsecond=0)
    else:
        started = started.replace(microsecond=started.microsecond // microseconds * microseconds)
    offset = started.utcoffset()
    if zone and offset is not None and not offset % timedelta(minutes=1):
        return started
    return started.replace(tzinfo=None)


def on_own_steps(recording: EkgRecording, most_counts: int, *, gaps: bool) -> Fitted:
    """The recording with each lead, of its groups too, on steps of its own.

    Parameters
    ----------
    recording : EkgRecording
    most_counts : int
        The largest count that the format has, of either sign.
    gaps : bool
        True where the format has a code for a sample without signal.
    """
    steps = own_steps(recording.samples_mv, most_counts)
    group_steps = tuple(own_steps(group.samples_mv, most_counts) for group in recording.groups)
    return on_given_steps(recording, steps, group_steps, gaps=gaps)


def own_steps(samples_mv: NDArray[np.float64], most_counts: int) -> Steps:
    """`step_within` of each lead."""
    return tuple(step_within(row, most_counts) for row in samples_mv)


def on_given_steps(
    recording: EkgRecording, steps_mv: Steps, group_steps_mv: tuple[Steps, ...], *, gaps: bool
) -> Fitted:
    """The recording, and its groups, on these steps."""
    groups = tuple(
        replace(
            group,
            leads=tuple(map(lead_name, group.leads)),
            samples_mv=on_steps(group.samples_mv, steps, gaps=gaps),
        )
        for group, steps in zip(recording.groups, group_steps_mv, strict=True)
    )
    samples_mv = on_steps(recording.samples_mv, steps_mv, gaps=gaps)
    return Fitted(replace(recording, samples_mv=samples_mv, groups=groups), steps_mv, group_steps_mv)
