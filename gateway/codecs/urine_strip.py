"""What a urine strip's reader prints: names of the pads, and results that are words, numbers or both.

=====================  ==================================================================
result                 becomes
=====================  ==================================================================
``Negative``, ``1+``   text
``1.020``              value
``15 mg/dL``           value and unit
``>=1000 mg/dL``       comparator, value, unit: the end of the scale
``Apr 200 Hem/uL``     text ``Apr 200`` and unit: about 200, no exact number (``Apr``, ``Ca``)
``30-300 mg/g``        text ``30-300`` and unit: a class
=====================  ==================================================================

Source: records of Clinitek Status analysers in English and Spanish that users published; names of the
albumin, creatinine and hCG tests from memory. Evidence: capture.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import cast

from gateway.codecs.laboratory_units import ucum
from gateway.errors import DecodeError
from gateway.model import Observation
from gateway.model.reading import Comparator

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "GLU": "glucose",
        "BIL": "bilirubin",
        "KET": "ketones",
        "CET": "ketones",
        "SG": "specific-gravity",
        "DEN": "specific-gravity",
        "BLO": "blood",
        "BLD": "blood",
        "SAN": "blood",
        "PH": "ph",
        "PRO": "protein",
        "URO": "urobilinogen",
        "UBG": "urobilinogen",
        "NIT": "nitrite",
        "LEU": "leukocytes",
        "ALB": "albumin",
        "CRE": "creatinine",
        "A:C": "albumin-creatinine-ratio",
        "HCG": "hcg",
    }
)
_NUMBER = re.compile(
    r"(?P<comparator>[<>]=?)?\s*(?P<value>\d+(?:\.\d*)?)(?:\s*(?P<unit>[^\d\s.,+<>=-].*))?",
    re.ASCII,
)
_VAGUE = re.compile(
    r"(?P<text>(?:Apr|Ca)\.?\s+\d+(?:\.\d+)?|\d+(?:\.\d+)?\s?-\s?\d+(?:\.\d+)?)(?:\s+(?P<unit>\S.*))?",
    re.ASCII,
)
_WORD = re.compile(r"[^\W\d_][\w .()/+-]*|[+-]|\+{2,4}|\d\+(?: [^\W\d_]+)?|\+/-|\+\d")


def name_of(code: str) -> str:
    """The vocabulary's name of a pad; its own code where there is none."""
    return NAMES.get(code.strip().upper(), code.strip())


def observation(code: str, result: str, unit: str = "") -> Observation:
    """One pad's result; `unit` where it is stated apart from the result.

    Raises
    ------
    DecodeError
        The unit is not known, or the result is neither number nor word.
    """
    name, result = name_of(code), result.strip()
    number = _NUMBER.fullmatch(result)
    vague = _VAGUE.fullmatch(result)
    known = _unit((number and number["unit"]) or (vague and vague["unit"]) or unit)
    if number:
        comparator = cast("Comparator | None", number["comparator"])
        return Observation(name, Decimal(number["value"]), known, comparator=comparator)
    if not vague and not _WORD.fullmatch(result):
        raise DecodeError("value", f"{name}: neither a number nor a word", offset=0)
    return Observation(name, text=vague["text"] if vague else result, unit=known)


def _unit(spelling: str) -> str | None:
    if not spelling.strip():
        return None
    found = ucum(spelling)
    if found is None:
        raise DecodeError("unit", f"{spelling.strip()!r} is no unit that is known", offset=0)
    return found
