"""Samples as points on paper: every one of them, or as many as a pen can show."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.drawing.page import Points

_HIDDEN_MM = 0.1  # a pen of 0.25 mm cannot show what happens within

Array = NDArray[np.float64]


def curves(
    lead_mv: Array, sample_rate_hz: float, window_s: tuple[float, float], scale: tuple[float, float]
) -> Iterator[Points]:
    """The stretches of one lead between two times, in mm from the first time and from 0 mV, downwards.

    A stretch without signal (NaN) is a gap. Each point is a sample at its own time; the window's last sample
    may be the next window's first.

    Parameters
    ----------
    lead_mv : (n,) array, mV
    sample_rate_hz : float
    window_s : (float, float)
    scale : (float, float)
        mm/s and mm/mV.

    Yields
    ------
    (points, 2) array, mm
    """
    speed, gain = scale
    start_s, end_s = window_s
    first = max(int(np.ceil(start_s * sample_rate_hz - 1e-6)), 0)
    last = min(int(np.floor(end_s * sample_rate_hz + 1e-6)), len(lead_mv) - 1)
    piece = lead_mv[first : last + 1]
    x = (np.arange(first, first + len(piece)) / sample_rate_hz - start_s) * speed
    per_group = int(_HIDDEN_MM * sample_rate_hz / speed + 1e-6)
    for run in _runs(piece):
        kept = run.start + _extremes(piece[run], per_group)
        points = np.column_stack((x[kept], -gain * piece[kept]))
        yield points if len(points) > 1 else np.repeat(points, 2, axis=0)


def _runs(piece: Array) -> Iterator[slice]:
    there = np.concatenate(([False], np.isfinite(piece), [False]))
    changes = np.flatnonzero(there[1:] != there[:-1])
    return (slice(int(start), int(stop)) for start, stop in changes.reshape(-1, 2))


def _extremes(run: Array, per_group: int) -> NDArray[np.int64]:
    """Indices of the least and the greatest of each so many samples, and of both ends; of all, if few."""
    groups = len(run) // per_group if per_group > 2 else 0
    grouped = run[: groups * per_group].reshape(groups, -1) if groups else np.empty((0, 1))
    starts = np.arange(groups) * per_group
    least, greatest = grouped.argmin(axis=1) + starts, grouped.argmax(axis=1) + starts
    rest = np.arange(groups * per_group, len(run))
    return np.unique(np.concatenate(([0], least, greatest, rest, [len(run) - 1]))).astype(np.int64)
