"""EKG arrays in, filtered arrays, beats, intervals and quality out. NumPy and SciPy, no state, no I/O."""

from gateway.signal.r_peak_stream import Beat, RPeakStream
from gateway.signal.r_peaks import detect_r_peaks

__all__ = ["Beat", "RPeakStream", "detect_r_peaks"]
