# SPDX-License-Identifier: Apache-2.0
"""What does a client ask of a list, and how is each pod asked for its part? Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from tricircle.context import PodId
from tricircle.model.pod import Pod
from tricircle.road.listing import Listing, Order, Paging, Query
from tricircle.road.lists.order import ZONE_KEY, visible

#: The longest page that we make, and what a client gets who names no limit (Nova's and Cinder's own default).
LONGEST_PAGE = 1000
#: The smallest page that a pod is asked for when a list needs more: round trips cost more than items.
_SHORTEST_ASK = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A client's query, taken apart.

    :ivar order: by what pods' items are compared: as far as they show it
    :ivar limit: how many items the page may hold; at most ``LONGEST_PAGE``
    :ivar offset: how many items behind the marker to leave out (block storage only)
    :ivar zone: the AZ that the client filters by
    :ivar filters: what is passed on to every pod: the query without place, limit and AZ
    :ivar copies: of each thing that a filter names (``Listing.declared``), by filter and value: its id in each pod
    :ivar is_counting: whether the number of all items is asked for
    :ivar is_bounded: whether the client named a limit
    """

    order: Order
    limit: int = LONGEST_PAGE
    offset: int = 0
    marker: str | None = None
    zone: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    copies: Mapping[tuple[str, str], Mapping[PodId, str]] = field(default_factory=dict)
    is_counting: bool = False
    is_bounded: bool = False


def wish_of(query: Query, listing: Listing, *, is_zoned: bool = True) -> Wish:
    """What a query asks for.

    :param is_zoned: whether the service honours the filter by AZ for whoever asks

    What is malformed (``limit=-1``) stays among the filters: the pods refuse it in the service's own words.

    >>> wish_of([("limit", "2"), ("sort_key", "name")], Listing(paging=Paging.NOVA)).order
    (('name', True), ('created_at', True))
    """
    named = listing.zone_filter.name if listing.zone_filter is not None and is_zoned else None
    zone = _last(query, named)
    if listing.paging is Paging.NONE:
        return Wish(order=listing.order, zone=zone, filters=_without(query, {named}))
    taken = {named}
    limit = _number(query, "limit")
    if limit is not None:
        taken.add("limit")
    marker = _last(query, "marker")
    if marker:
        taken.add("marker")
    offset = _number(query, "offset") if listing.paging is Paging.CINDER else None
    if offset is not None:
        taken.add("offset")
    return Wish(
        order=_order(query, listing),
        limit=LONGEST_PAGE if limit is None else min(limit, LONGEST_PAGE),
        offset=offset or 0,
        marker=marker or None,
        zone=zone,
        filters=_without(query, taken),
        is_counting=listing.paging is Paging.CINDER and (_last(query, "with_count") or "").lower() in _TRUE,
        is_bounded=limit is not None,
    )


def pod_query(wish: Wish, listing: Listing, pod: Pod, *, size: int, marker: str | None) -> str | None:
    """The query to ask a pod with; None when it cannot hold an answer.

    :param size: how many items are wanted; a pod may silently send fewer
    """
    query = _in_pod(wish, listing, pod)
    if query is not None and listing.adapt is not None:
        query = listing.adapt(query, pod)
    if query is None:
        return None
    zones = listing.zone_filter
    if wish.zone is not None and zones is not None and zones.asks is not None:
        query = [*query, (zones.name, zones.asks(wish.zone, pod))]
    if listing.paging is not Paging.NONE and not any(name == "limit" for name, _ in query):
        query.append(("limit", str(size)))
    if marker is not None:
        query.append(("marker", marker))
    return urlencode(query)


def doubtful(wish: Wish, listing: Listing) -> tuple[str, ...]:
    """What a list of Nova's is sorted by of which items may have no value. Cinder puts a default into its place."""
    if listing.paging is not Paging.NOVA:
        return ()
    return tuple(name for name, _ in wish.order if name not in listing.given and name != ZONE_KEY)


def first_by(wish: Wish, listing: Listing, pod: Pod, name: str) -> str | None:
    """The query that asks a pod for the item that comes first by one sort key: one without a value, if there is any."""
    order = [("sort_key", name), ("sort_dir", "asc")]
    filters = [pair for pair in wish.filters if pair[0] not in _SORTING]
    return pod_query(replace(wish, filters=(*filters, *order)), listing, pod, size=1, marker=None)


def _in_pod(wish: Wish, listing: Listing, pod: Pod) -> Query | None:
    """The filters with ids as the pod knows them; None when it has no copy of what the last of a name asks for."""
    found: Query = []
    lacking: dict[str, bool] = {}
    for name, value in wish.filters:
        copies = wish.copies.get((name, value))
        if copies is not None:
            lacking[name] = listing.declared[name].needs_copy and pod.id not in copies
            value = copies.get(pod.id, value)
        found.append((name, value))
    return None if any(lacking.values()) else found


def page_size(wanted: int, pods: int) -> int:
    """How many items to ask each of several pods for when ``wanted`` more are needed: few rounds, little waste.

    >>> page_size(10, 2), page_size(1000, 100), page_size(0, 3)
    (10, 20, 0)
    """
    if wanted <= 0:
        return 0
    fair = 2 * wanted // max(1, pods)
    return min(wanted, max(fair, _SHORTEST_ASK))


def next_query(query: Query, marker: str) -> str:
    """The query of the next page. The offset is not repeated: it was taken from the beginning."""
    kept = [(name, value) for name, value in query if name not in ("marker", "offset")]
    return urlencode([*kept, ("marker", marker)])


def without_marker(query: Query) -> bytes:
    """A short query of the same form: what a service says to all of it that is not about a place in the list.

    >>> without_marker([("marker", "x"), ("name", "a")])
    b'name=a&limit=1'
    """
    kept = [(name, value) for name, value in query if name != "marker"]
    return urlencode(kept if "limit" in dict(kept) else [*kept, ("limit", "1")]).encode()


def is_doubled(query: Query, listing: Listing) -> bool:
    """Whether something is there twice of which Cinder takes one, and the other for a filter that it may not know."""
    if listing.paging is not Paging.CINDER:
        return False
    names = [name for name, _ in query if name in _ONCE]
    return len(names) > len(set(names))


def list_key(project_id: str, door: str, path: str, wish: Wish) -> str:
    """What makes two queries pages of one list: 64 hex digits. Limits may differ from page to page."""
    # Words of one name stay as they come: keys and directions mean something by their order.
    filters = urlencode(sorted(wish.filters, key=lambda pair: pair[0]))
    text = "\0".join((project_id, door, path, str(wish.zone), filters))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def about(pods: Sequence[Pod], wish: Wish, listing: Listing) -> tuple[Pod, ...]:
    """The pods that a list is about, of all that there are."""
    return tuple(pods) if listing.zone_filter is None else listing.zone_filter.about(pods, wish.zone)


_ONCE = frozenset(("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count"))
_SORTING = frozenset(("sort_key", "sort_dir"))
_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))


def _order(query: Query, listing: Listing) -> Order:
    named = _nova_order(query, listing) if listing.paging is Paging.NOVA else _cinder_order(query)
    order = named or listing.order
    first = order[0][1] if order else True
    names = {name for name, _ in order}
    return visible((*order, *((name, first) for name in listing.ties if name not in names)), listing)


def _nova_order(query: Query, listing: Listing) -> Order:
    """Nova's own way: the key that makes the order total brings a direction along, and the one may not meet the other;
    directions that are missing at the end are the first one."""
    keys = [value.strip() for name, value in query if name == "sort_key"]
    falls = [value.strip() != "asc" for name, value in query if name == "sort_dir"] or [True]
    if keys or listing.unique is not None:
        keys = keys or [name for name, _ in listing.order]
    for place in reversed(range(len(keys))):
        if keys[place] in listing.ignored:
            del keys[place]
            del falls[place : place + 1]
    if not keys:
        return ()
    if listing.unique is not None and listing.unique not in keys:
        keys.append(listing.unique)
        falls.append(False)
    falls = falls or [True]
    return tuple((key, falls[index] if index < len(falls) else falls[0]) for index, key in enumerate(keys))


def _cinder_order(query: Query) -> Order:
    sort = _first(query, "sort")
    if sort is not None:
        parts = [part.strip().partition(":") for part in sort.split(",")]
        return tuple((key.strip(), direction.strip() != "asc") for key, _, direction in parts if key)
    key = _first(query, "sort_key")
    direction = _first(query, "sort_dir")
    if key is None and direction is None:
        return ()
    return (((key or "created_at").strip(), (direction or "desc").strip() != "asc"),)


def _number(query: Query, name: str) -> int | None:
    values = [value for key, value in query if key == name]
    is_good = all(value.isascii() and value.isdigit() and len(value) < 10 for value in values)
    return int(values[-1]) if values and is_good else None


def _first(query: Query, name: str) -> str | None:
    return next((value for key, value in query if key == name), None)


def _last(query: Query, name: str | None) -> str | None:
    return next((value for key, value in reversed(query) if key == name), None)


def _without(query: Query, names: set[str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in query if name not in names)
