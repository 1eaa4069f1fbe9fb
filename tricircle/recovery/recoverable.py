# SPDX-License-Identifier: Apache-2.0
"""What must a routing say, given an object in a pod and what the centre declares? Pure.

A copy is ours when mark, project and natural key agree with what the centre says; then its routing can be written
again. What bears our mark and is not that is a *stranger*. The revision is the centre's of now where the copy consists
of what the centre says; otherwise it is left unknown, and a job compares.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from tricircle.audit.compare import is_young
from tricircle.audit.findings import Holding
from tricircle.context import PodId, ProjectId
from tricircle.copies import qos_policies
from tricircle.copies.address_groups import WRITTEN, Remote, members, shape_difference
from tricircle.copies.addresses import Slice
from tricircle.copies.bodies import Body, changed, mark, revision, rows, text, words
from tricircle.copies.networks import difference as network_difference
from tricircle.copies.networks import wanted_network
from tricircle.copies.origins import USER, is_unbound_claim, kept
from tricircle.copies.pod_status import said
from tricircle.copies.port_content import DNS_NAME, difference, wanted_port
from tricircle.copies.security_group_rules import remote_groups
from tricircle.copies.security_groups import difference as group_difference
from tricircle.copies.subnet_content import addresses_needed, gateway_of, is_automatic, wanted_subnet
from tricircle.copies.trunks import difference as trunk_difference
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import ASKED_AZ, NETWORK_ID, STATUS, Kind, Routing
from tricircle.recovery.declared import Declared
from tricircle.recovery.facts import ANYBODY, Fact, Sorted, age, sort

_NETWORK_KEY = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
_HOST = "binding:host_id"
_JOBS = {
    Kind.NETWORK: JobType.NETWORK,
    Kind.SUBNET: JobType.SUBNET,
    Kind.SECURITY_GROUP: JobType.SECURITY_GROUP,
    Kind.PORT: JobType.PORT,
    Kind.QOS_POLICY: JobType.QOS_POLICY,
    Kind.TRUNK: JobType.TRUNK,
}


def networks(
    pod: Pod,
    holdings: Iterable[Holding],
    shares: Mapping[str, frozenset[str]],
    declared: Declared,
    policies: Mapping[str, Routing] = MappingProxyType({}),
) -> Sorted:
    """:param shares: the projects that each network of the pod is shared with, by its id there
    :param policies: bound routings of QoS policies, by central id
    """

    def judge(holding: Holding, network: Body) -> bool:
        is_same = not changed(wanted_network(network, pod.physical_networks), holding.body, _NETWORK_KEY)
        return holding.project_id == declared.owner_id and is_same

    def make(holding: Holding, network: Body) -> Fact:
        policy = policies.get(text(network, "qos_policy_id"))
        policy_id = None if policy is None else policy.pod_resource_id
        projects = sorted(shares.get(holding.pod_resource_id, frozenset()))
        details: dict[str, object] = {"projects": projects} if projects else {}
        agrees = not network_difference(network, pod, holding.body, policy_id)
        return copy_of(pod, Kind.NETWORK, holding, network, details, agrees=agrees)

    return sort(pod, holdings, declared.networks, judge, make)


def homes(pods_holdings: Iterable[tuple[Pod, Iterable[Holding]]], declared: Declared) -> dict[str, PodId]:
    """In which pod each subnet is at home, by central id: where it has the tenant's gateway, else where it came first.

    A copy with another gateway is at home nowhere, but one of a subnet without gateway cannot be told by it.
    """
    claims: dict[str, list[tuple[bool, str, PodId]]] = {}
    for pod, holdings in pods_holdings:
        for holding in holdings:
            subnet = declared.subnets.get(holding.central_id or "")
            if subnet is None or holding.project_id != declared.owner_id:
                continue
            wanted = text(subnet, "gateway_ip")
            has_gateway = text(holding.body, "gateway_ip") == wanted
            if has_gateway or is_automatic(subnet):
                claims.setdefault(text(subnet, "id"), []).append((*age(holding)[:2], pod.id))
    return {subnet_id: min(claiming)[-1] for subnet_id, claiming in claims.items()}


def subnets(
    pod: Pod, holdings: Iterable[Holding], nets: Sorted, declared: Declared, home: Mapping[str, PodId]
) -> Sorted:
    """:param nets: the networks of the pod; home: as ``homes`` says"""

    def judge(holding: Holding, subnet: Body) -> bool:
        net = nets.facts.get(text(subnet, "network_id"))
        is_inside = net is not None and net.routing.pod_resource_id == holding.body.get("network_id")
        return is_inside and holding.project_id == declared.owner_id and subnet["cidr"] == holding.body.get("cidr")

    def make(holding: Holding, subnet: Body) -> Fact:
        subnet_id = text(subnet, "id")
        port = declared.slice_of(pod, subnet_id)
        piece = Slice(port_id=text(port, "id") if port else None, addresses=_slice_addresses(port, subnet_id))
        is_home = home.get(subnet_id) == pod.id
        agrees = False
        if len(piece.addresses) >= addresses_needed(subnet, is_home=is_home):
            gateway_ip = gateway_of(subnet, piece, is_home=is_home, present=holding.body)
            wanted = wanted_subnet(subnet, piece, gateway_ip)
            agrees = not changed(wanted, holding.body, wanted)
        details: dict[str, object] = {
            "gateway_ip": holding.body.get("gateway_ip"),
            "slice_port_id": piece.port_id,
            "is_home": is_home,
            "is_automatic": is_automatic(subnet),
            NETWORK_ID: text(subnet, "network_id"),
        }
        return copy_of(pod, Kind.SUBNET, holding, subnet, details, agrees=agrees)

    return sort(pod, holdings, declared.subnets, judge, make)


def address_groups(pod: Pod, holdings: Iterable[Holding], declared: Declared) -> Sorted:
    """Address groups: of the members of security groups, and of tenants' own."""
    ports: dict[str, list[Body]] = {}
    for port in declared.ports.values():
        for group_id in words(port, "security_groups"):
            ports.setdefault(group_id, []).append(port)

    def judge(holding: Holding, _group: Body) -> bool:
        return holding.project_id == declared.owner_id

    def make(holding: Holding, group: Body) -> Fact:
        group_id = text(group, "id")
        wanted = words(group, "addresses") if group_id in declared.address_groups else members(ports.get(group_id, ()))
        agrees = not shape_difference(group_id, wanted, holding.body)
        routing = Routing(
            id=0,
            central_id=group_id,
            kind=Kind.ADDRESS_GROUP,
            pod_id=pod.id,
            project_id=ANYBODY,
            pod_resource_id=holding.pod_resource_id,
            revision=WRITTEN if agrees else None,
            created_at=holding.created_at,
        )
        return Fact(routing=routing, job=None if agrees else JobType.ADDRESS_GROUP)

    return sort(pod, holdings, {**declared.groups, **declared.address_groups}, judge, make)


def groups(
    pod: Pod,
    holdings: Iterable[Holding],
    declared: Declared,
    remotes: Sorted,
    shares: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> Sorted:
    """Security groups. Those whose rules are not the centre's are not whole: a job, or the next use, fills them.

    :param remotes: the address groups of the pod
    :param shares: as of networks
    """
    bodies: dict[str, Body] = {}

    def judge(holding: Holding, group: Body) -> bool:
        return holding.project_id == group.get("project_id")

    def make(holding: Holding, group: Body) -> Fact:
        bodies[text(group, "id")] = holding.body
        projects = sorted(shares.get(holding.pod_resource_id, frozenset()))
        details: dict[str, object] = {"projects": projects} if projects else {}
        return copy_of(pod, Kind.SECURITY_GROUP, holding, group, details, agrees=False)

    found = sort(pod, holdings, declared.groups, judge, make)
    named = {
        central_id: Remote(address_group_id=str(fact.routing.pod_resource_id))
        for central_id, fact in remotes.facts.items()
    }
    for central_id, fact in found.facts.items():
        group = declared.groups[central_id]
        # The mark of a group that was made at the centre again still names the former one.
        present = {**bodies[central_id], "description": mark(central_id)}
        if remote_groups(group) <= named.keys() and not group_difference(group, named, present):
            routing = replace(fact.routing, revision=revision(group))
            found.facts[central_id] = replace(fact, routing=routing, job=None)
    return found


def policies(pod: Pod, holdings: Iterable[Holding], declared: Declared) -> Sorted:
    """QoS policies."""

    def judge(holding: Holding, policy: Body) -> bool:
        return holding.project_id == declared.owner_id

    def make(holding: Holding, policy: Body) -> Fact:
        agrees = not qos_policies.difference(policy, holding.body)
        return copy_of(pod, Kind.QOS_POLICY, holding, policy, {}, agrees=agrees)

    return sort(pod, holdings, declared.policies, judge, make)


@dataclass(frozen=True, slots=True)
class Copies:
    """What ports in a pod stand on; policies: bound routings by central id."""

    networks: Sorted
    subnets: Sorted
    groups: Sorted
    policies: Mapping[str, Routing] = field(default_factory=dict)


def ports(pod: Pod, holdings: Iterable[Holding], copies: Copies, declared: Declared) -> Sorted:
    """Ports, with the server that the pod gives them to."""
    subnet_copies, group_copies = copies.subnets.routings(), copies.groups.routings()

    def judge(holding: Holding, port: Body) -> bool:
        net = copies.networks.facts.get(text(port, "network_id"))
        is_there = net is not None and net.routing.pod_resource_id == holding.body.get("network_id")
        is_owner = holding.project_id == port.get("project_id")
        is_same = port.get("mac_address") == holding.body.get("mac_address")
        wanted, has = addresses_of(port), addresses_of(holding.body)
        # One that has got other addresses since, which nobody told the pod, is still its server's.
        is_servers = "" != text(port, "device_id") == text(holding.body, "device_id")
        return is_there and is_owner and is_same and (not wanted or bool(wanted & has) or is_servers)

    def make(holding: Holding, port: Body) -> Fact:
        named = {text(ip, "subnet_id") for ip in rows(port, "fixed_ips")}
        is_known = named <= subnet_copies.keys() and set(words(port, "security_groups")) <= group_copies.keys()
        is_known = is_known and {text(port, "qos_policy_id")} - {""} <= copies.policies.keys()
        agrees = is_known and not difference(
            wanted_port(port, subnet_copies, group_copies, copies.policies), holding.body
        )
        details: dict[str, object] = {NETWORK_ID: text(port, "network_id")}
        if server_id := text(holding.body, "device_id") or text(port, "device_id"):
            details["server_id"] = server_id
        if origin := kept(port).get("origin"):
            details["origin"] = origin
        if text(port, DNS_NAME) == text(holding.body, DNS_NAME) != "":
            details[DNS_NAME] = port[DNS_NAME]
        fact = copy_of(pod, Kind.PORT, holding, port, details, agrees=agrees and text(port, _HOST) == pod.name)
        return replace(fact, defaults={"origin": USER, STATUS: said(holding.body)})

    return sort(pod, holdings, declared.ports, judge, make)


def trunks(pod: Pod, holdings: Iterable[Holding], copies: Sorted, declared: Declared) -> Sorted:
    """:param copies: the ports of the pod"""
    ids = {central_id: str(copy.pod_resource_id) for central_id, copy in copies.routings().items()}

    def judge(holding: Holding, trunk: Body) -> bool:
        return ids.get(text(trunk, "port_id")) == holding.body.get("port_id")

    def make(holding: Holding, trunk: Body) -> Fact:
        agrees = not trunk_difference(trunk, ids, holding.body)
        fact = copy_of(pod, Kind.TRUNK, holding, trunk, {}, agrees=agrees)
        return replace(fact, defaults={STATUS: said(holding.body)})

    return sort(pod, holdings, declared.trunks, judge, make)


def lost_ends(pod: Pod, servers: frozenset[str], copies: Sorted, declared: Declared) -> dict[str, ProjectId]:
    """Servers (or claims) that the centre gives ports in this pod, and the pod does not: their ends were not noticed.

    The projects by id. Only for a pod whose servers are all known.
    """
    found: dict[str, ProjectId] = {}
    for port_id, port in declared.ports.items():
        holder = text(port, "device_id")
        is_servers = text(port, "device_owner").startswith("compute:") or not text(port, "device_owner")
        if text(port, _HOST) != pod.name or not holder or not is_servers:
            continue
        fact = copies.facts.get(port_id)
        has_it = fact is not None and fact.routing.details.get("server_id") == holder
        if not has_it or holder not in servers:
            found[holder] = ProjectId(text(port, "project_id"))
    return found


def lost_claims(declared: Declared, before: datetime) -> dict[str, ProjectId]:
    """Boots (and attaches) that died between making a port at the centre and binding it: their projects, by claim.

    :param before: what was changed later may be the work of a request that is under way
    """
    return {
        text(port, "device_id"): ProjectId(text(port, "project_id"))
        for port in declared.ports.values()
        if is_unbound_claim(port) and not is_young(port, before)
    }


def asked_zones(declared: Declared) -> dict[str, str]:
    """The AZ that each boot asked for, by server, where one of its ports keeps it."""
    return {
        text(port, "device_id"): zone
        for port in declared.ports.values()
        if text(port, "device_id") and (zone := kept(port).get(ASKED_AZ))
    }


def addresses_of(port: Body) -> frozenset[str]:
    """The addresses of a port, wherever it is."""
    return frozenset(text(ip, "ip_address") for ip in rows(port, "fixed_ips"))


def copy_of(
    pod: Pod, kind: Kind, holding: Holding, central: Body, details: Mapping[str, object], *, agrees: bool
) -> Fact:
    """What is written down of a copy, and what has to be done where it does not agree with its original."""
    return Fact(
        routing=Routing(
            id=0,
            central_id=text(central, "id"),
            kind=kind,
            pod_id=pod.id,
            project_id=ProjectId(text(central, "project_id")),
            pod_resource_id=holding.pod_resource_id,
            revision=revision(central) if agrees else None,
            # As everywhere in routings, what is None is not there.
            details={name: value for name, value in details.items() if value is not None},
            created_at=holding.created_at,
        ),
        job=None if agrees else _JOBS[kind],
    )


def _slice_addresses(port: Body | None, subnet_id: str) -> tuple[str, ...]:
    held = rows(port, "fixed_ips") if port else []
    return in_order(text(ip, "ip_address") for ip in held if ip.get("subnet_id") == subnet_id)


def in_order(addresses: Iterable[str]) -> tuple[str, ...]:
    """Lowest first, as ``copies/addresses.py`` gives them."""
    return tuple(sorted(addresses, key=lambda address: int(ipaddress.ip_address(address))))
