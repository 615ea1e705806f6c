"""Interchanged electrodes: fit the forecast of the limb leads from the chest leads, count what is noticed.

LUDB's leads are read as the converter's counts, which have one gain; in mV each has been stretched to the
same height.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.examples import data_folder
from gateway.signal import detect_r_peaks, filter_ekg
from gateway.signal.electrodes import (
    CHEST,
    INTERCHANGES,
    SEGMENTS_S,
    agreements,
    average_beat,
    likely_interchange,
    segments,
)

wfdb: Any = import_module("wfdb")

_COUNTS_PER_MV = 1000.0
_FOLDS = 10
_RIDGE = 0.015

Array = NDArray[np.float64]
Beat = dict[str, Array]


def average_beats() -> list[Beat]:
    """Segments of the average beat of each record: I, II, V1 to V6, in units of the chest leads' size."""
    found = []
    for header in sorted((data_folder() / "ludb").glob("*.hea"), key=lambda path: int(path.stem)):
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
        names = [name.upper() for name in record.sig_name]
        rows = [names.index(name) for name in ("I", "II", *CHEST)]
        smooth = filter_ekg(record.d_signal[:, rows].T / _COUNTS_PER_MV, record.fs)
        r_peaks = detect_r_peaks(2 * smooth[1] / np.ptp(smooth[1]), record.fs)
        beat = average_beat(smooth, r_peaks, record.fs)
        if beat is not None:
            found.append(segments(beat / np.sqrt(np.mean(beat[2:] ** 2)), record.fs))
    return found


def forecast(beats: list[Beat]) -> dict[str, Array]:
    """(2, 6) coefficients by segment: a ridge regression in which each record weighs the same."""
    found = {}
    for name in SEGMENTS_S:
        gram, mixed = np.zeros((6, 6)), np.zeros((2, 6))
        for beat in beats:
            limb, chest = beat[name][:2], beat[name][2:]
            weight = 1 / (np.mean(chest**2) + 1e-4) / chest.shape[1]
            gram += weight * chest @ chest.T
            mixed += weight * limb @ chest.T
        found[name] = mixed @ np.linalg.inv(gram + _RIDGE * len(beats) * np.eye(6))
    return found


def noticed(beats: list[Beat]) -> dict[str, tuple[int, int]]:
    """For each interchange made, "" for none: how often some was suspected, and how often the right one."""
    fold = np.random.default_rng(0).permutation(len(beats)) % _FOLDS
    counts = {made: np.zeros(2, dtype=np.int64) for made in ("", *INTERCHANGES)}
    for number in range(_FOLDS):
        learnt = forecast([beat for beat, of in zip(beats, fold, strict=True) if of != number])
        for beat in (beat for beat, of in zip(beats, fold, strict=True) if of == number):
            for made in counts:
                suspected = _suspected(beat, made, learnt)
                counts[made] += np.array([suspected != "", suspected == made])
    return {made: (int(tally[0]), int(tally[1])) for made, tally in counts.items()}


def _suspected(beat: Beat, made: str, learnt: Mapping[str, Array]) -> str:
    exchange = INTERCHANGES.get(made, np.eye(2))
    limb = {name: exchange @ part[:2] for name, part in beat.items()}
    found = agreements(limb, {name: part[2:] for name, part in beat.items()}, learnt)
    return likely_interchange(found)


def main() -> None:
    beats = average_beats()
    for name, rows in forecast(beats).items():
        print(f"  {name}: {np.round(rows, 2).tolist()}")
    for made, (some, right) in noticed(beats).items():
        print(f"  {made or 'none'}: suspected in {some}, named rightly in {right}, of {len(beats)}")


if __name__ == "__main__":
    main()
