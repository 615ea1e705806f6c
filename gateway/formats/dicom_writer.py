"""DICOM waveforms, written with pydicom: 12-lead, general, ambulatory or general 32-bit ECG (PS3.3 A.34).

The class is the narrowest whose limits the recording keeps: channels, rate, samples, bits. Channels are
interleaved counts of the recorder, each with its sensitivity in µV; the lowest count is the padding value and
stands for a sample without signal. Unique identifiers are made from the content, so an object that is stored
twice is the same object. What the recording does not state is empty, never guessed. A time of acquisition has
to be there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import (
    AmbulatoryECGWaveformStorage,
    ExplicitVRLittleEndian,
    GeneralECGWaveformStorage,
    TwelveLeadECGWaveformStorage,
)

from gateway.errors import FormatError
from gateway.formats.dicom import AGE_UNITS, FILTERS, MEASURES
from gateway.formats.dicom_elements import FORMAT
from gateway.formats.fitting import (
    Fitted,
    Held,
    Steps,
    as_read,
    held_date,
    held_device,
    held_fields,
    held_measurements,
    held_start,
    on_given_steps,
)
from gateway.formats.identity import identifier
from gateway.formats.leads import SCP_LEADS, lead_name
from gateway.formats.resolution import counts_of, step_within
from gateway.formats.scale import number
from gateway.model.ekg import DeviceMeasurement, EkgGroup, EkgRecording

_CODES = {lead: code for code, lead in SCP_LEADS.items()}
_INDEPENDENT = {"I", "II", "V1", "V2", "V3", "V4", "V5", "V6"}
_CONCEPTS = {name: code for code, (name, _) in MEASURES.items() if code.startswith("2:")}
_UNIT_OF = dict(MEASURES.values())
_UNIT_NAMES = {"ms": "millisecond", "deg": "degree", "/min": "per minute"}
_AGES = {unit: letter for letter, unit in AGE_UNITS.items()}
_SEX = {"male": "M", "female": "F"}
_SHORT, _LONG, _FREE, _NUMBER = 16, 64, 1024, 16  # characters of SH, LO and PN, ST, DS
_HERTZ = re.compile(r"(?=.*[1-9])\d{1,6}(?:\.\d{1,6})?")
_AGE = re.compile(r"[1-9]\d{0,2} (?:a|mo|wk|d)")
_STEP_DIGITS = 10
_MOST_IN_ALL = 1 << 32


@dataclass(frozen=True, slots=True)
class _Class:
    """A storage class and its limits.

    Parameters
    ----------
    uid : str
    bits : int
    channels, channels_in_all, groups, samples : int
        The most in a multiplex group, in all groups; groups; samples of a channel.
    rates_hz : tuple of float
        Lowest and highest.
    leads : frozenset of str
        Those that must be there.
    """

    uid: str
    bits: int
    channels: int
    channels_in_all: int
    groups: int
    samples: int
    rates_hz: tuple[float, float]
    leads: frozenset[str] = frozenset()

    @property
    def most_counts(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def takes(self, group: EkgGroup) -> bool:
        """True where a group alone keeps the limits of shape and rate."""
        channels, samples = group.samples_mv.shape
        within = self.rates_hz[0] <= group.sample_rate_hz <= self.rates_hz[1]
        return 1 <= channels <= self.channels and 1 <= samples <= self.samples and within


_CLASSES = (
    _Class(TwelveLeadECGWaveformStorage, 16, 13, 13, 5, 16384, (200, 1000), frozenset(_INDEPENDENT)),
    _Class(GeneralECGWaveformStorage, 16, 24, 96, 4, _MOST_IN_ALL, (200, 1000)),
    _Class(AmbulatoryECGWaveformStorage, 16, 12, 12, 1, _MOST_IN_ALL, (50, 1000)),
    _Class("1.2.840.10008.5.1.4.1.1.9.1.4", 32, 24, 96, 4, _MOST_IN_ALL, (1, 1_000_000)),
)


def fit(recording: EkgRecording) -> Fitted:
    """The recording with what such an object holds of it.

    Raises
    ------
    FormatError
        No start time, or more channels than any class takes.
    """
    _acquired(recording)
    recording = as_read(recording)
    storage = _storage(recording)
    groups = tuple(_named_group(group, n) for n, group in enumerate(_groups(recording, storage), 2))
    held = EkgRecording(
        format=FORMAT,
        format_version="",
        leads=_leads(recording.leads),
        samples_mv=recording.samples_mv,
        sample_rate_hz=float(_decimal(recording.sample_rate_hz)),
        started_at=held_start(recording.started_at, zone=True),
        device=held_device(recording.device, dict.fromkeys(("vendor", "model", "serial"), _text)),
        filters=_filters(recording.filters),
        patient_fields=_patient(recording.patient_fields),
        device_measurements=held_measurements(recording, _is_concept),
        statements=tuple(text for text in recording.statements if _is_statement(text)),
        groups=groups,
    )
    group_steps = tuple(_steps(group, storage) for group in groups)
    return on_given_steps(held, _steps(_rhythm(recording), storage), group_steps, gaps=True)


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The recording as one DICOM file, explicit VR little endian."""
    recording = fitted.recording
    storage = _storage_of(fitted)
    dataset = Dataset()
    _say_patient(dataset, recording)
    _say_series(dataset, recording, storage)
    rhythm = _item(_rhythm(recording), fitted.steps_mv, storage, recording.filters)
    others = (
        _item(group, steps, storage, {})
        for group, steps in zip(recording.groups, fitted.group_steps_mv, strict=True)
    )
    dataset.WaveformSequence = [rhythm, *others]
    if annotations := list(_annotations(recording)):
        dataset.WaveformAnnotationSequence = annotations
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return {name: stream.getvalue()}


def _acquired(recording: EkgRecording) -> datetime:
    if recording.started_at is None:
        raise FormatError(FORMAT, "AcquisitionDateTime", "must be there, and the recording states no start")
    return recording.started_at


def _storage(recording: EkgRecording) -> _Class:
    """Of the classes that take the rhythm in its own counts, the first that takes most of its groups."""
    rhythm = _rhythm(recording)
    fitting = [one for one in _CLASSES if one.leads <= set(recording.leads) and one.takes(rhythm)]
    if not fitting:
        leads = len(recording.leads)
        raise FormatError(FORMAT, "WaveformSequence", f"no storage class takes {leads} channels at this rate")
    exact = [one for one in fitting if _is_exact(rhythm, one)] or fitting[-1:]
    return max(exact, key=lambda one: len(_groups(recording, one)))


def _is_exact(group: EkgGroup, storage: _Class) -> bool:
    """True where every lead keeps the recorder's step."""
    return all(
        step_within(row, storage.most_counts) == step_within(row, _CLASSES[-1].most_counts)
        for row in group.samples_mv
    )


def _storage_of(fitted: Fitted) -> _Class:
    """The first class that takes a fitted recording with all its groups, in its counts."""
    recording = fitted.recording
    parts = [
        (_rhythm(recording), fitted.steps_mv),
        *zip(recording.groups, fitted.group_steps_mv, strict=True),
    ]
    most = max(int(np.abs(_counts(group, steps)).max()) for group, steps in parts)
    return next(
        one
        for one in _CLASSES
        if one.leads <= set(recording.leads)
        and one.takes(_rhythm(recording))
        and len(_groups(recording, one)) == len(recording.groups)
        and most <= one.most_counts
    )


def _groups(recording: EkgRecording, storage: _Class) -> tuple[EkgGroup, ...]:
    """The groups that a class takes besides the rhythm."""
    room = storage.channels_in_all - len(recording.leads)
    taken: list[EkgGroup] = []
    for group in recording.groups:
        if storage.takes(group) and len(group.leads) <= room and len(taken) < storage.groups - 1:
            taken.append(group)
            room -= len(group.leads)
    return tuple(taken)


def _rhythm(recording: EkgRecording) -> EkgGroup:
    return EkgGroup("rhythm", recording.leads, recording.samples_mv, recording.sample_rate_hz)


def _steps(group: EkgGroup, storage: _Class) -> Steps:
    """The step of each lead as ChannelSensitivity states it."""
    steps = (step_within(row, storage.most_counts) for row in group.samples_mv)
    return tuple(Decimal(_sensitivity(step)) / 1000 for step in steps)


def _sensitivity(step_mv: Decimal) -> str:
    return f"{(step_mv * 1000).normalize():.{_STEP_DIGITS}g}"


def _named_group(group: EkgGroup, n: int) -> EkgGroup:
    """A group under the label that comes back: in lower case, of sixteen characters, or by its number."""
    label = " ".join(group.label.lower().split())
    label = "median" if label.startswith("median") else label if _text(label, _SHORT) else ""
    return replace(
        group,
        label=label or f"multiplex group {n}",
        leads=_leads(group.leads),
        sample_rate_hz=float(_decimal(group.sample_rate_hz)),
    )


def _leads(leads: Sequence[str]) -> tuple[str, ...]:
    return tuple(_meaning(lead) or f"channel {n}" for n, lead in enumerate(leads, 1))


def _meaning(lead: str) -> str | None:
    """The lead as its code, or the meaning of a code of our own, gives it back."""
    if lead in _CODES:
        return lead
    name = lead_name(lead.partition("(")[0])
    return name if _text(name) and name == lead_name(name) else None


def _text(text: str, longest: int = _LONG) -> str | None:
    """A text that has a place in an attribute of so many characters."""
    held = text.isprintable() and "\\" not in text and len(text) <= longest and text == text.strip()
    return text if held and text else None


def _decimal(value: float) -> str:
    """A number of at most sixteen characters."""
    return next(text for digits in range(16, 8, -1) if len(text := f"{value:.{digits}g}") <= _NUMBER)


def _filters(filters: Mapping[str, str]) -> dict[str, str]:
    return {name: hz for name, hz in filters.items() if name in dict(FILTERS) and _HERTZ.fullmatch(hz)}


def _named(text: str) -> str | None:
    return _text(text) if not set(text) & set("^=") else None


_PATIENT: dict[str, Held] = {
    "id": _text,
    "family_name": _named,
    "given_name": _named,
    "birth_date": held_date,
    "sex": lambda text: text if text in _SEX else None,
    "age": lambda text: text if _AGE.fullmatch(text) else None,
}


def _patient(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields held; a name of one piece becomes the family name."""
    whole = {"family_name": fields["name"]} if "name" in fields else {}
    held = held_fields({**whole, **fields}, _PATIENT)
    if len(_person(held)) > _LONG:
        return {name: text for name, text in held.items() if name != "given_name"}
    return held


def _person(fields: Mapping[str, str]) -> str:
    return f"{fields.get('family_name', '')}^{fields.get('given_name', '')}".rstrip("^")


def _is_concept(name: str, measurement: DeviceMeasurement) -> bool:
    known = name in _CONCEPTS and measurement.unit == _UNIT_OF[name]
    return known and len(str(measurement.value)) <= _NUMBER and number(str(measurement.value)) is not None


def _is_statement(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip() and len(text) <= _FREE


def _say_patient(dataset: Dataset, recording: EkgRecording) -> None:
    fields = recording.patient_fields
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = _person(fields)
    dataset.PatientID = fields.get("id", "")
    dataset.PatientBirthDate = fields.get("birth_date", "").replace("-", "")
    dataset.PatientSex = _SEX.get(fields.get("sex", ""), "")
    if "age" in fields:
        value, unit = fields["age"].split(" ")
        dataset.PatientAge = f"{int(value):03}{_AGES[unit]}"


def _say_series(dataset: Dataset, recording: EkgRecording, storage: _Class) -> None:
    """Study, series, equipment, and when the waveform was acquired."""
    started = _acquired(recording)
    device = recording.device
    date, time = f"{started.year:04}{started:%m%d}", f"{started:%H%M%S}.{started.microsecond:06}"
    about = repr((sorted(recording.patient_fields.items()), device, recording.statements))
    dataset.SOPClassUID = storage.uid
    dataset.SOPInstanceUID = _uid(recording, "instance", about)
    dataset.StudyInstanceUID = _uid(recording, "study", about)
    dataset.SeriesInstanceUID = _uid(recording, "series", about)
    dataset.StudyDate = dataset.ContentDate = date
    dataset.StudyTime = dataset.ContentTime = time
    dataset.AcquisitionDateTime = f"{date}{time}{started:%z}"
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.Modality = "ECG"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.Manufacturer = device.vendor or ""
    if device.model:
        dataset.ManufacturerModelName = device.model
    if device.serial:
        dataset.DeviceSerialNumber = device.serial
    dataset.AcquisitionContextSequence = []


def _uid(recording: EkgRecording, *what: str) -> str:
    """Under the arc of UUIDs (PS3.5 B.2)."""
    return f"2.25.{identifier(recording, *what).int}"


def _item(group: EkgGroup, steps_mv: Steps, storage: _Class, filters: Mapping[str, str]) -> Dataset:
    """A multiplex group."""
    counts = _counts(group, steps_mv)
    missing = -storage.most_counts - 1
    counts[~np.isfinite(group.samples_mv)] = missing
    kind = np.dtype(f"<i{storage.bits // 8}")
    item = Dataset()
    item.WaveformOriginality = "DERIVED" if group.label == "median" else "ORIGINAL"
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = counts.shape
    item.SamplingFrequency = _decimal(group.sample_rate_hz)
    item.MultiplexGroupLabel = "MEDIAN BEAT" if group.label == "median" else group.label.upper()[:_SHORT]
    item.ChannelDefinitionSequence = [
        _channel(lead, step, storage, filters) for lead, step in zip(group.leads, steps_mv, strict=True)
    ]
    item.WaveformBitsAllocated = storage.bits
    item.WaveformSampleInterpretation = "SS" if storage.bits == 16 else "SL"
    item.WaveformPaddingValue = missing.to_bytes(kind.itemsize, "little", signed=True)
    item.WaveformData = counts.T.astype(kind).tobytes()
    item["WaveformPaddingValue"].VR = item["WaveformData"].VR = "OW"
    return item


def _counts(group: EkgGroup, steps_mv: Steps) -> NDArray[np.int64]:
    return np.stack([counts_of(row, step) for row, step in zip(group.samples_mv, steps_mv, strict=True)])


def _channel(lead: str, step_mv: Decimal, storage: _Class, filters: Mapping[str, str]) -> Dataset:
    channel = Dataset()
    channel.ChannelSourceSequence = [_source(lead)]
    channel.ChannelSensitivity = _sensitivity(step_mv)
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = 1
    channel.ChannelBaseline = 0
    channel.ChannelSampleSkew = 0
    channel.WaveformBitsStored = storage.bits
    for name, keyword in FILTERS:
        if name in filters:
            setattr(channel, keyword, filters[name])
    return channel


def _source(lead: str) -> Dataset:
    """The lead by its code in context group 3001; one that is not in it by a code of our own."""
    if lead in _CODES:
        return _code(f"2:{_CODES[lead]}", "MDC", f"Lead {lead}")
    return _code("lead", "99GATEWAY", lead)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _annotations(recording: EkgRecording) -> Iterator[Dataset]:
    """The machine's measurements and statements, about all channels of the rhythm."""
    for name, measurement in recording.device_measurements.items():
        annotation = _about_rhythm()
        meaning = name.replace("-", " ").capitalize()
        unit = measurement.unit
        annotation.ConceptNameCodeSequence = [_code(_CONCEPTS[name], "MDC", meaning)]
        annotation.NumericValue = str(measurement.value)
        annotation.MeasurementUnitsCodeSequence = [_code(unit, "UCUM", _UNIT_NAMES[unit])]
        yield annotation
    for statement in recording.statements:
        annotation = _about_rhythm()
        annotation.UnformattedTextValue = statement
        yield annotation


def _about_rhythm() -> Dataset:
    annotation = Dataset()
    annotation.ReferencedWaveformChannels = [1, 0]
    annotation.AnnotationGroupNumber = 1
    return annotation
