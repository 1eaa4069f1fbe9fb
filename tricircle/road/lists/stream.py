# SPDX-License-Identifier: Apache-2.0
"""How far has a list come in one pod, and what has it in store? Pure."""

import json
from collections import deque
from dataclasses import dataclass

from tricircle.model.pod import Pod
from tricircle.road.listing import Item

#: Of so many items a position remembers the id, so that it survives the deletion of the last ones.
REMEMBERED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a list has come in one pod.

    :ivar part: the part (``Listing.rank``) in which the last taken item stood
    :ivar values: its sort values
    :ivar ids: the ids taken last, newest first
    """

    part: int
    values: tuple[object, ...]
    ids: tuple[str, ...]

    def text(self) -> str:
        """The position as the ledger keeps it."""
        return json.dumps([self.part, self.values, self.ids], separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> "Position":
        """The position that ``text`` made."""
        part, values, ids = json.loads(text)
        return cls(part=int(part), values=tuple(values), ids=tuple(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Where a page begins for pods whose position nobody knows: behind an item of the pod at ``place``."""

    part: int
    values: tuple[object, ...]
    place: int


class Stream:
    """One pod's side of a merged list."""

    __slots__ = (
        "buffer",
        "floor",
        "has_more",
        "is_failed",
        "last",
        "page",
        "place",
        "pod",
        "position",
        "seen",
        "trail",
    )

    def __init__(self, pod: Pod, place: int, position: Position | None, floor: Floor | None) -> None:
        #: Where the items come from, and its fixed rank among pods.
        self.pod, self.place = pod, place
        #: What was received and not yet taken: (item, part, sort values).
        self.buffer: deque[tuple[Item, int, tuple[object, ...]]] = deque()
        #: Whether the pod may have more than was received.
        self.has_more = True
        self.is_failed = False
        #: How many items the last page had.
        self.page = 0
        #: Behind what was taken last.
        self.position = position
        #: Part and sort values of what was received last.
        self.last = (position.part, position.values) if position else None
        #: Items before it are dropped, until the first that is not.
        self.floor = floor
        #: All ids received.
        self.seen: set[str] = set()
        #: Ids received last, newest first: what may be sent as the next marker.
        self.trail: deque[str] = deque(position.ids if position else (), maxlen=REMEMBERED)

    @property
    def marker(self) -> str | None:
        """What to send as marker with the next page."""
        return self.trail[0] if self.trail else None

    @property
    def is_blocking(self) -> bool:
        """Whether nothing can be taken before this pod was asked again."""
        return self.has_more and not self.buffer and not self.is_failed
