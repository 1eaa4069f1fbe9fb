# SPDX-License-Identifier: Apache-2.0
"""How does a server group of the centre come to be in a pod?

A group belongs to the project of the token that makes it, and only that project's boots may name it, so a copy is
made with the user's own token at the moment of a boot; no job could. Administrators may delete anybody's: that is what
the job does when the group is gone at the centre. Its id cannot be chosen. Its name in the pod is our mark: no answer
of a pod shows a group's name to users.
"""

from collections.abc import Mapping
from urllib.parse import quote

from tricircle.context import Deadline, RequestContext
from tricircle.copies.bodies import member, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach, remove, show
from tricircle.copies.visit import visit
from tricircle.jobs.worker import JobRun
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind, Routing
from tricircle.pods.spoken import spoken
from tricircle.upstream.client import collect

#: Mark in the name of a copy; a name may not hold a colon everywhere, so unlike elsewhere it is a dot.
_MARK = "tricircle."
#: From 2.64 on a group has one policy with rules.
_VERSION = "2.64"
_PATH = "/v2.1/os-server-groups"


def mark(group_id: str) -> str:
    """What the copy of a central group is called in a pod."""
    return _MARK + group_id


def marked_id(pod_group_name: object) -> str | None:
    """The central id in the name of a copy; None for groups that are not ours.

    >>> marked_id("tricircle.0f2a"), marked_id("web")
    ('0f2a', None)
    """
    if isinstance(pod_group_name, str) and pod_group_name.startswith(_MARK):
        return pod_group_name.removeprefix(_MARK)
    return None


class ServerGroups:
    """Copies of server groups."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def ensure(self, pod: Pod, context: RequestContext, group: Mapping[str, object], deadline: Deadline) -> str:
        """The group's id in the pod.

        :param group: the central body (``id``, ``policy``, ``rules``)
        :raises UnavailableError: when the pod cannot be asked or the time is up
        """
        group_id, policy = str(group["id"]), _policy(group)
        version = spoken(pod, Service.COMPUTE, _VERSION)
        client = self._reach.clients.as_user(context, self._reach.registry.target(pod, Service.COMPUTE), version)
        wanted = Wanted(kind=Kind.SERVER_GROUP, central_id=group_id, pod=pod, project_id=context.project_id)

        async def find() -> Found | None:
            for present in await collect(client, _PATH, "server_groups", deadline):
                if present.get("name") == mark(group_id) and _policy(present) == policy:
                    return Found(pod_resource_id=text(present, "id"))
            return None

        async def create() -> Found:
            body: dict[str, object] = {"name": mark(group_id), "policy": policy}
            if group.get("rules"):
                body["rules"] = group["rules"]
            made = member(await client.post(_PATH, body={"server_group": body}, deadline=deadline), "server_group")
            return Found(pod_resource_id=text(made, "id"))

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        return str(routing.pod_resource_id)

    async def agree(self, run: JobRun) -> None:
        """Job body: remove the copies of a group that is gone at the centre. One that is there never changes."""
        central = self._reach.clients.as_service(self._reach.registry.central(Service.COMPUTE))
        path = f"{_PATH}/{quote(run.resource_id, safe='')}"
        is_gone = await show(central, path, "server_group", run.deadline) is None

        async def work(pod: Pod, copy: Routing) -> None:
            if is_gone:
                client = self._reach.compute(pod, spoken(pod, Service.COMPUTE, _VERSION))
                await remove(client, f"{_PATH}/{copy.pod_resource_id}", run.deadline)
                await self._reach.routings.forget(copy.id)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy, run.deadline)

        await visit(self._reach, run, Kind.SERVER_GROUP, work=work, find=find)

    async def _find(self, pod: Pod, copy: Routing, deadline: Deadline) -> Found | None:
        """What an attempt left that died: of the project that the row names, by mark. Nova tells no more than so many
        groups at once, and not that there are more.
        """
        client, seen = self._reach.compute(pod, spoken(pod, Service.COMPUTE, _VERSION)), 0
        while True:
            params = {"all_projects": "True", "offset": str(seen)}
            found = await collect(client, _PATH, "server_groups", deadline, params)
            for present in found:
                if (present.get("name"), present.get("project_id")) == (mark(copy.central_id), copy.project_id):
                    return Found(pod_resource_id=text(present, "id"))
            if not found:
                return None
            seen += len(found)


def _policy(group: Mapping[str, object]) -> str:
    """The policy of a group, whatever microversion showed it."""
    if isinstance(policy := group.get("policy"), str):
        return policy
    policies = group.get("policies")
    return str(policies[0]) if isinstance(policies, list) and policies else ""
