"""EDF+ and, of the same layout with 24 bits, BDF+, written by edfio.

The headers hold a signal's limits in eight characters. So the range is not always the widest: it is one whose
physical limit is a whole number, and then a count is exactly the recorder's least significant bit. Records
are as long as divides the recording without a rest, as near to a second as can be, and last a time that eight
characters can state. Source: the EDF+ specification (edfplus.info).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import isqrt, log
from typing import Literal, TypedDict

import numpy as np
from edfio import Bdf, BdfSignal, Edf, EdfSignal, Patient, Recording
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.fitting import (
    Fitted,
    Held,
    as_read,
    held_date,
    held_device,
    held_fields,
    held_start,
    on_given_steps,
)
from gateway.formats.leads import lead_name
from gateway.formats.resolution import counts_of, step_within
from gateway.formats.scale import mv_per
from gateway.model.ekg import EkgRecording

_LEAST_LIMIT, _MOST_LIMIT = 1_000, 9_999_999  # seven digits, and a minus sign
_LIMITS_TRIED = 20_000
_SAME_PLACES = 13
_SPARE = 256  # one count in so many, so that there are limits to choose from
_DURATION_CHARACTERS = 8
_LABEL = 16
_FIELD = 80
_RECORD_BYTES = 61440  # what the specification asks for
_SHORTEST_S = 0.1
_MOST_COUNTS = {"EDF": (1 << 15) - 1, "BDF": (1 << 23) - 1}
_NO_DATE = datetime(1985, 1, 1)  # noqa: DTZ001 - no moment, but what the header has where there is no date
_SAME_RATE = 1e-9
_LONGEST_SUBFIELD = 30  # so that four of them have room in a field
_HERTZ = re.compile(r"\d{1,5}(?:\.\d{1,5})?")
_UNITS = ("uV", "mV", "V", "nV")
_PREFILTERS = {"high_pass_hz": "HP", "low_pass_hz": "LP", "mains_hz": "N"}
_SEX: dict[str, Literal["F", "M", "X"]] = {"female": "F", "male": "M"}
Kind = Literal["EDF", "BDF"]


@dataclass(frozen=True, slots=True)
class _Range:
    """The limits of a signal, the same below zero as above."""

    digital: int
    physical: int
    unit: str

    @property
    def step_mv(self) -> Decimal:
        return self.physical * _millivolts(self.unit) / self.digital


@dataclass(frozen=True, slots=True)
class _Records:
    """Data records: samples of one lead in each, and the time that each lasts."""

    samples: int
    duration_s: Decimal

    @property
    def rate_hz(self) -> float:
        return float(Fraction(self.samples) / Fraction(self.duration_s))


def fit(recording: EkgRecording) -> Fitted:
    """The recording with what an EDF+ file holds of it."""
    return fit_kind(recording, "EDF")


def write(fitted: Fitted, name: str) -> dict[str, bytes]:
    """The recording as one EDF+C file."""
    return write_kind(fitted, name, "EDF")


def fit_kind(recording: EkgRecording, kind: Kind) -> Fitted:
    """The recording with what such a file holds of it.

    Raises
    ------
    FormatError
        Voltages beyond what eight characters can state in any unit.
    """
    recording = as_read(recording)
    started = _start(recording.started_at)
    records = _records(recording.samples_mv.shape, recording.sample_rate_hz, started)
    held = EkgRecording(
        format=kind,
        format_version=f"{kind}+C",
        leads=tuple(_lead(lead, n) for n, lead in enumerate(recording.leads, 1)),
        samples_mv=recording.samples_mv,
        sample_rate_hz=records.rate_hz,
        started_at=started,
        device=held_device(recording.device, {"model": _subfield}),
        filters=_filters(recording.filters),
        patient_fields=_patient(recording.patient_fields),
    )
    steps = tuple(_stated_step(row, kind) for row in recording.samples_mv)
    return on_given_steps(held, steps, (), gaps=False)


def _stated_step(samples_mv: NDArray[np.float64], kind: Kind) -> Decimal:
    """The step that the header states, the recorder's own or near it, in limits that hold every count."""
    widest = _MOST_COUNTS[kind]
    for most in (widest, widest - widest // _SPARE):
        step_mv = step_within(samples_mv, most)
        peak = _peak(samples_mv, step_mv)
        while peak <= widest:
            limits = _range(step_mv, peak, kind)
            peak = _peak(samples_mv, limits.step_mv)
            if peak <= limits.digital:
                return limits.step_mv
    raise FormatError(kind, "digital maximum", "no limits state the scale of these samples")


def _peak(samples_mv: NDArray[np.float64], step_mv: Decimal) -> int:
    """The largest count, of either sign."""
    return int(np.abs(counts_of(samples_mv, step_mv)).max())


def write_kind(fitted: Fitted, name: str, kind: Kind) -> dict[str, bytes]:
    """The recording as one file of the kind."""
    recording = fitted.recording
    started = recording.started_at or _NO_DATE
    records = _records(recording.samples_mv.shape, recording.sample_rate_hz, recording.started_at)
    about: _About = {
        "patient": _patient_subfields(recording.patient_fields),
        "recording": Recording(
            startdate=started.date() if recording.started_at else None,
            equipment_code=_underscored(recording.device.model or "X"),
        ),
        "starttime": started.time(),
        "data_record_duration": float(records.duration_s),
        "annotations": (),
    }
    signals = _signals(fitted, kind)
    if kind == "EDF":
        return {name: Edf([_edf(counts, header) for counts, header in signals], **about).to_bytes()}
    return {name: Bdf([_bdf(counts, header) for counts, header in signals], **about).to_bytes()}


class _About(TypedDict):
    patient: Patient
    recording: Recording
    starttime: time
    data_record_duration: float
    annotations: tuple[()]


class _Header(TypedDict):
    sampling_frequency: float
    label: str
    physical_dimension: str
    physical_range: tuple[float, float]
    digital_range: tuple[int, int]
    prefiltering: str


def _edf(counts: NDArray[np.int64], header: _Header) -> EdfSignal:
    return EdfSignal.from_digital(counts.astype(np.int16), **header)


def _bdf(counts: NDArray[np.int64], header: _Header) -> BdfSignal:
    return BdfSignal.from_digital(counts.astype(np.int32), **header)


def _signals(fitted: Fitted, kind: Kind) -> Iterator[tuple[NDArray[np.int64], _Header]]:
    """Counts of each lead, and the header of its signal."""
    recording = fitted.recording
    prefilter = " ".join(f"{_PREFILTERS[name]}:{hz}Hz" for name, hz in recording.filters.items())
    for lead, row, step_mv in zip(recording.leads, recording.samples_mv, fitted.steps_mv, strict=True):
        counts = counts_of(row, step_mv)
        limits = _range(step_mv, int(np.abs(counts).max()), kind)
        yield (
            counts,
            {
                "sampling_frequency": recording.sample_rate_hz,
                "label": f"ECG {lead}",
                "physical_dimension": limits.unit,
                "physical_range": (-limits.physical, limits.physical),
                "digital_range": (-limits.digital, limits.digital),
                "prefiltering": prefilter,
            },
        )


@lru_cache(maxsize=64)
def _range(step_mv: Decimal, most_count: int, kind: Kind) -> _Range:
    """The limits of whole numbers that state a step best; exactly where any do.

    Applied to the step of its result, it gives that step again.

    Raises
    ------
    FormatError
        A voltage that cannot be stated.
    """
    widest = _MOST_COUNTS[kind]
    for unit in _UNITS:
        a_count = step_mv / _millivolts(unit)
        if _LEAST_LIMIT <= a_count * widest <= _MOST_LIMIT:
            digital = np.arange(max(most_count, widest - _LIMITS_TRIED, 1), widest + 1)[::-1]
            physical = digital * float(a_count)
            off = np.abs(physical - np.rint(physical)) / physical
            best = int(np.argmin(off.round(_SAME_PLACES)))
            return _Range(int(digital[best]), int(np.rint(physical[best])), unit)
    raise FormatError(kind, "physical maximum", "the voltages are beyond what its eight characters can state")


def _millivolts(unit: str) -> Decimal:
    return mv_per(unit) or Decimal(1)


def _lead(lead: str, n: int) -> str:
    """The name that comes back; leads with names beyond ASCII or sixteen characters are counted."""
    label = f"ECG {lead}"
    held = label.isascii() and label.isprintable() and len(label) <= _LABEL
    return lead_name(label) if held else f"lead{n}"


def _records(shape: tuple[int, ...], rate_hz: float, started: datetime | None) -> _Records:
    """Records without a rest, of a time that can be stated, as near to a second as can be.

    Where nothing divides the recording so, it is one record.
    """
    leads, samples = shape
    offset_s = Decimal(started.microsecond if started else 0).scaleb(-6)
    rate = Fraction(rate_hz).limit_denominator(1_000_000)

    def rank(one: _Records) -> tuple[bool, bool, float]:
        fits = one.samples * leads * 2 <= _RECORD_BYTES and one.duration_s >= _SHORTEST_S
        return (
            abs(one.rate_hz / rate_hz - 1) > _SAME_RATE,
            not fits,
            abs(log(one.duration_s)) if fits else -one.samples,
        )

    ranked = sorted((_record(size, rate) for size in _divisors(samples)), key=rank)
    return next(one for one in ranked if _clean_onsets(one, samples // one.samples, offset_s))


def _clean_onsets(records: _Records, count: int, offset_s: Decimal) -> bool:
    """True where edfio, which multiplies floating-point numbers, states the time of each record exactly."""
    duration_s, start_s = float(records.duration_s), float(offset_s)
    return all(
        Decimal(repr(n * duration_s + start_s)) == n * records.duration_s + offset_s for n in range(count)
    )


def _record(samples: int, rate: Fraction) -> _Records:
    duration = samples / rate
    places = max(0, _DURATION_CHARACTERS - 1 - len(str(int(duration))))
    return _Records(samples, round(Decimal(duration.numerator) / duration.denominator, places).normalize())


def _divisors(number: int) -> Iterator[int]:
    for one in range(1, isqrt(number) + 1):
        if number % one == 0:
            yield from {one, number // one}


def _start(started: datetime | None) -> datetime | None:
    """The start without its zone; None where two digits cannot hold its year."""
    if started is None or not 1985 <= started.year <= 2084:
        return None
    return held_start(started, zone=False)


def _filters(filters: Mapping[str, str]) -> dict[str, str]:
    held = {name: hz for name, hz in filters.items() if name in _PREFILTERS and _HERTZ.fullmatch(hz)}
    return held if sum(len(hz) + 6 for hz in held.values()) <= _FIELD else {}


def _underscored(text: str) -> str:
    return text.replace(" ", "_")


def _subfield(text: str) -> str | None:
    """Text that comes back from a subfield, in which a blank is an underscore."""
    if not text.isascii() or not text.isprintable() or len(text) > _LONGEST_SUBFIELD:
        return None
    return text.replace("_", " ")


_PATIENT: dict[str, Held] = {
    "id": lambda text: None if " " in text or _subfield(text) is None else text,
    "sex": lambda text: text if text in _SEX else None,
    "birth_date": held_date,
    "name": _subfield,
}


def _patient(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields held; a family and a given name become one name, family name first."""
    names = [fields[part] for part in ("family_name", "given_name") if part in fields]
    whole = {"name": " ".join(names)} if names else {}
    return held_fields({**fields, **whole}, _PATIENT)


def _patient_subfields(fields: Mapping[str, str]) -> Patient:
    born = fields.get("birth_date")
    return Patient(
        code=fields.get("id", "X"),
        sex=_SEX.get(fields.get("sex", ""), "X"),
        birthdate=date.fromisoformat(born) if born else None,
        name=_underscored(fields.get("name", "X")),
    )
