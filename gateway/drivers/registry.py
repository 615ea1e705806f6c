"""Every driver that is installed: those of this package, those of others, those of a configured folder.

Another package offers its drivers through the entry-point group ``gateway.drivers``; each entry point
names a :class:`~gateway.drivers.contract.Driver`. A folder offers every ``*.py`` in it that has ``DRIVER``.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from gateway.drivers.contract import Driver
from gateway.errors import ConfigError, GatewayError, Problem

ENTRY_POINTS = "gateway.drivers"
_NOT_DRIVERS = {
    "astm_orders",
    "block_session",
    "clock",
    "contract",
    "conversation",
    "cuff_results",
    "finger_samples",
    "gatt_session",
    "gatt_stream",
    "gatt_users",
    "gdt_forms",
    "glucose_results",
    "line_session",
    "nci_answers",
    "phd_readings",
    "pushed_records",
    "record_transfer",
    "registry",
    "serial_line",
    "steadiness",
    "stored_records",
    "weighing_lines",
}


class DriverError(GatewayError):
    """A driver that is not there, or a module that should hold one and does not."""


class Registry(Mapping[str, Driver]):
    """The installed drivers by id, imported when first asked for.

    Any look-up raises :class:`DriverError` where two drivers claim one id or an entry point names none.
    """

    @cached_property
    def _drivers(self) -> dict[str, Driver]:
        return _by_id([*_built_in(), *_of_other_packages()])

    def __getitem__(self, driver_id: str) -> Driver:
        return self._drivers[driver_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._drivers)

    def __len__(self) -> int:
        return len(self._drivers)


registry = Registry()


def load(driver_id: str, *, folder: Path | None = None) -> Driver:
    """One driver by its id, from `folder` too where one is given.

    Raises
    ------
    DriverError
        There is none; the message names the nearest that there are.
    """
    drivers = registry if folder is None else _by_id([*registry.values(), *from_folder(folder)])
    if driver_id in drivers:
        return drivers[driver_id]
    near = get_close_matches(driver_id, drivers, n=3, cutoff=0.4)
    hint = f"nearest: {', '.join(near)}; " if near else ""
    raise DriverError(f"no driver {driver_id!r}; {hint}`gateway drivers` lists all")


def from_folder(folder: Path) -> tuple[Driver, ...]:
    """The drivers of a folder of modules.

    Raises
    ------
    DriverError
        A module cannot be imported or has no ``DRIVER``; names the file.
    ConfigError
        The folder is not there.
    """
    if not folder.is_dir():
        raise ConfigError(
            str(folder), (Problem("drivers", "no such folder", "create it or correct its path"),)
        )
    return tuple(_driver_in(_import_file(path), str(path)) for path in sorted(folder.glob("*.py")))


def _built_in() -> Iterator[Driver]:
    package = importlib.import_module("gateway.drivers")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in _NOT_DRIVERS:
            yield _driver_in(importlib.import_module(f"gateway.drivers.{module.name}"), module.name)


def _of_other_packages() -> Iterator[Driver]:
    for point in entry_points(group=ENTRY_POINTS):
        driver = point.load()
        if not isinstance(driver, Driver):
            raise DriverError(f"entry point {point.value} names no Driver; point it at the module's DRIVER")
        yield driver


def _driver_in(module: ModuleType, where: str) -> Driver:
    driver = getattr(module, "DRIVER", None)
    if not isinstance(driver, Driver):
        raise DriverError(f"{where}: no DRIVER in it; end the module with DRIVER = Driver(...)")
    return driver


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gateway_drivers_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DriverError(f"{path}: not a Python module; a driver is a .py file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a stranger's module may raise anything
        raise DriverError(f"{path}: cannot be imported: {error!r}; mend the module") from error
    return module


def _by_id(drivers: Iterable[Driver]) -> dict[str, Driver]:
    found: dict[str, Driver] = {}
    for driver in drivers:
        if driver.id in found:
            raise DriverError(f"two drivers claim the id {driver.id}; rename or remove one")
        found[driver.id] = driver
    return found
