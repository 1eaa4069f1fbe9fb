# SPDX-License-Identifier: Apache-2.0
"""Of what does the copy of a subnet consist, with which gateway and pools? Pure."""

from collections.abc import Iterable

from tricircle.copies.addresses import Slice
from tricircle.copies.bodies import Body, changed, mark, rows, text
from tricircle.model.routing import NETWORK_ID, Routing

_COPIED = ("name", "enable_dhcp", "dns_nameservers", "host_routes")
_FIXED = ("cidr", "ip_version", "ipv6_ra_mode", "ipv6_address_mode")
_FOLLOWED = (*_COPIED, "gateway_ip", "allocation_pools", "description")
_AUTOMATIC = ("slaac", "dhcpv6-stateless")


def is_automatic(subnet: Body) -> bool:
    """Whether addresses follow from the MAC; then they are not passed explicitly."""
    return subnet.get("ipv6_address_mode") in _AUTOMATIC


def addresses_needed(subnet: Body, *, is_home: bool, agents: int = 1) -> int:
    """How many addresses the pod needs for itself: one for each DHCP agent, one for its gateway unless it has the
    tenant's.

    :param agents: how many serve the network; there is one at least, or the like of one

    >>> addresses_needed({"enable_dhcp": True, "gateway_ip": "10.0.0.1"}, is_home=False)
    2
    """
    if is_automatic(subnet):
        return 0
    needs_gateway = bool(subnet.get("gateway_ip")) and not is_home
    return (max(agents, 1) if subnet.get("enable_dhcp") else 0) + int(needs_gateway)


def lacks_addresses(subnet: Body, piece: Slice, gateway_ip: str | None, agents: int) -> bool:
    """Whether a pod's slice has fewer addresses than the DHCP agents that serve the network."""
    free = len([address for address in piece.addresses if address != gateway_ip])
    return bool(subnet.get("enable_dhcp")) and not is_automatic(subnet) and free < agents


def gateway_of(subnet: Body, piece: Slice, *, is_home: bool, present: Body | None = None) -> str | None:
    """The gateway in this pod; None when the tenant wants none.

    :param present: the copy as it is. Its gateway is kept while it is in the slice, since guests learnt it; an address
        in its pools may be in use already and is taken last.
    """
    wanted = text(subnet, "gateway_ip")
    if not wanted:
        return None
    if is_home or is_automatic(subnet):
        return wanted
    before = present or {}
    if before.get("gateway_ip") in piece.addresses:
        return text(before, "gateway_ip")
    pooled = {text(pool, "start") for pool in rows(before, "allocation_pools")}
    return min(piece.addresses, key=lambda address: (address in pooled, piece.addresses.index(address)))


def wanted_subnet(subnet: Body, piece: Slice, gateway_ip: str | None) -> dict[str, object]:
    """The copy's body, without its network."""
    wanted = {field: subnet[field] for field in (*_COPIED, *_FIXED) if subnet.get(field) is not None}
    wanted["description"] = mark(text(subnet, "id"))
    wanted["gateway_ip"] = gateway_ip
    if not is_automatic(subnet):
        free = [address for address in piece.addresses if address != gateway_ip]
        wanted["allocation_pools"] = [{"start": address, "end": address} for address in free]
    return wanted


def difference(subnet: Body, piece: Slice, gateway_ip: str | None, present: Body) -> dict[str, object]:
    """What to PUT so that the copy ``present`` agrees with the central subnet; empty when it does."""
    return changed(wanted_subnet(subnet, piece, gateway_ip), present, _FOLLOWED)


def home_of(copies: Iterable[Routing]) -> int | None:
    """The routing whose pod has the tenant's gateway: the oldest that claims it, else the oldest.

    Two pods that realise a subnet in the same instant may both claim it; whoever looks last sees both and files a job.
    """
    bound = [copy for copy in copies if copy.is_bound]
    claiming = [copy.id for copy in bound if copy.details.get("is_home")]
    return min(claiming or [copy.id for copy in bound], default=None)


def details_of(subnet: Body, piece: Slice, gateway_ip: str | None, *, is_home: bool) -> dict[str, object]:
    """What the copy's routing says of it."""
    return {
        "gateway_ip": gateway_ip,
        "slice_port_id": piece.port_id,
        "is_home": is_home,
        "is_automatic": is_automatic(subnet),
        NETWORK_ID: text(subnet, "network_id"),
    }
