"""Contec ECG90A: a header of 43 bytes, rows of eight 16-bit counts, a footer of 37 bytes.

====  ===========================================================================
0     number, seven digits and three NULs
10    ``YYYY-MM-DD hh:mm:ss`` and three NULs
32    name, 8 bytes
40    sex: 0 female, 1 male, 255 not given; age; weight in kg
43    rows of II, III, V1-V6; 2048 is zero, 0x6800 an electrode that is off
====  ===========================================================================

The rate (800 Hz) and the scale (5 uV a count) are not in the file: they are those of the one program that
reads it, and the recording says so. Evidence: one implementation, and two files.
"""

import re
from datetime import datetime

import numpy as np

from gateway.formats.measures import moment_of, present
from gateway.formats.view import View
from gateway.model.ekg import EkgRecording

FORMAT = "Contec ECG90A"
_HEADER, _FOOTER = 43, 37
_LEADS = ("II", "III", "V1", "V2", "V3", "V4", "V5", "V6")
_ZERO, _OFF = 2048, 0x6800
_RATE_HZ, _MV_A_COUNT = 800.0, 0.005
_SEX = {0: "female", 1: "male"}
_START = re.compile(rb"\d{7}\0{3}(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\0{3}")


def matches(data: bytes) -> bool:
    """True where the bytes begin as an ECG90A's file does and are whole rows."""
    return bool(_START.match(data)) and (len(data) - _HEADER - _FOOTER) % 16 == 0


def read(data: bytes) -> EkgRecording:
    """The recording in one ECG90A file.

    Raises
    ------
    FormatError
    """
    view = View(data, FORMAT, "header")
    rows = view.part(_HEADER, len(view) - _HEADER - _FOOTER, "samples")
    if not len(rows):
        raise rows.error("no samples")
    counts = np.frombuffer(rows.data, "<u2").reshape(-1, len(_LEADS)).T
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=_LEADS,
        samples_mv=np.where(counts == _OFF, np.nan, (counts.astype(np.int64) - _ZERO) * _MV_A_COUNT),
        sample_rate_hz=_RATE_HZ,
        started_at=_started(data),
        patient_fields=_patient(view),
        warnings=(
            "the file states no rate and no scale; 800 Hz and 5 uV a count were taken, as a converter does",
        ),
    )


def _started(data: bytes) -> datetime | None:
    match = _START.match(data)
    return moment_of(*map(int, match.groups())) if match else None


def _patient(view: View) -> dict[str, str]:
    gender, age, kg = view.unpack("3B", 40)
    return present(
        {
            "name": view.text(32, 8),
            "sex": _SEX.get(gender),
            "age": f"{age} a" if 0 < age < 255 else None,
            "weight": f"{kg} kg" if 0 < kg < 255 else None,
        }
    )
