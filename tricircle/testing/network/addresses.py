# SPDX-License-Identifier: Apache-2.0
"""Which addresses does the fake Neutron give a port?"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from tricircle.testing.exchange import Json, Refusal
from tricircle.testing.network.sharing import Resources


def fixed_ips(resources: Resources, network_id: str, wanted: Any) -> list[Json]:
    """Addresses for a port, as it wants them. :raises Refusal: they cannot be had"""
    subnets = [one for one in resources["subnets"].values() if one["network_id"] == network_id]
    if wanted is None:
        wanted = [{"subnet_id": subnet["id"]} for subnet in subnets[:1]]
    taken = {(ip["subnet_id"], ip["ip_address"]) for port in resources["ports"].values() for ip in port["fixed_ips"]}
    made = []
    for one in wanted:
        address = one.get("ip_address")
        subnet = _subnet_for(subnets, one.get("subnet_id"), address)
        if address is None:
            address = next(ip for ip in _pool(subnet) if (subnet["id"], ip) not in taken)
        elif (subnet["id"], address) in taken:
            text = f"IP address {address} already allocated in subnet {subnet['id']}"
            raise Refusal(409, text, "IpAddressAlreadyAllocated")
        made.append({"subnet_id": subnet["id"], "ip_address": address})
    return made


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
