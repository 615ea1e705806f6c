"""Philips EKG XML (``restingecgdata``): SierraECG 1.03, PhilipsECG 1.04 and 1.04.01, plain or XLI-compressed.

The last part of every lead is not the patient's: zeros and a calibration pulse of 1 mV. It is cut off, said,
and used as a check of the scale. Source: published reverse engineering, and files of five carts.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name, stacked
from gateway.formats.markup import Node, from_base64, int16, numbers, parse_xml
from gateway.formats.measures import device, iso_time, measurements, present, sex
from gateway.formats.scale import UV_MV, millivolts, number, positive
from gateway.formats.view import View
from gateway.formats.xli import decompress
from gateway.model.ekg import STANDARD_LEADS, DeviceMeasurement, EkgGroup, EkgRecording
from gateway.model.reading import Device

FORMAT = "Philips XML"
_MEASURES = (
    ("heart-rate", ("heartrate",), "/min"),
    ("rr-interval", ("rrint",), "ms"),
    ("p-duration", ("pdur",), "ms"),
    ("pr-interval", ("print", "meanprint"), "ms"),
    ("qrs-duration", ("qrsdur", "meanqrsdur"), "ms"),
    ("qt-interval", ("qtint", "meanqtint"), "ms"),
    ("qtc-interval", ("qtcb", "meanqtc"), "ms"),
    ("p-axis", ("pfrontaxis",), "deg"),
    ("qrs-axis", ("qrsfrontaxis",), "deg"),
    ("t-axis", ("tfrontaxis",), "deg"),
)
_LONGEST = 120_000
_MOST_LEADS = 32
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def read(data: bytes) -> EkgRecording:
    """The recording in one Philips document.

    Raises
    ------
    FormatError
    """
    root = Node(parse_xml(data, FORMAT), FORMAT)
    waveforms = root.need("waveforms/parsedwaveforms")
    signal = root.first("dataacquisition/signalcharacteristics") or root
    leads = _leads(waveforms)
    rate = positive(waveforms.get("samplespersecond") or signal.text("samplingrate"))
    resolution = waveforms.get("resolution") or signal.text("resolution") or signal.text("signalresolution")
    step_uv = positive(resolution)
    if rate is None or step_uv is None:
        raise waveforms.error("no sampling rate, or no resolution")
    duration_ms = number(waveforms.get("durationperchannel"))
    samples = int(duration_ms * rate / 1000) if duration_ms is not None and duration_ms > 0 else 0
    rows = _counts(waveforms, leads, min(samples, _LONGEST) or _LONGEST)
    stack, notes = stacked([millivolts(row, step_uv * UV_MV) for row in rows], FORMAT)
    end, note = _end_of_signal(stack, float(step_uv * UV_MV))
    if samples and stack.shape[1] != samples:
        notes = (*notes, f"{stack.shape[1]} samples a lead, durationperchannel says {samples}")
    return EkgRecording(
        format=FORMAT,
        format_version=root.text("documentinfo/documentversion"),
        leads=leads,
        samples_mv=stack[:, :end],
        sample_rate_hz=float(rate),
        started_at=iso_time(f"{root.get('date', 'dataacquisition')}T{root.get('time', 'dataacquisition')}"),
        device=_device(root),
        filters=_filters(signal, waveforms),
        patient_fields=_patient(root),
        device_measurements=_measured(root),
        statements=tuple(_statements(root)),
        groups=tuple(_beats(root)),
        warnings=(*notes, *note),
    )


def _leads(waveforms: Node) -> tuple[str, ...]:
    labels = tuple(map(lead_name, waveforms.get("leadlabels").split())) or STANDARD_LEADS
    count = waveforms.get("numberofleads")
    if count.isdecimal() and int(count) != len(labels):
        if int(count) > len(labels) or int(count) == 0:
            raise waveforms.error(f"{count} leads, {len(labels)} labels")
        labels = labels[: int(count)]
    if len(labels) > _MOST_LEADS:
        raise waveforms.error(f"{len(labels)} leads")
    return labels


def _counts(waveforms: Node, leads: tuple[str, ...], longest: int) -> list[NDArray[np.float64]]:
    if waveforms.get("dataencoding").lower() == "plain":
        return _in_turn(numbers(waveforms.raw(), waveforms), len(leads), waveforms)
    data = from_base64(waveforms.raw(), waveforms)
    method = (waveforms.get("compressmethod") or waveforms.get("compression")).upper()
    if waveforms.get("compressflag").lower() != "false" and method == "XLI":
        view = View(data, FORMAT, "parsedwaveforms")
        return [row.astype(np.float64) for row in decompress(view, leads, longest)]
    if method not in {"", "NONE", "UNCOMPRESSED", "XLI"}:
        raise waveforms.error("a compression that is not known")
    return _in_turn(int16(data, waveforms).astype(np.float64), len(leads), waveforms)


def _in_turn(values: NDArray[np.float64], leads: int, waveforms: Node) -> list[NDArray[np.float64]]:
    if not values.size or values.size % leads:
        raise waveforms.error(f"{values.size} samples for {leads} leads")
    return list(values.reshape(leads, -1))


def _end_of_signal(stack: NDArray[np.float64], step_mv: float) -> tuple[int, tuple[str, ...]]:
    """Where the tail begins in which every lead has the same calibration pulse between zeros."""
    same = (stack == stack[0]).all(axis=0)
    pulse = np.abs(stack[0] - 1.0) < step_mv / 2
    tail = same & (pulse | (stack[0] == 0))
    foreign = np.flatnonzero(~tail)
    end = int(foreign[-1]) + 1 if foreign.size else 0
    if not end or not pulse[end:].any():
        return stack.shape[1], ()
    cut = stack.shape[1] - end
    return end, (f"the last {cut} samples are a calibration pulse of 1 mV, not the patient's; they were cut",)


def _device(root: Node) -> Device:
    vendor, colon, _ = root.get("detaildescription", "dataacquisition/machine").partition(":")
    return device(
        vendor=vendor if colon else None,
        model=root.text("dataacquisition/machine"),
        serial=root.get("machineid", "dataacquisition/machine"),
    )


def _filters(signal: Node, waveforms: Node) -> dict[str, str]:
    low, _, high = signal.text("signalbandwidth").partition("-")
    found = {
        "high_pass_hz": signal.text("hipass") or waveforms.get("hipass") or low,
        "low_pass_hz": signal.text("lowpass") or waveforms.get("lowpass") or high,
    }
    if waveforms.get("notchfiltered").lower() == "true":
        found["mains_hz"] = waveforms.get("notchfilterfreqs") or signal.text("acsetting")
    return present(found)


def _patient(root: Node) -> dict[str, str]:
    person = root.first("patient/generalpatientdata")
    if person is None:
        return {}
    born, years = person.text("age/dateofbirth"), person.text("age/years")
    return present(
        {
            "id": person.text("patientid"),
            "family_name": person.text("name/lastname"),
            "given_name": person.text("name/firstname"),
            "birth_date": born if _DATE.fullmatch(born) else None,
            "sex": sex(person.text("sex")),
            "age": years and f"{years} a",
        }
    )


def _interpretation(root: Node) -> Node | None:
    """The last one: later ones are made by people who have looked at the first."""
    return next(reversed([*root.each("interpretations/interpretation")]), None)


def _measured(root: Node) -> dict[str, DeviceMeasurement]:
    interpretation = _interpretation(root)
    if interpretation is None:
        return {}
    found = interpretation.first("globalmeasurements") or interpretation.first("interpretationmeasurements")
    if found is None:
        return {}
    return measurements(
        (name, next(filter(None, map(found.text, tags)), None), unit) for name, tags, unit in _MEASURES
    )


def _statements(root: Node) -> Iterator[str]:
    interpretation = _interpretation(root)
    if interpretation is None:
        return
    for statement in interpretation.each("statement"):
        left, right = statement.text("leftstatement"), statement.text("rightstatement")
        if left or right:
            yield "  ".join(filter(None, (left, right)))
    if severity := interpretation.text("severity"):
        yield severity


def _beats(root: Node) -> Iterator[EkgGroup]:
    """Representative beats; in 1.03 the samples stand in `repbeat`, in 1.04 in its `waveform`."""
    beats = root.first("waveforms/repbeats")
    if beats is None:
        return
    rate, step_uv = positive(beats.get("samplespersec")), positive(beats.get("resolution"))
    found = [
        (lead_name(one.get("leadname")), one.raw("waveform") or one.raw()) for one in beats.each("repbeat")
    ]
    rows = [int16(from_base64(text, beats), beats) for _, text in found]
    if rate is None or step_uv is None or not rows:
        return
    samples_mv, _ = stacked([millivolts(row, step_uv * UV_MV) for row in rows], FORMAT)
    yield EkgGroup("median", tuple(lead for lead, _ in found), samples_mv, float(rate))
