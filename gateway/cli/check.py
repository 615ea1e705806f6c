"""`gateway check`: session fixtures against what they expect."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from pathlib import Path

import click

from gateway.cli.options import as_json, device_zone, driver_folder, driver_settings
from gateway.cli.printing import print_json
from gateway.cli.progress import counted
from gateway.drivers import load
from gateway.errors import GatewayError
from gateway.testing import differences, load_fixture, replay
from gateway.testing.conformance import Check, mutated, specials


@dataclass(frozen=True, slots=True)
class Checked:
    """One fixture: how it differs, or why it could not be played."""

    file: Path
    differences: tuple[str, ...] = ()
    error: str | None = None


@click.command(
    epilog="Example: gateway check tests/fixtures", short_help="fixtures against their expectations"
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path, exists=True))
@as_json
@driver_settings
@device_zone
@driver_folder
@click.option(
    "--mutations",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Also change each fixture's bytes at random, so many times: nothing may raise, hang or be made up.",
)
@click.option("--seed", default=0, metavar="S", help="Which random changes.")
@click.pass_context
def check(
    context: click.Context,
    paths: tuple[Path, ...],
    as_json: bool,
    settings: Mapping[str, str],
    zone: tzinfo | None,
    folder: Path | None,
    mutations: int,
    seed: int,
) -> None:
    """Play every session fixture and print each difference from what it expects.

    PATH is a fixture or a folder of them, searched to the bottom; without one, tests/fixtures, or the
    current folder where that is not there.
    """
    files = [file for path in paths or (_usual_folder(),) for file in _fixtures(path)]
    if not files:
        raise click.UsageError("no session fixture there; a fixture is a .toml file with [session] in it")
    tampering = partial(mutated, mutations=mutations, seed=seed)
    checked = [
        _check(file, settings, zone, folder, tampering) for file in counted(files, "checking fixtures")
    ]
    if as_json:
        print_json({"fixtures": [_json(one) for one in checked]})
    else:
        _print(checked)
    context.exit(max(2 if one.error else 1 if one.differences else 0 for one in checked))


def _usual_folder() -> Path:
    fixtures = Path("tests/fixtures")
    return fixtures if fixtures.is_dir() else Path()


def _fixtures(path: Path) -> Iterator[Path]:
    """The fixtures in a folder; a file is one whatever it holds."""
    if not path.is_dir():
        yield path
        return
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found = (Path(place, name) for name in sorted(names) if name.endswith(".toml"))
        yield from filter(_is_fixture, found)


def _is_fixture(file: Path) -> bool:
    try:
        return "session" in tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return True  # to be told what is wrong with it, rather than left out in silence


def _check(
    file: Path, settings: Mapping[str, str], zone: tzinfo | None, folder: Path | None, tampering: Check
) -> Checked:
    try:
        fixture = load_fixture(file)
        driver = load(fixture.driver, folder=folder)
        outcome = replay(fixture, driver, settings=settings, zone=zone)
    except GatewayError as error:
        return Checked(file, error=str(error))
    fixture = replace(fixture, settings={**fixture.settings, **settings})
    has_session = fixture.exchanges or not fixture.specials
    different = differences(outcome, fixture.expectation) if has_session else ()
    return Checked(file, (*different, *specials(driver, fixture), *tampering(driver, fixture)))


def _json(checked: Checked) -> dict[str, object]:
    return {"file": str(checked.file), "differences": list(checked.differences), "error": checked.error}


def _print(checked: Sequence[Checked]) -> None:
    for one in checked:
        for difference in one.differences:
            click.echo(f"{one.file}: {difference}")
        for line in (one.error or "").splitlines():
            click.echo(line if line.startswith(str(one.file)) else f"{one.file}: {line}", err=True)
    good = sum(not one.differences and not one.error for one in checked)
    click.echo(f"{good} of {len(checked)} fixtures as expected")
