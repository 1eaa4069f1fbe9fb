# SPDX-License-Identifier: Apache-2.0
"""How does a subnet of the centre exist in a pod: with which gateway, and which addresses to hand out?

The pod that realised the subnet first is its *home*: there the gateway is the tenant's. Every other pod has a gateway
of its own, from its slice, because one address in two pods on one VLAN would be two MACs for one address; servers learn
theirs from their own pod's DHCP. Allocation pools are the rest of the slice, one pool for each address: enough for the
pod's DHCP (or metadata) port. Addresses of servers are always given explicitly, from outside of the pools.

IPv6: only ``dhcpv6-stateful`` and static subnets can be in several pods. With router advertisements two pods would
answer on one VLAN, and addresses come from the MAC, so such a subnet has no slice and stays in one pod.

A pod may give a network to several DHCP agents. How many is known only when it has (``dhcp_agents.py``): a slice begins
with one address for them, and a job makes it as large as they need, where the subnet has room.

Natural key: the CIDR within the network's copy. A tenant may delete a subnet and make another with the same one, which
waits until the copy of the former has left the pod (``subnet_overlaps.py``).
"""

import logging
from collections.abc import Iterable

from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.addresses import Addresses, Slice
from tricircle.copies.bodies import Body, mark, member, revision, text
from tricircle.copies.dhcp_agents import may_be_several, serving
from tricircle.copies.ensure import Found, Wanted, is_overlap, is_taken, was_refused
from tricircle.copies.reach import Reach, remove, show
from tricircle.copies.subnet_content import (
    addresses_needed,
    details_of,
    difference,
    gateway_of,
    home_of,
    is_automatic,
    wanted_subnet,
)
from tricircle.copies.subnet_overlaps import Obstacle, cannot_be_in
from tricircle.copies.visit import expected, visit
from tricircle.errors import ConflictError, NotFoundError, RetryLaterError, UnavailableError, UpstreamStatusError
from tricircle.jobs.worker import JobRun
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import NETWORK_ID, Kind, Routing
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)

_SOON_S = 0.5
#: Seconds after which a pod has given a network with a new port to its DHCP agents.
_CHOSEN_S = 10.0


async def living_elsewhere(routings: Routings, subnet_ids: Iterable[str], pod_id: PodId) -> set[str]:
    """Those of the subnets that another pod has, and that can be in no second one."""
    found = set()
    for subnet_id in subnet_ids:
        copies = await routings.copies_of(Kind.SUBNET, subnet_id)
        if any(copy.details.get("is_automatic") and copy.pod_id != pod_id for copy in copies):
            found.add(subnet_id)
    return found


class Subnets:
    """Copies of subnets."""

    def __init__(self, reach: Reach, addresses: Addresses) -> None:
        self._reach = reach
        self._addresses = addresses

    async def ensure(self, pod: Pod, subnet_id: str, network: Routing, *, deadline: Deadline) -> Routing:
        """The routing of the copy; ``details`` hold ``gateway_ip``, ``slice_port_id``, ``is_home``, ``is_automatic``.

        :param network: the bound routing of its network in the same pod
        :raises NotFoundError: the subnet is gone at the centre
        :raises ConflictError: no addresses are left, the subnet cannot be in two pods, or one of subnet and network is
            an operator's own and the other is a copy of ours
        """
        routing = await self._reach.routings.copy_in(Kind.SUBNET, subnet_id, pod.id)
        if routing is not None and routing.is_bound:
            if routing.is_adopted == network.is_adopted:
                return routing
            await self._part(pod, routing, network, deadline)
        if network.is_adopted:
            raise cannot_be_in(pod, subnet_id)
        return await self._realise(pod, subnet_id, network, deadline)

    async def check(self, pod: Pod, subnet_ids: Iterable[str], *, deadline: Deadline) -> None:
        """What can be said before anything is made in a pod that does not have their network yet.

        :raises NotFoundError: a subnet is gone at the centre
        :raises ConflictError: a subnet cannot be in two pods, or has no addresses left for one more
        """
        for subnet_id in subnet_ids:
            subnet = await self._reach.central.subnet(subnet_id, deadline=deadline)
            if is_automatic(subnet):
                await self._refuse_second_pod(pod, subnet_id)
                await self._refuse_second_network(pod, subnet)
                continue
            is_home = home_of(await self._reach.routings.copies_of(Kind.SUBNET, subnet_id)) is None
            count = addresses_needed(subnet, is_home=is_home)
            await self._addresses.check(pod, subnet, count, deadline=deadline)

    async def agree(self, run: JobRun) -> None:
        """Job body: update the copies, or remove them and their slices when the subnet is gone."""
        try:
            subnet = await self._reach.central.subnet(run.resource_id, at_least=expected(run), deadline=run.deadline)
        except NotFoundError:
            subnet = None

        async def work(pod: Pod, copy: Routing) -> None:
            if subnet is None:
                await self._remove(pod, copy, run)
            else:
                await self._update(pod, copy, subnet, run.deadline)

        async def find(pod: Pod, copy: Routing) -> Found | None:
            return await self._find(pod, copy.central_id, None, subnet, run.deadline)

        await visit(self._reach, run, Kind.SUBNET, work=work, find=find)

    async def _part(self, pod: Pod, copy: Routing, network: Routing, deadline: Deadline) -> None:
        """Forget a copy that is not of this network in the pod, when the pod does not have it any more.

        :raises ConflictError: it has. An adopted one that an adoption left, which came no further, goes by its job
        """
        async with self._reach.holding(copy, deadline):
            path = f"/v2.0/subnets/{copy.pod_resource_id}"
            if await show(self._reach.network(pod), path, "subnet", deadline) is None:
                await self._forget(copy, deadline)
                return
        LOG.error(
            "Subnet %s in pod %s is %s, and its network %s is not",
            copy.central_id,
            pod.name,
            "adopted" if copy.is_adopted else "a copy of ours",
            network.central_id,
        )
        await self._reach.queue.append(JobType.SUBNET, copy.central_id, copy.project_id, pod_id=pod.id)
        raise cannot_be_in(pod, copy.central_id)

    async def _realise(self, pod: Pod, subnet_id: str, network: Routing, deadline: Deadline) -> Routing:
        seen = await self._reach.central.subnet(subnet_id, deadline=deadline)
        if is_automatic(seen):
            await self._refuse_second_pod(pod, subnet_id)
        wanted = Wanted(kind=Kind.SUBNET, central_id=subnet_id, pod=pod, project_id=ProjectId(text(seen, "project_id")))

        async def find() -> Found | None:
            return await self._find(pod, subnet_id, network.pod_resource_id, seen, deadline)

        async def create() -> Found:
            return await self._create(pod, subnet_id, network, deadline)

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        await self._reach.recheck_adopted(routing, JobType.SUBNET)
        await self._settle_home(routing)
        if may_be_several(pod):
            # By then the network has a port, and the pod has chosen.
            await self._reach.queue.append(
                JobType.SUBNET, subnet_id, routing.project_id, pod_id=pod.id, delay_s=_CHOSEN_S
            )
        return routing

    async def _create(self, pod: Pod, subnet_id: str, network: Routing, deadline: Deadline) -> Found:
        # Read again under the lease, for the reason given in networks.py.
        subnet = await self._reach.central.subnet(subnet_id, deadline=deadline)
        others = [
            copy for copy in await self._reach.routings.copies_of(Kind.SUBNET, subnet_id) if copy.pod_id != pod.id
        ]
        is_home = home_of(others) is None
        count = addresses_needed(subnet, is_home=is_home)
        piece = await self._addresses.hold(pod, subnet, count, deadline=deadline)
        gateway_ip = gateway_of(subnet, piece, is_home=is_home)
        body = {**wanted_subnet(subnet, piece, gateway_ip), "network_id": network.pod_resource_id}
        answer = await self._post(pod, subnet_id, body, piece, deadline)
        return Found(
            pod_resource_id=text(member(answer, "subnet"), "id"),
            details=details_of(subnet, piece, gateway_ip, is_home=is_home),
            revision=revision(subnet),
        )

    async def _post(self, pod: Pod, subnet_id: str, body: Body, piece: Slice, deadline: Deadline) -> Body:
        """The pod's answer, after former subnets of the network have left."""
        obstacle = Obstacle(self._reach, pod, subnet_id, body)
        while True:
            try:
                return await self._reach.network(pod).post("/v2.0/subnets", body={"subnet": body}, deadline=deadline)
            except (UnavailableError, UpstreamStatusError) as error:
                # After a conflict a late call of ours may have made the subnet, with the addresses of this very slice.
                if piece.port_id is not None and was_refused(error) and not is_taken(error):
                    await self._addresses.release(piece.port_id, deadline=deadline)
                if not is_overlap(error) or await obstacle.is_itself(deadline):
                    raise

    async def _refuse_second_pod(self, pod: Pod, subnet_id: str) -> None:
        zone = await self._reach.zone_elsewhere(Kind.SUBNET, subnet_id, pod)
        if zone is not None:
            raise _cannot_span(subnet_id, zone)

    async def _refuse_second_network(self, pod: Pod, subnet: Body) -> None:
        """The subnet may be about to come to the pod that has the network: ports there have addresses of it already."""
        zone = await self._reach.zone_elsewhere(Kind.NETWORK, text(subnet, "network_id"), pod)
        if zone is not None:
            raise _cannot_span(text(subnet, "id"), zone)

    async def _settle_home(self, routing: Routing) -> None:
        """When two pods claim the tenant's gateway, the one that claimed it later gets a job."""
        copies = await self._reach.routings.copies_of(Kind.SUBNET, routing.central_id)
        claiming = [copy for copy in copies if copy.is_bound and copy.details.get("is_home")]
        for copy in claiming:
            if len(claiming) > 1 and copy.id != home_of(copies):
                await self._reach.queue.append(
                    JobType.SUBNET, routing.central_id, routing.project_id, pod_id=copy.pod_id
                )

    async def _find(
        self, pod: Pod, subnet_id: str, pod_network_id: str | None, subnet: Body | None, deadline: Deadline
    ) -> Found | None:
        """What is ours by mark and project and has the CIDR; in the network's copy, where that is known."""
        client = self._reach.network(pod)
        filters = {"description": mark(subnet_id), "project_id": await self._reach.owner.project(client, deadline)}
        if pod_network_id is not None:
            filters["network_id"] = pod_network_id
        if subnet is not None:
            filters["cidr"] = text(subnet, "cidr")
        for present in await collect(client, "/v2.0/subnets", "subnets", deadline, filters):
            details = {} if subnet is None else {"is_automatic": is_automatic(subnet), NETWORK_ID: subnet["network_id"]}
            return Found(pod_resource_id=text(present, "id"), details=details)
        return None

    async def _update(self, pod: Pod, copy: Routing, subnet: Body, deadline: Deadline) -> None:
        client, path = self._reach.network(pod), f"/v2.0/subnets/{copy.pod_resource_id}"
        present = await show(client, path, "subnet", deadline)
        if present is None:
            await self._forget(copy, deadline)
            return
        if copy.is_adopted:
            network = await self._reach.routings.copy_in(Kind.NETWORK, text(subnet, "network_id"), pod.id)
            if network is not None and network.is_bound and not network.is_adopted:
                # An adoption came no further than this, and ports are made on a copy of ours: nobody needs it.
                await self._forget(copy, deadline)
            else:
                await self._reach.routings.update(copy.id, revision=revision(subnet))
            return
        is_home = home_of(await self._reach.routings.copies_of(Kind.SUBNET, copy.central_id)) == copy.id
        agents = await serving(self._reach, pod, text(present, "network_id"), deadline)
        piece = await self._piece(pod, subnet, agents, is_home=is_home, deadline=deadline)
        gateway_ip = gateway_of(subnet, piece, is_home=is_home, present=present)
        if put := difference(subnet, piece, gateway_ip, present):
            await client.put(path, body={"subnet": put}, deadline=deadline)
        await self._reach.routings.update(
            copy.id, details=details_of(subnet, piece, gateway_ip, is_home=is_home), revision=revision(subnet)
        )

    async def _piece(self, pod: Pod, subnet: Body, agents: int, *, is_home: bool, deadline: Deadline) -> Slice:
        """What the pod needs of a subnet; without what further DHCP agents need when the subnet is full."""
        wanted = addresses_needed(subnet, is_home=is_home, agents=agents)
        try:
            return await self._addresses.hold(pod, subnet, wanted, deadline=deadline)
        except ConflictError:
            least = addresses_needed(subnet, is_home=is_home)
            if least == wanted:
                raise
            LOG.warning("Subnet %s has no room for the %d DHCP agents of pod %s", text(subnet, "id"), agents, pod.name)
            return await self._addresses.hold(pod, subnet, least, deadline=deadline)

    async def _remove(self, pod: Pod, copy: Routing, run: JobRun) -> None:
        client, path = self._reach.network(pod), f"/v2.0/subnets/{copy.pod_resource_id}"
        try:
            if not copy.is_adopted:
                await remove(client, path, run.deadline)
        except UpstreamStatusError as error:
            if error.status == 409 and await self._is_network_gone(run):
                raise RetryLaterError("The subnet goes with its network.", after_s=_SOON_S) from error
            raise
        await self._forget(copy, run.deadline)

    async def _forget(self, copy: Routing, deadline: Deadline) -> None:
        """The pod holds nothing of the subnet any more: its addresses are free, first of all."""
        slice_port_id = copy.details.get("slice_port_id")
        if slice_port_id:
            await self._addresses.release(str(slice_port_id), deadline=deadline)
        await self._reach.routings.forget(copy.id)

    async def _is_network_gone(self, run: JobRun) -> bool:
        network_id = run.payload.get("network_id")
        if network_id is None:
            return False
        try:
            await self._reach.central.network(str(network_id), deadline=run.deadline)
        except NotFoundError:
            return True
        return False


def _cannot_span(subnet_id: str, zone: str) -> ConflictError:
    where = f": it is in {zone}" if zone else ""
    return ConflictError(
        f"Subnet {subnet_id} takes its addresses from router advertisements and cannot span availability zones{where}."
    )
