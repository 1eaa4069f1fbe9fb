# SPDX-License-Identifier: Apache-2.0
"""How does a user's key pair come to be in a pod, equal to the one at the centre?

Key pairs belong to a user, not to a project, and keep their name everywhere; equal name, type and fingerprint is an
equal key. Copies are made with the user's own token during a boot. A pair of that name with another key in the pod is
replaced: servers that exist keep the key they were given, and what the user means by the name is what the centre
says.
"""

from collections.abc import Mapping
from urllib.parse import quote

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.copies.ensure import Found, Wanted, check_followed
from tricircle.copies.reach import Reach, show
from tricircle.copies.visit import visit
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.spoken import spoken
from tricircle.upstream.client import ServiceClient

#: Below 2.92 names with ``@`` or ``.`` are refused; a pod whose API ends earlier cannot have such pairs at all.
_VERSION = "2.92"
#: A key pair belongs to a user, in whatever project he used it first.
_ANYBODY = ProjectId("")
#: ``user_id`` in requests of administrators, from this version on.
_ADMIN_VERSION = "2.35"


def routing_id(user_id: str, name: str) -> str:
    """What routings and jobs call a key pair: names are unique per user only."""
    return f"{user_id}/{name}"


def digest(keypair: Mapping[str, object]) -> str:
    """What tells two keys of one name apart, within 64 characters (a fingerprint has 47, or 59 for certificates)."""
    return f"{keypair.get('type') or 'ssh'}:{keypair.get('fingerprint', '')}"[:64]


class Keypairs:
    """Copies of key pairs."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(
        self, pod: Pod, context: RequestContext, keypair: Mapping[str, object], deadline: Deadline
    ) -> None:
        """Make the pod hold the caller's key pair under its name.

        :param keypair: the central body (name, type, public_key, fingerprint)
        :raises UnavailableError: when the pod cannot be asked or the time is up
        """
        name, revision = str(keypair["name"]), digest(keypair)
        central_id = routing_id(context.user_id, name)
        known = await self._reach.routings.copy_in(Kind.KEYPAIR, central_id, pod.id)
        if known is not None and known.is_bound:
            if known.revision == revision:
                return
            await self._reach.routings.forget_free(known.id)  # another key has the name now
        version = spoken(pod, Service.COMPUTE, _VERSION)
        client = self._reach.clients.as_user(context, self._reach.registry.target(pod, Service.COMPUTE), version)
        wanted = Wanted(kind=Kind.KEYPAIR, central_id=central_id, pod=pod, project_id=_ANYBODY, revision=revision)

        async def find() -> Found | None:
            present = await _show(client, name, deadline)
            if present is None or digest(present) != revision:
                return None
            return Found(pod_resource_id=name, revision=revision)

        async def create() -> Found:
            return await find() or await _replace(client, keypair, deadline)

        check_followed(await self._reach.ensure(wanted, find=find, create=create, deadline=deadline), revision)

    async def agree(self, run: JobRun) -> None:
        """Job body: remove the copies of a key pair that is gone at the centre or has another key there."""
        user_id, _, name = run.resource_id.partition("/")
        central = self._reach.clients.as_service(self._reach.registry.central(Service.COMPUTE), _ADMIN_VERSION)
        wanted = await _show(central, name, run.deadline, user_id)

        async def work(pod: Pod, copy: Routing) -> None:
            if wanted is not None and digest(wanted) == copy.revision:
                return
            client = self._reach.compute(pod, spoken(pod, Service.COMPUTE, _ADMIN_VERSION))
            await client.delete(_path(name), params={"user_id": user_id}, deadline=run.deadline, ok=(404,))
            await self._reach.routings.forget(copy.id)

        async def find(pod: Pod, _copy: Routing) -> Found | None:
            client = self._reach.compute(pod, spoken(pod, Service.COMPUTE, _ADMIN_VERSION))
            present = await _show(client, name, run.deadline, user_id)
            return None if present is None else Found(pod_resource_id=name, revision=digest(present))

        await visit(self._reach, run, Kind.KEYPAIR, work=work, find=find)


async def _replace(client: ServiceClient, keypair: Mapping[str, object], deadline: Deadline) -> Found:
    name = str(keypair["name"])
    await client.delete(_path(name), deadline=deadline, ok=(404,))
    body: dict[str, object] = {
        "keypair": {"name": name, "type": keypair.get("type") or "ssh", "public_key": keypair.get("public_key")}
    }
    await client.post("/v2.1/os-keypairs", body=body, deadline=deadline)
    return Found(pod_resource_id=name, revision=digest(keypair))


async def _show(
    client: ServiceClient, name: str, deadline: Deadline, user_id: str | None = None
) -> Mapping[str, object] | None:
    owner = f"?user_id={quote(user_id, safe='')}" if user_id else ""
    return await show(client, _path(name) + owner, "keypair", deadline)


def _path(name: str) -> str:
    return f"/v2.1/os-keypairs/{quote(name, safe='')}"
