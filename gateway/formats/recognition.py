"""Which format a file has: by its bytes, whatever its name is."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from gateway.formats import (
    apple_watch,
    atc,
    bodykom,
    contec,
    healforce,
    ishne,
    lepu,
    mfer,
    sampled_json,
)
from gateway.formats.markup import root_name
from gateway.model.ekg import EkgRecording


class Reader(Protocol):
    def read(self, data: bytes) -> EkgRecording: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table.

    Parameters
    ----------
    name : str
    module : str
        In this package, with a function ``read(data) -> EkgRecording``; loaded when it is needed.
    """

    name: str
    module: str

    @property
    def reader(self) -> Reader:
        return cast("Reader", import_module(f"gateway.formats.{self.module}"))


def _scp(data: bytes) -> bool:
    """By the word in section 0, or, in files older than it, by a first pointer to section 0 itself."""
    if data[16:22] == b"SCPECG":
        return True
    return data[8:10] == b"\0\0" and data[22:24] == b"\0\0" and data[28:32] == b"\x07\0\0\0"


def _dicom(data: bytes) -> bool:
    """With its preamble, or a data set that begins with a group 2 or 8 element of a sensible length."""
    bare = data[:4] in {b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0"}
    return data[128:132] == b"DICM" or (bare and len(data) > 132)


def _edf(data: bytes) -> bool:
    if data[:8] != b"0       " and data[:8] != b"\xffBIOSEMI":
        return False
    size, signals = data[184:192].strip(), data[252:256].strip()
    return size.isdigit() and signals.isdigit() and int(size) == 256 * (int(signals) + 1)


SIGNATURES: tuple[tuple[Callable[[bytes], bool], Format], ...] = (
    (_scp, Format("SCP-ECG", "scp")),
    (healforce.matches, Format("Heal Force", "healforce")),
    (_dicom, Format("DICOM", "dicom")),
    (_edf, Format("EDF", "edf")),
    (lambda data: data.startswith(ishne.SIGNATURE), Format("ISHNE", "ishne")),
    (lambda data: data.startswith(atc.SIGNATURE), Format("AliveCor ATC", "atc")),
    (mfer.matches, Format("MFER", "mfer")),
    (contec.matches, Format("Contec ECG90A", "contec")),
    (bodykom.matches, Format("Bodykom CSZB", "bodykom")),
    (lepu.matches_dat, Format("Lepu ER1", "lepu")),
    (sampled_json.matches, Format("JSON", "sampled_json")),
    (apple_watch.matches, Format("Apple Watch CSV", "apple_watch")),
    (lepu.matches_text, Format("Lepu text", "lepu")),
)


ROOTS = {
    "AnnotatedECG": Format("HL7 aECG", "aecg"),
    "RestingECG": Format("GE MUSE XML", "muse"),
    "restingecgdata": Format("Philips XML", "philips"),
    "CardiologyXML": Format("CardioSoft XML", "cardiosoft"),
    "com.xiriuz.sema.xml.schillerEDI.SchillerEDI": Format("Schiller XML", "schiller"),
    "ECG": Format("ELI XML", "eli"),
}


def recognise(data: bytes) -> Format | None:
    """The format of the root element, where there is one; else the first signature that the bytes have."""
    if (root := root_name(data)) in ROOTS:
        return ROOTS[root]
    return next((one for matches, one in SIGNATURES if matches(data)), None)
