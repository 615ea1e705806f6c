"""Judge wave networks on records that they were not trained on.

    python -m benchmarks.delineation.judge FOLD:WEIGHTS.npz[,WEIGHTS.npz...] ...

For each fold (see `benchmarks.delineation.ludb`) its records are delineated by the nets of those files
together, and compared with the cardiologists' marks by the rules of `benchmarks.delineation.scoring`, lead by
lead and all leads together. Last, how many beats are given a P wave while the atria fibrillate and while they
do not, in the record of the MIT-BIH Arrhythmia Database that the fold leaves out. Without a pair, of the
package's nets each judges the records that it never saw.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.delineation.ludb import (
    FIBRILLATING,
    FIBRILLATION,
    FOLDS,
    LEADS,
    SINUS,
    data_folder,
    folds,
    read_record,
    record_names,
    rhythm_pieces,
)
from benchmarks.delineation.scoring import (
    INTERVALS,
    WAVES,
    Tally,
    annotated,
    found,
    interval_errors_ms,
    reference_of_all,
)
from gateway.signal import delineate, detect_r_peaks
from gateway.signal.wave_network import NETWORK_RATE_HZ, Weights, read_weights, trained_weights


class IntervalError(NamedTuple):
    """Mean and standard deviation over the beats in which the interval was found, ms."""

    mean: float
    spread: float
    beats: int
    missed: int


class Judgement:
    """What was found over the records judged so far."""

    def __init__(self) -> None:
        self.tallies = {wave: Tally() for wave in WAVES}
        self.intervals: dict[str, list[float | None]] = {name: [] for name in INTERVALS}

    def add(self, name: str, weights: Weights) -> None:
        ekg, rate_hz = read_record(data_folder(), name)
        by_lead = [annotated(data_folder() / "ludb" / name, lead) for lead in LEADS]
        for reference, samples in zip(by_lead, ekg, strict=True):
            marks = np.concatenate([rows[:, 1] for rows in reference.values()])
            if not len(marks):
                continue
            waves = delineate(samples, rate_hz, detect_r_peaks(samples, rate_hz), weights)
            stretch = int(marks.min()), int(marks.max())
            for wave, tally in self.tallies.items():
                tally.add(reference[wave], found(waves, wave), stretch, rate_hz)
        together = delineate(ekg, rate_hz, detect_r_peaks(ekg[1], rate_hz), weights)
        ours = {wave: found(together, wave) for wave in WAVES}
        for interval, error in interval_errors_ms(reference_of_all(by_lead, rate_hz), ours, rate_hz):
            self.intervals[interval].append(error)

    def interval_errors(self) -> dict[str, IntervalError]:
        of = {}
        for name, errors in self.intervals.items():
            known = np.array([error for error in errors if error is not None])
            missed = len(errors) - len(known)
            of[name] = IntervalError(float(known.mean()), float(known.std()), len(known), missed)
        return of

    def show(self) -> None:
        for wave, tally in self.tallies.items():
            (onset, onset_sd), (offset, offset_sd) = tally.ends_ms()
            ends = f"onset {onset:+.1f} ± {onset_sd:.1f} ms   offset {offset:+.1f} ± {offset_sd:.1f} ms"
            wrong = f"{tally.invented} invented, {tally.missed} missed"
            print(f"{wave:>4}   F1 {tally.f1:.2%}   {wrong}   {ends}")
        print("All leads together:")
        for name, error in self.interval_errors().items():
            spread = f"{error.mean:+.1f} ± {error.spread:.1f} ms"
            print(f"{name:>4}   {spread}   {error.beats} beats, {error.missed} missed")


def _share_with_p(name: str, rhythm: str, weights: Weights) -> str:
    beats = with_p = 0
    for piece in rhythm_pieces(data_folder(), name, rhythm):
        lead = piece[0]
        r_peaks = np.rint(lead.r_peaks).astype(np.int64)
        waves = delineate(lead.ekg, NETWORK_RATE_HZ, r_peaks, weights)
        beats, with_p = beats + len(r_peaks), with_p + int(np.count_nonzero(waves.p_peak >= 0))
    return f"{with_p} of {beats} beats" if beats else "no beat"


def _together(files: list[Path]) -> Weights:
    nets = []
    for each in files:
        with each.open("rb") as file:
            nets.append(read_weights(file))
    return {name: np.concatenate([net[name] for net in nets]) for name in nets[0]}


def _folded(pairs: Sequence[str]) -> dict[int, Weights]:
    folded: dict[int, Weights] = {}
    for pair in pairs:
        fold, _, files = pair.partition(":")
        folded[int(fold)] = _together([Path(file) for file in files.split(",")])
    return folded


def packaged() -> dict[int, Weights]:
    """For each fold the nets of the package that were trained without it: they are joined in turn."""
    together = trained_weights()
    return {fold: {name: values[fold::FOLDS] for name, values in together.items()} for fold in range(FOLDS)}


def judged(folded: Mapping[int, Weights]) -> Judgement:
    """Each record of each fold by the weights given for the fold."""
    judgement, records = Judgement(), folds(record_names(data_folder()))
    for fold, weights in folded.items():
        for name in records[fold]:
            judgement.add(name, weights)
    return judgement


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="*", metavar="FOLD:WEIGHTS")
    folded = _folded(parser.parse_args().pairs) or packaged()
    judged(folded).show()
    for fold, weights in folded.items():
        name = FIBRILLATING[fold]
        trembling, sinus = (_share_with_p(name, rhythm, weights) for rhythm in (FIBRILLATION, SINUS))
        print(f"{name}: P wave given in fibrillation to {trembling}, in sinus rhythm to {sinus}")


if __name__ == "__main__":
    main()
