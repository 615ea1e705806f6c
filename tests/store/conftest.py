"""A database in a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "gateway.db") as database:
        yield database
