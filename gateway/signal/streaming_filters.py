"""Causal filters for a live signal: what `filters` does to a whole recording, a chunk at a time.

A causal filter cannot keep the phase, so its limit is stricter: AHA/ACC/HRS allow a causal high-pass no
higher than 0.05 Hz, for the ST segment's sake [1]_. The low-pass is a Bessel, which delays all frequencies
alike and hardly overshoots. High-pass and low-pass are one cascade, so that a chunk costs one call of SciPy;
the mains are foreseen and subtracted, see `streaming_mains`.

References
----------
.. [1] Kligfield et al., Circulation 115:1306-1324, 2007, section on low-frequency filtering.
"""

from collections import deque
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from gateway.signal.filters import Mains, check_band, check_rate
from gateway.signal.gaps import LevelledGaps
from gateway.signal.mains import MAINS_HZ
from gateway.signal.saturation import SaturationWatch
from gateway.signal.streaming_mains import MainsFollower

CAUSAL_BAND_HZ = (0.05, 40.0)

_LARGEST_BLOCK = 1 << 16
_LOOKED_OVER_S = 0.5  # saturation is looked for this often: it takes as long in few samples as in many
_DISTURBANCES_KEPT = 256

Array = NDArray[np.float64]


class Disturbed(NamedTuple):
    """A stretch from sample `start` up to, not including, `stop` that is not the heart's.

    Attributes
    ----------
    start, stop : int
        Counted from the first sample fed, gaps included.
    cause : str
        ``"gap"`` as it was told, ``"saturation"`` as it was seen.
    lead : int or None
        Row of the chunk; None for all.
    """

    start: int
    stop: int
    cause: Literal["gap", "saturation"]
    lead: int | None


def _cascade(band_hz: tuple[float | None, float | None], sample_rate_hz: float) -> Array:
    low, high = band_hz
    sections = [np.empty((0, 6))]
    if low is not None:
        sections.append(signal.butter(1, low, "highpass", fs=sample_rate_hz, output="sos"))
    if high is not None and high < 0.5 * sample_rate_hz:
        sections.append(signal.bessel(4, high, "lowpass", fs=sample_rate_hz, output="sos", norm="mag"))
    return np.concatenate(sections)


class EkgFilterStream:
    """A causal filter for chunks of one lead, or of several side by side.

    The result does not depend on how the signal is cut: fed whole, it gives what it gives in chunks.

    Parameters
    ----------
    sample_rate_hz : float
    band_hz : (low, high)
        Each 3 dB down; None leaves that side open, and a `high` beyond what the rate carries does as well.
    mains_hz : 50, 60, "auto" or None
        ``"auto"`` removes whichever is there, from the second second on; the line's own frequency is sought
        within 0.6 Hz and followed.

    Raises
    ------
    ValueError
        The sampling rate or the band is not one.

    Notes
    -----
    The low-pass delays by about 0.35 / `high`: 9 ms at 40 Hz.

    Distortion at 1000 Hz, of the signals that `filters.filter_ekg` names; only the first two bands may
    be used to judge an ST segment:

    ==============  ================================  ================  ==============
    band            loss of R of 20, 40, 100, 200 ms  shift by impulse  slope after it
    ==============  ================================  ================  ==============
    0.05 to 150 Hz  6.8 %, 3.6 %, 2.1 %, 2.2 %        0.09 mV           0.03 mV/s
    0.05 to 40 Hz   27 %, 14 %, 6.1 %, 4.2 %          0.09 mV           0.03 mV/s
    0.5 to 40 Hz    28 %, 16 %, 13 %, 17 %            0.71 mV           2.2 mV/s
    ==============  ================================  ================  ==============

    Without a high-pass, levels count from the first sample, which is taken for zero.
    """

    def __init__(
        self,
        sample_rate_hz: float,
        band_hz: tuple[float | None, float | None] = CAUSAL_BAND_HZ,
        mains_hz: Mains = "auto",
    ) -> None:
        check_rate(sample_rate_hz)
        check_band(band_hz)
        self._rate_hz = sample_rate_hz
        self._lines_hz = MAINS_HZ if mains_hz == "auto" else () if mains_hz is None else (float(mains_hz),)
        self._always = mains_hz != "auto"
        self._sos = _cascade(band_hz, sample_rate_hz)
        self._state: Array | None = None
        self._mains: MainsFollower | None = None
        self._gaps: list[LevelledGaps] = []
        self._watches: list[SaturationWatch] = []
        self._unwatched: list[Array] = []
        self._unwatched_samples = 0
        self._fed = 0
        self._before_first = 0
        self._disturbed: deque[Disturbed] = deque(maxlen=_DISTURBANCES_KEPT)

    @property
    def disturbed(self) -> tuple[Disturbed, ...]:
        """The last 256 gaps that were told and saturated stretches that have ended, in order of their end."""
        self._look_over()
        return tuple(self._disturbed)

    def feed(self, chunk: NDArray[np.floating]) -> Array:
        """The chunk filtered, sample for sample.

        Parameters
        ----------
        chunk : (n,) or (leads, n) array, mV
            NaN where there is no signal; the number of leads stays that of the first chunk.

        Returns
        -------
        array of the same shape, mV
            NaN where the chunk has none.
        """
        raw = np.asarray(chunk, dtype=np.float64)
        if not raw.size:
            return raw.copy()
        leads = raw if raw.ndim > 1 else raw[np.newaxis]
        self._watch(leads)
        missing = np.isnan(leads)
        ekg = self._levelled(leads, missing)
        if self._lines_hz:
            if self._mains is None:
                self._mains = MainsFollower(self._rate_hz, len(leads), self._lines_hz, always=self._always)
            ekg = self._mains.removed(ekg)
        if len(self._sos):
            ekg = self._banded(ekg)
        if missing.any():
            ekg[missing] = np.nan
        return ekg.reshape(raw.shape)

    def gap(self, samples: int) -> None:
        """Tell that `samples` samples were lost; they are filtered as so many NaN."""
        self._look_over()
        self._disturbed.append(Disturbed(self._fed, self._fed + samples, "gap", None))
        if not self._gaps:
            self._fed += samples
            self._before_first += samples
            return
        for start in range(0, samples, _LARGEST_BLOCK):
            self.feed(np.full((len(self._gaps), min(samples - start, _LARGEST_BLOCK)), np.nan))

    def _levelled(self, leads: Array, missing: NDArray[np.bool_]) -> Array:
        if not self._gaps:
            self._gaps = [LevelledGaps() for _ in leads]
        each = zip(self._gaps, leads, missing, strict=True)
        return np.array([gaps.levelled(lead, absent) for gaps, lead, absent in each])

    def _banded(self, ekg: Array) -> Array:
        if self._state is None:
            # At its first sample the filter has seen that value for ever.
            steady = signal.sosfilt_zi(self._sos)
            self._state = steady[:, np.newaxis] * ekg[:, :1]
        filtered, self._state = signal.sosfilt(self._sos, ekg, zi=self._state)
        return np.asarray(filtered)

    def _watch(self, leads: Array) -> None:
        self._fed += leads.shape[1]
        self._unwatched.append(leads.copy())  # the caller may fill the same array again
        self._unwatched_samples += leads.shape[1]
        if self._unwatched_samples > _LOOKED_OVER_S * self._rate_hz:
            self._look_over()

    def _look_over(self) -> None:
        if not self._unwatched:
            return
        waiting = np.concatenate(self._unwatched, axis=1)
        self._unwatched, self._unwatched_samples = [], 0
        if not self._watches:
            self._watches = [SaturationWatch(self._rate_hz) for _ in waiting]
        runs = [
            Disturbed(start + self._before_first, stop + self._before_first, "saturation", lead)
            for lead, (watch, values) in enumerate(zip(self._watches, waiting, strict=True))
            for start, stop in watch.feed(values)
        ]
        self._disturbed.extend(sorted(runs, key=lambda run: (run.stop, run.lead)))


def filter_ekg_causal(
    ekg_mv: NDArray[np.floating],
    sample_rate_hz: float,
    band_hz: tuple[float | None, float | None] = CAUSAL_BAND_HZ,
    mains_hz: Mains = "auto",
) -> Array:
    """What `EkgFilterStream` makes of a whole recording.

    Parameters
    ----------
    ekg_mv : (n,) or (leads, n) array, mV
    sample_rate_hz, band_hz, mains_hz
        As of `EkgFilterStream`.

    Returns
    -------
    array of the same shape, mV
    """
    return EkgFilterStream(sample_rate_hz, band_hz, mains_hz).feed(ekg_mv)
