# SPDX-License-Identifier: Apache-2.0
"""What runs in pods, and the centre has forgotten it? Pure.

A central Neutron that came back from a backup does not know what was made since. Ports that servers use, and the
networks, subnets, groups and QoS policies that these stand on, are *missing*: they have to be made at the centre again,
with all settings that they have in the pod, since a job makes the pod agree with them later. So are trunks whose parent
a server uses, with their sub-ports. A copy that no server uses is none of these: the centre does not know it, so nobody
does, and it goes.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tricircle.audit.findings import Holding, Part
from tricircle.copies.bodies import Body, rows, text, words
from tricircle.copies.networks import is_stretched
from tricircle.copies.origins import SUB_PORT_OWNER, server_owner
from tricircle.copies.port_content import DEVICE, DNS_NAME, HINTS, NUMA, POLICY, TRUSTED, VNIC
from tricircle.copies.security_group_rules import remote_of, rule_key
from tricircle.copies.sub_ports import tags
from tricircle.copies.subnet_content import is_automatic
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Declared
from tricircle.recovery.recoverable import in_order

_NEEDED = (Kind.QOS_POLICY, Kind.NETWORK, Kind.SUBNET, Kind.SECURITY_GROUP, Kind.PORT, Part.RBAC_POLICY)
_TYPE, _PHYSNET, _SEGMENT = "provider:network_type", "provider:physical_network", "provider:segmentation_id"


@dataclass(frozen=True, slots=True)
class Seen:
    """An object in a pod."""

    pod: Pod
    holding: Holding

    @property
    def body(self) -> Body:
        """As the pod shows it."""
        return self.holding.body


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to be made at the centre again, by the id that its mark names: its copies, oldest first.

    :ivar policy_users: whose ports and networks have each QoS policy; its copies do not say whose it was
    """

    policies: dict[str, list[Seen]] = field(default_factory=dict)
    policy_users: dict[str, list[str]] = field(default_factory=dict)
    networks: dict[str, list[Seen]] = field(default_factory=dict)
    subnets: dict[str, list[Seen]] = field(default_factory=dict)
    groups: dict[str, list[Seen]] = field(default_factory=dict)
    ports: dict[str, list[Seen]] = field(default_factory=dict)
    trunks: dict[str, list[Seen]] = field(default_factory=dict)

    def parents(self) -> set[str]:
        """The parents of these trunks, by their ids in the pods."""
        return {text(seen.body, "port_id") for copies in self.trunks.values() for seen in copies}


def missing(pods: Iterable[Contents], declared: Declared) -> Missing:
    """What servers use, and the centre does not know. Pods that were not read completely are left out."""
    found = Missing()
    for contents in pods:
        if contents.servers is not None and contents.has(*_NEEDED):
            for port in contents.lists[Kind.PORT]:
                if port.central_id is not None and text(port.body, "device_id") in contents.servers:
                    _add_port(found, contents, port, declared)
            for trunk in contents.lists.get(Kind.TRUNK, ()):
                _add_trunk(found, contents, trunk, declared)
    return found


def _add_port(found: Missing, contents: Contents, port: Holding, declared: Declared) -> None:
    """The port, if it is missing, and what it stands on, as far as that is."""
    if port.central_id in declared.ports:
        return
    network = contents.by_id(Kind.NETWORK).get(text(port.body, "network_id"))
    if network is None or network.central_id is None or network.project_id != declared.owner_id:
        return  # on a network that is none of ours
    _add(found.ports, contents.pod, port, declared.ports)
    _add_policy(found, contents, port, port, declared)
    if network.central_id not in declared.networks:
        _add(found.networks, contents.pod, network, declared.networks)
        _add_policy(found, contents, network, port, declared)
    subnets, groups = contents.by_id(Kind.SUBNET), contents.by_id(Kind.SECURITY_GROUP)
    for fixed_ip in rows(port.body, "fixed_ips"):
        _add(found.subnets, contents.pod, subnets.get(text(fixed_ip, "subnet_id")), declared.subnets)
    for group_id in words(port.body, "security_groups"):
        _add(found.groups, contents.pod, groups.get(group_id), declared.groups)


def _add_trunk(found: Missing, contents: Contents, trunk: Holding, declared: Declared) -> None:
    """The trunk, if it is missing and a server has its parent, and those of its sub-ports that are."""
    ports = contents.by_id(Kind.PORT)
    parent = ports.get(text(trunk.body, "port_id"))
    if trunk.central_id in declared.trunks or parent is None or contents.servers is None:
        return
    if text(parent.body, "device_id") not in contents.servers:
        return
    _add(found.trunks, contents.pod, trunk, declared.trunks)
    sub_ports = (ports.get(port_id) for port_id in tags(trunk.body)) if trunk.central_id is not None else ()
    for port in sub_ports:
        if port is not None and port.central_id is not None:
            _add_port(found, contents, port, declared)


def _add_policy(found: Missing, contents: Contents, user: Holding, port: Holding, declared: Declared) -> None:
    policy = contents.by_id(Kind.QOS_POLICY).get(text(user.body, POLICY))
    if policy is None or policy.central_id is None or policy.project_id != declared.owner_id:
        return  # an operator of the pod gave it one of his own
    _add(found.policies, contents.pod, policy, declared.policies)
    found.policy_users.setdefault(policy.central_id, []).append(text(port.body, "project_id"))


def _add(kept: dict[str, list[Seen]], pod: Pod, holding: Holding | None, known: Mapping[str, Body]) -> None:
    if holding is None or holding.central_id is None or holding.central_id in known:
        return
    copies = kept.setdefault(holding.central_id, [])
    if all(seen.holding is not holding for seen in copies):
        copies.append(Seen(pod, holding))


def network_body(copies: Sequence[Seen], project_id: str, policies: Mapping[str, str]) -> dict[str, object]:
    """The central network, with the VLAN id that its copies have, and the lowest MTU of theirs.

    :param policies: central ids by those in the pod of the first copy
    """
    seen = copies[0]
    body: dict[str, object] = {
        "name": text(seen.body, "name"),
        "admin_state_up": seen.body.get("admin_state_up", True),
        "project_id": project_id,
    }
    if "port_security_enabled" in seen.body:
        body["port_security_enabled"] = seen.body["port_security_enabled"]
    if sizes := [size for copy in copies if isinstance(size := copy.body.get("mtu"), int) and size]:
        body["mtu"] = min(sizes)
    if text(seen.body, "dns_domain"):
        body["dns_domain"] = seen.body["dns_domain"]
    if text(seen.body, POLICY) in policies:
        body[POLICY] = policies[text(seen.body, POLICY)]
    if is_stretched(seen.body):
        body |= {_TYPE: seen.body[_TYPE], _PHYSNET: central_physical(seen)}
        if seen.body.get(_SEGMENT) is not None:
            body[_SEGMENT] = seen.body[_SEGMENT]
    return body


def central_physical(seen: Seen) -> str:
    """The centre's name of the physical network that a copy is on."""
    name = text(seen.body, _PHYSNET)
    return next((central for central, own in seen.pod.physical_networks.items() if own == name), name)


def subnet_body(copies: Sequence[Seen], network_id: str, project_id: str) -> dict[str, object]:
    """The central subnet. Of several gateways the lowest is taken for the tenant's: pods' own ones come later."""
    body = copies[0].body
    gateways = in_order(address for seen in copies if (address := text(seen.body, "gateway_ip")))
    wanted: dict[str, object] = {
        "network_id": network_id,
        "project_id": project_id,
        "gateway_ip": gateways[0] if gateways else None,
    }
    for name in ("name", "cidr", "ip_version", "enable_dhcp", "dns_nameservers", "host_routes"):
        wanted[name] = body.get(name)
    for name in ("ipv6_ra_mode", "ipv6_address_mode"):
        if body.get(name) is not None:
            wanted[name] = body[name]
    return wanted


@dataclass(frozen=True, slots=True)
class Names:
    """Central ids by those in one pod.

    :ivar known: fields that ports have at the centre
    """

    subnets: Mapping[str, str]
    groups: Mapping[str, str]
    policies: Mapping[str, str]
    known: Collection[str] = ()


def server_of(port: Body) -> str:
    """The server that has a port, as its pod shows it; empty of a sub-port."""
    return "" if port.get("device_owner") == SUB_PORT_OWNER else text(port, "device_id")


def holder_of(pod: Pod, server_id: str) -> dict[str, object]:
    """Who has a central port, as a body for POST or PUT: a server of the pod, or (empty) a trunk there."""
    owner = server_owner(pod.az_name) if server_id else SUB_PORT_OWNER
    return {"device_id": server_id, "device_owner": owner, "binding:host_id": pod.name}


def port_body(seen: Seen, network_id: str, names: Names, host_name: str = "") -> dict[str, object]:
    """The central port, in the hands of the server that has it; a sub-port is in no server's.

    :param host_name: of the server: the pod's Nova gives it to ports that have no name of their own
    """
    body = seen.body
    wanted: dict[str, object] = {
        "network_id": network_id,
        "project_id": text(body, "project_id"),
        "fixed_ips": [
            {"subnet_id": names.subnets[text(ip, "subnet_id")], "ip_address": text(ip, "ip_address")}
            for ip in rows(body, "fixed_ips")
        ],
        "security_groups": [names.groups[one] for one in words(body, "security_groups") if one in names.groups],
        **holder_of(seen.pod, server_of(body)),
    }
    for name in ("name", "mac_address", "admin_state_up", "port_security_enabled", "allowed_address_pairs"):
        if name in body:
            wanted[name] = body[name]
    # Of extensions that the centre need not have: where they say something, it has them.
    said = {name: body[name] for name in ("extra_dhcp_opts", NUMA, DEVICE) if body.get(name)}
    # These a pod may know without the centre: by an operator's hand there.
    said |= {name: body[name] for name in (HINTS, TRUSTED) if name in names.known and body.get(name) is not None}
    if body.get(VNIC, "normal") != "normal":
        said[VNIC] = body[VNIC]
    if text(body, POLICY) in names.policies:
        said[POLICY] = names.policies[text(body, POLICY)]
    if text(body, DNS_NAME) not in ("", host_name):
        said[DNS_NAME] = body[DNS_NAME]
    return wanted | said


def rule_bodies(
    seen: Seen, group_id: str, groups: Mapping[str, str], address_groups: Container[str] = ()
) -> list[dict[str, object]]:
    """The rules of a central group. One whose remote group the centre does not know is left out: closed, not open.

    :param groups: central ids of remote groups by those in the pod
    :param address_groups: which central ids are those of tenants' address groups
    """
    wanted = {}
    for rule in rows(seen.body, "security_group_rules"):
        remote = remote_of(rule)
        if remote and remote not in groups:
            continue
        fields = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
        body: dict[str, object] = {name: rule[name] for name in fields if rule.get(name) is not None}
        body |= {"security_group_id": group_id, "project_id": text(seen.body, "project_id")}
        if remote:
            is_tenants = groups[remote] in address_groups
            body["remote_address_group_id" if is_tenants else "remote_group_id"] = groups[remote]
        wanted[rule_key(rule, remote)] = body
    return list(wanted.values())


def may_be_original(group: Body, copy: Body) -> bool:
    """Whether a group of the centre may have been made for ``copy``, by its rules: it has none yet, or the same.

    Remote groups have other ids there, and one that is unknown leaves its rules out: of these it may have fewer.
    """
    has, wanted = _keys(group), _keys(copy)
    closed = {key for key in wanted if not key[-1]}
    return not has or closed <= has <= wanted


def _keys(group: Body) -> set[tuple[str, ...]]:
    rules = rows(group, "security_group_rules")
    return {rule_key(rule, "any" if remote_of(rule) else "") for rule in rules}


def own_addresses(subnet: Body, copy: Body) -> tuple[str, ...]:
    """What a pod uses of a subnet by itself: its pools, which are single addresses, and a gateway of its own."""
    if is_automatic(subnet):
        return ()
    pools = rows(copy, "allocation_pools")
    own = {text(pool, "start") for pool in pools if pool.get("start") == pool.get("end")}
    gateway = text(copy, "gateway_ip")
    return in_order(own | ({gateway} if gateway and gateway != text(subnet, "gateway_ip") else set()))
