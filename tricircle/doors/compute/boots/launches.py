# SPDX-License-Identifier: Apache-2.0
"""Which servers came to be by one call? Pods make them one by one, so each has a reservation id of its own there.

The first server's stands for all; that is written down with each, so that lists find them by it.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from tricircle.context import RequestContext
from tricircle.doors.compute.needs import Asking, KnownPods, KnownRoutings
from tricircle.doors.compute.together import settled
from tricircle.doors.compute.zones import FILTER
from tricircle.errors import BadUpstreamAnswerError, InvalidRequestError, TricircleError
from tricircle.http.message import Answer, Request
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.road.carrier import Carrier
from tricircle.road.listing import Item, Listing
from tricircle.road.lists.order import sort_value, values_of
from tricircle.road.lists.paging import Wish, next_query, wish_of
from tricircle.road.row import Row

LOG = logging.getLogger(__name__)

#: The first version that shows a reservation id (to the service user).
_VERSION = "2.3"
_FILTER = "reservation_id"
#: Among a routing's details: what users see, and what the pod calls it.
SHOWN, _IN_POD = "reservation_id", "pod_reservation_id"


class Launches:
    """Reservation ids of servers."""

    def __init__(self, *, carrier: Carrier, routings: KnownRoutings, clients: Asking, pods: KnownPods) -> None:
        self._carrier = carrier
        self._routings = routings
        self._clients = clients
        self._pods = pods

    async def reserved(self, context: RequestContext, pod: Pod, server_ids: Sequence[str]) -> str:
        """The reservation id of servers that one call has made in a pod.

        Never fails: they are made. Where the pod does not say its own it is one of ours, and the pod's is learnt later.
        """
        found = await settled([self._in_pod(context, pod, server_id) for server_id in server_ids])
        known = [own for own in found if isinstance(own, str)]
        shown = known[0] if known else f"r-{uuid.uuid4().hex[:8]}"
        if len(found) > 1 or not known:
            for server_id, own in zip(server_ids, found, strict=True):
                learnt = {_IN_POD: own} if isinstance(own, str) else {}
                await self._note(context, pod, server_id, {SHOWN: shown, **learnt})
        return shown

    async def gathered(self, request: Request, row: Row) -> Answer | None:
        """The list of ``row`` when it is filtered by a reservation of several servers; else None: the pods know.

        :raises InvalidRequestError: the marker is none of them
        """
        query = request.query_pairs()
        asked = next((value for name, value in reversed(query) if name == _FILTER), None)
        members = await self._routings.of_reservation(asked) if asked else []
        pods = {pod.id: pod for pod in await self._carrier.members()}
        members = [one for one in members if one.pod_id in pods]
        if not members or row.listing is None:
            return None
        wish, listing = wish_of(query, row.listing), row.listing
        answers = await asyncio.gather(*(self._one(request, row, wish, one, pods[one.pod_id]) for one in members))
        if (refusal := next((answer for answer in answers if answer.status != 200), None)) is not None:
            return refusal
        pod, collection = pods[members[0].pod_id], row.collection or ""
        items = [item for answer in answers for item in _items(answer, collection)]
        _sort(items, pod, listing, wish)
        shown = _page(items, listing, wish)
        body: dict[str, object] = {collection: [_brief(item, listing) for item in shown]}
        if shown and len(shown) == wish.limit and listing.links is not None:
            href = self._carrier.page_link(request, next_query(query, str(shown[-1][listing.id_key])))
            body[listing.links] = [{"rel": "next", "href": href}]
        return Answer.json(200, body, answers[0].headers)

    async def _one(self, request: Request, row: Row, wish: Wish, server: Routing, pod: Pod) -> Answer:
        """The list of one server, if the other filters leave it."""
        filters = [(name, value) for name, value in wish.filters if name != _FILTER]
        if wish.zone is not None:
            filters.append((FILTER.name, wish.zone))
        own = server.details.get(_IN_POD) or await self._in_pod(request.context, pod, server.central_id)
        query = urlencode([*filters, (_FILTER, str(own))]).encode()
        whole = None if row.listing is None else replace(row.listing, brief=None)
        return await self._carrier.gather(replace(request, query=query), replace(row, listing=whole), pods=[pod])

    async def _in_pod(self, context: RequestContext, pod: Pod, server_id: str) -> str:
        """What the pod itself calls the call by which it made a server. :raises TricircleError: it does not say"""
        client = self._clients.as_service(self._pods.target(pod, Service.COMPUTE), _VERSION)
        server = (await client.get(f"/v2.1/servers/{server_id}", deadline=context.deadline)).get("server")
        if not isinstance(server, Mapping):
            raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
        return str(server.get("OS-EXT-SRV-ATTR:reservation_id", ""))

    async def _note(self, context: RequestContext, pod: Pod, server_id: str, details: Mapping[str, object]) -> None:
        """Write it down. The servers are made, whatever becomes of the database."""
        try:
            await self._routings.record(Kind.SERVER, server_id, pod.id, context.project_id, details=details)
        except TricircleError as error:
            LOG.warning("the reservation of server %s is not written down: %s", server_id, error)


def _items(answer: Answer, collection: str) -> list[Item]:
    found = answer.object().get(collection)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _sort(items: list[Item], pod: Pod, listing: Listing, wish: Wish) -> None:
    shown = min((len(values_of(item, pod, listing, wish.order)) for item in items), default=0)
    for place, (_, falls) in reversed(list(enumerate(wish.order[:shown]))):
        items.sort(key=lambda item: sort_value(values_of(item, pod, listing, wish.order)[place]), reverse=falls)


def _page(items: list[Item], listing: Listing, wish: Wish) -> list[Item]:
    ids = [item.get(listing.id_key) for item in items]
    if wish.marker is not None and wish.marker not in ids:
        raise InvalidRequestError(f"marker [{wish.marker}] not found")
    begin = 0 if wish.marker is None else ids.index(wish.marker) + 1
    return items[begin : begin + wish.limit]


def _brief(item: Item, listing: Listing) -> Item:
    return item if listing.brief is None else {key: item[key] for key in listing.brief if key in item}
