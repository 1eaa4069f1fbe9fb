# SPDX-License-Identifier: Apache-2.0
"""Which changes does a pod have to know of? Pure: dictionaries as Neutron's hooks show them, no I/O.

A hook is also called for changes that concern nobody but the centre (a status, a binding). A job for those would let
the worker, which sets a status, cause jobs for ever.
"""

from collections.abc import Mapping

from tricircle.model.routing import Kind

Body = Mapping[str, object]

#: ``device_owner`` and the beginning of ``device_id`` of the ports that hold a pod's slice of a subnet; the second
#: half of the id is a digest, because tenants see these ports in their networks.
SLICE_OWNER = "network:dhcp"
SLICE_PREFIX = "tricircle-"

_HOST = "binding:host_id"
_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.NETWORK: ("name", "admin_state_up", "mtu", "port_security_enabled", "dns_domain", "qos_policy_id"),
    Kind.SUBNET: ("name", "gateway_ip", "enable_dhcp", "dns_nameservers", "host_routes"),
    Kind.PORT: (
        "name",
        "admin_state_up",
        "mac_address",
        "fixed_ips",
        "security_groups",
        "allowed_address_pairs",
        "port_security_enabled",
        "extra_dhcp_opts",
        "dns_name",
        "qos_policy_id",
        "numa_affinity_policy",
        "hints",
        "trusted",
    ),
    Kind.SECURITY_GROUP: ("name", "stateful"),
}


def concerns_pods(kind: Kind, original: Body, current: Body) -> bool:
    """Whether a field that copies carry differs.

    >>> concerns_pods(Kind.NETWORK, {"name": "a", "status": "DOWN"}, {"name": "a", "status": "ACTIVE"})
    False
    """
    return any(original.get(field) != current.get(field) for field in _FIELDS[kind])


def port_concerns_pods(original: Body, current: Body) -> bool:
    """The same for a port: only a port that a host carries, or has just carried, has a copy anywhere.

    Setting the host needs no job: who sets it makes the copy at once, from what this very update answers.

    >>> port_concerns_pods({"binding:host_id": "", "name": "a"}, {"binding:host_id": "", "name": "b"})
    False
    """
    # The owner of a network may call a port its network's when it has a copy already.
    if not is_carried(original) or (is_of_network_service(original) and is_of_network_service(current)):
        return False
    return original.get(_HOST) != current.get(_HOST) or concerns_pods(Kind.PORT, original, current)


def is_carried(port: Body) -> bool:
    """Whether a pod carries the port."""
    return bool(port.get(_HOST))


def is_of_network_service(port: Body) -> bool:
    """Whether the port belongs to a router, a floating IP or DHCP; no copy is made of those."""
    return str(port.get("device_owner") or "").startswith("network:")


def is_slice(port: Body) -> bool:
    """Whether the port holds the addresses that one pod may use by itself."""
    return port.get("device_owner") == SLICE_OWNER and str(port.get("device_id") or "").startswith(SLICE_PREFIX)
