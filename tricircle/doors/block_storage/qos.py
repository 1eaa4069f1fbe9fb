# SPDX-License-Identifier: Apache-2.0
"""How do copies of volume types follow a QoS spec? Its types are looked up, before and after, and get a job each."""

from urllib.parse import quote

from tricircle.copies.bodies import rows
from tricircle.errors import UpstreamStatusError
from tricircle.http.message import Answer, Request
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.pods.registry import Registry
from tricircle.road.carrier import Carrier
from tricircle.upstream.client import Clients


class QosSpecs:
    """Changes of QoS specs and of what they are associated with."""

    def __init__(self, *, carrier: Carrier, clients: Clients, registry: Registry, queue: Queue) -> None:
        self._carrier = carrier
        self._clients = clients
        self._registry = registry
        self._queue = queue

    async def change(self, request: Request) -> Answer:
        """What the central Cinder answers; when it said yes, jobs are filed for all types concerned."""
        qos_id = request.params["qos_id"]
        before = await self._types(request, qos_id)
        answer = await self._carrier.central(request)
        if 200 <= answer.status < 300:
            for type_id in sorted(before | await self._types(request, qos_id)):
                await self._queue.append(JobType.VOLUME_TYPE, type_id, request.context.project_id)
        return answer

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
