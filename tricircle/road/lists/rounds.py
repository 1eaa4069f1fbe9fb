# SPDX-License-Identifier: Apache-2.0
"""Who is asked for what, and for how long, until a page is full?"""

import asyncio
from collections.abc import Mapping, Sequence

from tricircle.errors import BadUpstreamAnswerError, OutcomeUnknownError, UnavailableError
from tricircle.model.pod import Pod
from tricircle.road.credible import checked_page
from tricircle.road.listing import Item, Paging
from tricircle.road.lists.access import Access
from tricircle.road.lists.order import lacks
from tricircle.road.lists.paging import LONGEST_PAGE, doubtful, first_by, page_size, pod_query
from tricircle.road.lists.run import Run
from tricircle.road.lists.stream import Stream
from tricircle.upstream.reply import Reply

#: The part of the list deadline after which who has not answered is called late.
_PATIENCE = 0.25


class Rounds:
    """Asks pods for the pages that one list is made of.

    :param list_deadline_s: how long pods are waited for, all together
    """

    def __init__(self, access: Access, *, list_deadline_s: float) -> None:
        self._access = access
        self._list_deadline_s = list_deadline_s

    async def collect(self, run: Run) -> list[tuple[Pod, Item]]:
        """The page's items. Nobody is being asked any more when it returns."""
        try:
            return await self._collect(run)
        finally:
            await _end(run.pending)

    async def _collect(self, run: Run) -> list[tuple[Pod, Item]]:
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

    def _ask(self, run: Run, streams: Sequence[Stream], size: int) -> None:
        busy = set(map(id, run.pending.values()))
        for stream in streams:
            if id(stream) not in busy:
                task = asyncio.create_task(self._ask_one(run, stream, size), name=f"gather {run.path}")
                run.pending[task] = stream

    async def _heard(self, run: Run) -> None:
        """Wait for all who were asked; once that has taken long, for anybody."""
        patience_s = None if run.is_late else self._list_deadline_s * _PATIENCE
        when = asyncio.FIRST_COMPLETED if run.is_late else asyncio.ALL_COMPLETED
        done, late = await asyncio.wait(run.pending, timeout=patience_s, return_when=when)
        run.is_late = run.is_late or bool(late)
        for task in done:
            del run.pending[task]
            task.result()  # what goes wrong with one pod is written down by its own task: this raises for a bug only

    async def _ask_one(self, run: Run, stream: Stream, size: int) -> None:
        try:
            body, items = await self._sure_page(run, stream, size)
        except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError) as error:
            run.miss(stream, type(error).__name__)
            return
        if body is None:
            return
        run.answered.add(stream.pod.id)
        if isinstance(count := body.get("count"), int):
            run.counts.setdefault(stream.pod.id, count)
        if run.merge.feed(stream, items, has_more=_says_more(body, items, run)):
            return
        if stream.has_gaps:
            # Its pages are too short to be read from the start: there is nothing but markers.
            stream.has_gaps, stream.has_more = False, True
            return
        run.miss(stream, "more pages without anything new")

    async def _sure_page(
        self, run: Run, stream: Stream, size: int
    ) -> tuple[dict[str, object] | None, list[dict[str, object]]]:
        """One page of one pod that begins no later than the list has come there, and its items."""
        is_paged = run.listing.paging is not Paging.NONE
        while True:
            # One more than is wanted: the first was taken before.
            body = await self._page(run, stream, size + stream.is_unsure)
            if body is None:
                return None, []
            try:
                items = checked_page(
                    body.get(run.row.collection or ""),
                    id_key=run.listing.id_key if is_paged else None,
                    marker=stream.marker,
                    project_id=run.owner,
                )
            except BadUpstreamAnswerError as error:
                run.miss(stream, error.message)
                return None, []
            if run.merge.enters(stream, items):
                return body, items

    async def _page(self, run: Run, stream: Stream, size: int) -> dict[str, object] | None:
        """One page of one pod; None when it has nothing to say (its refusal is written down)."""
        while True:
            if stream.marker is not None and stream.has_gaps is None:
                stream.has_gaps = False
                if await self._has_gaps(run, stream):
                    run.merge.restart(stream)
            marker = stream.marker
            query = _query(run, stream, size)
            reply = await self._access.page(run.request, stream.pod, run.path, query or "", run.deadline)
            if reply.status < 300:
                return reply.json()
            if reply.status >= 500:
                raise BadUpstreamAnswerError(f"status {reply.status}")
            if not _is_about(reply, marker):
                run.refusals[stream.pod.id] = reply
                run.miss(stream, f"status {reply.status}")
                return None
            run.merge.refuse(stream)

    async def _has_gaps(self, run: Run, stream: Stream) -> bool:
        """Whether a pod has items that lack what the list is sorted by. Without a value comes before all values."""
        for name in doubtful(run.wish, run.listing):
            query = first_by(run.wish, run.listing, stream.pod, name)
            reply = await self._access.page(run.request, stream.pod, run.path, query or "", run.deadline)
            found = reply.json().get(run.row.collection or "") if reply.status < 300 else None
            if isinstance(found, list) and any(
                isinstance(item, dict) and lacks(item, name, stream.pod, run.listing) for item in found[:1]
            ):
                return True
        return False


def _query(run: Run, stream: Stream, size: int) -> str | None:
    """How a pod is asked for its next page."""
    if not stream.has_gaps:
        return pod_query(run.wish, run.listing, stream.pod, size=size, marker=stream.marker)
    return pod_query(run.wish, run.listing, stream.pod, size=LONGEST_PAGE, marker=None)


async def _end(pending: dict[asyncio.Task[None], Stream]) -> None:
    """Stop waiting for whoever was asked."""
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
    pending.clear()


def _says_more(body: Mapping[str, object], items: Sequence[object], run: Run) -> bool:
    if run.listing.paging is Paging.NONE:
        return False
    if run.listing.links is None:
        # Only an empty page says that there is no other.
        return bool(items)
    links = body.get(run.listing.links)
    return isinstance(links, list) and any(isinstance(link, dict) and link.get("rel") == "next" for link in links)


def _is_about(reply: Reply, marker: str | None) -> bool:
    """Whether a refusal says that the marker is unknown: only then it names it."""
    if marker is None or reply.status not in (400, 404) or not isinstance(reply.body, bytes):
        return False
    return marker.encode() in reply.body
