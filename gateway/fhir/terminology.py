"""The code systems of a FHIR server, and what its profiles of vital signs ask for. Tables only.

Source: FHIR R4 (4.0.1), profiles ``vitalsigns``, ``bp``, ``heartrate``, ``resprate``, ``oxygensat``,
``bodytemp``, ``bodyheight``, ``bodyweight`` and ``bmi`` with their value sets of units; code systems
``observation-category``, ``data-absent-reason``, ``provenance-participant-type``; HL7 table 0074; Personal
Health Device implementation guide (identifiers of devices); SNOMED CT, body structures as that guide and
public value sets list them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.model import ReadingKind

LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
UCUM = "http://unitsofmeasure.org"
SNOMED_CT = "http://snomed.info/sct"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"
EUI_64 = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
BLUETOOTH = "http://hl7.org/fhir/sid/eui-48/bluetooth"


@dataclass(frozen=True, slots=True)
class VitalSign:
    """What a profile asks of an observation.

    Parameters
    ----------
    profile : str
        Its name in FHIR.
    loinc, display : str
        The code that it must have, whatever more exact ones stand beside it.
    units : frozenset of str
        UCUM. A value in another unit is sent as it is, and does not claim the profile.
    """

    profile: str
    loinc: str
    display: str
    units: frozenset[str]

    @property
    def url(self) -> str:
        return f"http://hl7.org/fhir/StructureDefinition/{self.profile}"


def _vital_sign(profile: str, loinc: str, display: str, units: str) -> VitalSign:
    return VitalSign(profile, loinc, display, frozenset(units.split()))


BLOOD_PRESSURE = _vital_sign("bp", "85354-9", "Blood pressure panel with all children optional", "mm[Hg]")
_HEART_RATE = _vital_sign("heartrate", "8867-4", "Heart rate", "/min")
VITAL_SIGNS: Mapping[str, VitalSign] = MappingProxyType(
    {
        "heart-rate": _HEART_RATE,
        "pulse-rate": _HEART_RATE,
        "respiration-rate": _vital_sign("resprate", "9279-1", "Respiratory rate", "/min"),
        "spo2": _vital_sign("oxygensat", "2708-6", "Oxygen saturation in Arterial blood", "%"),
        "temperature": _vital_sign("bodytemp", "8310-5", "Body temperature", "Cel [degF]"),
        "height": _vital_sign("bodyheight", "8302-2", "Body height", "cm [in_i]"),
        "weight": _vital_sign("bodyweight", "29463-7", "Body weight", "g kg [lb_av]"),
        "bmi": _vital_sign("bmi", "39156-5", "Body mass index (BMI) [Ratio]", "kg/m2"),
    }
)
"""By the name of the observation. Blood pressure is the one that is made of several."""

COMPONENTS = ("systolic", "diastolic", "mean-arterial-pressure")
"""What one blood pressure is made of; the profile demands the first two."""

CATEGORIES: Mapping[ReadingKind, str] = MappingProxyType(
    {
        "glucose": "laboratory",
        "urinalysis": "laboratory",
        "pregnancy-test": "laboratory",
        "laboratory": "laboratory",
        "ekg": "procedure",
        "pain": "survey",
    }
)
"""Of observations that no profile of vital signs covers; ``exam`` for the other kinds."""
OTHER_CATEGORY = "exam"

SERVICES: Mapping[ReadingKind, tuple[str, str]] = MappingProxyType(
    {
        "ekg": ("EC", "Electrocardiac (e.g., EKG, EEC, Holter)"),
        "urinalysis": ("LAB", "Laboratory"),
        "hearing": ("AU", "Audiology"),
        "vision": ("OTH", "Other"),
    }
)
"""Kinds whose observations are grouped by a DiagnosticReport, with its section of HL7 table 0074."""

BODY_SITES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("oral", "mouth"), ("123851003", "Mouth region structure")),
        **dict.fromkeys(("axillary", "armpit"), ("91470000", "Axillary region structure")),
        **dict.fromkeys(("rectal", "rectum"), ("34402009", "Rectum structure")),
        **dict.fromkeys(("tympanic", "tympanum"), ("42859004", "Tympanic membrane structure")),
        "ear": ("117590005", "Ear structure"),
        "forehead": ("52795006", "Forehead structure"),
        "finger": ("7569003", "Finger structure"),
        "toe": ("29707007", "Toe structure"),
        "left-arm": ("368208006", "Left upper arm structure"),
        "right-arm": ("368209003", "Right upper arm structure"),
    }
)
"""Sites on the body. What is not here is a sample or a manner of speaking, and becomes a note."""
