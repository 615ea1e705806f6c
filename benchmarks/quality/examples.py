"""Seconds of EKG, clean and disturbed, each with whether its R-peaks were found right.

Records: MIT-BIH Arrhythmia (both channels), its noise stress records, and every lead of LUDB. To stretches of
them are added the baseline wander, muscle noise and electrode motion of the noise stress test, mains,
rails and loose electrodes. Ventricular flutter, which has no annotated beats, is left out. Always the same.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.signal import detect_r_peaks
from gateway.signal.filters import bridged
from gateway.signal.mains import find_mains
from gateway.signal.quality import disturbances, features, signal_quality

wfdb: Any = import_module("wfdb")

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
SNRS_DB = (18, 12, 6, 0, -6)
_TOLERANCE_S = 0.15
_CLEAN_S, _STRETCH_S, _SHORT_S = 600, 120, 60
_NOISY_PERIOD_S = 240  # of the noise stress records: two minutes with noise, two without, from minute 5 on

Array = NDArray[np.float64]
Marks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """One lead for a while, with the beats that are in it, and the seconds that are judged."""

    kind: str
    record: str
    ekg_mv: Array
    rate_hz: float
    beats: Marks
    judged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Examples:
    """One row a second: where it is from, what the score weighs, score, and beats right, invented, missed."""

    kind: NDArray[np.str_]
    record: NDArray[np.str_]
    features: Array
    score: Array
    beats: Marks

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.beats[:, 1:].sum(axis=1) == 0)


def data_folder() -> Path:
    return Path(os.environ.get("GATEWAY_DATA", Path(__file__).parents[3] / "shared" / "data")) / "ekg"


def read(record: Path) -> tuple[Array, float]:
    """(leads, n) mV, and the rate."""
    found = wfdb.rdrecord(str(record))
    return np.ascontiguousarray(found.p_signal.T), float(found.fs)


def marks(record: Path, annotator: str = "atr") -> tuple[Marks, list[tuple[int, int]]]:
    """Beats, and the stretches of ventricular flutter."""
    found = wfdb.rdann(str(record), annotator)
    beats = [at for at, symbol in zip(found.sample, found.symbol, strict=True) if symbol in BEATS]
    starts = [at for at, symbol in zip(found.sample, found.symbol, strict=True) if symbol == "["]
    stops = [at for at, symbol in zip(found.sample, found.symbol, strict=True) if symbol == "]"]
    return np.array(beats, dtype=np.int64), list(zip(starts, stops, strict=True))


def outcomes(beats: Marks, found: Marks, samples: int, rate_hz: float) -> Marks:
    """(seconds, 3) R-peaks right, invented and missed in each second, paired within 150 ms."""
    counts = np.zeros((int(np.ceil(samples / rate_hz)), 3), dtype=np.int64)
    free = np.ones(len(found), dtype=bool)
    for beat in beats:
        near = np.flatnonzero(free & (np.abs(found - beat) <= _TOLERANCE_S * rate_hz))
        if len(near):
            free[near[np.argmin(np.abs(found[near] - beat))]] = False
        counts[int(beat / rate_hz), 0 if len(near) else 2] += 1
    np.add.at(counts[:, 1], (found[free] / rate_hz).astype(np.int64), 1)
    return counts


def noises() -> dict[str, tuple[Array, float]]:
    """Baseline wander, muscle noise and electrode motion, (2, n) each.

    The noise stress test's electrode motion is in its records only: what 118e_6 has beyond record 118.
    """
    folder = data_folder()
    kept = {name: read(folder / "nstdb" / name) for name in ("bw", "ma")}
    clean, rate_hz = read(folder / "mitdb" / "118")
    noisy, _ = read(folder / "nstdb" / "118e_6")
    n = min(clean.shape[1], noisy.shape[1])
    quiet, period = slice(0, round(300 * rate_hz)), round(_NOISY_PERIOD_S * rate_hz)
    rest = []
    for before, after in zip(clean[:, :n], noisy[:, :n], strict=True):
        level = before - np.median(before)
        gain = (level[quiet] @ (after - np.median(after))[quiet]) / (level[quiet] @ level[quiet])
        rest.append(after - np.median(after) - gain * level)
    starts = range(quiet.stop, n - period // 2, period)
    motion = np.concatenate([np.stack(rest)[:, start : start + period // 2] for start in starts], axis=1)
    return {**kept, "em": (motion, rate_hz)}


def _qrs_mv(ekg_mv: Array, beats: Marks, rate_hz: float) -> float:
    half = round(0.05 * rate_hz)
    return float(np.median([np.ptp(ekg_mv[max(at - half, 0) : at + half + 1]) for at in beats]))


def _noise_like(noise: tuple[Array, float], samples: int, rate_hz: float, draw: np.random.Generator) -> Array:
    """A piece of one channel, at the rate asked for."""
    channels, noise_hz = noise
    length = int(samples * noise_hz / rate_hz) + 2
    start = int(draw.integers(0, channels.shape[1] - length))
    piece = channels[int(draw.integers(0, 2)), start : start + length]
    at = np.arange(samples) / rate_hz
    return np.asarray(np.interp(at, np.arange(length) / noise_hz, piece - piece.mean()))


def _disturbed(stretch: Stretch, kind: str, noise: Array, snr_db: float) -> Stretch:
    """With noise at a signal-to-noise ratio as the noise stress test defines it: QRS squared over 8."""
    pieces = np.array_split(noise, max(int(len(noise) / stretch.rate_hz), 1))
    power = float(np.mean([piece.var() for piece in pieces]))
    qrs = _qrs_mv(stretch.ekg_mv, stretch.beats, stretch.rate_hz)
    scale = np.sqrt(qrs**2 / 8 / 10 ** (snr_db / 10) / power)
    return Stretch(
        kind, stretch.record, stretch.ekg_mv + scale * noise, stretch.rate_hz, stretch.beats, stretch.judged
    )


def _part(whole: Stretch, start_s: int, length_s: int) -> Stretch:
    first, last = round(start_s * whole.rate_hz), round((start_s + length_s) * whole.rate_hz)
    beats = whole.beats[(whole.beats >= first) & (whole.beats < last)] - first
    judged = whole.judged[start_s : start_s + length_s]
    return Stretch(whole.kind, whole.record, whole.ekg_mv[first:last], whole.rate_hz, beats, judged)


def _with_mains(stretch: Stretch, draw: np.random.Generator) -> Stretch:
    hum = np.sin(2 * np.pi * draw.choice([50, 60]) / stretch.rate_hz * np.arange(len(stretch.ekg_mv)))
    share = draw.choice([0.05, 0.1, 0.3, 0.5, 1])
    level = share * _qrs_mv(stretch.ekg_mv, stretch.beats, stretch.rate_hz) / 2
    ekg = stretch.ekg_mv + level * hum
    return Stretch("mains", stretch.record, ekg, stretch.rate_hz, stretch.beats, stretch.judged)


def _at_rails(stretch: Stretch, draw: np.random.Generator) -> Stretch:
    """Thrown to a rail by slow swings, now and then."""
    n, qrs = len(stretch.ekg_mv), _qrs_mv(stretch.ekg_mv, stretch.beats, stretch.rate_hz)
    swing = 6 * qrs * np.sin(2 * np.pi * draw.uniform(0.05, 0.15) / stretch.rate_hz * np.arange(n)) ** 5
    ekg = np.clip(stretch.ekg_mv - np.median(stretch.ekg_mv) + swing, -3 * qrs, 3 * qrs)
    return Stretch("rails", stretch.record, ekg, stretch.rate_hz, stretch.beats, stretch.judged)


def _loose(stretch: Stretch, draw: np.random.Generator) -> Stretch:
    """Without an electrode for a third of the time: amplifier noise about a level."""
    n, qrs = len(stretch.ekg_mv), _qrs_mv(stretch.ekg_mv, stretch.beats, stretch.rate_hz)
    off = slice(n // 3, 2 * n // 3)
    ekg = stretch.ekg_mv.copy()
    ekg[off] = ekg[off].mean() + draw.normal(0, draw.choice([0.0, 0.002, 0.02]) * qrs, off.stop - off.start)
    return Stretch("lead off", stretch.record, ekg, stretch.rate_hz, stretch.beats, stretch.judged)


def _of_mitdb() -> Iterator[Stretch]:
    folder = data_folder()
    draw, kept = np.random.default_rng(0), noises()
    for header in sorted((folder / "mitdb").glob("*.hea")):
        record = header.with_suffix("")
        ekg, rate_hz = read(record)
        beats, flutter = marks(record)
        judged = np.ones(int(ekg.shape[1] / rate_hz), dtype=bool)
        for start, stop in flutter:
            judged[int(start / rate_hz) : int(stop / rate_hz) + 1] = False
        leads = [Stretch("MIT-BIH", record.name, lead, rate_hz, beats, judged) for lead in ekg]
        latest = len(judged) - _CLEAN_S
        for lead in leads:
            yield _part(lead, int(draw.integers(0, latest)), _CLEAN_S)
        for kind, noise in kept.items():
            for snr_db in SNRS_DB:
                lead = leads[int(draw.random() < 0.25)]
                clean = _part(lead, int(draw.integers(0, latest)), _STRETCH_S)
                if len(clean.beats):
                    piece = _noise_like(noise, len(clean.ekg_mv), rate_hz, draw)
                    yield _disturbed(clean, f"MIT-BIH + {kind}", piece, snr_db)
        for fault in (_with_mains, _with_mains, _at_rails, _loose):
            clean = _part(leads[0], int(draw.integers(0, latest)), _SHORT_S)
            if len(clean.beats):
                yield fault(clean, draw)


def _of_nstdb() -> Iterator[Stretch]:
    for header in sorted((data_folder() / "nstdb").glob("118e*.hea")):
        ekg, rate_hz = read(header.with_suffix(""))
        beats, _ = marks(header.with_suffix(""))
        for lead in ekg:
            judged = np.ones(int(len(lead) / rate_hz), dtype=bool)
            yield Stretch("noise stress test", "118", lead, rate_hz, beats, judged)


def _of_ludb() -> Iterator[Stretch]:
    draw, kept = np.random.default_rng(1), noises()
    for header in sorted((data_folder() / "ludb").glob("*.hea")):
        record = header.with_suffix("")
        ekg, rate_hz = read(record)
        for number, (name, lead) in enumerate(zip(wfdb.rdheader(str(record)).sig_name, ekg, strict=True)):
            found = wfdb.rdann(str(record), name)
            beats = np.array([s for s, c in zip(found.sample, found.symbol, strict=True) if c == "N"])
            if len(beats) < 3:
                continue
            judged = np.zeros(int(len(lead) / rate_hz), dtype=bool)
            judged[int(np.ceil(beats[0] / rate_hz)) : int(beats[-1] / rate_hz)] = True
            clean = Stretch("LUDB", f"LUDB {record.name}", lead, rate_hz, beats, judged)
            yield clean
            if number % 4 == int(record.name) // 2 % 4:
                for kind, noise in kept.items():
                    piece = _noise_like(noise, len(lead), rate_hz, draw)
                    yield _disturbed(clean, f"LUDB + {kind}", piece, float(draw.choice(SNRS_DB)))


def stretches() -> Iterator[Stretch]:
    yield from _of_mitdb()
    yield from _of_nstdb()
    yield from _of_ludb()


def examples() -> Examples:
    """Every judged second that shows a signal at all; takes a few minutes."""
    kinds: list[str] = []
    records: list[str] = []
    rows: list[tuple[Array, Array, Marks]] = []
    for stretch in stretches():
        ekg, rate_hz = stretch.ekg_mv, stretch.rate_hz
        known = bridged(ekg)
        weighed = features(disturbances(known, rate_hz, find_mains(known, rate_hz)))
        score = np.array(signal_quality(ekg, rate_hz).leads[0].per_second)
        counts = outcomes(stretch.beats, detect_r_peaks(ekg, rate_hz), len(ekg), rate_hz)
        kept = np.flatnonzero(stretch.judged & (score[: len(stretch.judged)] > 0))
        rows.append((weighed[kept], score[kept], counts[kept]))
        kinds += [stretch.kind] * len(kept)
        records += [stretch.record] * len(kept)
    weighed, score, counts = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Examples(np.array(kinds), np.array(records), weighed, score, counts)
