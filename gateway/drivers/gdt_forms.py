"""Lines of text in which eye devices write their results into GDT files, for the forms that are known.

A form is taken only where a whole line has it; any other text stays text.

=====================  ==================================================================================
form                   as in
=====================  ==================================================================================
topcon-kr, field 6228  ``R.:S=- 5.50 Z=+ 0.00*  0 PD= 58 VD= 13.75``: sphere, cylinder, axis, pupil and
                       vertex distance; a blank may stand between sign and digits
topcon-ct, field 6205  ``R = 13 12 13 26 [16.0] // L = 44 44 44 [44.0] mmHg 15:20``: pressures of each eye
                       with their average in brackets, which is the result; and a time of day
=====================  ==================================================================================

Source: lines that bridges of a Topcon KR-800S and CT-1P wrote, as published. Evidence: capture.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from gateway.model import Observation

_EYES = {"R": "right", "L": "left"}
_REFRACTION = re.compile(
    r"(?P<eye>[RL])\.:S=(?P<sphere>[+-] *\d+\.\d\d) Z=(?P<cylinder>[+-] *\d+\.\d\d)\*\s*(?P<axis>\d{1,3})"
    r"(?: PD= *(?P<pupil>\d+(?:\.\d+)?))?(?: VD= *(?P<vertex>\d+(?:\.\d+)?))?\s*",
    re.ASCII,
)
_REFRACTION_UNITS = {"sphere": "[diop]", "cylinder": "[diop]", "axis": "deg"}
_DISTANCES = {"pupil": "pupil-distance", "vertex": "vertex-distance"}
_PRESSURE = re.compile(
    r"R =(?: \d+)* \[(?P<R>\d+(?:\.\d+)?)\] // L =(?: \d+)* \[(?P<L>\d+(?:\.\d+)?)\] mmHg(?: \d\d:\d\d)?\s*",
    re.ASCII,
)


def observations(field: str, text: str) -> tuple[Observation, ...]:
    """What a line says in one of the known forms; nothing where it has none of them."""
    if field == "6228" and (match := _REFRACTION.fullmatch(text)):
        return tuple(_refraction(match))
    if field == "6205" and (match := _PRESSURE.fullmatch(text)):
        return tuple(
            Observation(f"intraocular-pressure-{eye}", Decimal(match[letter]), "mm[Hg]")
            for letter, eye in _EYES.items()
        )
    return ()


def _refraction(match: re.Match[str]) -> Iterator[Observation]:
    eye = _EYES[match["eye"]]
    for name, unit in _REFRACTION_UNITS.items():
        yield Observation(f"{name}-{eye}", _signed(match[name]), unit)
    for group, name in _DISTANCES.items():
        if match[group]:
            yield Observation(name, Decimal(match[group]), "mm")


def _signed(text: str) -> Decimal:
    return Decimal(text.replace(" ", "").removeprefix("+"))
