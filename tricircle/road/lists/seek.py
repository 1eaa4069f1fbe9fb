# SPDX-License-Identifier: Apache-2.0
"""Where is the item that a marker names in a list of things of which nobody writes down where they are?

Messages, migrations and hypervisors have no routings, and not all of them can be asked for one by one. So every pod's
list is read until it is found. Deleted servers have none left, and nobody shows them one by one; but Nova knows them as
markers, and lists them to who asks for changes. All that is for markers only of which no page's positions are
remembered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from tricircle.errors import BadUpstreamAnswerError, NotFoundError, OutcomeUnknownError, UnavailableError
from tricircle.model.pod import Pod
from tricircle.road.credible import checked_page
from tricircle.road.listing import Item, Listing
from tricircle.road.lists.paging import LONGEST_PAGE, Wish, pod_query
from tricircle.upstream.reply import Reply

#: One page of a pod: what it answers to a query.
Ask = Callable[[Pod, str], Awaitable[Reply]]
#: Of whom a list is. By what else it is filtered does not matter: what a list leaves out is a marker in it, too.
_ALL = "all_tenants"
_WHOSE = frozenset((_ALL, "project_id", "tenant_id"))
_UNKNOWABLE = "It cannot be known now where this marker is, because an availability zone does not answer."


async def sought(pods: Sequence[Pod], wish: Wish, listing: Listing, collection: str, ask: Ask) -> tuple[Pod, Item]:
    """The item that ``wish.marker`` names, and its pod.

    :raises NotFoundError: no pod has it, or several have one that is called so
    :raises UnavailableError: a pod that may have it does not answer
    """
    found = await asyncio.gather(*(_in_pod(pod, wish, listing, collection, ask) for pod in pods))
    return _only(wish, pods, found)


async def left_behind(pods: Sequence[Pod], wish: Wish, listing: Listing, collection: str, ask: Ask) -> tuple[Pod, Item]:
    """The deleted item that ``wish.marker`` names, and the pod in which it was. Raises as ``sought``.

    What stands behind it, in the order of ids, leads back to it.
    """
    found = await asyncio.gather(*(_behind(pod, wish, listing, collection, ask) for pod in pods))
    return _only(wish, pods, found)


def _only(wish: Wish, pods: Sequence[Pod], found: Sequence[tuple[Item | None, bool]]) -> tuple[Pod, Item]:
    there = [(pod, item) for pod, (item, _) in zip(pods, found, strict=True) if item is not None]
    if len(there) != 1 and not all(has_answered for _, has_answered in found):
        raise UnavailableError(_UNKNOWABLE)
    if len(there) != 1:
        raise NotFoundError(f"The marker {wish.marker} could not be found.")
    return there[0]


async def _behind(pod: Pod, wish: Wish, listing: Listing, collection: str, ask: Ask) -> tuple[Item | None, bool]:
    """As ``_in_pod``, of what was deleted."""
    changed = [("changes-since", "1970-01-01T00:00:00Z"), *(pair for pair in wish.filters if pair[0] == _ALL)]

    async def look(direction: str, marker: str | None, size: int) -> list[Item] | None:
        order = [("sort_key", "uuid"), ("sort_dir", direction), ("limit", str(size))]
        reply = await ask(pod, urlencode([*changed, *order, *([("marker", marker)] if marker else [])]))
        if reply.status >= 500:
            raise UnavailableError(_UNKNOWABLE)
        if reply.status >= 300:
            return None
        return checked_page(reply.json().get(collection), id_key=listing.id_key, marker=marker, project_id=None)

    try:
        behind = await look("asc", wish.marker, 1)
        if behind is None:
            return None, True
        # With none behind it, it is the first of the other direction, but for those that wait for a cell.
        marker = str(behind[0][listing.id_key]) if behind else None
        while items := await look("desc", marker, 1 if behind else LONGEST_PAGE):
            if (found := next((item for item in items if item[listing.id_key] == wish.marker), None)) is not None:
                return found, True
            if behind or listing.rank is None or any(map(listing.rank, items)):
                break
            marker = str(items[-1][listing.id_key])
    except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError):
        return None, False
    return None, True


async def _in_pod(pod: Pod, wish: Wish, listing: Listing, collection: str, ask: Ask) -> tuple[Item | None, bool]:
    """The item if the pod has it, and whether the pod has said all."""
    marker: str | None = None
    seen: set[str] = set()
    whole = replace(wish, filters=tuple(pair for pair in wish.filters if pair[0] in _WHOSE))
    while True:
        query = pod_query(whole, listing, pod, size=LONGEST_PAGE, marker=marker)
        if query is None:
            return None, True
        try:
            reply = await ask(pod, query)
            if reply.status >= 300:
                # What is refused to whoever asks is refused by the list too, in the service's words.
                return None, reply.status < 500
            page = checked_page(reply.json().get(collection), id_key=listing.id_key, marker=marker, project_id=None)
        except (UnavailableError, OutcomeUnknownError, BadUpstreamAnswerError):
            return None, False
        ids = [str(item[listing.id_key]) for item in page]
        if wish.marker in ids:
            return page[ids.index(wish.marker)], True
        if seen.issuperset(ids):
            return None, True
        seen.update(ids)
        marker = ids[-1]
