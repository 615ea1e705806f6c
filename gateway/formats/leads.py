"""Lead names in one spelling, and the equations between the limb leads.

Codes: SCP-ECG lead identifiers (EN 1064, section 3), which DICOM (scheme ``SCPECG`` and MDC ``2:n``) and
MFER share; ISO 11073-10102 lead reference identifiers (``MDC_ECG_LEAD_AVR``).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.model.ekg import STANDARD_LEADS, EkgRecording

SCP_LEADS = {
    1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6", 9: "V7",
    10: "V2R", 11: "V3R", 12: "V4R", 13: "V5R", 14: "V6R", 15: "V7R", 16: "X", 17: "Y", 18: "Z",
    19: "CC5", 20: "CM5", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR", 66: "V8", 67: "V9",
    68: "V8R", 69: "V9R", 70: "D", 71: "A", 72: "J", 86: "chest", 87: "V", 91: "MCL", 92: "MCL1",
    93: "MCL2", 94: "MCL3", 95: "MCL4", 96: "MCL5", 97: "MCL6", 131: "ES", 132: "AS", 133: "AI", 134: "S",
}  # fmt: skip

_SPELLING = {lead.lower(): lead for lead in (*STANDARD_LEADS, *SCP_LEADS.values(), "MLI", "MLII", "MLIII")}
_CODE = re.compile(r"\AMDC_ECG_LEAD_", re.IGNORECASE)
_WORDS = re.compile(r"\A(?:(?:lead|ecg|ekg)[\s_:]+)+(?!\d)", re.IGNORECASE)  # "ECG 1" is a whole name
_CHEST = re.compile(r"(?:c|v) ?(\d)(r?)", re.IGNORECASE)

_TOLERANCE_MV = 0.025  # carts round each lead by itself; three CardioSoft leads together were 20 µV off
_EQUATIONS = {
    "III": ("II - I", np.array([-1.0, 1.0])),
    "aVR": ("-(I + II)/2", np.array([-0.5, -0.5])),
    "aVL": ("I - II/2", np.array([1.0, -0.5])),
    "aVF": ("II - I/2", np.array([-0.5, 1.0])),
}


def lead_name(text: str) -> str:
    """A lead's name in the project's spelling; what is not known stays as named."""
    bare = _WORDS.sub("", _CODE.sub("", " ".join(text.split())))
    if chest := _CHEST.fullmatch(bare):
        return f"V{chest[1]}{chest[2].upper()}"
    return _SPELLING.get(bare.lower(), bare)


def scp_lead(code: int) -> str:
    """The name of an SCP-ECG lead identifier; ``lead 200`` where the table does not have it."""
    return SCP_LEADS.get(code, f"lead {code}")


def stacked(
    rows: Sequence[NDArray[np.float64]], file_format: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Leads of one file as one array, and what to say of it where they are not equally long.

    Shorter leads end in NaN.

    Raises
    ------
    FormatError
        No lead, no sample, or lengths so different that most of the array would be empty.
    """
    lengths = [row.size for row in rows]
    longest = max(lengths, default=0)
    if not longest:
        raise FormatError(file_format, "leads", "no samples")
    if len(rows) * longest > 8 * sum(lengths) + 100_000:
        raise FormatError(file_format, "leads", f"{len(rows)} leads of {min(lengths)} to {longest} samples")
    if min(lengths) == longest:
        return np.stack(rows), ()
    padded = np.full((len(rows), longest), np.nan)
    for target, row in zip(padded, rows, strict=True):
        target[: row.size] = row
    return padded, (f"leads of {min(lengths)} to {longest} samples; the shorter ones end without signal",)


def repeated(leads: tuple[str, ...]) -> tuple[str, ...]:
    """One sentence for each lead name that is there more than once."""
    return tuple(f"lead {lead} is there {n} times" for lead, n in Counter(leads).items() if n > 1)


def broken_equations(leads: tuple[str, ...], samples_mv: NDArray[np.float64]) -> tuple[str, ...]:
    """One sentence for each limb lead that is not what I and II make of it.

    A lead is called broken where more than one sample in a hundred is further off than rounding explains.
    """
    at = {lead: index for index, lead in enumerate(leads)}
    if not {"I", "II"} <= at.keys() or not samples_mv.shape[-1]:
        return ()
    basis = samples_mv[[at["I"], at["II"]]]
    found = []
    for lead, (equation, weights) in _EQUATIONS.items():
        if lead not in at:
            continue
        error = weights @ basis
        error -= samples_mv[at[lead]]
        np.abs(error, out=error)
        broken = np.count_nonzero(error > _TOLERANCE_MV)
        if broken and broken > 0.01 * np.count_nonzero(np.isfinite(error)):
            found.append(f"{lead} is not {equation}: up to {np.nanmax(error) * 1000:.0f} uV apart")
    return tuple(found)


def with_limb_leads(recording: EkgRecording) -> EkgRecording:
    """The recording with III, aVR, aVL and aVF computed where two of I, II and III are there.

    The twelve standard leads come first, in their usual order. A recording in which a name is there twice
    is returned as it is.
    """
    if repeated(recording.leads):
        return recording
    rows = dict(zip(recording.leads, recording.samples_mv, strict=True))
    if {"II", "III"} <= rows.keys():
        rows = {"I": rows["II"] - rows["III"]} | rows
    if {"I", "II"} <= rows.keys():
        basis = np.stack([rows["I"], rows["II"]])
        rows = {lead: weights @ basis for lead, (_, weights) in _EQUATIONS.items()} | rows
    leads = tuple(sorted(rows, key=lambda lead: (*STANDARD_LEADS, lead).index(lead)))
    return replace(recording, leads=leads, samples_mv=np.stack([rows[lead] for lead in leads]))
