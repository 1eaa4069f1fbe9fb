# SPDX-License-Identifier: Apache-2.0
"""May a project have so much more storage? Limits are the central Cinder's; usage is what the pods count.

The check reads and holds nothing: two requests at the same instant may both pass it by one. A pod that is down counts
with what it said last.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from tricircle.context import Deadline, PodId, ProjectId, RequestContext
from tricircle.copies.bodies import member
from tricircle.doors.block_storage import words
from tricircle.errors import TricircleError
from tricircle.model.pod import Pod, Service
from tricircle.pods.bindings import Bindings
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients

#: What ``/limits`` calls the limit and the usage of each thing.
NAMES: Mapping[str, tuple[str, str]] = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "snapshots": ("maxTotalSnapshots", "totalSnapshotsUsed"),
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
    "backups": ("maxTotalBackups", "totalBackupsUsed"),
    "backup_gigabytes": ("maxTotalBackupGigabytes", "totalBackupGigabytesUsed"),
}
_REMEMBERED = 20_000
Amounts = Mapping[str, int]


class Quota:
    """Checks what is asked for against the central limits."""

    def __init__(self, *, clients: Clients, registry: Registry, bindings: Bindings) -> None:
        self._clients = clients
        self._registry = registry
        self._bindings = bindings
        self._last: OrderedDict[tuple[ProjectId, PodId], Amounts] = OrderedDict()

    async def check(self, context: RequestContext, asked: Amounts, deadline: Deadline) -> None:
        """:raises QuotaExceededError: with Cinder's words, when ``asked`` does not fit"""
        limits, used = await asyncio.gather(self.limits(context, deadline), self.usage(context, deadline))
        for name, amount in asked.items():
            limit = limits.get(name, -1)
            if limit < 0 or used.get(name, 0) + amount <= limit:
                continue
            if name == "gigabytes":
                raise words.too_large(amount, limit, used.get(name, 0))
            raise words.too_many(name, limit)

    async def limits(self, context: RequestContext, deadline: Deadline) -> Amounts:
        """What the centre allows the caller's project; -1 is no limit."""
        client = self._clients.as_user(context, self._registry.central(Service.BLOCK_STORAGE))
        absolute = member(member(await client.get("/v3/limits", deadline=deadline), "limits"), "absolute")
        return {name: _count(absolute, limit, -1) for name, (limit, _) in NAMES.items()}

    async def usage(self, context: RequestContext, deadline: Deadline) -> Amounts:
        """What the caller's project uses in all pods that it is bound to."""
        bound = await self._bindings.pods_of(context.project_id)
        pods = [pod for pod in await self._registry.pods() if pod.id in bound]
        answers = await asyncio.gather(*(self._in_pod(context, pod, deadline) for pod in pods))
        return {name: sum(answer.get(name, 0) for answer in answers) for name in NAMES}

    async def _in_pod(self, context: RequestContext, pod: Pod, deadline: Deadline) -> Amounts:
        key = (context.project_id, pod.id)
        try:
            client = self._clients.as_user(context, self._registry.target(pod, Service.BLOCK_STORAGE))
            absolute = member(member(await client.get("/v3/limits", deadline=deadline), "limits"), "absolute")
        except TricircleError:
            return self._last.get(key, {})
        used = {name: _count(absolute, usage, 0) for name, (_, usage) in NAMES.items()}
        self._last[key] = used
        self._last.move_to_end(key)
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return used


def _count(values: Mapping[str, object], name: str, default: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else default
