"""R-peaks of an EKG that arrives in chunks."""

from collections import deque
from math import exp
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.signal.r_peak_detector import LARGEST_BLOCK, Found, RPeakDetector
from gateway.signal.saturation import SaturationWatch

# Small chunks are collected, for NumPy takes as long for one sample as for many.
_BLOCK_S = 0.06
_INTERRUPTIONS_KEPT = 256


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


class Interruption(NamedTuple):
    """A stretch from sample `start` up to, not including, `stop` in which the heart could not be seen."""

    start: int
    stop: int
    cause: Literal["gap", "saturation"]


class RPeakStream:
    """R-peaks of one lead, chunk by chunk; the beats are those of `detect_r_peaks` on the whole.

    In a steady rhythm each beat is confirmed within 300 ms of its R. One that could still turn out to be a P
    wave or noise waits for what follows, at the longest until the next beat is overdue.

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
        self._detector = RPeakDetector(sample_rate_hz)
        self._block = max(1, round(_BLOCK_S * sample_rate_hz))
        self._waiting: list[NDArray[np.float64]] = []
        self._waiting_samples = 0
        self._fed = 0
        self._saturation = SaturationWatch(sample_rate_hz)
        self._interruptions: deque[Interruption] = deque(maxlen=_INTERRUPTIONS_KEPT)

    @property
    def interruptions(self) -> tuple[Interruption, ...]:
        """The last 256 gaps that were told and saturated stretches that have ended, as they were noticed."""
        return tuple(self._interruptions)

    def feed(self, chunk: NDArray[np.floating]) -> tuple[Beat, ...]:
        """Beats that `chunk` confirms.

        Parameters
        ----------
        chunk : (n,) array, mV
            NaN where there is no signal.
        """
        values = np.array(chunk, dtype=np.float64)  # a copy: callers reuse their buffers
        if len(values):
            self._waiting.append(values)
            self._waiting_samples += len(values)
            self._fed += len(values)
        return self._process() if self._waiting_samples >= self._block else ()

    def gap(self, samples: int) -> tuple[Beat, ...]:
        """Tell that `samples` samples were lost; the same as feeding as many NaN."""
        beats: list[Beat] = []
        self._interruptions.append(Interruption(self._fed, self._fed + samples, "gap"))
        for start in range(0, samples, LARGEST_BLOCK):
            beats += self.feed(np.full(min(LARGEST_BLOCK, samples - start), np.nan))
        return tuple(beats)

    def flush(self) -> tuple[Beat, ...]:
        """The last beats; nothing may be fed after."""
        return self._process() + _beats(self._detector.finish())

    def _process(self) -> tuple[Beat, ...]:
        if not self._waiting:
            return ()
        waiting = np.concatenate(self._waiting)
        self._waiting, self._waiting_samples = [], 0
        beats: list[Beat] = []
        for start in range(0, len(waiting), LARGEST_BLOCK):
            block = waiting[start : start + LARGEST_BLOCK]
            beats += _beats(self._detector.feed(block))
            for run in self._saturation.feed(block):
                self._interruptions.append(Interruption(*run, "saturation"))
        return tuple(beats)


def _beats(found: Found) -> tuple[Beat, ...]:
    return tuple(Beat(sample, 1 / (1 + exp(min(-odds, 100)))) for sample, odds in zip(*found, strict=True))
