"""Causal filters for a live signal: what `filters` does to a whole recording, a chunk at a time.

A causal filter cannot keep the phase, so its limit is stricter: AHA/ACC/HRS allow a causal high-pass no
higher than 0.05 Hz, for the ST segment's sake [1]_. The low-pass is a Bessel, which delays all frequencies
alike and hardly overshoots. The mains is tracked on the quiet samples and subtracted, as in `mains`.

References
----------
.. [1] Kligfield et al., Circulation 115:1306-1324, 2007, section on low-frequency filtering.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from gateway.signal.filters import Mains, check_band, check_rate
from gateway.signal.gaps import LevelledGaps
from gateway.signal.mains import HIGHEST_OF_BAND, MAINS_HZ

CAUSAL_BAND_HZ = (0.05, 40.0)

_TRACKING_HZ = 0.3  # how fast the line's phasor may turn
_COHERENT = (0.2, 0.4)  # share of the quiet power that is the line: left alone below, removed in full above
_SETTLING_S = 1.0
_LOUD = 3.0  # change over one mains period, against its usual size, above which a sample is not quiet

_LARGEST_BLOCK = 1 << 16

Array = NDArray[np.float64]


class _Recursion:
    """Second-order sections that remember; at the first sample they have seen it for ever, or nothing."""

    def __init__(self, sos: Array, *, settled: bool) -> None:
        self._sos = sos
        self._settled = settled
        self._state: Array | None = None

    def __call__(self, chunk: Array) -> Array:
        if self._state is None:
            steady = signal.sosfilt_zi(self._sos) * self._settled
            self._state = steady.reshape(len(steady), *(1,) * (chunk.ndim - 1), 2) * chunk[..., :1]
        filtered, self._state = signal.sosfilt(self._sos, chunk, axis=-1, zi=self._state)
        return np.asarray(filtered)


class _Delay:
    """The signal `samples` earlier, interpolated between two; before the start, its first value."""

    def __init__(self, samples: float) -> None:
        self._whole = int(samples)
        self._part = samples - self._whole
        self._past: Array | None = None

    def __call__(self, chunk: Array) -> Array:
        if self._past is None:
            self._past = np.repeat(chunk[..., :1], self._whole + 1, axis=-1)
        joined = np.concatenate((self._past, chunk), axis=-1)
        self._past = joined[..., -self._whole - 1 :]
        n = chunk.shape[-1]
        return (1 - self._part) * joined[..., 1 : n + 1] + self._part * joined[..., :n]


class _LineTracker:
    """The mains sinusoid at one frequency, as far as it is there."""

    def __init__(self, sample_rate_hz: float, line_hz: float, *, always: bool) -> None:
        above = signal.butter(2, 25.0, "highpass", fs=sample_rate_hz, output="sos")
        slow = signal.butter(1, _TRACKING_HZ, fs=sample_rate_hz, output="sos")
        _, response = signal.freqz_sos(above, [line_hz], fs=sample_rate_hz)
        self._response = complex(response[0])
        self._turns = line_hz / sample_rate_hz
        self._always = always
        self._settling = _SETTLING_S * sample_rate_hz
        self._seen = 0
        self._above = _Recursion(above, settled=True)
        self._one_period = _Delay(sample_rate_hz / line_hz)
        self._usual_change = _Recursion(slow, settled=True)
        self._means = _Recursion(slow, settled=False)

    def __call__(self, chunk: Array) -> Array:
        upper = self._above(chunk)
        # Averaging the root keeps the QRS, a tenth of the time but a hundred times the size, from the mean.
        change = np.sqrt(np.abs(upper - self._one_period(upper)))
        usual = self._usual_change(change)
        quiet = (change <= np.sqrt(_LOUD) * usual).astype(np.float64)
        at = self._seen + np.arange(chunk.shape[-1])
        carrier = np.exp(-2j * np.pi * (at * self._turns % 1.0))
        turned = quiet * upper * carrier
        weight, real, imaginary, power = self._means(
            np.stack((quiet, turned.real, turned.imag, quiet * upper**2))
        )
        self._seen += chunk.shape[-1]
        phasor = (real + 1j * imaginary) / np.maximum(weight, 1e-9)
        line = 2 * np.real(phasor / self._response * carrier.conj())
        share = 2 * np.abs(phasor) ** 2 / np.maximum(power / np.maximum(weight, 1e-9), 1e-18)
        present = (
            1.0 if self._always else np.clip((share - _COHERENT[0]) / (_COHERENT[1] - _COHERENT[0]), 0, 1)
        )
        return np.asarray(line * present * np.clip(at / self._settling, 0, 1))


class EkgFilterStream:
    """A causal filter for chunks of one lead, or of several side by side.

    The result does not depend on how the signal is cut: fed whole, it gives what it gives in chunks.

    Parameters
    ----------
    sample_rate_hz : float
    band_hz : (low, high)
        Each 3 dB down; None leaves that side open, and a `high` beyond what the rate carries does as well.
    mains_hz : 50, 60, "auto" or None
        ``"auto"`` tracks both frequencies and removes the one that is there, from the second second on.

    Raises
    ------
    ValueError
        The sampling rate or the band is not one.

    Notes
    -----
    The low-pass delays by about 0.35 / `high`: 9 ms at 40 Hz.

    Distortion at 1000 Hz with a high-pass of 0.05 Hz: IEC 60601-2-25's impulse of 3 mV for 100 ms leaves a
    shift of 0.09 mV and a slope of 0.03 mV/s (permitted: 0.1 and 0.3); a triangular R of 40 ms loses 3.6 %
    at 150 Hz and 13 % at 40 Hz. A high-pass of 0.5 Hz shifts the ST level by 0.67 mV: for rhythm only.
    """

    def __init__(
        self,
        sample_rate_hz: float,
        band_hz: tuple[float | None, float | None] = CAUSAL_BAND_HZ,
        mains_hz: Mains = "auto",
    ) -> None:
        check_rate(sample_rate_hz)
        check_band(band_hz)
        low, high = band_hz
        lines = MAINS_HZ if mains_hz == "auto" else () if mains_hz is None else (float(mains_hz),)
        self._lines = [
            _LineTracker(sample_rate_hz, line_hz, always=mains_hz != "auto")
            for line_hz in lines
            if line_hz < HIGHEST_OF_BAND * sample_rate_hz
        ]
        self._sections: list[_Recursion] = []
        if low is not None:
            sos = signal.butter(1, low, "highpass", fs=sample_rate_hz, output="sos")
            self._sections.append(_Recursion(sos, settled=True))
        if high is not None and high < 0.5 * sample_rate_hz:
            sos = signal.bessel(4, high, "lowpass", fs=sample_rate_hz, output="sos", norm="mag")
            self._sections.append(_Recursion(sos, settled=True))
        self._gaps: list[LevelledGaps] = []

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
        leads = np.atleast_2d(raw)
        if not self._gaps:
            self._gaps = [LevelledGaps() for _ in leads]
        levelled = (gaps.levelled(lead, np.isnan(lead)) for gaps, lead in zip(self._gaps, leads, strict=True))
        ekg = np.stack(list(levelled))
        ekg = ekg - sum(line(ekg) for line in self._lines)
        for section in self._sections:
            ekg = section(ekg)
        return np.where(np.isnan(raw), np.nan, ekg.reshape(raw.shape))

    def gap(self, samples: int) -> None:
        """Tell that `samples` samples were lost; the same as feeding as many NaN."""
        for start in range(0, samples, _LARGEST_BLOCK):
            self.feed(np.full((len(self._gaps) or 1, min(samples - start, _LARGEST_BLOCK)), np.nan))


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
