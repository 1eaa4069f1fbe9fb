# SPDX-License-Identifier: Apache-2.0
"""Are routings written again from what pods and centre say, and only for what is ours?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tricircle.audit.findings import Holding, Part
from tricircle.context import PodId, ProjectId
from tricircle.copies.addresses import device_id
from tricircle.copies.bodies import mark
from tricircle.copies.origins import GATEWAY, SLICE_OWNER, UNBOUND, profile_of
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.recovery.contents import Contents
from tricircle.recovery.declared import Declared, of_ports
from tricircle.recovery.facts import Fact, Sorted, Why, merged
from tricircle.recovery.holds import holds, leftovers
from tricircle.recovery.missing import Names, missing, network_body, own_addresses, port_body, subnet_body
from tricircle.recovery.recoverable import (
    Copies,
    address_groups,
    groups,
    homes,
    lost_claims,
    lost_ends,
    networks,
    ports,
    subnets,
)

OWNER, TENANT = ProjectId("service"), ProjectId("tenant")
POD = Pod(id=PodId("p1"), name="Pod1", az_name="az1", facts={"physical_networks": {"stretch": "datacentre"}})
OTHER = Pod(id=PodId("p2"), name="Pod2", az_name="az2")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

NETWORK = {
    "id": "N", "project_id": TENANT, "name": "front", "admin_state_up": True, "mtu": 1450, "revision_number": 7,
    "provider:network_type": "vlan", "provider:physical_network": "stretch", "provider:segmentation_id": 101,
}  # fmt: skip
SUBNET = {
    "id": "S", "network_id": "N", "project_id": TENANT, "name": "s", "cidr": "10.0.0.0/24", "ip_version": 4,
    "gateway_ip": "10.0.0.1", "enable_dhcp": True, "dns_nameservers": [], "host_routes": [], "revision_number": 3,
}  # fmt: skip
GROUP = {
    "id": "G", "project_id": TENANT, "name": "default", "stateful": True, "revision_number": 4,
    "security_group_rules": [{"id": "r", "direction": "egress", "ethertype": "IPv4", "remote_group_id": "G"}],
}  # fmt: skip
PORT = {
    "id": "P", "project_id": TENANT, "network_id": "N", "name": "", "admin_state_up": True, "mac_address": "fa:1",
    "fixed_ips": [{"subnet_id": "S", "ip_address": "10.0.0.9"}], "security_groups": ["G"], "extra_dhcp_opts": [],
    "allowed_address_pairs": [], "port_security_enabled": True, "device_id": "server", "revision_number": 9,
    "device_owner": "compute:az1", "binding:host_id": "Pod1", "binding:profile": profile_of(GATEWAY, "az1"),
}  # fmt: skip
SLICE = {
    "id": "slice", "device_owner": SLICE_OWNER, "device_id": device_id("p1", "S"), "binding:host_id": "Pod1",
    "fixed_ips": [{"subnet_id": "S", "ip_address": "10.0.0.2"}],
}  # fmt: skip


def held(
    kind: Kind | Part, pod_id: str, central_id: str | None, project: ProjectId, *, age: int = 0, **body: object
) -> Holding:
    """An object in a pod."""
    description = "" if central_id is None else mark(central_id)
    return Holding(
        kind=kind,
        pod_resource_id=pod_id,
        central_id=central_id,
        project_id=project,
        created_at=BEGAN - timedelta(days=age),
        body={"id": pod_id, "description": description, "project_id": project, **body},
    )


def declared(**changes: object) -> Declared:
    others, slices, addresses = of_ports({"P": PORT, "slice": SLICE})
    whole = Declared(
        owner_id=OWNER,
        networks={"N": NETWORK},
        subnets={"S": SUBNET},
        groups={"G": GROUP},
        ports=others,
        slices=slices,
        addresses=addresses,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_an_address_that_follows_from_the_mac_makes_no_slice() -> None:
    """Neutron gives one to every port of the network. The port is the slice of another subnet, and goes with that."""
    slaac = {**SUBNET, "id": "S6", "cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac"}
    both = [*SLICE["fixed_ips"], {"subnet_id": "S6", "ip_address": "fd00::1"}]  # type: ignore[misc]
    _, slices, _ = of_ports({"slice": {**SLICE, "fixed_ips": both}})
    known = declared(subnets={"S": SUBNET, "S6": slaac}, slices=slices)
    assert known.slice_of(POD, "S6") is None
    assert (known.slice_of(POD, "S") or {})["id"] == "slice"


def network(pod_id: str = "n1", **body: object) -> Holding:
    shown = {**NETWORK, "provider:physical_network": "datacentre", **body}
    return held(Kind.NETWORK, pod_id, "N", OWNER, **{k: v for k, v in shown.items() if k not in ("id", "project_id")})


def subnet(pod_id: str = "s1", *, age: int = 0, **body: object) -> Holding:
    pools = [{"start": "10.0.0.2", "end": "10.0.0.2"}]
    shown = {**SUBNET, "network_id": "n1", "allocation_pools": pools, **body}
    rest = {key: value for key, value in shown.items() if key not in ("id", "project_id")}
    return held(Kind.SUBNET, pod_id, "S", OWNER, age=age, **rest)


def group(pod_id: str = "g1", *, age: int = 0) -> Holding:
    rules = [{"id": "x", "direction": "egress", "ethertype": "IPv4", "remote_address_group_id": "a1"}]
    return held(
        Kind.SECURITY_GROUP, pod_id, "G", TENANT, age=age, name="tricircle-G", stateful=True, security_group_rules=rules
    )


def members(pod_id: str = "a1", **body: object) -> Holding:
    shown = {"name": "tricircle-G", "addresses": ["10.0.0.9/32"], **body}
    return held(Kind.ADDRESS_GROUP, pod_id, "G", OWNER, **shown)


def port(pod_id: str = "p1", central_id: str = "P", **body: object) -> Holding:
    shown = {
        **PORT, "network_id": "n1", "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.9"}],
        "security_groups": ["g1"], **body,
    }  # fmt: skip
    rest = {key: value for key, value in shown.items() if key not in ("id", "project_id")}
    return held(Kind.PORT, pod_id, central_id, TENANT, **rest)


def copies(known: Declared) -> Copies:
    nets = networks(POD, [network()], {}, known)
    home = {"S": POD.id}
    return Copies(
        nets,
        subnets(POD, [subnet()], nets, known, home),
        groups(POD, [group()], known, address_groups(POD, [members()], known)),
    )


def only(found: Sorted) -> Fact:
    assert found.strangers == []
    (fact,) = found.facts.values()
    return fact


def why(found: Sorted) -> Why:
    assert found.facts == {}
    (stranger,) = found.strangers
    return stranger.why


def test_a_network_is_ours_by_mark_owner_and_vlan() -> None:
    fact = only(networks(POD, [network()], {"n1": frozenset({"b", "a"})}, declared()))
    assert (fact.routing.pod_resource_id, fact.routing.project_id, fact.routing.revision) == ("n1", TENANT, "7")
    assert fact.routing.details == {"projects": ["a", "b"]}
    assert fact.job is None
    changed = only(networks(POD, [network(name="old")], {}, declared()))
    assert (changed.routing.revision, changed.job) == (None, JobType.NETWORK)
    assert why(networks(POD, [network(**{"provider:segmentation_id": 102})], {}, declared())) is Why.OTHER
    assert why(networks(POD, [replace(network(), project_id=TENANT)], {}, declared())) is Why.OTHER
    assert why(networks(POD, [network()], {}, declared(networks={}))) is Why.UNKNOWN


def test_of_several_with_one_mark_the_oldest_counts() -> None:
    remotes = address_groups(POD, [members()], declared())
    found = groups(POD, [group("young"), group("old", age=3)], declared(), remotes)
    assert found.facts["G"].routing.pod_resource_id == "old"
    assert [stranger.why for stranger in found.strangers] == [Why.SECOND]


def test_members_of_a_group_are_known_by_the_addresses_of_all_ports() -> None:
    fact = only(address_groups(POD, [members()], declared()))
    assert (fact.routing.pod_resource_id, fact.routing.project_id, fact.routing.revision) == ("a1", "", "1")
    assert fact.job is None
    other = only(address_groups(POD, [members(addresses=[])], declared()))
    assert (other.routing.revision, other.job) == (None, JobType.ADDRESS_GROUP)
    assert why(address_groups(POD, [replace(members(), project_id=TENANT)], declared())) is Why.OTHER
    own = {"G": {"id": "G", "project_id": TENANT, "addresses": ["10.0.0.9"]}}
    assert only(address_groups(POD, [members()], declared(groups={}, address_groups=own))).job is None
    assert why(address_groups(POD, [members()], declared(groups={}))) is Why.UNKNOWN


def test_one_malformed_object_does_not_end_a_recovery() -> None:
    known = declared(groups={"G": GROUP, "H": {**GROUP, "id": "H"}})
    other = held(Kind.ADDRESS_GROUP, "h1", "H", OWNER, name="tricircle-H", addresses=[])
    found = address_groups(POD, [members(addresses=["nonsense"]), other], known)
    assert list(found.facts) == ["H"]
    assert [(one.holding.pod_resource_id, one.why) for one in found.strangers] == [("a1", Why.UNREADABLE)]


def test_a_group_is_whole_when_its_rules_name_the_members() -> None:
    whole = only(groups(POD, [group()], declared(), address_groups(POD, [members()], declared())))
    assert whole.job is None
    lost = only(groups(POD, [group()], declared(), Sorted()))
    assert (lost.routing.revision, lost.job) == (None, JobType.SECURITY_GROUP)


def test_a_subnet_has_gateway_slice_and_home() -> None:
    fact = copies(declared()).subnets.facts["S"]
    assert fact.routing.details == {
        "gateway_ip": "10.0.0.1", "slice_port_id": "slice", "is_home": True, "is_automatic": False,
        "network_id": "N",
    }  # fmt: skip
    assert (fact.routing.revision, fact.job) == ("3", None)


def test_a_subnet_whose_slice_is_too_small_is_compared() -> None:
    nets = networks(POD, [network()], {}, declared())
    fact = only(subnets(POD, [subnet(gateway_ip="10.0.0.3")], nets, declared(), {}))
    assert (fact.routing.details["is_home"], fact.routing.revision, fact.job) == (False, None, JobType.SUBNET)


def test_home_is_where_the_tenants_gateway_is_or_the_oldest_copy() -> None:
    other = subnet("s2", age=5, gateway_ip="10.0.0.3")
    assert homes([(POD, [subnet()]), (OTHER, [other])], declared()) == {"S": POD.id}
    none = declared(subnets={"S": {**SUBNET, "gateway_ip": None}})
    mine, older = subnet(gateway_ip=None), subnet("s2", age=5, gateway_ip=None)
    assert homes([(POD, [mine]), (OTHER, [older])], none) == {"S": OTHER.id}


def test_a_port_has_its_server_and_who_made_it() -> None:
    known = declared()
    fact = only(ports(POD, [port()], copies(known), known))
    assert fact.routing.details == {"server_id": "server", "origin": "gateway", "network_id": "N"}
    assert (fact.routing.revision, fact.job) == ("9", None)
    plain = declared(ports={"P": {**PORT, "binding:profile": {}}})
    fact = only(ports(POD, [port(device_id="")], copies(plain), plain))
    assert fact.routing.details == {"server_id": "server", "network_id": "N"}
    assert fact.defaults == {"origin": "user", "status": "DOWN"}
    assert why(ports(POD, [port(mac_address="fa:2")], copies(known), known)) is Why.OTHER


def test_a_port_that_got_another_address_meanwhile_is_still_its_servers() -> None:
    known = declared()
    elsewhere = [{"subnet_id": "s1", "ip_address": "10.0.0.77"}]
    fact = only(ports(POD, [port(fixed_ips=elsewhere)], copies(known), known))
    assert (fact.routing.revision, fact.job) == (None, JobType.PORT)
    assert why(ports(POD, [port(fixed_ips=elsewhere, device_id="another")], copies(known), known)) is Why.OTHER


def test_ends_of_servers_that_nobody_noticed() -> None:
    known = declared()
    there = ports(POD, [port()], copies(known), known)
    assert lost_ends(POD, frozenset({"server"}), there, known) == {}
    assert lost_ends(POD, frozenset(), there, known) == {"server": TENANT}
    moved = ports(POD, [port(device_id="another")], copies(known), known)
    assert lost_ends(POD, frozenset({"server", "another"}), moved, known) == {"server": TENANT}
    assert lost_ends(OTHER, frozenset(), there, known) == {}


def test_boots_that_died_before_they_bound_their_port() -> None:
    """Of theirs only: users and other services make ports with a device, without a host or an owner, as well."""
    claim = {**PORT, "device_id": "claim", "device_owner": "", "binding:host_id": "", "description": UNBOUND}
    claim["updated_at"] = "2026-01-01T00:00:00Z"
    others = [{"description": ""}, {"device_id": ""}, {"device_owner": "Octavia"}, {"binding:host_id": "Pod1"}]
    known = declared(ports={"C": claim, **{f"P{n}": {**claim, **other} for n, other in enumerate(others)}})
    assert lost_claims(known, BEGAN + timedelta(seconds=1)) == {"claim": TENANT}
    assert lost_claims(known, BEGAN - timedelta(seconds=1)) == {}, "its boot may be under way"


def test_what_a_row_knows_already_stays_where_the_pod_does_not_say_otherwise() -> None:
    known = declared(ports={"P": {**PORT, "binding:profile": {}}})
    fact = only(ports(POD, [port()], copies(known), known))
    fresh = merged(None, fact)
    assert fresh is not None
    assert fresh.details == {"origin": "user", "server_id": "server", "status": "DOWN", "network_id": "N"}
    former = replace(fresh, id=4, details={"origin": "gateway", "server_id": "gone", "status": "ACTIVE"})
    known_better = {"origin": "gateway", "server_id": "server", "status": "ACTIVE", "network_id": "N"}
    assert merged(former, fact).details == known_better  # type: ignore[union-attr]
    assert merged(replace(former, details=known_better), fact) is None
    unbound = Routing(id=5, central_id="P", kind=Kind.PORT, pod_id=POD.id, project_id=TENANT)
    assert merged(unbound, fact).pod_resource_id == "p1"  # type: ignore[union-attr]


def contents(**lists: list[Holding]) -> Contents:
    kinds = {
        "policies": Kind.QOS_POLICY,
        "networks": Kind.NETWORK,
        "subnets": Kind.SUBNET,
        "groups": Kind.SECURITY_GROUP,
        "ports": Kind.PORT,
    }
    found = Contents(POD, servers=frozenset({"server"}))
    found.lists = {kind: lists.get(name, []) for name, kind in kinds.items()}
    found.lists[Part.RBAC_POLICY] = []
    return found


def test_what_a_server_uses_and_the_centre_forgot_is_made_again() -> None:
    nothing = declared(networks={}, subnets={}, groups={}, ports={})
    whole = {"networks": [network()], "subnets": [subnet()], "groups": [group()], "ports": [port()]}
    found = missing([contents(**whole)], nothing)
    assert [list(kind) for kind in (found.networks, found.subnets, found.groups, found.ports)] == [
        ["N"], ["S"], ["G"], ["P"],
    ]  # fmt: skip
    body = network_body(found.networks["N"], "tenant", {})
    assert (body["provider:physical_network"], body["provider:segmentation_id"]) == ("stretch", 101)
    wanted = port_body(found.ports["P"][0], "N", Names({"s1": "S"}, {"g1": "G"}, {}))
    assert wanted["fixed_ips"] == PORT["fixed_ips"]
    assert (wanted["mac_address"], wanted["device_id"], wanted["binding:host_id"]) == ("fa:1", "server", "Pod1")
    known = missing([contents(**whole)], declared())
    assert (known.networks, known.ports) == ({}, {})
    left = missing([contents(**{**whole, "ports": [port(device_id="")]})], nothing)
    assert (left.networks, left.ports) == ({}, {})


def policy(pod_id: str = "q1", project: ProjectId = OWNER, **body: object) -> Holding:
    rules = [{"id": "r", "type": "bandwidth_limit", "max_kbps": 1000, "max_burst_kbps": 100, "direction": "egress"}]
    return held(Kind.QOS_POLICY, pod_id, "Q", project, **{"name": "slow", "rules": rules, **body})


#: What the tenant had set, as the pod shows it.
SET = {
    "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1300", "ip_version": 4}],
    "binding:vnic_type": "direct",
    "numa_affinity_policy": "required",
    "dns_name": "www",
    "trusted": False,
    "hints": {"openvswitch": {"other_config": {"tx-steering": "hash"}}},
}


def test_what_is_made_again_has_the_settings_that_it_has_in_the_pod() -> None:
    """Else the jobs that follow would take them from running servers."""
    nothing = declared(networks={}, subnets={}, groups={}, ports={})
    whole = {
        "policies": [policy()],
        "networks": [network(mtu=1300, dns_domain="example.org.", qos_policy_id="q1")],
        "subnets": [subnet()],
        "groups": [group()],
        "ports": [port(qos_policy_id="q1", **SET)],
    }
    found = missing([contents(**whole)], nothing)
    assert (list(found.policies), found.policy_users) == (["Q"], {"Q": [TENANT, TENANT]})
    body = network_body(found.networks["N"], "tenant", {"q1": "Q"})
    assert (body["mtu"], body["dns_domain"], body["qos_policy_id"]) == (1300, "example.org.", "Q")
    names = Names({"s1": "S"}, {"g1": "G"}, {"q1": "Q"}, known={"trusted", "hints"})
    wanted = port_body(found.ports["P"][0], "N", names, "vm1")
    assert {name: wanted[name] for name in SET} == SET
    without = port_body(found.ports["P"][0], "N", replace(names, known=()), "vm1")
    assert SET.keys() - without.keys() == {"trusted", "hints"}, "words that the centre does not know"
    assert wanted["qos_policy_id"] == "Q"


def test_what_the_pod_says_by_itself_is_no_setting() -> None:
    """The name of the server, which its Nova writes; a policy of the pod's operator; what is as everywhere."""
    usual = {"binding:vnic_type": "normal", "numa_affinity_policy": None, "dns_name": "vm1", "extra_dhcp_opts": []}
    own = policy(project=TENANT)
    ports_there = [port(qos_policy_id="q1", **usual)]
    found = missing([contents(policies=[own], networks=[network()], ports=ports_there)], declared(ports={}))
    assert (found.policies, found.policy_users) == ({}, {})
    wanted = port_body(found.ports["P"][0], "N", Names({"s1": "S"}, {}, {}), "vm1")
    assert not wanted.keys() & {*usual, "qos_policy_id"}


def test_the_lowest_mtu_of_all_pods_holds() -> None:
    found = missing([contents(networks=[network()], ports=[port()])], declared(networks={}, ports={}))
    copies_ = [*found.networks["N"], replace(found.networks["N"][0], holding=network("n2", mtu=1400))]
    assert network_body(copies_, "tenant", {})["mtu"] == 1400


def test_a_pod_whose_policies_could_not_be_read_is_left_out() -> None:
    found = contents(networks=[network()], ports=[port()])
    del found.lists[Kind.QOS_POLICY]
    assert missing([found], declared(networks={}, ports={})).ports == {}


def test_what_could_not_be_read_is_not_empty_after_others_were_made() -> None:
    found = contents(networks=[network()])
    del found.lists[Kind.PORT]
    found.rename(Kind.PORT, {})
    found.rename(Kind.NETWORK, {"N": "N2"})
    assert not found.has(Kind.PORT)
    assert found.lists[Kind.NETWORK][0].central_id == "N2"


def test_a_name_that_a_port_has_everywhere_is_known_to_be_ours_to_take_away() -> None:
    known = declared(ports={"P": {**PORT, "dns_name": "www"}})
    assert only(ports(POD, [port(dns_name="www")], copies(known), known)).routing.details["dns_name"] == "www"
    assert "dns_name" not in only(ports(POD, [port(dns_name="vm1")], copies(known), known)).routing.details


def test_of_several_gateways_the_lowest_is_the_tenants() -> None:
    found = missing(
        [contents(networks=[network()], subnets=[subnet(gateway_ip="10.0.0.10")], ports=[port()])],
        declared(subnets={}, ports={}),
    )
    copies_ = [found.subnets["S"][0], replace(found.subnets["S"][0], holding=subnet("s2", gateway_ip="10.0.0.2"))]
    assert subnet_body(copies_, "N", "tenant")["gateway_ip"] == "10.0.0.2"


def test_addresses_that_a_pod_uses_by_itself() -> None:
    assert own_addresses(SUBNET, subnet().body) == ("10.0.0.2",)
    assert own_addresses(SUBNET, subnet(gateway_ip="10.0.0.3").body) == ("10.0.0.2", "10.0.0.3")
    assert own_addresses({**SUBNET, "ipv6_address_mode": "slaac"}, subnet().body) == ()


def unallocated(known: Declared, found: Contents) -> set[tuple[str, str, str, str]]:
    """What the quarantine holds: what, value, by which kind and id."""
    return {(one.left.what, one.left.value, one.left.kind, one.left.central_id) for one in holds(found, known)}


def test_nothing_is_held_of_what_the_centre_knows() -> None:
    dhcp = held(
        Kind.PORT, "d1", None, OWNER, network_id="n1", device_owner="network:dhcp", device_id="d", mac_address="fa:d",
        fixed_ips=[{"subnet_id": "s1", "ip_address": "10.0.0.2"}],
    )  # fmt: skip
    found = contents(networks=[network()], subnets=[subnet()], groups=[group()], ports=[port(), dhcp])
    assert unallocated(declared(), found) == set()
    assert list(leftovers(found, declared())) == []


def test_an_operators_port_is_held_by_subnet_and_network() -> None:
    his = held(
        Kind.PORT, "o1", None, TENANT, network_id="n1", device_owner="", device_id="", mac_address="fa:7",
        fixed_ips=[{"subnet_id": "s1", "ip_address": "10.0.0.77"}],
    )  # fmt: skip
    found = contents(networks=[network()], subnets=[subnet()], ports=[his])
    assert unallocated(declared(), found) == {
        ("address", "10.0.0.77", Kind.SUBNET, "S"), ("mac", "fa:7", Kind.NETWORK, "N"),
    }  # fmt: skip
    assert list(leftovers(found, declared())) == []


def test_what_nobody_uses_and_the_centre_forgot_is_held_by_its_own_routing() -> None:
    left = port(device_id="gone")
    found = contents(networks=[network()], subnets=[subnet()], ports=[left])
    nothing = declared(ports={}, addresses=frozenset())
    assert unallocated(nothing, found) == {
        ("address", "10.0.0.9", Kind.PORT, "P"), ("mac", "fa:1", Kind.PORT, "P"),
    }  # fmt: skip
    assert [(kind, fact.routing.central_id) for kind, fact in leftovers(found, nothing)] == [(Kind.PORT, "P")]
    nobody = declared(networks={}, subnets={}, ports={})
    assert unallocated(nobody, found) == {("vlan", "101", Kind.NETWORK, "N")}
    assert {kind for kind, _fact in leftovers(found, nobody)} == {Kind.NETWORK, Kind.PORT}


def test_a_network_with_servers_is_no_leftover_and_without_their_list_nothing_is() -> None:
    found = contents(networks=[network()], subnets=[subnet()], ports=[port()])
    nobody = declared(networks={}, subnets={}, ports={})
    assert list(leftovers(found, nobody)) == []
    found.servers = None
    found.lists[Kind.PORT] = []
    assert list(leftovers(found, nobody)) == []


def test_addresses_that_a_pod_lets_in_and_no_member_has_are_held_while_the_group_has_a_job() -> None:
    """Wherever the group's project may have had them: which network it was nobody knows any more."""
    others = {
        "N2": {**NETWORK, "id": "N2", "project_id": "friend"},
        "N3": {**NETWORK, "id": "N3", "project_id": "friend", "shared": True},
    }
    subnets_ = {f"S{n}": {**SUBNET, "id": f"S{n}", "network_id": f"N{n}", "project_id": "friend"} for n in (2, 3)}
    known = declared(networks={"N": NETWORK, **others}, subnets={"S": SUBNET, **subnets_})
    found = contents(networks=[network()], subnets=[subnet()], groups=[group()], ports=[port()])
    found.lists[Kind.ADDRESS_GROUP] = [
        members(addresses=["10.0.0.9/32", "10.0.0.66/32", "10.0.0.2/32", "192.0.2.1/32", "fd00::5/128"])
    ]
    found.made[Kind.ADDRESS_GROUP] = address_groups(POD, found.lists[Kind.ADDRESS_GROUP], known)
    left = {(one.left.scope, one.left.value, one.left.kind, one.left.central_id) for one in holds(found, known)}
    assert left == {
        ("N", "10.0.0.66", Kind.ADDRESS_GROUP, "G"), ("N3", "10.0.0.66", Kind.ADDRESS_GROUP, "G"),
        ("N3", "10.0.0.2", Kind.ADDRESS_GROUP, "G"),
    }, "what a port has is given out already, and what no subnet has is given to nobody"  # fmt: skip
    found.lists[Kind.ADDRESS_GROUP] = [members()]
    found.made[Kind.ADDRESS_GROUP] = address_groups(POD, [members()], known)
    assert list(holds(found, known)) == []


def test_an_address_that_the_original_does_not_have_is_held_until_the_copy_follows() -> None:
    found = contents(networks=[network()], subnets=[subnet()], ports=[
        port(fixed_ips=[{"subnet_id": "s1", "ip_address": "10.0.0.50"}]),
    ])  # fmt: skip
    (hold,) = holds(found, declared())
    assert (hold.left.value, hold.left.kind, hold.left.central_id, hold.revision) == ("10.0.0.50", Kind.PORT, "P", 9)
