"""What a session fixture expects: readings, faults and events, as far as it states them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import get_args

from gateway.model import Reading, ReadingKind, Status
from gateway.model.serialised import reading_json
from gateway.testing.toml_table import Table

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Stated = Mapping[str, Json]

_OBSERVATION_TEXTS = ("name", "unit", "comparator", "text", "site", "loinc", "mdc", "mdc_ref")
_READING_TEXTS = ("kind", "status", "time_source", "patient_id", "sequence", "driver")
_EVENT_KINDS = ("progress", "identified", "clock", "close")


@dataclass(frozen=True, slots=True)
class ExpectedFault:
    """A fault by its code; its offset and a part of its message where they are stated."""

    code: str
    offset: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is to come of a session.

    Parameters
    ----------
    readings : tuple of mapping
        Parts of readings in the JSON shape of ``gateway replay``.
    faults : tuple of ExpectedFault
    events : tuple of ExpectedEvent
    """

    readings: tuple[Stated, ...] = ()
    faults: tuple[ExpectedFault, ...] = ()
    events: tuple[ExpectedEvent, ...] = ()


def read_expectation(expect: Table) -> Expectation:
    """The ``expect`` table of a fixture; mistakes are noted in it."""
    expect.only("reading", "fault", "event")
    return Expectation(
        readings=tuple(_reading(table) for table in expect.tables("reading")),
        faults=tuple(_fault(table) for table in expect.tables("fault")),
        events=tuple(_event(table) for table in expect.tables("event")),
    )


def _reading(table: Table) -> Stated:
    table.only(*_READING_TEXTS, "taken_at", "clock_drift_s", "notes", "device", "observations", "ekg")
    choices = {
        "kind": get_args(ReadingKind),
        "status": get_args(Status),
        "time_source": ("device", "gateway"),
    }
    stated: dict[str, Json] = {
        key: table.text(key, choices=choices.get(key, ())) for key in _READING_TEXTS if key in table
    }
    if "taken_at" in table:
        stated["taken_at"] = _time(table, "taken_at")
    if "clock_drift_s" in table:
        stated["clock_drift_s"] = _decimal(table, "clock_drift_s")
    if "notes" in table:
        stated["notes"] = list(table.texts("notes"))
    if "device" in table:
        stated["device"] = dict(table.text_table("device"))
    if "observations" in table:
        stated["observations"] = [_observation(entry) for entry in table.tables("observations")]
    if "ekg" in table:
        stated["ekg"] = _ekg(table.table("ekg"))
    return stated


def _observation(table: Table) -> dict[str, Json]:
    table.only(*_OBSERVATION_TEXTS, "value", "as_sent")
    stated: dict[str, Json] = {key: table.text(key) for key in _OBSERVATION_TEXTS if key in table}
    stated["name"] = table.text("name")
    if "value" in table:
        stated["value"] = _decimal(table, "value")
    if "as_sent" in table:
        as_sent = table.table("as_sent")
        as_sent.only("value", "unit")
        stated["as_sent"] = {"value": _decimal(as_sent, "value"), "unit": as_sent.text("unit")}
    return stated


def _decimal(table: Table, key: str) -> str:
    value = table.values.get(key)
    if isinstance(value, (int, float)):
        table.note(key, f"{value!r} does not keep the digits", f'write them as the device does: "{value}"')
        return ""
    text = table.text(key)
    try:
        Decimal(text)
    except InvalidOperation:
        table.note(key, f"{text!r} is not a decimal number", "put what is not a number in text")
    return text


def _time(table: Table, key: str) -> str:
    value = table.values[key]
    if isinstance(value, datetime):
        return value.isoformat()
    text = table.text(key)
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        table.note(key, f"{text!r} is not a time", "write 2026-03-02T09:14:05-05:00")
        return text


def _ekg(table: Table) -> dict[str, Json]:
    table.only("format", "leads", "sample_rate_hz", "samples")
    stated: dict[str, Json] = {}
    if "format" in table:
        stated["format"] = table.text("format")
    if "leads" in table:
        stated["leads"] = list(table.texts("leads"))
    for key in ("sample_rate_hz", "samples"):
        value = table.values.get(key)
        if isinstance(value, (int, float)):
            stated[key] = value
        elif value is not None:
            table.note(key, f"{value!r} is not a number", "write it without quotes")
    return stated


def _fault(table: Table) -> ExpectedFault:
    table.only("code", "offset", "message")
    offset = table.values.get("offset")
    if offset is not None and not isinstance(offset, int):
        table.note("offset", f"{offset!r} is not a whole number", "count bytes from 0")
        offset = None
    return ExpectedFault(table.text("code"), offset, table.text("message", ""))


def _event(table: Table) -> ExpectedEvent:
    table.only("kind", "text")
    return ExpectedEvent(table.text("kind", choices=_EVENT_KINDS), table.text("text"))


def stated_of(reading: Reading) -> Stated:
    """What a fixture would state of `reading`: what the device said, not what others know about it."""
    shown = reading_json(reading)
    stated: dict[str, Json] = {"kind": reading.kind}
    if reading.status != "final":
        stated["status"] = reading.status
    if reading.time_source == "device":
        stated["taken_at"] = shown["taken_at"]
    if "clock_drift_s" in shown:
        stated["clock_drift_s"] = shown["clock_drift_s"]
    if reading.notes:
        stated["notes"] = list(reading.notes)
    if reading.observations:
        stated["observations"] = [_without_codes(observation) for observation in shown["observations"]]
    return stated


def _without_codes(observation: Mapping[str, Json]) -> dict[str, Json]:
    keys = ("name", "value", "comparator", "text", "unit", "site", "as_sent")
    return {key: observation[key] for key in keys if observation[key] is not None}
