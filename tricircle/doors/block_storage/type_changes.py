# SPDX-License-Identifier: Apache-2.0
"""Which changes of a volume type does Cinder refuse while volumes of it exist? The centre has none: pods are asked.

Deleting the type, and everything about its encryption. A copy could not follow such a change any more.
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
from tricircle.upstream.client import Clients


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

    async def _is_used(self, request: Request, type_id: str) -> bool:
        """Whether some pod has a volume of the type. :raises UnavailableError: a pod that might does not answer"""
        copies = [copy for copy in await self._routings.copies_of(Kind.VOLUME_TYPE, type_id) if copy.is_bound]
        return any(await asyncio.gather(*(self._is_used_in(request, copy) for copy in copies)))

    async def _is_used_in(self, request: Request, copy: Routing) -> bool:
        pod = await self._registry.get(copy.pod_id)
        if pod is None:
            return False
        client = self._clients.as_service(self._registry.target(pod, Service.BLOCK_STORAGE))
        params = {"all_tenants": "1", "volume_type_id": str(copy.pod_resource_id), "limit": "1"}
        answer = await client.get("/v3/volumes", params=params, deadline=request.context.deadline)
        return bool(rows(answer, "volumes"))
