"""AliveCor ATC: ``ALIVE``, a version, then blocks of identifier, length, data and checksum, in any order.

====  =======================================================================
info  264 bytes: time with zone 32, recording 40, phone identifier 44, phone 32, software 32, hardware 32
fmt   format, rate Hz u16, resolution nV u16, flags
ecg   lead I; ecg2 ... ecg6 are II III aVR aVL aVF; avg, avg2 average beats: 16-bit samples
====  =======================================================================

A checksum is the sum of the block's bytes before it; two ways of summing are in real files, bytes unsigned
and bytes signed. Source: the maker's reader, and files of three versions.
"""

import re
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import stacked
from gateway.formats.measures import iso_time
from gateway.formats.scale import NV_MV, millivolts
from gateway.formats.view import View
from gateway.model.ekg import EkgGroup, EkgRecording

FORMAT = "AliveCor ATC"
SIGNATURE = b"ALIVE\0\0\0"
_LEADS = {"ecg ": "I", "ecg2": "II", "ecg3": "III", "ecg4": "aVR", "ecg5": "aVL", "ecg6": "aVF"}
_BEATS = {"avg ": "I", "avg2": "II", "avg3": "III", "avg4": "aVR", "avg5": "aVL", "avg6": "aVF"}
_INVERTED, _60_HZ, _MAINS_FILTER = 1, 2, 4
_FILTERS = ((8, "low-pass"), (16, "baseline"), (32, "notch"), (64, "enhanced"))
_ZONE = re.compile(r"([+-])(\d):?(\d\d)$")


def read(data: bytes) -> EkgRecording:
    """The recording in one ATC file.

    Raises
    ------
    FormatError
    """
    view = View(data, FORMAT, "header")
    warnings: list[str] = []
    blocks = _blocks(view, warnings)
    if "fmt " not in blocks:
        raise view.error("no fmt block, so no rate and no scale")
    _, rate, nanovolts, flags = blocks["fmt "].unpack("BHHB", 0)
    if not rate or not nanovolts:
        raise blocks["fmt "].error(f"{rate} Hz and {nanovolts} nV a count")
    scale = nanovolts * NV_MV
    leads, samples_mv, notes = _rows(blocks, _LEADS, scale)
    if samples_mv is None:
        raise view.error("no ecg block")
    beats, beats_mv, _ = _rows(blocks, _BEATS, scale)
    if flags & _INVERTED:
        notes = (*notes, "the file is marked as inverted; the samples were left as they are")
    return EkgRecording(
        format=FORMAT,
        format_version=str(view.u32(8)),
        leads=leads,
        samples_mv=samples_mv,
        sample_rate_hz=float(rate),
        started_at=_started(blocks.get("info")),
        filters=_filters(flags),
        groups=() if beats_mv is None else (EkgGroup("median", beats, beats_mv, float(rate)),),
        warnings=(*warnings, *notes),
    )


def _blocks(view: View, warnings: list[str]) -> dict[str, View]:
    blocks: dict[str, View] = {}
    at = 12
    while at + 8 <= len(view):
        name, length = view.take(at, 4).decode("latin-1"), view.u32(at + 4)
        block = view.part(at + 8, length, f"block {name!r}")
        stored = view.u32(at + 8 + length)
        octets = np.frombuffer(view.take(at, 8 + length), np.uint8)
        signed = octets.view(np.int8).sum(dtype=np.int64)
        if stored not in {int(octets.sum(dtype=np.int64)) % 2**32, int(signed) % 2**32}:
            warnings.append(f"the checksum of block {name!r} does not hold")
        if name in blocks:
            raise block.error("is there twice")
        blocks[name] = block
        at += 12 + length
    if at != len(view):
        warnings.append(f"{len(view) - at} bytes behind the last block")
    return blocks


def _rows(
    blocks: dict[str, View], names: dict[str, str], scale: Decimal
) -> tuple[tuple[str, ...], NDArray[np.float64] | None, tuple[str, ...]]:
    found = [(lead, blocks[name].data) for name, lead in names.items() if name in blocks]
    rows = [millivolts(np.frombuffer(data, "<i2", len(data) // 2), scale) for _, data in found]
    if not any(row.size for row in rows):
        return (), None, ()
    samples_mv, notes = stacked(rows, FORMAT)
    return tuple(lead for lead, _ in found), samples_mv, notes


def _started(info: View | None) -> datetime | None:
    """Zones are written ``-0700``, ``-07:00`` and ``-7:00``."""
    if info is None:
        return None
    return iso_time(_ZONE.sub(r"\g<1>0\2:\3", info.text(0, min(32, len(info)))))


def _filters(flags: int) -> dict[str, str]:
    found = {}
    if flags & _MAINS_FILTER:
        found["mains_hz"] = "60" if flags & _60_HZ else "50"
    if names := [name for bit, name in _FILTERS if flags & bit]:
        found["text"] = ", ".join(names)
    return found
