"""What the gateway adds to an EKG, and what it must not."""

from decimal import Decimal

from gateway.model import Observation, Reading
from gateway.service.ekg_step import measured
from gateway.testing.synthetic_ekg import synthetic_recording

RECORDED = Reading(kind="ekg", ekg=synthetic_recording())


def test_rate_and_intervals_are_added_and_named_as_the_gateways_own():
    reading = measured(RECORDED)
    assert reading.value("heart-rate") == 75
    assert {"qrs-duration", "qt-interval", "qtc-bazett"} <= {o.name for o in reading.observations}
    assert reading.notes[0].startswith("computed by the gateway from the waveform: heart-rate")


def test_nothing_that_rests_on_a_p_wave_of_our_own_is_added():
    added = {observation.name for observation in measured(RECORDED).observations}
    assert not added & {"p-duration", "pr-interval", "p-axis"}


def test_what_the_machine_reported_stays_as_it_reported_it():
    pr = Observation("pr-interval", Decimal("148"), "ms")
    rate = Observation("heart-rate", Decimal("74"), "/min")
    reading = measured(Reading(kind="ekg", observations=(pr, rate), ekg=RECORDED.ekg))
    assert reading.observations[:2] == (pr, rate)
    assert [o.name for o in reading.observations].count("heart-rate") == 1
