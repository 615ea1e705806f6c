"""`gateway new-driver`: a driver that already runs, to be changed into a real one."""

from pathlib import Path
from typing import get_args

import click

from gateway.testing.new_driver import Protocol, write_new_driver


@click.command(
    "new-driver", epilog="Example: gateway new-driver acme-scale", short_help="a driver to begin with"
)
@click.argument("driver_id", metavar="ID")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder that gets drivers/ and tests/; the current one if not given.",
)
@click.option(
    "--protocol",
    type=click.Choice(get_args(Protocol)),
    default="text",
    show_default=True,
    help="text: a device that sends lines by itself. binary: one that answers questions in frames.",
)
def new_driver(driver_id: str, into: Path, protocol: Protocol) -> None:
    """Write a driver module, a session fixture and a test for the driver ID; they run as they are.

    ID is the vendor, a hyphen, the family of devices.
    """
    written = write_new_driver(driver_id, into, protocol)
    for path in (written.module, written.fixture, written.test):
        click.echo(path)
    click.echo(f"\nNow: gateway check {written.fixture} --drivers {written.module.parent}")
    click.echo(f"     pytest {written.test}")
