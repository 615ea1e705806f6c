"""Sample bytes of real and documented devices, which live beside the project."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

Sample = dict[str, Any]


@pytest.fixture(scope="session")
def sample_bytes(gateway_data: Path) -> tuple[Sample, ...]:
    """Every documented frame with what it decodes to."""
    folder = gateway_data.parent / "protocols" / "samples"
    documents = (tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml")))
    return tuple(sample for document in documents for sample in document["sample"])
