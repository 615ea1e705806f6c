"""How readings, faults and documents are printed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from gateway.drivers import Fault
from gateway.drivers.clock import drift_text
from gateway.model import Observation, Reading
from gateway.testing.replay import Outcome


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_outcome(outcome: Outcome) -> None:
    """Readings, then events, then faults, one line each."""
    for reading in outcome.readings:
        click.echo(reading_line(reading))
    for event in outcome.events:
        click.echo(f"({event.kind}: {event.text})")
    for fault in outcome.errors:
        click.echo(fault_line(fault))


def reading_line(reading: Reading) -> str:
    """``weight 72.35 kg | 2026-03-02 09:10:01-05:00 | Exemplar S2``."""
    return " | ".join(part for part in _parts(reading) if part)


def fault_line(fault: Fault) -> str:
    """``! byte 17: checksum: ...``."""
    where = "" if fault.offset is None else f"byte {fault.offset}: "
    return f"! {where}{fault.code}: {fault.message}"


def observation_text(observation: Observation) -> str:
    """``temperature >= 36.8 Cel (ear)``."""
    value = None if observation.value is None else f"{observation.value:f}"
    parts = (observation.name, observation.comparator, value, observation.text, observation.unit)
    site = f" ({observation.site})" if observation.site else ""
    return " ".join(part for part in parts if part) + site


def _drift(reading: Reading) -> str:
    return "" if reading.clock_drift is None else f" ({drift_text(reading.clock_drift)})"


def _parts(reading: Reading) -> Iterator[str]:
    observations = ", ".join(map(observation_text, reading.observations))
    yield observations or reading.kind
    if reading.ekg is not None:
        leads, samples = reading.ekg.samples_mv.shape
        yield f"{leads} leads, {samples} samples at {reading.ekg.sample_rate_hz:g} Hz"
    if reading.status != "final":
        yield reading.status
    yield "; ".join(reading.notes)
    if reading.taken_at is not None:
        by = "" if reading.time_source == "gateway" else f" by the device's clock{_drift(reading)}"
        yield reading.taken_at.isoformat(" ") + by
    device = reading.device
    yield " ".join(part for part in (device.vendor, device.model, device.serial) if part)
