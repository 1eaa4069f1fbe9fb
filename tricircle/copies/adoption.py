# SPDX-License-Identifier: Apache-2.0
"""How does a network that exists in a pod become the pod's piece of a network of the centre?

An operator names both. What differs is reported, the addresses that the pod uses become its slice at the centre, and
the routings are written, so that ports are made on it. Nothing in the pod is changed or deleted, now or later: such a
routing is *adopted*, and jobs and sweeps leave what it speaks of as it is. Projects that boot there are given the
network by RBAC, as with any other.

May be repeated: what the pod uses by then is kept at the centre, too.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tricircle.context import Deadline, ProjectId
from tricircle.copies import agreement
from tricircle.copies.addresses import SLICE_OWNER, Addresses, device_id
from tricircle.copies.agreement import Difference, Holder, Used
from tricircle.copies.bodies import Body, revision, text
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.networks import Networks, is_stretched
from tricircle.copies.reach import Reach, show
from tricircle.copies.subnets import is_automatic
from tricircle.errors import ConflictError, NotFoundError
from tricircle.model.pod import Pod
from tricircle.model.routing import ADOPTED, Kind, Routing
from tricircle.upstream.client import collect


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen of both networks.

    :ivar pairs: subnets of the centre with those in the pod
    :ivar shares: projects that the pod's network is shared with, by operators
    """

    network: Body
    pairs: Sequence[tuple[Body, Body]]
    differences: Sequence[Difference]
    used: Sequence[Used]
    shares: Sequence[str]

    @property
    def obstacles(self) -> list[Difference]:
        """What must be mended first."""
        return [one for one in self.differences if one.is_obstacle]


class Adoptions:
    """Looks at networks of pods, and takes and lets go of them."""

    def __init__(self, reach: Reach, networks: Networks, addresses: Addresses) -> None:
        self._reach = reach
        self._networks = networks
        self._addresses = addresses

    async def observe(self, network_id: str, pod: Pod, pod_network_id: str, deadline: Deadline) -> Observed:
        """Compare. Changes nothing.

        :raises NotFoundError: one of the two is not there
        :raises ConflictError: the centre's network has another copy in the pod, or the pod's is part of another network
        """
        await self._check_free(network_id, pod, pod_network_id)
        here, there = self._reach.central, self._reach.network(pod)
        present = await show(there, f"/v2.0/networks/{pod_network_id}", "network", deadline)
        if present is None:
            raise NotFoundError(f"Network {pod_network_id} could not be found in pod {pod.name}.")
        try:
            network = await here.network(network_id, deadline=deadline)
        except NotFoundError as error:
            raise NotFoundError(f"Network {network_id} could not be found at the centre.") from error
        theirs = {"network_id": pod_network_id}
        ours = {"network_id": network_id}
        shared = {"object_id": pod_network_id, "action": "access_as_shared"}
        subnets, ports, pod_subnets, pod_ports, policies = await asyncio.gather(
            here.subnets(ours, deadline=deadline),
            here.ports(ours, deadline=deadline),
            collect(there, "/v2.0/subnets", "subnets", deadline, theirs),
            collect(there, "/v2.0/ports", "ports", deadline, theirs),
            collect(there, "/v2.0/rbac-policies", "rbac_policies", deadline, shared),
        )
        paired, alone = agreement.pairs(subnets, pod_subnets)
        used = agreement.in_use(pod_ports, paired, ports, _slices(pod, ports, subnets))
        differences = [*agreement.of_network(network, pod, present), *await self._elsewhere(network, pod), *alone]
        for subnet, pod_subnet in paired:
            has_home = await self._has_home_elsewhere(text(subnet, "id"), pod)
            differences += agreement.of_subnet(subnet, pod_subnet, has_home=has_home)
            differences += agreement.overlap_of_pools(subnet, pod_subnet)
        differences += agreement.conflicts(used)
        return Observed(
            network=network,
            pairs=paired,
            differences=differences,
            used=used,
            shares=sorted(text(policy, "target_tenant") for policy in policies),
        )

    async def adopt(self, seen: Observed, pod: Pod, pod_network_id: str, deadline: Deadline) -> Routing:
        """Keep what the pod uses, and bind subnets and network, the network last: until then no port goes there.

        :raises ConflictError: there are obstacles, or an address was taken meanwhile
        """
        if seen.obstacles:
            said = "; ".join(
                f"{one.what} (centre: {one.centre}, pod: {one.pod}): {one.advice}" for one in seen.obstacles
            )
            raise ConflictError(f"The networks do not agree. {said}.")
        for subnet, present in seen.pairs:
            taken = [
                one.ip_address
                for one in seen.used
                if one.subnet_id == subnet["id"] and one.ip_address != subnet.get("gateway_ip")
            ]
            await self._adopt_subnet(pod, subnet, present, taken, deadline)
        details = {ADOPTED: True, "lent": list(seen.shares)}
        return await self._bind(Kind.NETWORK, pod, seen.network, pod_network_id, details, deadline)

    async def let_go(self, copy: Routing, pod: Pod, deadline: Deadline) -> None:
        """Use the pod's network no more, and give its addresses back.

        :raises ConflictError: ports of ours are on it
        """
        ports = await self._reach.central.ports({"network_id": copy.central_id}, deadline=deadline)
        there = await self._reach.routings.in_pod_by_central(Kind.PORT, [text(one, "id") for one in ports], pod.id)
        if there:
            raise ConflictError(f"{len(there)} ports of network {copy.central_id} are in pod {pod.name}.")
        await self._networks.take_back(pod, copy, deadline)
        await self._reach.routings.forget(copy.id)
        for subnet in await self._reach.central.subnets({"network_id": copy.central_id}, deadline=deadline):
            row = await self._reach.routings.copy_in(Kind.SUBNET, text(subnet, "id"), pod.id)
            if row is not None and row.is_adopted:
                if port_id := row.details.get("slice_port_id"):
                    await self._addresses.release(str(port_id), deadline=deadline)
                await self._reach.routings.forget(row.id)

    async def _check_free(self, network_id: str, pod: Pod, pod_network_id: str) -> None:
        copy = await self._reach.routings.copy_in(Kind.NETWORK, network_id, pod.id)
        if copy is not None and copy.pod_resource_id != pod_network_id:
            raise ConflictError(f"Network {network_id} has another copy in pod {pod.name}: {copy.pod_resource_id}.")
        if copy is not None and not copy.is_adopted:
            raise ConflictError(f"Network {pod_network_id} is our own copy of network {network_id}.")
        others = await self._reach.routings.by_pod_resource(pod.id, Kind.NETWORK, [pod_network_id])
        for row in others.values():
            if row.central_id != network_id:
                raise ConflictError(f"Network {pod_network_id} of pod {pod.name} is part of network {row.central_id}.")

    async def _elsewhere(self, network: Body, pod: Pod) -> list[Difference]:
        if is_stretched(network):
            return []
        zone = await self._reach.zone_elsewhere(Kind.NETWORK, text(network, "id"), pod)
        if zone is None:
            return []
        advice = "a network that is no VLAN at the centre can be in one pod only"
        return [Difference(what="network: pods", centre=zone, pod=pod.az_name, advice=advice, is_obstacle=True)]

    async def _has_home_elsewhere(self, subnet_id: str, pod: Pod) -> bool:
        copies = await self._reach.routings.copies_of(Kind.SUBNET, subnet_id)
        return any(copy.details.get("is_home") and copy.pod_id != pod.id for copy in copies)

    async def _adopt_subnet(
        self, pod: Pod, subnet: Body, present: Body, taken: Sequence[str], deadline: Deadline
    ) -> None:
        row = await self._reach.routings.copy_in(Kind.SUBNET, text(subnet, "id"), pod.id)
        # As long as the network is not bound nobody else has a reason to work on the subnet there.
        piece = await self._addresses.hold_these(pod, subnet, taken, deadline=deadline)
        gateway_ip = present.get("gateway_ip")
        details = {
            ADOPTED: True,
            "gateway_ip": gateway_ip,
            "slice_port_id": piece.port_id,
            "is_home": bool(gateway_ip) and gateway_ip == subnet.get("gateway_ip"),
            "is_automatic": is_automatic(subnet),
        }
        if row is not None and row.is_bound:
            await self._reach.routings.update(row.id, details=details)
        else:
            await self._bind(Kind.SUBNET, pod, subnet, text(present, "id"), details, deadline)

    async def _bind(
        self, kind: Kind, pod: Pod, central: Body, pod_id: str, details: Mapping[str, object], deadline: Deadline
    ) -> Routing:
        central_id = text(central, "id")
        wanted = Wanted(kind=kind, central_id=central_id, pod=pod, project_id=ProjectId(text(central, "project_id")))

        async def find() -> Found | None:
            return await create()

        async def create() -> Found:
            # Read again under the lease, for the reason given in networks.py.
            read = self._reach.central.network if kind is Kind.NETWORK else self._reach.central.subnet
            now = await read(central_id, deadline=deadline)
            return Found(pod_resource_id=pod_id, details=details, revision=revision(now))

        return await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)


def report(seen: Observed) -> dict[str, object]:
    """What was seen, as operators read it."""
    return {
        **agreement.show(seen.differences, seen.used),
        "subnets": [
            {"subnet_id": subnet["id"], "pod_subnet_id": present["id"], "cidr": subnet["cidr"]}
            for subnet, present in seen.pairs
        ],
        "to_reserve": sum(one.holder is Holder.NOBODY for one in seen.used),
        "agrees": not seen.obstacles,
    }


def _slices(pod: Pod, ports: Sequence[Body], subnets: Sequence[Body]) -> set[str]:
    ids = {device_id(pod.id, text(subnet, "id")) for subnet in subnets}
    return {
        text(port, "id")
        for port in ports
        if text(port, "device_owner") == SLICE_OWNER and text(port, "device_id") in ids
    }
