"""Lepu and Viatom single-lead recorders: ``.dat`` of the ER1 and ER2, and the standard single-lead text.

The binary file has a header of 10 bytes (version, time), one channel at 125 Hz coded a byte a sample with
escapes, and a footer of 20 bytes that ends in A55A0438. Its scale is that of the maker's reader. The text is
one line: filter, rate, lead, counts a mV, values. Source: the maker's code and page.
"""

import re

import numpy as np

from gateway.formats.leads import lead_name
from gateway.formats.markup import head_text
from gateway.formats.measures import moment_of
from gateway.formats.scale import number
from gateway.formats.view import View
from gateway.model.ekg import EkgRecording

DAT, TEXT = "Lepu ER1", "Lepu text"
_MAGIC = bytes.fromhex("38045aa5")
_HEADER, _FOOTER, _RATE_HZ = 10, 20, 125.0
_MV_A_COUNT = 1.0035 * 1800 / (4096 * 178.74)
_NO_CONTACT = 32767
_ABSOLUTE, _UP, _DOWN = 0x80, 0x7F, 0x81
_LINE = re.compile(r"\s*(?:F-[\d-]+,)?(\d{2,4}),([A-Za-z]\w{0,5}),(\d+(?:\.\d+)?),(-?\d++(?:,-?\d++)*+),?\s*")


def matches_dat(data: bytes) -> bool:
    return data[:1] == b"\x01" and data[-4:] == _MAGIC and len(data) > _HEADER + _FOOTER


def matches_text(data: bytes) -> bool:
    return bool(
        re.match(r"\s*(?:F-[\d-]+,)?\d{2,4},[A-Za-z]\w{0,5},\d+(?:\.\d+)?,-?\d+,", head_text(data, 200))
    )


def read(data: bytes) -> EkgRecording:
    """The recording in a binary or a text file.

    Raises
    ------
    FormatError
    """
    return _read_dat(data) if matches_dat(data) else _read_text(data)


def _read_dat(data: bytes) -> EkgRecording:
    view = View(data, DAT, "samples")
    seconds = view.u32(len(data) - _FOOTER)
    counts = _decoded(view.part(_HEADER, len(data) - _HEADER - _FOOTER))
    warnings = []
    if counts.size != round(seconds * _RATE_HZ):
        warnings.append(f"{counts.size} samples, the footer says {seconds} s")
    samples_mv = np.where(counts == _NO_CONTACT, np.nan, counts * _MV_A_COUNT)[None, :]
    return EkgRecording(
        format=DAT,
        format_version=str(data[0]),
        leads=("lead 1",),
        samples_mv=samples_mv,
        sample_rate_hz=_RATE_HZ,
        started_at=moment_of(*view.unpack("HBBBBB", 1)),
        warnings=tuple(warnings),
    )


def _decoded(view: View) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    out: list[int] = []
    last, at, data, end = 0, 0, view.data, len(view)
    while at < end:
        code = data[at]
        if code == _ABSOLUTE:
            last, at = view.i16(at + 1), at + 3
        elif code in {_UP, _DOWN}:
            step = 127 + view.u8(at + 1)
            last, at = last + (step if code == _UP else -step), at + 2
        else:
            last, at = last + (code - 256 if code > 127 else code), at + 1
        out.append(last)
    if not out:
        raise view.error("no samples")
    return np.array(out, np.int64)


def _read_text(data: bytes) -> EkgRecording:
    view = View(data, TEXT, "line 1")
    match = _LINE.fullmatch(data.decode("latin-1"))
    if match is None:
        raise view.error("a value that is no whole number")
    rate, lead, counts_a_mv, values = match.groups()
    scale = number(counts_a_mv)
    if not int(rate) or not scale:
        raise view.error("a rate or a scale of 0")
    counts = np.array(list(map(float, values.split(","))))
    return EkgRecording(
        format=TEXT,
        format_version="",
        leads=(lead_name(lead),),
        samples_mv=(counts / float(scale))[None, :],
        sample_rate_hz=float(rate),
    )
