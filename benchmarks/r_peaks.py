"""R-peaks side by side with every detector that is installed: accuracy, time, and what a stream costs.

Beats of channel 0 of the MIT-BIH Arrhythmia and Noise Stress Test Databases, within 150 ms of their marks,
one to one, all 30 minutes. Times are ratios within one run: the two that are compared take turns record by
record, so that a busy machine slows both.
"""

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from gateway.signal import RPeakStream, detect_r_peaks

wfdb: Any = import_module("wfdb")

DATA = Path(os.environ.get("GATEWAY_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ekg"
_BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
_TOLERANCE_S = 0.15
_CHUNK_S = 0.02
_STREAM_SECONDS = 120
_TURNS = 3

Samples = NDArray[np.int64]
Ekg = NDArray[np.float64]
Detector = Callable[[Ekg, float], Samples]


class Marked(NamedTuple):
    """One channel of a record with its beats and its stretches of ventricular flutter, as sample ranges."""

    name: str
    ekg_mv: Ekg
    rate_hz: float
    beats: Samples
    symbols: list[str]
    flutter: list[tuple[int, int]]


class Errors(NamedTuple):
    found: int
    invented: int
    missed: int

    @property
    def f1(self) -> float:
        return 200 * self.found / (2 * self.found + self.invented + self.missed)


def read_marked(header: Path) -> Marked:
    record = wfdb.rdrecord(str(header.with_suffix("")), channels=[0])
    marks = wfdb.rdann(str(header.with_suffix("")), "atr")
    marked = list(zip(marks.sample.tolist(), marks.symbol, strict=True))
    starts, stops = ([sample for sample, symbol in marked if symbol == bracket] for bracket in "[]")
    return Marked(
        header.stem,
        np.ascontiguousarray(record.p_signal[:, 0]),
        float(record.fs),
        np.array([sample for sample, symbol in marked if symbol in _BEATS]),
        [symbol for _, symbol in marked if symbol in _BEATS],
        list(zip(starts, stops, strict=True)),
    )


def marked_records(database: str) -> list[Marked]:
    headers = sorted((DATA / database).glob("*.hea"))
    return [read_marked(header) for header in headers if header.with_suffix(".atr").exists()]


def errors_of(beats: Samples, found: Samples, tolerance: float) -> Errors:
    """Pairs in order of time; of two found near one beat, the nearer is its own."""
    pairs = i = j = 0
    while i < len(beats) and j < len(found):
        away = abs(found[j] - beats[i])
        if away > tolerance:
            i, j = (i + 1, j) if beats[i] < found[j] else (i, j + 1)
            continue
        if j + 1 < len(found) and abs(found[j + 1] - beats[i]) < away:
            following = beats[i + 1] if i + 1 < len(beats) else np.inf
            j += bool(abs(found[j + 1] - beats[i]) <= abs(found[j + 1] - following))
        pairs, i, j = pairs + 1, i + 1, j + 1
    return Errors(pairs, len(found) - pairs, len(beats) - pairs)


def without_flutter(samples: Samples, flutter: list[tuple[int, int]]) -> Samples:
    for start, stop in flutter:
        samples = samples[(samples < start) | (samples > stop)]
    return samples


def _gqrs(ekg_mv: Ekg, rate_hz: float) -> Samples:
    gqrs = import_module("wfdb.processing").gqrs_detect
    return np.asarray(gqrs(d_sig=np.rint(ekg_mv * 200), fs=rate_hz, adc_gain=200, adc_zero=0), dtype=np.int64)


def _xqrs(ekg_mv: Ekg, rate_hz: float) -> Samples:
    xqrs = import_module("wfdb.processing").xqrs_detect
    return np.asarray(xqrs(sig=ekg_mv, fs=rate_hz, verbose=False), dtype=np.int64)


def _sleepecg(ekg_mv: Ekg, rate_hz: float) -> Samples:
    found = import_module("sleepecg").detect_heartbeats(ekg_mv, rate_hz)
    return np.asarray(found, dtype=np.int64)


def _neurokit2(ekg_mv: Ekg, rate_hz: float) -> Samples:
    neurokit2 = import_module("neurokit2")
    cleaned = neurokit2.ecg_clean(ekg_mv, sampling_rate=int(rate_hz))
    _, found = neurokit2.ecg_peaks(cleaned, sampling_rate=int(rate_hz))
    return np.asarray(found["ECG_R_Peaks"], dtype=np.int64)


_PEERS: dict[str, tuple[str, Detector]] = {
    "sleepecg": ("sleepecg", _sleepecg),
    "NeuroKit2": ("neurokit2", _neurokit2),
    "xqrs": ("wfdb", _xqrs),
    "gqrs": ("wfdb", _gqrs),
}


def detectors() -> dict[str, Detector]:
    """Ours, then those whose package is installed."""
    installed = {
        name: detector for name, (package, detector) in _PEERS.items() if importlib.util.find_spec(package)
    }
    return {"gateway": detect_r_peaks} | installed


def errors_by_record(
    detector: Detector, records: list[Marked], *, flutter: bool = False
) -> Iterator[tuple[Marked, Errors]]:
    """Ventricular flutter is left out, or counted with the beats that are marked in it: none."""
    for record in records:
        found = np.sort(detector(record.ekg_mv, record.rate_hz))
        spans = [] if flutter else record.flutter
        beats, peaks = without_flutter(record.beats, spans), without_flutter(found, spans)
        yield record, errors_of(beats, peaks, _TOLERANCE_S * record.rate_hz)


def gross(detector: Detector, records: list[Marked], *, flutter: bool = False) -> float:
    """F1 of all records together."""
    each = [errors for _, errors in errors_by_record(detector, records, flutter=flutter)]
    return Errors(*np.sum(each, axis=0).tolist()).f1


def time_ratio(ours: Detector, theirs: Detector, records: list[Marked]) -> float:
    """CPU time of ours by theirs; each record is read by both in turn, and the quickest of three counts."""
    seconds = np.full((2, len(records)), np.inf)
    for _ in range(_TURNS):
        for i, record in enumerate(records):
            for which, detector in enumerate((ours, theirs)):
                start = time.process_time()
                detector(record.ekg_mv, record.rate_hz)
                seconds[which, i] = min(seconds[which, i], time.process_time() - start)
    ratio: float = seconds[0].sum() / seconds[1].sum()
    return ratio


def _feed_stream(chunks: list[Ekg], rate_hz: float) -> None:
    stream = RPeakStream(rate_hz)
    for chunk in chunks:
        stream.feed(chunk)
    stream.flush()


def _feed_sosfilt(chunks: list[Ekg], rate_hz: float) -> None:
    sections = signal.butter(2, (5, 25), "bandpass", fs=rate_hz, output="sos")
    state = np.zeros((len(sections), 2))
    for chunk in chunks:
        _, state = signal.sosfilt(sections, chunk, zi=state)


def stream_ratio(records: list[Marked]) -> float:
    """CPU time of `RPeakStream` by that of a band-pass of two sections with state, on the same chunks."""
    seconds = np.full((2, len(records)), np.inf)
    for _ in range(_TURNS):
        for i, record in enumerate(records):
            chunk = round(_CHUNK_S * record.rate_hz)
            part = record.ekg_mv[: round(_STREAM_SECONDS * record.rate_hz)]
            chunks = [part[at : at + chunk] for at in range(0, len(part), chunk)]
            for which, feed in enumerate((_feed_stream, _feed_sosfilt)):
                start = time.process_time()
                feed(chunks, record.rate_hz)
                seconds[which, i] = min(seconds[which, i], time.process_time() - start)
    ratio: float = seconds[0].sum() / seconds[1].sum()
    return ratio


def main() -> None:
    arrhythmia, noisy = marked_records("mitdb"), marked_records("nstdb")
    print(f"  F1 over {len(arrhythmia)} records of MIT-BIH; flutter included; under noise")
    for name, detector in detectors().items():
        clear, whole = (gross(detector, arrhythmia, flutter=flutter) for flutter in (False, True))
        print(f"    {name:9} {clear:7.3f} {whole:7.3f} {gross(detector, noisy):7.2f}", flush=True)
    peers = {name: peer for name, peer in detectors().items() if name == "sleepecg"}
    for name, peer in peers.items():
        print(f"  CPU time of {name}: {time_ratio(detect_r_peaks, peer, arrhythmia):.2f}")
    print(f"  stream's CPU time of sosfilt on 20 ms chunks: {stream_ratio(arrhythmia):.2f}")


if __name__ == "__main__":
    main()
