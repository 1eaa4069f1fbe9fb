# SPDX-License-Identifier: Apache-2.0
"""Which identifiers does a change of a port set free? Pure: dictionaries as Neutron's hooks show them, no I/O.

Addresses count within the network and not within the subnet: a subnet that is made again on the same VLAN has another
id and the same addresses. The MAC of a slice port is no pod's: it is a port at the centre only.
"""

from collections.abc import Mapping, Sequence

from tricircle.model.quarantine import Left, What
from tricircle.model.routing import Kind
from tricircle_neutron import changes

Body = Mapping[str, object]


def by_deletion(port: Body) -> list[Left]:
    """What a port has."""
    return _addresses(port, _fixed_ips(port)) + _mac(port)


def by_change(original: Body, current: Body) -> list[Left]:
    """What a port had and no longer has; nothing for changes of other fields."""
    kept = {ip_address for _, ip_address in _fixed_ips(current)}
    gone = [fixed_ip for fixed_ip in _fixed_ips(original) if fixed_ip[1] not in kept]
    return _addresses(original, gone) + (_mac(original) if mac_of(original) != mac_of(current) else [])


def of_slice(network_id: str, subnet_id: str, ip_address: str) -> Left:
    """An address that one pod may use by itself; it is held as long as the pod has the subnet."""
    return Left(what=What.ADDRESS, scope=network_id, value=ip_address, kind=Kind.SUBNET, central_id=subnet_id)


def of_port(network_id: str, port_id: str, ip_address: str) -> Left:
    """An address of any other port."""
    return Left(what=What.ADDRESS, scope=network_id, value=ip_address, kind=Kind.PORT, central_id=port_id)


def mac_of(port: Body) -> str:
    """The MAC as Neutron writes it; empty when the request leaves the choice to Neutron.

    >>> mac_of({"mac_address": "FA:16:3E:00:00:01"})
    'fa:16:3e:00:00:01'
    """
    value = port.get("mac_address")
    return value.lower().replace("-", ":") if isinstance(value, str) else ""


def _addresses(port: Body, fixed_ips: Sequence[tuple[str, str]]) -> list[Left]:
    network_id, port_id = str(port["network_id"]), str(port["id"])
    if changes.is_slice(port):
        return [of_slice(network_id, subnet_id, ip_address) for subnet_id, ip_address in fixed_ips]
    return [of_port(network_id, port_id, ip_address) for _, ip_address in fixed_ips]


def _mac(port: Body) -> list[Left]:
    if changes.is_slice(port) or not mac_of(port):
        return []
    network_id, port_id = str(port["network_id"]), str(port["id"])
    return [Left(what=What.MAC, scope=network_id, value=mac_of(port), kind=Kind.PORT, central_id=port_id)]


def _fixed_ips(port: Body) -> list[tuple[str, str]]:
    value = port.get("fixed_ips")
    rows = value if isinstance(value, list) else []
    return [(str(row["subnet_id"]), str(row["ip_address"])) for row in rows if row.get("ip_address")]
