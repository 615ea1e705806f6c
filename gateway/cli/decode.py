"""`gateway decode`: what a driver makes of raw bytes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path

import click

from gateway.cli.options import as_json, device_zone, driver_folder, driver_settings
from gateway.cli.printing import print_json, print_outcome
from gateway.cli.progress import waiting
from gateway.drivers import BleLink, Driver, Fault, load
from gateway.testing import Outcome
from gateway.testing import decode as decode_bytes


@click.command(
    epilog='Example: gateway decode mt-sics "53 20 53 20 20 20 20 20 20 37 32 2E 33 35 20 6B 67 0D 0A"',
    short_help="what a driver makes of raw bytes",
)
@click.argument("driver")
@click.argument("data", metavar="(HEX | @FILE)")
@click.option("--characteristic", metavar="UUID", default="", help="Where a Bluetooth device gave the bytes.")
@as_json
@driver_settings
@device_zone
@driver_folder
@click.pass_context
def decode(
    context: click.Context,
    driver: str,
    data: str,
    characteristic: str,
    as_json: bool,
    settings: Mapping[str, str],
    zone: tzinfo | None,
    folder: Path | None,
) -> None:
    """Show what DRIVER makes of bytes: readings, or why not, with byte offsets.

    Each frame is shown for itself. Exit code 1 says that bytes do not decode.
    """
    found = load(driver, folder=folder)
    received = _bytes(data)
    channel = _channel(found, data, characteristic)
    with waiting(f"decoding {len(received)} bytes"):
        outcome = decode_bytes(found, received, channel=channel, settings=settings, zone=zone)
    outcome = _with_silence(outcome, received)
    if as_json:
        print_json(outcome.as_json())
    else:
        print_outcome(outcome)
    context.exit(1 if outcome.errors else 0)


def _bytes(data: str) -> bytes:
    if data.startswith("@"):
        try:
            return Path(data[1:]).read_bytes()
        except OSError as error:
            raise click.UsageError(f"{data[1:]}: cannot be read: {error.strerror}") from error
    try:
        return bytes.fromhex(data)
    except ValueError as error:
        raise click.UsageError(f"not hexadecimal: {error}; give pairs of 0-9 and A-F, or @FILE") from error


def _channel(driver: Driver, data: str, characteristic: str) -> str:
    if not characteristic and all(isinstance(link, BleLink) for link in driver.links):
        raise click.UsageError(
            f"{driver.id} has characteristics; say with --characteristic whose value this is"
        )
    return characteristic or (Path(data[1:]).name if data.startswith("@") else "")


def _with_silence(outcome: Outcome, data: bytes) -> Outcome:
    """Bytes of which nothing comes, not even a fault, hold no whole frame."""
    if outcome.readings or outcome.events or outcome.errors:
        return outcome
    return replace(outcome, errors=(Fault("incomplete", f"no whole frame in {len(data)} bytes", 0),))
