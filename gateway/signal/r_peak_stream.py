"""R-peaks of an EKG that arrives in chunks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.amplitude import check_unit
from gateway.signal.gaps import LevelledGaps
from gateway.signal.qrs_candidates import QrsCandidates
from gateway.signal.qrs_decision import Accepted, BeatDecision

_BLOCK_S = 0.06
_LARGEST_BLOCK = 1 << 16
_HISTORY_S = 6.0
_QRS_HALF_S = 0.08
_BEATS_BEFORE_UNIT_CHECK = 8


class Beat(NamedTuple):
    """A beat of the heart, at its R-peak.

    Attributes
    ----------
    sample : int
        Counted from the first sample fed, gaps included.
    confidence : float
        0 to 1.
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
        self._candidates = QrsCandidates(sample_rate_hz)
        self._decision = BeatDecision(sample_rate_hz)
        self._block = max(1, round(_BLOCK_S * sample_rate_hz))
        self._waiting: list[NDArray[np.float64]] = []
        self._waiting_samples = 0
        self._fed = 0
        self._history = np.empty(0)
        self._gaps = LevelledGaps()
        self._heights: list[float] = []

    def feed(self, chunk: NDArray[np.floating]) -> tuple[Beat, ...]:
        """Beats that `chunk` confirms.

        Parameters
        ----------
        chunk : (n,) array, mV
            NaN where there is no signal.
        """
        self._waiting.append(np.asarray(chunk, dtype=np.float64))
        self._waiting_samples += len(self._waiting[-1])
        if self._waiting_samples < self._block:
            return ()
        return self._process()

    def gap(self, samples: int) -> tuple[Beat, ...]:
        """Tell that `samples` samples were lost; the same as feeding as many NaN."""
        beats: list[Beat] = []
        for start in range(0, samples, _LARGEST_BLOCK):
            beats += self.feed(np.full(min(_LARGEST_BLOCK, samples - start), np.nan))
        return tuple(beats)

    def flush(self) -> tuple[Beat, ...]:
        """The last beats; nothing may be fed after."""
        beats = list(self._process())
        if self._fed:
            end = self._fed
            tail = self._gaps.levelled(np.full(self._candidates.delay, np.nan))
            found = self._candidates.feed(tail)
            inside = found.samples < end
            accepted = self._decision.feed(
                zip(found.samples[inside].tolist(), found.levels[inside].tolist(), strict=True), end
            )
            beats += self._beats(accepted + self._decision.flush())
        if self._heights:
            check_unit(float(np.median(self._heights)))
        return tuple(beats)

    def _process(self) -> tuple[Beat, ...]:
        waiting = (
            self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting or [np.empty(0)])
        )
        self._waiting, self._waiting_samples = [], 0
        beats: list[Beat] = []
        for start in range(0, len(waiting), _LARGEST_BLOCK):
            beats += self._feed_block(waiting[start : start + _LARGEST_BLOCK])
        return tuple(beats)

    def _feed_block(self, block: NDArray[np.float64]) -> list[Beat]:
        self._fed += len(block)
        self._history = np.concatenate((self._history[-round(_HISTORY_S * self._rate) :], block))
        found = self._candidates.feed(self._gaps.levelled(block))
        accepted = self._decision.feed(
            zip(found.samples.tolist(), found.levels.tolist(), strict=True),
            self._fed - self._candidates.delay,
        )
        return self._beats(accepted)

    def _beats(self, accepted: list[Accepted]) -> list[Beat]:
        """Moved from the middle of the QRS to its dominant deflection, on the samples as they were fed."""
        beats = []
        start = self._fed - len(self._history)
        reach = round(_QRS_HALF_S * self._rate)
        for sample, confidence in accepted:
            left = max(sample - reach, start)
            around = self._history[left - start : sample + reach + 1 - start]
            if np.isnan(around).all():
                continue
            deflection = np.abs(around - np.nanmedian(around))
            beats.append(Beat(left + int(np.nanargmax(deflection)), confidence))
            self._see_height(float(np.nanmax(around) - np.nanmin(around)))
        return beats

    def _see_height(self, height: float) -> None:
        if len(self._heights) < _BEATS_BEFORE_UNIT_CHECK:
            self._heights.append(height)
            if len(self._heights) == _BEATS_BEFORE_UNIT_CHECK:
                check_unit(float(np.median(self._heights)))
