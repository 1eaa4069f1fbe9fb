# SPDX-License-Identifier: Apache-2.0
"""How is counting made cheap enough for every request?

The metrics' library writes each count into a file that other processes read; nine of these cost a request some 20 us.
So what happens for every request is counted in plain memory first and written down once a second.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

#: Seconds between two writings.
_PAUSE_S = 1.0


class Tally:
    """What was counted since the last writing. One per process; used in the event loop's thread only.

    :param bounds: upper bounds of the histograms' buckets in seconds, all the same
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts: dict[tuple[Counter, tuple[str, ...]], int] = {}
        self._times: dict[tuple[Histogram, tuple[str, ...]], list[float]] = {}
        self._levels: dict[Gauge, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def count(self, counter: Counter, *labels: str) -> None:
        """One more."""
        key = (counter, labels)
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._timer is None:
            self._arm()

    def time(self, histogram: Histogram, seconds: float, *labels: str) -> None:
        """One that took so long."""
        spread = self._times.get((histogram, labels))
        if spread is None:
            # One number per bucket, the open one included, and the sum.
            spread = self._times[histogram, labels] = [0.0] * (len(self._bounds) + 2)
        spread[bisect_left(self._bounds, seconds)] += 1
        spread[-1] += seconds
        if self._timer is None:
            self._arm()

    def level(self, gauge: Gauge, value: int) -> None:
        """So many now."""
        self._levels[gauge] = value
        if self._timer is None:
            self._arm()

    def write(self) -> None:
        """Write everything down now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, {}
        for (counter, labels), number in counts.items():
            (counter.labels(*labels) if labels else counter).inc(number)
        times, self._times = self._times, {}
        for (histogram, labels), spread in times.items():
            child = histogram.labels(*labels) if labels else histogram
            # The library can only observe one by one; these are the numbers that it would have changed.
            for bucket, hits in zip(child._buckets, spread[:-1], strict=True):  # noqa: SLF001
                if hits:
                    bucket.inc(hits)
            child._sum.inc(spread[-1])  # noqa: SLF001
        for gauge, value in self._levels.items():
            gauge.set(value)
        self._levels.clear()

    def _arm(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Outside of a loop nobody counts often.
            self.write()
            return
        self._timer = loop.call_later(_PAUSE_S, self.write)
