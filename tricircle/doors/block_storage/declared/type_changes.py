# SPDX-License-Identifier: Apache-2.0
"""Which changes of a type does Cinder refuse while something of it exists? The centre has nothing: pods are asked.

Of a volume type: deleting it, and everything about its encryption. Of a group type: deleting it. A copy could not
follow such a change any more.
"""

import asyncio

from tricircle.copies.bodies import rows
from tricircle.errors import InvalidRequestError
from tricircle.http.message import Answer, Handler, Request
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.registry import Registry
from tricircle.road.carrier import Carrier
from tricircle.upstream.client import Clients, collect

#: From here on there are groups.
_GROUPS_VERSION = "3.13"


class TypeChanges:
    """Handlers of changes that need a type without volumes; jobs make the copies follow."""

    def __init__(self, *, carrier: Carrier, clients: Clients, registry: Registry, routings: Routings) -> None:
        self._carrier = carrier
        self._clients = clients
        self._registry = registry
        self._routings = routings

    def unless_used(self, refusal: str) -> Handler:
        """The handler of a change that is refused with this text while volumes of the type exist."""

        async def change(request: Request) -> Answer:
            type_id = request.params["type_id"]
            # Others get the centre's refusal, and learn nothing of what pods hold.
            if request.context.is_admin and await self._is_used(request, type_id):
                raise InvalidRequestError(refusal)
            return await self._carrier.central_with_jobs(request, [(JobType.VOLUME_TYPE, type_id)])

        return change

    async def unless_grouped(self, request: Request) -> Answer:
        """Delete a group type of which no group exists."""
        type_id = request.params["group_type_id"]
        if request.context.is_admin and await self._is_used(request, type_id, Kind.GROUP_TYPE):
            raise InvalidRequestError("Target group type is still in use.")
        return await self._carrier.central_with_jobs(request, [(JobType.GROUP_TYPE, type_id)])

    async def _is_used(self, request: Request, type_id: str, kind: Kind = Kind.VOLUME_TYPE) -> bool:
        """Whether some pod has something of the type. :raises UnavailableError: a pod that might does not answer"""
        copies = [copy for copy in await self._routings.copies_of(kind, type_id) if copy.is_bound]
        return any(await asyncio.gather(*(self._is_used_in(request, copy) for copy in copies)))

    async def _is_used_in(self, request: Request, copy: Routing) -> bool:
        pod = await self._registry.get(copy.pod_id)
        if pod is None:
            return False
        target, deadline = self._registry.target(pod, Service.BLOCK_STORAGE), request.context.deadline
        if copy.kind is Kind.GROUP_TYPE:
            client = self._clients.as_service(target, _GROUPS_VERSION)
            groups = await collect(client, "/v3/groups/detail", "groups", deadline, {"all_tenants": "1"})
            return any(group.get("group_type") == copy.pod_resource_id for group in groups)
        client = self._clients.as_service(target)
        params = {"all_tenants": "1", "volume_type_id": str(copy.pod_resource_id), "limit": "1"}
        answer = await client.get("/v3/volumes", params=params, deadline=deadline)
        return bool(rows(answer, "volumes"))
