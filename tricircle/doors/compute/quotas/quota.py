# SPDX-License-Identifier: Apache-2.0
"""May a project have so many more servers? Limits are the central Nova's; usage is what the pods count.

Pods are lifted to unlimited, so this is the only limit there is. What fits is reserved until the pod's own count has
it. That is later than the pod's answer: Nova counts a server when it is written down in its cell, and a new size when
the resize is done.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.road.allowance import Allowance, Hold
from tricircle.road.route import Located
from tricircle.upstream.client import ServiceClient
from tricircle.upstream.reply import Reply

#: Old enough for every pod; the fields that count are the same at every version.
_VERSION = "2.57"
NOTHING: Mapping[str, int] = MappingProxyType({})
#: Statuses of servers whose size in Nova's count is about to change.
_CHANGING = ("RESIZE", "REVERT_RESIZE", "SOFT_DELETED")


@dataclass(frozen=True, slots=True)
class Amounts:
    """Servers, cores and MiB of memory."""

    instances: int = 0
    cores: int = 0
    ram: int = 0

    def times(self, count: int) -> "Amounts":
        """For so many servers."""
        return Amounts(self.instances * count, self.cores * count, self.ram * count)

    def named(self) -> dict[str, int]:
        """By Nova's names."""
        return {"instances": self.instances, "cores": self.cores, "ram": self.ram}

    @classmethod
    def of(cls, amounts: Mapping[str, int]) -> "Amounts":
        """From Nova's names."""
        return cls(amounts.get("instances", 0), amounts.get("cores", 0), amounts.get("ram", 0))


class ServerCounts:
    """What pods' Novas count (``road/allowance.py``)."""

    service: Service = Service.COMPUTE
    version: str | None = _VERSION
    maker: Service = Service.COMPUTE

    async def usage(
        self, client: ServiceClient, project_id: ProjectId, deadline: Deadline, *, is_own: bool
    ) -> Mapping[str, int]:
        """Servers, cores and MiB of a project. Whoever asks for his own need not be an administrator."""
        params = {} if is_own else {"tenant_id": project_id}
        return used_of(await client.get("/v2.1/limits", params=params, deadline=deadline))

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

    async def take(
        self,
        context: RequestContext,
        pod: Pod,
        flavor: Mapping[str, object],
        counts: tuple[int, int],
        limits: Amounts,
        *,
        beside: Mapping[str, int] = NOTHING,
    ) -> "Share":
        """As many servers as may be made in ``pod``, at most ``counts[1]``.

        :param counts: least and most servers that the request asks for
        :param limits: of ``limits``
        :param beside: what each server is reserved with that is not limited here
        :raises QuotaExceededError: not even the least (Nova's words)
        """
        return await self._take(context, pod, one_of(flavor), counts, limits, beside=beside)

    async def take_growth(
        self, context: RequestContext, server: Located, old: Amounts | None, new: Amounts | None
    ) -> "Share":
        """What a server needs to grow: nothing when it shrinks, or when a size is not known. Its project's limits
        count, whoever makes it grow.

        :raises QuotaExceededError: it may not
        """
        if old is None or new is None:
            return Share(1)
        grown = Amounts(0, max(0, new.cores - old.cores), max(0, new.ram - old.ram))
        if grown == Amounts():
            return Share(1)
        return await self._take_one(context, server, grown)

    async def take_back(self, context: RequestContext, server: Located, server_id: str) -> "Share":
        """What a server needs to come back that was deleted softly: Nova has not counted it since.

        :raises QuotaExceededError: it may not
        """
        size = await self.size(context, server.pod, server_id, status="SOFT_DELETED")
        return Share(1) if size is None else await self._take_one(context, server, size)

    async def _take_one(self, context: RequestContext, server: Located, size: Amounts) -> "Share":
        owner = server.routing.project_id or context.project_id
        return await self._take(context, server.pod, size, (1, 1), await self.limits(context, owner), owner=owner)

    async def _take(
        self,
        context: RequestContext,
        pod: Pod,
        one: Amounts,
        counts: tuple[int, int],
        limits: Amounts,
        *,
        owner: ProjectId | None = None,
        beside: Mapping[str, int] = NOTHING,
    ) -> "Share":
        if not beside and all(limits.named()[name] < 0 for name, size in one.named().items() if size):
            return Share(counts[1])

        def fit(taken: Mapping[str, int]) -> list[Mapping[str, int]]:
            return [{**one.named(), **beside}] * fitting(limits, Amounts.of(taken), one, counts)

        hold = await self._allowance.take(context, pod, fit, project_id=owner)
        return Share(hold.count, hold)

    async def size(
        self, context: RequestContext, pod: Pod, server_id: str, *, status: str | None = None
    ) -> Amounts | None:
        """A server's size, if it has the status; the pod itself says what is wrong with one that it does not show."""
        client = self._clients.as_user(context, self._pods.target(pod, Service.COMPUTE), _VERSION)
        try:
            server = (await client.get(f"/v2.1/servers/{server_id}", deadline=context.deadline)).get("server")
        except UpstreamStatusError:
            return None
        if not isinstance(server, Mapping) or (status is not None and server.get("status") != status):
            return None
        flavor = server.get("flavor")
        return one_of(flavor) if isinstance(flavor, Mapping) else None

    async def limits(self, context: RequestContext, project_id: ProjectId | None = None) -> Amounts:
        """What the centre allows a project, by default the caller's; -1 is no limit."""
        return _allowed(await self._said(context, project_id))

    async def boot_limits(self, context: RequestContext) -> tuple[Amounts, int]:
        """What the centre allows the caller's project, and members that each of its users may have in a group."""
        absolute = await self._said(context, None)
        return _allowed(absolute), _count(absolute, "maxServerGroupMembers", -1)

    async def _said(self, context: RequestContext, project_id: ProjectId | None) -> Mapping[str, object]:
        central = self._pods.central(Service.COMPUTE)
        if project_id in (None, context.project_id):
            client, params = self._clients.as_user(context, central, _VERSION), {}
        else:
            client, params = self._clients.as_service(central, _VERSION), {"tenant_id": str(project_id)}
        return _absolute(await client.get("/v2.1/limits", params=params, deadline=context.deadline))


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


def fitting(limits: Amounts, usage: Amounts, one: Amounts, counts: tuple[int, int]) -> int:
    """How many servers of the size ``one`` fit, at most ``counts[1]``; a limit of -1 is none.

    >>> fitting(Amounts(10, -1, -1), Amounts(8, 8, 0), Amounts(1, 1, 64), (1, 5))
    2

    :raises QuotaExceededError: fewer than ``counts[0]`` fit; the text is Nova's
    """
    least, most = counts
    each, used, allowed = one.named(), usage.named(), limits.named()
    room = most
    for name, size in each.items():
        if allowed[name] >= 0 and size > 0:
            room = min(room, max(0, allowed[name] - used[name]) // size)
    if room >= least:
        return room
    asked = one.times(most).named()
    overs: dict[str, tuple[object, int, int]] = {
        name: (asked[name], used[name], allowed[name])
        for name in each
        if asked[name] and 0 <= allowed[name] < used[name] + asked[name]
    }
    if "instances" in overs and least != most:
        overs["instances"] = (f"{least}-{most}", used["instances"], allowed["instances"])
    raise words.over_quota(overs)


def used_of(answer: Mapping[str, object]) -> dict[str, int]:
    """What a pod's ``limits`` say is used, by Nova's names of quotas."""
    absolute = _absolute(answer)
    used = Amounts(
        _count(absolute, "totalInstancesUsed", 0),
        _count(absolute, "totalCoresUsed", 0),
        _count(absolute, "totalRAMUsed", 0),
    )
    return used.named()


def _allowed(absolute: Mapping[str, object]) -> Amounts:
    return Amounts(
        _count(absolute, "maxTotalInstances", -1),
        _count(absolute, "maxTotalCores", -1),
        _count(absolute, "maxTotalRAMSize", -1),
    )


def _made(reply: Reply) -> str | None:
    """The id in the answer to a boot."""
    try:
        server = reply.json().get("server")
    except BadUpstreamAnswerError:
        return None
    return str(server["id"]) if isinstance(server, Mapping) and "id" in server else None


def one_of(flavor: Mapping[str, object]) -> Amounts:
    """One server of this flavor."""
    return Amounts(1, _count(flavor, "vcpus", 0), _count(flavor, "ram", 0))


def _absolute(answer: Mapping[str, object]) -> Mapping[str, object]:
    limits = answer.get("limits")
    absolute = limits.get("absolute") if isinstance(limits, Mapping) else None
    if not isinstance(absolute, Mapping):
        raise BadUpstreamAnswerError("A service behind this API sent an answer that cannot be read.")
    return absolute


def _count(values: Mapping[str, object], name: str, default: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else default
