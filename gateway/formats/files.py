"""Paths and named bytes to recordings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.errors import FormatError
from gateway.formats import wfdb
from gateway.formats.leads import broken_equations, repeated
from gateway.formats.markup import root_name
from gateway.formats.measures import without_patient
from gateway.formats.recognition import recognise
from gateway.formats.wfdb_header import is_header
from gateway.model.ekg import EkgRecording


@dataclass(frozen=True, slots=True)
class _Folder(Mapping[str, bytes]):
    """The files of one folder by name, each read when it is asked for."""

    path: Path

    def __getitem__(self, name: str) -> bytes:
        if name in {"", ".", ".."} or Path(name).name != name or not (self.path / name).is_file():
            raise KeyError(name)
        return (self.path / name).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in self.path.iterdir() if entry.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_ekg(path: Path | str) -> EkgRecording:
    """The recording in a file, and in the files beside it that belong to it.

    Parameters
    ----------
    path : path
        Of a record in several files (WFDB), the header.

    Raises
    ------
    FormatError
        No format that is known, or one that does not hold; names format, section and offset.
    OSError
        The file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        path.open("rb").close()
    return parse(_Folder(path.parent), path.name)


def parse(files: Mapping[str, bytes], name: str) -> EkgRecording:
    """The recording in bytes that somebody else has read.

    Parameters
    ----------
    files : mapping of str to bytes
        By file name. Some recordings are several files; others in the mapping are left alone.
    name : str
        The file to read.

    Returns
    -------
    EkgRecording
        Its warnings say which limb leads are not what I and II make of them; nothing is changed.

    Raises
    ------
    FormatError
        No format that is known, or one that does not hold; names format, section and offset.
    KeyError
        No file of that name.
    """
    data = files[name]
    found = recognise(data)
    if found is not None:
        recording = found.reader.read(data)
    elif (header := _wfdb_header(files, name)) is not None:
        recording = wfdb.read(files, header)
    else:
        raise _unknown(data)
    notes = (*repeated(recording.leads), *broken_equations(recording.leads, recording.samples_mv))
    return replace(
        recording,
        statements=without_patient(recording.statements, recording.patient_fields),
        warnings=(*recording.warnings, *notes),
    )


def _unknown(data: bytes) -> FormatError:
    """Says as much of the content as cannot be a patient's."""
    what = f"starts with {data[:4].hex(' ')}, as no known EKG format does" if data else "is empty"
    if root := root_name(data):
        what = f"is XML with the root {root[:40]}, which no known EKG format has"
    return FormatError("unknown", "signature", f"the file {what}", offset=0)


def _wfdb_header(files: Mapping[str, bytes], name: str) -> str | None:
    """The header of the WFDB record that a file belongs to: itself, or the one beside it that names it."""
    if is_header(files[name]):
        return name
    beside = f"{name.rpartition('.')[0]}.hea"
    found = files.get(beside, b"")
    return beside if name.encode() in found and is_header(found) else None
