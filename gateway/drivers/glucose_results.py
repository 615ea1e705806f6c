"""Readings of what glucose meters keep in their memories."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from gateway.drivers.stored_records import held
from gateway.model import UNKNOWN_TIME, Observation, Reading, rejected
from gateway.model.reading import Status

CONTROL_SOLUTION = "control solution: a check of the meter"
_MEASURED: Mapping[str, tuple[Decimal, Decimal]] = MappingProxyType(
    {"mg/dL": (Decimal(10), Decimal(600)), "mmol/L": (Decimal("0.5"), Decimal("33.3"))}
)


def glucose(
    value: Decimal | None, unit: str, *, reasons: Iterable[str] = (), notes: Iterable[str] = ()
) -> Reading:
    """The reading of a result; rejected for any reason why it is none, such as control solution.

    A value that no meter measures without saying so is questionable.
    """
    why_not = tuple(reasons)
    if value is None or why_not:
        return rejected("glucose", ", ".join(why_not) or "there is no value").noted(*notes)
    if value <= 0:
        return rejected("glucose", f"a glucose of {value:f} {unit} is not a patient's").noted(*notes)
    low, high = _MEASURED[unit]
    doubts = () if low <= value <= high else (f"outside the {low} to {high} {unit} that meters measure",)
    return Reading(
        kind="glucose",
        observations=(Observation("glucose", value, unit),),
        status="questionable" if doubts else "final",
        notes=(*doubts, *notes),
    )


def unknown_time(reading: Reading) -> Reading:
    """A record of a memory whose stamp is no time: nobody knows whose it is, and a person has to say."""
    status: Status | None = None if reading.status == "rejected" else "questionable"
    return held(reading.noted(UNKNOWN_TIME, status=status))
