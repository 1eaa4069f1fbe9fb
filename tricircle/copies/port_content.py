# SPDX-License-Identifier: Apache-2.0
"""Of what does the copy of a port consist, and does the pod still carry the port? Pure."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from tricircle.copies.bodies import Body, changed, mark, rows, text, words
from tricircle.copies.origins import PROFILE, kept, operators
from tricircle.model.pod import Pod
from tricircle.model.routing import NETWORK_ID, Routing

#: Fields of extensions that not every pod has: they are sent when they say something.
NUMA, HINTS, TRUSTED = "numa_affinity_policy", "hints", "trusted"
DEVICE = "device_profile"
HINTS_EXTENSION, TRUSTED_EXTENSION = "port-hints", "port-trusted-vif"
SECURITY = "port_security_enabled"
_COPIED = ("name", "admin_state_up", "mac_address", SECURITY, "allowed_address_pairs")
DNS_NAME, DNS_EXTENSION = "dns_name", "dns-integration"
_FOLLOWED = (
    *_COPIED,
    "fixed_ips",
    "security_groups",
    "extra_dhcp_opts",
    "description",
    "qos_policy_id",
    NUMA,
    DNS_NAME,
    HINTS,
    TRUSTED,
)
#: What a pod that does not show it does not know.
_UNKNOWN_TO_SOME = (DNS_NAME, SECURITY, HINTS, TRUSTED)
_HOST, VNIC = "binding:host_id", "binding:vnic_type"
POLICY = "qos_policy_id"


def wanted_port(
    port: Body,
    subnets: Mapping[str, Routing],
    groups: Mapping[str, Routing],
    policies: Mapping[str, Routing] = MappingProxyType({}),
) -> dict[str, object]:
    """The copy's body as far as it may change.

    :param subnets, groups, policies: the bound routings of what the port names, by central id
    """
    wanted: dict[str, object] = {field: port[field] for field in _COPIED if field in port}
    wanted["description"] = mark(text(port, "id"))
    wanted["fixed_ips"] = [_fixed_ip(fixed_ip, subnets) for fixed_ip in rows(port, "fixed_ips")]
    wanted["security_groups"] = [groups[group_id].pod_resource_id for group_id in words(port, "security_groups")]
    wanted["extra_dhcp_opts"] = rows(port, "extra_dhcp_opts")
    wanted[NUMA] = port.get(NUMA)
    if HINTS in port:
        wanted[HINTS] = port[HINTS]
    if port.get(TRUSTED) is not None:
        wanted[TRUSTED] = port[TRUSTED]
    if text(port, DNS_NAME):
        # Without one the pod's Nova writes the name of the server.
        wanted[DNS_NAME] = port[DNS_NAME]
    policy_id = text(port, POLICY)
    wanted[POLICY] = policies[policy_id].pod_resource_id if policy_id else None
    return wanted


def given_once(port: Body, *, knows_trusted: bool) -> dict[str, object]:
    """With what a copy is made beside, and what does not follow: a pod's Nova writes into the profile too, and would
    lose what it wrote.

    :param knows_trusted: the pod has a field for that; elsewhere it is a key of the profile, as before there was one
    """
    given: dict[str, object] = {}
    if text(port, DEVICE):
        given[DEVICE] = port[DEVICE]
    if port.get(VNIC, "normal") != "normal":
        given[VNIC] = port[VNIC]
    profile = operators(port)
    if knows_trusted and port.get(TRUSTED) is not None:
        profile.pop(TRUSTED, None)
    return {**given, **({PROFILE: profile} if profile else {})}


def difference(wanted: Body, present: Body) -> dict[str, object]:
    """What to PUT so that ``present`` becomes ``wanted``; empty when it is.

    Neutron merges DHCP options: one that has to go is named with no value. Addresses that follow from the MAC are the
    pod's to compute.
    """
    # The pod shows the address that it computed; ours leaves it out.
    computed = {text(ip, "subnet_id") for ip in rows(wanted, "fixed_ips") if "ip_address" not in ip}
    shown = [
        {"subnet_id": ip["subnet_id"]} if ip["subnet_id"] in computed else dict(ip) for ip in rows(present, "fixed_ips")
    ]
    found = changed(wanted, {**present, "fixed_ips": shown}, _FOLLOWED)
    for field in _UNKNOWN_TO_SOME:
        if field not in present:
            found.pop(field, None)
    if "extra_dhcp_opts" in found:
        kept = {(option["opt_name"], option.get("ip_version")) for option in rows(wanted, "extra_dhcp_opts")}
        gone = [
            {"opt_name": option["opt_name"], "opt_value": None, "ip_version": option.get("ip_version")}
            for option in rows(present, "extra_dhcp_opts")
            if (option["opt_name"], option.get("ip_version")) not in kept
        ]
        found["extra_dhcp_opts"] = rows(wanted, "extra_dhcp_opts") + gone
    return found


def without(port: Body, subnets: Collection[str]) -> Body:
    """The port without its addresses of these subnets."""
    return {**port, "fixed_ips": [ip for ip in rows(port, "fixed_ips") if ip["subnet_id"] not in subnets]}


def details_of(port: Body, pod: Pod) -> dict[str, object]:
    """What the centre still knows of the facts that whoever made the copy could not write down."""
    details: dict[str, object] = {NETWORK_ID: text(port, "network_id")}
    if origin := kept(port).get("origin"):
        details["origin"] = origin
    is_plugged = text(port, "device_owner").startswith("compute:")
    if is_plugged and text(port, "device_id") and text(port, _HOST) == pod.name:
        details["server_id"] = text(port, "device_id")
    return details


def taken_away(port: Body, copy: Routing, present: Body) -> dict[str, object]:
    """What to PUT beside: the name that we gave the copy, and that the owner has taken away."""
    given = copy.details.get(DNS_NAME)
    is_gone = bool(given) and not text(port, DNS_NAME) and present.get(DNS_NAME) == given
    return {DNS_NAME: ""} if is_gone else {}


def lives_in(port: Body, pod: Pod, copy: Routing) -> bool:
    """Whether the pod carries the port: the host says so, or the server that has it is the one it was copied for."""
    if text(port, _HOST) == pod.name:
        return True
    server_id = copy.details.get("server_id")
    return bool(server_id) and port.get("device_id") == server_id


def _fixed_ip(fixed_ip: Body, subnets: Mapping[str, Routing]) -> dict[str, object]:
    subnet = subnets[text(fixed_ip, "subnet_id")]
    body: dict[str, object] = {"subnet_id": subnet.pod_resource_id}
    if not subnet.details.get("is_automatic"):
        body["ip_address"] = fixed_ip["ip_address"]
    return body
