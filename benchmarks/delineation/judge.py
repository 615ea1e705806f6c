"""Judge a wave network on records that it was not trained on.

    python -m benchmarks.delineation.judge FOLD:WEIGHTS.npz ...

For each pair the records of that fold (see `benchmarks.delineation.ludb`) are delineated with those
weights, lead by lead, and the marks compared with the cardiologists': F1 with a tolerance of 150 ms on
the peak, mean and standard deviation of the errors of onset and offset.
"""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.delineation.ludb import LEADS, data_folder, folds, read_record, record_names
from gateway.signal import Delineation, delineate, detect_r_peaks
from gateway.signal.wave_network import Weights, trained_weights

wfdb: Any = import_module("wfdb")

_TOLERANCE_S = 0.15
_WAVES = {"p": "p", "qrs": "N", "t": "t"}

Marks = NDArray[np.int64]


def annotated(record: Path, lead: str) -> dict[str, Marks]:
    """(waves, 3) onset, peak, offset of each wave; -1 for an end that is not marked."""
    marks = wfdb.rdann(str(record), lead)
    symbols, samples = ["", *marks.symbol, ""], [-1, *marks.sample, -1]
    rows: dict[str, list[tuple[int, int, int]]] = {wave: [] for wave in _WAVES}
    for wave, symbol in _WAVES.items():
        for i in (i for i, each in enumerate(symbols) if each == symbol):
            onset = samples[i - 1] if symbols[i - 1] == "(" else -1
            offset = samples[i + 1] if symbols[i + 1] == ")" else -1
            rows[wave].append((onset, samples[i], offset))
    return {wave: np.array(each, dtype=np.int64).reshape(-1, 3) for wave, each in rows.items()}


def found(waves: Delineation, wave: str) -> Marks:
    rows = np.stack([getattr(waves, f"{wave}_{point}") for point in ("onset", "peak", "offset")], axis=1)
    return rows[rows[:, 1] >= 0]


def pairs(reference: Marks, ours: Marks, tolerance: float) -> list[tuple[int, int]]:
    """Rows whose peaks belong together, nearest first, one to one."""
    distance = np.abs(reference[:, None, 1] - ours[None, :, 1])
    joined: dict[int, int] = {}
    for flat in np.argsort(distance, axis=None, kind="stable"):
        r, o = divmod(int(flat), distance.shape[1])
        if distance[r, o] > tolerance:
            break
        if r not in joined and o not in joined.values():
            joined[r] = o
    return list(joined.items())


class Tally:
    """Waves found, invented and missed, and the errors of their ends."""

    def __init__(self) -> None:
        self.counts = np.zeros(3, dtype=np.int64)
        self.errors_ms: list[tuple[float, float]] = []

    def add(self, reference: Marks, ours: Marks, judged: tuple[int, int], rate_hz: float) -> None:
        joined = pairs(reference, ours, _TOLERANCE_S * rate_hz)
        invented = np.delete(ours, [o for _, o in joined], axis=0)[:, 1]
        inside = int(np.count_nonzero((invented >= judged[0]) & (invented <= judged[1])))
        self.counts += len(joined), inside, len(reference) - len(joined)
        for r, o in joined:
            if min(reference[r]) >= 0:
                error = (ours[o] - reference[r]) * 1000 / rate_hz
                self.errors_ms.append((float(error[0]), float(error[2])))

    def __str__(self) -> str:
        hits, invented, missed = (int(count) for count in self.counts)
        f1 = 2 * hits / max(2 * hits + invented + missed, 1)
        errors = np.array(self.errors_ms)
        (onset, offset), (onset_sd, offset_sd) = errors.mean(axis=0), errors.std(axis=0)
        ends = f"onset {onset:+.1f} ± {onset_sd:.1f} ms   offset {offset:+.1f} ± {offset_sd:.1f} ms"
        return f"F1 {f1:.2%}   {ends}"


def judge(names: list[str], weights: Weights, tallies: dict[str, Tally]) -> None:
    for name in names:
        ekg, rate_hz = read_record(data_folder(), name)
        for lead, samples in zip(LEADS, ekg, strict=True):
            reference = annotated(data_folder() / "ludb" / name, lead)
            marks = np.concatenate([rows[:, 1] for rows in reference.values()])
            if not len(marks):
                continue
            waves = delineate(samples, rate_hz, detect_r_peaks(samples, rate_hz), weights)
            for wave, tally in tallies.items():
                tally.add(reference[wave], found(waves, wave), (int(marks.min()), int(marks.max())), rate_hz)


def judge_shipped() -> None:
    """The package's own network on all records, most of which trained it."""
    tallies = {wave: Tally() for wave in _WAVES}
    judge(record_names(data_folder()), trained_weights(), tallies)
    show(tallies)


def show(tallies: dict[str, Tally]) -> None:
    for wave, tally in tallies.items():
        print(f"{wave:>4} {tally}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", metavar="FOLD:WEIGHTS")
    tallies = {wave: Tally() for wave in _WAVES}
    parts = folds(record_names(data_folder()))
    for pair in parser.parse_args().pairs:
        fold, _, file = pair.partition(":")
        with np.load(file) as kept:
            judge(parts[int(fold)], {name: kept[name].astype(np.float32) for name in kept.files}, tallies)
    show(tallies)


if __name__ == "__main__":
    main()
