"""DICOM waveforms (PS3.3 C.10.9): 12-lead, general, ambulatory and hemodynamic classes, parsed by pydicom.

Value = stored x ChannelSensitivity x ChannelSensitivityCorrectionFactor + ChannelBaseline, in the channel's
units; newer writers put the gain into the correction factor. Samples are interleaved. Channel count,
definitions and data length may disagree: definitions x samples = data length is what must hold.
"""

import struct
import warnings as python_warnings
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError

from gateway.errors import FormatError
from gateway.formats.dicom_elements import FORMAT, codes, first_code, required_number, text
from gateway.formats.leads import SCP_LEADS, lead_name
from gateway.formats.measures import device, hl7_time, measured, present, sex
from gateway.formats.scale import millivolts, mv_per
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording

_Order = Literal["<", ">"]
_KINDS = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}
_BROKEN = (  # pydicom says so in many ways, most of them when a value is used
    ArithmeticError, AttributeError, BytesLengthException, EOFError, InvalidDicomError, LookupError,
    NotImplementedError, OSError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip
_DEFLATED = b"1.2.840.10008.1.2.1.99"
AGE_UNITS = {"Y": "a", "M": "mo", "W": "wk", "D": "d"}
MEASURES = {
    "2:16016": ("heart-rate", "/min"), "8867-4": ("heart-rate", "/min"), "5.10.2.5-1": ("heart-rate", "/min"),
    "5.10.2.1-3": ("rr-interval", "ms"), "2:16168": ("rr-interval", "ms"),
    "5.13.5-7": ("pr-interval", "ms"), "2:15872": ("pr-interval", "ms"), "8625-6": ("pr-interval", "ms"),
    "5.13.5-9": ("qrs-duration", "ms"), "2:16156": ("qrs-duration", "ms"), "8633-0": ("qrs-duration", "ms"),
    "5.13.5-11": ("qt-interval", "ms"), "2:16160": ("qt-interval", "ms"), "8634-8": ("qt-interval", "ms"),
    "5.10.2.5-5": ("qtc-interval", "ms"), "2:15876": ("qtc-interval", "ms"), "8636-3": ("qtc-interval", "ms"),
    "5.10.3-11": ("p-axis", "deg"), "2:16128": ("p-axis", "deg"),
    "5.10.3-13": ("qrs-axis", "deg"), "2:16132": ("qrs-axis", "deg"),
    "5.10.3-15": ("t-axis", "deg"), "2:16136": ("t-axis", "deg"),
}  # fmt: skip
FILTERS = (
    ("high_pass_hz", "FilterLowFrequency"),
    ("low_pass_hz", "FilterHighFrequency"),
    ("mains_hz", "NotchFilterFrequency"),
)


def read(data: bytes) -> EkgRecording:
    """The recording in one DICOM object.

    Raises
    ------
    FormatError
        Not a waveform, a value that does not hold, a channel without a scale, a deflated or companded file.
    """
    if _DEFLATED in data[:4096]:
        raise FormatError(FORMAT, "file meta information", "deflated files are not read")
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            return _recording(data)
    except _BROKEN as error:
        # what pydicom says may hold a patient's name
        raise FormatError(FORMAT, "data set", f"does not hold ({type(error).__name__})") from None


def _recording(data: bytes) -> EkgRecording:
    dataset = dcmread(BytesIO(data), force=True)
    if "WaveformSequence" not in dataset:
        raise FormatError(FORMAT, "WaveformSequence", "is missing; this object is not a waveform")
    little = dataset.original_encoding[1] is not False
    warnings: list[str] = []
    parts = [
        (str(item.get("WaveformOriginality", "")), part)
        for number_, item in enumerate(dataset.WaveformSequence, 1)
        if (part := _group(item, number_, "<" if little else ">", warnings)) is not None
    ]
    if not parts:
        raise FormatError(FORMAT, "WaveformSequence", "no channel in a unit of voltage")
    rhythm = next((part for originality, part in parts if originality == "ORIGINAL"), parts[0][1])
    annotations = list(dataset.get("WaveformAnnotationSequence", None) or ())
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=rhythm.leads,
        samples_mv=rhythm.samples_mv,
        sample_rate_hz=rhythm.sample_rate_hz,
        started_at=_started(dataset),
        device=device(
            vendor=text(dataset, "Manufacturer"),
            model=text(dataset, "ManufacturerModelName"),
            serial=text(dataset, "DeviceSerialNumber"),
        ),
        filters=_filters(dataset.WaveformSequence[0].ChannelDefinitionSequence[0]),
        patient_fields=_patient(dataset),
        device_measurements=dict(_measured(annotations, warnings)),
        statements=tuple(filter(None, (text(one, "UnformattedTextValue") for one in annotations))),
        groups=tuple(part for _, part in parts if part is not rhythm),
        warnings=tuple(warnings),
    )


def _group(item: Dataset, number_: int, order: _Order, warnings: list[str]) -> EkgGroup | None:
    """A multiplex group; None where none of its channels is a voltage."""
    name = f"multiplex group {number_}"
    stored, bits = _stored(item, name, order, warnings)
    rate = required_number(item, "SamplingFrequency")
    if rate <= 0:
        raise FormatError(FORMAT, name, "a SamplingFrequency that is not above 0")
    padding = _padding(item, stored.dtype, order, name, warnings)
    leads, rows = [], []
    for n, (channel, counts) in enumerate(zip(item.ChannelDefinitionSequence, stored.T, strict=True), 1):
        lead = _lead(channel) or f"channel {n}"
        row = _millivolts(channel, counts, bits, f"{name}, {lead}", warnings)
        if row is not None:
            if padding is not None:
                row[counts == padding] = np.nan
            leads.append(lead)
            rows.append(row)
    label = text(item, "MultiplexGroupLabel").lower()
    label = "median" if label.startswith("median") else label or name
    return EkgGroup(label, tuple(leads), np.stack(rows), float(rate)) if rows else None


def _stored(
    item: Dataset, name: str, order: _Order, warnings: list[str]
) -> tuple[NDArray[np.signedinteger] | NDArray[np.unsignedinteger], int]:
    """Counts (samples, channels), and bits in each."""
    bits, kind = (
        int(required_number(item, "WaveformBitsAllocated")),
        text(item, "WaveformSampleInterpretation"),
    )
    if kind not in _KINDS or np.dtype(_KINDS[kind]).itemsize * 8 != bits:
        raise FormatError(FORMAT, name, f"samples of {bits} bits with an interpretation that is not read")
    channels = len(item.ChannelDefinitionSequence)
    data: bytes = item.WaveformData
    samples = int(required_number(item, "NumberOfWaveformSamples"))
    size = samples * channels * bits // 8
    if not channels or samples <= 0 or not size <= len(data) <= size + 1:
        raise FormatError(
            FORMAT, name, f"{channels} channels of {samples} samples need {size} bytes, {len(data)} are there"
        )
    if int(required_number(item, "NumberOfWaveformChannels")) != channels:
        warnings.append(f"{name}: NumberOfWaveformChannels is not the number of channel definitions")
    counts = np.frombuffer(data[:size], order + _KINDS[kind]).reshape(samples, channels)
    return counts.astype(counts.dtype.newbyteorder("=")), bits


def _padding(
    item: Dataset, kind: "np.dtype[np.integer]", order: _Order, name: str, warnings: list[str]
) -> int | None:
    """The count that stands for a missing sample. Zero is a voltage too, and some writers name it."""
    value = item.get("WaveformPaddingValue", None)
    if value is None:
        return None
    raw = (
        bytes(value) if isinstance(value, bytes) else int(value).to_bytes(8, "little", signed=int(value) < 0)
    )
    raw = raw[: kind.itemsize] if isinstance(value, bytes) or order == "<" else raw[: kind.itemsize][::-1]
    if len(raw) < kind.itemsize:
        return None
    padding = int(np.frombuffer(raw, kind.newbyteorder(order))[0])
    if padding == 0:
        warnings.append(f"{name}: WaveformPaddingValue is 0, which is a voltage too; no sample was left out")
        return None
    return padding


def _millivolts(
    channel: Dataset,
    counts: NDArray[np.signedinteger] | NDArray[np.unsignedinteger],
    bits: int,
    name: str,
    warnings: list[str],
) -> NDArray[np.float64] | None:
    """A channel in mV; None, and a warning, where it is something else than a voltage."""
    if "ChannelSensitivity" not in channel:
        raise FormatError(FORMAT, name, "no ChannelSensitivity, so no scale")
    unit = first_code(channel, "ChannelSensitivityUnitsSequence").value
    unit_mv = mv_per(unit)
    if unit_mv is None:
        if not unit:
            raise FormatError(FORMAT, name, "no ChannelSensitivityUnitsSequence, so no scale")
        warnings.append(f"{name} is not a voltage and was left out")
        return None
    skews = [skew for skew in ("ChannelTimeSkew", "ChannelSampleSkew") if required_number(channel, skew, "0")]
    warnings.extend(f"{name} has a {skew}; its samples were not shifted" for skew in skews)
    gain = required_number(channel, "ChannelSensitivity") * required_number(
        channel, "ChannelSensitivityCorrectionFactor", "1"
    )
    spare = bits - int(required_number(channel, "WaveformBitsStored", str(bits)))
    if 0 < spare < bits:
        counts = (counts << spare) >> spare
    baseline = float(required_number(channel, "ChannelBaseline", "0") * unit_mv)
    samples_mv: NDArray[np.float64] = millivolts(counts, gain * unit_mv) + baseline
    return samples_mv


def _lead(channel: Dataset) -> str:
    """By code where it is one of the SCP or MDC lead numbers, by its meaning otherwise."""
    for source in codes(channel, "ChannelSourceSequence"):
        prefix = {"SCPECG": "5.6.3-9-", "MDC": "2:"}.get(source.scheme)
        tail = source.value.removeprefix(prefix) if prefix else ""
        if prefix and source.value.startswith(prefix) and tail.isdecimal() and int(tail) in SCP_LEADS:
            return SCP_LEADS[int(tail)]
        if source.meaning:
            return lead_name(source.meaning.partition("(")[0])
    return lead_name(text(channel, "ChannelLabel"))


def _started(dataset: Dataset) -> datetime | None:
    stated = text(dataset, "AcquisitionDateTime")
    stated = stated or text(dataset, "AcquisitionDate") + text(dataset, "AcquisitionTime")
    moment = hl7_time(stated)
    zoned = hl7_time(stated + text(dataset, "TimezoneOffsetFromUTC"))
    return moment if moment is None or moment.tzinfo or zoned is None else zoned


def _filters(channel: Dataset) -> dict[str, str]:
    return present({name: text(channel, key) for name, key in FILTERS if required_number(channel, key, "0")})


def _patient(dataset: Dataset) -> dict[str, str]:
    family, _, given = text(dataset, "PatientName").partition("=")[0].partition("^")
    born, age = hl7_time(text(dataset, "PatientBirthDate")), text(dataset, "PatientAge")
    years = age[:-1].lstrip("0")
    return present(
        {
            "id": text(dataset, "PatientID"),
            "family_name": family,
            "given_name": given.partition("^")[0],
            "birth_date": born.date().isoformat() if born else None,
            "sex": sex(text(dataset, "PatientSex")),
            "age": f"{years} {AGE_UNITS[age[-1]]}" if years and age[-1] in AGE_UNITS else None,
        }
    )


def _measured(annotations: list[Dataset], warnings: list[str]) -> Iterator[tuple[str, DeviceMeasurement]]:
    """Numeric annotations with a code that is known; the code tells the unit better than some writers do."""
    for one in annotations:
        known = MEASURES.get(first_code(one, "ConceptNameCodeSequence").value)
        if known is None:
            continue
        name, unit = known
        stated = first_code(one, "MeasurementUnitsCodeSequence").value
        if (stated == "deg") != (unit == "deg"):
            warnings.append(f"{name} is given in {stated or 'no unit'}, read as {unit}")
        yield from measured(name, text(one, "NumericValue"), unit).items()
