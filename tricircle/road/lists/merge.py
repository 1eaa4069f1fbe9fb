# SPDX-License-Identifier: Apache-2.0
"""How do the lists of many pods become one? Pure; see ``docs/decisions/0008-lists.md``.

Each pod's list is a stream that is taken in the pod's own order and never re-sorted. Keys are compared between the
heads of streams only. So the union of pages is the whole, whatever a pod's collation or hidden order is: a page ends
with one *position* per pod, and the next one goes on from there.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence

from tricircle.context import PodId
from tricircle.model.pod import Pod
from tricircle.road.listing import Item, Listing, Order, Paging
from tricircle.road.lists.order import Falling, is_moving, sort_value, values_of
from tricircle.road.lists.stream import REMEMBERED, Floor, Position, Stream


class Merge:
    """The streams of all pods, and what is taken from them.

    Does no I/O: ``hungry`` says whom to ask, ``feed`` takes in what they said, ``take`` gives what is sure by now.

    :param places: the rank of every pod in use, asked or not: who goes first where keys are equal
    :param positions: per pod how far the list has come, or, where nothing was taken, behind what it begins; None: at
        its beginning. Pods that are missing begin behind ``floor``, or at their beginning when there is none
    """

    def __init__(
        self,
        listing: Listing,
        order: Order,
        pods: Sequence[Pod],
        *,
        places: Mapping[PodId, int],
        positions: Mapping[PodId, Position | Floor | None],
        floor: Floor | None = None,
    ) -> None:
        self._listing = listing
        self._order = order
        self._falling = tuple(is_descending for _, is_descending in order)
        self._places = places
        self.streams = [
            self._stream(pod, positions.get(pod.id), None if pod.id in positions else floor) for pod in pods
        ]
        for stream in self.streams if is_moving(order) else ():
            self._doubt(stream)
        self._by_place = {stream.place: stream for stream in self.streams}
        self._heads: list[tuple[int, tuple[object, ...], int]] = []
        #: What was taken last.
        self._edge: Floor | None = None
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

    def enters(self, stream: Stream, items: Sequence[Item]) -> bool:
        """Whether a page of a pod that is asked behind something that may have moved begins where nothing was left out:
        with something that was taken before. Else its marker is given up for an earlier one."""
        if not stream.is_unsure:
            return True
        is_at_start = stream.marker is None
        if not is_at_start and not (items and self._is_before(stream, self._entry(stream, items[0]))):
            del stream.trail[1]
            return False
        stream.is_unsure = False
        if is_at_start:
            stream.trail.clear()
        else:
            # If it is still there, it comes again.
            stream.trail.popleft()
        return True

    def restart(self, stream: Stream) -> None:
        """A pod has items without a value that the list is sorted by: it is read from its start, and what belongs to
        earlier pages is dropped."""
        stream.has_gaps = True
        if not stream.seen:
            self._lay_floor(stream)

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
            if self._is_below_floor(stream, entry):
                # The next page goes on behind it, though nothing may be taken here on this one.
                stream.position = Position(part=entry[1], values=entry[2], ids=tuple(stream.trail))
            elif item_id not in stream.known:
                stream.buffer.append(entry)
        stream.has_more = has_more and stream.page > 0
        if was_empty and stream.buffer:
            self._push(stream)
        return stream.has_more or not has_more

    def refuse(self, stream: Stream) -> None:
        """The pod does not know our marker any more: step to an earlier one, or begin anew and drop what was before."""
        if stream.is_unsure:
            del stream.trail[1]
            return
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
        """Where every pod's list stands now, as the ledger keeps it."""
        return {stream.pod.id: self._reached(stream) for stream in self.streams}

    def _reached(self, stream: Stream) -> str | None:
        # Who was read from the start, and failed before it came to where the page begins, is where it was before.
        position = stream.begun if stream.is_failed and stream.floor is not None else stream.position
        if position is not None:
            return position.text()
        # Who failed without a word goes on from where it was. What all others have is behind what was taken last, and
        # what they get before that is not of this list any more.
        is_silent = stream.is_failed and not stream.buffer
        floor = stream.floor if is_silent else self._edge or stream.floor
        return None if floor is None else floor.text(self._places)

    def _stream(self, pod: Pod, known: Position | Floor | None, floor: Floor | None) -> Stream:
        place = self._places[pod.id]
        return Stream(pod, place, None, known) if isinstance(known, Floor) else Stream(pod, place, known, floor)

    @staticmethod
    def _doubt(stream: Stream) -> None:
        """Believe no position of an earlier page in an order in which things move."""
        if stream.position is not None and not stream.position.is_fresh:
            stream.is_unsure = True
            Merge._lay_floor(stream)

    @staticmethod
    def _lay_floor(stream: Stream) -> None:
        """Let the page begin behind the position, wherever the pod is read from."""
        if (position := stream.position) is None:
            return
        stream.known = frozenset(position.ids)
        stream.floor = Floor(part=position.part, values=position.values, place=stream.place, item_id=position.ids[0])

    def _pop(self, stream: Stream, part: int) -> Item:
        item, _, values = stream.buffer.popleft()
        earlier = stream.position.ids[: REMEMBERED - 1] if stream.position else ()
        ids = (str(item.get(self._listing.id_key, "")), *earlier)
        stream.position = Position(part=part, values=values, ids=ids)
        self._edge = Floor(part=part, values=values, place=stream.place)
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

    def _is_below_floor(self, stream: Stream, entry: tuple[Item, int, tuple[object, ...]]) -> bool:
        """Whether an item belongs to an earlier page. The floor is gone with the first that does not, and with the very
        item that it was laid behind."""
        if stream.floor is None:
            return False
        is_before = self._is_before(stream, entry)
        if not is_before or self._is_floors(stream, entry):
            stream.floor = None
        return is_before

    def _is_before(self, stream: Stream, entry: tuple[Item, int, tuple[object, ...]]) -> bool:
        floor = stream.floor
        if floor is None:
            return False
        head, edge = (entry[1], self._key(entry[2])), (floor.part, self._key(floor.values))
        return head < edge or (head == edge and stream.place <= floor.place) or self._is_floors(stream, entry)

    def _is_floors(self, stream: Stream, entry: tuple[Item, int, tuple[object, ...]]) -> bool:
        item, part, values = entry
        floor = stream.floor
        is_same = floor is not None and (part, values) == (floor.part, floor.values)
        return is_same and floor is not None and str(item.get(self._listing.id_key, "")) == floor.item_id

    def _push(self, stream: Stream) -> None:
        heapq.heappush(self._heads, self._head(stream))

    def _head(self, stream: Stream) -> tuple[int, tuple[object, ...], int]:
        _, part, values = stream.buffer[0]
        reached = stream.position.part if stream.position else 0
        return max(part, reached), self._key(values), stream.place

    def _key(self, values: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(
            Falling(sort_value(value)) if is_falling else sort_value(value)
            for value, is_falling in zip(values[: self._depth], self._falling, strict=False)
        )
