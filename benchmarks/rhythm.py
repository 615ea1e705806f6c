"""Rhythm findings against the annotations of MIT-BIH: half minutes of atrial fibrillation, ventricular beats.

A half minute counts where one rhythm is annotated throughout; of ectopic beats each is counted. Channel 0
alone, though a second lead or twelve would tell more.
"""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.examples import BEATS, data_folder, read
from gateway.signal import filter_ekg, measure_ekg
from gateway.signal.beat_shapes import qrs_shapes
from gateway.signal.rhythm import beat_kinds

wfdb: Any = import_module("wfdb")

_STRETCH_S, _EVERY_S = 30, 90
_NORMAL, _FIBRILLATION = "(N", "(AFIB"
_VENTRICULAR = frozenset("VE")

Marks = NDArray[np.int64]


@dataclass(slots=True)
class Tally:
    """Found rightly, found wrongly, missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    others: int = 0
    by_record: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        sensitivity = self.right / max(self.right + self.missed, 1)
        predictivity = self.right / max(self.right + self.wrong, 1)
        return f"sensitivity {sensitivity:.1%}, positive predictivity {predictivity:.1%}"


def _rhythms(record: Path, samples: int) -> list[tuple[int, int, str]]:
    """First sample, last and label of each annotated rhythm."""
    marks = wfdb.rdann(str(record), "atr")
    starts = [
        (at, note.rstrip("\0"))
        for at, symbol, note in zip(marks.sample, marks.symbol, marks.aux_note, strict=True)
        if symbol == "+"
    ]
    ends = [at for at, _ in starts[1:]] + [samples]
    return [(at, end, label) for (at, label), end in zip(starts, ends, strict=True)]


def _ventricular(record: Path) -> tuple[Marks, NDArray[np.bool_]]:
    marks = wfdb.rdann(str(record), "atr")
    pairs = [(at, sign) for at, sign in zip(marks.sample, marks.symbol, strict=True) if sign in BEATS]
    return np.array([at for at, _ in pairs]), np.array([sign in _VENTRICULAR for _, sign in pairs])


def judge() -> dict[str, Tally]:
    """Tallies of atrial fibrillation by half minutes and of ventricular beats by beat."""
    fibrillation, ectopy = Tally(), Tally()
    for header in sorted((data_folder() / "mitdb").glob("*.hea")):
        record = header.with_suffix("")
        ekg, rate_hz = read(record)
        rhythms = _rhythms(record, ekg.shape[1])
        beats, ventricular = _ventricular(record)
        length = round(_STRETCH_S * rate_hz)
        wrong_here = 0
        for start in range(0, ekg.shape[1] - length + 1, round(_EVERY_S * rate_hz)):
            here = {label for at, end, label in rhythms if at < start + length and end > start}
            measured = measure_ekg(ekg[:1, start : start + length], rate_hz, ("MLII",))
            suspected = any(f.code == "atrial-fibrillation-suspected" for f in measured.rhythm.findings)
            if here == {_FIBRILLATION}:
                fibrillation.right += suspected
                fibrillation.missed += not suspected
            elif len(here) == 1 and not here & {"(AFL"}:
                fibrillation.wrong += suspected
                fibrillation.others += 1
                wrong_here += suspected
            found = measured.r_peaks.samples
            if len(found) < 2:
                continue
            smooth = filter_ekg(ekg[0, start : start + length], rate_hz)
            rr_ms = np.diff(found) * 1000 / rate_hz
            kinds = beat_kinds(rr_ms, qrs_shapes(smooth, found, rate_hz))
            inside = (beats >= start) & (beats < start + length)
            _compare(found[kinds.ventricular] + start, beats[inside], ventricular[inside], rate_hz, ectopy)
        if wrong_here:
            fibrillation.by_record[record.name] = wrong_here
    return {"atrial fibrillation": fibrillation, "ventricular beats": ectopy}


def _compare(
    found: Marks, beats: Marks, ventricular: NDArray[np.bool_], rate_hz: float, tally: Tally
) -> None:
    near = np.abs(found[:, np.newaxis] - beats) <= 0.15 * rate_hz
    tally.right += int((near & ventricular).any(axis=1).sum())
    tally.wrong += int((~(near & ventricular).any(axis=1)).sum())
    tally.missed += int((~near[:, ventricular].any(axis=0)).sum())


def main() -> None:
    for name, tally in judge().items():
        print(f"  {name}: {tally}")
        counts = f"{tally.right} right, {tally.wrong} wrong, {tally.missed} missed"
        print(f"    {counts}; {tally.others} others; wrong in {tally.by_record}")


if __name__ == "__main__":
    main()
