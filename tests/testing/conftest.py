"""Invented devices, and sessions of theirs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.drivers import Driver, load
from gateway.testing import SessionFixture, load_fixture

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def exemplar() -> Callable[[str], Driver]:
    """A driver by the last part of its id."""
    return lambda name: load(f"exemplar-{name}", folder=HERE / "drivers")


@pytest.fixture(scope="session")
def session() -> Callable[[str], SessionFixture]:
    """A fixture by its name."""
    return lambda name: load_fixture(HERE / "sessions" / f"{name}.toml")
