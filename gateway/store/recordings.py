"""EKG recordings, each with its reading: what a later message of the reading is made of."""

import io
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gateway.model import Device, DeviceMeasurement, EkgGroup, EkgRecording

if TYPE_CHECKING:  # readings of scales and cuffs should not wait for NumPy
    from numpy.typing import NDArray


def packed(recording: EkgRecording) -> bytes:
    """The recording without loss, but for the patient that its file names.

    Takes tens of milliseconds: not for the event loop, nor for the thread that writes.
    """
    import numpy as np  # noqa: PLC0415 - as above

    arrays = {"samples": recording.samples_mv}
    arrays |= {f"group{number}": group.samples_mv for number, group in enumerate(recording.groups)}
    head = json.dumps(_head(recording)).encode()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, head=np.frombuffer(head, np.uint8), **arrays)  # type: ignore[arg-type]  # its stub takes a flag among them
    return buffer.getvalue()


def unpacked(data: bytes) -> EkgRecording:
    """The recording that :func:`packed` was given."""
    import numpy as np  # noqa: PLC0415 - as above

    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        head = json.loads(arrays["head"].tobytes())
        groups = [replace(_group(row, arrays[f"group{n}"])) for n, row in enumerate(head.pop("groups"))]
        return _recording(head, arrays["samples"], tuple(groups))


def keep(db: sqlite3.Connection, reading_id: int, data: bytes) -> None:
    db.execute("INSERT INTO recording VALUES (?, ?)", (reading_id, data))


def find(db: sqlite3.Connection, reading_id: int) -> bytes | None:
    """The packed recording of the reading; None where it has none."""
    row = db.execute("SELECT data FROM recording WHERE reading_id = ?", (reading_id,)).fetchone()
    return None if row is None else bytes(row["data"])


def _head(recording: EkgRecording) -> Mapping[str, Any]:
    device = recording.device
    return {
        "format": recording.format,
        "format_version": recording.format_version,
        "leads": recording.leads,
        "sample_rate_hz": recording.sample_rate_hz,
        "started_at": recording.started_at and recording.started_at.isoformat(),
        "device": [device.vendor, device.model, device.serial, device.id],
        "filters": dict(recording.filters),
        "device_measurements": {
            name: [str(found.value), found.unit] for name, found in recording.device_measurements.items()
        },
        "statements": recording.statements,
        "warnings": recording.warnings,
        "groups": [[group.label, group.leads, group.sample_rate_hz] for group in recording.groups],
    }


def _group(row: list[Any], samples_mv: "NDArray[Any]") -> EkgGroup:
    label, leads, rate = row
    return EkgGroup(label, tuple(leads), samples_mv, rate)


def _recording(
    head: dict[str, Any], samples_mv: "NDArray[Any]", groups: tuple[EkgGroup, ...]
) -> EkgRecording:
    started_at = head["started_at"]
    measurements = {
        name: DeviceMeasurement(Decimal(value), unit)
        for name, (value, unit) in head["device_measurements"].items()
    }
    changed = {
        "leads": tuple(head["leads"]),
        "started_at": started_at and datetime.fromisoformat(started_at),
        "device": Device(*head["device"]),
        "device_measurements": measurements,
        "statements": tuple(head["statements"]),
        "warnings": tuple(head["warnings"]),
    }
    return EkgRecording(**{**head, **changed}, samples_mv=samples_mv, groups=groups)
