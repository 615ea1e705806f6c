"""Mains interference: found by itself, and subtracted rather than notched out.

A notch narrow enough to spare the EKG rings on every QRS. Here the line is measured as a slowly turning
phasor on the quiet samples alone, those that repeat after one period of the mains, and that sinusoid is
subtracted; a QRS repeats nothing within 20 ms, so it has no part in the estimate and is left as it was.
The idea is Levkov's subtraction procedure [1]_, with a weighted demodulation in place of its moving average.

References
----------
.. [1] Levkov et al., BioMedical Engineering OnLine 4:50, 2005.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

MAINS_HZ = (50.0, 60.0)

HIGHEST_OF_BAND = 0.45  # of the sampling rate: above it a line cannot be told from its alias
_PHASOR_S = 1.2  # long enough to tell the line from muscle, short enough to follow its drift
_CONTRAST = 12.0  # line over its neighbours, in power; noise alone exceeds it in about 1 of 10 000
_LEAST_MV = 0.002


def _high_pass(sample_rate_hz: float) -> NDArray[np.float64]:
    return signal.butter(2, min(25.0, 0.2 * sample_rate_hz), "highpass", fs=sample_rate_hz, output="sos")


def _upper_band(ekg_mv: NDArray[np.float64], sample_rate_hz: float) -> NDArray[np.float64]:
    """What is left when P, T and the baseline are gone, with the phase untouched."""
    sos = _high_pass(sample_rate_hz)
    padding = min(ekg_mv.shape[-1] - 1, round(0.2 * sample_rate_hz))
    return np.asarray(signal.sosfiltfilt(sos, ekg_mv, axis=-1, padlen=padding))


def quiet_samples(upper: NDArray[np.float64], sample_rate_hz: float, line_hz: float) -> NDArray[np.float64]:
    """1 where the signal is what it was one mains period ago and will be one later, else 0."""
    period = sample_rate_hz / line_hz
    whole = int(period)
    later = (1 - (period - whole)) * np.roll(upper, -whole, axis=-1)
    later += (period - whole) * np.roll(upper, -whole - 1, axis=-1)
    change = np.abs(later - upper)
    around = 2 * whole + 3
    change = ndimage.maximum_filter1d(change, around, axis=-1)
    loud = 3.0 * np.median(change, axis=-1, keepdims=True)
    return np.asarray(change <= loud, dtype=np.float64)


def _line(
    upper: NDArray[np.float64], quiet: NDArray[np.float64], sample_rate_hz: float, line_hz: float
) -> NDArray[np.float64]:
    """The sinusoid near `line_hz` in the quiet samples, carried through the others."""
    carrier = np.exp(-2j * np.pi * line_hz / sample_rate_hz * np.arange(upper.shape[-1]))
    window = signal.windows.hann(2 * round(_PHASOR_S * sample_rate_hz / 2) + 1)[
        (None,) * (upper.ndim - 1) + (slice(None),)
    ]
    weight = signal.fftconvolve(quiet, window, mode="same", axes=-1)
    turned = signal.fftconvolve(quiet * upper * carrier, window, mode="same", axes=-1)
    phasor = turned / np.maximum(weight, 0.02 * window.sum())
    _, response = signal.freqz_sos(_high_pass(sample_rate_hz), [line_hz], fs=sample_rate_hz)
    passed = float(np.abs(response[0])) ** 2
    return np.asarray(2 / passed * np.real(phasor * carrier.conj()))


def _power_near(
    upper: NDArray[np.float64], quiet: NDArray[np.float64], sample_rate_hz: float, line_hz: float
) -> tuple[float, float, float]:
    """Frequency, contrast with the neighbouring band, and amplitude in mV, of the strongest line."""
    n = upper.shape[-1]
    padded = 1 << (4 * n - 1).bit_length() if n < 1 << 16 else n
    window = signal.windows.hann(n)
    spectrum = np.abs(np.fft.rfft(quiet * upper * window, padded, axis=-1)) ** 2
    spectrum = spectrum.reshape(-1, spectrum.shape[-1]).mean(axis=0)
    hz = np.arange(len(spectrum)) * sample_rate_hz / padded
    near = np.abs(hz - line_hz) < 0.6
    aside = (np.abs(hz - line_hz) > 2.5) & (np.abs(hz - line_hz) < 8)
    if not near.any() or not aside.any():
        return line_hz, 0.0, 0.0
    peak = int(np.argmax(np.where(near, spectrum, 0)))
    if not near[peak]:  # nothing at all, as in a lead of zeros
        return line_hz, 0.0, 0.0
    gain = max(float(np.mean(quiet @ window)), 1e-9)
    return (
        float(hz[peak]),
        float(spectrum[peak] / (spectrum[aside].mean() + 1e-30)),
        float(2 * np.sqrt(spectrum[peak]) / gain),
    )


def find_mains(ekg_mv: NDArray[np.floating], sample_rate_hz: float) -> float | None:
    """The mains frequency whose interference is in the recording: 50, 60, or None where there is none.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV, without NaN
        All leads are judged together, since they share the mains.
    sample_rate_hz : float

    Notes
    -----
    Needs one second. A line counts when it stands 11 dB above the band beside it and above 2 µV.
    """
    ekg = np.asarray(ekg_mv, dtype=np.float64)
    if ekg.shape[-1] < sample_rate_hz:
        return None
    upper = _upper_band(ekg, sample_rate_hz)
    strongest, found = 0.0, None
    for nominal in MAINS_HZ:
        if nominal > HIGHEST_OF_BAND * sample_rate_hz:
            continue
        _, contrast, amplitude = _power_near(
            upper, quiet_samples(upper, sample_rate_hz, nominal), sample_rate_hz, nominal
        )
        if contrast > _CONTRAST and amplitude > max(_LEAST_MV, strongest):
            strongest, found = amplitude, nominal
    return found


def remove_mains(ekg_mv: NDArray[np.floating], sample_rate_hz: float, mains_hz: float) -> NDArray[np.float64]:
    """The recording without the mains and those of its harmonics that stand out.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV, without NaN
    sample_rate_hz : float
    mains_hz : float
        Nominal; the line's own frequency is sought within 0.6 Hz of it, and followed as it drifts.

    Returns
    -------
    (..., n) array, mV
        What is shorter than a second, in which a line cannot be told from the EKG, is returned as it is.
    """
    ekg = np.asarray(ekg_mv, dtype=np.float64)
    if ekg.shape[-1] < sample_rate_hz:
        return ekg.copy()
    upper = _upper_band(ekg, sample_rate_hz)
    quiet = quiet_samples(upper, sample_rate_hz, mains_hz)
    clean = ekg.copy()
    for harmonic in (1, 2, 3):
        nominal = harmonic * mains_hz
        if nominal > HIGHEST_OF_BAND * sample_rate_hz:
            break
        line_hz, contrast, _ = _power_near(upper, quiet, sample_rate_hz, nominal)
        if harmonic == 1 or contrast > _CONTRAST:
            clean -= _line(upper, quiet, sample_rate_hz, line_hz)
    return clean
