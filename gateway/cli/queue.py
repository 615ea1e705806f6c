"""`gateway queue`: what waits to reach an EHR, and what a person decides about it."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.options import as_json as as_json_option
from gateway.cli.printable import print_table
from gateway.cli.store import configuration_file, store_of
from gateway.store import outbox


@click.group(short_help="the outbound queue and its dead letters")
def queue() -> None:
    """See what waits for an EHR; send parked messages again or give them up."""


@queue.command("list", epilog="Example: gateway queue list --config config/gateway.toml")
@configuration_file
@as_json_option
def list_messages(config_file: Path, as_json: bool) -> None:
    """Print every message that is not acknowledged yet, parked ones with the receiver's reason."""
    with store_of(config_file) as database:
        messages = database.do(outbox.unsettled)
    if as_json:
        click.echo(json.dumps([_json(message) for message in messages], indent=2))
        return
    if not messages:
        click.echo("nothing waits")
        return
    rows = (
        (str(m.id), m.destination, m.control_id, str(m.reading_id), m.state, str(m.attempts), m.reason)
        for m in messages
    )
    print_table(("no.", "destination", "control id", "reading", "state", "tries", "reason"), rows)


@queue.command(epilog="Example: gateway queue show 17")
@click.argument("message")
@configuration_file
@as_json_option
def show(message: str, config_file: Path, as_json: bool) -> None:
    """Print one MESSAGE (its number or control id): its attempts, then the message itself.

    It names a patient; do not paste it where others read.
    """
    with store_of(config_file) as database:
        found = database.do(lambda db: outbox.find(db, message))
        attempts = database.do(lambda db: outbox.attempts(db, found.id))
    text = found.body.decode("utf-8", errors="backslashreplace")
    if as_json:
        tries = [{"at": a.at.isoformat(), "outcome": a.outcome, "detail": a.detail} for a in attempts]
        click.echo(json.dumps(_json(found) | {"history": tries, "message": text}, indent=2))
        return
    click.echo(f"{found.control_id} to {found.destination}: {found.state} {found.reason}".rstrip())
    for attempt in attempts:
        click.echo(
            f"  {attempt.at.isoformat(timespec='seconds')}  {attempt.outcome}  {attempt.detail}".rstrip()
        )
    click.echo(text.replace("\r\n", "\n").replace("\r", "\n"))


@queue.command(epilog="Example: gateway queue retry 17")
@click.argument("message")
@configuration_file
def retry(message: str, config_file: Path) -> None:
    """Send a parked MESSAGE again, the same bytes with the same control id."""
    with store_of(config_file) as database:
        found = database.do(lambda db: outbox.find(db, message))
        database.do(lambda db: outbox.retry(db, found, datetime.now(UTC), getpass.getuser()))
    click.echo(f"{found.control_id} is on its way again")


@queue.command(epilog='Example: gateway queue discard 17 --reason "entered by hand"')
@click.argument("message")
@click.option("--reason", required=True, help="Why; it stands in the audit.")
@configuration_file
def discard(message: str, reason: str, config_file: Path) -> None:
    """Give up MESSAGE: it will never be sent, and what waits behind it goes on."""
    with store_of(config_file) as database:
        found = database.do(lambda db: outbox.find(db, message))
        database.do(lambda db: outbox.discard(db, found, datetime.now(UTC), getpass.getuser(), reason))
    click.echo(f"{found.control_id} is discarded")


def _json(message: outbox.OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "destination": message.destination,
        "control_id": message.control_id,
        "reading": message.reading_id,
        "state": message.state,
        "attempts": message.attempts,
        "reason": message.reason,
        "created_at": message.created_at.isoformat(),
    }
