# SPDX-License-Identifier: Apache-2.0
"""How do the lists of many pods become one? Pure; see ``docs/decisions/0008-lists.md``.

Each pod's list is a stream that is taken in the pod's own order and never re-sorted. Keys are compared between the
heads of streams only. So the union of pages is the whole, whatever a pod's collation or hidden order is: a page ends
with one *position* per pod, and the next one goes on from there.
"""

import heapq
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tricircle.context import PodId
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.collation import key
from tricircle.road.zone_filter import ZoneFilter

Item = dict[str, object]
Query = list[tuple[str, str]]
#: (sort key as the API names it, whether it is descending), most significant first.
Order = tuple[tuple[str, bool], ...]
#: Of so many items a position remembers the id, so that it survives the deletion of the last ones.
REMEMBERED = 8
_ZONE_KEY = "availability_zone"


class Paging(StrEnum):
    """How a service names order and place in a query."""

    NOVA = "nova"  # sort_key and sort_dir repeated; an unknown marker is 400
    CINDER = "cinder"  # sort=a:asc,b or sort_key and sort_dir; offset; with_count; an unknown marker is 404
    NONE = "none"  # the whole list at once


@dataclass(frozen=True, slots=True)
class Declared:
    """A filter that names a declared thing by its id, which may be another one in each pod.

    :ivar needs_copy: a pod without a copy holds nothing of it, though it may have something of its own by that id;
        else it is asked by the id as it is
    """

    kind: Kind
    needs_copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the road must know to merge a collection of pods.

    :ivar order: the order when the client names none
    :ivar ties: sort keys that the service appends to the client's, in the direction of the first
    :ivar unique: sort key that Nova appends to the client's (not to ``order``) together with one direction, rising
    :ivar ignored: sort keys that the service takes and passes over, with their directions
    :ivar is_blind: items do not show what their service sorts them by: the list is that of one pod after the other
    :ivar hidden: sort keys of which items show nothing that sorts alike, or only some items do: what is equal in the
        keys before one of these comes pod after pod, as does what lacks a key's field
    :ivar fields: JSON fields of sort keys that have another name there (``{"image_ref": "image/id"}``)
    :ivar brief: keys of an item that stay when the row's path is the brief list; None when the row is the detailed one
    :ivar links: JSON key of the page links; None when the service sends none: then a pod is asked until it has no more
    :ivar noun: what an unknown marker is called in the error (``Volume``)
    :ivar id_key: JSON key of what a marker names
    :ivar zone_filter: the filter by AZ; None: the service has none, or knows it for nobody
    :ivar declared: filters that name declared things
    :ivar rank: which part of a pod's list an item belongs to, lowest first, whatever the sort key; a pod lists its
        parts one after the other (Nova: servers that were not handed to a cell, then the rest). None: one part
    :ivar adapt: a pod's query from the client's (without marker, limit, offset); None: this pod cannot hold an answer
    """

    paging: Paging
    order: Order = (("created_at", True),)
    ties: tuple[str, ...] = ("created_at",)
    unique: str | None = None
    ignored: frozenset[str] = frozenset()
    is_blind: bool = False
    hidden: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)
    brief: tuple[str, ...] | None = None
    links: str | None = None
    noun: str = "Resource"
    id_key: str = "id"
    zone_filter: ZoneFilter | None = None
    declared: Mapping[str, Declared] = field(default_factory=dict)
    rank: Callable[[Item], int] | None = None
    adapt: Callable[[Query, Pod], Query | None] | None = None


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


class _Falling:
    """Turns the order of one sort value round."""

    __slots__ = ("value",)

    def __init__(self, value: tuple[int, object]) -> None:
        self.value = value

    def __lt__(self, other: "_Falling") -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def sort_value(value: object) -> tuple[int, object]:
    """A value that can be compared with any other: null first, then numbers, then texts.

    Texts are compared as the services' databases do.

    >>> sort_value("b") > sort_value("A") > sort_value(7) > sort_value(None)
    True
    """
    if isinstance(value, bool | int | float):
        return 1, value
    if not isinstance(value, str):
        return 0, 0
    return 2, key(value)


def visible(order: Order, listing: Listing) -> Order:
    """The part of an order that items of all pods show. What a pod has several AZs for, shows one.

    >>> visible((("a", True), ("b", True)), Listing(paging=Paging.NOVA, hidden=frozenset({"b"})))
    (('a', True),)
    """
    for place, (name, _) in enumerate(order):
        if name in listing.hidden:
            return order[:place]
        if name == _ZONE_KEY:
            return order[: place + 1]
    return order


def values_of(item: Item, pod: Pod, listing: Listing, order: Order) -> tuple[object, ...]:
    """What of an item decides its place between pods, up to the first key that it does not show; only what JSON can
    hold."""
    found: list[object] = []
    for name, _ in order:
        if name == _ZONE_KEY:
            found.append(pod.az_name)
            continue
        path = listing.fields.get(name, name).split("/")
        if path[0] not in item:
            break
        value: object = item
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        found.append(value if isinstance(value, str | int | float) else None)
    return tuple(found)


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


class Merge:
    """The streams of all pods, and what is taken from them.

    Does no I/O: ``hungry`` says whom to ask, ``feed`` takes in what they said, ``take`` gives what is sure by now.

    :param places: the rank of every pod in use, asked or not: who goes first where keys are equal
    :param positions: per pod how far the list has come; None: nothing was taken there. Pods that are missing begin
        behind ``floor``, or at their beginning when there is none
    """

    def __init__(
        self,
        listing: Listing,
        order: Order,
        pods: Sequence[Pod],
        *,
        places: Mapping[PodId, int],
        positions: Mapping[PodId, Position | None],
        floor: Floor | None = None,
    ) -> None:
        self._listing = listing
        self._order = order
        self._falling = tuple(is_descending for _, is_descending in order)
        self.streams = [
            Stream(pod, places[pod.id], positions.get(pod.id), None if pod.id in positions else floor) for pod in pods
        ]
        self._by_place = {stream.place: stream for stream in self.streams}
        self._heads: list[tuple[int, tuple[object, ...], int]] = []
        known = [floor.values] if floor is not None else []
        known += [position.values for position in positions.values() if position is not None]
        #: How many of the order's keys all items show that were seen: only these count.
        self._depth = min((len(order), *map(len, known)))

    def hungry(self, wanted: int) -> list[Stream]:
        """Which pods to ask now so that ``wanted`` more items can be taken; none when nothing is in the way."""
        if not any(stream.is_blocking for stream in self.streams):
            return []
        return [
            stream
            for stream in self.streams
            if stream.has_more and not stream.is_failed and len(stream.buffer) < max(1, min(wanted, stream.page))
        ]

    def unfilled(self, wanted: int) -> list[Stream]:
        """Which pods to ask so that ``wanted`` more items can be taken whatever the others say."""
        return [
            stream
            for stream in self.streams
            if stream.has_more and not stream.is_failed and len(stream.buffer) < max(1, wanted)
        ]

    def feed(self, stream: Stream, items: Iterable[Item], *, has_more: bool) -> bool:
        """Take in a page. ``has_more`` is the pod's word; a page without anything new ends the stream whatever it says.

        What was received before and has moved since is left out. False when the pod says that there is more and has
        nothing new.
        """
        was_empty = not stream.buffer
        is_paged = self._listing.paging is not Paging.NONE
        stream.page = 0
        for item in items:
            item_id = str(item.get(self._listing.id_key, ""))
            if is_paged and item_id in stream.seen:
                continue
            stream.page += 1
            stream.seen.add(item_id)
            stream.trail.appendleft(item_id)
            entry = self._entry(stream, item)
            self._see(len(entry[2]))
            stream.last = entry[1:]
            if self._is_before_floor(stream, entry):
                # The next page goes on behind it, though nothing may be taken here on this one.
                stream.position = Position(part=entry[1], values=entry[2], ids=tuple(stream.trail))
            else:
                stream.buffer.append(entry)
        stream.has_more = has_more and stream.page > 0
        if was_empty and stream.buffer:
            self._push(stream)
        return stream.has_more or not has_more

    def refuse(self, stream: Stream) -> None:
        """The pod does not know our marker any more: step to an earlier one, or begin anew and drop what was before."""
        stream.trail.popleft()
        stream.seen.clear()
        if not stream.trail and stream.last is not None:
            part, values = stream.last
            stream.floor = Floor(part=part, values=values, place=stream.place)

    def fail(self, stream: Stream) -> None:
        """The pod does not answer: what was received stays, more does not come."""
        stream.is_failed = True

    def take(self, count: int) -> list[tuple[Pod, Item]]:
        """Up to ``count`` items in order; fewer when the end is reached or somebody must be asked first."""
        taken: list[tuple[Pod, Item]] = []
        if any(stream.is_blocking for stream in self.streams):
            return taken
        while len(taken) < count and self._heads:
            part, _, place = heapq.heappop(self._heads)
            stream = self._by_place[place]
            while True:
                taken.append((stream.pod, self._pop(stream, part)))
                if len(taken) == count or not stream.buffer:
                    break
                head = self._head(stream)
                if self._heads and self._heads[0] < head:
                    break
                part = head[0]
            if stream.buffer:
                self._push(stream)
            elif stream.is_blocking:
                break
        return taken

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left, as far as pods that answer say. Meaningless while somebody is hungry."""
        return not self._heads and not any(stream.is_blocking for stream in self.streams)

    def positions(self) -> dict[PodId, str | None]:
        """Where every pod's list stands now, as the ledger keeps it; without those where nobody knows."""
        return {
            stream.pod.id: stream.position.text() if stream.position else None
            for stream in self.streams
            if stream.position is not None or stream.floor is None
        }

    def _pop(self, stream: Stream, part: int) -> Item:
        item, _, values = stream.buffer.popleft()
        earlier = stream.position.ids[: REMEMBERED - 1] if stream.position else ()
        ids = (str(item.get(self._listing.id_key, "")), *earlier)
        stream.position = Position(part=part, values=values, ids=ids)
        return item

    def _entry(self, stream: Stream, item: Item) -> tuple[Item, int, tuple[object, ...]]:
        part = 0 if self._listing.rank is None else self._listing.rank(item)
        return item, part, values_of(item, stream.pod, self._listing, self._order)

    def _see(self, depth: int) -> None:
        """Somebody shows no more than so many of the keys: nothing is compared by others from now on."""
        if depth < self._depth:
            self._depth = depth
            self._heads = [self._head(stream) for stream in self.streams if stream.buffer]
            heapq.heapify(self._heads)

    def _is_before_floor(self, stream: Stream, entry: tuple[Item, int, tuple[object, ...]]) -> bool:
        floor = stream.floor
        if floor is None:
            return False
        head = entry[1], self._key(entry[2]), stream.place
        if head < (floor.part, self._key(floor.values), floor.place):
            return True
        if floor.place == stream.place and head == (floor.part, self._key(floor.values), floor.place):
            return True
        stream.floor = None
        return False

    def _push(self, stream: Stream) -> None:
        heapq.heappush(self._heads, self._head(stream))

    def _head(self, stream: Stream) -> tuple[int, tuple[object, ...], int]:
        _, part, values = stream.buffer[0]
        reached = stream.position.part if stream.position else 0
        return max(part, reached), self._key(values), stream.place

    def _key(self, values: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(
            _Falling(sort_value(value)) if is_falling else sort_value(value)
            for value, is_falling in zip(values[: self._depth], self._falling, strict=False)
        )
