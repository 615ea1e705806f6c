"""Calibration of the quality score: seconds of recorded and disturbed EKG, and the fit."""
