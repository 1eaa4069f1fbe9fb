# SPDX-License-Identifier: Apache-2.0
"""Which bound routings of owned resources were looked up a moment ago?

An owned resource never moves to another pod, so a memory of a minute saves the database a question per request. What
may change (project, details) is at most that old.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from tricircle.model.routing import Kind, Routing


class Recent:
    """The last ``size`` routings that were put in, each for ``ttl_s`` seconds."""

    def __init__(self, *, size: int = 20_000, ttl_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[tuple[Kind, str], tuple[float, Routing]] = OrderedDict()
        self._keys: dict[int, tuple[Kind, str]] = {}

    def get(self, kind: Kind, central_id: str) -> Routing | None:
        """The routing, unless it is unknown or too old."""
        key = (kind, central_id)
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, routing = entry
        if self._clock() >= until:
            self.drop(routing.id)
            return None
        self._entries.move_to_end(key)
        return routing

    def put(self, routing: Routing) -> None:
        """Remember a bound routing; the one that was not asked for the longest time goes when there are too many."""
        key = (routing.kind, routing.central_id)
        if (former := self._entries.get(key)) is not None:
            self._keys.pop(former[1].id, None)
        self._entries[key] = (self._clock() + self._ttl_s, routing)
        self._entries.move_to_end(key)
        self._keys[routing.id] = key
        while len(self._entries) > self._size:
            _key, (_until, oldest) = self._entries.popitem(last=False)
            self._keys.pop(oldest.id, None)

    def drop(self, routing_id: int) -> None:
        """Forget a routing; fine when it is not known."""
        key = self._keys.pop(routing_id, None)
        if key is not None:
            self._entries.pop(key, None)
