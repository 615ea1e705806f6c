"""Messages as EHRs send them."""

from pathlib import Path

import pytest


@pytest.fixture
def samples(gateway_data: Path) -> Path:
    return gateway_data.parent / "hl7" / "samples"
