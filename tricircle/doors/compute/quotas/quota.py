# SPDX-License-Identifier: Apache-2.0
"""May a project, and a user in it, have so many more servers? Limits are the central Nova's, usage is what pods count.

Pods are lifted to unlimited, so this is the only limit there is. What fits is reserved until the pod's own count has
it. That is later than the pod's answer: Nova counts a server when it is written down in its cell, and a new size when
the resize is done.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import quote

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.doors.compute.quotas.allowed import Allowed, CentralLimits, Scope, fitting
from tricircle.doors.compute.quotas.amounts import (
    Amounts,
    ServerSize,
    one_of,
    size_of,
    used_by_project,
    used_by_user,
)
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.model.reservation import of_user, users_part
from tricircle.road.allowance import Allowance, Hold
from tricircle.road.route import Located
from tricircle.upstream.client import ServiceClient
from tricircle.upstream.reply import Reply

#: Old enough for every pod; the fields that count are the same at every version.
_VERSION = "2.57"
NOTHING: Mapping[str, int] = MappingProxyType({})
#: Statuses of servers whose size in Nova's count is about to change.
_CHANGING = ("RESIZE", "REVERT_RESIZE", "SOFT_DELETED")


class ServerCounts:
    """What pods' Novas count (``road/allowance.py``)."""

    service: Service = Service.COMPUTE
    version: str | None = _VERSION
    maker: Service = Service.COMPUTE

    async def usage(
        self,
        client: ServiceClient,
        project_id: ProjectId,
        deadline: Deadline,
        *,
        is_own: bool,
        user_id: str = "",
    ) -> Mapping[str, int]:
        """Servers, cores and MiB of a project, and of a user in it. Whoever asks for his own project alone need not be
        an administrator.
        """
        params = {} if is_own else {"tenant_id": project_id}
        whole = client.get("/v2.1/limits", params=params, deadline=deadline)
        if not user_id:
            return used_by_project(await whole)
        path, user = f"/v2.1/os-quota-sets/{quote(project_id, safe='')}/detail", {"user_id": user_id}
        answers = await asyncio.gather(whole, client.get(path, params=user, deadline=deadline))
        return {**used_by_project(answers[0]), **of_user(user_id, used_by_user(answers[1]))}

    async def includes(
        self, client: ServiceClient, resource_id: str, _amounts: Mapping[str, int], deadline: Deadline
    ) -> bool:
        """Whether the server is in its cell (it has a host, or has failed), at its final size; or gone."""
        answer = await client.get(f"/v2.1/servers/{resource_id}", deadline=deadline, ok=(404,))
        server = answer.get("server")
        if not isinstance(server, Mapping):
            return True
        status = server.get("status")
        return bool(server.get("hostId")) if status == "BUILD" else status not in _CHANGING


class Quota:
    """Takes from the central limits."""

    def __init__(self, *, clients: Asking, pods: KnownPods, allowance: Allowance) -> None:
        self._clients = clients
        self._pods = pods
        self._allowance = allowance
        self._limits = CentralLimits(clients=clients, pods=pods)

    async def allowed(self, context: RequestContext) -> Allowed:
        """What servers the caller may have."""
        return await self._limits.allowed(context)

    async def take(
        self,
        context: RequestContext,
        pod: Pod,
        flavor: Mapping[str, object],
        counts: tuple[int, int],
        allowed: Allowed,
        *,
        beside: Mapping[str, int] = NOTHING,
    ) -> "Share":
        """As many servers as may be made in ``pod``, at most ``counts[1]``.

        :param counts: least and most servers that the request asks for
        :param allowed: of ``allowed``
        :param beside: what each server is reserved with that is not limited here
        :raises QuotaExceededError: not even the least (Nova's words)
        """
        return await self._take(context, pod, one_of(flavor), counts, allowed, beside=beside)

    async def take_growth(
        self, context: RequestContext, server: Located, old: ServerSize | None, new: Amounts | None
    ) -> "Share":
        """What a server needs to grow: nothing when it shrinks, or when a size is not known. Its project's and its
        user's limits count, whoever makes it grow.

        :raises QuotaExceededError: it may not
        """
        if old is None or new is None:
            return Share(1)
        grown = Amounts(0, max(0, new.cores - old.cores), max(0, new.ram - old.ram))
        if grown == Amounts():
            return Share(1)
        return await self._take_one(context, server, grown, old.user_id)

    async def take_back(self, context: RequestContext, server: Located, server_id: str) -> "Share":
        """What a server needs to come back that was deleted softly: Nova has not counted it since.

        :raises QuotaExceededError: it may not
        """
        size = await self.size(context, server.pod, server_id, status="SOFT_DELETED")
        return Share(1) if size is None else await self._take_one(context, server, size, size.user_id)

    async def _take_one(self, context: RequestContext, server: Located, size: Amounts, user_id: str) -> "Share":
        owner = server.routing.project_id or context.project_id
        allowed = await self._limits.allowed(context, project_id=owner, user_id=user_id)
        size = Amounts(size.instances, size.cores, size.ram)
        return await self._take(context, server.pod, size, (1, 1), allowed, owner=owner)

    async def _take(
        self,
        context: RequestContext,
        pod: Pod,
        one: Amounts,
        counts: tuple[int, int],
        allowed: Allowed,
        *,
        owner: ProjectId | None = None,
        beside: Mapping[str, int] = NOTHING,
    ) -> "Share":
        if not beside and not allowed.limits(one):
            return Share(counts[1])
        user_id = allowed.user_id
        each = {**one.named(), **of_user(user_id, one.named() if user_id else {}), **beside}

        def fit(taken: Mapping[str, int]) -> list[Mapping[str, int]]:
            scopes = [Scope(allowed.project, Amounts.of(taken))]
            if user_id:
                scopes.append(Scope(allowed.user, Amounts.of(users_part(user_id, taken))))
            return [each] * fitting(scopes, one, counts)

        hold = await self._allowance.take(context, pod, fit, project_id=owner, user_id=user_id)
        return Share(hold.count, hold)

    async def size(
        self, context: RequestContext, pod: Pod, server_id: str, *, status: str | None = None
    ) -> ServerSize | None:
        """A server's size, if it has the status; the pod itself says what is wrong with one that it does not show."""
        client = self._clients.as_user(context, self._pods.target(pod, Service.COMPUTE), _VERSION)
        try:
            server = (await client.get(f"/v2.1/servers/{server_id}", deadline=context.deadline)).get("server")
        except UpstreamStatusError:
            return None
        if not isinstance(server, Mapping) or (status is not None and server.get("status") != status):
            return None
        return size_of(server)


@dataclass(frozen=True, slots=True)
class Share:
    """How many servers may be made, and what is reserved for them.

    :ivar volumes: what is reserved for the volumes that the pod makes with them
    """

    count: int
    hold: Hold = field(default_factory=Hold)
    volumes: Hold = field(default_factory=Hold)

    def beside(self, volumes: Hold) -> "Share":
        """The same with volumes, which may be enough for fewer servers; a hold of nothing limits nothing."""
        return replace(self, count=min(self.count, volumes.count or self.count), volumes=volumes)

    async def send(self, call: Awaitable[Reply], server_id: str | None = None) -> Reply:
        """The pod's reply to a call about one of them: a boot, or with its id a server that exists."""
        identify = _made if server_id is None else lambda _reply: server_id
        # Nova has the volumes made while it builds the server: they, too, are counted later.
        return await self.volumes.send(self.hold.send(call, identify=identify), identify=identify)


def _made(reply: Reply) -> str | None:
    """The id in the answer to a boot."""
    try:
        server = reply.json().get("server")
    except BadUpstreamAnswerError:
        return None
    return str(server["id"]) if isinstance(server, Mapping) and "id" in server else None
