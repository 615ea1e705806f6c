"""CSV: one column a lead, in mV, named by the lead; a sample without signal is an empty field.

Nothing else has a place in it, the sample rate neither.
"""

import csv
import io

import numpy as np
from numpy.typing import NDArray

from gateway.formats.fitting import Fitted
from gateway.model.ekg import EkgRecording

FORMAT = "CSV"


def fit(recording: EkgRecording) -> Fitted:
    """Leads, and samples of twelve significant digits."""
    samples_mv = np.where(np.isfinite(recording.samples_mv), recording.samples_mv, np.nan)
    return Fitted(_signal(recording.leads, samples_mv))


def _signal(leads: tuple[str, ...], samples_mv: NDArray[np.float64]) -> EkgRecording:
    return EkgRecording(
        format=FORMAT, format_version="", leads=leads, samples_mv=samples_mv, sample_rate_hz=float("nan")
    )


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The leads as UTF-8 text, CRLF at line ends (RFC 4180)."""
    recording = fitted.recording
    rows = np.char.mod("%.12g", recording.samples_mv.T)
    body = "\r\n".join(",".join(row) for row in rows.tolist()).replace("nan", "")
    return {name: f"{','.join(map(_quoted, recording.leads))}\r\n{body}\r\n".encode()}


def _quoted(lead: str) -> str:
    return '"' + lead.replace('"', '""') + '"' if set(lead) & set(',"\r\n') else lead


def read_back(data: bytes) -> EkgRecording:
    """The columns of a file that `write` made."""
    leads, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    samples_mv = np.array([[float(field or "nan") for field in row or [""]] for row in rows]).T
    return _signal(tuple(leads), samples_mv)
