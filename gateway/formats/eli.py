"""Mortara, Baxter and Welch Allyn ELI XML (root ``ECG`` with ``CHANNEL`` children).

A channel is one element: its samples in the attribute `DATA`, base64 of 16-bit little-endian counts, with its
own `UNITS_PER_MV` and `SAMPLE_FREQ`; `DURATION` counts samples. `TYPICAL_CYCLE` has a scale of its own.
Source: two public programs (no machine's file was at hand).
"""

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name, stacked
from gateway.formats.markup import Node, from_base64, int16, parse_xml
from gateway.formats.measures import device, hl7_time, measurements, present, sex
from gateway.formats.scale import number, positive
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording

FORMAT = "ELI XML"
_AGE_UNITS = {"Y": "a", "M": "mo", "W": "wk", "D": "d", "H": "h"}
_FILTERS = (("low_pass_hz", "LOW_PASS_FILTER"), ("high_pass_hz", "HIGH_PASS_FILTER"))
_WAVES = (
    ("p-duration", "P_ONSET", "P_OFFSET"),
    ("pr-interval", "P_ONSET", "Q_ONSET"),
    ("qrs-duration", "Q_ONSET", "Q_OFFSET"),
    ("qt-interval", "Q_ONSET", "T_OFFSET"),
)


def read(data: bytes) -> EkgRecording:
    """The recording in one ELI document.

    Raises
    ------
    FormatError
    """
    root = Node(parse_xml(data, FORMAT), FORMAT)
    channels = list(root.each("CHANNEL"))
    if not channels:
        raise root.error("is missing", "CHANNEL")
    leads = tuple(lead_name(one.get("NAME")) for one in channels)
    rates = {_rate(one) for one in channels}
    if len(rates) > 1:
        raise root.error("different sample rates", "CHANNEL")
    warnings: list[str] = []
    samples_mv, notes = stacked([_samples(one, one, warnings) for one in channels], FORMAT)
    cycle = root.first("TYPICAL_CYCLE")
    source = root.first("SOURCE") or root
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=leads,
        samples_mv=samples_mv,
        sample_rate_hz=rates.pop(),
        started_at=hl7_time(root.get("ACQUISITION_TIME")),
        device=device(
            vendor=source.get("MANUFACTURER"),
            model=source.get("MODEL"),
            serial=source.get("ACQUIRING_DEVICE_SERIAL_NUMBER"),
        ),
        filters=present({name: source.get(tag) for name, tag in _FILTERS}),
        patient_fields=_patient(root),
        device_measurements=_measured(root, cycle),
        statements=tuple(_statements(root)),
        groups=() if cycle is None else tuple(_cycle(cycle)),
        warnings=(*warnings, *notes),
    )


def _rate(node: Node) -> float:
    rate = positive(node.get("SAMPLE_FREQ"))
    if rate is None:
        raise node.error("no SAMPLE_FREQ")
    return float(rate)


def _samples(node: Node, scaled: Node, warnings: list[str]) -> NDArray[np.float64]:
    """Samples of a node, by the scale of that or of its parent."""
    units_per_mv = positive(scaled.get("UNITS_PER_MV"))
    name = f"{node.name} {lead_name(node.get('NAME'))}"
    if units_per_mv is None:
        raise node.error("no UNITS_PER_MV", name)
    form = (scaled.get("BITS") or "16", scaled.get("FORMAT") or "SIGNED", scaled.get("ENCODING") or "BASE64")
    if form != ("16", "SIGNED", "BASE64"):
        raise node.error("samples that are not signed 16-bit numbers in base64", name)
    offset = number(scaled.get("OFFSET") or "0")
    if offset != 0:
        raise node.error("OFFSET is not 0, and what it counts is not known", name)
    counts = int16(from_base64(node.get("DATA"), node), node)
    if scaled.get("DURATION") not in {"", str(counts.size)}:
        warnings.append(f"{name}: {counts.size} samples, DURATION says otherwise")
    return counts / float(units_per_mv)


def _cycle(cycle: Node) -> list[EkgGroup]:
    channels = list(cycle.each("TYPICAL_CYCLE_CHANNEL"))
    if not channels:
        return []
    samples_mv, _ = stacked([_samples(one, cycle, []) for one in channels], FORMAT)
    leads = tuple(lead_name(one.get("NAME")) for one in channels)
    return [EkgGroup("median", leads, samples_mv, _rate(cycle))]


def _patient(root: Node) -> dict[str, str]:
    """From SUBJECT: the labels of the demographic fields are set up on each cart."""
    born = hl7_time(root.get("DOB", "SUBJECT"))
    age = root.get("AGE")
    return present(
        {
            "id": root.get("ID", "SUBJECT"),
            "family_name": root.get("LAST_NAME", "SUBJECT"),
            "given_name": root.get("FIRST_NAME", "SUBJECT"),
            "birth_date": born.date().isoformat() if born else None,
            "sex": sex(root.get("GENDER", "SUBJECT")),
            "age": age and f"{age} {_AGE_UNITS.get(root.get('AGE_UNITS'), '')}",
        }
    )


def _measured(root: Node, cycle: Node | None) -> dict[str, DeviceMeasurement]:
    found = measurements(
        (("heart-rate", root.get("VENT_RATE"), "/min"), ("rr-interval", root.get("AVERAGE_RR"), "ms"))
    )
    for name, start, end in _WAVES if cycle else ():
        onset, offset = (number(cycle.get(tag)) if cycle else None for tag in (start, end))
        if onset is not None and offset is not None and offset > onset:
            found |= measurements([(name, offset - onset, "ms")])
    return found


def _statements(root: Node) -> list[str]:
    rows = root.each("AUTOMATIC_INTERPRETATION/STATEMENT")
    return ["  ".join(filter(None, (one.get("TEXT"), one.get("REASON")))) for one in rows]
