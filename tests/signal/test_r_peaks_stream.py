"""What a caller can rely on from R-peak detection in a stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.signal import Beat, RPeakStream, detect_r_peaks

RATE_HZ = 250.0
R_PEAKS = np.arange(150, 7_400, 190)


def heart(samples: int = 7_500) -> NDArray[np.float64]:
    """R of 1 mV and 40 ms, then a T of 0.25 mV; a little noise, always the same."""
    at = np.arange(samples) / RATE_HZ
    ekg = np.random.default_rng(3).normal(0, 0.01, samples)
    for r in R_PEAKS / RATE_HZ:
        ekg += np.maximum(0, 1 - np.abs(at - r) / 0.02) + 0.25 * np.exp(-(((at - r - 0.26) / 0.05) ** 2))
    return ekg


def streamed(ekg: NDArray[np.float64], cuts: list[int], rate_hz: float = RATE_HZ) -> list[Beat]:
    stream = RPeakStream(rate_hz)
    beats = [beat for chunk in np.split(ekg, sorted(cuts)) for beat in stream.feed(chunk)]
    return beats + list(stream.flush())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 7_500), max_size=60),
    st.lists(st.tuples(st.integers(0, 7_499), st.integers(1, 900)), max_size=4),
    st.floats(0, 0.5),
)
def test_the_beats_do_not_depend_on_the_chunks(
    cuts: list[int], gaps: list[tuple[int, int]], noise_mv: float
) -> None:
    ekg = heart() + np.random.default_rng(1).normal(0, noise_mv, 7_500)
    for start, length in gaps:
        ekg[start : start + length] = np.nan
    beats = streamed(ekg, cuts)
    assert beats == streamed(ekg, [])
    assert [beat.sample for beat in beats] == detect_r_peaks(ekg, RATE_HZ).tolist()


def test_a_caller_may_fill_one_buffer_again_and_again() -> None:
    ekg = heart()
    stream, buffer, beats = RPeakStream(RATE_HZ), np.empty(5), list[Beat]()
    for chunk in ekg.reshape(-1, len(buffer)):
        buffer[:] = chunk
        beats += stream.feed(buffer)
    assert beats + list(stream.flush()) == streamed(ekg, [])


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 257.3, 500.0, 1000.0, 2000.0])
def test_one_sample_at_a_time_gives_the_same_beats_at_every_rate(rate_hz: float) -> None:
    ekg = np.interp(np.arange(0, 8, 1 / rate_hz), np.arange(7_500) / RATE_HZ, heart())
    beats = streamed(ekg, list(range(1, len(ekg))), rate_hz)
    assert [beat.sample for beat in beats] == detect_r_peaks(ekg, rate_hz).tolist()
    assert len(beats) >= 8


def test_a_beat_of_a_steady_rhythm_is_confirmed_within_300_ms() -> None:
    stream, confirmed_after_s = RPeakStream(RATE_HZ), []
    for fed, chunk in enumerate(np.split(heart(), 1500), start=1):
        confirmed_after_s += [(fed * 5 - beat.sample) / RATE_HZ for beat in stream.feed(chunk)]
    assert max(confirmed_after_s[8:]) <= 0.3


def test_a_gap_is_told_or_fed_as_nan_with_the_same_result() -> None:
    ekg = heart()
    told = RPeakStream(RATE_HZ)
    beats = [*told.feed(ekg[:2000]), *told.gap(700), *told.feed(ekg[2700:]), *told.flush()]
    ekg[2000:2700] = np.nan
    assert beats == streamed(ekg, [])


def test_a_gap_that_ends_with_a_chunk_is_closed_like_any_other() -> None:
    ekg = heart()
    ekg[1:626] = np.nan
    ekg[626:] += 2
    assert streamed(ekg, [626]) == streamed(ekg, [])


def test_gaps_and_saturation_are_in_the_result() -> None:
    stream, ekg = RPeakStream(RATE_HZ), heart()
    ekg[4000:4200] = 5.0
    stream.feed(ekg[:2000])
    stream.gap(700)
    stream.feed(ekg[2700:])
    stream.flush()
    assert set(stream.interruptions) == {(2000, 2700, "gap"), (4000, 4200, "saturation")}


def test_a_clear_beat_is_trusted() -> None:
    assert min(beat.confidence for beat in streamed(heart(), [])) > 0.9


def test_numbers_in_another_unit_are_refused_while_they_arrive() -> None:
    stream = RPeakStream(RATE_HZ)
    with pytest.raises(ValueError, match="microvolts"):
        stream.feed(1000 * heart())


def test_nothing_fed_gives_no_beat() -> None:
    assert RPeakStream(RATE_HZ).flush() == ()
