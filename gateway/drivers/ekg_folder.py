"""EKG machines that drop their recordings as files in a folder.

Every complete file is one recording in any format that :mod:`gateway.formats` recognises by content; the
byte tables and sources stand there. What the machine itself measured becomes the reading's observations,
its interpretation and whatever does not hold in the file become notes. Patient fields of the file are a
hint for whoever matches, never an identity. Evidence: capture.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.drivers.contract import Driver, Events, Fault, FolderLink, Measured
from gateway.errors import FormatError
from gateway.model import EkgRecording, Observation, Reading

_UNITS = {
    "heart-rate": "/min",
    "rr-interval": "ms",
    "p-duration": "ms",
    "pr-interval": "ms",
    "qrs-duration": "ms",
    "qt-interval": "ms",
    "qtc-interval": "ms",
    "p-axis": "deg",
    "qrs-axis": "deg",
    "t-axis": "deg",
}
_PATTERNS = ("*.xml", "*.scp", "*.dcm", "*.edf", "*.bdf", "*.ecg", "*.mwf", "*.atc", "*.json", "*.dat")


def reading_of(recording: EkgRecording) -> Reading:
    """The recording as a reading, with what its machine reported."""
    return Reading(
        kind="ekg",
        observations=tuple(_reported(recording)),
        notes=recording.statements + recording.warnings,
        taken_at=recording.started_at,
        time_source="device" if recording.started_at else None,
        subject=recording.patient_fields.get("id"),
        device=recording.device,
        ekg=recording,
    )


def _reported(recording: EkgRecording) -> Iterator[Observation]:
    for name, unit in _UNITS.items():
        measurement = recording.device_measurements.get(name)
        if measurement is not None and measurement.unit == unit:
            yield Observation(name, measurement.value, unit)


class Session:
    """One file in, one reading or one fault out."""

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        from gateway.formats import parse  # noqa: PLC0415 - whoever lists drivers need not wait for NumPy

        try:
            return (Measured(reading_of(parse({channel: data}, channel))),)
        except FormatError as error:
            return (Fault("format", str(error), error.offset),)


DRIVER = Driver(
    id="ekg-folder",
    vendor="",
    models=(),
    kind="ekg",
    emits={name: (unit,) for name, unit in _UNITS.items()},
    links=(FolderLink(patterns=_PATTERNS),),
    evidence="capture",
    session=Session,
)
