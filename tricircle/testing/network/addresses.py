# SPDX-License-Identifier: Apache-2.0
"""Which addresses does the fake Neutron give a port?"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from tricircle.testing.exchange import Json, Refusal
from tricircle.testing.network.sharing import Resources


def fixed_ips(resources: Resources, network_id: str, wanted: Any, owner: str) -> list[Json]:
    """Addresses for a port, as it wants them. :raises Refusal: they cannot be had"""
    there = [one for one in resources["subnets"].values() if one["network_id"] == network_id]
    subnets = [one for one in there if _serves(one, owner)]
    if there and not subnets:
        text = "No valid service subnet for the given device owner, network {}, service type {}."
        raise Refusal(409, text.format(network_id, owner), "IpAddressGenerationFailureNoMatchingSubnet")
    if wanted is None:
        wanted = [{"subnet_id": subnet["id"]} for subnet in subnets[:1]]
    taken = {(ip["subnet_id"], ip["ip_address"]) for port in resources["ports"].values() for ip in port["fixed_ips"]}
    made = []
    for one in wanted:
        address = one.get("ip_address")
        if one.get("subnet_id") in {other["id"] for other in there if not _serves(other, owner)}:
            text = f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet"
            raise Refusal(400, f"Invalid input for operation: {text} {one['subnet_id']}.", "InvalidInput")
        subnet = _subnet_for(subnets, one.get("subnet_id"), address)
        if address is None:
            address = next((ip for ip in _pool(subnet) if (subnet["id"], ip) not in taken), None)
            if address is None:
                text = f"No more IP addresses available on network {network_id}."
                raise Refusal(409, text, "IpAddressGenerationFailure")
            taken.add((subnet["id"], address))
        elif (subnet["id"], address) in taken:
            text = f"IP address {address} already allocated in subnet {subnet['id']}"
            raise Refusal(409, text, "IpAddressAlreadyAllocated")
        made.append({"subnet_id": subnet["id"], "ip_address": address})
    return made


def _serves(subnet: Json, owner: str) -> bool:
    """Whether ports of this owner get addresses of it: DHCP's do where it has DHCP."""
    services = subnet.get("service_types")
    return not services or owner in services or (owner == "network:dhcp" and bool(subnet.get("enable_dhcp")))


def _subnet_for(subnets: Sequence[Json], subnet_id: str | None, address: str | None) -> Json:
    for subnet in subnets:
        if subnet_id == subnet["id"]:
            return subnet
        if subnet_id is None and address and ipaddress.ip_address(address) in ipaddress.ip_network(subnet["cidr"]):
            return subnet
    raise Refusal(400, "IP address is not a valid IP for the specified subnet.", "InvalidIpForNetwork")


def _pool(subnet: Json) -> Iterable[str]:
    for pool in subnet["allocation_pools"]:
        first, last = (int(ipaddress.ip_address(pool[end])) for end in ("start", "end"))
        yield from (str(ipaddress.ip_address(number)) for number in range(first, last + 1))
