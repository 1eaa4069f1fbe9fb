# SPDX-License-Identifier: Apache-2.0
"""Which addresses are those of a group's members, and when does a pod's address group hold others?"""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from tricircle.copies.address_groups import in_order, members, of_ethertype, shape_difference
from tricircle_neutron import members_of

hosts = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
pairs = st.one_of(hosts, st.sampled_from(["0.0.0.0/0", "10.0.0.0/24", "fd00::/64", "10.1.2.3/32"]))
ports = st.builds(
    lambda group_ids, fixed, allowed: {
        "security_groups": group_ids,
        "fixed_ips": [{"subnet_id": "s", "ip_address": address} for address in fixed],
        "allowed_address_pairs": [{"ip_address": address, "mac_address": "m"} for address in allowed],
    },
    st.lists(st.sampled_from(["g1", "g2"]), unique=True),
    st.lists(hosts, max_size=3),
    st.lists(pairs, max_size=3),
)


@given(st.lists(ports, max_size=4))
def test_driver_and_worker_agree_on_members(found: list[dict[str, object]]) -> None:
    for group_id in ("g1", "g2"):
        by_driver = {address for port in found for group, address in members_of.port(port) if group == group_id}
        by_worker = members(port for port in found if group_id in port["security_groups"])
        assert in_order(by_driver) == by_worker


@given(st.lists(ports, max_size=4))
def test_a_group_holds_single_addresses_only_each_once(found: list[dict[str, object]]) -> None:
    addresses = members(found)
    assert all(ipaddress.ip_network(one).num_addresses == 1 for one in addresses)
    assert len(set(addresses)) == len(addresses)
    assert sorted(of_ethertype(addresses, "IPv4") + of_ethertype(addresses, "IPv6")) == sorted(addresses)


def test_order_and_form_of_addresses_make_no_difference() -> None:
    present = {"name": "tricircle-g", "description": "tricircle:g", "addresses": ["fd00::1/128", "10.0.0.2/32"]}
    assert not shape_difference("g", ["10.0.0.2", "fd00:0::1/128"], present)
    assert shape_difference("g", ["10.0.0.2"], present) == ["addresses"]
    assert shape_difference("g", present["addresses"], {**present, "name": "mine", "description": ""}) == [
        "name",
        "description",
    ]
