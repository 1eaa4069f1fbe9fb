# SPDX-License-Identifier: Apache-2.0
"""What does a module of copies need to reach pods, the centre and the books?"""

from dataclasses import dataclass

from tricircle.context import Deadline
from tricircle.copies.bodies import member
from tricircle.copies.ensure import Ensure
from tricircle.copies.owner import Owner
from tricircle.errors import UpstreamStatusError
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Routing
from tricircle.pods.registry import Registry
from tricircle.upstream.central import Central, is_gone
from tricircle.upstream.client import Clients, ServiceClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The services that copies are made with; one object for all modules, put together by the composition root."""

    ensure: Ensure
    leases: Leases
    routings: Routings
    registry: Registry
    clients: Clients
    central: Central
    queue: Queue
    owner: Owner

    def network(self, pod: Pod) -> ServiceClient:
        """The pod's Neutron, as the service user."""
        return self.clients.as_service(self.registry.target(pod, Service.NETWORK))

    def compute(self, pod: Pod, microversion: str) -> ServiceClient:
        """The pod's Nova, as the service user."""
        return self.clients.as_service(self.registry.target(pod, Service.COMPUTE), microversion)

    async def recheck_adopted(self, routing: Routing, job_type: JobType) -> None:
        """File a job for a copy that was found and not made just now: what it looks like is not known."""
        if routing.revision is None:
            await self.queue.append(job_type, routing.central_id, routing.project_id, pod_id=routing.pod_id)


async def remove(client: ServiceClient, path: str, deadline: Deadline) -> None:
    """Delete one object in a pod; fine when the service itself says that it is not there.

    The 404 of a proxy, or of a wrong address, is an error: what the pod may still have must not be given to others.
    """
    try:
        await client.delete(path, deadline=deadline)
    except UpstreamStatusError as error:
        if not is_gone(error):
            raise


async def show(client: ServiceClient, path: str, key: str, deadline: Deadline) -> dict[str, object] | None:
    """One object, or None when the service itself says that it is not there."""
    try:
        return member(await client.get(path, deadline=deadline), key)
    except UpstreamStatusError as error:
        if is_gone(error):
            return None
        raise
