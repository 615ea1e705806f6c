"""EKG arrays in, filtered arrays, beats, intervals and quality out. NumPy and SciPy, no state, no I/O."""
