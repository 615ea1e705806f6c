"""Writes the pages of this folder that are read off the code: ``python docs/reference/generate.py``."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path

import click

from gateway.cli import COMMANDS, cli
from gateway.drivers import contract, registry
from gateway.model import Device, Observation, Reading, rejected
from gateway.model.terms import TERMS
from gateway.model.vocabulary import UNITS, Term
from gateway.testing import session_fixture
from gateway.transports import udev

HERE = Path(__file__).parent
_WRITTEN = "<!-- Written by docs/reference/generate.py; change the code, not this page. -->\n"
_WIDTH = 100


def commands() -> str:
    """Every command with its help, as a terminal shows it."""
    overview = "\n".join(f"- [`{path}`](#{path.replace(' ', '-')})" for path, _ in _commands())
    details = "\n".join(f"\n## `{path}`\n\n```text\n{help_text}\n```" for path, help_text in _commands())
    return (
        f"# Commands\n\n{_WRITTEN}\n"
        "Data goes to standard output, errors as one line each to standard error. Exit code 0: done; "
        "1: what was checked does not hold; 2: bad usage or input; 130: interrupted.\n"
        f"\n{overview}\n{details}\n"
    )


def _commands() -> Iterator[tuple[str, str]]:
    root = click.Context(cli, info_name="gateway", **{**cli.context_settings, "terminal_width": _WIDTH})
    yield "gateway", cli.get_help(root)
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        yield from _with_children(command, name, root)


def _with_children(command: click.Command, name: str, parent: click.Context) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, parent=parent)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from _with_children(child, child_name, context)


def vocabulary() -> str:
    """Every name of an observation, with its codes, units and limits of plausibility."""
    rows = "\n".join(_row(term) for term in TERMS)
    units = "\n".join(f"| `{code}` | {unit.text} | {unit.mdc or ''} |" for code, unit in UNITS.items())
    return (
        f"# Vocabulary\n\n{_WRITTEN}\n"
        "What an observation can be called, and what the name means in LOINC and IEEE 11073. Where a name "
        "has several rows, the kind of reading, the site or the unit decides. A value beyond its limits is "
        "stored and sent as it was measured, marked questionable.\n\n"
        "| name | only in | LOINC | MDC | units and limits |\n|---|---|---|---|---|\n"
        f"{rows}\n\n## Units\n\n| UCUM | in words | MDC |\n|---|---|---|\n{units}\n"
    )


def _row(term: Term) -> str:
    only_in = ", ".join((*term.kinds, *term.sites))
    loinc = f"{term.loinc} {term.loinc_name}" if term.loinc else ""
    mdc = f"{term.mdc} `{term.mdc_ref}`" if term.mdc else ""
    return f"| `{term.name}` | {only_in} | {loinc} | {mdc} | {'; '.join(map(_limited(term), term.units))} |"


def _limited(term: Term) -> Callable[[str], str]:
    def unit_with_limits(unit: str) -> str:
        limits = term.limits.get(unit)
        code = f"`{unit}`" if unit else "no unit"
        return f"{code} {limits.low} to {limits.high}" if limits else code

    return unit_with_limits


_CONTRACT: Mapping[str, tuple[object, ...]] = {
    "Declaration": (contract.Driver, contract.Setting),
    "Links": (
        contract.SerialLink,
        contract.TcpLink,
        contract.BleLink,
        contract.UsbLink,
        contract.FolderLink,
    ),
    "Session": (contract.Session,),
    "Events": (
        contract.Measured,
        contract.Fault,
        contract.Progress,
        contract.Identified,
        contract.Send,
        contract.Unfinished,
        contract.SetTimer,
        contract.Subscribe,
        contract.Read,
        contract.Close,
    ),
    "Clocks": (contract.clock_setting, contract.ClockRead, contract.ClockSet),
    "Readings": (Reading, Observation, Device, rejected),
}


def driver_contract() -> str:
    """What a driver is made of, by the docstrings of the contract."""
    parts = "\n".join(
        f"\n## {heading}\n" + "".join(map(_described, things)) for heading, things in _CONTRACT.items()
    )
    return (
        f"# Driver contract\n\n{_WRITTEN}\n"
        "What a driver may be made of; all of it is imported from `gateway.drivers` and `gateway.model`. "
        "How to write one: [the tutorial](../tutorial/write-a-driver.md).\n\n"
        f"{inspect.getdoc(contract)}\n{parts}"
    )


def _described(thing: object) -> str:
    assert isinstance(thing, type) or inspect.isfunction(thing)
    return f"\n### `{thing.__name__}`\n\n```python\n{_signature(thing)}\n```\n\n{_prose(thing)}\n"


def _signature(thing: Callable[..., object]) -> str:
    if not isinstance(thing, type):
        return f"{thing.__name__}{inspect.signature(thing)}"
    if not hasattr(thing, "__dataclass_fields__"):
        return f"class {thing.__name__}(Protocol)"
    stated = ",\n    ".join(map(_field, fields(thing)))
    return f"{thing.__name__}(\n    {stated},\n)" if stated else f"{thing.__name__}()"


def _field(field: Field[object]) -> str:
    kind = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
    kind = re.sub(r"\b(?:\w+\.)+(\w)", r"\1", kind)
    return f"{field.name}: {kind}" + ("" if _is_needed(field) else f" = {_default(field)}")


def _is_needed(field: Field[object]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _default(field: Field[object]) -> str:
    return repr(field.default) if field.default_factory is MISSING else f"{field.default_factory.__name__}()"


def _prose(thing: object) -> str:
    """A docstring in Markdown: what it says first, its parameters as a list."""
    text = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", inspect.getdoc(thing) or "").replace("``", "`")
    first, _, rest = text.partition("\n\nParameters\n----------\n")
    if not rest:
        return first
    parameters, _, examples = rest.partition("\n\nExamples\n--------\n")
    items = re.sub(r"^(\S[^:\n]*?)(?: : (.*))?$", r"- `\1` (\2)", parameters, flags=re.MULTILINE)
    return "\n\n".join(part for part in (first, items.replace(" ()", ""), examples) if part)


def fixture_format() -> str:
    """The format of session fixtures, by the docstring of the module that reads it."""
    return (
        f"# Session fixtures\n\n{_WRITTEN}\n"
        "One readable file holds who, what, when, every byte in each direction, and what is to come of it. "
        "It feeds `gateway replay`, `check` and `simulate`, and the tests of a driver; `gateway record` "
        f"writes it.\n\n```text\n{inspect.getdoc(session_fixture)}\n```\n"
    )


def udev_rules() -> str:
    """The rules file beside the configuration."""
    return udev.rules(registry.values())


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands,
    "vocabulary.md": vocabulary,
    "driver-contract.md": driver_contract,
    "session-fixture.md": fixture_format,
    "../../config/60-gateway.rules": udev_rules,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
