"""One EKG file written as another."""

import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from gateway.errors import GatewayError
from gateway.formats import Loss, losses, read_ekg, write_ekg
from gateway.formats.conversion import target_of
from gateway.model import EkgRecording


def opened(file: Path, started_at: datetime | None = None, *, patient: bool = True) -> EkgRecording:
    """The recording in a file, with a start that somebody states, or without its patient.

    Raises
    ------
    FormatError
        The file does not read.
    GatewayError
        It states its own start.
    """
    recording = read_ekg(file)
    if started_at is not None:
        if recording.started_at is not None:
            raise GatewayError(f"{file}: states its own start; leave --started-at away")
        recording = replace(recording, started_at=started_at)
    return recording if patient else replace(recording, patient_fields={})


def as_dicom(
    file: Path, started_at: datetime | None = None, *, allow_loss: bool
) -> tuple[bytes, tuple[Loss, ...]]:
    """A DICOM file as it is, another one converted and proven; and what was lost.

    Raises
    ------
    FormatError
        The file does not read, or DICOM cannot hold it.
    GatewayError
        A start that the file states itself.
    """
    recording = opened(file, started_at)
    if recording.format == "DICOM":
        return file.read_bytes(), ()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ekg.dcm"
        lost = write_ekg(recording, out, allow_loss=allow_loss)
        return out.read_bytes(), lost


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be written where, and what will be lost."""

    source: Path
    recording: EkgRecording
    out: Path
    losses: tuple[Loss, ...]

    @classmethod
    def of(cls, source: Path, recording: EkgRecording, out: Path) -> Self:
        """The conversion of a recording.

        Raises
        ------
        FormatError
            No writer for the suffix, or the format cannot hold the recording at all.
        """
        return cls(source, recording, out, losses(recording, out.suffix))

    def write(self, allow_loss: bool) -> None:
        """Write `out`; a file of that name stays as it was if anything fails.

        Raises
        ------
        FormatError
            The signal would be altered and that is not allowed, or the file does not read back the same.
        GatewayError
            The file cannot be written.
        """
        try:
            write_ekg(self.recording, self.out, allow_loss=allow_loss)
        except OSError as error:
            raise GatewayError(f"{self.out}: {error.strerror}; choose another place") from error

    def refused(self, allow_loss: bool) -> bool:
        """True where nothing will be written because the signal would become another."""
        return not allow_loss and any(loss.alters_signal for loss in self.losses)

    def json(self, *, written: bool) -> dict[str, Any]:
        """The conversion as a script sees it."""
        return {
            "file": str(self.source),
            "out": str(self.out),
            "format": target_of(self.out.suffix).name,
            "written": written,
            "losses": [asdict(loss) for loss in self.losses],
        }
