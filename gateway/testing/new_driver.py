"""The beginnings of a driver: a module, a fixture and a test, which run as they are.

They describe an invented scale that sends one line a weight. Whoever has a real device changes the byte
table, the parsing and the bytes, and keeps what holds it together.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from gateway.errors import GatewayError

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")

_DRIVER = Template('''\
"""$title: a scale on a serial line, 9600 baud, 8N1; talks when a weight stands still.

One line each, checksum the exclusive-or of all bytes before the asterisk::

    W,<value>,<unit>*<checksum>CRLF        W,72.45,kg*71

========  ======================================================
value     digits with a point, or OL where the scale is overloaded
unit      kg or lb, as set on the scale
========  ======================================================

Source: name the manual and its section. Evidence: manual.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.codecs.checksum import xor8
from gateway.codecs.framing import Frame, Lines
from gateway.drivers import Driver, Event, Events, Fault, Measured, SerialLink
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_NUMBER = re.compile(r"\\d{1,3}\\.\\d{1,2}")
_UNITS = {"kg": "kg", "lb": "[lb_av]"}
_FAILURES = {"OL": "overload"}


def parse_line(line: bytes) -> Reading:
    """The reading in one line, without its CRLF.

    Raises
    ------
    DecodeError
        Checksum, layout, value or unit do not hold; names which, and its offset in the line.
    """
    body, star, checksum = line.rpartition(b"*")
    if not star or checksum != b"%02X" % xor8(body):
        raise DecodeError("checksum", f"{checksum!r}, computed {xor8(body):02X}", offset=len(body) + 1)
    fields = body.decode("latin-1").split(",")
    if len(fields) != 3 or fields[0] != "W":
        raise DecodeError("layout", f"expected W and two fields, got {len(fields)}", offset=0)
    _, value, unit = fields
    if reason := _FAILURES.get(value):
        return rejected("weight", reason)
    if not _NUMBER.fullmatch(value):
        raise DecodeError("value", f"{value!r} is no weight", offset=len("W,"))
    if unit not in _UNITS:
        raise DecodeError("unit", f"{unit!r} is not one of {', '.join(_UNITS)}", offset=len(f"W,{value},"))
    return Reading(kind="weight", observations=(Observation("weight", Decimal(value), _UNITS[unit]),))


@dataclass(slots=True)
class Session:
    """Lines in, readings out."""

    _lines: Lines = field(default_factory=lambda: Lines(terminator=b"\\r\\n", longest=64))

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return tuple(self._event(frame, at) for frame in self._lines.feed(data))

    def _event(self, frame: Frame, at: datetime) -> Event:
        try:
            return Measured(parse_line(frame.data).taken(at, by="gateway"))
        except DecodeError as error:
            return Fault.from_error(error, offset=frame.offset)


DRIVER = Driver(
    id="$id",
    vendor="$vendor",
    models=("$model",),
    kind="scale",
    emits={"weight": ("kg", "[lb_av]")},
    links=(SerialLink(baudrate=9600),),
    evidence="manual",
    session=Session,
)
''')

_FIXTURE = Template("""\
# A weight in each unit and an overload, with line noise between.

[session]
driver = "$id"
started_at = 2026-03-02T09:10:00-05:00
device = { vendor = "$vendor", model = "$model", serial = "000317" }
origin = "constructed"
source = "name the manual and its section"

[[exchange]]
at = 0.0
dir = "<"
text = "W,72.45,kg*71\\r\\n"

[[exchange]]
at = 4.1
dir = "<"
hex = "00 FF 57 2C 0D 0A"

[[exchange]]
at = 8.0
dir = "<"
text = "W,159.7,lb*7D\\r\\nW,OL,kg*58\\r\\n"

[[expect.reading]]
kind = "weight"
observations = [{ name = "weight", value = "72.45", unit = "kg" }]

[[expect.fault]]
code = "checksum"

[[expect.reading]]
kind = "weight"
observations = [{ name = "weight", value = "159.7", unit = "[lb_av]" }]

[[expect.reading]]
kind = "weight"
status = "rejected"
notes = ["overload"]
""")

_TEST = Template('''\
"""What a technician can rely on from the $title."""

from pathlib import Path

import pytest

from gateway.drivers.registry import from_folder
from gateway.testing import load_fixture
from gateway.testing.conformance import checks_of, uncovered

TESTS = Path(__file__).parent
FIXTURES = [load_fixture(path) for path in sorted((TESTS / "fixtures" / "$id").glob("*.toml"))]
(DRIVER,) = (driver for driver in from_folder(TESTS.parent / "drivers") if driver.id == "$id")


@pytest.mark.parametrize(
    ("check", "fixture"),
    [
        pytest.param(check, fixture, id=f"{Path(fixture.name).stem}-{name}")
        for fixture in FIXTURES
        for name, check in checks_of(fixture).items()
    ],
)
def test_every_fixture_stands_every_check(check, fixture):
    assert list(check(DRIVER, fixture)) == []


def test_everything_that_is_declared_is_shown_by_a_fixture():
    assert uncovered(DRIVER, FIXTURES) == []
''')


@dataclass(frozen=True, slots=True)
class NewDriver:
    """Where the files of a new driver stand: module, fixture, test."""

    module: Path
    fixture: Path
    test: Path


def write_new_driver(driver_id: str, folder: Path) -> NewDriver:
    """Write the three files into ``drivers/``, ``tests/fixtures/ID/`` and ``tests/`` of `folder`.

    Raises
    ------
    GatewayError
        The id is not one, or a file is there already; then nothing is written.
    """
    if not _ID.fullmatch(driver_id):
        raise GatewayError(f"{driver_id!r} is no id; write the vendor, a hyphen, the family: acme-scale")
    name = driver_id.replace("-", "_")
    vendor, _, model = driver_id.partition("-")
    words = {"id": driver_id, "vendor": vendor.capitalize(), "model": model.upper()}
    words["title"] = f"{words['vendor']} {words['model']}"
    files = NewDriver(
        folder / "drivers" / f"{name}.py",
        folder / "tests" / "fixtures" / driver_id / "weight.toml",
        folder / "tests" / f"test_{name}.py",
    )
    texts = {files.module: _DRIVER, files.fixture: _FIXTURE, files.test: _TEST}
    taken = [str(path) for path in texts if path.exists()]
    if taken:
        raise GatewayError(f"{', '.join(taken)}: there already; choose another id or folder")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.substitute(words), encoding="utf-8")
    return files
