"""WFDB: the writer. A header, and one file of interleaved samples in the least of 16, 24 and 32 bits.

Each signal has its own gain, so that its counts are the recorder's; the lowest count of the format stands for
a sample without signal. Source: header(5) and signal(5) of the WFDB manual.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.fitting import Fitted, Held, as_read, held_fields, held_start, on_own_steps
from gateway.formats.leads import lead_name
from gateway.formats.resolution import counts_of
from gateway.formats.wfdb_header import FORMAT
from gateway.model.ekg import EkgRecording

_WIDTHS = (2, 3, 4)  # bytes of a sample; eight times that is the number of the format
_MOST_COUNTS = (1 << 31) - 1
_NAME = re.compile(r"[\w-]+", re.ASCII)
_YEARS = re.compile(r"(\d{1,3}) a")
_PATIENT: dict[str, Held] = {
    "age": lambda text: text if _YEARS.fullmatch(text) else None,
    "sex": lambda text: text if text in {"male", "female"} else None,
}


def fit(recording: EkgRecording) -> Fitted:
    """The recording with what a WFDB record holds of it."""
    recording = as_read(recording)
    held = EkgRecording(
        format=FORMAT,
        format_version="",
        leads=tuple(lead_name(lead or f"signal {n}") for n, lead in enumerate(recording.leads, 1)),
        samples_mv=recording.samples_mv,
        sample_rate_hz=recording.sample_rate_hz,
        started_at=held_start(recording.started_at, zone=False),
        patient_fields=held_fields(recording.patient_fields, _PATIENT),
    )
    return on_own_steps(held, _MOST_COUNTS, gaps=True)


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The header and the signal file of a record that is called as the file without its suffix.

    Raises
    ------
    FormatError
        A record cannot be called so.
    """
    record = PurePath(name).stem
    if _NAME.fullmatch(record) is None:
        raise FormatError(FORMAT, "record name", "has other characters than letters, digits, - and _")
    counts = np.stack(
        [counts_of(row, step) for row, step in zip(fitted.recording.samples_mv, fitted.steps_mv, strict=True)]
    )
    width = next(width for width in _WIDTHS if np.abs(counts).max() < 1 << (8 * width - 1))
    counts[~np.isfinite(fitted.recording.samples_mv)] = -(1 << (8 * width - 1))
    octets = np.ascontiguousarray(counts.T).astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    header = "\n".join(_lines(record, fitted, counts, 8 * width))
    return {f"{record}.hea": f"{header}\n".encode(), f"{record}.dat": octets.tobytes()}


def _lines(record: str, fitted: Fitted, counts: NDArray[np.int64], bits: int) -> Iterator[str]:
    recording = fitted.recording
    leads, samples = counts.shape
    rate = f"{Decimal(repr(recording.sample_rate_hz)):f}"
    start = "" if recording.started_at is None else f" {_stamp(recording.started_at)}"
    yield f"{record} {leads} {rate} {samples}{start}"
    for lead, step_mv, row in zip(recording.leads, fitted.steps_mv, counts, strict=True):
        checksum = (int(row.sum()) + 32768) % 65536 - 32768
        yield f"{record}.dat {bits} {1 / step_mv:.15g}(0)/mV {bits} 0 {row[0]} {checksum} 0 {lead}"
    if age := _YEARS.fullmatch(recording.patient_fields.get("age", "")):
        yield f"# age: {age[1]}"
    if "sex" in recording.patient_fields:
        yield f"# sex: {recording.patient_fields['sex']}"


def _stamp(started: datetime) -> str:
    fraction = f".{started.microsecond:06}" if started.microsecond else ""
    return f"{started:%H:%M:%S}{fraction} {started:%d/%m}/{started.year:04}"
