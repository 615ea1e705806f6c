"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def gateway_data() -> Path:
    """The folder of recorded EKGs and sample files, which lives beside the project, not in it."""
    folder = Path(os.environ.get("GATEWAY_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if folder.is_dir():
        return folder
    reason = f"no recorded data at {folder}; set GATEWAY_DATA to the folder that holds it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
