"""The store of a configured gateway, for commands beside the running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.store import Database

configuration_file = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=Path("config/gateway.toml"),
    show_default=True,
    help="The configuration of the gateway whose store it is.",
)


@contextmanager
def store_of(config_file: Path) -> Iterator[Database]:
    """Its database; the service may have it open too."""
    from gateway.service import load_configuration  # noqa: PLC0415 - keeps other commands quick

    with Database(load_configuration(config_file).store.path) as database:
        yield database
