"""Whose a reading is: the patient, and the visit that put the patient in a room."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Identifier:
    """A patient's or visit's number. It means nothing without the authority that gave it.

    Parameters
    ----------
    value : str
    authority : str
        HL7 CX.4, its first part: ``NORTH``.
    type : str
        HL7 table 0203: ``MR``, ``PI``, ``VN``, ...
    """

    value: str
    authority: str = ""
    type: str = ""

    @property
    def text(self) -> str:
        """With its authority: ``8834021@NORTH``."""
        return f"{self.value}@{self.authority}" if self.authority else self.value


@dataclass(frozen=True, slots=True, repr=False)
class Patient:
    """A person, as far as a result message needs to name one. Its repr shows nothing of them.

    Parameters
    ----------
    identifiers : tuple of Identifier
        The first is the one that results are filed by.
    family_name, given_name, middle_name : str
    birth_date : str
        As stated, ``YYYY[MM[DD]]``.
    sex : str
        HL7 table 0001.
    """

    identifiers: tuple[Identifier, ...]
    family_name: str = ""
    given_name: str = ""
    middle_name: str = ""
    birth_date: str = ""
    sex: str = ""

    def __repr__(self) -> str:
        return f"<Patient, {len(self.identifiers)} identifiers>"

    @property
    def id(self) -> str:
        """The identifier that results are filed by, with its authority: ``8834021@NORTH``."""
        return self.identifiers[0].text


Particular = Literal["name", "birth_date", "sex"]
PARTICULARS: Mapping[Particular, tuple[str, ...]] = MappingProxyType(
    {
        "name": ("family_name", "given_name", "middle_name"),
        "birth_date": ("birth_date",),
        "sex": ("sex",),
    }
)
"""What a message states, or leaves out, as one; and the attributes of a patient that it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """A patient in a room, from the message that said so until one that ends it.

    Parameters
    ----------
    room : str
        As the EHR names it in PV1-3.2.
    patient : Patient
    location : str
        PV1-3 as received, to be given back: ``FAMMED^EXAM3^^NORTH``.
    patient_class : str
        HL7 table 0004: ``O`` outpatient, ...
    visit : Identifier, optional
    opened_at : datetime
    closed_at : datetime, optional
    by_order : str
        The order that opened it, where no ADT message did.
    """

    room: str
    patient: Patient
    location: str = ""
    patient_class: str = ""
    visit: Identifier | None = None
    opened_at: datetime
    closed_at: datetime | None = None
    by_order: str = ""
