"""Options that several commands share."""

from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.drivers import SerialLine
from gateway.testing.session_fixture import zone_named

Command = TypeVar("Command", bound=Callable[..., Any])


def _settings(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} is not KEY=VALUE; write it as date_order=dmy")
        settings[name] = value
    return settings


def _zone(_context: click.Context, _option: click.Parameter, name: str | None) -> tzinfo | None:
    zone = zone_named(name) if name else None
    if name and zone is None:
        raise click.BadParameter(f"no zone is called {name!r}; use an IANA name or an offset as +02:00")
    return zone


def _line(_context: click.Context, _option: click.Parameter, text: str | None) -> SerialLine | None:
    try:
        return SerialLine.parse(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}; write it as 9600 8N1") from error


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

driver_folder = click.option(
    "--drivers",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="GATEWAY_DRIVERS",
    help="A folder with more drivers; also taken from GATEWAY_DRIVERS.",
)

driver_settings = click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_settings,
    help="A setting of the driver; may be given several times.",
)

device_zone = click.option(
    "--zone",
    metavar="ZONE",
    callback=_zone,
    help="The zone of the device's clock: America/New_York, +02:00.",
)

serial_line = click.option(
    "--line",
    metavar="LINE",
    callback=_line,
    help="Speed and settings of the serial line, where they are not the driver's usual: 2400 7E1.",
)
