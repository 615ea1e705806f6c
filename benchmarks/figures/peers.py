"""Every R-peak detector that is installed, on every record once: what it finds, and how long it takes."""

import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from benchmarks.r_peaks import Detector, Errors, Marked, detectors, errors_of, without_flutter

_TOLERANCE_S = 0.15

Samples = NDArray[np.int64]
Ekg = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """A detector's gross F1 in percent, and its CPU time over a reference's."""

    without_flutter: float
    with_flutter: float
    under_noise: float
    failed: int
    time_ratio: float


@dataclass(frozen=True, slots=True)
class Run:
    """What a detector found in one record; None where it raised an error."""

    found: Samples | None
    seconds: float


def _biosppy(ekg_mv: Ekg, rate_hz: float) -> Samples:
    segment = import_module("biosppy.signals.ecg").hamilton_segmenter
    return np.asarray(segment(signal=ekg_mv, sampling_rate=rate_hz)["rpeaks"], dtype=np.int64)


def _heartpy(ekg_mv: Ekg, rate_hz: float) -> Samples:
    working, _ = import_module("heartpy").process(ekg_mv, rate_hz)
    removed = set(np.asarray(working["removed_beats"]).tolist())
    return np.array([peak for peak in working["peaklist"] if peak not in removed], dtype=np.int64)


def _of_ecgdetectors(method: str) -> Detector:
    def detect(ekg_mv: Ekg, rate_hz: float) -> Samples:
        found = getattr(import_module("ecgdetectors").Detectors(int(rate_hz)), method)(ekg_mv)
        return np.asarray(found, dtype=np.int64)

    return detect


_MORE_PEERS: dict[str, tuple[str, Detector]] = {
    "BioSPPy (Hamilton)": ("biosppy", _biosppy),
    "py-ecg-detectors (Pan-Tompkins)": ("ecgdetectors", _of_ecgdetectors("pan_tompkins_detector")),
    "py-ecg-detectors (two averages)": ("ecgdetectors", _of_ecgdetectors("two_average_detector")),
    "HeartPy": ("heartpy", _heartpy),
}


def all_detectors() -> dict[str, Detector]:
    """Ours first."""
    more = {name: peer for name, (package, peer) in _MORE_PEERS.items() if importlib.util.find_spec(package)}
    found: dict[str, Detector] = {**detectors(), **more}
    return found


def run(detector: Callable[[Ekg, float], Samples], record: Marked) -> Run:
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = np.unique(detector(record.ekg_mv, record.rate_hz))
    except ImportError:
        raise
    except Exception:  # noqa: BLE001 - a peer's failure is its result, whatever it raises
        return Run(None, time.process_time() - start)
    return Run(found, time.process_time() - start)


def errors(record: Marked, found: Samples | None, *, flutter: bool) -> Errors:
    """A detector that failed on a record has missed its beats."""
    spans = [] if flutter else record.flutter
    peaks = np.empty(0, np.int64) if found is None else without_flutter(found, spans)
    return errors_of(without_flutter(record.beats, spans), peaks, _TOLERANCE_S * record.rate_hz)


def gross(records: list[Marked], runs: list[Run], *, flutter: bool) -> float:
    each = [errors(record, one.found, flutter=flutter) for record, one in zip(records, runs, strict=True)]
    f1: float = Errors(*np.sum(each, axis=0).tolist()).f1
    return f1
