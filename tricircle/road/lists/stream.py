# SPDX-License-Identifier: Apache-2.0
"""How far has a list come in one pod, and what has it in store? Pure."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import PodId
from tricircle.model.pod import Pod
from tricircle.road.listing import Item

#: Of so many items a position remembers the id, so that it survives the deletion of the last ones.
REMEMBERED = 8
#: A place behind every pod.
LAST = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a list has come in one pod.

    :ivar part: the part (``Listing.rank``) in which the last taken item stood
    :ivar values: its sort values
    :ivar ids: the ids taken last, newest first
    :ivar is_fresh: whether its item was read just now; else it may have moved since
    """

    part: int
    values: tuple[object, ...]
    ids: tuple[str, ...]
    is_fresh: bool = False

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
    """Where a page begins for pods whose position nobody knows, or can be sure of: behind an item of the pod at
    ``place``. ``item_id``: whose place it is, in this very pod."""

    part: int
    values: tuple[object, ...]
    place: int
    item_id: str | None = None

    def text(self, places: Mapping[PodId, int]) -> str:
        """The floor as the ledger keeps it: by the id of the item's pod, since ranks change."""
        pod_id = next((pod_id for pod_id, place in places.items() if place == self.place), "")
        return json.dumps([self.part, self.values, pod_id], separators=(",", ":"))

    @classmethod
    def of(cls, text: str, places: Mapping[PodId, int]) -> "Floor":
        """The floor that ``text`` made; where the item's pod is not in use any more, behind all that sorts equal."""
        part, values, pod_id = json.loads(text)
        return cls(part=int(part), values=tuple(values), place=places.get(pod_id, LAST))


def place_of(text: str, places: Mapping[PodId, int]) -> Position | Floor:
    """What the ledger keeps of one pod: how far the list has come in it, or behind what it begins there."""
    return Position.of(text) if isinstance(json.loads(text)[2], list) else Floor.of(text, places)


class Stream:
    """One pod's side of a merged list."""

    __slots__ = (
        "begun",
        "buffer",
        "floor",
        "has_gaps",
        "has_more",
        "is_failed",
        "is_unsure",
        "known",
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
        #: Behind what was taken last; where that was when this page began.
        self.position = self.begun = position
        #: Whether what a marker names may have moved since it was taken: then the pod is asked behind an earlier one,
        #: and has to begin with something that was taken already.
        self.is_unsure = False
        #: Whether items lack a value that the list is sorted by: markers leave out some of those and repeat others, so
        #: the pod is read from its start. None: nobody has looked.
        self.has_gaps: bool | None = None
        #: What was taken on earlier pages, and is not shown again where it moved to.
        self.known: frozenset[str] = frozenset()
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
        place = 1 if self.is_unsure else 0
        return self.trail[place] if len(self.trail) > place and not self.has_gaps else None

    @property
    def is_blocking(self) -> bool:
        """Whether nothing can be taken before this pod was asked again."""
        return self.has_more and not self.buffer and not self.is_failed
