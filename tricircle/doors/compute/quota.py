# SPDX-License-Identifier: Apache-2.0
"""May a project have so many more servers? Limits are the central Nova's; usage is what the pods count.

Pods are lifted to unlimited, so this is the only limit there is. The check reads before the boot and holds nothing:
two boots at the same instant may both pass it by one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.doors.compute import words
from tricircle.doors.compute.needs import Asking, KnownPods, ProjectBindings
from tricircle.doors.compute.together import settled, value
from tricircle.errors import BadUpstreamAnswerError, UpstreamStatusError
from tricircle.model.pod import Pod, Service

#: Old enough for every pod; the fields that count are the same at every version.
_VERSION = "2.57"
#: Pairs of project and pod whose last usage is remembered for when the pod is down.
_REMEMBERED = 20_000
#: Seconds that a boot waits for one pod's count, so that a pod that is silent holds up nobody who boots in another.
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Amounts:
    """Servers, cores and MiB of memory."""

    instances: int = 0
    cores: int = 0
    ram: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.instances + other.instances, self.cores + other.cores, self.ram + other.ram)

    def times(self, count: int) -> "Amounts":
        """For so many servers."""
        return Amounts(self.instances * count, self.cores * count, self.ram * count)

    def named(self) -> dict[str, int]:
        """By Nova's names."""
        return {"instances": self.instances, "cores": self.cores, "ram": self.ram}


class Quota:
    """Checks servers against the central limits."""

    def __init__(self, *, clients: Asking, pods: KnownPods, bindings: ProjectBindings) -> None:
        self._clients = clients
        self._pods = pods
        self._bindings = bindings
        self._last: OrderedDict[tuple[ProjectId, PodId], Amounts] = OrderedDict()

    async def allowed(
        self, context: RequestContext, flavor: Mapping[str, object], counts: tuple[int, int], deadline: Deadline
    ) -> int:
        """How many servers may be made: at most ``counts[1]``.

        :param counts: least and most servers that the request asks for
        :raises QuotaExceededError: not even the least (Nova's words)
        """
        limits, usage = await settled([self._limits(context, deadline), self.usage(context, deadline)])
        return fitting(value(limits), value(usage), _one(flavor), counts)

    async def check_resize(
        self, context: RequestContext, pod: Pod, server_id: str, flavor: Mapping[str, object], deadline: Deadline
    ) -> None:
        """Whether a server may grow to ``flavor``. One that shrinks, or that the pod does not show, always may.

        :raises QuotaExceededError: it may not
        """
        client = self._clients.as_user(context, self._pods.target(pod, Service.COMPUTE), _VERSION)
        try:
            server = (await client.get(f"/v2.1/servers/{server_id}", deadline=deadline)).get("server")
        except UpstreamStatusError:
            return  # the pod says so itself, when it is asked to resize
        present = server.get("flavor") if isinstance(server, Mapping) else None
        if not isinstance(present, Mapping):
            return
        old, new = _one(present), _one(flavor)
        grown = Amounts(0, max(0, new.cores - old.cores), max(0, new.ram - old.ram))
        if not grown.cores and not grown.ram:
            return
        limits, usage = await settled([self._limits(context, deadline), self.usage(context, deadline)])
        fitting(value(limits), value(usage), grown, (1, 1))

    async def usage(self, context: RequestContext, deadline: Deadline) -> Amounts:
        """What the caller's project uses in all pods that it is bound to; of a pod that does not answer, what it said
        last."""
        bound = await self._bindings.pods_of(context.project_id)
        pods = [pod for pod in await self._pods.pods() if pod.id in bound]
        total = Amounts()
        for pod, used in zip(pods, await settled([self._in_pod(context, pod, deadline) for pod in pods]), strict=True):
            key = (context.project_id, pod.id)
            if isinstance(used, Amounts):
                self._last[key] = used
                self._last.move_to_end(key)
            total += self._last.get(key, Amounts())
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return total

    async def _limits(self, context: RequestContext, deadline: Deadline) -> Amounts:
        client = self._clients.as_user(context, self._pods.central(Service.COMPUTE), _VERSION)
        absolute = _absolute(await client.get("/v2.1/limits", deadline=deadline))
        return Amounts(
            _count(absolute, "maxTotalInstances", -1),
            _count(absolute, "maxTotalCores", -1),
            _count(absolute, "maxTotalRAMSize", -1),
        )

    async def _in_pod(self, context: RequestContext, pod: Pod, deadline: Deadline) -> Amounts:
        client = self._clients.as_user(context, self._pods.target(pod, Service.COMPUTE), _VERSION)
        absolute = _absolute(await client.get("/v2.1/limits", deadline=deadline.within(_PATIENCE_S)))
        return Amounts(
            _count(absolute, "totalInstancesUsed", 0),
            _count(absolute, "totalCoresUsed", 0),
            _count(absolute, "totalRAMUsed", 0),
        )


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


def _one(flavor: Mapping[str, object]) -> Amounts:
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
