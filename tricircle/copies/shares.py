# SPDX-License-Identifier: Apache-2.0
"""With which projects is the copy of a network, or of a security group, shared in its pod, and when does that end?

With each whose port is about to live on the network or to be in the group there, until the centre gives the project no
access any more (it is not the owner, no RBAC policy names it or everybody) and has no such port of it. What is shared
is written into the routing (``details``: ``projects``, and ``lent`` for what an operator had shared of a network of his
own before us). A group belongs to its owner's project in the pod too, and is not shared with that.

Who shares and who ends it hold the lease of the row. A boot that finds its project's name shares nothing: its port is
at the centre by then. So whoever ends a share takes the name away first, and only then asks the centre once
more; a boot that comes later finds no name, waits for the lease, and shares anew.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, marked, refused_as, text, words
from tricircle.copies.limits import post_for
from tricircle.copies.reach import Reach
from tricircle.errors import RetryLaterError, UpstreamStatusError
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.central import Central
from tricircle.upstream.client import ServiceClient, collect

ACTION = "access_as_shared"
EVERYBODY = "*"
#: What Neutron calls its refusal to share the same thing with the same project once more.
SHARED_ALREADY = "DuplicateRbacPolicy"
_NAMES, _LENT = "projects", "lent"
#: Seconds after which a job looks again whether ports of ours have left.
_LEAVING_S = 2.0
#: Seconds that sharing with one project takes at most, and for which others wait when the process dies in it.
_SHARING_S = 15.0
#: Projects in one query: 44 characters each, and a request line may have 8 kB.
_IDS = 100


@dataclass(frozen=True, slots=True)
class Lendable:
    """A kind of copies that are shared.

    :ivar object_type: what RBAC policies call it
    :ivar on_ports: the field by which ports name it
    """

    object_type: str
    on_ports: str


LENDABLE: Mapping[Kind, Lendable] = {
    Kind.NETWORK: Lendable("network", "network_id"),
    Kind.SECURITY_GROUP: Lendable("security_group", "security_groups"),
}


class Shares:
    """Shares of the copies of networks and security groups."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def lend(self, pod: Pod, routing: Routing, project_id: ProjectId, deadline: Deadline) -> None:
        """Share a copy with a project; fine when it is.

        :raises UnavailableError: somebody else works on the copy all the time, or it is gone
        """
        await self._reach.owner.project(self._reach.network(pod), deadline)
        async with self._reach.holding(routing, deadline.within(_SHARING_S), patience=deadline):
            now, deadline = await self._now(pod, routing), deadline.within(_SHARING_S)
            if project_id not in words(now.details, _NAMES):
                await self._share(pod, now, [project_id], deadline)
                await self._write(now, {*words(now.details, _NAMES), project_id})

    async def agree(self, pod: Pod, copy: Routing, original: Body, deadline: Deadline) -> None:
        """Share a copy with every project that it was shared with, should somebody have ended that in the pod, and end
        what has no reason any more; under the lease of the row.

        :raises RetryLaterError: a port of ours has yet to leave, and keeps its project's share so long
        """
        copy = await self._now(pod, copy)
        names = set(words(copy.details, _NAMES))
        policies = await self._policies(pod, copy, deadline)
        mine = await self._mine(pod, copy, policies, deadline)
        targets = {text(policy, "target_tenant") for policy in mine}
        seen = (names | targets) - set(words(copy.details, _LENT))
        gone = await self._without_access(copy, original, seen, deadline)
        if gone:
            await self._write(copy, names - gone)
            # Who found the name until now has a port at the centre: see above.
            gone = await self._without_access(copy, original, gone, deadline)
            await self._write(copy, names - gone)
        ending = [policy for policy in mine if text(policy, "target_tenant") in gone]
        missing = names - gone - {text(policy, "target_tenant") for policy in policies}
        await self._share(pod, copy, sorted(missing), deadline)
        await self._end_all(pod, copy, ending, deadline)

    async def take_back(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """End what we shared of a network that is not ours; a project that has ports of its own there keeps it.

        :raises RetryLaterError: a port of ours has yet to leave, and keeps its project's share so long
        """
        policies = await self._policies(pod, copy, deadline)
        if not policies:
            return
        await self._end_all(pod, copy, await self._mine(pod, copy, policies, deadline), deadline)

    async def _now(self, pod: Pod, copy: Routing) -> Routing:
        return await self._reach.routings.copy_in(copy.kind, copy.central_id, pod.id) or copy

    async def _write(self, copy: Routing, names: Collection[str]) -> None:
        await self._reach.routings.update(copy.id, details={_NAMES: sorted(names)})

    async def _policies(self, pod: Pod, copy: Routing, deadline: Deadline) -> list[dict[str, object]]:
        filters = {"object_id": str(copy.pod_resource_id), "action": ACTION}
        return await collect(self._reach.network(pod), "/v2.0/rbac-policies", "rbac_policies", deadline, filters)

    async def _mine(self, pod: Pod, copy: Routing, policies: Iterable[Body], deadline: Deadline) -> list[Body]:
        """Those that we made. One that nobody wrote down, since a process died, is known by its owner."""
        lent = set(words(copy.details, _LENT))
        owner = await self._reach.owner.project(self._reach.network(pod), deadline)
        names = set(words(copy.details, _NAMES)) - lent
        return [
            policy
            for policy in policies
            if (target := text(policy, "target_tenant")) in names
            or (target not in {*lent, EVERYBODY} and text(policy, "project_id") == owner)
        ]

    async def _share(self, pod: Pod, copy: Routing, projects: Iterable[str], deadline: Deadline) -> None:
        client = self._reach.network(pod)
        for project_id in projects:
            policy = {
                "object_type": LENDABLE[copy.kind].object_type,
                "object_id": copy.pod_resource_id,
                "action": ACTION,
                "target_tenant": project_id,
            }
            try:
                await post_for(
                    client,
                    "/v2.0/rbac-policies",
                    {"rbac_policy": policy},
                    project_id=await self._reach.owner.project(client, deadline),
                    limits=("rbac_policy",),
                    deadline=deadline,
                )
            except UpstreamStatusError as error:
                if refused_as(error.body) != SHARED_ALREADY:
                    raise

    async def _end_all(self, pod: Pod, copy: Routing, policies: Iterable[Body], deadline: Deadline) -> None:
        client = self._reach.network(pod)
        is_over = [await self._end(client, copy, policy, deadline) for policy in policies]
        if not all(is_over):
            what = LENDABLE[copy.kind].object_type.replace("_", " ")
            message = f"Ports of {what} {copy.central_id} have yet to leave the pod."
            raise RetryLaterError(message, after_s=_LEAVING_S)

    async def _end(self, client: ServiceClient, copy: Routing, policy: Body, deadline: Deadline) -> bool:
        """Delete a policy of ours; False when only the removal of a port of ours has to come first."""
        try:
            await client.delete(f"/v2.0/rbac-policies/{text(policy, 'id')}", deadline=deadline, ok=(404,))
        except UpstreamStatusError as error:
            if error.status != 409:
                raise
            on_ports = LENDABLE[copy.kind].on_ports
            filters = {on_ports: str(copy.pod_resource_id), "project_id": text(policy, "target_tenant")}
            ports = await collect(client, "/v2.0/ports", "ports", deadline, filters)
            return not any(marked(port.get("description")) for port in ports)
        return True

    async def _without_access(
        self, copy: Routing, original: Body, projects: Collection[str], deadline: Deadline
    ) -> set[str]:
        others = set(projects) - {text(original, "project_id")}
        central_id, central = text(original, "id"), self._reach.central
        return others - await with_access(central, copy.kind, central_id, others, deadline=deadline)


async def with_access(
    central: Central, kind: Kind, central_id: str, projects: Collection[str], *, deadline: Deadline
) -> set[str]:
    """Those of the projects to whom the centre gives access to somebody's network or group, or that have ports there,
    as administrators can make them without.
    """
    if not projects:
        return set()
    filters = {"object_id": central_id, "action": ACTION}
    policies = await central.rbac_policies(filters, deadline=deadline)
    targets = {text(policy, "target_tenant") for policy in policies}
    if EVERYBODY in targets:
        return set(projects)
    rest, on_ports = sorted(set(projects) - targets), LENDABLE[kind].on_ports
    found = set(projects) & targets
    for at in range(0, len(rest), _IDS):
        asked = {on_ports: central_id, "project_id": tuple(rest[at : at + _IDS]), "fields": ("project_id",)}
        found |= {text(port, "project_id") for port in await central.ports(asked, deadline=deadline)}
    return found & set(projects)
