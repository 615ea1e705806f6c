"""What of a recording a file does not give back, part by part, in words that name no patient."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name
from gateway.formats.resolution import resolution_mv
from gateway.model.ekg import EkgGroup, EkgRecording

_SAME_RATE = 1e-6  # a recorder's own crystal is ten times worse
_PICOVOLT_MV = 1e-9
_TWELVE_DIGITS = 1e-12


@dataclass(frozen=True, slots=True)
class Loss:
    """One part of a recording that a format does not hold as it is.

    Parameters
    ----------
    part : str
        ``samples``, ``sample rate``, ``patient birth_date``, ...
    detail : str
        What becomes of it; never a patient's value.
    alters_signal : bool
        The samples, their time or the leads' names become others; not only what is said about them.
    """

    part: str
    detail: str
    alters_signal: bool = False

    def __str__(self) -> str:
        return f"{self.part}: {self.detail}"


def differences(source: EkgRecording, kept: EkgRecording) -> tuple[Loss, ...]:
    """What `kept` does not have of `source`, or has otherwise.

    Parameters
    ----------
    source : EkgRecording
    kept : EkgRecording
        The same recording as a format can hold it. A sample rate of NaN is one that is not held.

    Returns
    -------
    tuple of Loss
        Of the signal first. Samples are the same where they are nearer than half of the source's least step.
    """
    return (
        *_signal(_rhythm(source), _rhythm(kept)),
        *_start(source, kept),
        *_fields("device", _device(source), _device(kept)),
        *_fields("filter", source.filters, kept.filters),
        *_fields("patient", source.patient_fields, kept.patient_fields),
        *_fields("measurement", source.device_measurements, kept.device_measurements),
        *_statements(source, kept),
        *_groups(source, kept),
    )


def _rhythm(recording: EkgRecording) -> EkgGroup:
    return EkgGroup("", recording.leads, recording.samples_mv, recording.sample_rate_hz)


def _signal(source: EkgGroup, kept: EkgGroup) -> Iterator[Loss]:
    """Differences of leads, samples and rate; of a group, under its label."""
    prefix = f"group {source.label} " if source.label else ""
    for lead, other in zip(source.leads, kept.leads, strict=True):
        if lead != other:
            another = lead_name(lead) != lead_name(other)
            yield Loss(f"{prefix}lead name", f"{lead} becomes {other}", alters_signal=another)
    if math.isnan(kept.sample_rate_hz):
        if not math.isnan(source.sample_rate_hz):
            yield Loss(f"{prefix}sample rate", "not held")
    elif not math.isclose(source.sample_rate_hz, kept.sample_rate_hz, rel_tol=_SAME_RATE):
        rates = f"{source.sample_rate_hz:.9g} Hz becomes {kept.sample_rate_hz:.9g} Hz"
        yield Loss(f"{prefix}sample rate", rates, alters_signal=True)
    yield from _samples(f"{prefix}samples", source, kept)


def _samples(part: str, source: EkgGroup, kept: EkgGroup) -> Iterator[Loss]:
    had, has = source.samples_mv.shape[1], kept.samples_mv.shape[1]
    if had != has:
        yield Loss(part, f"{had} a lead become {has}", alters_signal=True)
    same = min(had, has)
    worst_mv, gaps = 0.0, 0
    for before, after in zip(source.samples_mv[:, :same], kept.samples_mv[:, :same], strict=True):
        missing = ~np.isfinite(before)
        gaps += int((missing != ~np.isfinite(after)).sum())
        off_mv = _off_mv(before[~missing], after[~missing])
        if off_mv > max(_PICOVOLT_MV, resolution_mv(before) / 2 - _PICOVOLT_MV):
            worst_mv = max(worst_mv, off_mv)
    if gaps:
        yield Loss(part, f"{gaps} without signal become 0 mV", alters_signal=True)
    if worst_mv:
        yield Loss(part, f"rounded, by up to {worst_mv * 1000:.3g} uV", alters_signal=True)


def _off_mv(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """The largest difference beyond what twelve digits of a number leave."""
    return float((np.abs(before - after) - np.abs(before) * _TWELVE_DIGITS).max(initial=0.0))


def _start(source: EkgRecording, kept: EkgRecording) -> Iterator[Loss]:
    before, after = source.started_at, kept.started_at
    if before is None or before == after:
        return
    if after is None:
        yield Loss("start time", "not held")
        return
    if before.tzinfo != after.tzinfo and before.utcoffset() != after.utcoffset():
        yield Loss("start time", "held without its zone")
    if before.replace(tzinfo=None) != after.replace(tzinfo=None):
        off = before.replace(tzinfo=None) - after.replace(tzinfo=None)
        yield Loss("start time", f"held {off.total_seconds():g} s too early")


def _device(recording: EkgRecording) -> dict[str, str]:
    device = recording.device
    named = {"vendor": device.vendor, "model": device.model, "serial": device.serial, "id": device.id}
    return {name: text for name, text in named.items() if text}


def _fields(kind: str, source: Mapping[str, object], kept: Mapping[str, object]) -> Iterator[Loss]:
    for name, value in source.items():
        if kept.get(name) != value:
            yield Loss(f"{kind} {name}", _elsewhere(name, value, kept))


def _elsewhere(name: str, value: object, kept: Mapping[str, object]) -> str:
    """A family name may be kept as a part of a whole name, or the other way round."""
    if name in kept:
        return "held otherwise"
    found = next((other for other, text in kept.items() if "name" in other and str(value) in str(text)), None)
    return f"held as {found}" if found and "name" in name else "not held"


def _statements(source: EkgRecording, kept: EkgRecording) -> Iterator[Loss]:
    lost = sum(statement not in kept.statements for statement in source.statements)
    if lost:
        yield Loss("statements", f"{lost} of {len(source.statements)} not held")
    elif source.statements != kept.statements:
        yield Loss("statements", "each held once")


def _groups(source: EkgRecording, kept: EkgRecording) -> Iterator[Loss]:
    """Groups are matched by their place, for a label may be there twice."""
    if len(kept.groups) < len(source.groups):
        labels = [group.label for group in source.groups[len(kept.groups) :]]
        yield from (Loss(f"group {label}", "not held") for label in labels)
    for before, after in zip(source.groups, kept.groups, strict=False):
        if before.label != after.label:
            yield Loss(f"group {before.label}", "held under another name")
        yield from _signal(before, after)
