"""Which kinds of reading carry out an ordered service, by the service's LOINC code."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from gateway.hl7.oru import PANELS
from gateway.model.vocabulary import TERMS, ReadingKind

_VITAL_SIGNS: frozenset[ReadingKind] = frozenset(
    {
        "blood-pressure",
        "temperature",
        "pulse-oximetry",
        "heart-rate",
        "respiration",
        "weight",
        "height",
        "body-composition",
    }
)
_ORDERABLE: Mapping[str, frozenset[ReadingKind]] = MappingProxyType(
    {
        "85353-1": _VITAL_SIGNS,
        "8716-3": _VITAL_SIGNS,
        "34565-2": _VITAL_SIGNS,
        "35094-2": frozenset({"blood-pressure"}),
        "55284-4": frozenset({"blood-pressure"}),
        "8867-4": frozenset({"heart-rate"}),
        "34534-8": frozenset({"ekg"}),
        "24356-8": frozenset({"urinalysis"}),
    }
)
"""What is ordered by codes that no term has: vital signs, blood pressure, heart rate, EKG, urinalysis."""

_KINDS_OF: Mapping[str, tuple[ReadingKind, ...]] = MappingProxyType(
    {
        "systolic": ("blood-pressure",),
        "diastolic": ("blood-pressure",),
        "mean-arterial-pressure": ("blood-pressure",),
        "temperature": ("temperature",),
        "weight": ("weight", "body-composition"),
        "height": ("height",),
        "spo2": ("pulse-oximetry",),
        "respiration-rate": ("respiration",),
        "hcg": ("pregnancy-test",),
        "pain": ("pain",),
    }
)
"""The kinds that a quantity is ordered as, where the vocabulary allows it in any."""


def _services() -> Iterator[tuple[str, ReadingKind]]:
    for kind, (code, _) in PANELS.items():
        yield code, kind
    for code, kinds in _ORDERABLE.items():
        yield from ((code, kind) for kind in sorted(kinds))
    for term in TERMS:
        if term.loinc and term.loinc not in _ORDERABLE:
            for kind in term.kinds or _KINDS_OF.get(term.name, ()):
                yield term.loinc, kind


def _by_code() -> dict[str, frozenset[ReadingKind]]:
    found: dict[str, frozenset[ReadingKind]] = {}
    for code, kind in _services():
        found[code] = found.get(code, frozenset()) | {kind}
    return found


SERVICES: Mapping[str, frozenset[ReadingKind]] = MappingProxyType(_by_code())
