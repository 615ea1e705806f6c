"""WFDB records (PhysioNet): a text header, and signal files beside it, in one segment or in many.

The wfdb package is not used: it needs pandas and aiohttp, and reads by path only. It checks this reader in
the tests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.formats.leads import lead_name
from gateway.formats.scale import mv_per
from gateway.formats.view import View
from gateway.formats.wfdb_header import FORMAT, Header, Signal, read_header
from gateway.formats.wfdb_samples import FLAC, STORAGES, Counts, decode_flac, samples_in
from gateway.model.ekg import EkgGroup, EkgRecording

_MOST_MISSING = 8_000_000


@dataclass(frozen=True, slots=True)
class _Part:
    """The voltages of one segment, by rate."""

    groups: tuple[EkgGroup, ...]
    warnings: tuple[str, ...]


def read(files: Mapping[str, bytes], name: str) -> EkgRecording:
    """The record whose header is the file `name`.

    Parameters
    ----------
    files : mapping of str to bytes
        The header and the files that it names.

    Raises
    ------
    FormatError
    """
    header = read_header(files[name], name)
    part = _segments(files, header) if header.segments else _signals(files, header, name)
    first = part.groups[0]
    return EkgRecording(
        format=FORMAT,
        format_version="",
        leads=first.leads,
        samples_mv=first.samples_mv,
        sample_rate_hz=first.sample_rate_hz,
        started_at=header.started_at,
        patient_fields=header.patient_fields,
        groups=part.groups[1:],
        warnings=part.warnings,
    )


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    try:
        return files[name]
    except KeyError:
        raise FormatError(FORMAT, name, "is not there") from None


def _signals(files: Mapping[str, bytes], header: Header, section: str) -> _Part:
    """One segment: each signal file decoded once, its signals in mV, grouped by rate."""
    warnings: list[str] = []
    found: dict[int, list[tuple[Signal, Counts]]] = {}
    runs = [(name, tuple(run)) for name, run in groupby(header.signals, key=lambda signal: signal.file)]
    if len({name for name, _ in runs}) < len(runs):
        raise FormatError(FORMAT, section, "the signals of one file do not stand together")
    for name, signals in runs:
        for signal, counts in _decoded(_file(files, name), signals, header, warnings):
            if mv_per(signal.units) is None:
                warnings.append(f"{signal.label} is in {signal.units}, not a voltage, and was left out")
                continue
            if not signal.calibrated:
                warnings.append(f"{signal.label} has no gain; the 200 counts a mV of the standard were taken")
            found.setdefault(signal.frame, []).append((signal, counts))
    if not found:
        raise FormatError(FORMAT, section, "no signal in a unit of voltage")
    return _Part(tuple(_group(frame, one, header) for frame, one in found.items()), tuple(warnings))


def _group(frame: int, found: list[tuple[Signal, Counts]], header: Header) -> EkgGroup:
    rate_hz = float(header.rate_hz * frame)
    samples_mv = np.empty((len(found), min(counts.size for _, counts in found)))
    for row, (signal, counts) in zip(samples_mv, found, strict=True):
        _millivolts(signal, counts, row)
    leads = tuple(lead_name(signal.label) for signal, _ in found)
    return EkgGroup(f"{rate_hz:g} Hz", leads, samples_mv, rate_hz)


def _millivolts(signal: Signal, counts: Counts, row: NDArray[np.float64]) -> None:
    """Fills a row with one signal, forward in time by its skew, as far as it goes; the rest is missing."""
    counts = counts[signal.skew * signal.frame :][: row.size]
    row[counts.size :] = np.nan
    row = row[: counts.size]
    np.subtract(counts, signal.baseline, out=row, dtype=np.float64)
    row *= float((mv_per(signal.units) or 0) / signal.gain)
    row[_missing(signal, counts)] = np.nan


def _decoded(
    data: bytes, signals: tuple[Signal, ...], header: Header, warnings: list[str]
) -> Iterator[tuple[Signal, Counts]]:
    """Each signal of one file with its counts, in the order of the header."""
    first = signals[0]
    view = View(data, FORMAT, first.file)
    if len({(signal.format, signal.offset) for signal in signals}) > 1:
        raise view.error("signals of one file in different formats")
    frame = sum(signal.frame for signal in signals)
    body = view.part(first.offset, max(len(view) - first.offset, 0)) if first.offset <= len(view) else None
    if body is None:
        raise view.error(f"shorter than the {first.offset} bytes before its samples")
    frames = _frames(body, signals, frame, header.samples)
    if header.samples is not None and frames.shape[0] < header.samples:
        warnings.append(f"{first.file} holds {frames.shape[0]} of {header.samples} samples")
    at = 0
    for signal in signals:
        counts = frames[:, at : at + signal.frame].ravel()
        if signal.format == 8:
            counts = signal.first + np.cumsum(counts)
        whole = signal.checksum is not None and frames.shape[0] == header.samples
        if whole and (int(counts.sum()) - (signal.checksum or 0)) % 65536:
            warnings.append(f"{signal.label}: the checksum does not hold")
        yield signal, counts
        at += signal.frame


def _frames(body: View, signals: tuple[Signal, ...], frame: int, samples: int | None) -> Counts:
    """Counts (frames, samples of a frame); as many whole frames as are there, up to the header's number."""
    kind = signals[0].format
    if kind in FLAC:
        counts = decode_flac(body, FLAC[kind])
        if counts.shape[1] != len(signals) or frame != len(signals):
            raise body.error(f"{counts.shape[1]} FLAC channels for {len(signals)} signals")
        return counts[:samples]
    if kind not in STORAGES:
        raise body.error(f"the storage format {kind} is not one")
    counts = STORAGES[kind].decode(body.data)[: samples_in(STORAGES[kind], len(body))]
    whole = counts.size // frame
    if not whole:
        raise body.error("no whole frame of samples")
    return counts[: whole * frame].reshape(whole, frame)[:samples]


def _missing(signal: Signal, counts: Counts) -> NDArray[np.bool_]:
    lowest = (
        STORAGES[signal.format].missing if signal.format in STORAGES else -(1 << (FLAC[signal.format] - 1))
    )
    return counts == lowest if lowest is not None else np.zeros(counts.shape, np.bool_)


def _segments(files: Mapping[str, bytes], header: Header) -> _Part:
    """Segments joined in time. Gaps and segments that are not there are NaN; at the end, they are cut off."""
    parts: list[tuple[int, int, EkgGroup]] = []
    missing: list[str] = []
    warnings: list[str] = []
    at = 0
    named = {name for name, length in header.segments if length and name != "~"}
    read_parts = {name: _voltages(files, name, warnings) for name in sorted(named) if f"{name}.hea" in files}
    for name, length in header.segments:
        if name in named and name not in read_parts:
            missing.append(name)
        elif name in named and (part := read_parts[name]) is not None:
            parts.append((at, length, part))
        at += length
    if not parts:
        raise FormatError(FORMAT, header.name, "no segment with a voltage is there")
    if missing:
        names = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
        warnings.append(f"{len(missing)} of {len(header.segments)} segments are not there: {names}")
    return _Part((_joined(parts, header),), tuple(dict.fromkeys(warnings)))


def _voltages(files: Mapping[str, bytes], name: str, warnings: list[str]) -> EkgGroup | None:
    """A segment's leads of its first rate; None, and a warning, where it holds no voltage."""
    inner = read_header(files[f"{name}.hea"], f"{name}.hea")
    if inner.segments:
        raise FormatError(FORMAT, f"{name}.hea", "a segment that has segments itself")
    if not any(mv_per(signal.units) for signal in inner.signals):
        warnings.append(f"segment {name} holds no voltage")
        return None
    part = _signals(files, inner, f"{name}.hea")
    warnings.extend(part.warnings)
    if len(part.groups) > 1:
        warnings.append(f"segment {name} has leads of several rates; only the first rate's were taken")
    return part.groups[0]


def _joined(parts: list[tuple[int, int, EkgGroup]], header: Header) -> EkgGroup:
    rate_hz = parts[0][2].sample_rate_hz
    frame = round(rate_hz / float(header.rate_hz)) or 1
    if any(part.sample_rate_hz != rate_hz for _, _, part in parts):
        raise FormatError(FORMAT, header.name, "segments of different sample rates")
    leads = tuple(dict.fromkeys(lead for _, _, part in parts for lead in part.leads))
    end = frame * max(at + length for at, length, _ in parts)
    held = sum({id(part): part.samples_mv.size for _, _, part in parts}.values())
    if end * len(leads) > 4 * held + _MOST_MISSING:
        raise FormatError(FORMAT, header.name, f"{end} samples in time, of which the segments hold few")
    samples_mv = np.full((len(leads), end), np.nan)
    for at, length, part in parts:
        size = min(length * frame, part.samples_mv.shape[1])
        for lead, row in zip(part.leads, part.samples_mv, strict=True):
            samples_mv[leads.index(lead), at * frame : at * frame + size] = row[:size]
    return replace(parts[0][2], leads=leads, samples_mv=samples_mv)
