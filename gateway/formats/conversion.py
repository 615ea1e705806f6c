"""Recordings to files: what a format will not hold, said before anything is written; and the proof after it.

A writer is a module of two functions. `fit` gives the recording as the format can hold it; what it lacks of
the one given is the loss. `write` makes the bytes of a fitted recording. They are written beside the place
where they are wanted, read from there by the reader of their format, held against the fitted recording, and
renamed.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePath
from typing import Protocol, cast

import numpy as np

from gateway.errors import FormatError
from gateway.formats.files import read_ekg
from gateway.formats.fitting import Fitted
from gateway.formats.loss import Loss, differences
from gateway.model.ekg import EkgRecording


class Writer(Protocol):
    """What a module of `TARGETS` has."""

    def fit(self, recording: EkgRecording) -> Fitted:
        """The recording as the format holds it and its reader gives it back.

        Raises
        ------
        FormatError
            The format cannot hold the recording at all.
        """

    def write(self, fitted: Fitted, name: str) -> Mapping[str, bytes]:
        """The files of a recording by their names, the one to open first."""


class _Checked(Protocol):
    """A writer of a format that has no reader here: what it wrote, read as far as to compare it."""

    def read_back(self, data: bytes) -> EkgRecording: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A format that can be written.

    Parameters
    ----------
    name : str
    suffixes : tuple of str
        Lower case, with the dot.
    module : str
        In this package, a `Writer`; loaded when it is needed.
    read : bool
        False where the gateway has no reader of the format.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    read: bool = True

    @property
    def writer(self) -> Writer:
        return cast("Writer", import_module(f"gateway.formats.{self.module}"))

    def read_back(self, path: Path) -> EkgRecording:
        """The recording in a file that the writer made."""
        if self.read:
            return read_ekg(path)
        return cast("_Checked", self.writer).read_back(path.read_bytes())


TARGETS = (
    Target("HL7 aECG", (".xml",), "aecg_writer"),
    Target("DICOM", (".dcm",), "dicom_writer"),
    Target("SCP-ECG", (".scp",), "scp_writer"),
    Target("EDF+", (".edf",), "edf_writer"),
    Target("BDF+", (".bdf",), "bdf_writer"),
    Target("WFDB", (".hea", ".dat"), "wfdb_writer"),
    Target("CSV", (".csv",), "csv_writer", read=False),
    Target("Parquet", (".parquet",), "parquet_writer", read=False),
)


def target_of(suffix: str) -> Target:
    """The format that is written under a suffix, in upper or lower case.

    Raises
    ------
    FormatError
        None is; the error names those that are.
    """
    found = next((one for one in TARGETS if suffix.lower() in one.suffixes), None)
    if found is None:
        known = ", ".join(suffix for one in TARGETS for suffix in one.suffixes)
        raise FormatError(suffix or "no suffix", "file name", f"cannot be written; choose one of {known}")
    return found


def losses(recording: EkgRecording, suffix: str) -> tuple[Loss, ...]:
    """What a file of a format will not hold of a recording, or hold otherwise. Nothing is written.

    Parameters
    ----------
    recording : EkgRecording
    suffix : str
        Of the format: ``.dcm``, ``.edf``, ...

    Returns
    -------
    tuple of Loss
        Empty where the file will give back the whole recording.

    Raises
    ------
    FormatError
        No writer for that suffix, or the format cannot hold the recording at all.
    """
    return differences(recording, _fitted(recording, target_of(suffix)).recording)


def _fitted(recording: EkgRecording, target: Target) -> Fitted:
    if not recording.samples_mv.size:
        raise FormatError(target.name, "leads", "no samples to write")
    return target.writer.fit(recording)


def write_ekg(recording: EkgRecording, path: Path | str, *, allow_loss: bool = False) -> tuple[Loss, ...]:
    """A recording as a file, in the format of the path's suffix; of WFDB, as two files.

    A file of that name stays as it was until the new one has been read back and compared.

    Parameters
    ----------
    recording : EkgRecording
    path : path
    allow_loss : bool
        Write the file though the signal will not be the same in it: rounded, at another rate, ...

    Returns
    -------
    tuple of Loss
        What the file does not hold, see `losses`.

    Raises
    ------
    FormatError
        No writer for that suffix, the format cannot hold the recording, the signal would be altered, or the
        file does not read back as what was written. No file is left.
    OSError
        The file cannot be written.
    """
    path = Path(path)
    target = target_of(path.suffix)
    fitted = _fitted(recording, target)
    lost = _accepted(recording, fitted, target, allow_loss)
    files = target.writer.write(fitted, path.name)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}.", dir=path.parent) as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        first = next(iter(files))
        _prove(fitted.recording, target.read_back(Path(folder) / first), target)
        for name in reversed(list(files)):
            (Path(folder) / name).replace(path.with_name(name))
    return lost


def encode(recording: EkgRecording, name: str) -> Mapping[str, bytes]:
    """The files that `write_ekg` would write, by their names, as bytes for somebody else to send.

    Parameters
    ----------
    recording : EkgRecording
    name : str
        A file's name, with the suffix of the format.

    Raises
    ------
    FormatError
        As for `write_ekg`; an altered signal always.
    """
    target = target_of(PurePath(name).suffix)
    fitted = _fitted(recording, target)
    _accepted(recording, fitted, target, allow_loss=False)
    return target.writer.write(fitted, name)


def _accepted(recording: EkgRecording, fitted: Fitted, target: Target, allow_loss: bool) -> tuple[Loss, ...]:
    """What is lost.

    Raises
    ------
    FormatError
        The signal would become another, and nobody allowed it.
    """
    lost = differences(recording, fitted.recording)
    altered = [str(loss) for loss in lost if loss.alters_signal]
    if altered and not allow_loss:
        raise FormatError(
            target.name,
            "signal",
            f"will be another: {'; '.join(altered)}; choose another format or allow it (--allow-loss)",
        )
    return lost


def _prove(fitted: EkgRecording, back: EkgRecording, target: Target) -> None:
    """Holds what was read back against what was written.

    Raises
    ------
    FormatError
        They differ: by a fault of ours, or of the disk.
    """
    one, other = fitted.samples_mv, back.samples_mv
    same = fitted.leads == back.leads and one.shape == other.shape
    if not same or not np.allclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True):
        raise FormatError(target.name, "samples", "read back differently from what was written")
    if found := differences(fitted, back):
        parts = ", ".join(loss.part for loss in found)
        raise FormatError(target.name, parts, "read back differently from what was written")
