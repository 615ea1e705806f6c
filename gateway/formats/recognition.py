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
    matches : callable
        True where a file's bytes are of this format.
    """

    name: str
    module: str
    matches: Callable[[bytes], bool]

    @property
    def reader(self) -> Reader:
        return cast("Reader", import_module(f"gateway.formats.{self.module}"))


def _root(*names: str) -> Callable[[bytes], bool]:
    return lambda data: root_name(data) in names


def _scp(data: bytes) -> bool:
    return data[16:22] == b"SCPECG"


def _dicom(data: bytes) -> bool:
    """With its preamble, or a data set that begins with a group 2 or 8 element of a sensible length."""
    bare = data[:4] in {b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0"}
    return data[128:132] == b"DICM" or (bare and len(data) > 132)


def _edf(data: bytes) -> bool:
    if data[:8] != b"0       " and data[:8] != b"\xffBIOSEMI":
        return False
    size, signals = data[184:192].strip(), data[252:256].strip()
    return size.isdigit() and signals.isdigit() and int(size) == 256 * (int(signals) + 1)


FORMATS = (
    Format("SCP-ECG", "scp", _scp),
    Format("Heal Force", "healforce", healforce.matches),
    Format("DICOM", "dicom", _dicom),
    Format("EDF", "edf", _edf),
    Format("ISHNE", "ishne", lambda data: data.startswith(ishne.SIGNATURE)),
    Format("AliveCor ATC", "atc", lambda data: data.startswith(atc.SIGNATURE)),
    Format("MFER", "mfer", mfer.matches),
    Format("Contec ECG90A", "contec", contec.matches),
    Format("Bodykom CSZB", "bodykom", bodykom.matches),
    Format("Lepu ER1", "lepu", lepu.matches_dat),
    Format("HL7 aECG", "aecg", _root("AnnotatedECG")),
    Format("GE MUSE XML", "muse", _root("RestingECG")),
    Format("Philips XML", "philips", _root("restingecgdata")),
    Format("CardioSoft XML", "cardiosoft", _root("CardiologyXML")),
    Format("Schiller XML", "schiller", _root("com.xiriuz.sema.xml.schillerEDI.SchillerEDI")),
    Format("ELI XML", "eli", _root("ECG")),
    Format("JSON", "sampled_json", sampled_json.matches),
    Format("Apple Watch CSV", "apple_watch", apple_watch.matches),
    Format("Lepu text", "lepu", lepu.matches_text),
)


def recognise(data: bytes) -> Format | None:
    """The first format of the table that the bytes are of."""
    return next((one for one in FORMATS if one.matches(data)), None)
