"""Which segments a message has, in which order: the standard's own notation, read and matched.

``[X]`` may be absent, ``{X}`` may repeat, ``X|Y`` is one of them. HL7 v2.5.1 chapters 2, 3, 4, 5 and 7, and
for QBP^Q22 and its answer IHE ITI-21. Segments that begin with Z stand anywhere. A result before an order
within OMG^O19 is known by its PID.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import TypeAlias

_ADT_HEAD = "MSH [{SFT}] EVN PID [PD1]"
_INSURED = "[{GT1}] [{IN1 [IN2] [{IN3}] [{ROL}]}]"
_VISIT = "[{ROL}] [{NK1}] PV1 [PV2] [{ROL}] [{DB1}]"
_ORDERED_FOR = (
    "[PID [PD1] [{NTE}] [{NK1}] [PV1 [PV2]] [{IN1 [IN2] [IN3]}] [GT1] [{AL1}]]"
)  # fmt: skip
_STRUCTURES = {
    "ACK": "MSH [{SFT}] MSA [{ERR}]",
    "ADT_A01": f"{_ADT_HEAD} {_VISIT} [{{OBX}}] [{{AL1}}] [{{DG1}}] [DRG] [{{PR1 [{{ROL}}]}}] {_INSURED}"
    " [ACC] [UB1] [UB2] [PDA]",
    "ADT_A02": f"{_ADT_HEAD} [{{ROL}}] PV1 [PV2] [{{ROL}}] [{{DB1}}] [{{OBX}}] [PDA]",
    "ADT_A03": f"{_ADT_HEAD} {_VISIT} [{{AL1}}] [{{DG1}}] [DRG] [{{PR1 [{{ROL}}]}}] [{{OBX}}] {_INSURED}"
    " [ACC] [PDA]",
    "ADT_A05": f"{_ADT_HEAD} {_VISIT} [{{OBX}}] [{{AL1}}] [{{DG1}}] [DRG] [{{PR1 [{{ROL}}]}}] {_INSURED}"
    " [ACC] [UB1] [UB2]",
    "ADT_A09": f"{_ADT_HEAD} PV1 [PV2] [{{DB1}}] [{{OBX}}] [{{DG1}}]",
    "ADT_A12": f"{_ADT_HEAD} PV1 [PV2] [{{DB1}}] [{{OBX}}] [{{DG1}}]",
    "ADT_A30": f"{_ADT_HEAD} MRG",
    "ADT_A39": "MSH [{SFT}] EVN {PID [PD1] MRG [PV1]}",
    "ORM_O01": f"MSH [{{NTE}}] {_ORDERED_FOR} {{ORC [OBR|RQD|RQ1|RXO|ODS|ODT [{{NTE}}] [CTD] [{{DG1}}]"
    " [{OBX [{NTE}]}]] [{FT1}] [{CTI}] [BLG]}",
    "OMG_O19": f"MSH [{{SFT}}] [{{NTE}}] {_ORDERED_FOR} {{ORC [{{TQ1 [{{TQ2}}]}}] OBR [{{NTE}}] [CTD]"
    " [{DG1}] [{OBX [{TCD}] [{NTE}]}] [{SPM [{OBX}]}]"
    " [{PID [PD1] [PV1 [PV2]] [{AL1}] {[ORC] OBR [{NTE}] [CTD] {OBX [{NTE}]}}}] [{FT1}] [{CTI}] [BLG]}",
    "ORR_O02": "MSH MSA [{ERR}] [{SFT}] [{NTE}] [[PID [{NTE}]] {ORC [OBR|RQD|RQ1|RXO|ODS|ODT] [{NTE}]"
    " [{CTI}]}]",
    "ORG_O20": "MSH MSA [{ERR}] [{SFT}] [{NTE}] [[PID [{NTE}]] {ORC [{TQ1 [{TQ2}]}] [OBR] [{NTE}] [{CTI}]"
    " [{SPM}]}]",
    "ORU_R01": "MSH [{SFT}] {[PID [PD1] [{NTE}] [{NK1}] [PV1 [PV2]]] {[ORC] OBR [{NTE}] [{TQ1 [{TQ2}]}] [CTD]"
    " [{OBX [{NTE}]}] [{FT1}] [{CTI}] [{SPM [{OBX}]}]}} [DSC]",
    "QBP_Q21": "MSH [{SFT}] QPD RCP [DSC]",
    "RSP_K21": "MSH [{SFT}] MSA [{ERR}] QAK QPD [{PID [PD1] [{NK1}] [QRI]}] [DSC]",
}
_OF_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("ADT^A01", "ADT^A04", "ADT^A08", "ADT^A13"), "ADT_A01"),
        "ADT^A02": "ADT_A02",
        "ADT^A03": "ADT_A03",
        **dict.fromkeys(("ADT^A05", "ADT^A28", "ADT^A31"), "ADT_A05"),
        **dict.fromkeys(("ADT^A10", "ADT^A11"), "ADT_A09"),
        "ADT^A12": "ADT_A12",
        "ADT^A47": "ADT_A30",
        "ADT^A40": "ADT_A39",
        "ORM^O01": "ORM_O01",
        "OMG^O19": "OMG_O19",
        "ORR^O02": "ORR_O02",
        "ORG^O20": "ORG_O20",
        "ORU^R01": "ORU_R01",
        "QBP^Q22": "QBP_Q21",
        "RSP^K22": "RSP_K21",
    }
)
_TOKEN = re.compile(r"[\[\]{}]|[A-Z0-9|]+")
_CLOSING = {"[": "]", "{": "}"}
_MOST_FAULTS = 50


@dataclass(frozen=True, slots=True)
class _Group:
    """Some elements, one after another, which as a whole may be absent or repeat."""

    elements: "tuple[_Element, ...]"
    optional: bool = False
    repeats: bool = False

    @property
    def first(self) -> frozenset[str]:
        """The segments that can begin it."""
        names: frozenset[str] = frozenset()
        for element in self.elements:
            names |= _first(element)
            if isinstance(element, frozenset) or not element.optional:
                break
        return names


_Element: TypeAlias = frozenset[str] | _Group


def _first(element: _Element) -> frozenset[str]:
    return element if isinstance(element, frozenset) else element.first


def _read(tokens: Iterator[str], closing: str = "") -> tuple[_Element, ...]:
    elements: list[_Element] = []
    for token in tokens:
        if token == closing:
            break
        if token in _CLOSING:
            elements.append(_bracketed(token, _read(tokens, _CLOSING[token])))
        else:
            elements.append(frozenset(token.split("|")))
    return tuple(elements)


def _bracketed(opening: str, inside: tuple[_Element, ...]) -> _Group:
    optional, repeats = opening == "[", opening == "{"
    if len(inside) == 1 and isinstance(inside[0], _Group):
        only = inside[0]
        return _Group(only.elements, optional or only.optional, repeats or only.repeats)
    return _Group(inside, optional, repeats)


@cache
def _structure(name: str) -> _Group:
    return _Group(_read(iter(_TOKEN.findall(_STRUCTURES[name]))))


def _names(element: _Element) -> frozenset[str]:
    if isinstance(element, frozenset):
        return element
    return frozenset().union(*map(_names, element.elements))


def structure_name(message_type: str, trigger: str) -> str | None:
    """The structure that a message of that type has, or None where it is not known here."""
    return "ACK" if message_type == "ACK" else _OF_MESSAGES.get(f"{message_type}^{trigger}")


Misplaced: TypeAlias = tuple[int | None, str, str]


def structure_faults(names: Sequence[str], structure: str) -> tuple[Misplaced, ...]:
    """What is wrong with a message's sequence of segments.

    Parameters
    ----------
    names : sequence of str
        Of all its segments, in order.
    structure : str
        As :func:`structure_name` gives it.

    Returns
    -------
    tuple of (index, segment, reason)
        The index is that of a segment that stands wrongly; None for one that is missing.
    """
    whole = _structure(structure)
    known = _names(whole)
    strange: Iterator[Misplaced] = (
        (index, name, f"does not belong in {structure}")
        for index, name in enumerate(names)
        if name not in known and not name.startswith("Z")
    )
    faults = list(islice(strange, _MOST_FAULTS))
    left = [(index, name) for index, name in enumerate(names) if name in known]
    while len(faults) < _MOST_FAULTS:
        missing: list[Misplaced] = []
        reached = _match(whole, left, 0, missing)
        if reached == len(left):
            faults.extend(missing)
            break
        index, name = left.pop(reached)
        faults.append((index, name, f"stands where {structure} has none, or once too often"))
    return tuple(faults)


def _match(group: _Group, left: Sequence[tuple[int, str]], at: int, missing: list[Misplaced]) -> int:
    """Match one occurrence of the group from `at` on; where it ended."""
    for element in group.elements:
        starts = _first(element)
        if at < len(left) and left[at][1] in starts:
            at = _matched(element, left, at, missing)
        elif isinstance(element, frozenset) or not element.optional:
            name = min(_required(element))
            before = f" before {_place(left, at)}" if at < len(left) else ""
            missing.append((None, name, f"required, and missing{before}"))
    return at


def _matched(element: _Element, left: Sequence[tuple[int, str]], at: int, missing: list[Misplaced]) -> int:
    if isinstance(element, frozenset):
        return at + 1
    starts = element.first
    while at < len(left) and left[at][1] in starts:
        at = _match(element, left, at, missing)
        if not element.repeats:
            break
    return at


def _required(element: _Element) -> frozenset[str]:
    """The first segment of a group that cannot be left out."""
    if isinstance(element, frozenset):
        return element
    return next(
        _required(inner) for inner in element.elements if isinstance(inner, frozenset) or not inner.optional
    )


def _place(left: Sequence[tuple[int, str]], at: int) -> str:
    name = left[at][1]
    count = Counter(other for _, other in left[: at + 1])[name]
    return f"{name}[{count}]"
