"""The vocabulary's tables: name -> LOINC, MDC, units and limits.

Codes: LOINC 2.8x; ISO/IEEE 11073-10101, -10102 (EKG, as listed in DICOM PS3.16 CID 3227 to 3229) and
the device specialisations -10404 to -10420. A code that was not found in two places is left out, and a
quantity without a code is still a quantity. Limits are of plausibility (see :class:`Term`): about the
extremes ever survived, rounded outwards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from gateway.model.kinds import ReadingKind
from gateway.model.units import BREATHS_PER_MINUTE, UNITS, Unit


class Limits(NamedTuple):
    """The least and the greatest value that a living patient could have, both still plausible."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Term:
    """What one name means to others.

    Parameters
    ----------
    name : str
    kinds : tuple of str
        The readings in which the name means this; empty for any.
    sites : tuple of str
        The sites at which the name means this; empty for any.
    loinc, loinc_name : str, optional
    mdc, mdc_ref : str, optional
        Context-free code, partition x 65536 + code, and reference id.
    units : mapping of str to Unit
        The units it may carry, by UCUM; ``""`` where it may stand without one.
    limits : mapping of str to Limits
        By UCUM. Beyond them a value is questionable. Limits of plausibility, wider than any reference
        range; a unit without an entry has none.
    """

    name: str
    kinds: tuple[ReadingKind, ...]
    sites: tuple[str, ...]
    loinc: str | None
    loinc_name: str | None
    mdc: str | None
    mdc_ref: str | None
    units: Mapping[str, Unit]
    limits: Mapping[str, Limits]

    def plausible(self, value: Decimal, unit: str | None) -> bool:
        """Whether a living patient could have it. True where no limits are known for the unit."""
        limits = self.limits.get(unit or "")
        return limits is None or limits.low <= value <= limits.high


_URINE: tuple[ReadingKind, ...] = ("urinalysis",)


def _term(
    name: str,
    loinc: str,
    mdc: str,
    units: Mapping[str, str],
    *,
    kinds: tuple[ReadingKind, ...] = (),
    sites: tuple[str, ...] = (),
    special_units: Mapping[str, Unit] = MappingProxyType({}),
) -> Term:
    """One row. Codes are ``code name`` or empty; `units` maps UCUM to ``low high``, empty without limits."""
    loinc_code, _, loinc_name = loinc.partition(" ")
    mdc_code, _, mdc_ref = mdc.partition(" ")
    return Term(
        name=name,
        kinds=kinds,
        sites=sites,
        loinc=loinc_code or None,
        loinc_name=loinc_name or None,
        mdc=mdc_code or None,
        mdc_ref=mdc_ref or None,
        units=MappingProxyType({unit: special_units.get(unit) or UNITS[unit] for unit in units}),
        limits=MappingProxyType(
            {unit: Limits(*map(Decimal, limits.split())) for unit, limits in units.items() if limits}
        ),
    )


_RATE = {"/min": "15 350"}
_PERCENT = {"%": "0 100"}
_MASS_LIMITS = {"kg": "0.05 450", "[lb_av]": "0.1 992"}

_CIRCULATION = (
    _term(
        "systolic",
        "8480-6 Systolic blood pressure",
        "150021 MDC_PRESS_BLD_NONINV_SYS",
        {"mm[Hg]": "30 300", "kPa": "4 40"},
    ),
    _term(
        "diastolic",
        "8462-4 Diastolic blood pressure",
        "150022 MDC_PRESS_BLD_NONINV_DIA",
        {"mm[Hg]": "10 220", "kPa": "1.3 29.4"},
    ),
    _term(
        "mean-arterial-pressure",
        "8478-0 Mean blood pressure",
        "150023 MDC_PRESS_BLD_NONINV_MEAN",
        {"mm[Hg]": "15 250", "kPa": "2 33.4"},
    ),
    _term("cuff-pressure", "", "", {"mm[Hg]": "0 350", "kPa": "0 46.7"}),
    _term("pulse-rate", "8867-4 Heart rate", "", _RATE),
    _term(
        "pulse-rate",
        "8867-4 Heart rate",
        "149546 MDC_PULS_RATE_NON_INV",
        _RATE,
        kinds=("blood-pressure",),
    ),
    _term(
        "pulse-rate",
        "8889-8 Heart rate by Pulse oximetry",
        "149530 MDC_PULS_OXIM_PULS_RATE",
        _RATE,
        kinds=("pulse-oximetry",),
    ),
    _term("heart-rate", "8867-4 Heart rate", "147842 MDC_ECG_HEART_RATE", _RATE),
    _term(
        "heart-rate",
        "76282-3 Heart rate.beat-to-beat by EKG",
        "147842 MDC_ECG_HEART_RATE",
        _RATE,
        kinds=("ekg",),
    ),
    _term("energy-expended", "", "", {"kJ": ""}),
)
_RESPIRATION = (
    _term(
        "spo2",
        "59408-5 Oxygen saturation in Arterial blood by Pulse oximetry",
        "150456 MDC_PULS_OXIM_SAT_O2",
        {"%": "20 100"},
    ),
    _term(
        "perfusion-index",
        "61006-3 Perfusion index Tissue by Pulse oximetry",
        "150488 MDC_BLD_PERF_INDEX",
        {"%": "0 30"},
    ),
    _term("spo2-fast", "", "", {"%": "20 100"}),
    _term("spo2-slow", "", "", {"%": "20 100"}),
    _term("pulse-rate-fast", "", "", _RATE),
    _term("pulse-rate-slow", "", "", _RATE),
    _term("spco", "", "", _PERCENT),
    _term("pulse-amplitude-index", "", "150320 MDC_SAT_O2_QUAL", _PERCENT),
    _term(
        "respiration-rate",
        "9279-1 Respiratory rate",
        "151562 MDC_RESP_RATE",
        {"/min": "2 120"},
        special_units={"/min": BREATHS_PER_MINUTE},
    ),
)

_CORE = {"Cel": "25 45", "[degF]": "77 113"}
# A forehead thermometer in object mode sends walls and bottles through the same channel.
_SURFACE = {"Cel": "32 43", "[degF]": "89.6 109.4"}
_TEMPERATURES = (
    ("8310-5 Body temperature", "150364 MDC_TEMP_BODY", _CORE, ()),
    ("8310-5 Body temperature", "150364 MDC_TEMP_BODY", _CORE, ("body",)),
    ("8331-1 Oral temperature", "188424 MDC_TEMP_ORAL", _CORE, ("oral", "mouth")),
    ("8328-7 Axillary temperature", "188452 MDC_TEMP_AXILLA", _CORE, ("axillary", "armpit")),
    ("8332-9 Rectal temperature", "188420 MDC_TEMP_RECT", _CORE, ("rectal", "rectum")),
    ("8333-7 Tympanic membrane temperature", "150392 MDC_TEMP_TYMP", _CORE, ("tympanic", "tympanum")),
    ("8333-7 Tympanic membrane temperature", "188428 MDC_TEMP_EAR", _CORE, ("ear",)),
    ("75539-7 Body temperature - Temporal artery", "150364 MDC_TEMP_BODY", _SURFACE, ("forehead",)),
    ("8310-5 Body temperature", "188432 MDC_TEMP_FINGER", _CORE, ("finger",)),
    ("8310-5 Body temperature", "188448 MDC_TEMP_TOE", _CORE, ("toe",)),
    ("8310-5 Body temperature", "188456 MDC_TEMP_GIT", _CORE, ("gastro-intestinal-tract",)),
)

_BODY = (
    _term(
        "weight",
        "29463-7 Body weight",
        "188736 MDC_MASS_BODY_ACTUAL",
        {"kg": "0.2 650", "g": "200 650000", "[lb_av]": "0.4 1433", "[oz_av]": "7 22930"},
    ),
    _term(
        "height",
        "8302-2 Body height",
        "188740 MDC_LEN_BODY_ACTUAL",
        {"cm": "15 275", "m": "0.15 2.75", "[in_i]": "5.9 108.3"},
    ),
    _term(
        "bmi",
        "39156-5 Body mass index (BMI) [Ratio]",
        "188752 MDC_RATIO_MASS_BODY_LEN_SQ",
        {"kg/m2": "5 210"},
    ),
    _term("body-fat", "41982-0 Percentage of body fat Measured", "188748 MDC_BODY_FAT", {"%": "1 80"}),
    _term("muscle-percentage", "73965-6 Body muscle mass/Body weight Measured", "", {"%": "5 95"}),
    _term("body-water", "101684-9 Percentage of body water", "188764 MDC_BODY_WATER", {"%": "10 95"}),
    _term("fat-mass", "73708-0 Body fat [Mass] Calculated", "", _MASS_LIMITS),
    _term("fat-free-mass", "91557-9 Lean body weight", "188756 MDC_MASS_BODY_FAT_FREE", _MASS_LIMITS),
    _term("muscle-mass", "73964-9 Body muscle mass", "", _MASS_LIMITS),
    _term("soft-lean-mass", "", "188760 MDC_MASS_BODY_SOFT_LEAN", _MASS_LIMITS),
    _term("bone-mass", "101685-6 Body bone mass", "", {"kg": "0.02 20", "[lb_av]": "0.04 44"}),
    _term("body-water-mass", "101683-1 Body water mass", "188764 MDC_BODY_WATER", _MASS_LIMITS),
    _term("basal-metabolic-rate", "", "", {"kJ": "400 25000", "kcal/d": "100 6000"}),
    _term("impedance", "", "", {"Ohm": "50 3000"}),
)

_GLUCOSE_METER: tuple[ReadingKind, ...] = ("glucose",)
_GLUCOSE_LIMITS = {"mg/dL": "10 1500"}, {"mmol/L": "0.5 83.3"}
_OTHER_SAMPLES = (  # a meter that measured in something else than capillary blood
    (
        ("venous-whole-blood", "arterial-whole-blood", "undetermined-whole-blood"),
        "2339-0 Glucose [Mass/volume] in Blood",
        "15074-8 Glucose [Moles/volume] in Blood",
    ),
    (
        ("venous-plasma", "arterial-plasma", "undetermined-plasma"),
        "2345-7 Glucose [Mass/volume] in Serum or Plasma",
        "14749-6 Glucose [Moles/volume] in Serum or Plasma",
    ),
    (("interstitial-fluid",), "", ""),
)
_CAPILLARY_PLASMA = "160188 MDC_CONC_GLU_CAPILLARY_PLASMA"
_POINT_OF_CARE = (
    _term(
        "glucose",
        "41653-7 Glucose [Mass/volume] in Capillary blood by Glucometer",
        "160184 MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD",
        {"mg/dL": "10 1500"},
        kinds=_GLUCOSE_METER,
    ),
    _term(
        "glucose",
        "14743-9 Glucose [Moles/volume] in Capillary blood by Glucometer",
        "160184 MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD",
        {"mmol/L": "0.5 83.3"},
        kinds=_GLUCOSE_METER,
    ),
    _term(
        "glucose",
        "41653-7 Glucose [Mass/volume] in Capillary blood by Glucometer",
        _CAPILLARY_PLASMA,
        {"mg/dL": "10 1500"},
        kinds=_GLUCOSE_METER,
        sites=("capillary-plasma",),
    ),
    _term(
        "glucose",
        "14743-9 Glucose [Moles/volume] in Capillary blood by Glucometer",
        _CAPILLARY_PLASMA,
        {"mmol/L": "0.5 83.3"},
        kinds=_GLUCOSE_METER,
        sites=("capillary-plasma",),
    ),
    *(
        _term("glucose", loinc, "", limits, kinds=_GLUCOSE_METER, sites=samples)
        for samples, *codes in _OTHER_SAMPLES
        for loinc, limits in zip(codes, _GLUCOSE_LIMITS, strict=True)
    ),
    _term("hcg", "2106-3 Choriogonadotropin (pregnancy test) [Presence] in Urine", "", {"": ""}),
    _term(
        "pain",
        "72514-3 Pain severity - 0-10 verbal numeric rating [Score] - Reported",
        "",
        {"{score}": "0 10"},
    ),
)

# A strip's word and its concentration are different LOINC terms: the unit, or its absence, decides.
_STRIP = (
    ("glucose", "25428-4 Glucose [Presence] in Urine by Test strip", {"": ""}),
    ("glucose", "5792-7 Glucose [Mass/volume] in Urine by Test strip", {"mg/dL": "0 10000", "g/L": "0 100"}),
    ("glucose", "", {"mmol/L": "0 560"}),
    ("bilirubin", "5770-3 Bilirubin.total [Presence] in Urine by Test strip", {"": ""}),
    ("bilirubin", "", {"mg/dL": "0 50", "umol/L": "0 860"}),
    ("ketones", "2514-8 Ketones [Presence] in Urine by Test strip", {"": ""}),
    ("ketones", "5797-6 Ketones [Mass/volume] in Urine by Test strip", {"mg/dL": "0 1000"}),
    ("ketones", "", {"mmol/L": "0 100"}),
    ("specific-gravity", "5811-5 Specific gravity of Urine by Test strip", {"": "1 1.1", "{ratio}": "1 1.1"}),
    ("blood", "5794-3 Hemoglobin [Presence] in Urine by Test strip", {"": ""}),
    ("blood", "", {"{cells}/uL": "0 10000", "mg/dL": "0 100"}),
    ("ph", "5803-2 pH of Urine by Test strip", {"": "4 10", "[pH]": "4 10"}),
    ("protein", "20454-5 Protein [Presence] in Urine by Test strip", {"": ""}),
    ("protein", "5804-0 Protein [Mass/volume] in Urine by Test strip", {"mg/dL": "0 10000", "g/L": "0 100"}),
    ("urobilinogen", "13658-0 Urobilinogen [Presence] in Urine", {"": ""}),
    (
        "urobilinogen",
        "20405-7 Urobilinogen [Mass/volume] in Urine by Test strip",
        {"mg/dL": "0 50", "[EU]/dL": "0 50"},
    ),
    ("urobilinogen", "", {"umol/L": "0 850"}),
    ("nitrite", "5802-4 Nitrite [Presence] in Urine by Test strip", {"": ""}),
    ("leukocytes", "5799-2 Leukocyte esterase [Presence] in Urine by Test strip", {"": ""}),
    ("leukocytes", "", {"{cells}/uL": "0 10000"}),
    ("albumin", "1754-1 Albumin [Mass/volume] in Urine", {"mg/L": "0 20000", "mg/dL": "0 2000"}),
    ("albumin", "", {"": ""}),
    ("creatinine", "2161-8 Creatinine [Mass/volume] in Urine", {"mg/dL": "0 1000"}),
    ("creatinine", "14683-7 Creatinine [Moles/volume] in Urine", {"mmol/L": "0 90"}),
    ("creatinine", "", {"": ""}),
    ("albumin-creatinine-ratio", "9318-7 Albumin/Creatinine [Mass Ratio] in Urine", {"mg/g": "0 50000"}),
    ("albumin-creatinine-ratio", "", {"": "", "mg/mmol": "0 5700"}),
)

_ACUITY_LIMITS = {"": "0 3"}
_ACUITY = (
    ("right-uncorrected", "98499-7 Visual acuity uncorrected Right eye"),
    ("left-uncorrected", "98498-9 Visual acuity uncorrected Left eye"),
    ("both-uncorrected", ""),
    ("right-corrected", "65893-0 Visual acuity best corrected Right eye"),
    ("left-corrected", "65897-1 Visual acuity best corrected Left eye"),
    ("both-corrected", ""),
)
_REFRACTION = {
    "sphere": {"[diop]": "-40 40"},
    "cylinder": {"[diop]": "-20 20"},
    "axis": {"deg": "0 180"},
}
_HEARING = (  # Hz, LOINC left, LOINC right
    (250, "91375-6", "91374-9"),
    (500, "89024-4", "89025-1"),
    (750, "91379-8", "91378-0"),
    (1000, "89016-0", "89017-8"),
    (1500, "91373-1", "91372-3"),
    (2000, "89018-6", "89019-4"),
    (3000, "89020-2", "89021-0"),
    (4000, "89022-8", "89023-6"),
    (6000, "89026-9", "89027-7"),
    (8000, "89028-5", "89029-3"),
)

_AXIS = {"deg": "-360 360"}
_QTC = {"ms": "150 1000"}
_EKG = (
    ("rr-interval", "8637-1 R-R interval by EKG", "147240 MDC_ECG_TIME_PD_RR_GL", {"ms": "170 4000"}),
    ("p-duration", "", "147256 MDC_ECG_TIME_PD_P_GL", {"ms": "20 300"}),
    ("pr-interval", "8625-6 P-R Interval", "146944 MDC_ECG_TIME_PD_PR_GL", {"ms": "40 800"}),
    ("qrs-duration", "8633-0 QRS duration", "147228 MDC_ECG_TIME_PD_QRS_GL", {"ms": "30 400"}),
    ("qt-interval", "8634-8 Q-T interval", "147232 MDC_ECG_TIME_PD_QT_GL", {"ms": "100 1000"}),
    ("qtc-interval", "8636-3 Q-T interval corrected", "146948 MDC_ECG_TIME_PD_QTc_GL", _QTC),
    (
        "qtc-bazett",
        "76635-2 Q-T interval corrected based on Bazett formula",
        "146952 MDC_ECG_TIME_PD_QTC_BAZETT",
        _QTC,
    ),
    (
        "qtc-fridericia",
        "76634-5 Q-T interval corrected based on Fridericia formula",
        "146964 MDC_ECG_TIME_PD_QTC_FREDERICA",
        _QTC,
    ),
    ("qtc-framingham", "", "", _QTC),
    ("qtc-hodges", "", "", _QTC),
    ("p-axis", "8626-4 P wave axis", "147200 MDC_ECG_ANGLE_P_FRONT", _AXIS),
    ("qrs-axis", "8632-2 QRS axis", "147204 MDC_ECG_ANGLE_QRS_FRONT", _AXIS),
    ("t-axis", "8638-9 T wave axis", "147208 MDC_ECG_ANGLE_T_FRONT", _AXIS),
)


def _hearing() -> Iterator[Term]:
    for hertz, left, right in _HEARING:
        for ear, code in (("left", left), ("right", right)):
            loinc = f"{code} Hearing threshold Ear - {ear} --{hertz} Hz"
            yield _term(f"hearing-threshold-{ear}-{hertz}-hz", loinc, "", {"dB": "-20 130"})


TERMS: tuple[Term, ...] = (
    *_CIRCULATION,
    *_RESPIRATION,
    *(_term("temperature", loinc, mdc, units, sites=sites) for loinc, mdc, units, sites in _TEMPERATURES),
    *_BODY,
    *_POINT_OF_CARE,
    *(_term(name, loinc, "", units, kinds=_URINE) for name, loinc, units in _STRIP),
    *(_term(f"visual-acuity-{which}", loinc, "", _ACUITY_LIMITS) for which, loinc in _ACUITY),
    *(
        _term(f"{name}-{eye}", "", "", units)
        for name, units in _REFRACTION.items()
        for eye in ("right", "left")
    ),
    *_hearing(),
    *(_term(name, loinc, mdc, units) for name, loinc, mdc, units in _EKG),
)
