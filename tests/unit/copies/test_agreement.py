# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of using a pod's own network, and what does not?"""

import pytest

from tricircle.context import PodId
from tricircle.copies.agreement import (
    Holder,
    conflicts,
    in_use,
    of_network,
    of_subnet,
    overlap_of_pools,
    own_gateway,
    pairs,
)
from tricircle.model.pod import Pod

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1", facts={"physical_networks": {"wan": "physnet7"}})
NETWORK = {
    "id": "net",
    "mtu": 1500,
    "provider:network_type": "vlan",
    "provider:physical_network": "wan",
    "provider:segmentation_id": 101,
}
PRESENT = {**NETWORK, "id": "theirs", "provider:physical_network": "physnet7", "description": "", "name": "old"}
SUBNET = {
    "id": "sub",
    "cidr": "10.0.0.0/24",
    "gateway_ip": "10.0.0.1",
    "enable_dhcp": True,
    "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
}
THEIRS = {**SUBNET, "id": "there", "gateway_ip": "10.0.0.254", "allocation_pools": []}


def test_a_network_with_the_same_wire_agrees_whatever_it_is_called() -> None:
    assert of_network(NETWORK, POD, PRESENT) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"provider:segmentation_id": 102}, "network: provider:segmentation_id"),
        ({"provider:physical_network": "wan"}, "network: provider:physical_network"),
        ({"mtu": 1400}, "network: mtu"),
        ({"mtu": 9000}, "network: mtu"),
        ({"admin_state_up": False}, "network: admin_state_up"),
        ({"description": "tricircle:another"}, "network: description"),
    ],
)
def test_obstacles_of_a_network(change: dict[str, object], what: str) -> None:
    (found,) = of_network(NETWORK, POD, {**PRESENT, **change})
    assert (found.what, found.is_obstacle) == (what, True)


def test_subnets_are_paired_by_their_cidr() -> None:
    more = {**SUBNET, "id": "v6", "cidr": "fd00::/64"}
    same = {**THEIRS, "id": "there6", "cidr": "FD00:0::/64"}
    found, alone = pairs([SUBNET, more], [same, THEIRS])
    assert [(one["id"], other["id"]) for one, other in found] == [("sub", "there"), ("v6", "there6")]
    assert alone == []


def test_subnets_without_a_partner() -> None:
    narrow, other = {**THEIRS, "cidr": "10.0.0.0/25"}, {**THEIRS, "cidr": "192.168.0.0/24"}
    _, alone = pairs([SUBNET, {**SUBNET, "cidr": "10.9.0.0/24"}], [THEIRS, narrow, other])
    assert {(one.what, one.is_obstacle) for one in alone} == {
        ("subnet 10.9.0.0/24: cidr", True),
        ("subnet 10.0.0.0/25: cidr", True),
        ("subnet 192.168.0.0/24: cidr", False),
    }


def test_the_pods_own_ways_are_no_obstacles() -> None:
    found = of_subnet(SUBNET, {**THEIRS, "enable_dhcp": False}, has_home=True)
    assert {(one.what.split(": ")[1], one.is_obstacle) for one in found} == {
        ("gateway_ip", False),
        ("enable_dhcp", False),
        ("allocation_pools", False),
    }


def test_one_gateway_address_is_in_one_pod() -> None:
    same = {**SUBNET, "id": "there"}
    assert of_subnet(SUBNET, same, has_home=False) == []
    (found,) = of_subnet(SUBNET, same, has_home=True)
    assert found.is_obstacle
    (found,) = of_subnet({**SUBNET, "ipv6_ra_mode": "slaac"}, same, has_home=False)
    assert found.is_obstacle


def test_pools_of_both_are_told() -> None:
    assert (
        overlap_of_pools(SUBNET, {**THEIRS, "allocation_pools": [{"start": "10.0.0.255", "end": "10.0.0.255"}]}) == []
    )
    (found,) = overlap_of_pools(SUBNET, {**THEIRS, "allocation_pools": [{"start": "10.0.0.200", "end": "10.0.0.255"}]})
    assert (found.pod, found.is_obstacle) == ("10.0.0.200-10.0.0.255", False)


def _port(port_id: str, address: str, subnet_id: str = "there", **more: object) -> dict[str, object]:
    return {"id": port_id, "fixed_ips": [{"subnet_id": subnet_id, "ip_address": address}], **more}


def test_who_has_the_addresses_that_the_pod_uses() -> None:
    theirs = [
        _port("a", "10.0.0.10"),
        _port("b", "10.0.0.9", device_owner="network:dhcp"),
        _port("c", "10.0.0.11"),
        _port("copy", "10.0.0.12", description="tricircle:x"),
        _port("router", "10.0.0.1", device_owner="network:router_interface"),
        _port("elsewhere", "192.168.0.1", subnet_id="unknown"),
    ]
    ours = [
        _port("slice", "10.0.0.9", subnet_id="sub"),
        _port("x", "10.0.0.11", subnet_id="sub"),
        _port("gateway", "10.0.0.1", subnet_id="sub", device_owner="network:router_interface"),
    ]
    used = in_use(theirs, [(SUBNET, THEIRS)], ours, {"slice"})
    assert [(one.ip_address, one.holder) for one in used] == [
        ("10.0.0.1", Holder.POD),
        ("10.0.0.9", Holder.POD),
        ("10.0.0.10", Holder.NOBODY),
        ("10.0.0.11", Holder.ANOTHER),
        ("10.0.0.254", Holder.NOBODY),
    ]
    (conflict,) = conflicts(used)
    assert (conflict.what, conflict.centre, conflict.pod) == ("address 10.0.0.11: port", "x", "c")


@pytest.mark.parametrize(
    ("theirs", "gateway_ip"),
    [
        ({}, "10.0.0.254"),
        ({"gateway_ip": "10.0.0.1"}, ""),
        ({"gateway_ip": None}, ""),
        ({"gateway_ip": "192.0.2.1"}, ""),
    ],
)
def test_the_pods_own_gateway_is_an_address_that_it_uses(theirs: dict[str, object], gateway_ip: str) -> None:
    assert own_gateway(SUBNET, {**THEIRS, **theirs}) == gateway_ip
    used = in_use([], [(SUBNET, {**THEIRS, **theirs})], [], set())
    assert [(one.ip_address, one.holder) for one in used] == ([(gateway_ip, Holder.NOBODY)] if gateway_ip else [])


def test_a_gateway_of_the_centre_that_has_none_is_the_pods_own() -> None:
    v6 = {"id": "v6", "cidr": "fd00::/64", "gateway_ip": None}
    assert own_gateway(v6, {**v6, "gateway_ip": "fd00:0::1"}) == "fd00::1"
    assert own_gateway(v6, {**v6, "gateway_ip": "fe80::1"}) == ""
    assert own_gateway({**v6, "gateway_ip": "fd00::1"}, {**v6, "gateway_ip": "fd00:0::1"}) == ""


def test_who_has_the_pods_own_gateway() -> None:
    ours = [_port("x", "10.0.0.254", subnet_id="sub")]
    (used,) = in_use([], [(SUBNET, THEIRS)], ours, {"x"})
    assert (used.holder, conflicts([used])) == (Holder.POD, [])
    (used,) = in_use([], [(SUBNET, THEIRS)], ours, set())
    (conflict,) = conflicts([used])
    assert (conflict.what, conflict.centre, conflict.pod) == ("address 10.0.0.254: port", "x", "gateway")
    assert "another gateway" in conflict.advice
    # A router's port there is told as itself, once.
    (used,) = in_use([_port("router", "10.0.0.254")], [(SUBNET, THEIRS)], [], set())
    assert used.pod_port_id == "router"
