"""Units of what is measured: UCUM, how it is written for people, and its IEEE 11073 code.

UCUM texts follow the UCUM specification 2.1. MDC codes are of the dimension partition of
ISO/IEEE 11073-10101; a unit whose code was not found in two places has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit.

    Parameters
    ----------
    ucum : str
        As it stands in an observation; ``""`` for a quantity without one.
    symbol : str
        For a screen: ``mmHg``, ``°C``.
    text : str
        Its name, as HL7 v2 wants it beside the UCUM code.
    mdc, mdc_ref : str, optional
    """

    ucum: str
    symbol: str
    text: str
    mdc: str | None = None
    mdc_ref: str | None = None


# Counted events per minute have one UCUM code and one MDC code for each kind of event.
BREATHS_PER_MINUTE = Unit("/min", "/min", "per minute", "264928", "MDC_DIM_RESP_PER_MIN")

_UNITS = (
    Unit("", "", "", "262656", "MDC_DIM_DIMLESS"),
    Unit("mm[Hg]", "mmHg", "millimeter of mercury", "266016", "MDC_DIM_MMHG"),
    Unit("kPa", "kPa", "kilopascal", "265987", "MDC_DIM_KILO_PASCAL"),
    Unit("/min", "/min", "per minute", "264864", "MDC_DIM_BEAT_PER_MIN"),
    Unit("%", "%", "percent", "262688", "MDC_DIM_PERCENT"),
    Unit("Cel", "°C", "degree Celsius", "268192", "MDC_DIM_DEGC"),
    Unit("[degF]", "°F", "degree Fahrenheit", "266560", "MDC_DIM_FAHR"),
    Unit("K", "K", "kelvin"),
    Unit("kg", "kg", "kilogram", "263875", "MDC_DIM_KILO_G"),
    Unit("g", "g", "gram", "263872", "MDC_DIM_X_G"),
    Unit("[lb_av]", "lb", "pound", "263904", "MDC_DIM_LB"),
    Unit("[oz_av]", "oz", "ounce"),
    Unit("cm", "cm", "centimeter", "263441", "MDC_DIM_CENTI_M"),
    Unit("m", "m", "meter", "263424", "MDC_DIM_X_M"),
    Unit("[in_i]", "in", "inch", "263520", "MDC_DIM_INCH"),
    Unit("kg/m2", "kg/m²", "kilogram per square meter", "264096", "MDC_DIM_KG_PER_M_SQ"),
    Unit("kJ", "kJ", "kilojoule"),
    Unit("kcal/d", "kcal/d", "kilocalorie per day"),
    Unit("Ohm", "Ω", "ohm"),
    Unit("mg/dL", "mg/dL", "milligram per deciliter", "264274", "MDC_DIM_MILLI_G_PER_DL"),
    Unit("mmol/L", "mmol/L", "millimole per liter", "266866", "MDC_DIM_MILLI_MOLE_PER_L"),
    Unit("kg/L", "kg/L", "kilogram per liter"),
    Unit("mol/L", "mol/L", "mole per liter"),
    Unit("umol/L", "µmol/L", "micromole per liter"),
    Unit("g/L", "g/L", "gram per liter"),
    Unit("mg/L", "mg/L", "milligram per liter"),
    Unit("mg/g", "mg/g", "milligram per gram"),
    Unit("mg/mmol", "mg/mmol", "milligram per millimole"),
    Unit("[EU]/dL", "EU/dL", "Ehrlich unit per deciliter"),
    Unit("{cells}/uL", "/µL", "cells per microliter"),
    Unit("[pH]", "pH", "pH"),
    Unit("{ratio}", "", "ratio", "262656", "MDC_DIM_DIMLESS"),
    Unit("{score}", "", "score", "262656", "MDC_DIM_DIMLESS"),
    Unit("[diop]", "dpt", "diopter"),
    Unit("deg", "°", "degree of arc", "262880", "MDC_DIM_ANG_DEG"),
    Unit("dB", "dB", "decibel"),
    Unit("ms", "ms", "millisecond", "264338", "MDC_DIM_MILLI_SEC"),
    Unit("mV", "mV", "millivolt", "266418", "MDC_DIM_MILLI_VOLT"),
)

UNITS: Mapping[str, Unit] = MappingProxyType({unit.ucum: unit for unit in _UNITS})
