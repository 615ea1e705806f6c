"""What each segment's fields hold: type, table, whether they must be there, how often, how long.

HL7 v2.3, v2.5.1 and v2.6. Fields that are not listed hold anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

Version: TypeAlias = tuple[int, ...]
ALWAYS: Version = ()
V2_3, V2_5, V2_6, V2_7 = (2, 3), (2, 5), (2, 6), (2, 7)


def version_of(text: str) -> Version:
    """``2.5.1`` as numbers that compare; what is none counts as 2.5.1."""
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", text, re.ASCII)
    return tuple(int(part) for part in found.groups() if part) if found else (2, 5, 1)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a segment.

    Parameters
    ----------
    number : int
    type : str
        Of OBX-5, the one that OBX-2 states.
    required, repeats : bool
    table : str
        Of its first component.
    longest : tuple of (version, int)
        Characters allowed from that version on.
    since, until : Version
        In which versions the row holds.
    """

    number: int
    type: str = "ST"
    required: bool = False
    repeats: bool = False
    table: str = ""
    longest: tuple[tuple[Version, int], ...] = ()
    since: Version = ALWAYS
    until: Version = (9,)

    def holds_in(self, version: Version) -> bool:
        return self.since <= version < self.until

    def longest_in(self, version: Version) -> int | None:
        return next((length for since, length in reversed(self.longest) if since <= version), None)


FIELDS: Mapping[str, tuple[Field, ...]] = MappingProxyType(
    {
        "MSH": (
            Field(3, "HD"), Field(4, "HD"), Field(5, "HD"), Field(6, "HD"),
            Field(7, "TS", required=True, since=V2_5),
            Field(7, "TS", until=V2_5),
            Field(9, "MSG", required=True),
            Field(10, required=True, longest=((ALWAYS, 20), (V2_6, 50), (V2_7, 199))),
            Field(11, "PT", required=True),
            Field(12, "VID", required=True),
            Field(13, "NM"),
            Field(15, "ID", table="0155"), Field(16, "ID", table="0155"),
            Field(18, repeats=True),
            Field(21, "EI", repeats=True, since=V2_5),
        ),
        "EVN": (
            Field(1, "ID", table="0003"), Field(2, "TS", required=True), Field(3, "TS"), Field(6, "TS"),
        ),
        "PID": (
            Field(1, "SI"),
            Field(3, "CX", required=True, repeats=True),
            Field(5, "XPN", required=True, repeats=True, since=(2, 4)),
            Field(5, "XPN", required=True, until=(2, 4)),
            Field(7, "TS"), Field(8, "IS", table="0001"),
            Field(29, "TS"), Field(30, "ID", table="0136"),
        ),
        "PV1": (
            Field(1, "SI"), Field(2, "IS", required=True, table="0004"),
            Field(19, "CX"), Field(44, "TS"), Field(45, "TS", repeats=True), Field(50, "CX"),
        ),
        "MRG": (Field(1, "CX", required=True, repeats=True), Field(4, "CX"), Field(5, "CX")),
        "ORC": (
            Field(1, "ID", required=True, table="0119"), Field(2, "EI"), Field(3, "EI"),
            Field(5, "ID", table="0038"), Field(9, "TS"), Field(15, "TS"),
        ),
        "TQ1": (Field(1, "SI"), Field(2, "CQ"), Field(7, "TS"), Field(8, "TS")),
        "OBR": (
            Field(1, "SI"), Field(2, "EI"), Field(3, "EI"),
            Field(4, "CE", required=True),
            Field(6, "TS"), Field(7, "TS"), Field(8, "TS"), Field(14, "TS"), Field(22, "TS"),
            Field(25, "ID", table="0123"),
        ),
        "OBX": (
            Field(1, "SI"), Field(2, "ID", table="0125"),
            Field(3, "CE", required=True),
            Field(6, "CE"),
            Field(8, "IS", repeats=True, table="0078"),
            Field(11, "ID", required=True, table="0085"),
            Field(12, "TS"), Field(14, "TS"),
            Field(17, "CE", repeats=True),
            Field(18, "EI", repeats=True, since=V2_5),
            Field(19, "TS", since=V2_5),
        ),
        "NTE": (Field(1, "SI"), Field(2, "ID", table="0105")),
        "MSA": (Field(1, "ID", required=True, table="0008"), Field(2, required=True)),
        "ERR": (
            Field(3, "CWE", required=True, table="0357", since=V2_5),
            Field(4, "ID", required=True, table="0516", since=V2_5),
        ),
        "QPD": (Field(1, "CE", required=True), Field(2, required=True), Field(3, repeats=True)),
        "RCP": (Field(1, "ID", table="0091"),),
        "QAK": (Field(1, required=True), Field(2, "ID", required=True, table="0208")),
        "SPM": (Field(1, "SI"), Field(4, "CWE", required=True)),
        "NK1": (Field(1, "SI", required=True), Field(2, "XPN", repeats=True)),
    }
)  # fmt: skip
