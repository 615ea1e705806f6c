"""`gateway readings`: what was stored, whose it is, and what a person decides about it."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import as_json as as_json_option
from gateway.cli.printable import print_table, printable
from gateway.cli.printing import observation_text, print_json, reading_line
from gateway.cli.store import configuration_file, store_of
from gateway.errors import StoreError
from gateway.model import Identifier, Patient
from gateway.model.serialised import reading_json
from gateway.store import Database, orders, outbox, recordings
from gateway.store import readings as stored_readings
from gateway.store.readings import StoredReading

if TYPE_CHECKING:
    from gateway.service.filing import Decided, Filing


@click.group(short_help="what was stored; put a reading to a patient, or take it back")
def readings() -> None:
    """See what was stored, put a held reading to its patient, take a wrong one back.

    All of it works while the service runs.
    """


@readings.command("list", epilog="Example: gateway readings list --held")
@click.option("--held", is_flag=True, help="Only those that wait for a person.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many, at most.")
@configuration_file
@as_json_option
def list_readings(held: bool, last: int, config_file: Path, as_json: bool) -> None:
    """Print the readings accepted last, oldest first."""
    with store_of(config_file) as database:
        found = database.do(lambda db: stored_readings.latest(db, last, held=held))
    if as_json:
        print_json([_json(stored) for stored in found])
        return
    if not found:
        click.echo("no reading waits for a person" if held else "no reading was stored yet")
        return
    print_table(("no.", "taken at", "device", "values", "patient", "state"), map(_row, found))


@readings.command(epilog="Example: gateway readings show 17")
@click.argument("reading", type=int)
@configuration_file
@as_json_option
def show(reading: int, config_file: Path, as_json: bool) -> None:
    """Print one READING by its number, and the messages that carry it."""
    from gateway.service.filing import found  # noqa: PLC0415 - keeps other commands quick

    with store_of(config_file) as database:
        stored = database.do(lambda db: found(db, reading))
        messages = database.do(lambda db: outbox.of_reading(db, reading))
        carried_out = database.do(lambda db: orders.of_reading(db, reading))
    order = carried_out.order.placer if carried_out else None
    if as_json:
        rows = [_message(message) for message in messages]
        print_json(_json(stored) | {"order": order, "messages": rows})
        return
    click.echo(printable(f"{stored.id} from {stored.source}: {reading_line(stored.reading)}"))
    click.echo(printable(f"  patient {stored.reading.patient_id or 'unknown'}; {_state(stored)}"))
    if order is not None:
        click.echo(printable(f"  carries out order {order}"))
    for message in messages:
        click.echo(printable(f"  {message.control_id} to {message.destination}: {message.state}"))


@readings.command(epilog="Example: gateway readings assign 17 8834021@NORTH")
@click.argument("reading", type=int)
@click.argument("patient", metavar="NUMBER@AUTHORITY")
@click.option("--family-name", default="", help="Of a patient whom no ADT has named here.")
@click.option("--given-name", default="", help="The same.")
@click.option("--birth-date", default="", help="The same: YYYYMMDD.")
@click.option("--type", "id_type", default="", help="The same: what the number is, such as MR.")
@configuration_file
def assign(
    reading: int,
    patient: str,
    family_name: str,
    given_name: str,
    birth_date: str,
    id_type: str,
    config_file: Path,
) -> None:
    """Put READING to the patient NUMBER@AUTHORITY and send it; one that another had is withdrawn there.

    A patient who was ever in a room here is known by the number. Of another give the name too; a name that
    is not the known patient's is refused.
    """
    number, _, authority = patient.rpartition("@") if "@" in patient else (patient, "", "")
    stated = Patient(
        (Identifier(number, authority, id_type),), family_name, given_name, birth_date=birth_date
    )
    if not number:
        raise click.BadParameter(f"{patient!r} has no number; write it as 8834021@NORTH")

    def work(filing: "Filing", database: Database) -> Callable[[Connection], "Decided"]:
        known = database.do(lambda db: _checked(db, stated))
        recording = database.do(lambda db: recordings.find(db, reading))
        ekg = filing.outgoing.parts_of_stored(recording, known)
        return lambda db: filing.assign(db, reading, _checked(db, stated), ekg)

    _tell(f"reading {reading} is filed with {patient}", *_decide(config_file, work))


@readings.command(epilog='Example: gateway readings withdraw 17 --reason "cuff on the wrong patient"')
@click.argument("reading", type=int)
@click.option("--reason", required=True, help="Why; it stands in the audit and in the message. Name nobody.")
@click.option("--delete", is_flag=True, help="Ask the EHR to delete it (D) instead of marking it wrong (W).")
@configuration_file
def withdraw(reading: int, reason: str, delete: bool, config_file: Path) -> None:
    """Take READING back: out of the queue, and with a correction from every EHR that may have it."""

    def work(filing: "Filing", _database: Database) -> Callable[[Connection], "Decided"]:
        return lambda db: filing.withdraw(db, reading, reason, delete=delete)

    _tell(f"reading {reading} is withdrawn", *_decide(config_file, work))


def _checked(db: Connection, stated: Patient) -> Patient:
    """The patient whom the store knows by the stated number, or the stated one where it knows none."""
    from gateway.store import patients  # noqa: PLC0415 - keeps other commands quick

    known = patients.known(db, stated.id)
    if known is None:
        if not stated.family_name:
            raise StoreError(
                "no message has named a patient of that number; check it and its authority, or give "
                "--family-name, --given-name and --birth-date"
            )
        return stated
    for what in ("family_name", "given_name", "birth_date"):
        given = getattr(stated, what)
        if given and given.casefold() != getattr(known, what).casefold():
            raise StoreError(f"the patient of that number has another {what.replace('_', ' ')}; check both")
    return known


def _decide(
    config_file: Path, work: "Callable[[Filing, Database], Callable[[Connection], Decided]]"
) -> tuple["Decided", tuple[str, ...]]:
    from gateway.service import load_configuration  # noqa: PLC0415 - keeps other commands quick
    from gateway.service.filing import Filing  # noqa: PLC0415 - as above
    from gateway.service.outgoing import Outgoing  # noqa: PLC0415 - as above

    configuration = load_configuration(config_file)
    outgoing = Outgoing.of(configuration, now=lambda: datetime.now(UTC))
    with Database(configuration.store.path) as database:
        filing = Filing(outgoing=outgoing, actor=getpass.getuser())
        decided = database.do(work(filing, database))
        ways = tuple(
            database.do(lambda db, c=control_id: outbox.find(db, c)).destination  # type: ignore[misc] # lambda default
            for control_id in decided.queued
        )
    return decided, ways


def _tell(what: str, decided: "Decided", ways: tuple[str, ...]) -> None:
    click.echo(what)
    for control_id in decided.taken_back:
        click.echo(f"  {control_id} was taken out of the queue")
    for control_id, destination in zip(decided.queued, ways, strict=True):
        click.echo(f"  {control_id} is on its way to {destination}")
    for destination in decided.untold:
        click.echo(
            f"gateway: {destination} may have it and is not configured any more; tell it by other means",
            err=True,
        )


def _row(stored: StoredReading) -> tuple[str, ...]:
    reading = stored.reading
    taken = reading.taken_at.isoformat(" ", "seconds") if reading.taken_at else ""
    values = ", ".join(map(observation_text, reading.observations)) or reading.kind
    return (str(stored.id), taken, stored.source, values, reading.patient_id or "", _state(stored))


def _state(stored: StoredReading) -> str:
    if stored.withdrawn is not None:
        return f"withdrawn: {stored.withdrawn}"
    return f"held: {stored.held}" if stored.held else stored.reading.status


def _json(stored: StoredReading) -> dict[str, Any]:
    status = {} if stored.withdrawn is None else {"status": "withdrawn"}
    return {
        "id": stored.id,
        "source": stored.source,
        "held": stored.held,
        "withdrawn": stored.withdrawn,
        "accepted_at": stored.accepted_at.isoformat(),
        **reading_json(stored.reading),
        **status,
    }


def _message(message: outbox.OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "destination": message.destination,
        "control_id": message.control_id,
        "state": message.state,
        "reason": message.reason,
    }
