"""EKG arrays in, filtered arrays, beats, intervals and quality out. NumPy and SciPy, no state, no I/O."""

from gateway.signal.delineation import Delineation, delineate
from gateway.signal.filters import filter_ekg
from gateway.signal.measures import Measurements, measure_ekg
from gateway.signal.quality import Quality, signal_quality
from gateway.signal.r_peak_stream import Beat, RPeakStream
from gateway.signal.r_peaks import detect_r_peaks

__all__ = [
    "Beat",
    "Delineation",
    "Measurements",
    "Quality",
    "RPeakStream",
    "delineate",
    "detect_r_peaks",
    "filter_ekg",
    "measure_ekg",
    "signal_quality",
]
