"""HL7 aECG (annotated ECG, HL7 v3 R1, implementation guide of 2005): the reader.

``AnnotatedECG/component/series`` holds the rhythm, ``series/derivation/derivedSeries`` a representative beat.
In a ``sequenceSet`` the first sequence is time (``TIME_ABSOLUTE`` or ``TIME_RELATIVE`` with an increment),
the others are leads: amplitude = origin + digit x scale, each with its unit. A derived series stands inside
the rhythm's series, so nothing here searches deeper than the schema says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name, stacked
from gateway.formats.markup import Node, numbers, parse_xml
from gateway.formats.measures import device, hl7_time, measured, present, sex, ucum
from gateway.formats.scale import mv_per, number, positive
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording
from gateway.model.reading import Device

FORMAT = "HL7 aECG"
MEASUREMENTS = {
    "MDC_ECG_HEART_RATE": "heart-rate",
    "MDC_ECG_TIME_PD_RR": "rr-interval",
    "MDC_ECG_TIME_PD_P": "p-duration",
    "MDC_ECG_TIME_PD_PR": "pr-interval",
    "MDC_ECG_TIME_PD_QRS": "qrs-duration",
    "MDC_ECG_TIME_PD_QT": "qt-interval",
    "MDC_ECG_TIME_PD_QTc": "qtc-interval",
    "MDC_ECG_ANGLE_P_FRONT": "p-axis",
    "MDC_ECG_ANGLE_QRS_FRONT": "qrs-axis",
    "MDC_ECG_ANGLE_T_FRONT": "t-axis",
}
FILTERS = {"LOW_PASS": "low_pass_hz", "HIGH_PASS": "high_pass_hz", "NOTCH": "mains_hz"}
_FILTER = "MDC_ECG_CTL_VBL_ATTR_FILTER_"
_SECONDS = {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6")}
_PERSON = "subjectDemographicPerson"


@dataclass(frozen=True, slots=True)
class _Sequences:
    """One sequence set: leads that were recorded at once."""

    leads: tuple[str, ...]
    samples_mv: NDArray[np.float64]
    sample_rate_hz: float
    head: str
    warnings: tuple[str, ...]

    def group(self, label: str) -> EkgGroup:
        return EkgGroup(label, self.leads, self.samples_mv, self.sample_rate_hz)


def read(data: bytes) -> EkgRecording:
    """The recording in one aECG document.

    Raises
    ------
    FormatError
    """
    root = Node(parse_xml(data, FORMAT), FORMAT)
    series = list(root.each("component/series"))
    parts = [(one.get("code", "code"), part) for one in series for part in _sequence_sets(one)]
    if not parts:
        raise root.error("no series with a sequence set", "component/series")
    rhythm = next((part for code, part in parts if code == "RHYTHM"), parts[0][1])
    others = [part.group(f"part {n}") for n, (_, part) in enumerate(parts, 1) if part is not rhythm]
    annotations = dict(_annotations(series))
    started = hl7_time(series[0].get("value", "effectiveTime/low") or root.get("value", "effectiveTime/low"))
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=rhythm.leads,
        samples_mv=rhythm.samples_mv,
        sample_rate_hz=rhythm.sample_rate_hz,
        started_at=started or hl7_time(root.get("value", "effectiveTime/center")) or hl7_time(rhythm.head),
        device=_device(series[0]),
        filters=_filters(series[0]),
        patient_fields=_patient(root),
        device_measurements=annotations,
        statements=tuple(dict.fromkeys(_statements(series))),
        groups=(*others, *_derived(series)),
        warnings=(
            *(warning for _, part in parts for warning in part.warnings),
            *_clock(series[0].get("value", "effectiveTime/low"), rhythm.head),
        ),
    )


def _clock(effective: str, head: str) -> tuple[str, ...]:
    if hl7_time(effective) and hl7_time(head) and effective[:8] != head[:8]:
        return ("effectiveTime and the head of TIME_ABSOLUTE are on different days; effectiveTime was taken",)
    return ()


def _sequence_sets(series: Node) -> Iterator[_Sequences]:
    for found in series.each("component/sequenceSet"):
        if (sequences := _sequences(found)) is not None:
            yield sequences


def _sequences(found: Node) -> _Sequences | None:
    rate, head, leads, rows = 0.0, "", [], []
    for sequence in found.each("component/sequence"):
        code = sequence.get("code", "code")
        if code in {"TIME_ABSOLUTE", "TIME_RELATIVE"}:
            rate = _rate(sequence)
            head = sequence.get("value", "value/head") if code == "TIME_ABSOLUTE" else ""
        elif (digits := sequence.raw("value/digits")).strip():
            leads.append(lead_name(code))
            rows.append(_amplitudes(sequence, code, digits))
    if not rows:
        return None
    if not rate:
        raise found.error("no time sequence, so no sample rate")
    samples_mv, warnings = stacked(rows, FORMAT)
    return _Sequences(tuple(leads), samples_mv, rate, head, warnings)


def _rate(sequence: Node) -> float:
    increment = positive(sequence.get("value", "value/increment"))
    unit = sequence.get("unit", "value/increment")
    if increment is None or unit not in _SECONDS:
        raise sequence.error("increment without a value above 0 in s, ms or us", "time sequence")
    return float(1 / (increment * _SECONDS[unit]))


def _amplitudes(sequence: Node, code: str, digits: str) -> NDArray[np.float64]:
    scale = number(sequence.get("value", "value/scale"))
    scale_mv = mv_per(sequence.get("unit", "value/scale"))
    if not scale or scale_mv is None:
        raise sequence.error("no scale with a unit of voltage", code)
    origin = number(sequence.get("value", "value/origin") or "0")
    origin_mv = mv_per(sequence.get("unit", "value/origin") or sequence.get("unit", "value/scale"))
    if origin is None or origin_mv is None:
        raise sequence.error("an origin that is no voltage", code)
    counts = numbers(digits, sequence)
    return counts * float(scale * scale_mv) + float(origin * origin_mv)


def _derived(series: list[Node]) -> Iterator[EkgGroup]:
    for derived in (found for one in series for found in one.each("derivation/derivedSeries")):
        code = derived.get("code", "code")
        label = "median" if code == "REPRESENTATIVE_BEAT" else code
        yield from (part.group(label) for part in _sequence_sets(derived))


def _annotation_trees(series: list[Node]) -> Iterator[Node]:
    for one in series:
        yield from one.each("subjectOf/annotationSet/component/annotation")
        yield from one.each("derivation/derivedSeries/subjectOf/annotationSet/component/annotation")


def _whole(annotation: Node) -> Iterator[Node]:
    """The annotation and those in it that speak of the whole recording, not of one beat or one lead."""
    pending = [annotation]
    while pending:
        one = pending.pop(0)
        code = one.get("code", "code")
        if code.startswith("MDC_ECG_BEAT") or one.first("support/supportingROI/component/boundary"):
            continue
        yield one
        pending.extend(one.each("component/annotation"))


def _annotations(series: list[Node]) -> Iterator[tuple[str, DeviceMeasurement]]:
    """Measurements; those of the derived beat come last, and so stand where both have one."""
    for annotation in (found for tree in _annotation_trees(series) for found in _whole(tree)):
        code, unit = annotation.get("code", "code"), ucum(annotation.get("unit", "value"))
        if unit:
            name = MEASUREMENTS.get(code, code)
            yield from measured(name, annotation.get("value", "value"), unit).items()


def _statements(series: list[Node]) -> Iterator[str]:
    for annotation in (found for tree in _annotation_trees(series) for found in _whole(tree)):
        if annotation.get("code", "code").startswith("MDC_ECG_INTERPRETATION") and annotation.text("value"):
            yield annotation.text("value")


def _device(series: Node) -> Device:
    author = series.first("author/seriesAuthor")
    if author is None:
        return Device()
    made = "manufacturedSeriesDevice/"
    extension = author.get("extension", made + "id")
    return device(
        vendor=author.text("manufacturerOrganization/name"),
        model=author.text(made + "manufacturerModelName"),
        serial=author.text(made + "SerialNumber") or (extension if extension != "0" else ""),
    )


def _filters(series: Node) -> dict[str, str]:
    found = {}
    for variable in series.each("controlVariable/controlVariable"):
        kind = FILTERS.get(variable.get("code", "code").removeprefix(_FILTER))
        for part in variable.each("component/controlVariable"):
            if kind and part.get("unit", "value") == "Hz" and number(part.get("value", "value")):
                found[kind] = part.get("value", "value")
            elif kind and part.text("value"):
                found["text"] = "; ".join(
                    filter(None, (found.get("text"), f"{kind.rpartition('_')[0]}: {part.text('value')}"))
                )
    return found


def _patient(root: Node) -> dict[str, str]:
    subject = root.first(".//subject/trialSubject")
    fields = {} if subject is None else _subject(subject)
    for observed in root.each("controlVariable/relatedObservation"):
        if observed.get("code", "code") in {"21612-7", "30525-0"}:  # LOINC: reported age, age
            fields["age"] = f"{observed.get('value', 'value')} {observed.get('unit', 'value')}"
    return present(fields)


def _subject(subject: Node) -> dict[str, str | None]:
    born = subject.get("value", f"{_PERSON}/birthTime")
    moment = hl7_time(born)
    return {
        "id": subject.text(f"{_PERSON}/PatientID") or subject.get("extension", "id"),
        "name": subject.text(f"{_PERSON}/name"),
        "family_name": subject.text(f"{_PERSON}/name/family"),
        "given_name": subject.text(f"{_PERSON}/name/given"),
        "sex": sex(subject.get("code", f"{_PERSON}/administrativeGenderCode")),
        "birth_date": moment.date().isoformat() if moment else born,
        "age": subject.text(f"{_PERSON}/Age"),
    }
