# SPDX-License-Identifier: Apache-2.0
"""How does a pod know the members of a group that a rule names as its remote, wherever they are?

By an *address group* in the pod that holds the addresses of all ports at the centre that carry the group: fixed
addresses, and allowed pairs of one address, bound or not, as stock Neutron counts them. Prefixes among allowed pairs do
not count: stock Neutron holds them together with the port's MAC, and by addresses alone the rule would be opener than
it was asked for. A tenant's own address group is copied in the same way. Both belong to the service user's project.

A pod whose Neutron knows no remote address groups gets one rule per address instead: of members as long as they are
few, of a tenant's own address group always, since nothing else there could stand for it.

No natural key: the mark and the project decide, and a late second one is used by no rule.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tricircle.context import Deadline, ProjectId
from tricircle.copies.bodies import Body, changed, mark, member, rows, text, words
from tricircle.copies.ensure import Found, Wanted
from tricircle.copies.reach import Reach, oldest_marked, remove, show
from tricircle.errors import NotFoundError
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.upstream.client import collect

EXTENSION = "security-groups-remote-address-group"

_PATH = "/v2.0/address-groups"
_PREFIX = "tricircle-"
#: Addresses of one call: each costs the pod an INSERT of its own.
_ADDRESSES = 500
_MEMBER_FIELDS = ("id", "fixed_ips", "allowed_address_pairs")
#: What the routing says once the pod has the addresses: members have no revision.
WRITTEN = "1"
#: Rules of any project may name a group.
_NOBODY = ProjectId("")
#: What the routing names in a pod where rules hold the addresses.
_RULES = "rules:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What the rules in one pod name as their remote.

    :ivar address_group_id: the address group in the pod; empty where rules hold the addresses
    :ivar addresses: as CIDRs, where rules hold them; None: members are too many for that
    """

    address_group_id: str = ""
    addresses: tuple[str, ...] | None = ()


def members(ports: Iterable[Body]) -> list[str]:
    """The addresses of a group's members, as CIDRs, in order. Pure.

    >>> members([{"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "fd00::5"}],
    ...           "allowed_address_pairs": [{"ip_address": "10.0.0.9"}, {"ip_address": "0.0.0.0/0"}]}])
    ['10.0.0.5/32', '10.0.0.9/32', 'fd00::5/128']
    """
    fields = ("fixed_ips", "allowed_address_pairs")
    written = [text(row, "ip_address") for port in ports for field in fields for row in rows(port, field)]
    return in_order(address for address in written if ipaddress.ip_network(address, strict=False).num_addresses == 1)


def in_order(addresses: Iterable[str]) -> list[str]:
    """Addresses and prefixes as Neutron writes them in address groups, each once; IPv4 first."""
    found = {ipaddress.ip_network(address, strict=False) for address in addresses}
    return [str(one) for one in sorted(found, key=lambda one: (one.version, int(one.network_address), one.prefixlen))]


def has_address_groups(pod: Pod) -> bool:
    """Whether rules in the pod can name address groups."""
    return EXTENSION in words(pod.facts, "network_extensions")


def of_ethertype(addresses: Iterable[str], ethertype: str) -> list[str]:
    """Those that a rule of this ethertype speaks of.

    >>> of_ethertype(["10.0.0.5/32", "fd00::5/128"], "IPv6")
    ['fd00::5/128']
    """
    return [one for one in addresses if f"IPv{ipaddress.ip_network(one).version}" == ethertype]


def shape_difference(central_id: str, addresses: Sequence[str], present: Body) -> list[str]:
    """In what an address group in a pod is not as it should be: names of fields. Pure."""
    found = list(changed(_shape(central_id), present, ("name", "description")))
    return found if in_order(words(present, "addresses")) == in_order(addresses) else [*found, "addresses"]


class AddressGroups:
    """Copies of who belongs to a group.

    :param rules_at_most: members for which one rule each is written where the pod knows no address groups
    """

    def __init__(self, reach: Reach, *, rules_at_most: int) -> None:
        self._reach = reach
        self._rules_at_most = rules_at_most

    async def ensure(self, pod: Pod, group_id: str, *, deadline: Deadline) -> Remote:
        """What a rule in the pod names for this remote group; made when it is not there.

        :param group_id: of a security group, or of a tenant's address group
        :raises NotFoundError: there is no such group at the centre
        """
        routing = await self._reach.routings.copy_in(Kind.ADDRESS_GROUP, group_id, pod.id)
        if routing is None or not routing.is_bound:
            routing = await self._realise(pod, group_id, deadline)
        if has_address_groups(pod):
            return Remote(address_group_id=str(routing.pod_resource_id))
        addresses = await self.addresses(group_id, deadline)
        is_many = len(addresses) > self._rules_at_most and await self._has_members(group_id, deadline)
        return Remote(addresses=None if is_many else tuple(addresses))

    async def addresses(self, group_id: str, deadline: Deadline) -> list[str]:
        """What belongs to the group, as the centre says now. :raises NotFoundError: there is no such group"""
        central = self._reach.central
        filters = {"security_groups": group_id, "fields": _MEMBER_FIELDS}
        if found := await central.ports(filters, deadline=deadline):
            return members(found)
        try:
            await central.security_group(group_id, deadline=deadline)
        except NotFoundError:
            group = await central.address_group(group_id, deadline=deadline)
            return in_order(words(group, "addresses"))
        return []

    async def _has_members(self, group_id: str, deadline: Deadline) -> bool:
        """Whether it is a security group; else it is a tenant's own address group."""
        try:
            await self._reach.central.security_group(group_id, deadline=deadline)
        except NotFoundError:
            return False
        return True

    async def find(self, pod: Pod, group_id: str, deadline: Deadline) -> Found | None:
        """The oldest that is ours by mark and project. What it holds is to be compared."""
        if not has_address_groups(pod):
            return Found(pod_resource_id=_RULES + group_id, revision=WRITTEN)
        client = self._reach.network(pod)
        owner = await self._reach.owner.project(client, deadline)
        return await oldest_marked(client, _PATH, "address_groups", group_id, project_id=owner, deadline=deadline)

    async def write(self, pod: Pod, copy: Routing, addresses: Sequence[str], deadline: Deadline) -> None:
        """Give the pod's group exactly these addresses. The caller holds the lease of its routing.

        Neither adding nor removing may be repeated, so what is there is looked at first.
        """
        client, path = self._reach.network(pod), f"{_PATH}/{copy.pod_resource_id}"
        present = await show(client, path, "address_group", deadline)
        if present is None:
            await self._reach.routings.forget(copy.id)
            return
        if put := changed(_shape(copy.central_id), present, ("name", "description")):
            await client.put(path, body={"address_group": put}, deadline=deadline)
        there, wanted = set(in_order(words(present, "addresses"))), set(in_order(addresses))
        # Closing goes first: an address opens late rather than stays open long.
        for verb, some in (("remove_addresses", there - wanted), ("add_addresses", wanted - there)):
            for portion in _portions(in_order(some)):
                await client.put(f"{path}/{verb}", body={"addresses": portion}, deadline=deadline)
        if copy.revision != WRITTEN:
            await self._reach.routings.update(copy.id, revision=WRITTEN)

    async def is_used(self, pod: Pod, copy: Routing, deadline: Deadline) -> bool:
        """Whether a rule in the pod names it."""
        return bool(await self._rules_that_name(pod, copy, deadline))

    async def remove(self, pod: Pod, copy: Routing, deadline: Deadline) -> None:
        """Delete it with the rules that name it; those of a group that is gone are gone at the centre, too."""
        client = self._reach.network(pod)
        if has_address_groups(pod):
            for rule in await self._rules_that_name(pod, copy, deadline):
                await client.delete(f"/v2.0/security-group-rules/{text(rule, 'id')}", deadline=deadline, ok=(404,))
            await remove(client, f"{_PATH}/{copy.pod_resource_id}", deadline)
        await self._reach.routings.forget(copy.id)

    async def _rules_that_name(self, pod: Pod, copy: Routing, deadline: Deadline) -> list[dict[str, object]]:
        filters = {"remote_address_group_id": str(copy.pod_resource_id), "fields": "id"}
        path = "/v2.0/security-group-rules"
        return await collect(self._reach.network(pod), path, "security_group_rules", deadline, filters)

    async def _realise(self, pod: Pod, group_id: str, deadline: Deadline) -> Routing:
        wanted = Wanted(kind=Kind.ADDRESS_GROUP, central_id=group_id, pod=pod, project_id=_NOBODY)

        async def find() -> Found | None:
            return await self.find(pod, group_id, deadline)

        async def create() -> Found:
            # Under the lease: whoever leaves the group from now on finds this routing.
            addresses = await self.addresses(group_id, deadline)
            if not has_address_groups(pod):
                return Found(pod_resource_id=_RULES + group_id, revision=WRITTEN)
            client = self._reach.network(pod)
            owner = await self._reach.owner.project(client, deadline)
            portions = _portions(addresses)
            body = {**_shape(group_id), "project_id": owner, "addresses": portions[0] if portions else []}
            answer = await client.post(_PATH, body={"address_group": body}, deadline=deadline)
            made = text(member(answer, "address_group"), "id")
            # With more than fit into a call, a job adds the rest: rules are closed to them in the meantime.
            return Found(pod_resource_id=made, revision=WRITTEN if len(portions) < 2 else None)

        routing = await self._reach.ensure(wanted, find=find, create=create, deadline=deadline)
        await self._reach.recheck_adopted(routing, JobType.ADDRESS_GROUP)
        return routing


def _shape(central_id: str) -> dict[str, object]:
    return {"name": _PREFIX + central_id, "description": mark(central_id)}


def _portions(addresses: Sequence[str]) -> list[list[str]]:
    return [list(addresses[at : at + _ADDRESSES]) for at in range(0, len(addresses), _ADDRESSES)]
