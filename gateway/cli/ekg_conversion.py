"""A recording written as another file, which is read back before it takes its name."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gateway.errors import FormatError, GatewayError
from gateway.formats import read_ekg, write_ekg
from gateway.model import EkgRecording

_PICOVOLT_MV = 1e-9
_SAMPLES_ONLY = {".csv"}  # not read back: such a file states neither its rate nor whose it is

_PARTS: tuple[tuple[str, Callable[[EkgRecording], Any]], ...] = (
    ("start time", lambda r: r.started_at),
    ("device", lambda r: tuple(filter(None, (r.device.vendor, r.device.model, r.device.serial)))),
    ("filters", lambda r: dict(r.filters)),
    ("measurements", lambda r: dict(r.device_measurements)),
    ("statements", lambda r: r.statements),
    ("groups", lambda r: tuple((g.label, g.leads, g.samples_mv.shape[-1]) for g in r.groups)),
)


def write_proven(recording: EkgRecording, out: Path) -> tuple[str, ...]:
    """Write `out` in the format of its suffix; a file of that name stays as it was if anything fails.

    Returns
    -------
    tuple of str
        What the file does not keep, see `losses`.

    Raises
    ------
    FormatError
        No writer for that suffix, the format cannot hold the recording, or it does not read back the same.
    GatewayError
        The file cannot be written.
    """
    unproven = out.with_name(f".{out.stem}.part{out.suffix}")
    try:
        write_ekg(recording, unproven)
        kept = None if out.suffix.lower() in _SAMPLES_ONLY else read_ekg(unproven)
        lost = losses(recording, kept)
        unproven.replace(out)
    except OSError as error:
        raise GatewayError(f"{out}: {error.strerror}; choose another place") from error
    finally:
        unproven.unlink(missing_ok=True)
    return lost


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
