# SPDX-License-Identifier: Apache-2.0
"""How does a server group of the centre come to be in a pod?

A group belongs to the project of the token that makes it, and only that project's boots may name it, so a copy is
made with the user's own token at the moment of a boot; no job could. Its id cannot be chosen. Its name in the pod is
our mark: no answer of a pod shows a group's name to users.
"""

from collections.abc import Mapping

from tricircle.context import Deadline, RequestContext
from tricircle.copies.bodies import member, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach
from tricircle.copies.spoken import spoken
from tricircle.model.pod import Pod, Service
from tricircle.model.routing import Kind
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

    async def remove(self, context: RequestContext, group_id: str, deadline: Deadline) -> None:
        """Delete the copies of a group that its owner has deleted at the centre."""
        for copy in await self._reach.routings.copies_of(Kind.SERVER_GROUP, group_id):
            pod = await self._reach.registry.get(copy.pod_id)
            if pod is None or not copy.is_bound:
                continue
            client = self._reach.clients.as_user(context, self._reach.registry.target(pod, Service.COMPUTE))
            await client.delete(f"{_PATH}/{copy.pod_resource_id}", deadline=deadline, ok=(404,))
            await self._reach.routings.forget(copy.id)


def _policy(group: Mapping[str, object]) -> str:
    """The policy of a group, whatever microversion showed it."""
    if isinstance(policy := group.get("policy"), str):
        return policy
    policies = group.get("policies")
    return str(policies[0]) if isinstance(policies, list) and policies else ""
