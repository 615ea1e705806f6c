"""A pytest plug-in for authors of drivers: a folder of session fixtures becomes tests.

Put ``pytest_plugins = ["gateway.testing.plugin"]`` in the topmost ``conftest.py`` and the fixtures in
``tests/fixtures``, or name other folders in the configuration of pytest::

    [tool.pytest.ini_options]
    gateway_fixtures = ["captures"]
    gateway_drivers = "drivers"          # a folder of driver modules that are not installed

Each fixture is tested by every check of :mod:`gateway.testing.conformance` that applies to it, as
``ear.toml::in-pieces``; and the first fixture of each driver, as ``ear.toml::emits`` and
``ear.toml::unshown``, for whether all of the driver's fixtures in that folder together bring forth everything
that it declares: each name in each unit, each special value.

``--gateway-mutations`` and ``--gateway-seed`` say how many random changes of each fixture's bytes are tried,
and which.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.drivers import Driver, load
from gateway.errors import GatewayError
from gateway.testing.conformance import MUTATIONS, checks_of, uncovered, unshown
from gateway.testing.session_fixture import SessionFixture, load_fixture

_MOST_SHOWN = 20

_LOADED = pytest.StashKey[dict[Path, SessionFixture]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("gateway_fixtures", "folders of session fixtures", "paths")
    parser.addini("gateway_drivers", "a folder of driver modules", "string", default="")
    group = parser.getgroup("gateway", "drivers of devices")
    group.addoption(
        "--gateway-mutations", type=int, default=MUTATIONS, metavar="N", help="random changes of each fixture"
    )
    group.addoption("--gateway-seed", type=int, default=0, metavar="S", help="which random changes")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LOADED] = {}


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "FixtureFile | None":
    """Every TOML file in a folder of fixtures is one."""
    if file_path.suffix == ".toml" and _root_of(file_path, parent.config) is not None:
        return FixtureFile.from_parent(parent, path=file_path)
    return None


class FixtureFile(pytest.File):
    """A session fixture; its items are the checks."""

    def collect(self) -> Iterator["CheckItem"]:
        try:
            fixture = _load(self.path, self.config)
            driver = load(fixture.driver, folder=_driver_folder(self.config))
        except GatewayError as error:
            raise self.CollectError(str(error)) from error
        mutations, seed = (self.config.getoption(f"gateway_{name}") for name in ("mutations", "seed"))
        for name, check in checks_of(fixture, mutations=mutations, seed=seed).items():
            yield CheckItem.made(self, name, partial(check, driver, fixture))
        fixtures = _fixtures_of(driver, self.path, self.config)
        if fixture is fixtures[0]:
            yield CheckItem.made(self, "emits", partial(uncovered, driver, fixtures))
            yield CheckItem.made(self, "unshown", partial(unshown, driver, fixtures))


class CheckItem(pytest.Item):
    """One check; what does not hold is its failure."""

    check: Callable[[], Iterable[str]]

    @classmethod
    def made(cls, parent: FixtureFile, name: str, check: Callable[[], Iterable[str]]) -> "CheckItem":
        item: CheckItem = cls.from_parent(parent, name=name)
        item.check = check
        return item

    def runtest(self) -> None:
        faults = list(self.check())
        if faults:
            more = f"\n... and {len(faults) - _MOST_SHOWN} more" if len(faults) > _MOST_SHOWN else ""
            pytest.fail("\n".join(faults[:_MOST_SHOWN]) + more, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"


def _root_of(file: Path, config: pytest.Config) -> Path | None:
    """The folder of fixtures that holds the file."""
    given = [Path(path) for path in config.getini("gateway_fixtures")]
    folders = given or [config.rootpath / "tests" / "fixtures"]
    return next((folder for folder in folders if folder in file.parents), None)


def _driver_folder(config: pytest.Config) -> Path | None:
    folder = str(config.getini("gateway_drivers"))
    return config.rootpath / folder if folder else None


def _load(file: Path, config: pytest.Config) -> SessionFixture:
    loaded = config.stash[_LOADED]
    if file not in loaded:
        loaded[file] = load_fixture(file)
    return loaded[file]


def _fixtures_of(driver: Driver, file: Path, config: pytest.Config) -> list[SessionFixture]:
    """Those of `driver` in the same folder of fixtures; one that cannot be read fails by itself."""
    found = []
    for other in sorted((_root_of(file, config) or file.parent).rglob("*.toml")):
        try:
            fixture = _load(other, config)
        except GatewayError:
            continue
        if fixture.driver == driver.id:
            found.append(fixture)
    return found
