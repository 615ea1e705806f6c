"""Bodykom's CSZB files of SR Cardio Explorer: a zip with a header ``X.0`` and one file a channel, ``X.1`` ...

A channel has a header of 512 bytes, then 16-bit little-endian counts. Positions are those of a real file,
which contradicts the maker's page; 3200 counts a mV are the page's, and zero is 0 or 16000, whichever is
nearer.
"""

import re
import zlib
from datetime import datetime
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.leads import stacked
from gateway.formats.measures import date_of, moment_of, present
from gateway.formats.view import View
from gateway.model.ekg import EkgRecording

FORMAT = "Bodykom CSZB"
_TAG = b"CSZB"
_HEADER = 512
_COUNTS_A_MV = 3200
_ZEROS = (0, 16000)
_SMALL = 4_000_000
_PART = re.compile(r"(?:.*/)?[^/]*\.([0-9])")
_SEX = {"1": "female", "2": "male"}


def matches(data: bytes) -> bool:
    """True for a zip archive that names a part ``.0`` and a part ``.1``."""
    return data[:4] == b"PK\x03\x04" and b".0PK" in data and b".1PK" in data


def read(data: bytes) -> EkgRecording:
    """The recording in one archive.

    Raises
    ------
    FormatError
    """
    parts = _parts(data)
    if 0 not in parts or len(parts) < 2:
        raise FormatError(FORMAT, "archive", "no header, or no channel")
    header = parts.pop(0)
    rate = header.text(168, 5)
    if not rate.isdecimal() or not int(rate):
        raise header.error("no rate", 168)
    rows, zeros = zip(*(_channel(parts[n]) for n in sorted(parts)), strict=True)
    samples_mv, notes = stacked(rows, FORMAT)
    zero = "" if len(set(zeros)) > 1 else f"; zero is {zeros[0]}"
    return EkgRecording(
        format=FORMAT,
        format_version=header.text(5, 4),
        leads=tuple(f"channel {n}" for n in sorted(parts)),
        samples_mv=samples_mv,
        sample_rate_hz=float(rate),
        started_at=_started(header),
        patient_fields=_patient(header),
        warnings=(*notes, f"the scale of 3200 counts a mV is not in the file but on its maker's page{zero}"),
    )


def _parts(data: bytes) -> dict[int, View]:
    try:
        with ZipFile(BytesIO(data)) as archive:
            wanted = {
                match[1]: entry for entry in archive.infolist() if (match := _PART.fullmatch(entry.filename))
            }
            size = sum(entry.file_size for entry in wanted.values())
            if size > max(_SMALL, 8 * len(data)):
                raise FormatError(FORMAT, "archive", f"{len(data)} bytes claim {size}")
            read = {int(n): archive.read(entry) for n, entry in wanted.items()}
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        raise FormatError(FORMAT, "archive", "does not hold") from None
    parts = {n: View(content, FORMAT, f"part .{n}") for n, content in read.items()}
    for part in parts.values():
        if part.data[:4] != _TAG:
            raise part.error("does not begin with CSZB")
    return parts


def _channel(part: View) -> tuple[NDArray[np.float64], int]:
    body = part.part(_HEADER, max(len(part) - _HEADER, 0)) if len(part) > _HEADER else part.part(0, 0)
    counts = np.frombuffer(body.data, "<i2", len(body) // 2).astype(np.float64)
    if not counts.size:
        raise part.error("no samples", _HEADER)
    middle = float(np.median(counts))
    zero = min(_ZEROS, key=lambda candidate: abs(middle - candidate))
    return (counts - zero) / _COUNTS_A_MV, zero


def _integers(header: View, *fields: tuple[int, int]) -> tuple[int, ...]:
    texts = [header.text(at, length) for at, length in fields]
    return tuple(map(int, texts)) if all(text.isdecimal() for text in texts) else ()


def _started(header: View) -> datetime | None:
    numbers = _integers(header, (120, 5), (125, 3), (128, 3), (131, 3), (134, 3), (137, 3))
    return moment_of(*numbers) if numbers else None


def _patient(header: View) -> dict[str, str]:
    born = _integers(header, (94, 5), (99, 3), (102, 3))
    return present(
        {
            "id": header.text(105, 15),
            "family_name": header.text(10, 41),
            "given_name": header.text(51, 41),
            "sex": _SEX.get(header.text(92, 2)),
            "birth_date": date_of(*born) if born else None,
        }
    )
