# SPDX-License-Identifier: Apache-2.0
"""How is one list made of many pods' lists, in the time that the slowest good pod takes? See
``docs/decisions/0008-lists.md``."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.errors import (
    BadUpstreamAnswerError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    TricircleError,
    UnavailableError,
)
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.road.credible import checked_page
from tricircle.road.gaps import DISABLED, TOO_OLD, Gap, told
from tricircle.road.merge import Floor, Item, Listing, Merge, Paging, Position, Stream, values_of
from tricircle.road.needs import KnownPositions
from tricircle.road.paging import Wish, about, list_key, next_query, page_size, pod_query, wish_of
from tricircle.road.rewrite import Shape
from tricircle.road.row import Row
from tricircle.upstream.reply import Reply

LOG = logging.getLogger(__name__)

#: The part of the list deadline after which who has not answered is called late.
_PATIENCE = 0.25
#: Behind every pod.
_LAST = 1 << 30
#: What a list may be ordered by to go on behind an item of a pod that does not answer.
_WRITTEN = frozenset(("created_at", "id", "uuid"))
_NOBODY = "No availability zone answers. Please try again later."


class Access(Protocol):
    """What gathering needs of a carrier."""

    async def page(self, request: Request, pod: Pod, path: str, query: str, deadline: Deadline) -> Reply:
        """One GET to this door's service of ``pod``; links in the body are ours already."""
        ...

    async def shaped_items(
        self, items: Sequence[tuple[Pod, Item]], shape: Shape | None, context: RequestContext
    ) -> list[Item]:
        """Items of several pods made ours, in the given order."""
        ...

    async def find(self, request: Request, row: Row, marker: str, deadline: Deadline) -> tuple[Pod, Item]:
        """One item of a row's collection and its pod. Raises as ``Carrier.locate``."""
        ...

    async def written(self, row: Row, marker: str, context: RequestContext) -> tuple[Pod, datetime] | None:
        """The pod of one item of a row's collection, and when it was made, as it is written down; None: it is not."""
        ...

    async def copies(self, kind: Kind, central_id: str) -> Mapping[PodId, str]:
        """The id of a declared thing in each pod that has a copy."""
        ...

    def refusal(self, request: Request, pod: Pod, reply: Reply) -> Awaitable[Answer]:
        """A pod's error as it leaves."""
        ...

    def page_link(self, request: Request, query: str) -> str:
        """An absolute URL of the request's own path with another query."""
        ...

    @property
    def door_name(self) -> str:
        """For keys and metrics."""
        ...


@dataclass(slots=True)
class _Run:
    """What happens while one list is made."""

    request: Request
    row: Row
    listing: Listing
    wish: Wish
    merge: Merge
    path: str
    deadline: Deadline
    loaded: dict[PodId, str | None] = field(default_factory=dict)
    refusals: dict[PodId, Reply] = field(default_factory=dict)
    answered: set[PodId] = field(default_factory=set)
    counts: dict[PodId, int] = field(default_factory=dict)
    missing: list[tuple[Pod, str]] = field(default_factory=list)
    pending: dict[asyncio.Task[None], Stream] = field(default_factory=dict)
    is_late: bool = False

    @property
    def owner(self) -> ProjectId | None:
        """Whose items pods may show; None: anybody's."""
        context = self.request.context
        is_wide = context.is_admin or any(name.startswith("all_") for name, _ in self.wish.filters)
        return None if is_wide else context.project_id or None


class Gatherer:
    """Makes merged lists for one door.

    :param list_deadline_s: how long pods are waited for, all together
    """

    def __init__(self, access: Access, positions: KnownPositions, *, list_deadline_s: float) -> None:
        self._access = access
        self._positions = positions
        self._list_deadline_s = list_deadline_s

    async def gather(
        self,
        request: Request,
        row: Row,
        pods: Sequence[Pod],
        *,
        older: Sequence[Pod] = (),
        disabled: Sequence[Pod] = (),
    ) -> Answer:
        """The merged list of ``pods`` as one service would answer it.

        Pods that do not answer are named in ``gaps.INCOMPLETE_HEADER`` by their AZs, and so are those that are not
        asked: of ``older``, since they do not have the microversion, and of ``disabled``.

        :raises InvalidRequestError, NotFoundError: the marker names nothing (compute; block storage)
        :raises UnavailableError: no pod answers, or the marker's place cannot be known now
        """
        listing = row.listing
        if listing is None or row.collection is None:
            raise ValueError(f"{row.path} is not a list")
        zones = listing.zone_filter
        is_zoned = zones is not None and zones.is_honoured(request.context, request.microversion)
        wish = wish_of(request.query_pairs(), listing, is_zoned=is_zoned)
        wish = replace(wish, copies=await self._copies(wish, listing))
        meant = about([*pods, *older, *disabled], wish, listing)
        run = await self._begin(request, row, wish, pods, meant)
        for unasked, reason in ((older, TOO_OLD), (disabled, DISABLED)):
            run.missing += [(pod, reason) for pod in unasked if pod in meant]
        try:
            items = await self._collect(run)
        finally:
            await _end(run.pending)
        absent = await self._absent(run, items)
        if not run.merge.streams and (refusal := await self._refusal(run, pods)) is not None:
            return refusal
        if run.merge.streams and not run.answered and not absent:
            return await self._unanswered(run)
        return await self._answer(run, items, absent)

    async def _copies(self, wish: Wish, listing: Listing) -> dict[tuple[str, str], Mapping[PodId, str]]:
        """The ids in pods of what the filters name."""
        named = [(name, value) for name, value in wish.filters if name in listing.declared and value]
        return {(name, value): await self._access.copies(listing.declared[name].kind, value) for name, value in named}

    async def _begin(self, request: Request, row: Row, wish: Wish, pods: Sequence[Pod], meant: Sequence[Pod]) -> _Run:
        listing = row.listing or Listing(paging=Paging.NONE)
        deadline = request.context.deadline.within(self._list_deadline_s)
        asked = [pod for pod in pods if pod in meant and pod_query(wish, listing, pod, size=0, marker=None) is not None]
        path = request.root + (row.detail_path or request.path[len(request.root) :])
        loaded = {} if wish.marker is None else await self._loaded(request, row, wish, wish.marker)
        places = {pod.id: place for place, pod in enumerate(pods)}
        positions, floor = await self._place(request, row, wish, places, loaded, deadline)
        merge = Merge(listing, wish.order, asked, places=places, positions=positions, floor=floor)
        return _Run(request, row, listing, wish, merge, path, deadline, loaded)

    async def _place(
        self,
        request: Request,
        row: Row,
        wish: Wish,
        places: Mapping[PodId, int],
        loaded: Mapping[PodId, str | None],
        deadline: Deadline,
    ) -> tuple[dict[PodId, Position | None], Floor | None]:
        """Where the page begins: in each pod, or behind an item if that is not known."""
        listing = row.listing
        if wish.marker is None or listing is None:
            return {}, None
        positions = {pod_id: Position.of(text) if text else None for pod_id, text in loaded.items()}
        for pod_id, position in positions.items():
            if position is not None and position.ids[0] == wish.marker:
                return positions, _floor(position, places.get(pod_id))
        pod, item = await self._marked(request, row, wish.marker, wish, deadline)
        part = 0 if listing.rank is None else listing.rank(item)
        values = values_of(item, pod, listing, wish.order)
        own = Position(part=part, values=values, ids=(wish.marker,))
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

    async def _loaded(self, request: Request, row: Row, wish: Wish, marker: str) -> dict[PodId, str | None]:
        try:
            return await self._positions.load(self._key(request, row, wish), marker) or {}
        except UnavailableError:
            LOG.warning("positions of a list cannot be read; they are worked out anew")
            return {}

    async def _collect(self, run: _Run) -> list[tuple[Pod, Item]]:
        """The page's items: take what is sure, ask whoever is in the way, again and again."""
        wanted = run.wish.offset + run.wish.limit
        items: list[tuple[Pod, Item]] = []
        while True:
            items += run.merge.take(wanted - len(items))
            left = wanted - len(items)
            hungry = run.merge.hungry(left)
            if not hungry or (left == 0 and run.answered):
                return items[run.wish.offset :]
            # While somebody is late the others fetch all that they may have to give: when the time is over there is
            # none left for further questions.
            asked = run.merge.unfilled(left + 1) if run.is_late else hungry
            self._ask(run, asked, page_size(left, len(run.merge.streams)))
            await self._heard(run)

    def _ask(self, run: _Run, streams: Sequence[Stream], size: int) -> None:
        busy = set(map(id, run.pending.values()))
        for stream in streams:
            if id(stream) not in busy:
                task = asyncio.create_task(self._ask_one(run, stream, size), name=f"gather {run.path}")
                run.pending[task] = stream

    async def _heard(self, run: _Run) -> None:
        """Wait for all who were asked; once that has taken long, for anybody."""
        patience_s = None if run.is_late else self._list_deadline_s * _PATIENCE
        when = asyncio.FIRST_COMPLETED if run.is_late else asyncio.ALL_COMPLETED
        done, late = await asyncio.wait(run.pending, timeout=patience_s, return_when=when)
        run.is_late = run.is_late or bool(late)
        for task in done:
            del run.pending[task]
            task.result()  # what goes wrong with one pod is written down by its own task: this raises for a bug only

    async def _ask_one(self, run: _Run, stream: Stream, size: int) -> None:
        try:
            body = await self._page(run, stream, size)
        except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError) as error:
            self._miss(run, stream, type(error).__name__)
            return
        if body is None:
            return
        is_paged = run.listing.paging is not Paging.NONE
        try:
            items = checked_page(
                body.get(run.row.collection or ""),
                id_key=run.listing.id_key if is_paged else None,
                marker=stream.marker,
                project_id=run.owner,
            )
        except BadUpstreamAnswerError as error:
            self._miss(run, stream, error.message)
            return
        run.answered.add(stream.pod.id)
        if isinstance(count := body.get("count"), int):
            run.counts.setdefault(stream.pod.id, count)
        if not run.merge.feed(stream, items, has_more=_says_more(body, run)):
            self._miss(run, stream, "more pages without anything new")

    async def _page(self, run: _Run, stream: Stream, size: int) -> dict[str, object] | None:
        """One page of one pod; None when it has nothing to say (its refusal is written down)."""
        while True:
            marker = stream.marker
            query = pod_query(run.wish, run.listing, stream.pod, size=size, marker=marker)
            reply = await self._access.page(run.request, stream.pod, run.path, query or "", run.deadline)
            if reply.status < 300:
                return reply.json()
            if reply.status >= 500:
                raise BadUpstreamAnswerError(f"status {reply.status}")
            if not _is_about(reply, marker):
                run.refusals[stream.pod.id] = reply
                self._miss(run, stream, f"status {reply.status}")
                return None
            run.merge.refuse(stream)

    async def _refusal(self, run: _Run, pods: Sequence[Pod]) -> Answer | None:
        """What the service says against a list to which no pod can give anything: the first that answers is asked for
        it, and whatever it holds is none of the caller's business."""
        query = list(run.wish.filters)
        if run.listing.paging is not Paging.NONE and "limit" not in dict(query):
            query.append(("limit", "1"))
        for pod in pods:
            try:
                reply = await self._access.page(run.request, pod, run.path, urlencode(query), run.deadline)
                if reply.status < 300 and "count" in reply.json():
                    run.counts[pod.id] = 0
            except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError):
                continue
            if reply.status < 500:
                return None if reply.status < 300 else await self._access.refusal(run.request, pod, reply)
        return None

    @staticmethod
    def _miss(run: _Run, stream: Stream, reason: str) -> None:
        run.merge.fail(stream)
        run.missing.append((stream.pod, reason))

    async def _unanswered(self, run: _Run) -> Answer:
        """What is said when no pod gave a list: their refusal, which they all share, or that nobody is there."""
        for stream in run.merge.streams:
            if stream.pod.id in run.refusals:
                return await self._access.refusal(run.request, stream.pod, run.refusals[stream.pod.id])
        raise UnavailableError(_NOBODY)

    @staticmethod
    async def _absent(run: _Run, items: Sequence[tuple[Pod, Item]]) -> list[Item]:
        """What stands for what pods hold that do not answer. Who refuses is there."""
        down = [pod for pod, _ in run.missing if pod.id not in run.refusals]
        room = run.wish.limit - len(items)
        if run.row.stand_ins is None or not down or room <= 0:
            return []
        # A pod may have ended in the middle of its list.
        there = {item.get(run.listing.id_key) for _, item in items}
        found = await run.row.stand_ins(run.request, down, room)
        return [item for item in found if item.get(run.listing.id_key) not in there]

    async def _answer(self, run: _Run, items: Sequence[tuple[Pod, Item]], absent: list[Item]) -> Answer:
        shown = await self._access.shaped_items(items, run.row.shape, run.request.context)
        if run.listing.brief is not None:
            shown = [{key: item[key] for key in run.listing.brief if key in item} for item in shown]
        body: dict[str, object] = {run.row.collection or "": absent + shown}
        if run.wish.is_counting and run.counts:
            body["count"] = sum(run.counts.values())
        # As Nova and Cinder: a link with every full page, so the last one may lead to an empty page. Cinder, asked for
        # the number of all, takes a page for full when all would fill it.
        size = max(len(items), sum(run.counts.values()) if run.wish.is_counting else 0)
        is_full = bool(items) and size >= run.wish.limit
        if items and run.listing.paging is not Paging.NONE and (is_full or run.wish.is_bounded):
            marker = str(items[-1][1].get(run.listing.id_key, ""))
            await self._remember(run, marker)
            if is_full and run.listing.links is not None:
                href = self._access.page_link(run.request, next_query(run.request.query_pairs(), marker))
                body[run.listing.links] = [{"rel": "next", "href": href}]
        gaps = [Gap(pod, reason) for pod, reason in run.missing]
        return Answer.json(200, body, told(self._access.door_name, run.row.path, gaps))

    async def _remember(self, run: _Run, marker: str) -> None:
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


async def _end(pending: dict[asyncio.Task[None], Stream]) -> None:
    """Stop waiting for whoever was asked."""
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    pending.clear()


def _floor(position: Position, place: int | None) -> Floor:
    """Behind an item; when its pod is not in use any more, behind everything that sorts equal to it."""
    return Floor(part=position.part, values=position.values, place=_LAST if place is None else place)


def _says_more(body: Mapping[str, object], run: _Run) -> bool:
    if run.listing.paging is Paging.NONE:
        return False
    if run.listing.links is None:
        return True
    links = body.get(run.listing.links)
    return isinstance(links, list) and any(isinstance(link, dict) and link.get("rel") == "next" for link in links)


def _is_about(reply: Reply, marker: str | None) -> bool:
    """Whether a refusal says that the marker is unknown: only then it names it."""
    if marker is None or reply.status not in (400, 404) or not isinstance(reply.body, bytes):
        return False
    return marker.encode() in reply.body


def _unknown_marker(listing: Listing, marker: str) -> TricircleError:
    if listing.paging is Paging.CINDER:
        return NotFoundError(f"{listing.noun} {marker} could not be found.")
    return InvalidRequestError(f"marker [{marker}] not found")
