"""HL7 aECG: the writer.

One sequence set for the rhythm, one derived series for a group; every lead with the scale of which its
samples are whole multiples, so that what is read back is what was written, to a picovolt.
The document's identifiers are made from its content: the same recording gives the same bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from numpy.typing import NDArray

from gateway.formats.aecg import FILTERS, FORMAT, MEASUREMENTS
from gateway.formats.fitting import (
    Fitted,
    Held,
    Steps,
    as_read,
    held_device,
    held_fields,
    held_measurements,
    held_start,
    on_own_steps,
)
from gateway.formats.identity import identifier
from gateway.formats.measures import hl7_time, ucum
from gateway.formats.resolution import counts_of
from gateway.formats.scale import number
from gateway.model.ekg import STANDARD_LEADS, DeviceMeasurement, EkgGroup, EkgRecording

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_MDC = {"codeSystem": "2.16.840.1.113883.6.24", "codeSystemName": "MDC"}
_ACT = {"codeSystem": "2.16.840.1.113883.5.4", "codeSystemName": "ActCode"}
_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SEX = {"male": "M", "female": "F"}
_CODES = {name: code for code, name in MEASUREMENTS.items()}
_NOT_OF_ALL = ("MDC_ECG_BEAT", "MDC_ECG_INTERPRETATION")
_MOST_COUNTS = 1 << 52


def fit(recording: EkgRecording) -> Fitted:
    """The recording without the texts that would come back as others; samples without signal as 0 mV."""
    recording = as_read(recording)
    statements = (" ".join(_printable(text).split()) for text in recording.statements)
    groups = (replace(group, label=_printable(group.label).strip()) for group in recording.groups)
    recording = replace(
        recording,
        format=FORMAT,
        format_version="",
        started_at=held_start(recording.started_at, zone=True, resolution=timedelta(milliseconds=1)),
        device=held_device(recording.device, dict.fromkeys(("vendor", "model", "serial"), _printable)),
        filters={name: text for name, text in recording.filters.items() if _is_filter(name, text)},
        patient_fields=_patient(recording.patient_fields),
        device_measurements=held_measurements(recording, _is_annotation),
        statements=tuple(dict.fromkeys(filter(None, statements))),
        groups=tuple(groups),
    )
    return on_own_steps(recording, _MOST_COUNTS, gaps=False)


def _is_filter(name: str, text: str) -> bool:
    return name in FILTERS.values() and number(text) not in {None, Decimal(0)} and text == text.strip()


def _is_annotation(name: str, measurement: DeviceMeasurement) -> bool:
    code = _CODES.get(name, name)
    unit = measurement.unit
    return not code.startswith(_NOT_OF_ALL) and code == code.strip() and ucum(unit) == unit != ""


def _born(text: str) -> str:
    moment = hl7_time(digits := _printable(text.replace("-", "")).strip())
    return moment.date().isoformat() if moment else digits


def _aged(text: str) -> str | None:
    value, _, unit = _printable(text).partition(" ")
    return f"{value} {unit or 'a'}" if number(value) is not None else None


def _printable(text: str) -> str:
    """Text without the control characters that XML 1.0 cannot hold."""
    return _CONTROL.sub(" ", text)


_PATIENT: dict[str, Held] = {
    "id": _printable,
    "name": _printable,
    "family_name": _printable,
    "given_name": _printable,
    "sex": lambda text: text if text in _SEX else None,
    "birth_date": _born,
    "age": _aged,
}


def _patient(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields held; a whole name only where there are no parts of it."""
    parts = {"family_name", "given_name"} & fields.keys()
    return held_fields({name: text for name, text in fields.items() if name != "name" or not parts}, _PATIENT)


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The recording as one aECG document, UTF-8."""
    recording = fitted.recording
    root = Element(
        "AnnotatedECG",
        {"xmlns": "urn:hl7-org:v3", "xmlns:xsi": _XSI, "type": "Observation", "classCode": "OBS"},
    )
    _child(root, "id", root=str(identifier(recording)))
    _child(root, "code", code="93000", codeSystem="2.16.840.1.113883.6.12", codeSystemName="CPT-4")
    _period(root, recording)
    _subject(root, recording)
    _age(root, recording)
    series = _child(_child(root, "component"), "series")
    _child(series, "code", code="RHYTHM", **_ACT)
    _period(series, recording)
    _author(series, recording)
    _filters(series, recording)
    rhythm = EkgGroup("rhythm", recording.leads, recording.samples_mv, recording.sample_rate_hz)
    _sequence_set(series, rhythm, fitted.steps_mv, _stamp(recording))
    _annotations(series, recording)
    for group, steps_mv in zip(recording.groups, fitted.group_steps_mv, strict=True):
        derived = _child(_child(series, "derivation"), "derivedSeries")
        code = "REPRESENTATIVE_BEAT" if group.label == "median" else group.label
        _child(derived, "code", code=code, **_ACT)
        _period(derived, recording)
        _sequence_set(derived, group, steps_mv, None)
    indent(root)
    body: bytes = tostring(root, "utf-8")
    return {name: b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"}


def _child(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    element = SubElement(parent, tag, {name: _printable(value) for name, value in attributes.items()})
    element.text = text if text is None else _printable(text)
    return element


def _value(parent: Element, kind: str, text: str | None = None, **attributes: str) -> Element:
    element = _child(parent, "value", text, **attributes)
    element.set("xsi:type", kind)
    return element


def _stamp(recording: EkgRecording) -> str | None:
    """The start as an HL7 time stamp with milliseconds, and with a zone only where one is known."""
    started = recording.started_at
    if started is None:
        return None
    return f"{started.year:04}{started:%m%d%H%M%S}.{started.microsecond // 1000:03}{started:%z}"


def _period(parent: Element, recording: EkgRecording) -> None:
    if (stamp := _stamp(recording)) is None:
        _child(parent, "effectiveTime", nullFlavor="UNK")
    else:
        _child(_child(parent, "effectiveTime"), "low", value=stamp)


def _subject(root: Element, recording: EkgRecording) -> None:
    fields = recording.patient_fields
    event = _child(_child(root, "componentOf"), "timepointEvent")
    assignment = _child(_child(event, "componentOf"), "subjectAssignment")
    trial = _child(_child(assignment, "subject"), "trialSubject")
    study = _child(_child(assignment, "componentOf"), "clinicalTrial")
    _child(study, "id", nullFlavor="NA")  # the schema wants a trial, and a patient's EKG belongs to none
    _child(trial, "id", **({"extension": fields["id"]} if "id" in fields else {"nullFlavor": "NI"}))
    person = _child(trial, "subjectDemographicPerson")
    parts = [(part, fields[f"{part}_name"]) for part in ("family", "given") if f"{part}_name" in fields]
    if parts or "name" in fields:
        name = _child(person, "name", None if parts else fields["name"])
        for part, text in parts:
            _child(name, part, text)
    if fields.get("sex") in _SEX:
        code = _SEX[fields["sex"]]
        _child(person, "administrativeGenderCode", code=code, codeSystem="2.16.840.1.113883.5.1")
    if "birth_date" in fields:
        _child(person, "birthTime", value=fields["birth_date"].replace("-", ""))


def _age(root: Element, recording: EkgRecording) -> None:
    value, _, unit = recording.patient_fields.get("age", "").partition(" ")
    if number(value) is not None:
        observed = _child(_child(root, "controlVariable"), "relatedObservation")
        _child(observed, "code", code="21612-7", codeSystem="2.16.840.1.113883.6.1", codeSystemName="LOINC")
        _value(observed, "PQ", value=value, unit=unit or "a")


def _author(series: Element, recording: EkgRecording) -> None:
    device = recording.device
    author = _child(_child(series, "author"), "seriesAuthor")
    made = _child(author, "manufacturedSeriesDevice")
    if device.serial:
        _child(made, "id", extension=device.serial)
    if device.model:
        _child(made, "manufacturerModelName", device.model)
    if device.vendor:
        _child(_child(author, "manufacturerOrganization"), "name", device.vendor)


def _filters(series: Element, recording: EkgRecording) -> None:
    for code, name in FILTERS.items():
        if number(recording.filters.get(name)) is None:
            continue
        outer = _child(_child(series, "controlVariable"), "controlVariable")
        _child(outer, "code", code=f"MDC_ECG_CTL_VBL_ATTR_FILTER_{code}", **_MDC)
        inner = _child(_child(outer, "component"), "controlVariable")
        cutoff = "NOTCH_FREQ" if code == "NOTCH" else "CUTOFF_FREQ"
        _child(inner, "code", code=f"MDC_ECG_CTL_VBL_ATTR_FILTER_{cutoff}", **_MDC)
        _value(inner, "PQ", value=recording.filters[name], unit="Hz")


def _sequence_set(parent: Element, group: EkgGroup, steps_mv: Steps, stamp: str | None) -> None:
    sequences = _child(_child(parent, "component"), "sequenceSet")
    increment = f"{1 / Decimal(str(group.sample_rate_hz)):f}"
    time = _child(_child(sequences, "component"), "sequence")
    _child(time, "code", code="TIME_RELATIVE" if stamp is None else "TIME_ABSOLUTE", **_ACT)
    value = _value(time, "GLIST_PQ" if stamp is None else "GLIST_TS")
    if stamp is None:
        _child(value, "head", value="0", unit="s")
    else:
        _child(value, "head", value=stamp)
    _child(value, "increment", value=increment, unit="s")
    for lead, samples_mv, step in zip(group.leads, group.samples_mv, steps_mv, strict=True):
        _lead(sequences, lead, counts_of(samples_mv, step), step)


def _lead(sequences: Element, lead: str, counts: NDArray[np.int64], step: Decimal) -> None:
    sequence = _child(_child(sequences, "component"), "sequence")
    code = lead.upper() if lead in STANDARD_LEADS else lead
    _child(sequence, "code", code=f"MDC_ECG_LEAD_{code}", **_MDC)
    value = _value(sequence, "SLIST_PQ")
    _child(value, "origin", value="0", unit="uV")
    _child(value, "scale", value=f"{(step * 1000).normalize():f}", unit="uV")
    _child(value, "digits", " ".join(map(str, counts.tolist())))


def _annotations(series: Element, recording: EkgRecording) -> None:
    if not recording.device_measurements and not recording.statements:
        return
    annotations = _child(_child(series, "subjectOf"), "annotationSet")
    for name, measurement in recording.device_measurements.items():
        annotation = _child(_child(annotations, "component"), "annotation")
        code = _CODES.get(name, name)
        _child(annotation, "code", code=code, **_MDC if code.startswith("MDC_") else {})
        _value(annotation, "PQ", value=str(measurement.value), unit=measurement.unit)
    if recording.statements:
        outer = _child(_child(annotations, "component"), "annotation")
        _child(outer, "code", code="MDC_ECG_INTERPRETATION", **_MDC)
        for statement in recording.statements:
            annotation = _child(_child(outer, "component"), "annotation")
            _child(annotation, "code", code="MDC_ECG_INTERPRETATION_STATEMENT", **_MDC)
            _value(annotation, "ST", statement)
