"""EDF, EDF+, BDF and BDF+: the signals that are an EKG, by their labels.

A header of 256 ASCII bytes and 256 a signal; data records that hold, signal after signal, 16-bit (BDF:
24-bit) little-endian numbers. Physical value = pmin + (d - dmin) x (pmax - pmin) / (dmax - dmin); pmin may be
above pmax. In a discontinuous file (EDF+D) the time of each record stands in its annotations; what lies
between two records that do not touch is NaN here. Source: the EDF and EDF+ specifications (edfplus.info).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.formats.leads import lead_name
from gateway.formats.measures import date_of, device, moment_of, present, sex
from gateway.formats.scale import implausible, mv_per, number
from gateway.formats.view import View
from gateway.model.ekg import STANDARD_LEADS, EkgGroup, EkgRecording
from gateway.model.reading import Device

_EKG = re.compile(r"(?<![a-z])(ecg|ekg|lead|mli{1,3}$)", re.IGNORECASE)
_LEADS = {*STANDARD_LEADS, "V7", "V8", "V9", "V3R", "V4R"}
_ONSET = re.compile(rb"([+-]\d+(?:\.\d+)?)(?:\x15[\d.]*)?\x14")
_PREFILTER = re.compile(r"(HP|LP|N)\s*:\s*(\d+(?:\.\d+)?)\s*Hz", re.IGNORECASE)
_FILTERS = {"HP": "high_pass_hz", "LP": "low_pass_hz", "N": "mains_hz"}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FIELDS = (
    ("label", 16), ("transducer", 80), ("dimension", 8), ("physical_min", 8), ("physical_max", 8),
    ("digital_min", 8), ("digital_max", 8), ("prefilter", 80), ("samples", 8), ("reserved", 32),
)  # fmt: skip
_MOST_SAMPLES = 100_000_000


@dataclass(frozen=True, slots=True)
class _Signal:
    """One signal's header fields, and where its samples begin in a record."""

    fields: dict[str, str]
    samples: int
    start: int

    @property
    def label(self) -> str:
        return self.fields["label"]

    @property
    def annotates(self) -> bool:
        return self.label.endswith(" Annotations")

    @property
    def ekg(self) -> bool:
        return bool(_EKG.search(self.label)) or lead_name(self.label) in _LEADS

    @property
    def unit_mv(self) -> Decimal | None:
        return mv_per(self.fields["dimension"].replace("Â", ""))


@dataclass(frozen=True, slots=True)
class _File:
    """A file with its header parsed and its data as (records, bytes in a record)."""

    view: View
    records: NDArray[np.uint8]
    record_s: Decimal
    signals: tuple[_Signal, ...]
    width: int
    warnings: tuple[str, ...]

    @property
    def discontinuous(self) -> bool:
        return "+D" in self.view.text(192, 44)

    def rate_hz(self, signal: _Signal) -> float:
        return float(Fraction(signal.samples) / Fraction(self.record_s))

    def counts(self, signal: _Signal) -> NDArray[np.signedinteger]:
        """All samples of a signal, record after record."""
        start, end = signal.start, signal.start + signal.samples
        if self.width == 2:
            return self.records.view("<i2")[:, start:end].ravel()
        octets = self.records[:, 3 * start : 3 * end].reshape(-1, 3)
        low, middle, high = (octets[:, n].astype(np.int32) for n in range(3))
        return (low << 8 | middle << 16 | high << 24) >> 8


def read(data: bytes) -> EkgRecording:
    """The EKG in one EDF or BDF file. Signals of other rates than the first one's are in `groups`.

    Raises
    ------
    FormatError
        A header that does not hold, or no signal in a unit of voltage.
    """
    file = _opened(data)
    onsets = _onsets(file)
    chosen, notes = _chosen(file)
    rows = [_row(file, one) for one in chosen]
    rates = list(dict.fromkeys(row.rate_hz for row in rows))
    warnings = [*file.warnings, *notes, *_strange_scales(file, rows)]
    groups = [_group(file, [row for row in rows if row.rate_hz == rate], onsets) for rate in rates]
    first = groups[0]
    plus = file.view.text(192, 44)
    if np.isnan(first.samples_mv).any():
        warnings.append(
            "the records do not follow each other without gaps; what lies between them is missing"
        )
    return EkgRecording(
        format=file.view.file_format,
        format_version=plus if plus[:4] in {"EDF+", "BDF+"} else "",
        leads=first.leads,
        samples_mv=first.samples_mv,
        sample_rate_hz=first.sample_rate_hz,
        started_at=_started(file.view, onsets),
        device=_device(file.view) if plus[:4] in {"EDF+", "BDF+"} else Device(),
        filters=_filters(chosen[0]),
        patient_fields=_patient(file.view, plus[:4] in {"EDF+", "BDF+"}),
        groups=tuple(groups[1:]),
        warnings=tuple(warnings),
    )


def _opened(data: bytes) -> _File:
    binary = data[:1] == b"\xff"
    view = View(data, "BDF" if binary else "EDF", "header")
    width = 3 if binary else 2
    size, claimed = _integer(view, 184, 8, "header size"), _integer(view, 236, 8, "number of records")
    count = _integer(view, 252, 4, "number of signals")
    record_s = number(view.text(244, 8).replace(",", "."))
    if not 0 < count <= 4096 or size != 256 * (count + 1):
        raise view.error(f"{count} signals in a header of {size} bytes", 184)
    if record_s is None or record_s < 0:
        raise view.error("the record duration is no number", 244)
    signals = tuple(_signals(view, count))
    record_size = width * sum(one.samples for one in signals)
    available = max(len(data) - size, 0)
    whole = available // record_size if record_size else 0
    warnings = []
    if claimed not in {whole, -1}:
        warnings.append(f"the header claims {claimed} records, the file holds {whole}")
    records = min(whole, claimed) if claimed >= 0 else whole
    if not records:
        raise view.error("no whole data record", size)
    body = np.frombuffer(data, np.uint8, records * record_size, size).reshape(records, record_size)
    return _File(view, body, record_s, signals, width, tuple(warnings))


def _integer(view: View, at: int, length: int, what: str) -> int:
    text = view.text(at, length)
    if not re.fullmatch(r"[+-]?\d{1,8}", text, re.ASCII):
        raise view.error(f"the {what} is no number", at)
    return int(text)


def _signals(view: View, count: int) -> Iterator[_Signal]:
    columns: dict[str, list[str]] = {}
    at = 256
    for name, length in _FIELDS:
        columns[name] = [view.text(at + n * length, length) for n in range(count)]
        if name == "samples":
            sizes = [_integer(view, at + n * length, length, "samples in a record") for n in range(count)]
        at += length * count
    start = 0
    for n, size in enumerate(sizes):
        if size < 0 or start > len(view):
            raise view.error(f"signal {n + 1} has {size} samples in a record")
        yield _Signal({name: column[n] for name, column in columns.items()}, size, start)
        start += size


def _chosen(file: _File) -> tuple[list[_Signal], tuple[str, ...]]:
    """Signals that are an EKG by their labels; where there is none, all voltages, and that is said."""
    signals = [one for one in file.signals if not one.annotates and one.samples]
    ekg = [one for one in signals if one.ekg]
    for one in ekg:
        if one.unit_mv is None:
            raise file.view.error(
                f"the dimension of signal {file.signals.index(one) + 1} is no unit of voltage"
            )
    voltages = [one for one in signals if one.unit_mv is not None]
    if not voltages or not file.record_s:
        raise file.view.error("no signal in a unit of voltage")
    if ekg:
        return ekg, ()
    return voltages, (f"no signal is labelled as an EKG; all {len(voltages)} voltages are given as named",)


class _Row(NamedTuple):
    """A signal to be given, its scale and rate."""

    signal: _Signal
    mv_a_count: float
    zero_mv: float
    rate_hz: float


def _row(file: _File, signal: _Signal) -> _Row:
    names = ("physical_min", "physical_max", "digital_min", "digital_max")
    scale = _scale(*(signal.fields[name] for name in names), signal.unit_mv or Decimal(0))
    if scale is None:
        index = file.signals.index(signal) + 1
        raise file.view.error(f"the physical and digital limits of signal {index} give no scale")
    return _Row(signal, *scale, file.rate_hz(signal))


@lru_cache(maxsize=64)  # the leads of a file have one scale
def _scale(
    physical_min: str, physical_max: str, digital_min: str, digital_max: str, unit_mv: Decimal
) -> tuple[float, float] | None:
    """Millivolts a count, and millivolts of the count 0; None where the limits give no scale."""
    values = [
        number(text.replace(",", ".")) for text in (physical_min, physical_max, digital_min, digital_max)
    ]
    pmin, pmax, dmin, dmax = (Fraction(value) if value is not None else None for value in values)
    if pmin is None or pmax is None or dmin is None or dmax is None or dmin == dmax or pmin == pmax:
        return None
    gain = (pmax - pmin) / (dmax - dmin) * Fraction(unit_mv)
    return float(gain), float(pmin * Fraction(unit_mv) - dmin * gain)


def _strange_scales(file: _File, rows: list[_Row]) -> Iterator[str]:
    notes = (implausible(Decimal(row.mv_a_count), 1 << (8 * file.width)) for row in rows)
    strange = Counter(filter(None, notes))
    return (f"{note} ({n} of {len(rows)} signals)" for note, n in strange.items())


def _group(file: _File, rows: list[_Row], onsets: tuple[Decimal, ...]) -> EkgGroup:
    size, rate_hz = rows[0].signal.samples, rows[0].rate_hz
    samples_mv = np.empty((len(rows), len(file.records) * size))
    for n, row in enumerate(rows):
        np.multiply(file.counts(row.signal), row.mv_a_count, out=samples_mv[n])
        samples_mv[n] += row.zero_mv
    leads = tuple(lead_name(row.signal.label) for row in rows)
    return EkgGroup(f"{rate_hz:g} Hz", leads, _spread(file, samples_mv, size, onsets), rate_hz)


def _spread(
    file: _File, samples_mv: NDArray[np.float64], size: int, onsets: tuple[Decimal, ...]
) -> NDArray[np.float64]:
    """The records at their times, NaN between them."""
    if not onsets or not file.discontinuous:
        return samples_mv
    starts = [round((onset - onsets[0]) * size / file.record_s) for onset in onsets]
    if starts == [n * size for n in range(len(starts))]:
        return samples_mv
    if any(after < before + size for before, after in pairwise(starts)):
        raise file.view.error("records that overlap in time")
    total = starts[-1] + size
    if total * samples_mv.shape[0] > min(_MOST_SAMPLES, 50 * samples_mv.size):
        raise file.view.error("gaps between records that are longer than all records together fifty times")
    spread = np.full((samples_mv.shape[0], total), np.nan)
    for n, start in enumerate(starts):
        spread[:, start : start + size] = samples_mv[:, n * size : (n + 1) * size]
    return spread


def _onsets(file: _File) -> tuple[Decimal, ...]:
    """The time of each record, from its first annotation list; empty where one is missing.

    Where records follow each other without gaps, the first one's time alone.
    """
    signal = next((one for one in file.signals if one.annotates), None)
    if signal is None:
        return ()
    columns = slice(signal.start * file.width, (signal.start + signal.samples) * file.width)
    records = file.records if file.discontinuous else file.records[:1]
    matches = [_ONSET.match(record.tobytes()) for record in records[:, columns]]
    found = [number(match[1].decode()) for match in matches if match]
    return tuple(one for one in found if one is not None) if len(found) == len(matches) else ()


def _started(view: View, onsets: tuple[Decimal, ...]) -> datetime | None:
    """None where the date is left out on purpose, whatever stands in the older field."""
    if view.text(88, 80).startswith("Startdate X"):
        return None
    date, time = view.text(168, 8).split("."), view.text(176, 8).split(".")
    if len(date) != 3 or len(time) != 3 or not all(part.isdecimal() for part in (*date, *time)):
        return None
    day, month, year = map(int, date)
    full = re.match(r"Startdate (\d\d)-([A-Z]{3})-(\d{4})", view.text(88, 80))
    year = int(full[3]) if full else year + (1900 if year >= 85 else 2000)
    moment = moment_of(year, month, day, *map(int, time))
    if moment is None or not onsets or not 0 < onsets[0] < 86400:
        return moment
    return moment + timedelta(microseconds=int(onsets[0] * 1_000_000))


def _device(view: View) -> Device:
    words = view.text(88, 80).split()
    return (
        device(model=words[4].replace("_", " ")) if len(words) > 4 and words[0] == "Startdate" else Device()
    )


def _patient(view: View, plus: bool) -> dict[str, str]:
    text = view.text(8, 80)
    words = text.split()
    if not plus or len(words) < 4:
        return present({"text": text})
    born = re.fullmatch(r"(\d\d)-([A-Z]{3})-(\d{4})", words[2])
    month = _MONTHS.index(born[2]) + 1 if born and born[2] in _MONTHS else 0
    return present(
        {
            "id": words[0],
            "sex": sex(words[1]),
            "birth_date": date_of(int(born[3]), month, int(born[1])) if born else None,
            "name": words[3].replace("_", " "),
        }
    )


def _filters(signal: _Signal) -> dict[str, str]:
    return {_FILTERS[kind.upper()]: hz for kind, hz in _PREFILTER.findall(signal.fields["prefilter"])}
