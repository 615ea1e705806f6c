"""GE MUSE XML (``RestingECG``), as versions 7 and 9 export it.

``Waveform`` twice, Median and Rhythm; in each 8 leads (I II V1-V6; carts with 15 leads add theirs), base64 of
16-bit little-endian counts, with `LeadAmplitudeUnitsPerBit` and a CRC-32 of the decoded bytes. III, aVR, aVL
and aVF are not in the file. `HighPassFilter` is in hundredths of a hertz (one implementation says so).
"""

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name, stacked
from gateway.formats.markup import Node, from_base64, int16, parse_xml
from gateway.formats.measures import date_of, device, measurements, moment_of, present, sex
from gateway.formats.scale import millivolts, mv_per, number, positive
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording

FORMAT = "GE MUSE XML"
_MEASURES = (
    ("heart-rate", "VentricularRate", "/min"),
    ("pr-interval", "PRInterval", "ms"),
    ("qrs-duration", "QRSDuration", "ms"),
    ("qt-interval", "QTInterval", "ms"),
    ("qtc-interval", "QTCorrected", "ms"),
    ("p-axis", "PAxis", "deg"),
    ("qrs-axis", "RAxis", "deg"),
    ("t-axis", "TAxis", "deg"),
)
_AGE_UNITS = {"YEARS": "a", "MONTHS": "mo", "WEEKS": "wk", "DAYS": "d", "HOURS": "h"}
_LATEST_START = 16  # lengths of the lead itself


def read(data: bytes) -> EkgRecording:
    """The recording in one MUSE document.

    Raises
    ------
    FormatError
    """
    root = Node(parse_xml(data, FORMAT), FORMAT)
    warnings: list[str] = []
    waveforms = [(one, _group(one, warnings)) for one in root.each("Waveform")]
    rhythm = next(((one, group) for one, group in waveforms if group.label == "rhythm"), None)
    if rhythm is None:
        raise root.error("no Waveform of WaveformType Rhythm", "Waveform")
    node, group = rhythm
    return EkgRecording(
        format=FORMAT,
        format_version=root.text("MuseInfo/MuseVersion"),
        leads=group.leads,
        samples_mv=group.samples_mv,
        sample_rate_hz=group.sample_rate_hz,
        started_at=moment_of(*_date(root), *_time(root)),
        device=device(model=root.text("TestDemographics/AcquisitionDevice")),
        filters=_filters(node),
        patient_fields=_patient(root),
        device_measurements=_measured(root),
        statements=tuple(_statements(root)),
        groups=tuple(other for _, other in waveforms if other is not group),
        warnings=tuple(warnings),
    )


def _group(waveform: Node, warnings: list[str]) -> EkgGroup:
    label = waveform.text("WaveformType").lower()
    base, exponent = positive(waveform.text("SampleBase")), number(waveform.text("SampleExponent") or "0")
    if base is None or exponent is None or abs(exponent) > 9:
        raise waveform.error("SampleBase and SampleExponent give no sample rate", f"Waveform {label}")
    leads, rows = [], []
    for lead in waveform.each("LeadData"):
        leads.append(lead_name(lead.text("LeadID")))
        rows.append(_lead(lead, f"{label} lead {leads[-1]}", warnings))
    samples_mv, notes = stacked(rows, FORMAT)
    warnings.extend(notes)
    return EkgGroup(label, tuple(leads), samples_mv, float(base.scaleb(int(exponent))))


def _lead(lead: Node, name: str, warnings: list[str]) -> NDArray[np.float64]:
    scale = positive(lead.text("LeadAmplitudeUnitsPerBit"))
    unit_mv = mv_per(lead.text("LeadAmplitudeUnits"))
    if scale is None or unit_mv is None:
        raise lead.error(
            "LeadAmplitudeUnitsPerBit with no scale, or LeadAmplitudeUnits with no voltage", name
        )
    if (lead.text("LeadSampleSize") or "2") != "2":
        raise lead.error("LeadSampleSize is not 2 bytes", name)
    data = from_base64(lead.raw("WaveFormData"), lead)
    if lead.text("LeadDataCRC32") not in {"", "0", str(zlib.crc32(data))}:
        warnings.append(f"{name}: LeadDataCRC32 does not hold")
    counts = int16(data, lead)
    if lead.text("LeadSampleCountTotal") not in {"", str(counts.size)}:
        warnings.append(f"{name}: {counts.size} samples, LeadSampleCountTotal says otherwise")
    if lead.text("LeadOff").upper() == "TRUE":
        warnings.append(f"{name}: the electrode was off")
    samples_mv = millivolts(counts, scale * unit_mv)
    late = number(lead.text("LeadOffsetFirstSample") or "0")
    if late is None or not 0 <= late <= _LATEST_START * counts.size:
        raise lead.error("LeadOffsetFirstSample is no number of samples", name)
    return np.concatenate([np.full(int(late), np.nan), samples_mv]) if late else samples_mv


def _numbers(text: str, separator: str) -> tuple[int, ...]:
    parts = text.split(separator)
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def _date(root: Node) -> tuple[int, int, int]:
    month, day, year = _numbers(root.text("TestDemographics/AcquisitionDate"), "-") or (0, 0, 0)
    return year, month, day


def _time(root: Node) -> tuple[int, ...]:
    return _numbers(root.text("TestDemographics/AcquisitionTime"), ":")[:3]


def _filters(waveform: Node) -> dict[str, str]:
    high_pass, mains = waveform.text("HighPassFilter"), waveform.text("ACFilter")
    found = {"low_pass_hz": waveform.text("LowPassFilter")}
    if high_pass.isdecimal():
        found["high_pass_hz"] = f"{int(high_pass) / 100:g}"
    if mains.isdecimal():
        found["mains_hz"] = mains
    return present(found)


def _patient(root: Node) -> dict[str, str]:
    person = root.first("PatientDemographics")
    if person is None:
        return {}
    born = _numbers(person.text("DateofBirth"), "-")
    unit = _AGE_UNITS.get(person.text("AgeUnits").upper(), "")
    return present(
        {
            "id": person.text("PatientID"),
            "family_name": person.text("PatientLastName"),
            "given_name": person.text("PatientFirstName"),
            "birth_date": date_of(born[2], born[0], born[1]) if len(born) == 3 else None,
            "sex": sex(person.text("Gender")),
            "age": person.text("PatientAge") and f"{person.text('PatientAge')} {unit}",
        }
    )


def _measured(root: Node) -> dict[str, DeviceMeasurement]:
    path = "RestingECGMeasurements/"
    found = measurements((name, root.text(path + tag), unit) for name, tag, unit in _MEASURES)
    onset, offset, rate = (number(root.text(path + tag)) for tag in ("POnset", "POffset", "ECGSampleBase"))
    if onset and offset and rate and offset > onset > 0 and root.text(path + "ECGSampleExponent") == "0":
        found |= measurements([("p-duration", (offset - onset) * 1000 / rate, "ms")])
    return found


def _statements(root: Node) -> Iterator[str]:
    """Lines of the confirmed diagnosis; a statement's text may be one piece of a line."""
    line: list[str] = []
    for statement in root.each("Diagnosis/DiagnosisStatement"):
        line.append(statement.text("StmtText"))
        if any(flag.text() == "ENDSLINE" for flag in statement.each("StmtFlag")):
            yield " ".join(filter(None, line))
            line = []
    if any(line):
        yield " ".join(filter(None, line))
