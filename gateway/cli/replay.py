"""`gateway replay`: a session fixture played through its driver."""

from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path

import click

from gateway.cli.options import as_json, device_zone, driver_folder, driver_settings
from gateway.cli.printing import print_json, print_outcome
from gateway.cli.progress import waiting
from gateway.drivers import load
from gateway.testing import load_fixture
from gateway.testing import replay as replay_fixture


@click.command(
    epilog="Example: gateway replay tests/fixtures/mt-sics/weight.toml --json",
    short_help="a recorded session through its driver",
)
@click.argument("session", type=click.Path(path_type=Path))
@as_json
@driver_settings
@device_zone
@driver_folder
def replay(
    session: Path, as_json: bool, settings: Mapping[str, str], zone: tzinfo | None, folder: Path | None
) -> None:
    """Play the session fixture SESSION through its driver and print what comes of it."""
    fixture = load_fixture(session)
    driver = load(fixture.driver, folder=folder)
    with waiting("playing the session"):
        outcome = replay_fixture(fixture, driver, settings=settings, zone=zone)
    if as_json:
        print_json(outcome.as_json())
    else:
        print_outcome(outcome)
