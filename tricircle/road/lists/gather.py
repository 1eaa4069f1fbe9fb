# SPDX-License-Identifier: Apache-2.0
"""How is one list made of many pods' lists, in the time that the slowest good pod takes? See
``docs/decisions/0008-lists.md``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from tricircle.context import PodId
from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod
from tricircle.road.gaps import DISABLED, TOO_OLD, Gap, told
from tricircle.road.listing import Item, Listing, Paging
from tricircle.road.lists.access import Access
from tricircle.road.lists.marks import Marks
from tricircle.road.lists.merge import Merge
from tricircle.road.lists.paging import Wish, about, next_query, pod_query, wish_of
from tricircle.road.lists.rounds import Rounds
from tricircle.road.lists.run import Run
from tricircle.road.needs import KnownPositions
from tricircle.road.row import Row

_NOBODY = "No availability zone answers. Please try again later."


class Gatherer:
    """Makes merged lists for one door.

    :param list_deadline_s: how long pods are waited for, all together
    """

    def __init__(self, access: Access, positions: KnownPositions, *, list_deadline_s: float) -> None:
        self._access = access
        self._marks = Marks(access, positions)
        self._rounds = Rounds(access, list_deadline_s=list_deadline_s)
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
        items = await self._rounds.collect(run)
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

    async def _begin(self, request: Request, row: Row, wish: Wish, pods: Sequence[Pod], meant: Sequence[Pod]) -> Run:
        listing = row.listing or Listing(paging=Paging.NONE)
        deadline = request.context.deadline.within(self._list_deadline_s)
        asked = [pod for pod in pods if pod in meant and pod_query(wish, listing, pod, size=0, marker=None) is not None]
        path = request.root + (row.detail_path or request.path[len(request.root) :])
        loaded = {} if wish.marker is None else await self._marks.loaded(request, row, wish, wish.marker)
        places = {pod.id: place for place, pod in enumerate(pods)}
        positions, floor = await self._marks.place(request, row, wish, places, loaded, deadline)
        merge = Merge(listing, wish.order, asked, places=places, positions=positions, floor=floor)
        return Run(request, row, listing, wish, merge, path, deadline, loaded)

    async def _refusal(self, run: Run, pods: Sequence[Pod]) -> Answer | None:
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

    async def _unanswered(self, run: Run) -> Answer:
        """What is said when no pod gave a list: their refusal, which they all share, or that nobody is there."""
        for stream in run.merge.streams:
            if stream.pod.id in run.refusals:
                return await self._access.refusal(run.request, stream.pod, run.refusals[stream.pod.id])
        raise UnavailableError(_NOBODY)

    @staticmethod
    async def _absent(run: Run, items: Sequence[tuple[Pod, Item]]) -> list[Item]:
        """What stands for what pods hold that do not answer. Who refuses is there."""
        down = [pod for pod, _ in run.missing if pod.id not in run.refusals]
        room = run.wish.limit - len(items)
        if run.row.stand_ins is None or not down or room <= 0:
            return []
        # A pod may have ended in the middle of its list.
        there = {item.get(run.listing.id_key) for _, item in items}
        found = await run.row.stand_ins(run.request, down, room)
        return [item for item in found if item.get(run.listing.id_key) not in there]

    async def _answer(self, run: Run, items: Sequence[tuple[Pod, Item]], absent: list[Item]) -> Answer:
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
            await self._marks.remember(run, marker)
            if is_full and run.listing.links is not None:
                href = self._access.page_link(run.request, next_query(run.request.query_pairs(), marker))
                body[run.listing.links] = [{"rel": "next", "href": href}]
        gaps = [Gap(pod, reason) for pod, reason in run.missing]
        return Answer.json(200, body, told(self._access.door_name, run.row.path, gaps))
