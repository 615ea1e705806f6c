"""The configuration file: TOML, checked whole, every mistake named with its key path and the fix."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from gateway.drivers import CLOCK, ClockUse, Driver, Link, SerialLine, load, on_line
from gateway.drivers.conversation import check_settings
from gateway.errors import ConfigError, GatewayError, Problem
from gateway.hl7 import pcd01
from gateway.hl7.oru import PANELS
from gateway.hl7.patient_query import QUERY_NAME
from gateway.hl7.profiles import PROFILES
from gateway.model import Device
from gateway.model.vocabulary import TERMS, UNITS, ReadingKind
from gateway.service.destinations import (
    FHIR_KIND,
    GDT_KIND,
    HL7_KIND,
    OTHER_PROFILES,
    DeliveryTable,
    FhirTable,
    GdtTable,
    key_path,
    kind_of,
)
from gateway.service.message_options import OID, MessageOptions, Zone
from gateway.service.tls_settings import ClientTls, InboundTls
from gateway.transports import HOLD_OFF_S, check_line, check_url, uncommon_line


def _address(text: object) -> object:
    if not isinstance(text, str):
        return text
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ValueError("not HOST:PORT")
    return Address(host=host.strip("[]"), port=int(port))


def _line(text: object) -> object:
    return SerialLine.parse(text) if isinstance(text, str) else text


def _oid(text: object) -> object:
    if isinstance(text, str) and not OID.fullmatch(text):
        raise ValueError("not an OID")
    return text


M = TypeVar("M", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Address(_Table):
    """A host and a TCP port, written ``HOST:PORT``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


HostPort = Annotated[Address, BeforeValidator(_address)]
Line = Annotated[SerialLine, BeforeValidator(_line)]


class Site(_Table):
    """The clinic: the name it has in messages, and the zone its devices' clocks are in."""

    name: str = Field(min_length=1)
    zone: Zone


class StoreTable(_Table):
    """Where accepted readings live; relative to the configuration file."""

    path: Path


class InboundTable(_Table):
    """Where the EHR sends who is in which room."""

    listen: HostPort
    largest_message: int = Field(default=1_000_000, gt=0)
    tls: InboundTls | None = None


class BluetoothTable(_Table):
    """The adapter, and how long a device that has hung up is left alone.

    The adapter is ``system``, BlueZ's name of one of several (``hci1``), or a controller that is spoken to
    directly: a bumble transport name.
    """

    controller: str = "system"
    hold_off_s: float = Field(default=HOLD_OFF_S, ge=0)


class DriversTable(_Table):
    """A folder of the site's own driver modules; relative to the configuration file."""

    folder: Path | None = None


class DestinationTable(DeliveryTable, MessageOptions):
    """An EHR: where it listens, and how it wants its messages and gives its acknowledgements."""

    address: HostPort
    application: str = "EHR"
    facility: str = ""
    profile: str = "loinc-2.5.1"
    msa2: Literal["exact", "prefix20", "any"] = "exact"
    window: int = Field(default=1, gt=0)
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _can_tell_answers_apart(self) -> Self:
        if self.window > 1 and self.msa2 == "any":
            raise ValueError("several messages under way, and acknowledgements that name none")
        return self


AnyDestination = DestinationTable | FhirTable | GdtTable
_Destination = Annotated[
    Annotated[DestinationTable, Tag(HL7_KIND)]
    | Annotated[FhirTable, Tag(FHIR_KIND)]
    | Annotated[GdtTable, Tag(GDT_KIND)],
    Discriminator(kind_of),
]


class DeviceTable(_Table):
    """A device: its driver, where it is connected, and the room whose patient it measures."""

    driver: str
    port: str
    line: Line | None = None
    room: str | None = None
    serial: str | None = None
    model: str | None = None
    zone: Zone | None = None
    adapter: str | None = None
    hold_off_s: float | None = Field(default=None, ge=0)
    clock: ClockUse | None = None
    on_connect: Literal["take", "hold"] = "take"
    entered_id: Literal["patient", "other"] = "patient"
    settings: dict[str, str] = Field(default_factory=dict)

    @property
    def device(self) -> Device:
        """The device as far as the configuration knows it."""
        return Device(model=self.model, serial=self.serial)

    @property
    def driver_settings(self) -> dict[str, str]:
        """What the driver's session is told: its settings, the use of its clock among them."""
        return self.settings if self.clock is None else self.settings | {CLOCK: self.clock}


class RoomsTable(_Table):
    """How long a patient is taken to be in a room without a word from the EHR."""

    longest_encounter_s: float = Field(default=7200.0, gt=0)


class OrdersTable(_Table):
    """Which services are carried out here, how long an order waits, and whether it tells who is in a room."""

    services: dict[str, list[ReadingKind]] = Field(default_factory=dict)
    within_s: float = Field(default=86400.0, gt=0)
    open_rooms: bool = True


class PatientQueryTable(_Table):
    """Whom to ask for the patient of an identifier that was scanned or typed at a device (PDQ).

    `authority` is the one that gave such identifiers, and `authority_oid` the universal identifier of it;
    `domains` are the authorities whose identifiers are wanted (QPD-8), all where none is named.
    """

    address: HostPort
    authority: str = Field(min_length=1)
    authority_oid: Annotated[str, BeforeValidator(_oid)] = ""
    domains: tuple[str, ...] = ()
    application: str = "EHR"
    facility: str = ""
    query_name: str = Field(default=QUERY_NAME, min_length=1)
    answer_timeout_s: float = Field(default=10.0, gt=0)
    longest_backoff_s: float = Field(default=60.0, gt=0)
    at_start: int = Field(default=100, ge=0)
    tls: ClientTls | None = None


class PatientsTable(_Table):
    """How patients are known besides by the EHR's messages."""

    query: PatientQueryTable | None = None


S = TypeVar("S", InboundTable, DestinationTable, PatientQueryTable)


class Configuration(_Table):
    """Everything that `gateway run` needs to know."""

    site: Site
    store: StoreTable
    inbound: InboundTable | None = None
    bluetooth: BluetoothTable = BluetoothTable()
    drivers: DriversTable = DriversTable()
    rooms: RoomsTable = RoomsTable()
    orders: OrdersTable = OrdersTable()
    patients: PatientsTable = PatientsTable()
    destinations: dict[str, _Destination] = Field(min_length=1)
    devices: dict[str, DeviceTable] = Field(default_factory=dict)

    def hold_off_s(self, device: str) -> float:
        """How long a Bluetooth device that has hung up is left alone."""
        own = self.devices[device].hold_off_s
        return self.bluetooth.hold_off_s if own is None else own

    def driver(self, device: str) -> Driver:
        return load(self.devices[device].driver, folder=self.drivers.folder)

    @property
    def tls(self) -> dict[str, ClientTls | InboundTls]:
        """Every table that secures a connection, by its key path."""
        found: dict[str, ClientTls | InboundTls | None] = {
            "inbound.tls": self.inbound.tls if self.inbound else None,
            "patients.query.tls": self.patients.query.tls if self.patients.query else None,
        }
        found |= {
            f"destinations.{name}.tls": table.tls
            for name, table in self.destinations.items()
            if not isinstance(table, GdtTable)
        }
        return {where: table for where, table in found.items() if table is not None}

    def links(self, device: str) -> tuple[Link, ...]:
        """The links of the device as it is configured, the one to use first."""
        table = self.devices[device]
        return on_line(self.driver(device).links_for(table.driver_settings), table.line)

    def remarks(self) -> Iterator[Problem]:
        """What may be right, but is worth a second look."""
        for name, destination in self.destinations.items():
            if isinstance(destination, DestinationTable):
                yield from destination.remarks(f"destinations.{name}", PROFILES[destination.profile])
            elif isinstance(destination, GdtTable) and not destination.folder.is_dir():
                missing = f"there is no folder {destination.folder}"
                yield Problem(f"destinations.{name}.folder", missing, "create it, or mount the share")
        for name, device in self.devices.items():
            links = self.driver(name).links_for(device.driver_settings)
            if what := uncommon_line(links, device.line):
                yield Problem(f"devices.{name}.line", what, "compare it with the device's menu")


def load_configuration(path: Path) -> Configuration:
    """The checked configuration, its paths made absolute.

    Raises
    ------
    ConfigError
        The file is not there, is no TOML, or has mistakes: all of them at once.
    """
    tables = _tables(path)
    folder = path.resolve().parent
    problems: list[Problem] = []
    found = None
    try:
        found = _absolute(Configuration.model_validate(tables), folder)
    except ValidationError as error:
        problems.extend(map(_problem, error.errors()))
    problems.extend(_profile_problems(tables.get("destinations")))
    problems.extend(_destination_problems(_valid_tables(tables, "destinations", DestinationTable)))
    problems.extend(
        _device_problems(_valid_tables(tables, "devices", DeviceTable), _driver_folder(tables, folder))
    )
    if found is None or problems:
        raise ConfigError(str(path), tuple(problems))
    return found


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = Problem("file", error.strerror or "cannot be read", "give its path with --config")
    except UnicodeDecodeError as error:
        problem = Problem("file", f"byte {error.start} is not UTF-8", "save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        problem = Problem("file", f"no TOML: {error}", "correct that line")
    raise ConfigError(str(path), (problem,))


def _absolute(found: Configuration, folder: Path) -> Configuration:
    store = found.store.model_copy(update={"path": folder / found.store.path})
    own = found.drivers.folder
    drivers = found.drivers.model_copy(update={"folder": folder / own if own else None})
    query = found.patients.query
    tables = {
        "store": store,
        "drivers": drivers,
        "patients": found.patients.model_copy(update={"query": query and _secured(query, folder)}),
        "inbound": found.inbound and _secured(found.inbound, folder),
        "destinations": {name: _relative(table, folder) for name, table in found.destinations.items()},
    }
    return found.model_copy(update=tables)


def _relative(table: AnyDestination, folder: Path) -> AnyDestination:
    return _secured(table, folder) if isinstance(table, DestinationTable) else table.relative_to(folder)


def _secured(table: S, folder: Path) -> S:
    return table.model_copy(update={"tls": table.tls.relative_to(folder)}) if table.tls else table


def _valid_tables(tables: dict[str, Any], section: str, model: type[M]) -> dict[str, M]:
    """The tables of a section that are well-formed by themselves, so that one mistake hides no other."""
    given = tables.get(section)
    valid: dict[str, M] = {}
    for name, table in given.items() if isinstance(given, dict) else ():
        if model is DestinationTable and kind_of(table) != HL7_KIND:
            continue
        with suppress(ValidationError):
            valid[name] = model.model_validate(table)
    return valid


def _driver_folder(tables: dict[str, Any], folder: Path) -> Path | None:
    try:
        own = DriversTable.model_validate(tables.get("drivers", {})).folder
    except ValidationError:
        return None
    return folder / own if own else None


_FIXES = {
    "missing": "add it",
    "extra_forbidden": "remove it or correct its spelling",
    "too_short": "add at least one",
}
_EXAMPLES = {
    "not HOST:PORT": "write it as 10.0.0.5:2575",
    "not an OID": "write it as 2.16.840.1.113883.19",
    "not a time zone": "write it as Europe/Berlin",
    "not the settings of a serial line": "write it as 9600 8N1",
    "not a pin": "write it as sha256: and 64 hexadecimal digits",
    "not the name of a client": "write it as DNS:reg.example.org, CN=reg or a pin, sha256:...",
    "a key without its certificate": "give `certificate` too",
    "several messages under way, and acknowledgements that name none": "set window to 1",
    "not an https address": "write it as https://ehr.example.org/fhir; http only for this machine itself",
    "not a URI": "write it as https://ehr.example.org/mrn or urn:oid:2.16.840.1.113883.19",
    "not one way to log in": "give one of token_env, token_file and token_url",
    "no client with one proof": "give client_id, and one of secret_env, secret_file and key_file",
    "pins are for MLLP": "let `ca` hold the server's own certificate",
    "a client without its token_url": "give token_url, or remove client_id and its secret",
}


def _problem(detail: ErrorDetails) -> Problem:
    what = detail["msg"].removeprefix("Value error, ")
    fix = _FIXES.get(detail["type"]) or _EXAMPLES.get(what) or "correct the value"
    return Problem(key_path(detail["loc"]), what[:1].lower() + what[1:], fix)


def _profile_problems(destinations: object) -> Iterator[Problem]:
    """Before anything else of a table is judged, for the profile says what may stand in it."""
    known = (*PROFILES, *OTHER_PROFILES)
    for name, table in destinations.items() if isinstance(destinations, dict) else ():
        profile = table.get("profile") if isinstance(table, dict) else None
        if isinstance(profile, str) and profile not in known:
            what = f"no profile {profile!r}"
            yield Problem(f"destinations.{name}.profile", what, f"use one of: {', '.join(known)}")


def _destination_problems(destinations: dict[str, DestinationTable]) -> Iterator[Problem]:
    for name, destination in destinations.items():
        if destination.profile in PROFILES:
            yield from destination.problems(f"destinations.{name}", PROFILES[destination.profile])
        for table, given, sent in (
            ("codes", destination.codes, _standard_codes()),
            ("units", destination.units, _standard_units()),
        ):
            for code in given:
                if code not in sent and (table == "units" or _STANDARD_CODE.fullmatch(code)):
                    fix = "give the code that `gateway queue show` or docs/reference/vocabulary.md has"
                    yield Problem(f"destinations.{name}.{table}.{code}", "the gateway never sends it", fix)


_STANDARD_CODE = re.compile(r"\d+(-\d)?", re.ASCII)


def _standard_units() -> frozenset[str]:
    """What may stand in OBX-6.1."""
    units = (*UNITS.values(), *(unit for term in TERMS for unit in term.units.values()))
    return frozenset(code for unit in units for code in (unit.ucum, unit.mdc) if code)


def _standard_codes() -> frozenset[str]:
    """What may stand in OBX-3.1 and OBR-4.1, besides an analyser's own codes."""
    terms = {code for term in TERMS for code in (term.loinc, term.mdc) if code}
    return frozenset(terms | {code for code, _ in PANELS.values()} | {pcd01.ORDERED[0]})


def _device_problems(devices: dict[str, DeviceTable], folder: Path | None) -> Iterator[Problem]:
    holders: dict[str, str] = {}
    for name, device in devices.items():
        where = f"devices.{name}"
        if device.port in holders:
            yield Problem(f"{where}.port", f"{holders[device.port]} has it too", "give each device its own")
        holders[device.port] = name
        try:
            driver = load(device.driver, folder=folder)
        except GatewayError as error:
            what, _, fix = str(error).partition("; ")
            yield Problem(f"{where}.driver", what, fix or "correct it")
            continue
        yield from _setting_problems(where, driver, device)
        if problem := check_url(device.port, driver.links):
            yield Problem(f"{where}.port", problem.what, problem.fix)
        elif problem := check_line(device.port, device.line):
            yield Problem(f"{where}.line", problem.what, problem.fix)


def _setting_problems(where: str, driver: Driver, device: DeviceTable) -> Iterator[Problem]:
    uses = next((setting.choices for setting in driver.settings if setting.name == CLOCK), ())
    if device.clock is not None and device.clock not in uses:
        what = f"{driver.id} cannot {device.clock} it" if uses else f"{driver.id} knows of no clock"
        yield Problem(f"{where}.clock", what, f"use one of: {', '.join(uses)}" if uses else "remove it")
    elif device.clock is not None and CLOCK in device.settings:
        yield Problem(f"{where}.settings.clock", "it is in the device's table too", "keep one of them")
    settings = device.driver_settings if device.clock in uses else device.settings
    _, problems = check_settings(driver, settings)
    yield from (Problem(f"{where}.settings.{p.where}", p.what, p.fix) for p in problems)
