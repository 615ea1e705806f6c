"""What of an EKG's recording goes into a message besides its measures: statements, waveform, documents.

A lead is a numeric array of whole counts; before it stand its sampling rate, and the resolution by which a
count becomes millivolts, as IHE's waveform communication (PCD WCM) has them: facets of the lead in OBX-4.
A count that is missing is a sample without signal. Documents are encapsulated data, Base64 without line
breaks.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from gateway.hl7.building import Er7, Field, numeric_array
from gateway.hl7.profiles import EkgForm, Profile

EkgDocument = Literal["aecg", "pdf"]

_IMPRESSION = ("18844-1", "EKG impression", "LN")
_STUDY = ("11524-6", "EKG study", "LN")
_RATE = ("0", "MDC_ATTR_SAMP_RATE", "MDC")
_RESOLUTION = ("2327", "MDC_ATTR_NU_MSMT_RES", "MDC")
_LEAD_CODES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        name: (str(131328 + number), f"MDC_ECG_ELEC_POTL_{name.upper()}", "MDC")
        for name, number in (
            ("I", 1), ("II", 2), ("V1", 3), ("V2", 4), ("V3", 5), ("V4", 6), ("V5", 7), ("V6", 8),
            ("III", 61), ("aVR", 62), ("aVL", 63), ("aVF", 64),
        )
    }
)  # fmt: skip
_UNITS: Mapping[str, Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "LN": {
            "rate": ("Hz", "hertz", "UCUM"),
            "resolution": ("mV", "millivolt", "UCUM"),
            "counts": ("{count}", "count", "UCUM"),
        },
        "MDC": {
            "rate": ("264608", "MDC_DIM_PER_SEC", "MDC"),
            "resolution": ("266418", "MDC_DIM_MILLI_VOLT", "MDC"),
            "counts": ("262656", "MDC_DIM_DIMLESS", "MDC"),
        },
    }
)
_DOCUMENT_TYPES: Mapping[EkgDocument, tuple[str, str]] = MappingProxyType(
    {"aecg": ("text", "xml"), "pdf": ("application", "pdf")}
)
_DOCUMENT_NAMES: Mapping[EkgDocument, str] = MappingProxyType(
    {"aecg": "the aECG document", "pdf": "the printed EKG"}
)


@dataclass(frozen=True, slots=True)
class LeadCounts:
    """One lead without loss.

    Parameters
    ----------
    name : str
    counts : sequence of int or ""
        "" where there was no signal.
    resolution_mv : Decimal
        Millivolts of one count.
    """

    name: str
    counts: Sequence[int | str]
    resolution_mv: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EkgParts:
    """What there is of one recording to be sent.

    Parameters
    ----------
    statements : tuple of str
        The machine's interpretation, in its words.
    leads : tuple of LeadCounts
    sample_rate_hz : Decimal, optional
    documents : mapping of {"aecg", "pdf"} to bytes
    missing : mapping of str to str
        Why a form could not be made of it.
    """

    statements: tuple[str, ...] = ()
    leads: tuple[LeadCounts, ...] = ()
    sample_rate_hz: Decimal | None = None
    documents: Mapping[EkgDocument, bytes] = field(default_factory=dict)
    missing: Mapping[EkgForm, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EkgResults:
    """Fields 2 to 6 of each OBX.

    Parameters
    ----------
    results : tuple of mapping
    notes : tuple of str
        What is to be said of those that are left out.
    told : tuple of str
        Statements, which need no note any more.
    """

    results: tuple[Mapping[int, Field], ...]
    notes: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """Results that go together or not at all, each with its facet in OBX-4; and their longest value."""

    name: str
    size: int
    results: tuple[tuple[str, Mapping[int, Field]], ...]


def ekg_results(parts: EkgParts, profile: Profile, first: int) -> EkgResults:
    """The results that the profile wants of those that there are, without any that is too long for it.

    Parameters
    ----------
    parts : EkgParts
    profile : Profile
    first : int
        The first number that is free in OBX-4.
    """
    prefix = "1.0.0." if profile.nomenclature == "MDC" else ""
    results: list[Mapping[int, Field]] = []
    notes = [text for form, text in parts.missing.items() if form in profile.ekg]
    for number, group in enumerate(_groups(parts, profile), start=first):
        if profile.largest_value is not None and group.size > profile.largest_value:
            notes.append(
                f"{group.name} is left out: {group.size} characters, {profile.largest_value} are allowed"
            )
        else:
            results += ({**fields, 4: f"{prefix}{number}{facet}"} for facet, fields in group.results)
    told = parts.statements if "statements" in profile.ekg else ()
    return EkgResults(tuple(results), tuple(notes), told)


def _groups(parts: EkgParts, profile: Profile) -> Iterator[_Group]:
    if "statements" in profile.ekg:
        for text in parts.statements:
            yield _Group("a statement", len(text), (("", {2: "TX", 3: _IMPRESSION, 5: text}),))
    if "waveform" in profile.ekg:
        for lead in parts.leads:
            yield _lead(lead, parts.sample_rate_hz, _UNITS[profile.nomenclature])
    for form, document in parts.documents.items():
        if form in profile.ekg:
            kind = ("", "PDF") if form == "pdf" and profile.plain_pdf else _DOCUMENT_TYPES[form]
            encoded = Er7(b64encode(document).decode())
            fields: Mapping[int, Field] = {2: "ED", 3: _STUDY, 5: ("", *kind, "Base64", encoded)}
            yield _Group(_DOCUMENT_NAMES[form], len(encoded), (("", fields),))


def _lead(lead: LeadCounts, rate_hz: Decimal | None, units: Mapping[str, tuple[str, str, str]]) -> _Group:
    code = _LEAD_CODES.get(lead.name) or (lead.name, f"EKG lead {lead.name}", "L")
    counts = numeric_array([lead.counts])
    return _Group(
        f"lead {lead.name}",
        len(counts),
        (
            (".1", {2: "NM", 3: _RATE, 5: rate_hz, 6: units["rate"]}),
            (".2", {2: "NM", 3: _RESOLUTION, 5: lead.resolution_mv, 6: units["resolution"]}),
            ("", {2: "NA", 3: code, 5: counts, 6: units["counts"]}),
        ),
    )
