"""R-peaks of an EKG that arrives in chunks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.amplitude import check_unit
from gateway.signal.dominant_deflection import dominant_deflections
from gateway.signal.gaps import LevelledGaps
from gateway.signal.qrs_candidates import QrsCandidates
from gateway.signal.qrs_decision import BeatDecision, Verdict, probability

# Small chunks are collected, for NumPy costs the same for one sample as for many.
_BLOCK_S = 0.06
_LARGEST_BLOCK = 1 << 16
_HISTORY_S = 8.0
_BEATS_BEFORE_UNIT_CHECK = 8


class Beat(NamedTuple):
    """A beat of the heart, at its R-peak.

    Attributes
    ----------
    sample : int
        Counted from the first sample fed, gaps included.
    confidence : float
        Probability that it is a beat, 0 to 1.
    """

    sample: int
    confidence: float


class RPeakStream:
    """R-peaks of one lead, chunk by chunk; the beats are those of `detect_r_peaks` on the whole.

    Parameters
    ----------
    sample_rate_hz : float
        100 to 2000 Hz.

    Raises
    ------
    ValueError
        The rate is out of range; from `feed` and `flush`, the numbers are not in mV.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        if not 100 <= sample_rate_hz <= 2000:
            raise ValueError(f"sample rate of {sample_rate_hz} Hz; R-peaks are found from 100 to 2000 Hz")
        self._rate = sample_rate_hz
        self._gaps = LevelledGaps()
        self._candidates = QrsCandidates(sample_rate_hz)
        self._decision = BeatDecision(sample_rate_hz, self._candidates.shape_length)
        self._block = max(1, round(_BLOCK_S * sample_rate_hz))
        self._kept = round(_HISTORY_S * sample_rate_hz)
        self._waiting: list[NDArray[np.float64]] = []
        self._waiting_samples = 0
        self._fed = 0
        self._history = np.empty(0)
        self._missing = np.empty(0, bool)
        self._upward: bool | None = None
        self._heights: list[float] = []

    def feed(self, chunk: NDArray[np.floating]) -> tuple[Beat, ...]:
        """Beats that `chunk` confirms.

        Parameters
        ----------
        chunk : (n,) array, mV
            NaN where there is no signal.
        """
        values = np.asarray(chunk, dtype=np.float64)
        self._waiting.append(values)
        self._waiting_samples += len(values)
        if self._waiting_samples < self._block:
            return ()
        return tuple(self._process())

    def gap(self, samples: int) -> tuple[Beat, ...]:
        """Tell that `samples` samples were lost; the same as feeding as many NaN."""
        beats: list[Beat] = []
        for start in range(0, samples, _LARGEST_BLOCK):
            beats += self.feed(np.full(min(_LARGEST_BLOCK, samples - start), np.nan))
        return tuple(beats)

    def flush(self) -> tuple[Beat, ...]:
        """The last beats; nothing may be fed after."""
        beats = self._process()
        if self._fed:
            found = self._candidates.feed(self._gaps.levelled(np.full(self._candidates.delay, np.nan)))
            verdicts = self._decision.feed(found, self._fed) + self._decision.flush()
            beats += self._beats([verdict for verdict in verdicts if verdict.sample < self._fed])
        if 0 < len(self._heights) < _BEATS_BEFORE_UNIT_CHECK:
            check_unit(float(np.median(self._heights)))
        return tuple(beats)

    def _process(self) -> list[Beat]:
        waiting = (
            self._waiting[0] if len(self._waiting) == 1 else np.concatenate([np.empty(0), *self._waiting])
        )
        self._waiting, self._waiting_samples = [], 0
        beats: list[Beat] = []
        for start in range(0, len(waiting), _LARGEST_BLOCK):
            beats += self._process_block(waiting[start : start + _LARGEST_BLOCK])
        return beats

    def _process_block(self, block: NDArray[np.float64]) -> list[Beat]:
        missing = ~np.isfinite(block)
        levelled = self._gaps.levelled(np.where(missing, np.nan, block) if missing.any() else block)
        self._fed += len(block)
        self._history = np.concatenate((self._history[-self._kept :], levelled))
        self._missing = np.concatenate((self._missing[-self._kept :], missing))
        found = self._candidates.feed(levelled)
        return self._beats(self._decision.feed(found, self._fed - self._candidates.delay))

    def _beats(self, verdicts: list[Verdict]) -> list[Beat]:
        if not verdicts:
            return []
        start = self._fed - len(self._history)
        near = np.array([verdict.sample for verdict in verdicts]) - start
        samples, heights, upward = dominant_deflections(self._history, self._rate, near, self._upward)
        self._upward = bool(upward[-1])
        seen = ~self._missing[samples]
        self._see_heights(heights[seen].tolist())
        return [
            Beat(start + sample, probability(verdict.log_odds))
            for sample, verdict, here in zip(samples.tolist(), verdicts, seen.tolist(), strict=True)
            if here
        ]

    def _see_heights(self, heights: list[float]) -> None:
        wanted = _BEATS_BEFORE_UNIT_CHECK - len(self._heights)
        if wanted > 0:
            self._heights += heights[:wanted]
            if len(self._heights) == _BEATS_BEFORE_UNIT_CHECK:
                check_unit(float(np.median(self._heights)))
