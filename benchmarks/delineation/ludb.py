"""The Lobachevsky University database as the delineation's training and its judgement read it."""

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gateway.signal import detect_r_peaks, filter_ekg
from gateway.signal.wave_network import NETWORK_RATE_HZ, QRS, P, T

wfdb: Any = import_module("wfdb")

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
FOLDS = 4

_CLASS_OF_SYMBOL = {"p": P, "N": QRS, "t": T}
_DOUBT = 50  # samples on each side of a wave whose end is not marked

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead at the network's rate, filtered, with the class of each sample where it was judged."""

    ekg: Array
    wave: NDArray[np.int8]
    judged: NDArray[np.bool_]
    r_peaks: Array
    r_peaks_of_ii: Array


def data_folder() -> Path:
    return Path(os.environ.get("GATEWAY_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ekg"


def record_names(folder: Path) -> list[str]:
    return sorted((header.stem for header in (folder / "ludb").glob("*.hea")), key=int)


def folds(names: list[str]) -> list[list[str]]:
    """The records in four parts, always the same."""
    order = np.random.default_rng(0).permutation(len(names))
    return [[names[i] for i in order[fold::FOLDS]] for fold in range(FOLDS)]


def read_record(folder: Path, name: str) -> tuple[Array, float]:
    """(12, n) mV in the order of `LEADS`, and the rate."""
    record = wfdb.rdrecord(str(folder / "ludb" / name))
    at = [[each.lower() for each in record.sig_name].index(lead) for lead in LEADS]
    return np.ascontiguousarray(record.p_signal[:, at].T), float(record.fs)


def _waves(
    folder: Path, name: str, lead: str, n: int, step: float
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Class of each sample, and where the annotator judged: from the first mark of the lead to the last."""
    marks = wfdb.rdann(str(folder / "ludb" / name), lead)
    wave, judged = np.zeros(n, dtype=np.int8), np.zeros(n, dtype=bool)
    if not len(marks.sample):
        return wave, judged
    judged[int(marks.sample[0] / step) : int(marks.sample[-1] / step) + 1] = True
    symbols = ["", *marks.symbol, ""]
    for i, symbol in enumerate(marks.symbol):
        if symbol not in _CLASS_OF_SYMBOL:
            continue
        peak = int(marks.sample[i] / step)
        if symbols[i] == "(" and symbols[i + 2] == ")":
            onset, offset = marks.sample[i - 1] / step, marks.sample[i + 1] / step
            wave[int(np.ceil(onset)) : int(offset) + 1] = _CLASS_OF_SYMBOL[symbol]
        else:
            judged[max(peak - _DOUBT, 0) : peak + _DOUBT] = False
    return wave, judged


def leads_of(folder: Path, name: str) -> list[Lead]:
    """The twelve leads of a record, for training."""
    ekg, rate_hz = read_record(folder, name)
    step = rate_hz / NETWORK_RATE_HZ
    smooth = CubicSpline(np.arange(ekg.shape[1]) / step, filter_ekg(ekg, rate_hz, mains_hz=None), axis=1)
    resampled = np.asarray(smooth(np.arange(int((ekg.shape[1] - 1) / step) + 1)))
    r_peaks = [detect_r_peaks(lead, rate_hz) / step for lead in ekg]
    return [
        Lead(samples, *_waves(folder, name, lead, len(samples), step), own, r_peaks[1])
        for lead, samples, own in zip(LEADS, resampled, r_peaks, strict=True)
    ]


def noise_of(folder: Path) -> list[Array]:
    """Baseline wander and muscle noise of the noise stress test, at the network's rate."""
    found = []
    for name in ("bw", "ma"):
        record = wfdb.rdrecord(str(folder / "nstdb" / name))
        ekg = filter_ekg(record.p_signal.T, record.fs, mains_hz=None)
        seconds = np.arange(ekg.shape[1]) / record.fs
        at = np.arange(0, seconds[-1], 1 / NETWORK_RATE_HZ)
        found += [np.interp(at, seconds, lead) for lead in ekg]
    return found
