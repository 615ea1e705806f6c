"""Waiting times grow, have a limit, and start again after a success."""

from gateway.service.backoff import Backoff


def test_each_wait_is_between_half_and_the_whole_of_a_step_that_doubles_up_to_the_limit():
    backoff = Backoff(first_s=1.0, longest_s=5.0)
    waits = [backoff.next() for _ in range(5)]
    assert all(step / 2 <= wait <= step for wait, step in zip(waits, (1, 2, 4, 5, 5), strict=True))


def test_a_success_starts_it_again():
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    for _ in range(5):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 1.0
