# SPDX-License-Identifier: Apache-2.0
"""Which identifiers are in use in pods and free at the centre, and who keeps them from being given out? Pure.

What servers use has been made at the centre again before (``importing.py``). What is left are copies that no server
uses and whose original the centre does not know, addresses that a port at the centre does not have (any more), ports
that the pod's operator made, and addresses that a group has in the pod and no member has at the centre. The quarantine
holds what they use: for a copy as long as its routing stands, for a group as long as a job about it is left, for others
as long as the subnet or network has a copy.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from tricircle.audit.findings import Holding
from tricircle.copies.address_groups import in_order, members
from tricircle.copies.bodies import Body, revision, rows, text, words
from tricircle.copies.subnets import is_automatic
from tricircle.model.quarantine import Left, What
from tricircle.model.routing import Kind, Routing
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Declared
from tricircle.recovery.facts import ANYBODY, Fact
from tricircle.recovery.missing import Seen, central_physical

_SEGMENT = "provider:segmentation_id"
_COMPUTE, _NETWORK = "compute:", "network:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An identifier to keep back.

    :ivar revision: that of the original, once its copy has that the identifier is free; None: when the copy is gone
    :ivar why: for operators
    """

    left: Left
    revision: int | None = None
    why: str


def leftovers(contents: Contents, declared: Declared) -> Iterator[tuple[Kind, Fact]]:
    """Routings of copies whose original the centre does not know, and which no server uses."""
    for holding in contents.lists.get(Kind.NETWORK, ()):
        if _is_left_network(contents, holding, declared):
            yield Kind.NETWORK, _fact(contents, Kind.NETWORK, holding)
    for holding in contents.lists.get(Kind.PORT, ()):
        if _is_left_port(contents, holding, declared):
            yield Kind.PORT, _fact(contents, Kind.PORT, holding)


def holds(contents: Contents, declared: Declared) -> Iterator[Hold]:
    """What the quarantine has to hold for a pod."""
    for holding in contents.lists.get(Kind.NETWORK, ()):
        if _is_left_network(contents, holding, declared) and holding.body.get(_SEGMENT) is not None:
            physical = central_physical(Seen(contents.pod, holding))
            value, central_id = text(holding.body, _SEGMENT), str(holding.central_id)
            left = Left(what=What.VLAN, scope=physical, value=value, kind=Kind.NETWORK, central_id=central_id)
            yield Hold(left=left, why=f"of network {holding.pod_resource_id}, which the centre does not know")
    for holding in contents.lists.get(Kind.PORT, ()):
        network = contents.by_id(Kind.NETWORK).get(text(holding.body, "network_id"))
        if network is not None and network.central_id in declared.networks and network.project_id == declared.owner_id:
            yield from _of_port(contents, holding, str(network.central_id), declared)
    if Kind.ADDRESS_GROUP in contents.made:
        yield from _of_members(contents, declared)


def _of_members(contents: Contents, declared: Declared) -> Iterator[Hold]:
    """Addresses that rules in the pod let in for a group, and that none of its members has.

    Which network a former member was on is not known any more: the address is held in every one where the group's
    project may have had it.
    """
    present = contents.by_id(Kind.ADDRESS_GROUP)
    for group_id, fact in contents.made[Kind.ADDRESS_GROUP].facts.items():
        group = declared.groups.get(group_id)
        if group is None or fact.job is None:
            continue
        theirs = [port for port in declared.ports.values() if group_id in words(port, "security_groups")]
        there = in_order(words(present[str(fact.routing.pod_resource_id)].body, "addresses"))
        subnets = _subnets_within_reach(text(group, "project_id"), declared)
        for prefix in sorted(set(there) - set(members(theirs))):
            former = ipaddress.ip_network(prefix)
            address = str(former.network_address)
            for subnet in subnets:
                is_inside = former.num_addresses == 1 and former.network_address in ipaddress.ip_network(
                    text(subnet, "cidr")
                )
                if is_inside and (text(subnet, "id"), address) not in declared.addresses:
                    scope = text(subnet, "network_id")
                    left = Left(
                        what=What.ADDRESS, scope=scope, value=address, kind=Kind.ADDRESS_GROUP, central_id=group_id
                    )
                    yield Hold(left=left, why=f"what rules in the pod let in for group {group_id}, without a member")


def _subnets_within_reach(project_id: str, declared: Declared) -> list[Body]:
    """Of networks that are a project's own, shared with all, or that it has a port on."""
    used = {text(port, "network_id") for port in declared.ports.values() if text(port, "project_id") == project_id}
    near = {
        network_id
        for network_id, network in declared.networks.items()
        if text(network, "project_id") == project_id or network.get("shared") or network_id in used
    }
    return [one for one in declared.subnets.values() if text(one, "network_id") in near and not is_automatic(one)]


def _of_port(contents: Contents, holding: Holding, network_id: str, declared: Declared) -> Iterator[Hold]:
    central = declared.ports.get(holding.central_id or "")
    is_left = _is_left_port(contents, holding, declared)
    number = revision(central) if central is not None else ""
    known_until = int(number) if number.isdigit() else None
    whose = _whose(holding, central)
    for fixed_ip in rows(holding.body, "fixed_ips"):
        copy = contents.by_id(Kind.SUBNET).get(text(fixed_ip, "subnet_id"))
        subnet_id = copy.central_id if copy is not None else None
        subnet = declared.subnets.get(subnet_id or "")
        address = text(fixed_ip, "ip_address")
        if subnet is None or is_automatic(subnet) or (subnet_id, address) in declared.addresses:
            continue
        by_copy = central is not None or is_left
        kind, central_id = (Kind.PORT, holding.central_id) if by_copy else (Kind.SUBNET, subnet_id)
        left = Left(what=What.ADDRESS, scope=network_id, value=address, kind=kind, central_id=str(central_id))
        yield Hold(left=left, revision=known_until, why=whose)
    mac = text(holding.body, "mac_address")
    is_pods_own = text(holding.body, "device_owner").startswith(_NETWORK)
    if is_pods_own or (central is not None and text(central, "mac_address") == mac):
        return
    by_copy = central is not None or is_left
    kind, central_id = (Kind.PORT, holding.central_id) if by_copy else (Kind.NETWORK, network_id)
    left = Left(what=What.MAC, scope=network_id, value=mac, kind=kind, central_id=str(central_id))
    yield Hold(left=left, revision=known_until, why=whose)


def _whose(holding: Holding, central: Body | None) -> str:
    port = f"of port {holding.pod_resource_id}"
    if central is not None:
        return f"{port}, whose original does not have it"
    if holding.central_id is not None:
        return f"{port}, whose original the centre does not know"
    owner = text(holding.body, "device_owner") or "nobody"
    return f"{port} ({owner}), which is none of ours"


def _is_left_port(contents: Contents, holding: Holding, declared: Declared) -> bool:
    """Whether nobody needs it: no server of the pod has it. One whose servers are not known is needed."""
    if holding.central_id is None or holding.central_id in declared.ports or contents.servers is None:
        return False
    network = contents.by_id(Kind.NETWORK).get(text(holding.body, "network_id"))
    is_on_ours = network is not None and network.central_id is not None and network.project_id == declared.owner_id
    return is_on_ours and text(holding.body, "device_id") not in contents.servers


def _is_left_network(contents: Contents, holding: Holding, declared: Declared) -> bool:
    """Whether no server's port is on it, ours or not."""
    if holding.central_id is None or holding.central_id in declared.networks:
        return False
    if holding.project_id != declared.owner_id or contents.servers is None or not contents.has(Kind.PORT):
        return False
    return not any(
        port.body.get("network_id") == holding.pod_resource_id
        and text(port.body, "device_owner").startswith(_COMPUTE)
        and text(port.body, "device_id") in contents.servers
        for port in contents.lists[Kind.PORT]
    )


def _fact(contents: Contents, kind: Kind, holding: Holding) -> Fact:
    return Fact(
        routing=Routing(
            id=0,
            central_id=str(holding.central_id),
            kind=kind,
            pod_id=contents.pod.id,
            project_id=holding.project_id or ANYBODY,
            pod_resource_id=holding.pod_resource_id,
            created_at=holding.created_at,
        )
    )
