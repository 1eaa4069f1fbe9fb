# SPDX-License-Identifier: Apache-2.0
"""Which AZs do aggregates of the centre make, and in which pods do they have hosts?

The centre says whether there are any, which there seldom are; then the pods say where.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tricircle.context import Deadline, PodId
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.doors.compute.operators.aggregate_copies import PATH, ZONE
from tricircle.doors.compute.operators.machines import items_in
from tricircle.doors.compute.zones import PREFIX
from tricircle.http.message import Request
from tricircle.model.pod import Service
from tricircle.road.carrier import Carrier
from tricircle.road.gaps import Gap

_VERSION = "2.1"
_UNKNOWABLE = "It cannot be known now where this availability zone has hosts. Please try again later."


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherZones:
    """AZs beside those that pods are.

    :ivar pods: the pods with hosts in each; one without hosts does not exist, as in Nova
    :ivar declared: the names that aggregates of the centre have
    :ivar lacking: pods that did not say
    """

    pods: Mapping[str, frozenset[PodId]] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    lacking: tuple[Gap, ...] = ()


class AggregateZones:
    """Looks for AZs that aggregates make."""

    def __init__(self, *, carrier: Carrier, clients: Asking, pods: KnownPods) -> None:
        self._carrier = carrier
        self._clients = clients
        self._pods = pods

    async def all(self, request: Request) -> OtherZones:
        """All that there are now. :raises UnavailableError: the centre does not answer"""
        declared = await self._declared(request.context.deadline)
        if not declared:
            return OtherZones()
        found: dict[str, frozenset[PodId]] = {}
        # Every user may read the AZs of a pod.
        fan = await self._carrier.fan_out(request, path="/os-availability-zone", query=b"")
        for pod, reply in fan.replies:
            for item in items_in(reply.json(), "availabilityZoneInfo") if reply.status == 200 else ():
                name = item.get("zoneName")
                if isinstance(name, str) and name.startswith(PREFIX):
                    ours = name.removeprefix(PREFIX)
                    found[ours] = found.get(ours, frozenset()) | {pod.id}
        return OtherZones(pods=found, declared=declared, lacking=fan.lacking)

    async def pods_of(self, request: Request, name: str) -> frozenset[PodId]:
        """The pods with hosts in an AZ; none when there is no such AZ.

        :raises UnavailableError: a pod that may have some does not answer
        """
        seen = await self.all(request)
        if name in seen.declared and name not in seen.pods and seen.lacking:
            raise self._carrier.unknowable(request, seen.lacking, _UNKNOWABLE)
        return seen.pods.get(name, frozenset())

    async def _declared(self, deadline: Deadline) -> frozenset[str]:
        client = self._clients.as_service(self._pods.central(Service.COMPUTE), _VERSION)
        listed = items_in(await client.get(f"/v2.1{PATH}", deadline=deadline), "aggregates")
        known = await self._pods.az_names()
        return frozenset(str(one[ZONE]) for one in listed if one.get(ZONE) and one[ZONE] not in known)
