# SPDX-License-Identifier: Apache-2.0
"""A breaker opens after failures in a row and is closed by one probe that succeeds."""

from tricircle.upstream.breaker import Breaker, BreakerState


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(failures=3, probe_s=5.0, clock=clock), clock


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker, _clock = made()
    for _ in range(2):
        assert breaker.allow()
        breaker.fail()
    breaker.succeed()
    for _ in range(2):
        breaker.fail()
    assert breaker.state is BreakerState.CLOSED
    breaker.fail()
    assert breaker.state is BreakerState.OPEN
    assert breaker.is_open
    assert not breaker.allow()


def test_one_probe_at_a_time_closes_or_reopens_it() -> None:
    breaker, clock = made()
    for _ in range(3):
        breaker.fail()
    clock.now = 5.0
    assert not breaker.is_open
    assert breaker.allow()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.is_open
    assert not breaker.allow()
    breaker.fail()
    assert not breaker.allow()
    clock.now = 10.0
    assert breaker.allow()
    breaker.succeed()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allow()


def test_a_probe_that_is_swallowed_does_not_keep_it_open() -> None:
    """Nobody waits for one call's minute to hear that the upstream is back."""
    breaker, clock = made()
    for _ in range(3):
        breaker.fail()
    clock.now = 5.0
    assert breaker.allow()
    clock.now = 9.9
    assert not breaker.allow()
    clock.now = 10.0
    assert breaker.allow()
    assert breaker.succeed()
    assert not breaker.is_open


def test_a_probe_that_was_given_up_lets_the_next_call_probe() -> None:
    breaker, clock = made()
    for _ in range(3):
        breaker.fail()
    clock.now = 5.0
    assert breaker.allow()
    breaker.give_up()
    assert breaker.allow()


def test_a_probe_that_takes_long_to_fail_does_not_put_the_next_one_off() -> None:
    """Whoever came back right after a probe was sent is asked again within one interval."""
    breaker, clock = made()
    for _ in range(3):
        breaker.fail()
    clock.now = 5.0
    assert breaker.allow()
    clock.now = 9.9
    assert not breaker.fail()
    clock.now = 10.0
    assert breaker.allow()
