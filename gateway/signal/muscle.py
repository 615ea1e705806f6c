"""Muscle noise taken from between the QRS complexes, where a low-pass does no harm.

Muscle and QRS share their frequencies: a low-pass that quiets the one flattens the other. P, T and the
baseline have nothing above 25 Hz, so there the recording is replaced by its low-passed self, and a QRS is
left as it was recorded. Christov et al. [1]_ let the cutoff follow the waves; here there are two states and a
smooth passage between them.

References
----------
.. [1] Christov et al., Medical & Biological Engineering & Computing 55:1579-1588, 2017.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from gateway.signal.filters import bridged, check_rate, filter_ekg

_BETWEEN_HZ = 25.0
_QRS_BAND_HZ = (5.0, 25.0)
_STRETCH_S = 1.5  # holds a QRS at 40/min and above
_QRS_SHARE = (0.15, 0.3)  # of the usual QRS height: low-passed below, as recorded above
_SPREAD_S = 0.06


def remove_muscle(ekg_mv: NDArray[np.floating], sample_rate_hz: float) -> NDArray[np.float64]:
    """The recording with less muscle noise between its QRS complexes, no wave moved in time.

    Parameters
    ----------
    ekg_mv : (..., n) array, mV
        NaN means no signal, and stays.
    sample_rate_hz : float

    Returns
    -------
    (..., n) array, mV

    Raises
    ------
    ValueError
        The sampling rate is not one.

    Notes
    -----
    White noise is lowered to a third at 500 Hz between the QRS complexes, and not at all within 60 ms of
    their steep parts; a triangular R of 1.5 mV and 40 ms loses less than 1 % of its height (through
    a plain low-pass of 25 Hz, 19 %).
    """
    check_rate(sample_rate_hz)
    ekg = bridged(ekg_mv)
    if ekg.shape[-1] < sample_rate_hz:
        return np.where(np.isnan(ekg_mv), np.nan, ekg)
    smooth = filter_ekg(ekg, sample_rate_hz, (None, _BETWEEN_HZ), None)
    steep = np.abs(filter_ekg(ekg, sample_rate_hz, _QRS_BAND_HZ, None))
    around = 2 * round(_SPREAD_S * sample_rate_hz) + 1
    near = ndimage.maximum_filter1d(steep, around, axis=-1)
    pieces = np.array_split(steep, max(int(ekg.shape[-1] / (_STRETCH_S * sample_rate_hz)), 1), axis=-1)
    usual = np.median([piece.max(axis=-1) for piece in pieces], axis=0)[..., np.newaxis]
    share = near / np.maximum(usual, 1e-12)
    kept = np.clip((share - _QRS_SHARE[0]) / (_QRS_SHARE[1] - _QRS_SHARE[0]), 0, 1)
    window = signal.windows.hann(around + 2)[1:-1]
    kept = ndimage.convolve1d(kept, window / window.sum(), axis=-1)
    return np.where(np.isnan(ekg_mv), np.nan, smooth + kept * (ekg - smooth))
