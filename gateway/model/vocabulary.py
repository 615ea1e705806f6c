"""What can be measured: every kind of reading and of device, and every quantity by its one name.

Names are the project's own. Each stands for one LOINC term and one IEEE 11073 (MDC) term, or for
several where kind of reading, site or unit decide: the pulse of a cuff is not the pulse of an oximeter,
glucose per mass is not glucose per amount of substance. :func:`term` picks the one that is meant.
"""

from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType

from gateway.model.kinds import DeviceKind, ReadingKind
from gateway.model.terms import TERMS, Limits, Term
from gateway.model.units import UNITS, Unit

__all__ = ["TERMS", "UNITS", "DeviceKind", "Limits", "ReadingKind", "Term", "Unit", "term"]


def _name(term: Term) -> str:
    return term.name


_BY_NAME: Mapping[str, tuple[Term, ...]] = MappingProxyType(
    {name: tuple(same) for name, same in groupby(sorted(TERMS, key=_name), key=_name)}
)


def term(name: str, *, kind: ReadingKind, unit: str | None = None, site: str | None = None) -> Term | None:
    """What `name` means in a reading of that kind, or None.

    None is the answer for an analyser's own code, and where only the unit could tell which of several
    terms is meant and it is none of theirs.
    """
    found = _BY_NAME.get(name, ())
    found = tuple(t for t in found if kind in t.kinds) or tuple(t for t in found if not t.kinds)
    found = tuple(t for t in found if site in t.sites) or tuple(t for t in found if not t.sites)
    found = tuple(t for t in found if (unit or "") in t.units) or found
    return found[0] if len(found) == 1 else None
