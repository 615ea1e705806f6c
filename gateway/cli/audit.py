"""`gateway audit`: who did what, and proof that nothing of it was altered."""

from dataclasses import asdict
from pathlib import Path

import click

from gateway.cli.options import as_json as as_json_option
from gateway.cli.printable import print_table
from gateway.cli.printing import print_json
from gateway.cli.store import configuration_file, store_of
from gateway.store import audit as store_audit


@click.group(short_help="who did what, and proof that nothing was altered")
def audit() -> None:
    """See what people did to readings and messages, and check that the record is whole."""


@audit.command("list", epilog="Example: gateway audit list --config config/gateway.toml")
@configuration_file
@as_json_option
def list_entries(config_file: Path, as_json: bool) -> None:
    """Print every act, oldest first."""
    with store_of(config_file) as database:
        entries = database.do(store_audit.entries)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    if not entries:
        click.echo("nothing was done yet")
        return
    rows = ((str(e.seq), e.at, e.actor, e.action, e.subject) for e in entries)
    print_table(("no.", "at", "who", "what", "to what"), rows)


@audit.command(epilog="Example: gateway audit verify --config config/gateway.toml")
@configuration_file
@as_json_option
@click.pass_context
def verify(ctx: click.Context, config_file: Path, as_json: bool) -> None:
    """Check that each entry follows from those before it; exit code 1 where one does not."""
    with store_of(config_file) as database:
        count = len(database.do(store_audit.entries))
        broken = database.do(lambda db: tuple(store_audit.broken(db)))
    if as_json:
        print_json({"entries": count, "broken": broken})
    elif broken:
        numbers = ", ".join(map(str, broken))
        click.echo(f"gateway: entries altered, removed or put in, seen at: {numbers}", err=True)
    else:
        click.echo(f"{count} entries, none altered")
    if broken:
        ctx.exit(1)
