"""The streaming filter against SciPy's `sosfilt` with state, on the same 20 ms chunks of one lead.

Both take turns, chunk for chunk the same signal; each figure is the median of the rounds' ratios.
"""

import time

import numpy as np
from scipy import signal

from gateway.signal.streaming_filters import EkgFilterStream
from gateway.testing.synthetic_ekg import synthetic_recording

_CHUNK_S = 0.02
_RATE_HZ = 500.0
_ROUNDS = 15


def _chunks() -> list[np.ndarray]:
    recording = synthetic_recording(heart_rate_bpm=75.0, duration_s=30.0, sample_rate_hz=_RATE_HZ)
    noise = np.random.default_rng(0).normal(0, 0.01, recording.samples_mv.shape[1])
    return np.split(recording.samples_mv[1] + noise, round(30.0 / _CHUNK_S))


def _sosfilt_s(chunks: list[np.ndarray]) -> float:
    sos = signal.butter(2, (5, 25), "bandpass", fs=_RATE_HZ, output="sos")
    state = signal.sosfilt_zi(sos) * chunks[0][0]
    start = time.perf_counter()
    for chunk in chunks:
        _, state = signal.sosfilt(sos, chunk, zi=state)
    return time.perf_counter() - start


def _stream_s(chunks: list[np.ndarray], mains_hz: object) -> float:
    stream = EkgFilterStream(_RATE_HZ, mains_hz=mains_hz)  # type: ignore[arg-type]  # one of its literals
    start = time.perf_counter()
    for chunk in chunks:
        stream.feed(chunk)
    return time.perf_counter() - start


def ratios() -> dict[str, float]:
    """Times the CPU of `sosfilt`, by what is done about the mains."""
    chunks, found = _chunks(), {}
    for label, mains_hz in (("mains left", None), ("50 Hz removed", 50), ("mains found and removed", "auto")):
        pairs = [_stream_s(chunks, mains_hz) / _sosfilt_s(chunks) for _ in range(_ROUNDS)]
        found[label] = float(np.median(pairs))
    return found


def main() -> None:
    for label, ratio in ratios().items():
        print(f"  streaming filter, {label}: {ratio:.2f} times sosfilt on {_CHUNK_S * 1000:.0f} ms chunks")


if __name__ == "__main__":
    main()
