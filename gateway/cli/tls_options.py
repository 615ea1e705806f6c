"""The options ``--tls-…`` of the commands that open or take MLLP connections."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

Command = Callable[..., None]
_file = click.Path(exists=True, dir_okay=False, path_type=Path)

_BOTH = (
    click.option("--tls-certificate", type=_file, help="PEM: own certificate and its chain."),
    click.option("--tls-key", type=_file, help="PEM: its key, where it is not in the same file."),
    click.option("--tls-key-passphrase-env", metavar="NAME", help="Variable with the key's passphrase."),
    click.option("--tls-ca", type=_file, help="PEM: who may vouch for the other side."),
)
_CLIENT = (
    click.option("--tls", is_flag=True, help="Speak TLS; given with any other of these anyway."),
    click.option("--tls-pin", "tls_pins", multiple=True, help="sha256:HEX of the server's public key."),
    click.option("--tls-server-name", metavar="NAME", help="In its certificate, where not the address."),
    click.option("--tls-no-name-check", is_flag=True, help="Let its certificate name anybody."),
)
_SERVER = (
    click.option(
        "--tls-client", "tls_clients", multiple=True, help="The only ones let in: DNS:…, CN=… or a pin."
    ),
)


def client_tls(command: Command) -> Command:
    """The command gets ``security``: a ClientTls, or None where no option is given."""
    return _with_options(command, (*_CLIENT, *_BOTH), _client_table)


def server_tls(command: Command) -> Command:
    """The command gets ``security``: a ServerTls, or None where no option is given."""
    return _with_options(command, (*_BOTH, *_SERVER), _server_table)


def _with_options(
    command: Command,
    options: tuple[Callable[[Command], Command], ...],
    table: Callable[[dict[str, Any]], object],
) -> Command:
    @wraps(command)
    def collected(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in tuple(arguments) if name.partition("_")[0] == "tls"}
        said = {name.removeprefix("tls_"): value for name, value in given.items() if value}
        command(**arguments, security=_checked(table, said) if said else None)

    run: Command = collected
    for option in reversed(options):
        run = option(run)
    return run


def _client_table(said: dict[str, Any]) -> object:
    from gateway.service.tls_settings import ClientTls  # noqa: PLC0415 - keeps `gateway hl7 --help` quick

    said.pop("tls", None)
    return ClientTls(check_name=not said.pop("no_name_check", False), **said)


def _server_table(said: dict[str, Any]) -> object:
    from gateway.service.tls_settings import ServerTls  # noqa: PLC0415 - as above

    return ServerTls(**said)


def _checked(table: Callable[[dict[str, Any]], object], said: dict[str, Any]) -> object:
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    try:
        return table(said)
    except ValidationError as error:
        (detail, *_) = error.errors()
        option = "-".join(("--tls", *map(str, detail["loc"][:1]))).replace("_", "-")
        what = detail["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{option}: {what[:1].lower() + what[1:]}") from error
