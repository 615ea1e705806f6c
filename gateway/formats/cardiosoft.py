"""GE CardioSoft and CASE XML (``CardiologyXML``): a resting EKG in ``StripData``, its median beat beside it.

Samples are integers set apart by commas, with tabs and line breaks anywhere; `Resolution` is in uV a count.
Source: a file of CardioSoft 6.71. Full disclosure of stress tests (`FullDisclosure`) is not read.
"""

import re
from datetime import datetime

from gateway.formats.leads import lead_name, stacked
from gateway.formats.markup import Node, numbers, parse_xml
from gateway.formats.measures import date_of, device, measurements, moment_of, present, sex, ucum
from gateway.formats.scale import mv_per, positive
from gateway.model.ekg import EkgGroup, EkgRecording

FORMAT = "CardioSoft XML"
_MEASURES = (
    ("heart-rate", "VentricularRate"),
    ("rr-interval", "RRInterval"),
    ("p-duration", "PDuration"),
    ("pr-interval", "PQInterval"),
    ("qrs-duration", "QRSDuration"),
    ("qt-interval", "QTInterval"),
    ("qtc-interval", "QTCInterval"),
    ("p-axis", "PAxis"),
    ("qrs-axis", "RAxis"),
    ("t-axis", "TAxis"),
)
_RESOLUTION = re.compile(r"(\w+)per(?:Lsb|Bit)", re.IGNORECASE)


def read(data: bytes) -> EkgRecording:
    """The resting EKG in one CardioSoft document.

    Raises
    ------
    FormatError
    """
    root = Node(parse_xml(data, FORMAT), FORMAT)
    strip = root.first("StripData")
    if strip is None:
        raise root.error("is missing; other kinds of recording are not read", "StripData")
    rhythm, warnings = _group(strip, "rhythm")
    median = root.first("RestingECGMeasurements/MedianSamples")
    measured = root.first("RestingECGMeasurements") or root
    return EkgRecording(
        format=FORMAT,
        format_version=root.text("ClinicalInfo/DeviceInfo/SoftwareVer").removeprefix("V"),
        leads=rhythm.leads,
        samples_mv=rhythm.samples_mv,
        sample_rate_hz=rhythm.sample_rate_hz,
        started_at=_started(root),
        device=device(model=root.text("ClinicalInfo/DeviceInfo/Desc")),
        filters=_filters(root),
        patient_fields=_patient(root),
        device_measurements=measurements(
            (name, measured.text(tag), ucum(measured.get("units", tag))) for name, tag in _MEASURES
        ),
        statements=tuple(
            filter(None, (one.text() for one in root.each("Interpretation/Diagnosis/DiagnosisText")))
        ),
        groups=() if median is None else (_group(median, "median")[0],),
        warnings=warnings,
    )


def _group(node: Node, label: str) -> tuple[EkgGroup, tuple[str, ...]]:
    rate, step = positive(node.text("SampleRate")), positive(node.text("Resolution"))
    unit = _RESOLUTION.fullmatch(node.get("units", "Resolution"))
    unit_mv = mv_per(unit[1]) if unit else None
    if rate is None or step is None or unit_mv is None:
        raise node.error("SampleRate or Resolution with its units is missing")
    leads, rows, warnings = [], [], []
    for waveform in node.each("WaveformData"):
        leads.append(lead_name(waveform.get("lead")))
        rows.append(numbers(waveform.raw(), waveform) * float(step * unit_mv))
        if node.text("ChannelSampleCountTotal") not in {"", str(rows[-1].size)}:
            warnings.append(f"{label} lead {leads[-1]}: {rows[-1].size} samples, the header says otherwise")
    samples_mv, notes = stacked(rows, FORMAT)
    return EkgGroup(label, tuple(leads), samples_mv, float(rate)), (*warnings, *notes)


def _started(root: Node) -> datetime | None:
    parts = [root.text(f"ObservationDateTime/{tag}") for tag in ("Year", "Month", "Day")]
    parts += [root.text(f"ObservationDateTime/{tag}") or "0" for tag in ("Hour", "Minute", "Second")]
    return moment_of(*map(int, parts)) if all(part.isdecimal() for part in parts) else None


def _filters(root: Node) -> dict[str, str]:
    found = {
        "low_pass_hz": root.text("FilterSetting/LowPass"),
        "high_pass_hz": root.text("FilterSetting/HighPass"),
    }
    for hz in ("50", "60"):
        if root.text(f"FilterSetting/Filter{hz}Hz") == "Yes":
            found["mains_hz"] = hz
    if root.text("FilterSetting/CubicSpline") == "Yes":
        found["text"] = "baseline by cubic spline"
    return present(found)


def _patient(root: Node) -> dict[str, str]:
    born = [root.text(f"PatientInfo/BirthDateTime/{tag}") for tag in ("Year", "Month", "Day")]
    age = root.text("PatientInfo/Age")
    return present(
        {
            "id": root.text("PatientInfo/PID"),
            "family_name": root.text("PatientInfo/Name/FamilyName"),
            "given_name": root.text("PatientInfo/Name/GivenName"),
            "birth_date": date_of(*map(int, born)) if all(part.isdecimal() for part in born) else None,
            "sex": sex(root.text("PatientInfo/Gender")),
            "age": f"{age} a" if age.isdecimal() else None,
        }
    )
