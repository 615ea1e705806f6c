"""Units as analysers print them, and the UCUM codes that they mean.

Upper and lower case are told apart, but for spellings that mean one thing only: ``MG/DL`` is ``mg/dL``, while
``G/L`` is grams to one maker and 10*9 cells to another, and so it is not in the table. A spelling that is not
in it is not known: nothing is guessed from the size of a number or the name of a test.

Source: what the analysers in the test data of senaite.astm, Clinitek records and GDT examples print;
UCUM 2.1.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.model.vocabulary import TERMS

_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "%": "%",
        "L/L": "L/L",
        "g/L": "g/L g/l",
        "g/dL": "g/dL g/dl G/DL",
        "mg/dL": "mg/dL mg/dl MG/DL",
        "mg/L": "mg/L mg/l MG/L",
        "mg/mL": "mg/mL mg/ml",
        "ug/dL": "ug/dL ug/dl UG/DL",
        "ug/L": "ug/L ug/l mcg/L UG/L",
        "ug/mL": "ug/mL ug/ml",
        "ng/dL": "ng/dL ng/dl NG/DL",
        "ng/mL": "ng/mL ng/ml NG/ML",
        "ng/L": "ng/L ng/l",
        "pg/mL": "pg/mL pg/ml PG/ML",
        "pg": "pg PG",
        "fL": "fL fl FL",
        "mmol/L": "mmol/L mmol/l MMOL/L",
        "umol/L": "umol/L umol/l UMOL/L",
        "nmol/L": "nmol/L nmol/l NMOL/L",
        "pmol/L": "pmol/L pmol/l PMOL/L",
        "mmol/mol": "mmol/mol",
        "meq/L": "meq/L mEq/L mEq/l MEQ/L",
        "mosm/kg": "mosm/kg mOsm/kg",
        "mg/g": "mg/g",
        "mg/mmol": "mg/mmol",
        "U/L": "U/L U/l",
        "kU/L": "kU/L",
        "U/mL": "U/mL U/ml",
        "[iU]/L": "IU/L IU/l",
        "[iU]/mL": "IU/mL IU/ml",
        "m[iU]/L": "mIU/L mIU/l",
        "m[iU]/mL": "mIU/mL mIU/ml",
        "u[iU]/mL": "uIU/mL uIU/ml",
        "/uL": "/uL /ul",
        "10*3/uL": "K/uL",
        "10*6/uL": "M/uL",
        "/[HPF]": "/HPF /hpf",
        "/[LPF]": "/LPF /lpf",
        "{cells}/uL": "{cells}/uL Cells/uL cells/uL Ery/uL Hem/uL Leu/uL RBC/uL WBC/uL",
        "[EU]/dL": "[EU]/dL EU/dL E.U./dL",
        "s": "s sec SEC",
        "min": "min",
        "mm/h": "mm/h mm/hr",
        "mm[Hg]": "mm[Hg] mmHg",
        "kPa": "kPa",
        "/min": "/min 1/min bpm",
        "Cel": "Cel °C",
        "mV": "mV",
        "kg": "kg",
        "cm": "cm",
        "mm": "mm",
        "um3": "um3",
        "L": "L l",
        "L/s": "L/s l/s",
        "L/min": "L/min l/min",
        "dB": "dB dB(HL)",
        "[diop]": "[diop] dpt D",
        "deg": "deg °",
        "[pH]": "[pH] pH",
        "{INR}": "{INR} INR",
    }
)
# A UCUM code of the vocabulary is its own spelling.
_CODES = {code: code for term in TERMS for code in term.units if code}
_KNOWN = _CODES | {spelling: ucum for ucum, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_MICRO = str.maketrans({"µ": "u", "μ": "u", "×": "x", "³": "3", "⁶": "6", "⁹": "9"})
_COUNT = re.compile(r"[xX]?\s?10[*^eE]?(\d\d?)/(uL|ul|L|l|mm3)")
_VOLUMES = {"ul": "uL", "l": "L"}


def ucum(spelling: str) -> str | None:
    """The UCUM code of a unit as a device prints it; None where it is not known."""
    plain = spelling.strip().translate(_MICRO)
    if count := _COUNT.fullmatch(plain):
        return f"10*{int(count[1])}/{_VOLUMES.get(count[2], count[2])}"
    return _KNOWN.get(plain)
