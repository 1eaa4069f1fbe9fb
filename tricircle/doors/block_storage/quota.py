# SPDX-License-Identifier: Apache-2.0
"""May a project have so much more storage? Limits are the central Cinder's; usage is what the pods count.

The check reads and holds nothing: two requests at the same instant may both pass it. A pod that is down counts with
what it said last to this process. Pods are asked only when the project has a limit at all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.copies.bodies import member
from tricircle.copies.volume_types import PREFIX
from tricircle.doors.block_storage import words
from tricircle.errors import TricircleError
from tricircle.model.pod import Pod, Service
from tricircle.pods.bindings import Bindings
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients

#: The limit on the size of one volume; nothing is used up of it.
PER_VOLUME = "per_volume_gigabytes"
_REMEMBERED = 20_000
#: A pod is waited for so long; then it counts with what it said last.
_PATIENCE_S = 5.0
Amounts = Mapping[str, int]


def of_volume(size_gib: int, type_name: str | None) -> dict[str, int]:
    """What one volume takes from the project's limits; those of its type are counted by the type's name.

    >>> of_volume(2, "gold")
    {'gigabytes': 2, 'volumes': 1, 'gigabytes_gold': 2, 'volumes_gold': 1}
    """
    amounts = {"gigabytes": size_gib, "volumes": 1}
    return amounts if type_name is None else amounts | {f"{key}_{type_name}": n for key, n in amounts.items()}


def of_snapshot(size_gib: int) -> dict[str, int]:
    """What one snapshot takes: Cinder counts its GiB among those of volumes."""
    return {"gigabytes": size_gib, "snapshots": 1}


class Quota:
    """Checks what is asked for against the central limits."""

    def __init__(self, *, clients: Clients, registry: Registry, bindings: Bindings) -> None:
        self._clients = clients
        self._registry = registry
        self._bindings = bindings
        self._last: OrderedDict[tuple[ProjectId, PodId], Amounts] = OrderedDict()

    async def check(self, context: RequestContext, asked: Amounts, *, largest_gib: int | None = None) -> None:
        """Return if ``asked`` fits into the project's limits.

        :param asked: GiB and numbers by quota name, in any order
        :param largest_gib: the size of the volume that is asked for
        :raises QuotaExceededError: Cinder's words for the limit that Cinder would name
        """
        limits = await self._limits(context)
        most = limits.get(PER_VOLUME, -1)
        if largest_gib is not None and 0 <= most < largest_gib:
            raise words.too_big(largest_gib, most)
        bounded = sorted(name for name in asked if limits.get(name, -1) >= 0)
        if not bounded:
            return
        used = await self._usage(context, context.deadline.within(_PATIENCE_S))
        for name in bounded:
            if used.get(name, 0) + asked[name] <= limits[name]:
                continue
            if "gigabytes" in name:
                raise words.too_large(name, asked[name], limits[name], used.get(name, 0))
            raise words.too_many(name, limits[name])

    async def _limits(self, context: RequestContext) -> Amounts:
        """What the centre allows the caller's project, by quota name; -1 is no limit."""
        client = self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
        answer = await client.get(f"/v3/os-quota-sets/{context.project_id}", deadline=context.deadline)
        return {name: value for name, value in member(answer, "quota_set").items() if isinstance(value, int)}

    async def _usage(self, context: RequestContext, deadline: Deadline) -> Amounts:
        """What the caller's project uses in all pods that it is bound to, by quota name."""
        bound = await self._bindings.pods_of(context.project_id)
        pods = [
            pod for pod in await self._registry.pods() if pod.id in bound and Service.BLOCK_STORAGE in pod.endpoints
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._in_pod(context, pod, deadline)) for pod in pods]
        total: dict[str, int] = {}
        for task in tasks:
            for name, used in task.result().items():
                total[name] = total.get(name, 0) + used
        return total

    async def _in_pod(self, context: RequestContext, pod: Pod, deadline: Deadline) -> Amounts:
        key = (context.project_id, pod.id)
        client = self._clients.as_user(context, self._registry.target(pod, Service.BLOCK_STORAGE))
        path = f"/v3/os-quota-sets/{context.project_id}"
        try:
            answer = await client.get(path, params={"usage": "True"}, deadline=deadline)
            used = used_of(member(answer, "quota_set"))
        except TricircleError:
            return self._last.get(key, {})
        self._last[key] = used
        self._last.move_to_end(key)
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return used


def used_of(quota_set: Mapping[str, object]) -> dict[str, int]:
    """What a pod's ``quota_set`` with usage says is used, reservations included, by *central* quota name.

    >>> used_of({"volumes": {"limit": 1, "in_use": 2, "reserved": 1}, "volumes_tricircle.gold": {"in_use": 4}})
    {'volumes': 3, 'volumes_gold': 4}
    """
    used: dict[str, int] = {}
    for name, value in quota_set.items():
        if not isinstance(value, Mapping):
            continue
        amounts = [value.get("in_use"), value.get("reserved")]
        central = name.replace(f"_{PREFIX}", "_", 1)
        used[central] = used.get(central, 0) + sum(amount for amount in amounts if isinstance(amount, int))
    return used
