# SPDX-License-Identifier: Apache-2.0
"""How is a long list read page by page, and when may it be called complete?

Only the service's own "there is no next page" ends a list. Everything else that could end it, or let it go on for
ever, is an error: an answer that is no JSON of the service, items without an id, a page that was seen before, a page
that promises more and brings nothing, the deadline. So whoever has come to the end of the iterator has seen everything
that was there all the time.

Page sizes are the service's to decide: it may give less than was asked for.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.context import Deadline
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Service
from tricircle.upstream.client import ServiceClient
from tricircle.upstream.reply import Reply

Item = dict[str, object]

#: How many items before a marker that is gone are tried in its place.
_STEPS_BACK = 5
#: Seconds for one page: a service that hangs must not eat the time of all others.
_PAGE_S = 60.0
#: What services answer to a marker that they do not know: Nova 400, Cinder and Neutron 404.
_UNKNOWN_MARKER = (400, 404)
#: A list of more pages than this goes round in a way that nobody thought of.
_MOST_PAGES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of one service.

    :ivar path: behind the service root, version included
    :ivar key: of the list in the answer, such as ``servers``
    :ivar params: what every page is asked with, such as ``all_tenants``; a collection repeats its key
    :ivar microversion: the lowest that has the list; None: any
    :ivar has_markers: the list goes on behind a marker; otherwise behind an offset, until a page is empty
    """

    service: Service
    path: str
    key: str
    params: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    microversion: str | None = None
    has_markers: bool = True


async def pages(
    client: ServiceClient, listing: Listing, *, size: int, deadline: Deadline
) -> AsyncIterator[Sequence[Item]]:
    """The pages of a list, none of them empty. The iterator ends only when the list is complete.

    An item that stays in the list from the first call to the last one is given at least once; twice is possible where
    others came or went meanwhile.

    :raises BadUpstreamAnswerError: the answers are none of this list, or they go round
    :raises UpstreamStatusError: the service refused a page
    :raises UnavailableError, OutcomeUnknownError: it does not answer
    """
    if not listing.has_markers:
        async for page in _by_offset(client, listing, size, deadline):
            yield page
        await client.confirm(deadline)
        return
    seen: set[str] = set()
    before: list[str] = []
    for _ in range(_MOST_PAGES):
        items, has_more = await _behind(client, listing, before, size, deadline)
        ids = [str(item["id"]) for item in items]
        if items:
            if ids[-1] in seen:
                raise _wrong("a page came twice", listing)
            seen.add(ids[-1])
            yield items
        if not has_more:
            await client.confirm(deadline)
            return
        if not items:
            raise _wrong("a page is empty and promises more", listing)
        before = ids[-_STEPS_BACK:]
    raise _wrong("there is no end of it", listing)


async def _behind(
    client: ServiceClient, listing: Listing, before: Sequence[str], size: int, deadline: Deadline
) -> tuple[list[Item], bool]:
    """The page behind the last id of ``before``, or behind an earlier one when that has been deleted meanwhile."""
    if not before:
        return await _page(client, listing, {"limit": str(size)}, deadline)
    for marker in reversed(before[1:]):
        try:
            return await _page(client, listing, {"limit": str(size), "marker": marker}, deadline)
        except UpstreamStatusError as error:
            if error.status not in _UNKNOWN_MARKER:
                raise
    return await _page(client, listing, {"limit": str(size), "marker": before[0]}, deadline)


async def _by_offset(
    client: ServiceClient, listing: Listing, size: int, deadline: Deadline
) -> AsyncIterator[Sequence[Item]]:
    offset = 0
    seen: set[str] = set()
    while True:
        items, _ = await _page(client, listing, {"limit": str(size), "offset": str(offset)}, deadline)
        if not items:
            return
        ids = {str(item["id"]) for item in items}
        if ids <= seen:
            raise _wrong("a page came twice", listing)
        seen |= ids
        offset += len(items)
        yield items


async def _page(
    client: ServiceClient, listing: Listing, position: Mapping[str, str], deadline: Deadline
) -> tuple[list[Item], bool]:
    """The items of one page, and whether the service says that there are more."""
    params = {**listing.params, **position}
    reply = await client.reply("GET", listing.path, params=params, deadline=deadline.within(_PAGE_S))
    if reply.status >= 300:
        body = reply.body[:2000].decode("utf-8", "replace") if isinstance(reply.body, bytes) else ""
        raise UpstreamStatusError(reply.status, body, client.target.label)
    if not _is_json(reply):
        raise _wrong("an answer is no JSON", listing)
    answer = reply.json()
    items = answer.get(listing.key)
    if not isinstance(items, list) or not all(_has_id(item) for item in items):
        raise _wrong("an answer holds no such list", listing)
    return items, _has_next(answer, listing.key)


def _is_json(reply: Reply) -> bool:
    return (reply.header(b"content-type") or b"").split(b";")[0].strip().lower() == b"application/json"


def _has_id(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str) and bool(item["id"])


def _has_next(answer: Mapping[str, object], key: str) -> bool:
    # Cinder names the links of some lists in the singular: volume_type_links.
    for links in (answer.get(f"{key}_links"), answer.get(f"{key.removesuffix('s')}_links")):
        if isinstance(links, list) and any(isinstance(link, dict) and link.get("rel") == "next" for link in links):
            return True
    return False


def _wrong(what: str, listing: Listing) -> BadUpstreamAnswerError:
    return BadUpstreamAnswerError(f"The list {listing.path} cannot be read: {what}.")
