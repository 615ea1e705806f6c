"""`gateway config`: the configuration, checked before the service has to live with it."""

from pathlib import Path

import click


@click.group(short_help="the configuration")
def config() -> None:
    """Work with the configuration file."""


@config.command(epilog="Example: gateway config check config/gateway.toml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("config/gateway.toml"))
def check(file: Path) -> None:
    """Validate FILE; every mistake is printed with its key path and the fix."""
    from gateway.service import load_configuration  # noqa: PLC0415 - keeps other commands quick

    found = load_configuration(file)
    for remark in found.remarks():
        click.echo(f"{file}: {remark}", err=True)
    click.echo(f"{file}: {len(found.devices)} devices, {len(found.destinations)} destinations, nothing wrong")
