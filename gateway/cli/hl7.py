"""`gateway hl7`: a small EHR to test against, a sender, and a validator."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.options import as_json
from gateway.cli.printable import print_table, printable
from gateway.cli.printing import print_json
from gateway.cli.tls_options import client_tls, server_tls
from gateway.errors import GatewayError, Hl7Error, TransportError
from gateway.testing.ehr_faults import MEANINGS, Fault

if TYPE_CHECKING:
    from gateway.hl7 import Message
    from gateway.service.configuration import Address
    from gateway.service.tls_settings import ClientTls, ServerTls
    from gateway.testing.adt_feed import AdtFeed, FeedEvent
    from gateway.testing.fake_ehr import Delivery, FakeEhr

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def _faults(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[Fault, ...]:
    try:
        return tuple(map(Fault.parse, given))
    except GatewayError as error:
        raise click.BadParameter(str(error)) from error


def _address(_context: click.Context, _option: click.Parameter, text: str | None) -> "Address | None":
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - keeps `gateway hl7 --help` quick

    from gateway.service.configuration import HostPort  # noqa: PLC0415 - as above

    if text is None:
        return None
    try:
        address: Address = TypeAdapter(HostPort).validate_python(text)
    except ValidationError as error:
        raise click.BadParameter(f"{text!r} is not HOST:PORT; write it as 10.0.0.5:2575") from error
    return address


def _profile(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    from gateway.hl7.validation import VALIDATED_PROFILES  # noqa: PLC0415 - as above

    if name is not None and name not in VALIDATED_PROFILES:
        raise click.BadParameter(f"no rules for {name!r}; choose from {', '.join(VALIDATED_PROFILES)}")
    return name


@click.group(short_help="a small EHR for testing, a sender, a validator")
def hl7() -> None:
    """Receive, send and validate HL7 v2 messages."""


@hl7.command(
    epilog="Example: gateway hl7 listen --port 2575 --dir received --fault nak@10% --fault late@5%\n\n"
    + "\n\n".join(f"{kind.value}: {meaning}" for kind, meaning in MEANINGS.items())
)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 listens to the whole network.")
@click.option(
    "--port", default=2575, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep each message there as a file, on disk before it is acknowledged.",
)
@click.option(
    "--fault",
    "faults",
    metavar="KIND@N%",
    multiple=True,
    callback=_faults,
    help="Misbehave; may be repeated.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same faults.")
@click.option(
    "--check/--no-check", default=True, help="Refuse what does not validate (AE), or take anything."
)
@click.option("--profile", metavar="NAME", callback=_profile, help="Hold results to a profile too.")
@click.option(
    "--adt",
    type=click.Path(exists=True, path_type=Path),
    help="Send the messages of this file, or of this folder's *.hl7, one after the other.",
)
@click.option("--to", metavar="HOST:PORT", callback=_address, help="Where --adt goes.")
@click.option("--every", "every_s", default=1.0, show_default=True, help="Seconds between its messages.")
@click.option("--adt-tls", is_flag=True, help="--adt speaks TLS too, with the same certificate and CA.")
@server_tls
def listen(
    host: str,
    port: int,
    directory: Path | None,
    faults: tuple[Fault, ...],
    seed: int,
    check: bool,
    profile: str | None,
    adt: Path | None,
    to: "Address | None",
    every_s: float,
    adt_tls: bool,
    security: "ServerTls | None",
) -> None:
    """Be an EHR: receive, validate, acknowledge and keep messages, until Ctrl-C.

    With --adt it plays the registration desk as well, and tells each acknowledgement; what nobody answers
    is sent again. With --tls-certificate it speaks TLS; with --tls-ca too it asks its clients for theirs.
    """
    from gateway.testing.ehr_check import validated  # noqa: PLC0415 - keeps `gateway hl7 --help` quick
    from gateway.testing.fake_ehr import FakeEhr  # noqa: PLC0415 - keeps `gateway hl7 --help` quick

    ehr = FakeEhr(
        host=host,
        port=port,
        directory=directory,
        faults=faults,
        seed=seed,
        on_delivery=_print_delivery,
        security=security,
        on_refused=lambda reason: click.echo(printable(f"client refused: {reason}")),
        check=partial(validated, profile=profile) if check else lambda _: None,
    )
    asyncio.run(_until_stopped(ehr, _feed(adt, to, every_s, security if adt_tls else None)))
    _print_summary(ehr.deliveries)


@hl7.command(epilog="Example: gateway hl7 send admit.hl7 --to 127.0.0.1:2576")
@_file
@click.option("--to", "to", required=True, metavar="HOST:PORT", callback=_address, help="The receiver.")
@click.option(
    "--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for an answer."
)
@client_tls
@click.pass_context
def send(
    context: click.Context, file: Path, to: "Address", timeout_s: float, security: "ClientTls | None"
) -> None:
    """Send the messages in FILE one by one and print each acknowledgement.

    Exit code 1 says that one was not accepted; those behind it are not sent.
    """
    from gateway.hl7 import parse  # noqa: PLC0415 - keeps `gateway hl7 --help` quick
    from gateway.hl7.batch import split_batch  # noqa: PLC0415 - as above

    messages = [parse(data) for data in split_batch(file.read_bytes())]
    if not messages:
        raise Hl7Error(f"{file} holds no message")
    for message in messages:
        answer = _sent(message, to, timeout_s, security)
        for line in answer.lines:
            click.echo(printable(line))
        if reason := _not_accepted(message, answer):
            click.echo(f"gateway: {message.control_id} is not accepted: {reason}", err=True)
            context.exit(1)


@hl7.command(epilog="Example: gateway hl7 validate received/000001-G7-000001.hl7 --profile loinc-2.5.1")
@_file
@click.option("--profile", metavar="NAME", callback=_profile, help="Check a result against a profile too.")
@as_json
@click.pass_context
def validate(context: click.Context, file: Path, profile: str | None, as_json: bool) -> None:
    """Check the messages in FILE: encoding, structure, required fields, data types, tables, and a profile.

    Every fault is named by segment, field and component, and none shows what stands there. Exit code 1 says
    that there are faults. A type of message whose structure is not known here is judged by hl7apy.
    """
    from gateway.hl7.batch import split_batch  # noqa: PLC0415 - keeps `gateway hl7 --help` quick
    from gateway.hl7.validation import validate as faults_of  # noqa: PLC0415 - as above

    messages = split_batch(file.read_bytes())
    if not messages:
        raise Hl7Error(f"{file} holds no message")
    faults = [
        (number, fault) for number, data in enumerate(messages, 1) for fault in faults_of(data, profile)
    ]
    if as_json:
        rows = [{"message": number, **asdict(fault)} for number, fault in faults]
        print_json({"messages": len(messages), "faults": rows})
    else:
        for number, fault in faults:
            click.echo(printable(f"message {number}: {fault}"))
        click.echo(f"{file}: {len(messages)} messages, {len(faults) or 'no'} faults")
    context.exit(1 if faults else 0)


def _sent(message: "Message", to: "Address", timeout_s: float, security: "ClientTls | None") -> "Message":
    from gateway.service.tls import explain  # noqa: PLC0415 - as above
    from gateway.testing.fake_ehr import send as send_over_mllp  # noqa: PLC0415 - as above

    sending = send_over_mllp(message.for_sending(), to.host, to.port, timeout_s=timeout_s, security=security)
    try:
        return asyncio.run(sending)
    except TimeoutError as error:
        raise TransportError(f"{to}: no answer within {timeout_s:g} s; is it an MLLP receiver?") from error
    except OSError as error:
        fix = "" if security else "; check the address and that a receiver runs there"
        raise TransportError(f"{to}: {explain(error)}{fix}") from error
    except TransportError as error:
        raise TransportError(f"{to}: {error}") from error


def _not_accepted(message: "Message", answer: "Message") -> str:
    """Why the answer does not accept the message; "" where it does."""
    from gateway.hl7.acknowledgement import judge, read_acknowledgement  # noqa: PLC0415 - as above

    verdict = judge(
        read_acknowledgement(answer), message.control_id, match="exact", application_ack_expected=False
    )
    return "" if verdict.outcome == "accepted" else printable(verdict.reason or verdict.code)


async def _until_stopped(ehr: "FakeEhr", feed: "AdtFeed | None") -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with ehr:
        click.echo(f"listening on {ehr.host}:{ehr.port}; Ctrl-C ends")
        feeding = asyncio.create_task(feed.run()) if feed else None
        await stop.wait()
        if feeding is not None:
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding


def _feed(
    adt: Path | None, to: "Address | None", every_s: float, security: "ServerTls | None"
) -> "AdtFeed | None":
    from gateway.service.tls_settings import ClientTls as OwnTls  # noqa: PLC0415 - as above
    from gateway.service.tls_settings import TlsTable  # noqa: PLC0415 - as above
    from gateway.testing.adt_feed import AdtFeed, read_feed  # noqa: PLC0415 - as above

    if adt is None:
        return None
    if to is None:
        raise click.UsageError("--adt needs --to, the HOST:PORT where its messages go")
    own = OwnTls(**security.model_dump(include=set(TlsTable.model_fields))) if security else None
    return AdtFeed(messages=read_feed(adt), to=to, every_s=every_s, security=own, on_event=_print_feed_event)


def _print_feed_event(event: "FeedEvent") -> None:
    message = event.message
    cells = (f"{message.type}^{message.trigger}", f"{message.control_id:<20}", event.outcome, event.said)
    click.echo("  ".join((f"{datetime.now():%H:%M:%S}", "sent", *map(printable, cells))))  # noqa: DTZ005 - local time, for a person


def _print_delivery(delivery: "Delivery") -> None:
    click.echo("  ".join((f"{delivery.at:%H:%M:%S}", *_delivery_cells(delivery))).rstrip())


def _delivery_cells(delivery: "Delivery") -> Sequence[str]:
    """What can be said of a delivery without saying anything of its patient."""
    from gateway.hl7 import parse  # noqa: PLC0415 - as above

    message = delivery.message
    kind = f"{message.type}^{message.trigger}" if message else "no message"
    observations = sum(line.startswith("OBX") for line in message.lines) if message else 0
    faults = f"[{' '.join(sorted(delivery.faults))}]" if delivery.faults else ""
    cells = (
        f"{kind:<8}",
        f"{message.control_id if message else '':<20}",
        f"{observations:>3} observations",
        f"{delivery.verdict:<10}",
        parse(delivery.answer).get("MSA-1"),
        faults,
        delivery.reason,
    )
    return [printable(cell) for cell in cells if cell.strip()]


def _print_summary(deliveries: Sequence["Delivery"]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for delivery in deliveries:
        message = delivery.message
        kind = f"{message.type}^{message.trigger}" if message else "no message"
        counts[kind, delivery.verdict] += 1
    click.echo()
    print_table(("message", "verdict", "count"), ((*key, str(n)) for key, n in sorted(counts.items())))
