"""`gateway devices`: what is plugged in or advertising now, and which driver fits each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gateway.cli.options import as_json, driver_folder
from gateway.cli.printable import print_table
from gateway.cli.printing import print_json
from gateway.cli.progress import waiting
from gateway.drivers import registry
from gateway.drivers.registry import from_folder
from gateway.errors import TransportError
from gateway.transports.matching import Match, match
from gateway.transports.presence import Present, bluetooth_devices, serial_ports, usb_devices
from gateway.transports.radios import adapter_named


@dataclass(frozen=True, slots=True)
class _Found:
    present: Present
    match: Match
    configured_as: str | None


@click.command(
    epilog="Example: gateway devices --seconds 20", short_help="what is plugged in or advertising now"
)
@as_json
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    help="How long to listen for Bluetooth devices.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A configuration: its Bluetooth controller is used, and the devices that it binds are marked.",
)
@click.option(
    "--controller", metavar="NAME", help="The Bluetooth controller: system, hci1, tcp-client:HOST:PORT."
)
@driver_folder
def devices(
    as_json: bool, seconds: float, config: Path | None, controller: str | None, folder: Path | None
) -> None:
    """List the serial ports, USB devices and Bluetooth LE devices that are there, and the driver for each.

    A driver is named where it alone fits. The chip of a USB-serial cable never says which: it tells the
    cable, not what hangs on it. What hangs on a network port or writes into a folder cannot be seen.
    """
    radio, bound, own = controller or "system", dict[str, str](), folder
    if config is not None:
        from gateway.service import load_configuration  # noqa: PLC0415 - only where it is asked for

        configuration = load_configuration(config)
        radio = controller or configuration.bluetooth.controller
        bound = {device.port: name for name, device in configuration.devices.items()}
        own = folder or configuration.drivers.folder
    drivers = (*registry.values(), *(from_folder(own) if own else ()))
    with waiting(f"listening for Bluetooth devices, {seconds:g} s"):
        present, unseen = asyncio.run(_look_around(radio, seconds))
    found = [_Found(one, match(one, drivers), _bound_as(one, bound)) for one in present]
    if as_json:
        print_json({"devices": list(map(_json, found)), "not_looked_at": _reasons_json(unseen)})
    else:
        _print(found, unseen)


async def _look_around(radio: str, seconds: float) -> tuple[tuple[Present, ...], Mapping[str, str]]:
    """Everything that is there, and why a part could not be looked at."""

    async def bluetooth() -> tuple[Present, ...]:
        return await bluetooth_devices(adapter_named(radio), seconds)

    looks: Mapping[str, Callable[[], Awaitable[tuple[Present, ...]]]] = {
        "serial": lambda: asyncio.to_thread(serial_ports),
        "usb": lambda: asyncio.to_thread(usb_devices),
        "ble": bluetooth,
    }
    outcomes = await asyncio.gather(*(look() for look in looks.values()), return_exceptions=True)
    present: list[Present] = []
    unseen: dict[str, str] = {}
    for transport, outcome in zip(looks, outcomes, strict=True):
        if isinstance(outcome, TransportError):
            unseen[transport] = str(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            present.extend(outcome)
    return _without_cables(present), unseen


def _without_cables(present: Sequence[Present]) -> tuple[Present, ...]:
    """A USB-serial cable is shown as the port that it is, not as a USB device too."""
    cables = {(one.usb_ids, one.serial) for one in present if one.transport == "serial" and one.usb_ids}
    return tuple(one for one in present if one.transport != "usb" or (one.usb_ids, one.serial) not in cables)


def _bound_as(present: Present, bound: Mapping[str, str]) -> str | None:
    ids = f"usb://{present.usb_ids[0]:04x}:{present.usb_ids[1]:04x}" if present.usb_ids else ""
    names = {present.port.lower(), ids}
    if present.name and present.transport == "ble":
        names.add(f"ble://{present.name}".lower())
    return next((name for port, name in bound.items() if port.lower() in names), None)


def _json(found: _Found) -> dict[str, Any]:
    present = found.present
    vendor, product = present.usb_ids or (None, None)
    return {
        "transport": present.transport,
        "port": present.port,
        "name": present.name,
        "vendor_id": None if vendor is None else f"{vendor:04x}",
        "product_id": None if product is None else f"{product:04x}",
        "serial": present.serial,
        "place": present.place,
        "services": sorted(present.services),
        "signal_dbm": present.signal_dbm,
        "driver": found.match.driver,
        "candidates": list(found.match.candidates),
        "note": found.match.note,
        "configured_as": found.configured_as,
    }


def _reasons_json(unseen: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"transport": transport, "reason": reason} for transport, reason in unseen.items()]


def _print(found: Sequence[_Found], unseen: Mapping[str, str]) -> None:
    if found:
        print_table(("port", "name", "driver", "bound as"), map(_row, found))
    else:
        click.echo("nothing is plugged in or advertising")
    for transport, reason in unseen.items():
        click.echo(f"gateway: {transport} not looked at: {reason}", err=True)


def _row(found: _Found) -> tuple[str, str, str, str]:
    candidates = ", ".join(found.match.candidates)
    doubt = f"{found.match.note}: {candidates}" if candidates else found.match.note
    return (
        found.present.port,
        found.present.name,
        found.match.driver or f"({doubt})",
        found.configured_as or "",
    )
