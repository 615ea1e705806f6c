"""The page of figures: ``python -m benchmarks.figures`` writes it from the data."""
