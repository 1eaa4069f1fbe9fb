# SPDX-License-Identifier: Apache-2.0
"""``/v1.0/routings``: what do the calls do?

They only look. A routing is an index of what is in the pods: sweeps and recoveries write it anew from there, so
nobody need write one by hand.
"""

from tricircle.context import PodId
from tricircle.doors.admin import routing_schemas, schemas
from tricircle.errors import InvalidRequestError, NotFoundError
from tricircle.http.message import Answer, Request
from tricircle.store.engine import Connection, Engine, transaction
from tricircle.store.pods import PodRows
from tricircle.store.routing_views import RoutingViews


class RoutingCalls:
    """Handlers of the calls on routings, those of all projects.

    :param endpoint: address of the Admin API for links, without version
    """

    def __init__(self, engine: Engine, *, endpoint: str) -> None:
        self._engine = engine
        self._collection = schemas.Collection(
            key="routings", id_field="id", href=f"{endpoint}/v1.0/routings", filters=routing_schemas.FILTERS
        )

    async def list(self, request: Request) -> Answer:
        """GET /routings: newest first."""
        listing = self._collection.listing(request.query_pairs())
        marker = schemas.number_marker(listing)
        async with transaction(self._engine) as connection:
            names = await _names(connection)
            wanted = routing_schemas.routing_filter(listing, {name: pod_id for pod_id, name in names.items()})
            if marker is not None and await RoutingViews.get(connection, marker) is None:
                raise InvalidRequestError(f"marker '{marker}' was not found.")
            found = await RoutingViews.page(connection, wanted, before=marker, limit=listing.limit + 1)
        shown = [routing_schemas.show_routing(view, names) for view in found[: listing.limit]]
        return Answer.json(200, self._collection.body(shown, listing, has_more=len(found) > listing.limit))

    async def show(self, request: Request) -> Answer:
        """GET /routings/{routing_id}: with its details, and who works on it."""
        word = request.params["routing_id"]
        routing_id = schemas.number(word)
        async with transaction(self._engine) as connection:
            view = None if routing_id is None else await RoutingViews.get(connection, routing_id)
            names = await _names(connection)
        if view is None:
            raise NotFoundError(f"Routing {word} could not be found.")
        return Answer.json(200, {"routing": routing_schemas.show_whole(view, names)})


async def _names(connection: Connection) -> dict[PodId, str]:
    return {pod.id: pod.name for pod in await PodRows.list(connection)}
