# SPDX-License-Identifier: Apache-2.0
"""What does a module of copies need to reach pods, the centre and the books?"""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tricircle.context import Deadline
from tricircle.copies.bodies import mark, member, text, words
from tricircle.copies.ensure import Ensure, Found
from tricircle.copies.owner import Owner
from tricircle.errors import UnavailableError, UpstreamStatusError
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.registry import Registry
from tricircle.upstream.central import Central, is_gone
from tricircle.upstream.client import Clients, ServiceClient, collect

#: What of the owner's words operators see in a row.
_OWNER = f"{socket.gethostname()}:{os.getpid()}"
#: Seconds that a lease outlives the deadline of the call that it was taken for.
_GRACE_S = 10.0
#: Seconds between two looks at a row that somebody else holds.
_PAUSE_S = 0.1


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

    async def zone_elsewhere(self, kind: Kind, central_id: str, pod: Pod) -> str | None:
        """The AZ of another pod that has, or is about to have, a copy; empty when that pod is not known any more; None
        when no other pod has one.
        """
        for copy in await self.routings.copies_of(kind, central_id):
            if copy.pod_id != pod.id:
                home = await self.registry.get(copy.pod_id)
                return "" if home is None else home.az_name or ""
        return None

    @asynccontextmanager
    async def holding(
        self, routing: Routing, deadline: Deadline, *, patience: Deadline | None = None
    ) -> AsyncIterator[Lease]:
        """Hold the lease of a bound row while the block runs; whoever drops it in there removes the row with it.

        :param patience: until when to wait for somebody else who holds it
        :raises UnavailableError: somebody else holds it, or the row is gone
        """
        ttl_s = deadline.remaining_s() + _GRACE_S
        lease = await self.leases.hold(routing, owner=_OWNER, ttl_s=ttl_s)
        while lease is None and patience is not None and patience.remaining_s() > 0:
            await asyncio.sleep(min(random.uniform(_PAUSE_S / 2, _PAUSE_S), patience.remaining_s()))
            known = await self.routings.copy_in(routing.kind, routing.central_id, routing.pod_id)
            if known is None or known.id != routing.id:
                break
            lease = await self.leases.hold(routing, owner=_OWNER, ttl_s=ttl_s)
        if lease is None:
            message = f"Somebody else works on {routing.kind.value} {routing.central_id}. Try again later."
            raise UnavailableError(message, retry_after_s=2)
        try:
            yield lease
        finally:
            await asyncio.shield(self.leases.release(lease))

    async def recheck_adopted(self, routing: Routing, job_type: JobType) -> None:
        """File a job for a copy that was found and not made just now: what it looks like is not known."""
        if routing.revision is None:
            await self.queue.append(job_type, routing.central_id, routing.project_id, pod_id=routing.pod_id)


def may_offer(pod: Pod, extension: str) -> bool:
    """Whether the pod's Neutron has the extension; one of which nothing is known is asked."""
    return "network_extensions" not in pod.facts or extension in words(pod.facts, "network_extensions")


async def oldest_marked(
    client: ServiceClient, path: str, key: str, central_id: str, *, project_id: str, deadline: Deadline
) -> Found | None:
    """The oldest that is ours by mark and project, of a kind without a natural key.

    :param key: what the service's list is called
    """
    found = await collect(client, path, key, deadline, {"description": mark(central_id), "project_id": project_id})
    oldest = min(found, key=lambda one: (text(one, "created_at"), text(one, "id")), default=None)
    return None if oldest is None else Found(pod_resource_id=text(oldest, "id"))


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
