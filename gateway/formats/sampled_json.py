"""JSON: FHIR Observations with SampledData, and the objects of the Kardia API.

FHIR: one component a lead; value = origin + factor x number, in the origin's unit; `E`, `U` and `L` stand for
no number. An origin without a unit has no scale. Kardia: counts in nV of `amplitudeResolution`.
Source: HL7 FHIR R4 and R5, 2.1.28.0.14 SampledData; a public reader of the Kardia API.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.leads import lead_name, stacked
from gateway.formats.measures import device, iso_time, measurements, present
from gateway.formats.scale import NV_MV, implausible, millivolts, mv_per, number
from gateway.model.ekg import EkgGroup, EkgRecording

FHIR, KARDIA = "FHIR", "Kardia JSON"
Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | Decimal | bool | None
_LEAD_CODES = {
    "131329": "I", "131330": "II", "131389": "III", "131390": "aVR", "131391": "aVL", "131392": "aVF",
    "131331": "V1", "131332": "V2", "131333": "V3", "131334": "V4", "131335": "V5", "131336": "V6",
}  # fmt: skip
_MILLISECONDS = {"ms": Decimal(1), "s": Decimal(1000), "us": Decimal("0.001")}
_KARDIA_LEADS = ("leadI", "leadII", "leadIII", "AVR", "AVL", "AVF")
_ELEMENTS = {"E": "nan", "U": "nan", "L": "nan"}
_DATA = re.compile(r"[\s+\-.0-9eEUL]*", re.ASCII)


def matches(data: bytes) -> bool:
    """True for an object that says Observation and SampledData, or has Kardia's recordedAt and data."""
    if data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return False
    return (b'"valueSampledData"' in data and b'"Observation"' in data) or (
        b'"recordedAt"' in data and b'"samples"' in data
    )


def read(data: bytes) -> EkgRecording:
    """The recording in one JSON object.

    Raises
    ------
    FormatError
    """
    kind = FHIR if b'"valueSampledData"' in data else KARDIA
    try:
        root: Json = json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise FormatError(kind, "document", "not JSON") from None
    return _read_fhir(root) if kind == FHIR else _read_kardia(root)


def _at(value: Json, *path: str | int) -> Json:
    """The value at a path of names and positions; None where there is none."""
    for step in path:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _each(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _decimal(value: Json) -> Decimal | None:
    return number(str(value)) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _read_fhir(root: Json) -> EkgRecording:
    components = [one for one in (root, *_each(_at(root, "component"))) if _at(one, "valueSampledData")]
    warnings: list[str] = []
    leads, rows, rates = [], [], set()
    for n, component in enumerate(components, 1):
        leads.append(_fhir_lead(component) or f"component {n}")
        sampled = _at(component, "valueSampledData")
        rates.add(_fhir_rate(sampled, leads[-1]))
        rows.append(_fhir_samples(sampled, leads[-1], warnings))
    if len(rates) != 1:
        raise FormatError(FHIR, "component", "leads of different rates")
    samples_mv, notes = stacked(rows, FHIR)
    return EkgRecording(
        format=FHIR,
        format_version="",
        leads=tuple(leads),
        samples_mv=samples_mv,
        sample_rate_hz=rates.pop(),
        started_at=iso_time(_text(_at(root, "effectiveDateTime") or _at(root, "effectivePeriod", "start"))),
        device=device(model=_text(_at(root, "device", "display"))),
        patient_fields=present({"id": _text(_at(root, "subject", "identifier", "value"))}),
        warnings=(*warnings, *notes),
    )


def _fhir_lead(component: Json) -> str:
    codings = _each(_at(component, "code", "coding"))
    known = (_LEAD_CODES.get(_text(_at(coding, "code"))) for coding in codings)
    named = (
        lead_name(_text(_at(coding, "display")).removeprefix("MDC_ECG_ELEC_POTL_")) for coding in codings
    )
    return next(filter(None, (*known, *named)), "")


def _fhir_rate(sampled: Json, lead: str) -> float:
    interval = _decimal(_at(sampled, "period"))
    unit = _MILLISECONDS["ms"]
    if interval is None:
        interval, unit_text = _decimal(_at(sampled, "interval")), _text(_at(sampled, "intervalUnit"))
        if unit_text not in _MILLISECONDS:
            raise FormatError(FHIR, f"{lead}.intervalUnit", "is missing or no unit of time")
        unit = _MILLISECONDS[unit_text]
    if interval is None or interval <= 0:
        raise FormatError(FHIR, f"{lead}.period", "is missing or not above 0")
    return float(1000 / (interval * unit))


def _fhir_samples(sampled: Json, lead: str, warnings: list[str]) -> NDArray[np.float64]:
    unit = _text(_at(sampled, "origin", "code")) or _text(_at(sampled, "origin", "unit"))
    unit_mv, origin = mv_per(unit), _decimal(_at(sampled, "origin", "value"))
    factor = _decimal(_at(sampled, "factor")) if _at(sampled, "factor") is not None else Decimal(1)
    if unit_mv is None:
        raise FormatError(
            FHIR, f"{lead}.origin.unit", "is missing or no unit of voltage, so there is no scale"
        )
    if origin is None or not factor or _at(sampled, "dimensions") not in {1, None}:
        raise FormatError(FHIR, lead, "origin, factor or dimensions do not hold")
    if _at(sampled, "offsets") is not None or _at(sampled, "codeMap") is not None:
        raise FormatError(FHIR, lead, "offsets and code maps are not read")
    values = _fhir_values(_text(_at(sampled, "data")), lead)
    if missing := int(np.isnan(values).sum()):
        warnings.append(f"{lead}: {missing} samples without a number (E, U or L)")
    return values * float(factor * unit_mv) + float(origin * unit_mv)


def _fhir_values(data: str, lead: str) -> NDArray[np.float64]:
    """Numbers set apart by blanks, NaN for what is none."""
    try:
        values = np.array([float(_ELEMENTS.get(word, word)) for word in data.split()])
    except ValueError:
        values = np.array([np.inf])
    if _DATA.fullmatch(data) is None or np.isinf(values).any():
        raise FormatError(FHIR, f"{lead}.data", "something that is no number")
    return values


def _read_kardia(root: Json) -> EkgRecording:
    parts = [
        (name, _at(root, "data", name)) for name in ("raw", "enhanced") if _at(root, "data", name, "samples")
    ]
    if not parts:
        raise FormatError(KARDIA, "data", "no raw or enhanced samples; twelve-lead objects are not read")
    warnings: list[str] = []
    groups = [_kardia_group(name, part, warnings) for name, part in parts]
    mains = _decimal(_at(parts[0][1], "mainsFrequency"))
    return EkgRecording(
        format=KARDIA,
        format_version="",
        leads=groups[0].leads,
        samples_mv=groups[0].samples_mv,
        sample_rate_hz=groups[0].sample_rate_hz,
        started_at=iso_time(_text(_at(root, "recordedAt"))),
        device=device(
            model=_text(_at(root, "deviceInfo", "hardwareType")),
            serial=_text(_at(root, "deviceInfo", "serialNumber")),
        ),
        filters={"mains_hz": str(mains)} if mains and parts[0][0] == "enhanced" else {},
        patient_fields=present({"id": _text(_at(root, "patientID"))}),
        device_measurements=measurements([("heart-rate", _decimal(_at(root, "heartRate")), "/min")]),
        statements=tuple(filter(None, [_text(_at(root, "algorithmDetermination"))])),
        groups=tuple(groups[1:]),
        warnings=tuple(warnings),
    )


def _kardia_group(name: str, part: Json, warnings: list[str]) -> EkgGroup:
    rate, nanovolts = _decimal(_at(part, "frequency")), _decimal(_at(part, "amplitudeResolution"))
    if not rate or rate <= 0 or not nanovolts or nanovolts <= 0:
        raise FormatError(KARDIA, name, "no frequency, or no amplitudeResolution and so no scale")
    scale = nanovolts * NV_MV
    if note := implausible(scale, 1 << 16):
        warnings.append(f"{name}: {note}")
    if nanovolts < 10:
        warnings.append(f"{name}: an amplitudeResolution of {nanovolts} nV is less than any recorder's")
    found = [(lead, _at(part, "samples", lead)) for lead in _KARDIA_LEADS]
    rows = [millivolts(_counts(values, lead), scale) for lead, values in found if values]
    samples_mv, notes = stacked(rows, KARDIA)
    warnings.extend(notes)
    leads = tuple(lead_name(lead.removeprefix("lead")) for lead, values in found if values)
    return EkgGroup(name, leads, samples_mv, float(rate))


def _counts(values: Json, lead: str) -> NDArray[np.float64]:
    counts = _each(values)
    if not set(map(type, counts)) <= {int, Decimal}:
        raise FormatError(KARDIA, lead, "something that is no number among the samples")
    try:
        array = np.array(counts, np.float64)
    except OverflowError:
        array = np.array([np.inf])
    if not np.isfinite(array).all():
        raise FormatError(KARDIA, lead, "a sample that is too large for a number")
    return array
