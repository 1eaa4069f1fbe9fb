# SPDX-License-Identifier: Apache-2.0
"""Is there room in a pod, and how much of it is free?

Placement's allocation candidates are a proof when there are none and a hint when there are some: they know traits,
ratios and reservations, not Nova's filters. The share that is free comes from Nova's and Cinder's statistics, one
call per pod, remembered for a while: it only ranks pods.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.context import Deadline, PodId
from tricircle.errors import BadUpstreamAnswerError, UnavailableError, UpstreamStatusError
from tricircle.model.pod import Pod, Service
from tricircle.pods.registry import Registry
from tricircle.upstream.client import Clients

#: First version of Placement's API that knows forbidden traits, which the question needs.
_PLACEMENT_VERSION = "1.22"
#: Seconds to wait for a hint; a boot goes on without it.
_PATIENCE_S = 1.0
#: Seconds for which the free share of a pod is remembered.
_SHARE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one server needs.

    :ivar disk_gib: root, ephemeral and swap on local disk; 0 when it boots from a volume
    :ivar required: traits a host must have; ``forbidden`` those it must not have
    """

    vcpus: int
    memory_mib: int
    disk_gib: int = 0
    required: frozenset[str] = field(default_factory=frozenset)
    forbidden: frozenset[str] = field(default_factory=frozenset)

    def query(self) -> dict[str, str | int]:
        """As Placement wants it. An amount of 0 would be refused, so it is left out."""
        amounts = {"VCPU": self.vcpus, "MEMORY_MB": self.memory_mib, "DISK_GB": self.disk_gib}
        forbidden = (f"!{trait}" for trait in sorted({"COMPUTE_STATUS_DISABLED", *self.forbidden}))
        traits = [*sorted(self.required), *forbidden]
        return {
            "resources": ",".join(f"{name}:{amount}" for name, amount in amounts.items() if amount > 0),
            "required": ",".join(traits),
            "limit": 1,
        }


class Capacity:
    """Asks pods about room.

    :param clock: seconds that only grow
    """

    def __init__(self, clients: Clients, registry: Registry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._registry = registry
        self._clock = clock
        self._shares: dict[tuple[PodId, Service], tuple[float, float | None]] = {}

    async def rooms(self, pods: Sequence[Pod], demand: Demand, deadline: Deadline) -> Mapping[PodId, bool | None]:
        """Per pod: False = the demand fits nowhere, True = it might fit, None = not known."""
        patience = deadline.within(_PATIENCE_S)
        answers = await asyncio.gather(*(self._room(pod, demand, patience) for pod in pods))
        return {pod.id: answer for pod, answer in zip(pods, answers, strict=True)}

    async def free_shares(
        self, pods: Sequence[Pod], service: Service, deadline: Deadline
    ) -> Mapping[PodId, float | None]:
        """Per pod: the part that is free, 0.0 to 1.0; None = not known. For compute the smaller one of memory and
        cores."""
        patience = deadline.within(_PATIENCE_S)
        now = self._clock()
        never = (float("-inf"), None)
        old = [pod for pod in pods if now - self._shares.get((pod.id, service), never)[0] >= _SHARE_S]
        shares = await asyncio.gather(*(self._share(pod, service, patience) for pod in old))
        for pod, share in zip(old, shares, strict=True):
            self._shares[pod.id, service] = (now, share)
        return {pod.id: self._shares.get((pod.id, service), never)[1] for pod in pods}

    async def _room(self, pod: Pod, demand: Demand, deadline: Deadline) -> bool | None:
        if Service.PLACEMENT not in pod.endpoints:
            return None
        client = self._clients.as_service(self._registry.target(pod, Service.PLACEMENT), _PLACEMENT_VERSION)
        path = f"{pod.endpoints[Service.PLACEMENT].prefix}/allocation_candidates"
        try:
            answer = await client.get(path, params=demand.query(), deadline=deadline)
        except (UnavailableError, BadUpstreamAnswerError, UpstreamStatusError):
            return None
        candidates = answer.get("allocation_requests")
        return bool(candidates) if isinstance(candidates, list) else None

    async def _share(self, pod: Pod, service: Service, deadline: Deadline) -> float | None:
        if service not in pod.endpoints or service not in _STATISTICS:
            return None
        version, path, read = _STATISTICS[service]
        client = self._clients.as_service(self._registry.target(pod, service), version)
        try:
            return read(await client.get(path, deadline=deadline))
        except (UnavailableError, BadUpstreamAnswerError, UpstreamStatusError):
            return None


def _compute_share(answer: Mapping[str, object]) -> float | None:
    """The smaller one of the free parts of memory and cores; cores may be overcommitted, so they count 16 times.

    >>> _compute_share({"hypervisor_statistics": {"memory_mb": 1000, "free_ram_mb": 250, "vcpus": 1, "vcpus_used": 4}})
    0.25
    """
    statistics = answer.get("hypervisor_statistics")
    if not isinstance(statistics, Mapping):
        return None
    values = [statistics.get(name) for name in ("memory_mb", "free_ram_mb", "vcpus", "vcpus_used")]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) < len(values) or numbers[0] <= 0 or numbers[2] <= 0:
        return None
    memory, free, cores, used = numbers
    return max(0.0, min(free / memory, 1.0 - used / (cores * 16)))


def _volume_share(answer: Mapping[str, object]) -> float | None:
    """The free part of all storage pools together; a pool that says ``infinite`` or ``unknown`` does not count.

    >>> _volume_share({"pools": [{"capabilities": {"total_capacity_gb": 100, "free_capacity_gb": 40.0}}]})
    0.4
    """
    pools = answer.get("pools")
    total = free = 0.0
    for pool in pools if isinstance(pools, list) else []:
        capabilities = pool.get("capabilities", {}) if isinstance(pool, dict) else {}
        sizes = capabilities.get("total_capacity_gb"), capabilities.get("free_capacity_gb")
        if isinstance(sizes[0], int | float) and isinstance(sizes[1], int | float):
            total, free = total + sizes[0], free + sizes[1]
    return max(0.0, min(1.0, free / total)) if total > 0 else None


#: Per service: microversion, path and reader of its statistics.
_STATISTICS: Mapping[Service, tuple[str, str, Callable[[Mapping[str, object]], float | None]]] = {
    # Nova gives sums over hypervisors up to 2.87; the lowest version is the one that every release has.
    Service.COMPUTE: ("2.1", "/v2.1/os-hypervisors/statistics", _compute_share),
    Service.BLOCK_STORAGE: ("3.0", "/v3/scheduler-stats/get_pools?detail=true", _volume_share),
}
