"""A live signal filtered chunk by chunk: the same however it is cut, the mains gone, gaps and rails told."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.signal.streaming_filters import Disturbed, EkgFilterStream, filter_ekg_causal

Heart = Callable[..., NDArray[np.float64]]
RATE_HZ = 500.0


def line(hz: float, amplitude_mv: float, samples: int = 5000) -> NDArray[np.float64]:
    return np.asarray(amplitude_mv * np.sin(2 * np.pi * hz * np.arange(samples) / RATE_HZ + 0.4))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.sampled_from([None, "auto", 50]))
def test_a_stream_gives_the_same_however_it_is_cut(cuts: list[int], mains_hz: object) -> None:
    ekg = np.random.default_rng(1).normal(size=(2, 3000)).cumsum(axis=1) / 50
    ekg[:, 700:900] = np.nan
    ekg[1, 1200:1300] = 1.5 * np.nanmax(ekg)
    stream = EkgFilterStream(RATE_HZ, mains_hz=mains_hz)  # type: ignore[arg-type]  # three of its literals
    parts = [stream.feed(part) for part in np.split(ekg, np.minimum(np.cumsum(cuts), 3000), axis=1)]
    whole = filter_ekg_causal(ekg, RATE_HZ, mains_hz=mains_hz)  # type: ignore[arg-type]  # as above
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    assert stream.disturbed == (Disturbed(1200, 1300, "saturation", 1),)


def test_a_lost_stretch_told_is_filtered_as_fed(heart: Heart) -> None:
    told, fed = EkgFilterStream(RATE_HZ), EkgFilterStream(RATE_HZ)
    told.feed(heart()[:2000])
    fed.feed(heart()[:2000])
    told.gap(300)
    fed.feed(np.full(300, np.nan))
    np.testing.assert_array_equal(told.feed(heart()[2300:]), fed.feed(heart()[2300:]))


def test_gaps_and_saturation_are_told_in_order_of_their_end(heart: Heart) -> None:
    ekg = heart()
    ekg[1000:1100] = 4.0
    stream = EkgFilterStream(RATE_HZ)
    stream.gap(50)
    stream.feed(ekg[:1500])
    stream.gap(300)
    assert stream.disturbed == (
        Disturbed(0, 50, "gap", None),
        Disturbed(1050, 1150, "saturation", 0),
        Disturbed(1550, 1850, "gap", None),
    )


def test_a_chunk_whose_array_is_filled_anew_is_not_seen_twice(heart: Heart) -> None:
    ekg, once = heart(), EkgFilterStream(RATE_HZ)
    ekg[1000:1100] = 4.0
    again, buffer = EkgFilterStream(RATE_HZ), np.empty(10)
    for chunk in ekg.reshape(-1, 10):
        buffer[:] = chunk
        again.feed(buffer)
    once.feed(ekg)
    assert again.disturbed == once.disturbed


@pytest.mark.parametrize("hz", [49.5, 49.9, 50.0, 50.4, 59.8, 60.0, 60.2])
@pytest.mark.parametrize("amplitude_mv", [0.02, 0.2, 1.0])
def test_the_mains_is_found_and_followed(heart: Heart, hz: float, amplitude_mv: float) -> None:
    everything = (None, None)
    kept = filter_ekg_causal(heart() + line(hz, amplitude_mv), RATE_HZ, everything)
    kept -= filter_ekg_causal(heart(), RATE_HZ, everything, None)
    assert kept[1500:].std() < 0.06 * amplitude_mv + 0.001


def test_nothing_rings_after_a_qrs(heart: Heart) -> None:
    kept = filter_ekg_causal(heart(), RATE_HZ, mains_hz=50) - filter_ekg_causal(
        heart(), RATE_HZ, mains_hz=None
    )
    assert np.abs(kept).max() < 0.01


def test_mains_that_sets_in_later_is_gone_after_two_seconds(heart: Heart) -> None:
    hum = np.where(np.arange(10_000) > 4000, line(50, 0.2, 10_000), 0)
    ekg = heart(seconds=20.0)
    kept = filter_ekg_causal(ekg + hum, RATE_HZ) - filter_ekg_causal(ekg, RATE_HZ)
    assert np.abs(kept[5500:]).max() < 0.03


def test_several_leads_are_filtered_as_each_alone(heart: Heart) -> None:
    leads = np.stack([heart(), 0.5 * heart()])
    together = filter_ekg_causal(leads, RATE_HZ, mains_hz=None)
    alone = [filter_ekg_causal(lead, RATE_HZ, mains_hz=None) for lead in leads]
    np.testing.assert_array_equal(together, np.stack(alone))
