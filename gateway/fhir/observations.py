"""What was measured as Observations: vital signs by their profiles, anything else by its codes alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.fhir import terminology as t
from gateway.fhir.json_text import JsonObject, JsonValue
from gateway.hl7.oru import PANELS, Amendment
from gateway.model import Observation, Reading, Status
from gateway.model.vocabulary import UNITS, Term, term

STATUS: Mapping[Status, str] = MappingProxyType(
    {
        "final": "final",
        "questionable": "preliminary",
        "rejected": "cancelled",
        "withdrawn": "entered-in-error",
    }
)
AUTOMATIC: JsonObject = {"text": "measured by the device"}
_BLOOD_PRESSURE_MDC = {
    "system": t.MDC,
    "code": "150020",
    "display": "MDC_PRESS_BLD_NONINV",
}


def status(reading: Reading, amendment: Amendment) -> str:
    """Of every Observation and report: a correction corrects what is final, what takes back says so."""
    if amendment in {"W", "D"}:
        return "entered-in-error"
    stated = STATUS[reading.status]
    return "corrected" if amendment and stated == "final" else stated


def concept(system: str, code: str, display: str) -> JsonObject:
    """A CodeableConcept of one code."""
    return {"coding": [{"system": system, "code": code, "display": display}]}


def ordered(reading: Reading) -> JsonObject:
    """What the reading is as a whole: its panel, or its kind in words."""
    if reading.kind in PANELS:
        return concept(t.LOINC, *PANELS[reading.kind])
    return {"text": reading.kind}


def observations(reading: Reading) -> Iterator[JsonObject]:
    """The elements of each Observation that say what was measured, in the order of the reading.

    Systolic, diastolic and mean pressure become one, with components. A rejected reading is one Observation
    with the reason why there is no value.
    """
    if reading.status == "rejected":
        yield _other(reading) | {"code": ordered(reading), "dataAbsentReason": _absent("error")}
        return
    components = _blood_pressure(reading)
    if components:
        yield _panel(reading, components)
    for observation in reading.observations:
        if not any(observation is component for component in components):
            yield _single(reading, observation)


def notes(reading: Reading) -> list[str]:
    """What the device or the gateway says of the whole reading."""
    return [note for note in reading.notes if note.strip()]


def _blood_pressure(reading: Reading) -> tuple[Observation, ...]:
    first = {o.name: o for o in reversed(reading.observations) if o.name in t.COMPONENTS}
    if not first.keys() & set(t.COMPONENTS[:2]):
        return ()
    return tuple(first[name] for name in t.COMPONENTS if name in first)


def _panel(reading: Reading, components: Sequence[Observation]) -> JsonObject:
    vital = t.BLOOD_PRESSURE
    stated = {component.name: component for component in components}
    named = (*t.COMPONENTS[:2], *(name for name in stated if name not in t.COMPONENTS[:2]))
    parts: list[JsonObject] = []
    for name in named:
        part = stated.get(name, Observation(name))
        parts.append({"code": _code(part, _term(part, reading)), **_value(part)})
    coding = {"system": t.LOINC, "code": vital.loinc, "display": vital.display}
    claim = _claim(vital, all(_fits(component, vital) for component in components))
    return {
        **claim,
        "category": _category("vital-signs"),
        "code": {"coding": [coding, _BLOOD_PRESSURE_MDC]},
        **_about(reading, *components),
        "method": AUTOMATIC,
        "component": parts,
    }


def _single(reading: Reading, observation: Observation) -> JsonObject:
    vital, known = t.VITAL_SIGNS.get(observation.name), _term(observation, reading)
    if vital is None:
        elements = _other(reading)
    else:
        elements = {**_claim(vital, _fits(observation, vital)), "category": _category("vital-signs")}
    return {
        **elements,
        "code": _code(observation, known, vital),
        **_value(observation),
        **_about(reading, observation),
        "method": AUTOMATIC,
    }


def _other(reading: Reading) -> dict[str, JsonValue]:
    return {"category": _category(t.CATEGORIES.get(reading.kind, t.OTHER_CATEGORY))}


def _category(code: str) -> JsonValue:
    return [{"coding": [{"system": t.CATEGORY, "code": code}]}]


def _claim(vital: t.VitalSign, holds: bool) -> dict[str, JsonValue]:
    """A value of another unit, or a text, is none that the profile allows."""
    return {"meta": {"profile": [vital.url]}} if holds else {}


def _fits(observation: Observation, vital: t.VitalSign) -> bool:
    return observation.value is not None and observation.unit in vital.units


def _term(observation: Observation, reading: Reading) -> Term | None:
    return term(observation.name, kind=reading.kind, unit=observation.unit, site=observation.site)


def _code(observation: Observation, known: Term | None, vital: t.VitalSign | None = None) -> JsonObject:
    coding = []
    if vital is not None:
        coding.append({"system": t.LOINC, "code": vital.loinc, "display": vital.display})
    if known and known.loinc and (vital is None or known.loinc != vital.loinc):
        coding.append({"system": t.LOINC, "code": known.loinc, "display": known.loinc_name or ""})
    if known and known.mdc:
        coding.append({"system": t.MDC, "code": known.mdc, "display": known.mdc_ref or ""})
    return {"coding": coding, "text": observation.name} if coding else {"text": observation.name}


def _value(observation: Observation) -> JsonObject:
    if observation.value is not None:
        return {"valueQuantity": _quantity(observation)}
    if observation.text and observation.text.strip():
        return {"valueString": observation.text}
    return {"dataAbsentReason": _absent("unknown")}


def _quantity(observation: Observation) -> JsonObject:
    quantity: dict[str, JsonValue] = {"value": observation.value}
    if observation.comparator:
        quantity["comparator"] = observation.comparator
    if observation.unit:
        known = UNITS.get(observation.unit)
        written = known.symbol if known and known.symbol else observation.unit
        quantity |= {"unit": written, "system": t.UCUM, "code": observation.unit}
    return quantity


def _absent(code: str) -> JsonObject:
    return {"coding": [{"system": t.ABSENT, "code": code}]}


@dataclass(frozen=True, slots=True)
class _Site:
    """Where on the body; a site that is none is said in a note."""

    coded: JsonObject | None
    note: str | None


def _site(observation: Observation, reading: Reading) -> _Site:
    site, known = observation.site, _term(observation, reading)
    if site and site in t.BODY_SITES:
        return _Site({**concept(t.SNOMED_CT, *t.BODY_SITES[site]), "text": site}, None)
    if site and (known is None or site not in known.sites):
        return _Site(None, f"{observation.name}: {site}")
    return _Site(None, None)


def _about(reading: Reading, *of: Observation) -> JsonObject:
    """Notes, and the site where all have the same."""
    sites = list(dict.fromkeys(observation.site for observation in of))
    found = _site(of[0], reading) if len(sites) == 1 else _Site(None, None)
    said = [] if reading.kind in t.SERVICES else notes(reading)
    said += [found.note] if found.note else []
    said += [
        f"{each.name} as sent by the device: {each.as_sent.value:f} {each.as_sent.unit}"
        for each in of
        if each.as_sent is not None
    ]
    elements: dict[str, JsonValue] = {}
    if said:
        elements["note"] = [{"text": each} for each in said]
    if found.coded:
        elements["bodySite"] = found.coded
    return elements
