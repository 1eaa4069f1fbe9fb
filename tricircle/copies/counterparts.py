# SPDX-License-Identifier: Apache-2.0
"""What is seen of a network of the centre and of the one in a pod that is to become its piece? Changes nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tricircle.context import Deadline
from tricircle.copies import agreement
from tricircle.copies.addresses import slices_of
from tricircle.copies.agreement import Difference, Used
from tricircle.copies.bodies import Body, text
from tricircle.copies.networks import is_stretched
from tricircle.copies.reach import Reach, show
from tricircle.copies.subnet_content import is_automatic
from tricircle.errors import ConflictError, NotFoundError
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
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


async def observe(reach: Reach, network_id: str, pod: Pod, pod_network_id: str, deadline: Deadline) -> Observed:
    """Compare. Changes nothing.

    :raises NotFoundError: one of the two is not there
    :raises ConflictError: the centre's network has another copy in the pod, or the pod's is part of another network
    """
    await _check_free(reach, network_id, pod, pod_network_id)
    here, there = reach.central, reach.network(pod)
    present = await show(there, f"/v2.0/networks/{quote(pod_network_id, safe='')}", "network", deadline)
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
    used = agreement.in_use(pod_ports, paired, ports, slices_of(pod.id, ports, subnets))
    elsewhere = await _elsewhere(reach, network, paired, pod)
    differences = [*agreement.of_network(network, pod, present), *elsewhere, *alone]
    for subnet, pod_subnet in paired:
        has_home = await _has_home_elsewhere(reach, text(subnet, "id"), pod)
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


async def _check_free(reach: Reach, network_id: str, pod: Pod, pod_network_id: str) -> None:
    copy = await reach.routings.copy_in(Kind.NETWORK, network_id, pod.id)
    # A row that is not bound is an attempt: what it comes to is looked at under its lease.
    if copy is not None and copy.is_bound and copy.pod_resource_id != pod_network_id:
        raise ConflictError(f"Network {network_id} has another copy in pod {pod.name}: {copy.pod_resource_id}.")
    if copy is not None and copy.is_bound and not copy.is_adopted:
        raise ConflictError(f"Network {pod_network_id} is our own copy of network {network_id}.")
    others = await reach.routings.by_pod_resource(pod.id, Kind.NETWORK, [pod_network_id])
    for row in others.values():
        if row.central_id != network_id:
            raise ConflictError(f"Network {pod_network_id} of pod {pod.name} is part of network {row.central_id}.")


async def _elsewhere(reach: Reach, network: Body, pairs: Sequence[tuple[Body, Body]], pod: Pod) -> list[Difference]:
    """What can be in one pod only, and is in another."""
    whole = [] if is_stretched(network) else [network]
    found = [await _in_another(reach, Kind.NETWORK, one, "network", pod) for one in whole]
    automatic = [subnet for subnet, _ in pairs if is_automatic(subnet)]
    found += [
        await _in_another(reach, Kind.SUBNET, subnet, f"subnet {text(subnet, 'cidr')}", pod) for subnet in automatic
    ]
    return [one for one in found if one is not None]


async def _in_another(reach: Reach, kind: Kind, central: Body, what: str, pod: Pod) -> Difference | None:
    zone = await reach.zone_elsewhere(kind, text(central, "id"), pod)
    if zone is None:
        return None
    advice = (
        "a network that is no VLAN at the centre can be in one pod only"
        if kind is Kind.NETWORK
        else "a subnet that takes its addresses from router advertisements can be in one pod only"
    )
    return Difference(what=f"{what}: pods", centre=zone, pod=pod.az_name, advice=advice, is_obstacle=True)


async def _has_home_elsewhere(reach: Reach, subnet_id: str, pod: Pod) -> bool:
    copies = await reach.routings.copies_of(Kind.SUBNET, subnet_id)
    return any(copy.details.get("is_home") and copy.pod_id != pod.id for copy in copies)
