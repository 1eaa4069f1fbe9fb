# SPDX-License-Identifier: Apache-2.0
"""How does a network that exists in a pod become the pod's piece of a network of the centre?

An operator names both. What differs is reported, the addresses that the pod uses become its slice at the centre, and
the routings are written, so that ports are made on it. Nothing in the pod is changed or deleted, now or later: such a
routing is *adopted*, and jobs and sweeps leave what it speaks of as it is. Projects that boot there are given the
network by RBAC, as with any other.

May be repeated: what the pod uses by then is kept at the centre, too.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tricircle.context import Deadline, ProjectId
from tricircle.copies import agreement
from tricircle.copies.addresses import Addresses, Slice
from tricircle.copies.agreement import Holder
from tricircle.copies.bodies import Body, revision, text, words
from tricircle.copies.counterparts import Observed, observe
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.networks import Networks
from tricircle.copies.origins import profile_of_adopted
from tricircle.copies.reach import Reach
from tricircle.copies.subnet_content import is_automatic
from tricircle.errors import ConflictError, RetryLaterError, TricircleError
from tricircle.model.pod import Pod
from tricircle.model.routing import ADOPTED, NETWORK_ID, Kind, Routing
from tricircle.upstream.client import collect

LOG = logging.getLogger(__name__)

Prepare = Callable[[], Awaitable[Mapping[str, object]]]


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
        return await observe(self._reach, network_id, pod, pod_network_id, deadline)

    async def adopt(self, seen: Observed, pod: Pod, pod_network_id: str, deadline: Deadline) -> Routing:
        """Keep what the pod uses, and bind subnets and network. The network's row is held all the while and bound last,
        so that no boot finds half of it; what a process that died has left is completed by the next call.

        :raises ConflictError: there are obstacles, an address was taken meanwhile, or by now there is a copy of ours
        :raises UnavailableError: somebody else works on it
        """
        if seen.obstacles:
            said = "; ".join(
                f"{one.what} (centre: {one.centre}, pod: {one.pod}): {one.advice}" for one in seen.obstacles
            )
            raise ConflictError(f"The networks do not agree. {said}.")
        bound: list[Routing] = []

        async def fill() -> dict[str, object]:
            try:
                for subnet, present in seen.pairs:
                    bound.extend(await self._adopt_subnet(pod, subnet, present, seen, deadline))
            except TricircleError:
                await self._undo(pod, bound, deadline)
                raise
            return {ADOPTED: True, "lent": list(seen.shares)}

        row = await self._reach.routings.copy_in(Kind.NETWORK, text(seen.network, "id"), pod.id)
        if row is not None and row.is_bound:
            _check_adopted(row, pod_network_id, pod)
            async with self._reach.holding(row, deadline):
                await fill()
            return row
        routing = await self._bind(Kind.NETWORK, pod, seen.network, pod_network_id, fill, deadline)
        try:
            _check_adopted(routing, pod_network_id, pod)
        except ConflictError:
            await self._undo(pod, bound, deadline)
            raise
        return routing

    async def let_go(self, copy: Routing, pod: Pod, deadline: Deadline) -> None:
        """Use the pod's network no more, and give its addresses back; what a call that died has left is completed.

        The subnets go first: without them no port is made on the network, and the network's row is what is left to
        begin again with.

        :raises ConflictError: ports of ours are on it
        :raises UnavailableError: somebody else works on it
        """
        async with self._reach.holding(copy, deadline) as lease:
            copy = await self._reach.routings.copy_in(Kind.NETWORK, copy.central_id, pod.id) or copy
            await self._refuse_ports(copy, pod, deadline)
            for subnet in await self._forget_subnets(copy, pod, deadline):
                await self._addresses.give_back(pod, subnet, deadline=deadline)
            now = await self._reach.routings.copy_in(Kind.NETWORK, copy.central_id, pod.id)
            try:
                await self._networks.shares.take_back(pod, now or copy, deadline)
            except RetryLaterError as error:
                raise ConflictError(f"{error.message} Try again later.") from error
            await self._reach.leases.drop(lease)

    async def _forget_subnets(self, copy: Routing, pod: Pod, deadline: Deadline) -> Sequence[Body]:
        """Forget those that were adopted. The answer is all those of the centre that the pod may hold addresses of:
        of a subnet that was forgotten by a call which died there is no row.
        """
        forgotten, found = [], []
        try:
            for subnet in await self._reach.central.subnets({"network_id": copy.central_id}, deadline=deadline):
                row = await self._reach.routings.copy_in(Kind.SUBNET, text(subnet, "id"), pod.id)
                if row is None:
                    found.append(subnet)
                elif row.is_adopted:
                    async with self._reach.holding(row, deadline) as lease:
                        await self._reach.leases.drop(lease)
                    forgotten.append((subnet, row))
            # A boot that found the subnets has written down its port by now; others are refused from here on.
            await self._refuse_ports(copy, pod, deadline)
        except TricircleError:
            for subnet, row in forgotten:
                await self._bind(Kind.SUBNET, pod, subnet, str(row.pod_resource_id), _same(row.details), deadline)
            raise
        return found + [subnet for subnet, _ in forgotten]

    async def _refuse_ports(self, copy: Routing, pod: Pod, deadline: Deadline) -> None:
        ports = await self._reach.central.ports({"network_id": copy.central_id}, deadline=deadline)
        there = await self._reach.routings.in_pod_by_central(Kind.PORT, [text(one, "id") for one in ports], pod.id)
        ids = {row.id for row in there.values()}
        if words(copy.details, "projects"):
            # Those that are gone at the centre, and have yet to leave the pod.
            filters = {"network_id": str(copy.pod_resource_id)}
            inside = await collect(self._reach.network(pod), "/v2.0/ports", "ports", deadline, filters)
            pod_ids = [text(one, "id") for one in inside]
            leaving = await self._reach.routings.by_pod_resource(pod.id, Kind.PORT, pod_ids)
            ids |= {row.id for row in leaving.values()}
        if ids:
            raise ConflictError(f"{len(ids)} ports of network {copy.central_id} are in pod {pod.name}.")

    async def _undo(self, pod: Pod, bound: list[Routing], deadline: Deadline) -> None:
        """Give back the subnets that were bound for an adoption which failed."""
        while bound:
            row = bound.pop()
            try:
                async with self._reach.holding(row, deadline) as lease:
                    if port_id := row.details.get("slice_port_id"):
                        await self._addresses.release(str(port_id), deadline=deadline)
                    await self._reach.leases.drop(lease)
            except TricircleError as error:
                LOG.warning(
                    "The adoption of subnet %s in pod %s came half way, repeat it: %s", row.central_id, pod.name, error
                )

    async def _adopt_subnet(
        self, pod: Pod, subnet: Body, present: Body, seen: Observed, deadline: Deadline
    ) -> list[Routing]:
        """Keep what the pod uses of a subnet; its routing when this call bound it."""
        row = await self._reach.routings.copy_in(Kind.SUBNET, text(subnet, "id"), pod.id)

        async def keep() -> dict[str, object]:
            return await self._keep(pod, subnet, present, seen, deadline)

        if row is not None and row.is_bound:
            _check_adopted(row, text(present, "id"), pod)
            async with self._reach.holding(row, deadline):
                await self._reach.routings.update(row.id, details=await keep())
            return []
        row = await self._bind(Kind.SUBNET, pod, subnet, text(present, "id"), keep, deadline)
        _check_adopted(row, text(present, "id"), pod)
        return [row]

    async def _keep(
        self, pod: Pod, subnet: Body, present: Body, seen: Observed, deadline: Deadline
    ) -> dict[str, object]:
        """Hold the addresses that the pod uses, under the lease of the subnet's row; the row's details."""
        piece = Slice(port_id=None, addresses=())
        if not is_automatic(subnet):
            taken = [
                one.ip_address
                for one in seen.used
                if one.subnet_id == subnet["id"] and one.ip_address != subnet.get("gateway_ip")
            ]
            profile = profile_of_adopted(text(present, "network_id"))
            piece = await self._addresses.hold_these(pod, subnet, taken, profile=profile, deadline=deadline)
        gateway_ip = present.get("gateway_ip")
        return {
            ADOPTED: True,
            "gateway_ip": gateway_ip,
            "slice_port_id": piece.port_id,
            "is_home": bool(gateway_ip) and gateway_ip == subnet.get("gateway_ip"),
            "is_automatic": is_automatic(subnet),
            NETWORK_ID: text(subnet, "network_id"),
        }

    async def _bind(
        self, kind: Kind, pod: Pod, central: Body, pod_id: str, prepare: Prepare, deadline: Deadline
    ) -> Routing:
        """The bound routing. Somebody else may have bound it, to whatever: see ``_check_adopted``.

        :param prepare: what to do before, under the lease of the row; gives its details
        """
        central_id = text(central, "id")
        wanted = Wanted(kind=kind, central_id=central_id, pod=pod, project_id=ProjectId(text(central, "project_id")))

        async def find() -> Found | None:
            return await create()

        async def create() -> Found:
            details = await prepare()
            # Read again under the lease, for the reason given in networks.py.
            read = self._reach.central.network if kind is Kind.NETWORK else self._reach.central.subnet
            now = await read(central_id, deadline=deadline)
            return Found(pod_resource_id=pod_id, details=details, revision=revision(now))

        return await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)


def _same(details: Mapping[str, object]) -> Prepare:
    async def prepare() -> Mapping[str, object]:
        return details

    return prepare


def _check_adopted(row: Routing, pod_id: str, pod: Pod) -> None:
    if row.pod_resource_id == pod_id and row.is_adopted:
        return
    raise ConflictError(
        f"{row.kind.value.capitalize()} {row.central_id} has another copy in pod {pod.name}: {row.pod_resource_id}. "
        "Observe again."
    )


def report(seen: Observed) -> dict[str, object]:
    """What was seen, as operators read it."""
    automatic = {subnet["id"] for subnet, _ in seen.pairs if is_automatic(subnet)}
    return {
        **agreement.show(seen.differences, seen.used),
        "subnets": [
            {"subnet_id": subnet["id"], "pod_subnet_id": present["id"], "cidr": subnet["cidr"]}
            for subnet, present in seen.pairs
        ],
        "to_reserve": sum(one.holder is Holder.NOBODY and one.subnet_id not in automatic for one in seen.used),
        "agrees": not seen.obstacles,
    }
