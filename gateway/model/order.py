"""What somebody wants measured: an order, as the EHR placed it."""

from dataclasses import dataclass
from datetime import datetime

from gateway.model.patient import Encounter, Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One service ordered for one patient.

    Parameters
    ----------
    placer, filler : str
        ORC-2 and ORC-3 as received, to be given back: ``ORD7762^OE``. Every result names the placer's number.
    service : str
        OBR-4 as received, to be given back; empty where a message only speaks of an order.
    codes : tuple of str
        The service's code and its alternate.
    patient : Patient, optional
    encounter : Encounter, optional
        Where the order says that the patient is.
    due_at : datetime, optional
        When it is to be done; without a zone where the sender states none.
    """

    placer: str
    filler: str = ""
    service: str = ""
    codes: tuple[str, ...] = ()
    patient: Patient | None = None
    encounter: Encounter | None = None
    due_at: datetime | None = None
