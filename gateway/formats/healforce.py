"""Heal Force handhelds (Prince 180D): files that look like SCP-ECG and are not.

Sections as in SCP-ECG, but their positions count from 0, section 0 does not say SCPECG, the CRCs are others,
and dates are big-endian. Section 6: nV a count, Hz (not an interval), one byte count for all leads, then
packed samples, leads interleaved: of three 16-bit words each holds a sample, and bits 10-13 of the three
together a fourth. Source: one implementation, and a file of a machine.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from gateway.formats.measures import moment_of, present
from gateway.formats.scale import NV_MV, millivolts
from gateway.formats.view import View
from gateway.model.ekg import EkgRecording

FORMAT = "Heal Force"
_POINTERS, _HEADER = 22, 16
_RANGE_ZERO = 2


def matches(data: bytes) -> bool:
    """True where a first pointer without the word SCPECG says that section 0 begins at byte 6."""
    if len(data) < _POINTERS + 60 or data[8:10] != b"\0\0" or data[16:22] == b"SCPECG":
        return False
    number, length, index = struct.unpack_from("<HII", data, _POINTERS)
    return (number, index) == (0, 6) and 46 <= length <= 1024


def read(data: bytes) -> EkgRecording:
    """The recording in one Heal Force file.

    Raises
    ------
    FormatError
    """
    sections = _sections(View(data, FORMAT, "section 0"))
    for number in (3, 6):
        if number not in sections:
            raise View(data, FORMAT, f"section {number}").error("is missing")
    leads = sections[3].u8(0)
    signal = sections[6]
    nanovolts, rate, _, size = signal.unpack("HHHH", 0)
    if not 1 <= leads <= 12 or not nanovolts or not rate:
        raise signal.error(f"{leads} leads, {nanovolts} nV a count, {rate} Hz")
    counts = _unpacked(signal.part(8, size))
    if counts.size < leads:
        raise signal.error("no samples")
    samples = counts[: counts.size // leads * leads].reshape(-1, leads).T
    tags = _tags(sections[1]) if 1 in sections else {}
    date = (
        (*tags[25].unpack(">HBB", 0), *(tags[26].unpack("BBB", 0) if 26 in tags else ()))
        if 25 in tags
        else ()
    )
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=tuple(f"lead {n}" for n in range(1, leads + 1)),
        samples_mv=millivolts(samples, nanovolts * NV_MV),
        sample_rate_hz=float(rate),
        started_at=moment_of(*date) if date else None,
        patient_fields=present({"id": tags[2].text(0, len(tags[2]))} if 2 in tags else {}),
        warnings=("the file does not name its leads",),
    )


def _sections(file: View) -> dict[int, View]:
    _, length, _ = file.unpack("HII", _POINTERS)
    found = {}
    for at in range(_POINTERS + 10, 6 + length - 9, 10):
        number, size, index = file.unpack("HII", at)
        if size > _HEADER and index:
            found[number] = file.part(index, size, f"section {number}").part(_HEADER, size - _HEADER)
    return found


def _tags(view: View) -> dict[int, View]:
    tags, at = {}, 0
    while at + 3 <= len(view) and (tag := view.u8(at)) != 255:
        length = view.u16(at + 1)
        tags[tag] = view.part(at + 3, length)
        at += 3 + length
    return tags


def _unpacked(view: View) -> NDArray[np.int64]:
    words = np.frombuffer(view.data, "<u2", len(view) // 6 * 3).reshape(-1, 3).astype(np.int64)
    parts = words & 0x3C00
    fourth = parts[:, 0] >> 2 | parts[:, 1] >> 6 | parts[:, 2] >> 10
    packed = np.concatenate([words, fourth[:, None]], axis=1).ravel()
    return ((packed >> 8 & 3) - _RANGE_ZERO) * 256 + (packed & 0xFF)
