"""The records that the delineation learns from and is judged on, as training and judgement read them."""

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gateway.signal import detect_r_peaks, filter_ekg
from gateway.signal.wave_network import NETWORK_RATE_HZ, QRS, P, T, sharpness

wfdb: Any = import_module("wfdb")

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
FOLDS = 4
# Of the MIT-BIH Arrhythmia Database; the one of the fold is left out with it.
FIBRILLATING = ("201", "203", "219", "221")
FIBRILLATION, SINUS = "(AFIB", "(N"

_CLASS_OF_SYMBOL = {"p": P, "N": QRS, "t": T}
_DOUBT = 50  # samples on each side of a wave whose end is not marked
_PIECE_S = 12
_BEATS = "NLRVAaJSFfj"
# Where the noise stress test adds its noise: every other two minutes.
_NOISY_FROM_S, _NOISY_S = range(300, 1740, 240), 120

Array = NDArray[np.float64]


class Sampled(NamedTuple):
    """A lead at the network's rate, filtered, and its sharpness: (n,) each."""

    ekg: Array
    sharp: Array


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead at the network's rate, filtered, with what is known of its waves.

    Parameters
    ----------
    ekg, sharp : (n,) array
    waves : (waves, 3) array
        Class, onset and offset of each, in time order.
    judged : (n,) bool array
        Where the cardiologist said which wave it is, if any.
    without_p : (n,) bool array
        Where the atria fibrillate: not judged, but no P wave.
    r_peaks, r_peaks_of_ii : (beats,) arrays
    """

    ekg: Array
    sharp: Array
    waves: Array
    judged: NDArray[np.bool_]
    without_p: NDArray[np.bool_]
    r_peaks: Array
    r_peaks_of_ii: Array


def data_folder() -> Path:
    return Path(os.environ.get("GATEWAY_DATA", Path(__file__).parents[3] / "shared" / "data")) / "ekg"


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


def _waves(folder: Path, name: str, lead: str, n: int, step: float) -> tuple[Array, NDArray[np.bool_]]:
    """The marked waves, and where the annotator judged: from the first mark of the lead to the last."""
    marks = wfdb.rdann(str(folder / "ludb" / name), lead)
    rows, judged = [], np.zeros(n, dtype=bool)
    if not len(marks.sample):
        return np.empty((0, 3)), judged
    judged[int(marks.sample[0] / step) : int(marks.sample[-1] / step) + 1] = True
    symbols = ["", *marks.symbol, ""]
    for i, symbol in enumerate(marks.symbol):
        if symbol not in _CLASS_OF_SYMBOL:
            continue
        peak = int(marks.sample[i] / step)
        if symbols[i] == "(" and symbols[i + 2] == ")":
            rows.append((_CLASS_OF_SYMBOL[symbol], marks.sample[i - 1] / step, marks.sample[i + 1] / step))
        else:
            judged[max(peak - _DOUBT, 0) : peak + _DOUBT] = False
    return np.array(rows, dtype=np.float64).reshape(-1, 3), judged


def _at_network_rate(ekg: Array, rate_hz: float) -> list[Sampled]:
    step = rate_hz / NETWORK_RATE_HZ
    smooth = CubicSpline(np.arange(ekg.shape[-1]) / step, filter_ekg(ekg, rate_hz, mains_hz=None), axis=-1)
    leads = np.asarray(smooth(np.arange(int((ekg.shape[-1] - 1) / step) + 1)))
    return [Sampled(*each) for each in zip(leads, sharpness(ekg, rate_hz), strict=True)]


def leads_of(folder: Path, name: str) -> list[Lead]:
    """The leads of a record that were judged, for training."""
    ekg, rate_hz = read_record(folder, name)
    step = rate_hz / NETWORK_RATE_HZ
    resampled = _at_network_rate(filter_ekg(ekg, rate_hz, (None, None)), rate_hz)
    nowhere = np.zeros(len(resampled[0].ekg), dtype=bool)
    r_peaks = [detect_r_peaks(lead, rate_hz) / step for lead in ekg]
    leads = [
        Lead(*samples, *_waves(folder, name, lead, len(samples.ekg), step), nowhere, own, r_peaks[1])
        for lead, samples, own in zip(LEADS, resampled, r_peaks, strict=True)
    ]
    return [lead for lead in leads if lead.judged.any()]


def rhythm_pieces(folder: Path, name: str, rhythm: str) -> list[list[Lead]]:
    """Twelve-second pieces of a record of the MIT-BIH Arrhythmia Database in one rhythm, two leads each.

    Nothing is known of their waves, but that there is no P wave while the atria fibrillate.
    """
    record = wfdb.rdrecord(str(folder / "mitdb" / name))
    marks = wfdb.rdann(str(folder / "mitdb" / name), "atr")
    step = record.fs / NETWORK_RATE_HZ
    leads = _at_network_rate(np.ascontiguousarray(record.p_signal.T), float(record.fs))
    is_beat = np.isin(marks.symbol, list(_BEATS))
    beats, size = marks.sample[is_beat] / step, int(_PIECE_S * NETWORK_RATE_HZ)
    changes = [(at, text.strip("\0")) for at, text in zip(marks.sample, marks.aux_note, strict=True) if text]
    ends = [*(at for at, _ in changes[1:]), record.sig_len]
    unknown, without_p = np.zeros(size, dtype=bool), np.full(size, rhythm == FIBRILLATION)
    pieces = []
    for (start, text), end in zip(changes, ends, strict=True):
        starts = range(int(start / step), int(end / step) - size, size) if text == rhythm else ()
        for at in starts:
            r_peaks = beats[(beats >= at) & (beats < at + size - 1)] - at
            stretch = slice(at, at + size)
            pieces.append(
                [
                    Lead(
                        lead.ekg[stretch],
                        lead.sharp[stretch],
                        np.empty((0, 3)),
                        unknown,
                        without_p,
                        r_peaks,
                        r_peaks,
                    )
                    for lead in leads
                ]
            )
    return pieces


def noise_of(folder: Path) -> list[Sampled]:
    """Baseline wander, muscle and electrode noise of the noise stress test, at the network's rate."""

    def read(name: str) -> Any:
        return wfdb.rdrecord(str(folder / name))

    with_electrode_noise, without = read("nstdb/118e00"), read("mitdb/118")
    rate_hz = float(without.fs)
    noise = with_electrode_noise.p_signal - without.p_signal
    stretches = [noise[round(start * rate_hz) :][: round(_NOISY_S * rate_hz)] for start in _NOISY_FROM_S]
    recorded = [read("nstdb/bw").p_signal.T, read("nstdb/ma").p_signal.T, np.concatenate(stretches).T]
    return [lead for each in recorded for lead in _at_network_rate(np.ascontiguousarray(each), rate_hz)]
