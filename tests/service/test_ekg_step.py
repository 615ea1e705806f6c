"""What the gateway adds to an EKG, and what it must not."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from gateway.model import Observation, Reading
from gateway.service.ekg_step import measured
from gateway.testing.synthetic_ekg import synthetic_recording

RECORDED = Reading(kind="ekg", ekg=synthetic_recording())


def test_rate_and_intervals_are_added_and_named_as_the_gateways_own():
    reading = measured(RECORDED)
    assert reading.value("heart-rate") == 75
    assert {"qrs-duration", "qt-interval", "qtc-bazett"} <= {o.name for o in reading.observations}
    assert reading.notes[0].startswith("computed by the gateway from the waveform: heart-rate")


def test_what_rests_on_p_waves_is_added_where_there_are_p_waves():
    reading = measured(RECORDED)
    assert reading.value("pr-interval") in [Decimal(ms) for ms in range(145, 196)]
    assert {"p-duration", "p-axis"} <= {o.name for o in reading.observations}


@pytest.mark.parametrize("noise_mv", [0.0, 0.02, 0.05])
def test_nothing_that_rests_on_p_waves_is_added_where_there_are_none(noise_mv: float):
    junctional = synthetic_recording(p_waves=False)
    noise = np.random.default_rng(9).normal(0, noise_mv, junctional.samples_mv.shape)
    reading = measured(Reading(kind="ekg", ekg=replace(junctional, samples_mv=junctional.samples_mv + noise)))
    added = {observation.name for observation in reading.observations}
    assert "qrs-duration" in added
    assert not added & {"p-duration", "pr-interval", "p-axis"}


def test_what_the_machine_reported_stays_as_it_reported_it():
    pr = Observation("pr-interval", Decimal("148"), "ms")
    rate = Observation("heart-rate", Decimal("74"), "/min")
    reading = measured(Reading(kind="ekg", observations=(pr, rate), ekg=RECORDED.ekg))
    assert reading.observations[:2] == (pr, rate)
    assert [o.name for o in reading.observations].count("heart-rate") == 1
