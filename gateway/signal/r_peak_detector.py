"""R-peaks, block by block: gaps closed, candidates found, weighed, and moved to their dominant deflection."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.amplitude import check_unit
from gateway.signal.dominant_deflection import dominant_deflections
from gateway.signal.gaps import LevelledGaps
from gateway.signal.qrs_candidates import QrsCandidates
from gateway.signal.qrs_decision import BeatDecision, Weighed

LARGEST_BLOCK = 1 << 16
"""Samples; larger blocks are no faster."""

# Longer than a decision can wait.
_HISTORY_S = 8.0
_BEATS_BEFORE_UNIT_CHECK = 8


class Found(NamedTuple):
    """R-peaks, ascending, with the log odds of each being a beat."""

    samples: list[int]
    log_odds: list[float]


class RPeakDetector:
    """Takes blocks of at most `LARGEST_BLOCK` samples; what it finds does not depend on their lengths.

    Parameters
    ----------
    sample_rate_hz : float
        100 to 2000 Hz.

    Raises
    ------
    ValueError
        The rate is out of range; from `feed` and `finish`, the numbers are not in mV.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        if not 100 <= sample_rate_hz <= 2000:
            raise ValueError(f"sample rate of {sample_rate_hz} Hz; R-peaks are found from 100 to 2000 Hz")
        self._rate = sample_rate_hz
        self._gaps = LevelledGaps()
        self._candidates = QrsCandidates(sample_rate_hz)
        self._decision = BeatDecision(sample_rate_hz, self._candidates.shape_length)
        self._kept = round(_HISTORY_S * sample_rate_hz)
        self._fed = 0
        self._history = np.empty(0)
        self._missing = np.empty(0, bool)
        self._upward: bool | None = None
        self._heights: list[float] = []

    def feed(self, block: NDArray[np.float64]) -> Found:
        """R-peaks that `block`, not empty, confirms.

        Parameters
        ----------
        block : (n,) array, mV
            NaN where there is no signal.
        """
        missing = ~np.isfinite(block)
        levelled = self._gaps.levelled(block, missing)
        self._fed += len(block)
        self._history = np.concatenate((self._history[-self._kept :], levelled))
        self._missing = np.concatenate((self._missing[-self._kept :], missing))
        found = self._candidates.feed(levelled)
        return self._located(self._decision.feed(found, self._fed - self._candidates.delay))

    def finish(self) -> Found:
        """The last R-peaks; nothing may be fed after."""
        beats: list[Weighed] = []
        if self._fed:
            after = np.full(self._candidates.delay, self._history[-1])
            beats = self._decision.feed(self._candidates.feed(after), self._fed) + self._decision.flush()
        found = self._located([beat for beat in beats if beat.sample < self._fed])
        if 0 < len(self._heights) < _BEATS_BEFORE_UNIT_CHECK:
            check_unit(float(np.median(self._heights)))
        return found

    def _located(self, beats: list[Weighed]) -> Found:
        if not beats:
            return Found([], [])
        start = self._fed - len(self._history)
        near = np.array([beat.sample - start for beat in beats])
        samples, heights, upward = dominant_deflections(self._history, self._rate, near, self._upward)
        self._upward = bool(upward[-1])
        log_odds = [beat.log_odds for beat in beats]
        # A QRS that is cut off has its largest value, not its peak, at the end.
        unseen = self._missing[samples] | (samples == -start) | (samples == len(self._history) - 1)
        if unseen.any():
            samples, heights = samples[~unseen], heights[~unseen]
            log_odds = [odds for odds, missing in zip(log_odds, unseen.tolist(), strict=True) if not missing]
        self._see_heights(heights)
        return Found((samples + start).tolist(), log_odds)

    def _see_heights(self, heights: NDArray[np.float64]) -> None:
        wanted = _BEATS_BEFORE_UNIT_CHECK - len(self._heights)
        if wanted > 0:
            self._heights += heights[:wanted].tolist()
            if len(self._heights) == _BEATS_BEFORE_UNIT_CHECK:
                check_unit(float(np.median(self._heights)))
