# SPDX-License-Identifier: Apache-2.0
"""In what does a network that exists in a pod differ from one of the centre, and who uses its addresses? Pure.

Differences are told apart: an *obstacle* would lose packets or give an address out twice; the rest is the pod's own
way, which stays as it is.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tricircle.copies.bodies import Body, changed, marked, rows, text
from tricircle.copies.networks import has_key, wanted_network
from tricircle.model.pod import Pod

_KEY = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
#: What of a subnet is the pod's own: nothing there is changed.
_OWN_WAYS = ("gateway_ip", "enable_dhcp", "dns_nameservers", "host_routes", "allocation_pools")
_ROUTERS = "network:router_"
#: The ``device_owner`` of a gateway that no port in the pod has.
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not alike.

    :ivar what: ``network`` or a subnet (its CIDR), and the field
    :ivar advice: what to do about an obstacle, or what it means
    """

    what: str
    centre: object
    pod: object
    advice: str
    is_obstacle: bool = False


class Holder(StrEnum):
    """Who has at the centre an address that the pod uses."""

    NOBODY = "nobody"
    POD = "the pod"
    ANOTHER = "another port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """An address that the pod uses.

    :ivar subnet_id: at the centre
    :ivar pod_port_id, device_owner, project_id: whose it is in the pod; no port's when it is the gateway of the pod's
        own (``GATEWAY``), which often is a router that the pod does not know
    """

    ip_address: str
    subnet_id: str
    pod_port_id: str
    device_owner: str
    project_id: str
    holder: Holder
    central_port_id: str = ""


def of_network(network: Body, pod: Pod, present: Body) -> list[Difference]:
    """What of the network itself is not alike."""
    found: list[Difference] = []
    if not has_key(network, pod, present):
        wanted = wanted_network(network, pod.physical_networks)
        for field in changed(wanted, present, _KEY):
            advice = "another segment is another network: name one that has the centre's, or make one of it there"
            found.append(_obstacle("network", field, wanted[field], present.get(field), advice))
    if (there := _number(present, "mtu")) != (here := _number(network, "mtu")):
        advice = (
            f"the lowest on the way must hold everywhere: set the MTU of the network at the centre to {there}"
            if there < here
            else f"servers in the pod send frames that others cannot receive: set the MTU in the pod to {here}"
        )
        found.append(_obstacle("network", "mtu", here, there, advice))
    if present.get("admin_state_up") is False:
        found.append(_obstacle("network", "admin_state_up", True, False, "switch the network on in the pod"))
    if owner := marked(present.get("description")):
        found.append(_obstacle("network", "description", "", f"tricircle:{owner}", "it is a copy of another network"))
    return found


def pairs(subnets: Iterable[Body], presents: Iterable[Body]) -> tuple[list[tuple[Body, Body]], list[Difference]]:
    """Subnets of the centre with those of the pod that have the same CIDR; and what has no partner."""
    there = {_network(text(present, "cidr")): present for present in presents}
    found: list[tuple[Body, Body]] = []
    alone: list[Difference] = []
    for subnet in subnets:
        cidr = text(subnet, "cidr")
        present = there.pop(_network(cidr), None)
        if present is None:
            advice = "make it in the pod: nothing is added to a network that is not ours"
            alone.append(_obstacle(f"subnet {cidr}", "cidr", cidr, None, advice))
        else:
            found.append((subnet, present))
    ours = [_network(text(subnet, "cidr")) for subnet, _ in found]
    for other in there:
        cidr = str(other)
        is_mixed = any(other.version == own.version and other.overlaps(own) for own in ours)
        advice = "it overlaps a subnet of the centre" if is_mixed else "the centre does not know it and leaves it alone"
        difference = Difference(what=f"subnet {cidr}: cidr", centre=None, pod=cidr, advice=advice)
        alone.append(_obstacle(f"subnet {cidr}", "cidr", None, cidr, advice) if is_mixed else difference)
    return found, alone


def of_subnet(subnet: Body, present: Body, *, has_home: bool) -> list[Difference]:
    """What of a subnet is not alike.

    :param has_home: another pod has the tenant's gateway already
    """
    what = f"subnet {text(subnet, 'cidr')}"
    found = [
        Difference(
            what=f"{what}: {field}", centre=subnet.get(field), pod=present.get(field), advice="the pod keeps its own"
        )
        for field in changed(subnet, present, _OWN_WAYS)
    ]
    gateway_ip = present.get("gateway_ip")
    if has_home and gateway_ip and gateway_ip == subnet.get("gateway_ip"):
        advice = "another pod has the gateway with this address: give the pod's subnet one of its own"
        found.append(_obstacle(what, "gateway_ip", "in another pod", gateway_ip, advice))
    for field in ("ipv6_address_mode", "ipv6_ra_mode"):
        if subnet.get(field) != present.get(field):
            advice = "servers would not find the addresses that the centre gives them"
            found.append(_obstacle(what, field, subnet.get(field), present.get(field), advice))
    return found


def overlap_of_pools(subnet: Body, present: Body) -> list[Difference]:
    """Pools of which both, the centre and the pod, give out addresses."""
    what, free = f"subnet {text(subnet, 'cidr')}: addresses", _ranges(subnet)
    found = []
    for first, last in _ranges(present):
        if any(first <= end and start <= last for start, end in free):
            pool = f"{ipaddress.ip_address(first)}-{ipaddress.ip_address(last)}"
            advice = (
                "what somebody makes in the pod itself may get an address that the centre gives out: narrow its pool"
            )
            found.append(Difference(what=what, centre="the same", pod=pool, advice=advice))
    return found


def in_use(
    pod_ports: Iterable[Body], paired: Sequence[tuple[Body, Body]], central_ports: Iterable[Body], slices: set[str]
) -> list[Used]:
    """The addresses that the pod uses, with whoever has them at the centre; copies of ours are left out.

    :param slices: ids of the central ports that hold what the pod uses
    """
    subnets = {text(present, "id"): text(subnet, "id") for subnet, present in paired}
    gateways = {(text(subnet, "id"), text(subnet, "gateway_ip")) for subnet, _ in paired}
    holders = {
        (text(ip, "subnet_id"), text(ip, "ip_address")): text(port, "id")
        for port in central_ports
        for ip in rows(port, "fixed_ips")
    }
    found = []
    for port in pod_ports:
        if marked(port.get("description")):
            continue
        for ip in rows(port, "fixed_ips"):
            if (subnet_id := subnets.get(text(ip, "subnet_id"))) is None:
                continue
            address = (subnet_id, text(ip, "ip_address"))
            # The gateway is no port's to take, and the same router's at the centre and in the pod.
            is_gateway = address in gateways and text(port, "device_owner").startswith(_ROUTERS)
            port_id = "" if is_gateway else holders.get(address, "")
            holder = Holder.POD if port_id in slices or is_gateway else Holder.ANOTHER
            found.append(
                Used(
                    ip_address=text(ip, "ip_address"),
                    subnet_id=subnet_id,
                    pod_port_id=text(port, "id"),
                    device_owner=text(port, "device_owner"),
                    project_id=text(port, "project_id"),
                    holder=holder if port_id or is_gateway else Holder.NOBODY,
                    central_port_id=port_id,
                )
            )
    found += _own_gateways(paired, {(used.subnet_id, used.ip_address) for used in found}, holders, slices)
    return sorted(found, key=lambda used: (used.subnet_id, int(ipaddress.ip_address(used.ip_address))))


def _own_gateways(
    paired: Iterable[tuple[Body, Body]],
    known: set[tuple[str, str]],
    holders: Mapping[tuple[str, str], str],
    slices: set[str],
) -> list[Used]:
    """Gateways of the pod's own that are no port's there."""
    found = []
    for subnet, present in paired:
        address = (text(subnet, "id"), own_gateway(subnet, present))
        if not address[1] or address in known:
            continue
        port_id = holders.get(address, "")
        holder = Holder.POD if port_id in slices else Holder.ANOTHER
        found.append(
            Used(
                ip_address=address[1],
                subnet_id=address[0],
                pod_port_id="",
                device_owner=GATEWAY,
                project_id=text(present, "project_id"),
                holder=holder if port_id else Holder.NOBODY,
                central_port_id=port_id,
            )
        )
    return found


def own_gateway(subnet: Body, present: Body) -> str:
    """The pod's gateway where it is another than the centre's; empty when there is none, or it is no address of the
    subnet (link-local ones are not).
    """
    there, here = text(present, "gateway_ip"), text(subnet, "gateway_ip")
    if not there or ipaddress.ip_address(there) not in _network(text(subnet, "cidr")):
        return ""
    is_same = bool(here) and ipaddress.ip_address(here) == ipaddress.ip_address(there)
    return "" if is_same else str(ipaddress.ip_address(there))


def conflicts(used: Iterable[Used]) -> list[Difference]:
    """Addresses that two have."""
    return [
        _obstacle(
            f"address {one.ip_address}",
            "port",
            one.central_port_id,
            one.pod_port_id or one.device_owner,
            "two have it: change or delete one of the ports"
            if one.pod_port_id
            else "two have it: change or delete the port at the centre, or give the pod's subnet another gateway",
        )
        for one in used
        if one.holder is Holder.ANOTHER
    ]


def show(differences: Iterable[Difference], used: Iterable[Used]) -> dict[str, object]:
    """A report as operators read it."""
    return {
        "differences": [
            {
                "what": one.what,
                "centre": one.centre,
                "pod": one.pod,
                "is_obstacle": one.is_obstacle,
                "advice": one.advice,
            }
            for one in differences
        ],
        "addresses": [
            {
                "ip_address": one.ip_address,
                "subnet_id": one.subnet_id,
                "pod_port_id": one.pod_port_id,
                "device_owner": one.device_owner,
                "project_id": one.project_id,
                "held_by": one.holder.value,
            }
            for one in used
        ],
    }


def _obstacle(what: str, field: str, centre: object, pod: object, advice: str) -> Difference:
    return Difference(what=f"{what}: {field}", centre=centre, pod=pod, advice=advice, is_obstacle=True)


def _number(body: Body, field: str) -> int:
    return int(text(body, field) or 0)


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr, strict=False)


def _ranges(subnet: Mapping[str, object]) -> list[tuple[int, int]]:
    return [
        (int(ipaddress.ip_address(text(pool, "start"))), int(ipaddress.ip_address(text(pool, "end"))))
        for pool in rows(subnet, "allocation_pools")
    ]
