# SPDX-License-Identifier: Apache-2.0
"""Is it worth asking this upstream, or is it known to be away?

A breaker is *closed* (ask), *open* (do not ask) or *half open* (a probe is under way). It opens after some failures
in a row, and lets one call through each probe interval, also while an earlier one still waits for its answer: a call
that was swallowed may wait for a minute. So whoever is back is asked within one interval. A success closes it. The
clock is a parameter.
"""

from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker says."""

    CLOSED = "closed"  # ask
    OPEN = "open"  # do not ask before the probe is due
    HALF_OPEN = "half_open"  # a probe is under way


class Breaker:
    """The memory of one upstream's failures.

    :param failures: failures in a row that open it
    :param probe_s: seconds between an opening (or a failed probe) and the next probe
    :param clock: seconds that only grow
    """

    __slots__ = ("_clock", "_failed", "_failures", "_is_probing", "_opened_at", "_probe_s", "_probed_at")

    def __init__(self, *, failures: int, probe_s: float, clock: Callable[[], float]) -> None:
        self._failures = failures
        self._probe_s = probe_s
        self._clock = clock
        self._failed = 0
        self._opened_at: float | None = None
        self._is_probing = False
        self._probed_at = float("-inf")

    @property
    def state(self) -> BreakerState:
        """The state now."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._is_probing else BreakerState.OPEN

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now."""
        return self._opened_at is not None and self._clock() - max(self._opened_at, self._probed_at) < self._probe_s

    def allow(self) -> bool:
        """Whether this call may be made. Whoever got True must report :meth:`succeed`, :meth:`fail` or
        :meth:`give_up`.
        """
        if self._opened_at is None:
            return True
        if self.is_open:
            return False
        self._is_probing = True
        self._probed_at = self._clock()
        return True

    def succeed(self) -> bool:
        """The upstream answered (whatever the status). Whether that closed the breaker."""
        was_open = self._opened_at is not None
        self._failed = 0
        self._opened_at = None
        self._is_probing = False
        return was_open

    def fail(self) -> bool:
        """The upstream could not be reached or did not answer in time. Whether that opened a closed breaker."""
        self._failed += 1
        self._is_probing = False
        if self._opened_at is not None or self._failed < self._failures:
            # A probe that took long to fail does not put the next one off: the interval runs between their beginnings.
            return False
        self._opened_at = self._clock()
        return True

    def give_up(self) -> None:
        """The call ended without news about the upstream (the client left): the next call may probe."""
        self._is_probing = False
        self._probed_at = float("-inf")
