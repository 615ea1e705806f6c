"""The beginnings of a driver: a module, a fixture and a test, which run as they are.

One describes an invented scale that sends one line of text a weight; the other an invented thermometer that
answers questions in binary frames, with a clock, special values and time-outs. Whoever has a real device
changes the byte table, the parsing and the bytes, and keeps what holds it together. The texts stand in
``templates/``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

from gateway.errors import GatewayError

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")

Protocol = Literal["text", "binary"]

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class NewDriver:
    """Where the files of a new driver stand: module, fixture, test."""

    module: Path
    fixture: Path
    test: Path


def write_new_driver(driver_id: str, folder: Path, protocol: Protocol = "text") -> NewDriver:
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
        folder / "tests" / "fixtures" / driver_id / "measurements.toml",
        folder / "tests" / f"test_{name}.py",
    )
    texts = {
        files.module: f"{protocol}_driver.py.txt",
        files.fixture: f"{protocol}_fixture.toml.txt",
        files.test: "test.py.txt",
    }
    taken = [str(path) for path in texts if path.exists()]
    if taken:
        raise GatewayError(f"{', '.join(taken)}: there already; choose another id or folder")
    for path, name in texts.items():
        template = Template((_TEMPLATES / name).read_text(encoding="utf-8"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.substitute(words), encoding="utf-8")
    return files
