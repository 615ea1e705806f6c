"""One EKG file written as another."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from gateway.errors import GatewayError
from gateway.formats import Loss, losses, read_ekg, write_ekg
from gateway.formats.conversion import target_of
from gateway.model import EkgRecording


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be written where, and what will be lost."""

    source: Path
    recording: EkgRecording
    out: Path
    losses: tuple[Loss, ...]

    @classmethod
    def of(cls, source: Path, out: Path, *, patient: bool) -> Self:
        """The conversion of a file, with or without the patient's fields.

        Raises
        ------
        FormatError
            The file does not read, no writer for the suffix, or the format cannot hold the recording at all.
        """
        recording = read_ekg(source)
        if not patient:
            recording = replace(recording, patient_fields={})
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
