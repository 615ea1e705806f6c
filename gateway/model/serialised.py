"""Readings, patients and encounters as JSON: the shape that people see, and the one that is stored.

:func:`reading_json` is for reading: codes looked up, numbers in plain digits. The ``_to_row`` and
``_from_row`` pairs are for keeping: what comes back equals what went in, to the last digit. Both hold
only what :mod:`json` writes by itself.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from gateway.model.kinds import ReadingKind
from gateway.model.order import Order
from gateway.model.patient import Encounter, Identifier, Patient
from gateway.model.reading import Device, Observation, Reading, Sent
from gateway.model.vocabulary import term

Json = dict[str, Any]

_MICROSECOND = timedelta(microseconds=1)
# Kept beside the row: the EKG can be read again from the raw bytes, and those are bytes.
_NOT_IN_ROW = ("ekg", "provenance")


def reading_json(reading: Reading) -> Json:
    """A reading as commands and the service's API print it.

    Numbers are strings of plain digits (never ``2E+2``); ``loinc``, ``mdc`` and ``mdc_ref`` come from the
    vocabulary and are None for what it does not hold. ``clock_drift_s`` is there where the device's clock was
    read: seconds that it was ahead of the gateway's.
    """
    drift = reading.clock_drift
    measured = (
        {}
        if drift is None
        else {"clock_drift_s": f"{Decimal(drift // _MICROSECOND).scaleb(-6).normalize():f}"}
    )
    return {
        "driver": reading.driver,
        "device": asdict(reading.device),
        "kind": reading.kind,
        "taken_at": _iso(reading.taken_at),
        "time_source": reading.time_source,
        **measured,
        "status": reading.status,
        "notes": list(reading.notes),
        "patient_id": reading.patient_id,
        "observations": [_observation_json(o, reading.kind) for o in reading.observations],
    }


def _observation_json(observation: Observation, kind: ReadingKind) -> Json:
    found = term(observation.name, kind=kind, unit=observation.unit, site=observation.site)
    sent = observation.as_sent
    return {
        "name": observation.name,
        "value": None if observation.value is None else f"{observation.value:f}",
        "unit": observation.unit,
        "comparator": observation.comparator,
        "text": observation.text,
        "site": observation.site,
        "as_sent": None if sent is None else {"value": f"{sent.value:f}", "unit": sent.unit},
        "loinc": found and found.loinc,
        "mdc": found and found.mdc,
        "mdc_ref": found and found.mdc_ref,
    }


def reading_to_row(reading: Reading) -> Json:
    """Everything of a reading but its EKG and its provenance, which the store keeps as bytes."""
    drift = reading.clock_drift
    row = {name: getattr(reading, name) for name in Reading.__slots__ if name not in _NOT_IN_ROW}
    return row | {
        "observations": [_observation_to_row(o) for o in reading.observations],
        "notes": list(reading.notes),
        "taken_at": _iso(reading.taken_at),
        "clock_drift": None if drift is None else drift // _MICROSECOND,
        "device": asdict(reading.device),
    }


def reading_from_row(row: Mapping[str, Any]) -> Reading:
    """The reading that :func:`reading_to_row` was given, without EKG and provenance."""
    drift = row["clock_drift"]
    changed = {
        "observations": tuple(_observation_from_row(o) for o in row["observations"]),
        "notes": tuple(row["notes"]),
        "taken_at": _moment(row["taken_at"]),
        "clock_drift": None if drift is None else drift * _MICROSECOND,
        "device": Device(**row["device"]),
    }
    return Reading(**{**row, **changed})


def _observation_to_row(observation: Observation) -> Json:
    sent = observation.as_sent
    return asdict(observation) | {
        "value": None if observation.value is None else str(observation.value),
        "as_sent": None if sent is None else [str(sent.value), sent.unit],
    }


def _observation_from_row(row: Mapping[str, Any]) -> Observation:
    value, sent = row["value"], row["as_sent"]
    changed = {
        "value": None if value is None else Decimal(value),
        "as_sent": None if sent is None else Sent(Decimal(sent[0]), sent[1]),
    }
    return Observation(**{**row, **changed})


def patient_to_row(patient: Patient) -> Json:
    return asdict(patient) | {"identifiers": [asdict(each) for each in patient.identifiers]}


def patient_from_row(row: Mapping[str, Any]) -> Patient:
    return Patient(**{**row, "identifiers": tuple(Identifier(**each) for each in row["identifiers"])})


def encounter_to_row(encounter: Encounter) -> Json:
    return asdict(encounter) | {
        "patient": patient_to_row(encounter.patient),
        "opened_at": _iso(encounter.opened_at),
        "closed_at": _iso(encounter.closed_at),
    }


def encounter_from_row(row: Mapping[str, Any]) -> Encounter:
    changed = {
        "patient": patient_from_row(row["patient"]),
        "visit": None if row["visit"] is None else Identifier(**row["visit"]),
        "opened_at": _moment(row["opened_at"]),
        "closed_at": _moment(row["closed_at"]),
    }
    return Encounter(**{**row, **changed})


def order_to_row(order: Order) -> Json:
    return asdict(order) | {
        "codes": list(order.codes),
        "patient": None if order.patient is None else patient_to_row(order.patient),
        "encounter": None if order.encounter is None else encounter_to_row(order.encounter),
        "due_at": _iso(order.due_at),
    }


def order_from_row(row: Mapping[str, Any]) -> Order:
    changed = {
        "codes": tuple(row["codes"]),
        "patient": None if row["patient"] is None else patient_from_row(row["patient"]),
        "encounter": None if row["encounter"] is None else encounter_from_row(row["encounter"]),
        "due_at": _moment(row["due_at"]),
    }
    return Order(**{**row, **changed})


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
