"""Small drawings, the same bytes for the same numbers."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.r_peaks import Marked

matplotlib: Any = import_module("matplotlib")
matplotlib.use("svg")
pyplot: Any = import_module("matplotlib.pyplot")
pyplot.rcParams.update(
    {"svg.hashsalt": "gateway", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
     "axes.spines.right": False}
)  # fmt: skip

_STRIP_S = 8.0
_INK, _MARKED, _FOUND = "#333333", "#1a7f37", "#c2410c"


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    pyplot.close(figure)


def strip(record: Marked, found: NDArray[np.int64], centre: int, path: Path) -> None:
    """Eight seconds of a record around a sample, with the beats marked and found."""
    half = round(_STRIP_S / 2 * record.rate_hz)
    first = int(np.clip(centre - half, 0, max(len(record.ekg_mv) - 2 * half, 0)))
    part = record.ekg_mv[first : first + 2 * half]
    seconds = (first + np.arange(len(part))) / record.rate_hz
    figure, axes = pyplot.subplots(figsize=(8, 2))
    axes.plot(seconds, np.round(part, 3), color=_INK, linewidth=0.7)
    top = float(part.max() + 0.15 * np.ptp(part))
    for samples, marker, colour, label in (
        (record.beats, "v", _MARKED, "annotated"),
        (found, "^", _FOUND, "found"),
    ):
        here = samples[(samples >= first) & (samples < first + 2 * half)] / record.rate_hz
        level = top if marker == "v" else float(part.min() - 0.15 * np.ptp(part))
        axes.plot(here, np.full(len(here), level), marker, color=colour, markersize=5, label=label)
    axes.set(xlabel="s", ylabel="mV", title=f"record {record.name}", xlim=(seconds[0], seconds[-1]))
    axes.legend(loc="upper right", ncols=2, frameon=False, bbox_to_anchor=(1, 1.2))
    _save(figure, path)


def errors_by_record(counts: dict[str, tuple[int, int]], path: Path) -> None:
    """Beats missed and invented, record by record."""
    figure, axes = pyplot.subplots(figsize=(8, 2.6))
    names = list(counts)
    missed, invented = (np.array([each[i] for each in counts.values()]) for i in (0, 1))
    axes.bar(names, missed, color=_MARKED, label="missed")
    axes.bar(names, invented, bottom=missed, color=_FOUND, label="invented")
    axes.set_ylabel("beats")
    axes.tick_params(axis="x", rotation=60)
    axes.legend(frameon=False)
    _save(figure, path)


def reliability(bands: list[tuple[float, float, int]], path: Path) -> None:
    """Share of seconds right against the score."""
    figure, axes = pyplot.subplots(figsize=(4, 4))
    scores, shares, seconds = (np.array(column) for column in zip(*bands, strict=True))
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.7, linestyle="--")
    axes.plot(scores, shares, "o-", color=_FOUND)
    for score, share, count in zip(scores, shares, seconds, strict=True):
        axes.annotate(f"{count:.0f}", (score, share), textcoords="offset points", xytext=(4, -9), fontsize=6)
    axes.set(xlabel="score", ylabel="seconds whose R-peaks are right", xlim=(0, 1), ylim=(0, 1.02))
    _save(figure, path)


def ratios(named: dict[str, float], limit: float, path: Path) -> None:
    """Times on a line, with the limit that they keep to."""
    figure, axes = pyplot.subplots(figsize=(6, 0.4 + 0.35 * len(named)))
    axes.barh(list(named)[::-1], list(named.values())[::-1], color=_MARKED)
    axes.axvline(limit, color=_FOUND, linewidth=1)
    axes.set_xlabel("times the CPU of sosfilt with state, same 20 ms chunks")
    _save(figure, path)
