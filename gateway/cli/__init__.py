"""The command ``gateway``: one module a command, imported when the command is asked for.

A command is added by its row in ``COMMANDS``. It prints data on standard output and raises what goes wrong:
a :class:`~gateway.errors.GatewayError` becomes one line on standard error here, and an exit code.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from gateway import __version__
from gateway.errors import DecodeError, FormatError, GatewayError, Hl7Error

DONE, NOT_HELD, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "run": ("gateway.cli.run", "run"),
    "demo": ("gateway.cli.demo", "demo"),
    "config": ("gateway.cli.config", "config"),
    "drivers": ("gateway.cli.drivers", "drivers"),
    "devices": ("gateway.cli.devices", "devices"),
    "replay": ("gateway.cli.replay", "replay"),
    "check": ("gateway.cli.check", "check"),
    "decode": ("gateway.cli.decode", "decode"),
    "record": ("gateway.cli.record", "record"),
    "simulate": ("gateway.cli.simulate", "simulate"),
    "new-driver": ("gateway.cli.new_driver", "new_driver"),
    "ekg": ("gateway.cli.ekg", "ekg"),
    "hl7": ("gateway.cli.hl7", "hl7"),
    "readings": ("gateway.cli.readings", "readings"),
    "queue": ("gateway.cli.queue", "queue"),
    "audit": ("gateway.cli.audit", "audit"),
}
"""Name -> module and attribute, in the order of ``gateway --help``."""

_DID_NOT_HOLD = (DecodeError, FormatError, Hl7Error)


class LazyGroup(click.Group):
    """A group whose commands are imported one by one, so that each starts as fast as it can."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: gateway drivers",
)
@click.version_option(__version__, prog_name="gateway")
def cli() -> None:
    """Reads the devices of a clinic's exam room and files their results in the EHR."""


def main() -> None:
    """Run the command of ``sys.argv`` and leave with its exit code."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; errors go to standard error as one message, never as a traceback.

    Returns
    -------
    int
        0 done, 1 what was checked did not hold, 2 bad usage or input, 130 interrupted.
    """
    try:
        code = cli.main(list(arguments), prog_name="gateway", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        _complain(_usage(error))
        return BAD_INPUT
    except click.ClickException as error:
        _complain(error.format_message())
        return BAD_INPUT
    except GatewayError as error:
        _complain(str(error))
        return NOT_HELD if isinstance(error, _DID_NOT_HOLD) else BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the program's root
        _complain(f"unexpected {type(error).__name__}; the detail is in {_kept(error)}, please report it")
        return BAD_INPUT
    return code if isinstance(code, int) else DONE


def _usage(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "gateway"
    return f"{error.format_message().rstrip('.')}; `{path} --help` shows how"


def _complain(message: str) -> None:
    for line in message.splitlines():
        click.echo(f"gateway: {line}", err=True)


def _kept(error: Exception) -> Path:
    """A file of the user's own with the traceback of `error`."""
    with tempfile.NamedTemporaryFile("w", prefix="gateway-", suffix=".txt", delete=False) as file:
        file.writelines(traceback.format_exception(error))
    return Path(file.name)
