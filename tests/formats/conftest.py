"""EKG files of real machines, read where they lie beside the project."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.formats import read_ekg
from gateway.model import EkgRecording


@pytest.fixture(scope="session")
def ekg_files(gateway_data: Path) -> Path:
    return gateway_data / "ekg-files"


@pytest.fixture(scope="session")
def recorded(ekg_files: Path) -> Callable[[str], EkgRecording]:
    """The recording in a file, read once for all tests."""
    read: dict[str, EkgRecording] = {}

    def recording(name: str) -> EkgRecording:
        if name not in read:
            read[name] = read_ekg(ekg_files / name)
        return read[name]

    return recording
