"""`gateway record`: a live device to a session fixture."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path

import click

from gateway.cli.options import device_zone, driver_folder, driver_settings, serial_line
from gateway.cli.printing import fault_line, reading_line
from gateway.cli.progress import waiting
from gateway.drivers import Conversation, Driver, Event, Fault, Measured, Progress, SerialLine, load, on_line
from gateway.errors import ConfigError, GatewayError, TransportError
from gateway.model import Device
from gateway.testing import replay
from gateway.testing.expectation import Expectation, ExpectedFault, stated_of
from gateway.testing.recorder import Recorder, RecordingFile
from gateway.testing.scrub_session import Examined, examine
from gateway.testing.session_fixture import Connection, SessionFixture
from gateway.transports import Connection as Link
from gateway.transports import Transport, advice, check_line, open_transport, uncommon_line

_BROKEN = "identifiers were replaced that the frames around them do not bear; these read otherwise now"


@click.command(
    epilog="Example: gateway record --driver mt-sics --port /dev/ttyUSB0 weight.toml",
    short_help="a live device to a session fixture",
)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--driver", "driver_id", metavar="ID", required=True)
@click.option(
    "--port", metavar="URL", required=True, help="As in the configuration: a path, socket://, ble://."
)
@click.option("--radio", default="system", show_default=True, help="For ble://, the adapter.")
@click.option("--scrub", is_flag=True, help="Replace what looks like a patient's identifier without asking.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long, instead of at Ctrl-C.")
@serial_line
@driver_settings
@device_zone
@driver_folder
@click.pass_context
def record(
    context: click.Context,
    out: Path,
    driver_id: str,
    port: str,
    radio: str,
    scrub: bool,
    seconds: float | None,
    line: SerialLine | None,
    settings: Mapping[str, str],
    zone: tzinfo | None,
    folder: Path | None,
) -> None:
    """Record what a device and its driver say to each other to the session fixture OUT.

    It ends with Ctrl-C or when the device ends the connection. What was read is shown as it comes, and stands
    in the fixture as expected: compare it with the device's display. Text that looks like a patient's
    identifier is replaced, and at the end each is asked about; what the driver reads as measured is not
    touched. Where a replacement breaks what the device said, the exit code is 1.
    """
    driver = load(driver_id, folder=folder)
    conversation = Conversation.start(driver, settings, zone=zone)
    head = SessionFixture(
        name=str(out),
        driver=driver.id,
        started_at=datetime.now(UTC).astimezone(zone).replace(microsecond=0),
        origin="capture",
        zone=None if zone is None else str(zone).removeprefix("UTC") or "UTC",
        settings=settings,
        source="a live device",
        connections=(Connection(0.0, ()),),
    )
    transport = _transport(driver, settings, port, line, radio)
    file = asyncio.run(_record(driver, conversation, head, transport, out, seconds))
    if file is not None and file.is_empty:
        file.discard()
        raise GatewayError(
            f"{port}: neither side said anything; check the cable, the driver and its settings"
        )
    if file is not None and not _finish(file, driver, ask=not scrub and sys.stdin.isatty()):
        context.exit(1)


def _transport(
    driver: Driver, settings: Mapping[str, str], port: str, line: SerialLine | None, radio: str
) -> Transport:
    links = driver.links_for(settings)
    transport = open_transport(port, on_line(links, line), radio=radio)
    if problem := check_line(port, line):
        raise ConfigError(port, (problem,))
    if doubt := uncommon_line(links, line):
        click.echo(f"{port}: {doubt}; compare it with the device's menu", err=True)
    return transport


async def _record(
    driver: Driver,
    conversation: Conversation,
    head: SessionFixture,
    transport: Transport,
    out: Path,
    seconds: float | None,
) -> RecordingFile | None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    opening = asyncio.create_task(transport.open())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return None
    connection = opening.result()
    click.echo(f"connected with {transport.url}; Ctrl-C ends the recording", err=True)
    conversation.device = Device().filled_from(connection.device)
    head = replace(head, device=replace(connection.device, id=None).filled_from(driver.device))
    with RecordingFile(out, head) as file:
        recorder = Recorder(conversation, connection, file, partial(_show, transport.url))
        await _until(stopping, recorder, connection, seconds)
    return file


async def _until(
    stopping: "asyncio.Task[bool]", recorder: Recorder, connection: Link, seconds: float | None
) -> None:
    recording = asyncio.create_task(recorder.run())
    await asyncio.wait((recording, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    recording.cancel()
    try:
        await recording
    except TransportError as error:
        click.echo(f"gateway: {error}", err=True)
    except asyncio.CancelledError:
        pass
    finally:
        await connection.close()


def _show(url: str, event: Event) -> None:
    match event:
        case Measured(reading):
            click.echo(reading_line(reading))
        case Fault():
            click.echo(f"{fault_line(event)}; {advice(url)}" if event.is_no_frame else fault_line(event))
        case Progress(text):
            click.echo(f"({text})")
        case _:
            pass


def _finish(file: RecordingFile, driver: Driver, *, ask: bool) -> bool:
    """Take the patient out, and put in what the driver makes of the recording; whether nothing was lost."""
    with waiting("looking for the patient in the recording"):
        examined = examine(file.recorded(), driver, file.scrubber)
    if examined.hidden and not (ask and _kept_hidden(examined.hidden)):
        file.discard()
        raise GatewayError(
            f"{file.name}: not kept, for it cannot be taken out of the bytes who the patient is "
            f"({len(examined.hidden)} fields); record an invented patient"
        )
    keep = [text for text in examined.edits if ask and _kept(text, breaks=text in examined.breaking)]
    broken = [text for text in examined.breaking if text not in keep]
    note = _BROKEN if broken else ""
    fixture = _with_expectation(replace(examined.scrubbed(keep=keep), note=note), driver)
    file.rewrite(fixture)
    _report(examined, keep, broken)
    exchanges, readings = len(fixture.exchanges), len(fixture.expectation.readings)
    click.echo(
        f"{fixture.name}: {exchanges} exchanges, {readings} readings to compare with the display", err=True
    )
    return not broken


def _with_expectation(fixture: SessionFixture, driver: Driver) -> SessionFixture:
    outcome = replay(fixture, driver)
    expectation = Expectation(
        readings=tuple(stated_of(reading) for reading in outcome.readings),
        faults=tuple(ExpectedFault(fault.code, fault.offset) for fault in outcome.errors),
    )
    return replace(fixture, expectation=expectation)


def _report(examined: Examined, keep: Collection[bytes], broken: Sequence[bytes]) -> None:
    replaced = len(examined.edits) - len(keep)
    if replaced:
        click.echo(f"{replaced} texts that look like a patient's were replaced", err=True)
    if examined.measured:
        left = len(examined.measured)
        click.echo(f"{left} long numbers are left as they are: the driver reads the device in them", err=True)
    if broken:
        click.echo(
            f"gateway: {examined.session.name}: {len(broken)} of the texts replaced are in frames that no "
            "longer read as they did; record an invented patient instead",
            err=True,
        )


def _kept(text: bytes, *, breaks: bool) -> bool:
    but = " Frames around it break when it is replaced." if breaks else ""
    return _confirmed(f"{text.decode('latin-1')!r} looks like a patient's identifier.{but} Keep it as it is?")


def _kept_hidden(names: Sequence[str]) -> bool:
    return _confirmed(f"Who the patient is cannot be taken out: {', '.join(names)}. Keep the recording?")


def _confirmed(question: str) -> bool:
    with contextlib.suppress(click.Abort):
        return click.confirm(question, err=True)
    return False
