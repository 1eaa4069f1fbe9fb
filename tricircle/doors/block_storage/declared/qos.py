# SPDX-License-Identifier: Apache-2.0
"""How do copies of volume types follow a QoS spec? Its types are looked up, and get a job each."""

from urllib.parse import quote

from tricircle.copies.bodies import rows
from tricircle.errors import UpstreamStatusError
from tricircle.http.message import Answer, Request
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry
from tricircle.road.carrier import Carrier
from tricircle.upstream.client import Clients


class QosSpecs:
    """Changes of QoS specs and of what they are associated with."""

    def __init__(self, *, carrier: Carrier, clients: Clients, registry: Registry) -> None:
        self._carrier = carrier
        self._clients = clients
        self._registry = registry

    async def change(self, request: Request) -> Answer:
        """What the central Cinder answers; when it said yes, jobs follow for all types concerned.

        Those are the types that have the spec, and the one that gets it: the query names it.
        """
        named = {value for name, value in request.query_pairs() if name == "vol_type_id"}
        concerned = sorted(named | await self._types(request, request.params["qos_id"]))
        return await self._carrier.central_with_jobs(request, [(JobType.VOLUME_TYPE, one) for one in concerned])

    async def _types(self, request: Request, qos_id: str) -> set[str]:
        """The types that have the spec now, as the caller may see them; none when it is not there."""
        client = self._clients.as_user(request.context, self._registry.central(Service.BLOCK_STORAGE))
        path = f"/v3/qos-specs/{quote(qos_id, safe='')}/associations"
        try:
            answer = await client.get(path, deadline=request.context.deadline)
        except UpstreamStatusError as error:
            if error.status in (400, 403, 404):
                return set()  # the centre says it again, to the caller
            raise
        return {str(one["id"]) for one in rows(answer, "qos_associations") if "id" in one}
