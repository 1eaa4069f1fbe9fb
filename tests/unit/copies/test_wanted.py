# SPDX-License-Identifier: Apache-2.0
"""What should a copy look like, and what is to be changed of one? The pure halves of all modules."""

import ipaddress
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tricircle.context import PodId, ProjectId
from tricircle.copies.address_groups import Remote
from tricircle.copies.addresses import Slice, device_id
from tricircle.copies.bodies import changed
from tricircle.copies.networks import difference as network_difference
from tricircle.copies.networks import known_to, wanted_network
from tricircle.copies.port_content import difference, given_once, wanted_port
from tricircle.copies.security_group_rules import remote_groups, rule_key, wanted_rules
from tricircle.copies.subnet_content import addresses_needed, gateway_of, home_of, wanted_subnet
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing


def _routing(number: int, pod_resource_id: str | None = "copy", **details: object) -> Routing:
    return Routing(
        id=number,
        central_id=f"c{number}",
        kind=Kind.SUBNET,
        pod_id=PodId(f"pod{number}"),
        project_id=ProjectId("demo"),
        pod_resource_id=pod_resource_id,
        details=details,
    )


NETWORK = {
    "id": "n1",
    "name": "blue",
    "mtu": 1450,
    "admin_state_up": True,
    "port_security_enabled": True,
    "shared": True,
    "provider:network_type": "vlan",
    "provider:physical_network": "stretch",
    "provider:segmentation_id": 1001,
}


def test_a_vlan_is_the_same_vlan_under_the_pods_name() -> None:
    wanted = wanted_network(NETWORK, {"stretch": "physnet7"})
    assert wanted["provider:physical_network"] == "physnet7"
    assert wanted["provider:segmentation_id"] == 1001
    assert wanted["description"] == "tricircle:n1"
    assert not {"id", "shared"} & set(wanted)
    assert wanted_network(NETWORK, {})["provider:physical_network"] == "stretch"


@pytest.mark.parametrize(("facts", "is_sent"), [
    ({}, True),
    ({"network_extensions": ["router", "dns-integration"]}, True),
    ({"network_extensions": ["router"]}, False),
])  # fmt: skip
def test_a_dns_domain_goes_where_the_pod_knows_such(facts: dict[str, object], *, is_sent: bool) -> None:
    pod = Pod(id=PodId("pod1"), name="Pod1", az_name="az1", facts=facts)
    corp = wanted_network({**NETWORK, "dns_domain": "corp.example."}, {})
    assert (known_to(pod, corp).get("dns_domain") == "corp.example.") is is_sent
    assert "dns_domain" not in known_to(pod, wanted_network({**NETWORK, "dns_domain": ""}, {}))


def test_a_dns_domain_follows_and_goes() -> None:
    pod = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
    named = {**NETWORK, "dns_domain": "corp.example."}
    present = {**wanted_network(named, {}), "dns_domain": "corp.example."}
    assert network_difference(named, pod, present) == {}
    assert network_difference({**named, "dns_domain": ""}, pod, present) == {"dns_domain": ""}
    assert network_difference({**named, "dns_domain": "new.example."}, pod, present) == {"dns_domain": "new.example."}
    del present["dns_domain"]
    assert network_difference(named, pod, present) == {}, "a pod without the extension"


def test_what_is_no_vlan_is_of_the_pods_own_type() -> None:
    local = {**NETWORK, "provider:network_type": "local", "provider:segmentation_id": None}
    assert not [field for field in wanted_network(local, {}) if field.startswith("provider:")]


addresses = st.lists(st.integers(2, 250).map(lambda last: f"10.0.0.{last}"), unique=True, min_size=2, max_size=5).map(
    lambda found: tuple(sorted(found, key=lambda address: int(ipaddress.ip_address(address))))
)


@given(held=addresses, is_home=st.booleans(), has_gateway=st.booleans(), has_dhcp=st.booleans())
def test_a_pod_hands_out_only_its_slice_and_never_its_gateway(
    held: tuple[str, ...], is_home: bool, has_gateway: bool, has_dhcp: bool
) -> None:
    gateway = "10.0.0.1" if has_gateway else None
    subnet = {"id": "s1", "cidr": "10.0.0.0/24", "ip_version": 4, "enable_dhcp": has_dhcp, "gateway_ip": gateway}
    piece = Slice(port_id="p", addresses=held)
    chosen = gateway_of(subnet, piece, is_home=is_home)
    body = wanted_subnet(subnet, piece, chosen)
    pooled = {pool["start"] for pool in body["allocation_pools"]}
    assert pooled <= set(held)
    assert chosen not in pooled
    assert (chosen == gateway) if is_home or not has_gateway else (chosen in held)
    assert len(pooled) >= addresses_needed(subnet, is_home=is_home) - int(chosen in held)


@given(held=addresses)
def test_a_gateway_that_guests_know_stays(held: tuple[str, ...]) -> None:
    subnet = {"gateway_ip": "10.0.0.1", "enable_dhcp": True}
    piece = Slice(port_id="p", addresses=held)
    assert gateway_of(subnet, piece, is_home=False, present={"gateway_ip": held[-1]}) == held[-1]
    # A pod that was home takes one that its DHCP does not have.
    pools = [{"start": held[0], "end": held[0]}]
    present = {"gateway_ip": "10.0.0.1", "allocation_pools": pools}
    assert gateway_of(subnet, piece, is_home=False, present=present) == held[1]


def test_an_automatic_subnet_has_no_slice() -> None:
    subnet = {"id": "s", "ipv6_address_mode": "slaac", "gateway_ip": "fd00::1", "enable_dhcp": True, "ip_version": 6}
    piece = Slice(port_id=None, addresses=())
    assert addresses_needed(subnet, is_home=False) == 0
    assert gateway_of(subnet, piece, is_home=False) == "fd00::1"
    assert "allocation_pools" not in wanted_subnet(subnet, piece, "fd00::1")


def test_the_home_is_the_oldest_claim_else_the_oldest() -> None:
    assert home_of([]) is None
    assert home_of([_routing(1, None, is_home=True), _routing(2)]) == 2
    assert home_of([_routing(3, is_home=True), _routing(2, is_home=True), _routing(1)]) == 2
    assert home_of([_routing(3), _routing(2)]) == 2


def test_a_slice_names_no_pod() -> None:
    assert device_id("Pod1", "s1") == device_id("Pod1", "s1") != device_id("Pod2", "s1")
    assert "Pod1" not in device_id("Pod1", "s1")
    assert len(device_id("p" * 36, "s" * 36)) <= 255


PORT = {
    "id": "p1",
    "name": "web",
    "admin_state_up": True,
    "mac_address": "fa:16:3e:00:00:01",
    "port_security_enabled": True,
    "allowed_address_pairs": [{"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:01"}],
    "fixed_ips": [{"subnet_id": "c1", "ip_address": "10.0.0.5"}, {"subnet_id": "c2", "ip_address": "fd00::5"}],
    "security_groups": ["g1", "g2"],
    "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}],
    "device_id": "server",
    "device_owner": "compute:az1",
    "binding:host_id": "Pod1",
}
SUBNETS = {"c1": _routing(1, "s-copy1"), "c2": _routing(2, "s-copy2", is_automatic=True)}
GROUPS = {"g1": _routing(1, "g-copy1"), "g2": _routing(2, "g-copy2")}


def _copy(**changes: object) -> dict[str, object]:
    body = wanted_port(PORT, SUBNETS, GROUPS)
    shown = [{"subnet_id": "s-copy1", "ip_address": "10.0.0.5"}, {"subnet_id": "s-copy2", "ip_address": "fd00::abcd"}]
    return {**body, "fixed_ips": shown, "device_id": "x", "status": "ACTIVE", **changes}


def test_a_ports_copy_names_what_is_in_the_pod() -> None:
    wanted = wanted_port(PORT, SUBNETS, GROUPS)
    assert wanted["fixed_ips"] == [{"subnet_id": "s-copy1", "ip_address": "10.0.0.5"}, {"subnet_id": "s-copy2"}]
    assert wanted["security_groups"] == ["g-copy1", "g-copy2"]
    assert not {"device_id", "device_owner", "binding:host_id", "id"} & set(wanted)


def test_only_differences_of_a_port_are_written() -> None:
    wanted = wanted_port(PORT, SUBNETS, GROUPS)
    assert difference(wanted, _copy(security_groups=["g-copy2", "g-copy1"])) == {}
    assert difference(wanted, _copy(name="old")) == {"name": "web"}
    moved = _copy(fixed_ips=[{"subnet_id": "s-copy1", "ip_address": "10.0.0.6"}])
    assert set(difference(wanted, moved)) == {"fixed_ips"}


def test_a_numa_policy_follows_where_it_says_something() -> None:
    wanted = wanted_port({**PORT, "numa_affinity_policy": "preferred"}, SUBNETS, GROUPS)
    assert difference(wanted, _copy()) == {"numa_affinity_policy": "preferred"}
    plain = wanted_port(PORT, SUBNETS, GROUPS)
    assert difference(plain, _copy(numa_affinity_policy="preferred")) == {"numa_affinity_policy": None}
    without = {name: value for name, value in _copy().items() if name != "numa_affinity_policy"}
    assert difference(plain, without) == {}


@pytest.mark.parametrize(("field", "value"), [("hints", {"a": {}}), ("trusted", True)])
def test_hints_and_trust_follow_where_the_pod_knows_them(field: str, value: object) -> None:
    wanted = wanted_port({**PORT, field: value}, SUBNETS, GROUPS)
    assert difference(wanted, _copy(**{field: None})) == {field: value}
    assert difference(wanted, _copy(**{field: value})) == {}
    assert difference(wanted, _copy()) == {}, "a pod without the extension"
    assert difference(wanted_port(PORT, SUBNETS, GROUPS), _copy(**{field: value})) == {}, "a centre without it"


def test_hints_that_went_go() -> None:
    """Neutron lets nobody take back that a port is or is not trusted: there is nothing to follow."""
    wanted = wanted_port({**PORT, "hints": None, "trusted": None}, SUBNETS, GROUPS)
    assert difference(wanted, _copy(hints={"a": {}}, trusted=True)) == {"hints": None}


@pytest.mark.parametrize(
    ("port", "knows_trusted", "made_with"),
    [
        ({}, False, {}),
        ({"binding:vnic_type": "normal", "device_profile": None, "binding:profile": {}}, True, {}),
        ({"binding:vnic_type": "direct"}, False, {"binding:vnic_type": "direct"}),
        ({"device_profile": "gpu"}, False, {"device_profile": "gpu"}),
        ({"binding:profile": {"trusted": "true"}}, True, {"binding:profile": {"trusted": "true"}}),
        ({"trusted": True, "binding:profile": {"trusted": True}}, True, {}),
        ({"trusted": True, "binding:profile": {"trusted": True}}, False, {"binding:profile": {"trusted": True}}),
        ({"binding:profile": {"tricircle": {"origin": "gateway"}}}, False, {}),
    ],
)
def test_what_a_copy_is_made_with_beside(port: Mapping[str, object], knows_trusted: bool, made_with: object) -> None:
    """An operator's profile, of which nothing is ours; trust as a field where there is one."""
    assert given_once(port, knows_trusted=knows_trusted) == made_with


def test_a_dns_name_follows_where_the_pod_knows_such_names() -> None:
    wanted = wanted_port({**PORT, "dns_name": "web"}, SUBNETS, GROUPS)
    assert difference(wanted, _copy(dns_name="old")) == {"dns_name": "web"}
    assert difference(wanted, _copy(dns_name="web")) == {}
    assert difference(wanted, _copy()) == {}, "a pod without the extension"
    plain = wanted_port({**PORT, "dns_name": ""}, SUBNETS, GROUPS)
    assert difference(plain, _copy(dns_name="a-server")) == {}, "what the pod's Nova wrote stays"


def test_dhcp_options_that_went_are_named_with_no_value() -> None:
    old = [
        {"opt_name": "mtu", "opt_value": "1", "ip_version": 4},
        {"opt_name": "ntp", "opt_value": "a", "ip_version": 4},
    ]
    found = difference(wanted_port(PORT, SUBNETS, GROUPS), _copy(extra_dhcp_opts=old))
    assert found["extra_dhcp_opts"] == [
        {"opt_name": "mtu", "opt_value": "1400", "ip_version": 4},
        {"opt_name": "ntp", "opt_value": None, "ip_version": 4},
    ]


def _rule(**values: object) -> dict[str, object]:
    return {"id": "r", "direction": "ingress", "ethertype": "IPv4", "protocol": None, "remote_group_id": None, **values}


def test_rules_name_what_the_pod_has_for_their_groups() -> None:
    rules = [_rule(remote_group_id="g1"), _rule(remote_group_id="gone"), _rule(remote_address_group_id="ag")]
    group = {"id": "g1", "security_group_rules": rules}
    wanted = wanted_rules(group, {"g1": Remote(address_group_id="members"), "ag": Remote(address_group_id="tenants")})
    assert [body["remote_address_group_id"] for body in wanted.values()] == ["members", "tenants"]
    assert not any("remote_group_id" in body for body in wanted.values())
    assert remote_groups(group) == {"g1", "gone", "ag"}


def test_without_address_groups_there_is_a_rule_for_each_address_of_the_ethertype() -> None:
    group = {"id": "g1", "security_group_rules": [_rule(remote_group_id="g1", protocol="tcp")]}
    addresses = ("10.0.0.5/32", "10.0.0.6/32", "fd00::5/128")
    wanted = wanted_rules(group, {"g1": Remote(addresses=addresses)})
    assert [body["remote_ip_prefix"] for body in wanted.values()] == ["10.0.0.5/32", "10.0.0.6/32"]
    assert {body["protocol"] for body in wanted.values()} == {"tcp"}
    assert not wanted_rules(group, {"g1": Remote(addresses=())}), "a group without members opens nothing"


def test_of_too_many_addresses_a_rule_knows_those_in_its_pod() -> None:
    group = {"id": "g1", "security_group_rules": [_rule(remote_group_id="g1")]}
    (body,) = wanted_rules(group, {"g1": "copy1"}).values()
    assert body["remote_group_id"] == "copy1"
    assert not wanted_rules(group, {"g1": Remote(addresses=None)}), "a tenant's address group has no copy to name"


def test_everywhere_is_no_prefix() -> None:
    assert rule_key(_rule(remote_ip_prefix="0.0.0.0/0"), "") == rule_key(_rule(), "")
    assert rule_key(_rule(remote_ip_prefix="10.0.0.0/8"), "") != rule_key(_rule(), "")
    assert rule_key(_rule(port_range_min=22), "") == rule_key(_rule(port_range_min="22"), "")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from("abcd"), values)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # machines are busy
@given(wanted=bodies, present=bodies)
def test_what_changed_is_all_that_has_to_be_written(wanted: Mapping[str, object], present: dict[str, object]) -> None:
    put = changed(wanted, present, "abcd")
    assert changed(wanted, {**present, **put}, "abcd") == {}
    assert all(put[field] == wanted[field] for field in put)
    assert changed(wanted, dict(wanted), "abcd") == {}
