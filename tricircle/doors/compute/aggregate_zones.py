# SPDX-License-Identifier: Apache-2.0
"""Which AZs do aggregates of the centre make, and in which pods do they have hosts?

The centre says whether there are any, which there seldom are; then the pods say where.
"""

from collections.abc import Mapping

from tricircle.context import Deadline, PodId
from tricircle.doors.compute.aggregate_copies import PATH, ZONE
from tricircle.doors.compute.machines import items_in
from tricircle.doors.compute.needs import Asking, KnownPods
from tricircle.doors.compute.zones import PREFIX
from tricircle.errors import TricircleError
from tricircle.http.message import Request
from tricircle.model.pod import Service
from tricircle.road.carrier import Carrier

_VERSION = "2.1"


class AggregateZones:
    """AZs beside those that pods are."""

    def __init__(self, *, carrier: Carrier, clients: Asking, pods: KnownPods) -> None:
        self._carrier = carrier
        self._clients = clients
        self._pods = pods

    async def all(self, request: Request) -> Mapping[str, frozenset[PodId]]:
        """The pods with hosts in each such AZ; one without hosts does not exist, as in Nova."""
        if not await self._declared(request.context.deadline):
            return {}
        found: dict[str, frozenset[PodId]] = {}
        # Every user may read the AZs of a pod.
        fan = await self._carrier.fan_out(request, path="/os-availability-zone", query=b"")
        for pod, reply in fan.replies:
            if reply.status != 200:
                continue
            for item in items_in(reply.json(), "availabilityZoneInfo"):
                name = item.get("zoneName")
                if isinstance(name, str) and name.startswith(PREFIX):
                    ours = name.removeprefix(PREFIX)
                    found[ours] = found.get(ours, frozenset()) | {pod.id}
        return found

    async def _declared(self, deadline: Deadline) -> bool:
        """Whether an aggregate of the centre has an AZ that is no pod's."""
        client = self._clients.as_service(self._pods.central(Service.COMPUTE), _VERSION)
        try:
            listed = items_in(await client.get(f"/v2.1{PATH}", deadline=deadline), "aggregates")
        except TricircleError:
            return False
        known = {None, *await self._pods.az_names()}
        return any(aggregate.get(ZONE) not in known for aggregate in listed)
