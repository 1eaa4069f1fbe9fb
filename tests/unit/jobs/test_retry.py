# SPDX-License-Identifier: Apache-2.0
"""Does every way of not succeeding lead to the right next time?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.errors import (
    ConflictError,
    DatabaseCollisionError,
    LeaseLostError,
    NotFoundError,
    OutcomeUnknownError,
    RetryLaterError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.jobs.retry import Again, RetryRules, decide

_RULES = RetryRules(first_s=1, most_s=300, max_attempts=5)


def _decide(error: BaseException, *, attempts: int = 0, waited_s: float = 0, chance: float = 0) -> Again | None:
    return decide(error, attempts=attempts, waited_s=waited_s, rules=_RULES, chance=chance)


def test_a_body_that_asks_is_called_when_it_said() -> None:
    assert _decide(RetryLaterError("", after_s=7), attempts=4) == Again(delay_s=7, is_failure=False)


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError(""),
        OutcomeUnknownError(""),
        DatabaseCollisionError(""),
        LeaseLostError(""),
        UpstreamStatusError(503, "", "Pod1/network"),
        UpstreamStatusError(429, "", "Pod1/network"),
    ],
)
def test_an_outage_is_waited_out_however_long_it_takes(error: Exception) -> None:
    assert _decide(error, attempts=4, waited_s=0) == Again(delay_s=1, is_failure=False)
    assert _decide(error, attempts=4, waited_s=20) == Again(delay_s=10, is_failure=False)
    assert _decide(error, attempts=4, waited_s=1_000_000) == Again(delay_s=30, is_failure=False)


@pytest.mark.parametrize(
    "error",
    [ValueError(), ConflictError(""), NotFoundError(""), TimeoutError(), UpstreamStatusError(409, "", "Pod1/network")],
)
def test_a_failure_waits_twice_as_long_each_time_and_ends(error: Exception) -> None:
    delays = [_decide(error, attempts=attempts) for attempts in range(5)]
    assert delays == [*(Again(delay_s=seconds, is_failure=True) for seconds in (1, 2, 4, 8)), None]


@given(
    attempts=st.integers(min_value=0, max_value=10_000),
    waited_s=st.floats(min_value=0, max_value=1e9),
    chance=st.floats(min_value=0, max_value=1, exclude_max=True),
    is_outage=st.booleans(),
)
def test_no_pause_is_wild(attempts: int, waited_s: float, chance: float, is_outage: bool) -> None:
    rules = RetryRules(first_s=1, most_s=60, max_attempts=10_000_000)
    error = UnavailableError("") if is_outage else ValueError()
    again = decide(error, attempts=attempts, waited_s=waited_s, rules=rules, chance=chance)
    assert again is not None
    assert 1 <= again.delay_s <= 90
