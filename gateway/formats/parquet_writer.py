"""Parquet, written with pyarrow: one column of doubles a lead, in mV, null where there is no signal.

Everything else that a recording holds but its groups is JSON under the key ``ekg`` of the schema's metadata:
pandas, polars and DuckDB see a plain table.
"""

import json
from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np

from gateway.errors import FormatError
from gateway.formats.fitting import Fitted
from gateway.model.ekg import DeviceMeasurement, EkgRecording
from gateway.model.reading import Device

FORMAT = "Parquet"
_KEY = b"ekg"


def fit(recording: EkgRecording) -> Fitted:
    """The recording without groups; a lead that is there twice gets a number.

    Raises
    ------
    FormatError
        pyarrow is not installed.
    """
    _arrow()
    samples_mv = np.where(np.isfinite(recording.samples_mv), recording.samples_mv, np.nan)
    leads = tuple(
        lead if recording.leads.index(lead) == n else f"{lead} ({n + 1})"
        for n, lead in enumerate(recording.leads)
    )
    return Fitted(
        replace(
            recording,
            format=FORMAT,
            format_version="",
            leads=leads,
            samples_mv=samples_mv,
            groups=(),
            warnings=(),
        )
    )


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The recording as one Parquet file, compressed with Zstandard."""
    arrow, parquet = _arrow()
    recording = fitted.recording
    columns = [arrow.array(row, from_pandas=True) for row in recording.samples_mv]
    table = arrow.table(columns, names=list(recording.leads))
    table = table.replace_schema_metadata({_KEY: json.dumps(_about(recording), ensure_ascii=False).encode()})
    stream = BytesIO()
    parquet.write_table(table, stream, compression="zstd")
    return {name: stream.getvalue()}


def read_back(data: bytes) -> EkgRecording:
    """The recording in a file that `write` made."""
    _, parquet = _arrow()
    table = parquet.read_table(BytesIO(data))
    about = json.loads(table.schema.metadata[_KEY])
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=tuple(table.column_names),
        samples_mv=np.stack([column.to_numpy() for column in table.columns]),
        sample_rate_hz=about["sample_rate_hz"],
        started_at=datetime.fromisoformat(about["started_at"]) if about["started_at"] else None,
        device=Device(**about["device"]),
        filters=about["filters"],
        patient_fields=about["patient"],
        device_measurements={
            name: DeviceMeasurement(Decimal(one["value"]), one["unit"])
            for name, one in about["measurements"].items()
        },
        statements=tuple(about["statements"]),
    )


def _about(recording: EkgRecording) -> dict[str, Any]:
    started = recording.started_at
    return {
        "sample_rate_hz": recording.sample_rate_hz,
        "started_at": started.isoformat() if started else None,
        "device": asdict(recording.device),
        "filters": dict(recording.filters),
        "patient": dict(recording.patient_fields),
        "measurements": {
            name: {"value": str(one.value), "unit": one.unit}
            for name, one in recording.device_measurements.items()
        },
        "statements": list(recording.statements),
    }


def _arrow() -> tuple[Any, Any]:
    """Pyarrow, and its part for Parquet."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise FormatError(FORMAT, "pyarrow", "is not there; install gateway with the extra parquet") from None
