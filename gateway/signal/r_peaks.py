"""R-peaks of a whole recording."""

import numpy as np
from numpy.typing import NDArray

from gateway.signal.r_peak_stream import RPeakStream


def detect_r_peaks(ekg_mv: NDArray[np.floating], sample_rate_hz: float) -> NDArray[np.int64]:
    """Samples of the R-peaks of one lead.

    Parameters
    ----------
    ekg_mv : (n,) array, mV
        NaN where there is no signal.
    sample_rate_hz : float
        100 to 2000 Hz.

    Returns
    -------
    (k,) int64 array
        Ascending sample indices of the dominant deflection of each QRS.

    Raises
    ------
    ValueError
        The array is not one lead, the rate is out of range, or the numbers are not in mV.
    """
    ekg_mv = np.asarray(ekg_mv, dtype=np.float64)
    if ekg_mv.ndim != 1:
        raise ValueError(f"array of shape {ekg_mv.shape}; R-peaks are found in one lead, shape (n,)")
    stream = RPeakStream(sample_rate_hz)
    beats = stream.feed(ekg_mv) + stream.flush()
    return np.array([beat.sample for beat in beats], dtype=np.int64)
