"""The rules by which a delineation is held against the marks of the Lobachevsky University database.

Lead by lead, a wave is found if its peak lies within 150 ms of a marked one, one to one; waves before a
lead's first and after its last mark count for nothing, since the cardiologists left out beats there. Over all
leads together, a wave's onset is the second earliest and its offset the second latest of what at least six
leads mark with peaks within 80 ms of each other, so that one lead's slip moves nothing; compared are the
intervals.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.delineation.ludb import wfdb
from gateway.signal import Delineation

WAVES = {"p": "p", "qrs": "N", "t": "t"}
# From which end of which wave to which: 0 the onset, 2 the offset.
INTERVALS = {
    "p": ("p", 0, "p", 2),
    "pr": ("p", 0, "qrs", 0),
    "qrs": ("qrs", 0, "qrs", 2),
    "qt": ("qrs", 0, "t", 2),
}

_TOLERANCE_S = 0.15
_SAME_WAVE_S, _FEWEST_LEADS = 0.08, 6
_P_BEFORE_S, _T_AFTER_S, _SAME_BEAT_S = 0.4, 0.6, 0.1

Marks = NDArray[np.int64]
Beat = dict[str, Marks]


def annotated(record: Path, lead: str) -> dict[str, Marks]:
    """(waves, 3) onset, peak, offset of each wave; -1 for an end that is not marked."""
    marks: Any = wfdb.rdann(str(record), lead)
    symbols, samples = ["", *marks.symbol, ""], [-1, *marks.sample, -1]
    rows: dict[str, list[tuple[int, int, int]]] = {wave: [] for wave in WAVES}
    for wave, symbol in WAVES.items():
        for i in (i for i, each in enumerate(symbols) if each == symbol):
            onset = samples[i - 1] if symbols[i - 1] == "(" else -1
            offset = samples[i + 1] if symbols[i + 1] == ")" else -1
            rows[wave].append((onset, samples[i], offset))
    return {wave: np.array(each, dtype=np.int64).reshape(-1, 3) for wave, each in rows.items()}


def found(waves: Delineation, wave: str) -> Marks:
    """(waves, 3) onset, peak, offset of each wave that is there."""
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
        self.found = self.invented = self.missed = 0
        self.errors_ms: list[tuple[float, float]] = []

    def add(self, reference: Marks, ours: Marks, judged: tuple[int, int], rate_hz: float) -> None:
        slack = round(_TOLERANCE_S * rate_hz)
        ours = ours[(ours[:, 1] >= judged[0] - slack) & (ours[:, 1] <= judged[1] + slack)]
        joined = pairs(reference, ours, slack)
        invented = np.delete(ours, [o for _, o in joined], axis=0)[:, 1]
        inside = int(np.count_nonzero((invented >= judged[0]) & (invented <= judged[1])))
        self.found += len(joined)
        self.invented += inside
        self.missed += len(reference) - len(joined)
        for r, o in joined:
            error = np.where(reference[r] < 0, np.nan, (ours[o] - reference[r]) * 1000 / rate_hz)
            self.errors_ms.append((float(error[0]), float(error[2])))

    @property
    def f1(self) -> float:
        return 2 * self.found / max(2 * self.found + self.invented + self.missed, 1)

    def ends_ms(self) -> list[tuple[float, float]]:
        """Mean and standard deviation of the errors of onset and offset."""
        errors = np.array(self.errors_ms)
        return list(zip(np.nanmean(errors, axis=0).tolist(), np.nanstd(errors, axis=0).tolist(), strict=True))


def reference_of_all(by_lead: list[dict[str, Marks]], rate_hz: float) -> dict[str, Marks]:
    """(waves, 3) onset, peak and offset over all leads."""
    joined = {}
    for wave in WAVES:
        rows = np.concatenate([lead[wave] for lead in by_lead])
        rows = rows[(rows >= 0).all(axis=1)]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        apart = np.flatnonzero(np.diff(rows[:, 1]) > _SAME_WAVE_S * rate_hz) + 1
        groups = [group for group in np.split(rows, apart) if len(group) >= _FEWEST_LEADS]
        ends = [(np.sort(g[:, 0])[1], np.median(g[:, 1]), np.sort(g[:, 2])[-2]) for g in groups]
        joined[wave] = np.array(ends, dtype=np.int64).reshape(-1, 3)
    return joined


def _beats(waves: dict[str, Marks], rate_hz: float) -> list[Beat]:
    """Each QRS with the P before it and the T after it."""
    beats = []
    for qrs in waves["qrs"]:
        to_qrs, from_qrs = qrs[0] - waves["p"][:, 1], waves["t"][:, 1] - qrs[2]
        p = waves["p"][(to_qrs > 0) & (to_qrs < _P_BEFORE_S * rate_hz)]
        t = waves["t"][(from_qrs > 0) & (from_qrs < _T_AFTER_S * rate_hz)]
        beats.append({"qrs": qrs} | ({"p": p[-1]} if len(p) else {}) | ({"t": t[0]} if len(t) else {}))
    return beats


def _intervals_ms(beat: Beat, rate_hz: float) -> dict[str, float]:
    return {
        name: float(beat[last][end] - beat[first][start]) * 1000 / rate_hz
        for name, (first, start, last, end) in INTERVALS.items()
        if first in beat and last in beat
    }


def interval_errors_ms(
    reference: dict[str, Marks], ours: dict[str, Marks], rate_hz: float
) -> list[tuple[str, float | None]]:
    """Each interval of each reference beat with its error; None where it was not found."""
    errors: list[tuple[str, float | None]] = []
    beats = _beats(ours, rate_hz)
    for beat in _beats(reference, rate_hz):
        near = [b for b in beats if abs(int(b["qrs"][1] - beat["qrs"][1])) <= _SAME_BEAT_S * rate_hz]
        measured = _intervals_ms(near[0], rate_hz) if near else {}
        for name, ms in _intervals_ms(beat, rate_hz).items():
            errors.append((name, measured[name] - ms if name in measured else None))
    return errors
