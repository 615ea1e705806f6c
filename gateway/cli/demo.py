"""`gateway demo`: the simulated exam room, from the devices' bytes to the EHR's acknowledgements."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.printable import print_table
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.testing.demo_summary import Row

_BETWEEN_ROUNDS_S = 5.0


@click.command(epilog="Example: gateway demo --once", short_help="the simulated exam room, end to end")
@click.option("--once", is_flag=True, help="Play the room once; exit 0 only if everything was acknowledged.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where database, messages and ports appear; what an earlier run left there is delivered.",
)
@click.option("--ehr", metavar="HOST:PORT", help="Send to this MLLP receiver instead of the demo's own.")
def demo(once: bool, folder: Path, ehr: str | None) -> int:
    """Play a simulated exam room through the gateway to an EHR, and show what arrived."""
    rows = asyncio.run(_play(folder, ehr, once=once))
    return _print_summary(rows)


def _say(text: str) -> None:
    click.echo(f"{datetime.now():%H:%M:%S.%f}"[:-3] + f"  {text}")  # noqa: DTZ005 - for the person who looks on


async def _play(folder: Path, ehr: str | None, *, once: bool) -> "tuple[Row, ...]":
    try:
        from gateway.testing.demo import Demo  # noqa: PLC0415 - needs the demo's own packages
    except ModuleNotFoundError as error:
        raise GatewayError(f"the demo needs {error.name}; install gateway[demo]") from error

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Demo(folder, _say, ehr) as room:
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            playing = asyncio.create_task(room.play_round())
            await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            playing.cancel()
            try:
                await playing
            except TimeoutError:
                _say("not everything arrived in time")
            except asyncio.CancelledError:
                break
            if once:
                break
            _say("the next patient comes in a few seconds; Ctrl-C ends the demo")
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(stopping), _BETWEEN_ROUNDS_S)
        stopping.cancel()
        return room.rows()


def _print_summary(rows: "tuple[Row, ...]") -> int:
    headings = ("device", "reading", "values", "patient", "control id", "ack")
    print_table(headings, (line for row in rows for line in _lines(row)))
    faults = [f"{row.device}, reading {row.reading_id}: {fault}" for row in rows for fault in row.faults]
    for fault in faults:
        click.echo(f"gateway: {fault}", err=True)
    if not rows:
        click.echo("gateway: no reading was accepted", err=True)
    if faults or not rows:
        return 1
    click.echo(f"{len(rows)} messages, every one acknowledged with the values that were measured")
    return 0


def _lines(row: "Row") -> Iterator[tuple[str, ...]]:
    """A reading's row, each further value in a row of its own."""
    first, *others = row.values or ("",)
    yield row.device, str(row.reading_id), first, row.patient, row.control_id, row.acknowledgement
    yield from (("", "", value, "", "", "") for value in others)
