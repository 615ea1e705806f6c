"""What a recording loses on its way through a file: what went in against what reads back."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gateway.errors import FormatError
from gateway.model import EkgRecording

_PICOVOLT_MV = 1e-9

_PARTS: tuple[tuple[str, Callable[[EkgRecording], Any]], ...] = (
    ("start time", lambda r: r.started_at),
    ("device", lambda r: tuple(filter(None, (r.device.vendor, r.device.model, r.device.serial)))),
    ("filters", lambda r: dict(r.filters)),
    ("measurements", lambda r: dict(r.device_measurements)),
    ("statements", lambda r: r.statements),
    ("groups", lambda r: tuple((g.label, g.leads, g.samples_mv.shape[-1]) for g in r.groups)),
)


def losses(source: EkgRecording, kept: EkgRecording | None) -> tuple[str, ...]:
    """The parts of `source` that the file does not give back as they were.

    Parameters
    ----------
    source : EkgRecording
    kept : EkgRecording, optional
        What was read back from the file; None where its format holds samples and lead names only.

    Returns
    -------
    tuple of str
        Names of parts; patients' fields by their names.

    Raises
    ------
    FormatError
        The samples or the leads came back changed: the file must not be used.
    """
    if kept is not None and not _same_signal(source, kept):
        raise FormatError(kept.format, "samples", "read back differently from what was written")
    lost = [] if kept and math.isclose(source.sample_rate_hz, kept.sample_rate_hz) else ["sample rate"]
    lost += [name for name, part in _PARTS if part(source) and (not kept or part(source) != part(kept))]
    fields = kept.patient_fields if kept else {}
    missing = sorted(name for name, value in source.patient_fields.items() if fields.get(name) != value)
    return (*lost, *(f"patient {name}" for name in missing))


def _same_signal(one: EkgRecording, other: EkgRecording) -> bool:
    if sorted(one.leads) != sorted(other.leads) or one.samples_mv.shape != other.samples_mv.shape:
        return False
    rows = [other.leads.index(lead) for lead in one.leads]
    other_mv = other.samples_mv[rows]
    return np.allclose(one.samples_mv, other_mv, rtol=0, atol=_PICOVOLT_MV, equal_nan=True)
