"""Invented devices, and sessions of theirs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.drivers import Driver
from gateway.drivers.registry import from_folder
from gateway.testing import SessionFixture, load_fixture

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def exemplar() -> Callable[[str], Driver]:
    """A driver by the last part of its id."""
    found = {driver.id: driver for driver in from_folder(HERE / "drivers")}
    return lambda name: found[f"exemplar-{name}"]


@pytest.fixture(scope="session")
def session() -> Callable[[str], SessionFixture]:
    """A fixture by its name."""
    return lambda name: load_fixture(HERE / "sessions" / f"{name}.toml")
