"""BDF+: as EDF+, with 24 bits a sample."""

from gateway.formats.edf_writer import fit_kind, write_kind
from gateway.formats.fitting import Fitted
from gateway.model.ekg import EkgRecording


def fit(recording: EkgRecording) -> Fitted:
    """The recording with what a BDF+ file holds of it."""
    return fit_kind(recording, "BDF")


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The recording as one BDF+C file."""
    return write_kind(fitted, name, "BDF")
