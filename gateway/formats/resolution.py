"""Millivolts to counts: the step that a recorder had, and the step that a format can have."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.formats.scale import COARSE_MV

PV_MV = Decimal("1e-9")
_MOST_COUNTS = 1 << 31
_MOST_DIVISOR = 16
_OFF_GRID = 1e-5  # of a step; floating point leaves a thousandth of that
_DIGITS = 13
_ENOUGH = 16  # different values; fewer have a common distance by chance


def lsb_mv(samples_mv: NDArray[np.float64]) -> Decimal | None:
    """The step of which all samples are whole multiples: the recorder's least significant bit, or several.

    Parameters
    ----------
    samples_mv : array, mV
        Samples without signal are left out.

    Returns
    -------
    Decimal or None
        Exact where it is a whole number of picovolts, to thirteen digits otherwise; None where the samples
        have no common step, as after filtering.
    """
    values = np.unique(np.abs(samples_mv[np.isfinite(samples_mv) & (samples_mv != 0)]))
    if not values.size:
        return Decimal("0.001")
    return _whole_picovolts(values) or _common_step(values)


def resolution_mv(samples_mv: NDArray[np.float64]) -> float:
    """The distance of a recorder's neighbouring values, wherever they have their zero; 0 where there is none.

    Parameters
    ----------
    samples_mv : (samples,) array, mV
    """
    finite = samples_mv[np.isfinite(samples_mv)]
    step = lsb_mv(finite)
    if step is None and np.unique(finite).size >= _ENOUGH:
        step = lsb_mv(finite - finite.min())
    return min(float(step or 0), float(COARSE_MV))


def _whole_picovolts(values: NDArray[np.float64]) -> Decimal | None:
    picovolts = values * 1e9
    if picovolts[-1] > 2**52:
        return None
    whole = np.rint(picovolts)
    if np.abs(picovolts - whole).max() > 1e-2 or picovolts[0] < 0.5:
        return None
    step = np.gcd.reduce(whole.astype(np.int64))
    return int(step) * PV_MV if whole[-1] / step < _MOST_COUNTS else None


def _common_step(values: NDArray[np.float64]) -> Decimal | None:
    """A step that is no whole number of picovolts, as 1/405.35 mV is not.

    It is the least value, or the least distance of two, or a part of it.
    """
    least = min(float(values[0]), float(np.diff(values).min(initial=values[0])))
    for divisor in range(1, _MOST_DIVISOR + 1):
        ratios = values * (divisor / least)
        if ratios[-1] >= _MOST_COUNTS:
            return None
        counts = np.rint(ratios)
        step = float(values @ counts / (counts @ counts))
        if np.abs(values / step - np.rint(values / step)).max() < _OFF_GRID:
            return Decimal(f"{step:.{_DIGITS}g}")
    return None


def step_within(samples_mv: NDArray[np.float64], most_counts: int) -> Decimal:
    """The step to store samples with: the recorder's own where it fits, else the finest that does.

    Parameters
    ----------
    samples_mv : array, mV
    most_counts : int
        The largest count, of either sign.

    Returns
    -------
    Decimal
        Never less than a picovolt but where the recorder's own is.
    """
    own = lsb_mv(samples_mv)
    peak_mv = float(np.abs(samples_mv[np.isfinite(samples_mv)]).max(initial=0.0))
    if own is not None and peak_mv <= float(own) * (most_counts + 0.5):
        return own
    return max(_rounded_up(peak_mv / most_counts), PV_MV)


def _rounded_up(step_mv: float) -> Decimal:
    """Four digits, never less than the step itself."""
    exponent = math.floor(math.log10(step_mv)) - 3
    return Decimal(math.ceil(step_mv / 10.0**exponent)).scaleb(exponent)


def counts_of(samples_mv: NDArray[np.float64], step_mv: Decimal) -> NDArray[np.int64]:
    """Samples as whole steps; those without signal as 0."""
    finite = np.where(np.isfinite(samples_mv), samples_mv, 0.0)
    counts: NDArray[np.int64] = np.rint(finite / float(step_mv)).astype(np.int64)
    return counts


def on_steps(
    samples_mv: NDArray[np.float64], steps_mv: Sequence[Decimal], *, gaps: bool
) -> NDArray[np.float64]:
    """The samples as a file of these steps gives them back.

    Parameters
    ----------
    samples_mv : (leads, samples) array, mV
    steps_mv : sequence of Decimal
        One a lead.
    gaps : bool
        True where the format has a code for a sample without signal; otherwise it becomes 0 mV.
    """
    rows = [counts_of(row, step) * float(step) for row, step in zip(samples_mv, steps_mv, strict=True)]
    stacked = np.stack(rows)
    if gaps:
        stacked[~np.isfinite(samples_mv)] = np.nan
    return stacked
