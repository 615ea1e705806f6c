"""Writes the pages of this folder that are read off the code: ``python docs/reference/generate.py``."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from gateway.cli import COMMANDS, cli
from gateway.model.terms import TERMS
from gateway.model.vocabulary import UNITS, Term

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


PAGES: Mapping[str, Callable[[], str]] = {"commands.md": commands, "vocabulary.md": vocabulary}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
