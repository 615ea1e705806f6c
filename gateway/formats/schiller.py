"""Schiller SEMA XML (``com.xiriuz.sema.xml.schillerEDI.SchillerEDI``), as SEMA 2.64 exports an AT-110's EKG.

`event/wavedata` of type ECG_RHYTHMS and ECG_AVERAGES; samples are integers set apart by commas. The exponent
1 beside a sample rate of 500 does not scale it: 4998 samples are ten seconds.
"""

from gateway.formats.leads import lead_name, stacked
from gateway.formats.markup import Node, numbers, parse_xml
from gateway.formats.measures import device, hl7_time, measurements, present, sex
from gateway.formats.scale import mv_per, positive
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording

FORMAT = "Schiller XML"
_LABELS = {"ECG_RHYTHMS": "rhythm", "ECG_AVERAGES": "median"}
_FILTERS = {
    "HIGHPASS_CUTOFF_FREQ": "high_pass_hz",
    "LOWPASS_CUTOFF_FREQ": "low_pass_hz",
    "MAINS": "mains_hz",
}
_MEASURES = {
    "HR": ("heart-rate", "/min"),
    "RR": ("rr-interval", "ms"),
    "P": ("p-duration", "ms"),
    "PQ": ("pr-interval", "ms"),
    "QRS": ("qrs-duration", "ms"),
    "QT": ("qt-interval", "ms"),
    "QTC": ("qtc-interval", "ms"),
    "AXIS_P": ("p-axis", "deg"),
    "AXIS_QRS": ("qrs-axis", "deg"),
    "AXIS_T": ("t-axis", "deg"),
}


def read(data: bytes) -> EkgRecording:
    """The recording in one SEMA document.

    Raises
    ------
    FormatError
    """
    root = Node(parse_xml(data, FORMAT), FORMAT)
    groups = [_group(one) for one in root.each("eventdata/event/wavedata")]
    rhythm = next((one for one in groups if one[0].label == "rhythm"), None)
    if rhythm is None:
        raise root.error("no wavedata of type ECG_RHYTHMS", "wavedata")
    group, warnings = rhythm
    started = root.text("examdescript/startdatetime/date") + root.text("examdescript/startdatetime/time")[:6]
    hardware = "examdescript/aquiringdevice/hardware/"
    return EkgRecording(
        format=FORMAT,
        format_version=root.text("examdescript/aquiringdevice/software/version"),
        leads=group.leads,
        samples_mv=group.samples_mv,
        sample_rate_hz=group.sample_rate_hz,
        started_at=hl7_time(started),
        device=device(vendor=root.text(hardware + "vendor"), model=root.text(hardware + "model")),
        filters=_filters(root),
        patient_fields=_patient(root),
        device_measurements=_measured(root),
        statements=_statements(root),
        groups=tuple(other for other, _ in groups if other is not group),
        warnings=warnings,
    )


def _group(node: Node) -> tuple[EkgGroup, tuple[str, ...]]:
    kind = node.text("type")
    rate = positive(node.text("resolution/samplerate/value"))
    step = positive(node.text("resolution/yres/unitperbit"))
    unit_mv = mv_per(node.text("resolution/yres/units"))
    if rate is None or step is None or unit_mv is None:
        raise node.error("no sample rate, or no unitperbit with a unit of voltage", f"wavedata {kind}")
    leads, rows, warnings = [], [], []
    for channel in node.each("channel"):
        leads.append(lead_name(channel.text("name")))
        if channel.text("datastype") not in {"", "COMMASEPARATE"}:
            raise channel.error("samples in a form that is not known", f"channel {leads[-1]}")
        rows.append(numbers(channel.raw("data"), channel) * float(step * unit_mv))
        if channel.text("samplecount") not in {"", str(rows[-1].size)}:
            warnings.append(f"lead {leads[-1]}: {rows[-1].size} samples, samplecount says otherwise")
    samples_mv, notes = stacked(rows, FORMAT)
    group = EkgGroup(_LABELS.get(kind, kind), tuple(leads), samples_mv, float(rate))
    return group, (*warnings, *notes)


def _filters(root: Node) -> dict[str, str]:
    rows = root.each("eventdata/event/filters_data/filter")
    named = ((_FILTERS.get(one.text("name")), one.text("value")) for one in rows)
    return present({name: value for name, value in named if name})


def _patient(root: Node) -> dict[str, str]:
    born = hl7_time(root.text("patdata/birthdate"))
    return present(
        {
            "id": root.text("patdata/id"),
            "family_name": root.text("patdata/lastname"),
            "given_name": root.text("patdata/firstname"),
            "birth_date": born.date().isoformat() if born else None,
            "sex": sex(root.text("patdata/gender")),
        }
    )


def _measured(root: Node) -> dict[str, DeviceMeasurement]:
    rows = root.each("eventdata/event/annotation_global")
    named = ((_MEASURES.get(one.text("name")), one.text("value")) for one in rows)
    return measurements((known[0], value, known[1]) for known, value in named if known)


def _statements(root: Node) -> tuple[str, ...]:
    texts = (
        one.raw("textdata")
        for one in root.each("eventdata/event/textdata")
        if one.text("type") == "INTERPRETATION"
    )
    return tuple(line.strip() for text in texts for line in text.splitlines() if line.strip())
