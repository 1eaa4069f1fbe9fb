# SPDX-License-Identifier: Apache-2.0
"""Where does a page of a list begin, and what is kept for the next one? See ``docs/decisions/0008-lists.md``."""

import logging
from collections.abc import Mapping

from tricircle.context import Deadline, PodId
from tricircle.errors import InvalidRequestError, NotFoundError, TricircleError, UnavailableError
from tricircle.http.message import Request
from tricircle.model.pod import Pod
from tricircle.road.listing import Item, Listing, Paging
from tricircle.road.lists.access import Access
from tricircle.road.lists.order import values_of
from tricircle.road.lists.paging import Wish, list_key
from tricircle.road.lists.run import Run
from tricircle.road.lists.stream import LAST, Floor, Position, place_of
from tricircle.road.needs import KnownPositions
from tricircle.road.row import Row

LOG = logging.getLogger(__name__)

#: What a list may be ordered by to go on behind an item of a pod that does not answer.
_WRITTEN = frozenset(("created_at", "id", "uuid"))


class Marks:
    """Finds and keeps the places between the pages of one door's lists."""

    def __init__(self, access: Access, positions: KnownPositions) -> None:
        self._access = access
        self._positions = positions

    async def loaded(self, request: Request, row: Row, wish: Wish, marker: str) -> dict[PodId, str | None]:
        """What was kept when the page ended that ``marker`` is the last item of; empty: nothing."""
        try:
            return await self._positions.load(self._key(request, row, wish), marker) or {}
        except UnavailableError:
            LOG.warning("positions of a list cannot be read; they are worked out anew")
            return {}

    async def place(
        self,
        request: Request,
        row: Row,
        wish: Wish,
        places: Mapping[PodId, int],
        loaded: Mapping[PodId, str | None],
        deadline: Deadline,
    ) -> tuple[dict[PodId, Position | Floor | None], Floor | None]:
        """Where the page begins: in each pod, or behind an item if that is not known."""
        listing = row.listing
        if wish.marker is None or listing is None:
            return {}, None
        positions = {pod_id: place_of(text, places) if text else None for pod_id, text in loaded.items()}
        for pod_id, position in positions.items():
            if isinstance(position, Position) and position.ids[0] == wish.marker:
                return positions, _floor(position, places.get(pod_id))
        pod, item = await self._marked(request, row, wish.marker, wish, deadline)
        part = 0 if listing.rank is None else listing.rank(item)
        values = values_of(item, pod, listing, wish.order)
        own = Position(part=part, values=values, ids=(wish.marker,), is_fresh=True)
        return {pod.id: own}, _floor(own, places.get(pod.id))

    async def _marked(
        self, request: Request, row: Row, marker: str, wish: Wish, deadline: Deadline
    ) -> tuple[Pod, Item]:
        """The item that a marker names and its pod. While the pod is away, what is written down of the item does, if
        that is all that the list is ordered by.
        """
        listing = row.listing or Listing(paging=Paging.NONE)
        try:
            return await self._access.find(request, row, marker, deadline)
        except NotFoundError as error:
            raise _unknown_marker(listing, marker) from error
        except UnavailableError:
            found = await self._access.written(row, marker, request.context)
            if found is None or not {name for name, _ in wish.order} <= _WRITTEN:
                raise
            pod, born = found
            form = "%Y-%m-%dT%H:%M:%SZ" if listing.paging is Paging.NOVA else "%Y-%m-%dT%H:%M:%S.000000"
            return pod, {"id": marker, listing.fields.get("created_at", "created_at"): born.strftime(form)}

    async def remember(self, run: Run, marker: str) -> None:
        """Keep how far the list has come in each pod."""
        # A pod that is switched off keeps its place until it is back.
        positions = {**run.loaded, **run.merge.positions()}
        try:
            await self._positions.save(self._key(run.request, run.row, run.wish), marker, positions)
        except TricircleError:
            # The next page is worked out anew from the marker's sort values.
            LOG.warning("positions of a list cannot be written")

    def _key(self, request: Request, row: Row, wish: Wish) -> str:
        path = row.detail_path or row.path
        return list_key(request.context.project_id, self._access.door_name, path, wish)


def _floor(position: Position, place: int | None) -> Floor:
    """Behind an item; when its pod is not in use any more, behind everything that sorts equal to it."""
    return Floor(part=position.part, values=position.values, place=LAST if place is None else place)


def _unknown_marker(listing: Listing, marker: str) -> TricircleError:
    if listing.paging is Paging.CINDER:
        text = listing.noun if "{}" in listing.noun else f"{listing.noun} {{}} could not be found."
        return NotFoundError(text.replace("{}", marker))
    return InvalidRequestError(f"marker [{marker}] not found")
