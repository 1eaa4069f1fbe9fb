# SPDX-License-Identifier: Apache-2.0
"""Where is the item that a marker names in a list of things of which nobody writes down where they are?

Messages, migrations and hypervisors have no routings, and not all of them can be asked for one by one. So every pod's
list is read until it is found: that is for markers only of which no page's positions are remembered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tricircle.errors import BadUpstreamAnswerError, NotFoundError, OutcomeUnknownError, UnavailableError
from tricircle.model.pod import Pod
from tricircle.road.credible import checked_page
from tricircle.road.listing import Item, Listing
from tricircle.road.lists.paging import LONGEST_PAGE, Wish, pod_query
from tricircle.upstream.reply import Reply

#: One page of a pod: what it answers to a query.
Ask = Callable[[Pod, str], Awaitable[Reply]]
_UNKNOWABLE = "It cannot be known now where this marker is, because an availability zone does not answer."


async def sought(pods: Sequence[Pod], wish: Wish, listing: Listing, collection: str, ask: Ask) -> tuple[Pod, Item]:
    """The item that ``wish.marker`` names, and its pod.

    :raises NotFoundError: no pod has it, or several have one that is called so
    :raises UnavailableError: a pod that may have it does not answer
    """
    found = await asyncio.gather(*(_in_pod(pod, wish, listing, collection, ask) for pod in pods))
    there = [(pod, item) for pod, (item, _) in zip(pods, found, strict=True) if item is not None]
    if len(there) != 1 and not all(has_answered for _, has_answered in found):
        raise UnavailableError(_UNKNOWABLE)
    if len(there) != 1:
        raise NotFoundError(f"The marker {wish.marker} could not be found.")
    return there[0]


async def _in_pod(pod: Pod, wish: Wish, listing: Listing, collection: str, ask: Ask) -> tuple[Item | None, bool]:
    """The item if the pod has it, and whether the pod has said all."""
    marker: str | None = None
    seen: set[str] = set()
    while True:
        query = pod_query(wish, listing, pod, size=LONGEST_PAGE, marker=marker)
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
