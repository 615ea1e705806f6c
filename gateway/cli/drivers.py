"""`gateway drivers`: what is installed."""

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.options import as_json, driver_folder
from gateway.cli.printing import print_json
from gateway.drivers import (
    BleLink,
    Driver,
    FolderLink,
    SerialLink,
    TcpLink,
    UsbLink,
    declared_lines,
    registry,
)
from gateway.drivers.registry import from_folder

_TRANSPORTS = {SerialLink: "serial", UsbLink: "usb", BleLink: "ble", TcpLink: "tcp", FolderLink: "folder"}


@click.command(epilog="Example: gateway drivers --json", short_help="the installed drivers")
@as_json
@driver_folder
def drivers(as_json: bool, folder: Path | None) -> None:
    """List the installed drivers, with what each needs to be told and how sure its byte table is."""
    more = from_folder(folder) if folder else ()
    found = sorted([*registry.values(), *more], key=lambda driver: driver.id)
    if as_json:
        print_json([_json(driver) for driver in found])
    else:
        _print_table(found)


def _json(driver: Driver) -> dict[str, Any]:
    return {
        "id": driver.id,
        "vendor": driver.vendor,
        "models": list(driver.models),
        "kind": driver.kind,
        "transports": _transports(driver),
        "lines": [str(line) for line in declared_lines(driver.links)],
        "emits": {name: list(units) for name, units in driver.emits.items()},
        "settings": [
            {"name": s.name, "choices": list(s.choices), "default": s.default, "help": s.help}
            for s in driver.settings
        ],
        "evidence": driver.evidence,
    }


def _transports(driver: Driver) -> list[str]:
    return list(dict.fromkeys(_TRANSPORTS[type(link)] for link in driver.links))


def _print_table(found: list[Driver]) -> None:
    from rich.console import Console  # noqa: PLC0415 - the JSON does not wait for it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None)
    for heading in ("id", "vendor", "models", "kind", "transports", "settings", "evidence"):
        table.add_column(heading, no_wrap=heading == "id")
    for driver in found:
        settings = ", ".join(s.name if s.default else f"{s.name} (needed)" for s in driver.settings)
        models = ", ".join(driver.models)
        row = (driver.vendor, models, driver.kind, ", ".join(_transports(driver)), settings, driver.evidence)
        table.add_row(driver.id, *row)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
