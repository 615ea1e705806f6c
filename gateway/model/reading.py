"""What a device said: a reading and the observations in it."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Self

from gateway.model.vocabulary import ReadingKind

if TYPE_CHECKING:
    from gateway.model.ekg import EkgRecording

Status = Literal["final", "questionable", "rejected", "withdrawn"]
TimeSource = Literal["device", "gateway"]
Comparator = Literal["<", "<=", ">=", ">"]

UNKNOWN_TIME = "a record of the past, of unknown time"
"""The doubt of a record whose time, the gateway's, is that of its delivery only."""


@dataclass(frozen=True, slots=True)
class Device:
    """Who measured. A field that nobody stated is None.

    Parameters
    ----------
    vendor, model : str, optional
    serial : str, optional
        As the device, its cable or the configuration states it.
    id : str, optional
        Stable over reconnections and restarts: an EUI-64, a Bluetooth identity address, a USB path.
    """

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    id: str | None = None

    def filled_from(self, other: "Device") -> "Device":
        """The device, with what it does not state taken from `other`."""
        return Device(*(getattr(self, f.name) or getattr(other, f.name) for f in fields(Device)))


@dataclass(frozen=True, slots=True)
class Sent:
    """Value and unit as the device sent them, where the standard's unit is not the customary one."""

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured quantity.

    Parameters
    ----------
    name : str
        From the vocabulary; an analyser's own code where the vocabulary has none.
    value : Decimal, optional
        Exactly the digits that the device sent. None where there is no number.
    unit : str, optional
        UCUM. None where the quantity has no unit.
    comparator : {"<", "<=", ">=", ">"}, optional
        The value is a limit: ``>= 80``.
    text : str, optional
        A result that is not a number: ``Negative``, ``20/40``.
    site : str, optional
        Where on the body: ``oral``, ``ear``, ``left-arm``.
    as_sent : Sent, optional
    """

    name: str
    value: Decimal | None = None
    unit: str | None = None
    comparator: Comparator | None = None
    text: str | None = None
    site: str | None = None
    as_sent: Sent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measurement as a person would speak of it: a blood pressure with its pulse, a weight, an EKG.

    Parameters
    ----------
    kind : str
    observations : tuple of Observation
        Empty in a rejected reading.
    status : {"final", "questionable", "rejected", "withdrawn"}
    notes : tuple of str
        What the device said besides: ``irregular pulse detected``, the reason of a rejection.
    taken_at : datetime, optional
        With its offset. None only until somebody who has a clock fills it in.
    time_source : {"device", "gateway"}, optional
    clock_drift : timedelta, optional
        The device's clock minus the gateway's, measured at connection.
    sequence : str, optional
        The device's own number of this record.
    doubt : str, optional
        Why nobody can tell by itself whose it is, though patient and room are known: it waits for a person.
    slot : str, optional
        The user's memory of the device that it is in. Never an identity, but part of which record it is.
    subject : str, optional
        What was typed or scanned at the device as the patient's identifier. A hint, never an identity.
    device : Device
    driver : str, optional
    patient_id : str, optional
        Set when a patient has been found.
    ekg : EkgRecording, optional
    provenance : bytes
        The bytes that it was made of. They go to the store and no further.
    """

    kind: ReadingKind
    observations: tuple[Observation, ...] = ()
    status: Status = "final"
    notes: tuple[str, ...] = ()
    taken_at: datetime | None = None
    time_source: TimeSource | None = None
    clock_drift: timedelta | None = None
    sequence: str | None = None
    doubt: str | None = None
    slot: str | None = None
    subject: str | None = None
    device: Device = field(default_factory=Device)
    driver: str | None = None
    patient_id: str | None = None
    ekg: "EkgRecording | None" = None
    provenance: bytes = b""

    def taken(self, at: datetime, *, by: TimeSource) -> Self:
        """The same reading, measured `at` by the clock of the device or of the gateway."""
        return replace(self, taken_at=at, time_source=by)

    def noted(self, *notes: str, status: Status | None = None) -> Self:
        """The same reading with more notes and, where given, another status."""
        return replace(self, notes=self.notes + notes, status=status or self.status)

    def value(self, name: str) -> Decimal | None:
        """The number of the first observation of that name, if there is one."""
        return next((o.value for o in self.observations if o.name == name), None)


def rejected(kind: ReadingKind, reason: str, *, sequence: str | None = None) -> Reading:
    """A measurement that the device declares failed, or that cannot be a patient's: no values."""
    return Reading(kind=kind, status="rejected", notes=(reason,), sequence=sequence)
