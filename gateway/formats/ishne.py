"""ISHNE 1.0 Holter files: a header of 522 bytes, a variable block, then 16-bit samples interleaved by lead.

Source: Badilini, "The ISHNE Holter Standard Output File Format", 1998. The CRC is CRC-CCITT over the header
from byte 10 on and the variable block; many writers leave it wrong. Some write the samples of all leads where
the samples of one belong: the file's size decides.
"""

from binascii import crc_hqx
from datetime import datetime

import numpy as np

from gateway.formats.measures import date_of, device, moment_of, present
from gateway.formats.scale import NV_MV, implausible
from gateway.formats.view import View
from gateway.model.ekg import EkgRecording

FORMAT = "ISHNE"
SIGNATURE = b"ISHNE1.0"
_HEADER = 522
_LEADS = (
    "", "", "X", "Y", "Z", "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6",
    "ES", "AS", "AI",
)  # fmt: skip
_SEX = {1: "male", 2: "female"}
_MISSING = -32768


def read(data: bytes) -> EkgRecording:
    """The recording in one ISHNE signal file.

    Raises
    ------
    FormatError
    """
    view = View(data, FORMAT, "header")
    view.take(0, _HEADER)
    variable, samples, _, start = view.unpack("4i", 10)
    leads, rate = view.i16(156), view.i16(272)
    if not 1 <= leads <= 12:
        raise view.error(f"{leads} leads", 156)
    if rate <= 0:
        raise view.error(f"a rate of {rate} Hz", 272)
    if not _HEADER <= start <= len(data) or variable < 0 or samples < 0:
        raise view.error(f"{samples} samples from byte {start} on", 10)
    warnings = []
    if view.u16(8) != crc_hqx(data[10 : _HEADER + variable], 0xFFFF):
        warnings.append("the CRC of the header does not hold")
    held = (len(data) - start) // (2 * leads)
    if samples not in {held, held * leads}:
        warnings.append(f"the header claims {samples} samples a lead, the file holds {held}")
    count = min(samples, held) if samples != held * leads else held
    if not count:
        raise view.error("no samples", start)
    nanovolts = view.unpack(f"<{leads}h", 206)
    if min(nanovolts) <= 0:
        raise view.error("a lead without resolution, so without scale", 206)
    counts = np.ascontiguousarray(np.frombuffer(data, "<i2", count * leads, start).reshape(count, leads).T)
    scales = np.array([float(nv * NV_MV) for nv in nanovolts])
    samples_mv = counts * scales[:, None]
    samples_mv[counts == _MISSING] = np.nan
    warnings.extend(filter(None, {implausible(nv * NV_MV, 1 << 16) for nv in nanovolts}))
    return EkgRecording(
        format=FORMAT,
        format_version=str(view.i16(26)),
        leads=tuple(_lead(code, n) for n, code in enumerate(view.unpack(f"<{leads}h", 158), 1)),
        samples_mv=samples_mv,
        sample_rate_hz=float(rate),
        started_at=_started(view),
        device=device(model=view.text(232, 40)),
        patient_fields=_patient(view),
        warnings=tuple(warnings),
    )


def _lead(code: int, n: int) -> str:
    return (_LEADS[code] if 0 <= code < len(_LEADS) else "") or f"lead {n}"


def _started(view: View) -> datetime | None:
    day, month, year = view.unpack("3h", 138)
    return moment_of(year, month, day, *view.unpack("3h", 150))


def _patient(view: View) -> dict[str, str]:
    day, month, year = view.unpack("3h", 132)
    return present(
        {
            "id": view.text(108, 20),
            "family_name": view.text(68, 40),
            "given_name": view.text(28, 40),
            "sex": _SEX.get(view.i16(128)),
            "birth_date": date_of(year, month, day),
        }
    )
