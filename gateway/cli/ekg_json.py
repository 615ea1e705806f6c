"""What ``ekg info`` and ``ekg analyze`` say of a recording, as JSON. Patients' fields are named only."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from gateway.model import DeviceMeasurement, EkgGroup, EkgRecording

if TYPE_CHECKING:  # `ekg info` has no need of SciPy
    from gateway.signal import Measurements


def info(recording: EkgRecording) -> dict[str, object]:
    """What the file holds."""
    return {
        "format": recording.format,
        "format_version": recording.format_version,
        "device": asdict(recording.device),
        "started_at": recording.started_at.isoformat() if recording.started_at else None,
        "sample_rate_hz": recording.sample_rate_hz,
        "samples": recording.samples_mv.shape[-1],
        "duration_s": round(recording.duration_s, 6),
        "leads": list(recording.leads),
        "filters": dict(recording.filters),
        "patient_fields": sorted(recording.patient_fields),
        "measurements": _measurements(recording.device_measurements),
        "statements": list(recording.statements),
        "groups": [_group(group) for group in recording.groups],
        "warnings": list(recording.warnings),
    }


def analysis(recording: EkgRecording, measured: "Measurements") -> dict[str, object]:
    """What was measured in the recording, and beside it what the machine itself reported."""
    return {
        "format": recording.format,
        "sample_rate_hz": recording.sample_rate_hz,
        "duration_s": round(recording.duration_s, 6),
        "leads": list(recording.leads),
        **measured.as_json(),
        "device": {
            "measurements": _measurements(recording.device_measurements),
            "statements": list(recording.statements),
        },
    }


def _measurements(values: Mapping[str, DeviceMeasurement]) -> dict[str, object]:
    return {name: {"value": format(m.value, "f"), "unit": m.unit} for name, m in values.items()}


def _group(group: EkgGroup) -> dict[str, object]:
    return {
        "label": group.label,
        "leads": list(group.leads),
        "samples": group.samples_mv.shape[-1],
        "sample_rate_hz": group.sample_rate_hz,
    }
