"""`gateway config`: the configuration, checked before the service has to live with it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.errors import ConfigError


@click.group(short_help="the configuration")
def config() -> None:
    """Work with the configuration file."""


@config.command(epilog="Example: gateway config check config/gateway.toml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("config/gateway.toml"))
def check(file: Path) -> None:
    """Validate FILE; every mistake is printed with its key path and the fix.

    Certificates and keys are read too, and one that expires soon is named.
    """
    from gateway.service import load_configuration  # noqa: PLC0415 - keeps other commands quick
    from gateway.service.certificate_watch import expiring_files, file_problems  # noqa: PLC0415 - as above

    found = load_configuration(file)
    if problems := tuple(file_problems(found.tls)):
        raise ConfigError(str(file), problems)
    for remark in (*found.remarks(), *expiring_files(found.tls, datetime.now(UTC))):
        click.echo(f"{file}: {remark}", err=True)
    click.echo(f"{file}: {len(found.devices)} devices, {len(found.destinations)} destinations, nothing wrong")
