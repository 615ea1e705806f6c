"""`gateway run`: the service, in the foreground, until it is told to stop."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from gateway.cli.logs import LOG_FORMATS, configure_logs


@click.command(
    epilog="Example: gateway run --config /etc/gateway/gateway.toml --log json",
    short_help="the service",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("config/gateway.toml"),
    show_default=True,
    help="The configuration file.",
)
@click.option("--log", "log_format", type=click.Choice(LOG_FORMATS), default="text", show_default=True)
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when standard input ends.")
def run(config: Path, log_format: str, with_parent: bool) -> None:
    """Read the configured devices and deliver what they measure, until Ctrl-C."""
    from gateway.service import load_configuration  # noqa: PLC0415 - keeps other commands quick
    from gateway.service.app import run_service  # noqa: PLC0415 - as above

    configuration = load_configuration(config)
    configure_logs(log_format)
    _allow_many_files()

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if with_parent:
            loop.add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stop)
        await run_service(configuration, stop)

    asyncio.run(until_stopped())


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _allow_many_files() -> None:
    """As many open files as the system allows: an open serial port takes five, and 1024 is usual."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - there is none on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
