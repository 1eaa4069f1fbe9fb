# SPDX-License-Identifier: Apache-2.0
"""What may be chosen in a pod's Neutron, what conflicts, and how is a copy found again?"""

import uuid
from collections.abc import Callable

from tests.contract.cloud import Cloud, unique
from tests.contract.conftest import Undo

Port = Callable[..., dict]


def test_the_operator_chooses_everything_of_a_port(
    cloud: Cloud, port: Port, network: dict[str, str], undo: Undo
) -> None:
    body = {"security_group": {"name": unique("web"), "project_id": cloud.tenant.project_id}}
    group = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    undo(cloud.admin, "network", f"/v2.0/security-groups/{group['id']}")
    address = {"ip_address": "10.77.0.50", "subnet_id": network["subnet_id"]}
    made = port(
        mac_address="fa:16:3e:00:77:50",
        fixed_ips=[address],
        security_groups=[group["id"]],
        description="tricircle:central",
        name="chosen",
        admin_state_up=True,
    )
    assert made["project_id"] == cloud.tenant.project_id
    assert made["fixed_ips"] == [address]
    assert made["mac_address"] == "fa:16:3e:00:77:50"
    assert made["security_groups"] == [group["id"]]
    assert made["description"] == "tricircle:central"
    assert (made["status"], made["device_id"], made["device_owner"]) == ("DOWN", "", "")


def test_a_tenant_sees_no_binding_and_no_provider(cloud: Cloud, port: Port, network: dict[str, str]) -> None:
    made = port()
    seen = cloud.tenant.good("GET", "network", f"/v2.0/ports/{made['id']}")["port"]
    assert "binding:host_id" in made
    assert "binding:host_id" not in seen
    assert (
        "provider:network_type" not in cloud.tenant.good("GET", "network", f"/v2.0/networks/{network['id']}")["network"]
    )


def test_a_taken_address_is_409(cloud: Cloud, port: Port, network: dict[str, str]) -> None:
    address = [{"ip_address": "10.77.0.60", "subnet_id": network["subnet_id"]}]
    port(fixed_ips=address)
    body = {"port": {"network_id": network["id"], "fixed_ips": address}}
    answer = cloud.admin("POST", "network", "/v2.0/ports", body)
    assert answer.status_code == 409
    assert answer.json()["NeutronError"]["type"] == "IpAddressAlreadyAllocated"
    assert network["subnet_id"] in answer.json()["NeutronError"]["message"]


def test_a_taken_mac_is_409(cloud: Cloud, port: Port, network: dict[str, str]) -> None:
    port(mac_address="fa:16:3e:00:77:61")
    body = {"port": {"network_id": network["id"], "mac_address": "fa:16:3e:00:77:61"}}
    answer = cloud.admin("POST", "network", "/v2.0/ports", body)
    assert answer.status_code == 409
    assert answer.json()["NeutronError"]["type"] == "MacAddressInUse"


def test_copies_are_found_by_their_description(cloud: Cloud, port: Port, network: dict[str, str]) -> None:
    mark = unique("tricircle:central")
    made = port(description=mark)
    port(description="tricircle:another")
    found = cloud.admin.good("GET", "network", f"/v2.0/ports?description={mark}")["ports"]
    assert [one["id"] for one in found] == [made["id"]]
    path = f"/v2.0/ports?description={mark}&project_id={cloud.other.project_id}"
    assert cloud.admin.good("GET", "network", path)["ports"] == []


def test_a_description_is_not_unique(cloud: Cloud, undo: Undo) -> None:
    name, mark = unique("twin"), unique("tricircle:central")
    for _ in range(2):
        body = {"security_group": {"name": name, "description": mark}}
        made = cloud.tenant.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
        undo(cloud.tenant, "network", f"/v2.0/security-groups/{made['id']}")
    path = f"/v2.0/security-groups?description={mark}"
    assert len(cloud.tenant.good("GET", "network", path)["security_groups"]) == 2


def test_fields_are_repeated_not_joined(cloud: Cloud, network: dict[str, str]) -> None:
    path = f"/v2.0/networks?id={network['id']}"
    assert set(cloud.tenant.good("GET", "network", f"{path}&fields=id&fields=name")["networks"][0]) == {"id", "name"}
    assert cloud.tenant.good("GET", "network", f"{path}&fields=id,name")["networks"] == [{}]


def test_a_second_default_group_is_409(cloud: Cloud) -> None:
    cloud.tenant.good("GET", "network", "/v2.0/security-groups")  # makes the first one
    answer = cloud.tenant("POST", "network", "/v2.0/security-groups", {"security_group": {"name": "default"}})
    assert answer.status_code == 409
    assert answer.json()["NeutronError"]["type"] == "SecurityGroupDefaultAlreadyExists"


def test_every_project_has_a_default_group(cloud: Cloud) -> None:
    groups = cloud.other.good("GET", "network", "/v2.0/security-groups?name=default")["security_groups"]
    assert [group["project_id"] for group in groups] == [cloud.other.project_id]
    assert len(groups[0]["security_group_rules"]) == 4


def test_who_asks_for_a_projects_groups_makes_its_default_group(cloud: Cloud) -> None:
    """Also of another project: nobody may make one otherwise."""
    project_id = uuid.uuid4().hex
    path = f"/v2.0/security-groups?project_id={project_id}&name=default"
    (group,) = cloud.admin.good("GET", "network", path)["security_groups"]
    assert (group["project_id"], len(group["security_group_rules"])) == (project_id, 4)
    cloud.admin.good("DELETE", "network", f"/v2.0/security-groups/{group['id']}")


def test_rules_of_a_new_group_let_everything_out(cloud: Cloud, undo: Undo) -> None:
    body = {"security_group": {"name": unique("fresh")}}
    group = cloud.tenant.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    undo(cloud.tenant, "network", f"/v2.0/security-groups/{group['id']}")
    rules = {(rule["direction"], rule["ethertype"]) for rule in group["security_group_rules"]}
    assert rules == {("egress", "IPv4"), ("egress", "IPv6")}
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 22}
    rule |= {"port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "ethertype": "IPv4"}
    made = cloud.tenant("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
    assert made.status_code == 201
    again = cloud.tenant("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
    assert again.status_code == 409
    assert again.json()["NeutronError"]["type"] == "SecurityGroupRuleExists"


def test_a_group_in_use_and_a_network_in_use_stay(
    cloud: Cloud, port: Port, network: dict[str, str], undo: Undo
) -> None:
    body = {"security_group": {"name": unique("used"), "project_id": cloud.tenant.project_id}}
    group = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    undo(cloud.admin, "network", f"/v2.0/security-groups/{group['id']}")
    made = port(security_groups=[group["id"]])
    for path, kind in (
        (f"/v2.0/security-groups/{group['id']}", "SecurityGroupInUse"),
        (f"/v2.0/networks/{network['id']}", "NetworkInUse"),
    ):
        answer = cloud.admin("DELETE", "network", path)
        assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, kind)
    assert cloud.admin("DELETE", "network", f"/v2.0/ports/{made['id']}").status_code == 204


def test_a_revision_grows_with_every_change(cloud: Cloud, network: dict[str, str]) -> None:
    path = f"/v2.0/networks/{network['id']}"
    before = cloud.tenant.good("GET", "network", path)["network"]["revision_number"]
    after = cloud.tenant.good("PUT", "network", path, {"network": {"name": unique("renamed")}})["network"]
    assert after["revision_number"] > before


def test_a_subnet_takes_its_pools_and_its_gateway(cloud: Cloud, undo: Undo) -> None:
    made = cloud.admin.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})["network"]
    undo(cloud.admin, "network", f"/v2.0/networks/{made['id']}")
    body = {
        "subnet": {
            "network_id": made["id"],
            "ip_version": 4,
            "cidr": "10.78.0.0/24",
            "allocation_pools": [{"start": "10.78.0.200", "end": "10.78.0.210"}],
            "gateway_ip": "10.78.0.254",
            "description": "tricircle:subnet",
        }
    }
    subnet = cloud.admin.good("POST", "network", "/v2.0/subnets", body)["subnet"]
    assert subnet["allocation_pools"] == [{"start": "10.78.0.200", "end": "10.78.0.210"}]
    assert subnet["gateway_ip"] == "10.78.0.254"
    # An address outside of the pools may be named all the same.
    outside = {"port": {"network_id": made["id"], "fixed_ips": [{"ip_address": "10.78.0.9"}]}}
    port = cloud.admin.good("POST", "network", "/v2.0/ports", outside)["port"]
    undo(cloud.admin, "network", f"/v2.0/ports/{port['id']}")
    assert port["fixed_ips"] == [{"ip_address": "10.78.0.9", "subnet_id": subnet["id"]}]


def test_a_subnet_that_overlaps_is_400(cloud: Cloud, network: dict[str, str], undo: Undo) -> None:
    """Not 409, as all other duplicates."""
    for cidr in ("10.77.0.0/24", "10.77.0.128/25"):
        body = {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": cidr}}
        answer = cloud.admin("POST", "network", "/v2.0/subnets", body)
        error = answer.json()["NeutronError"]
        assert (answer.status_code, error["type"]) == (400, "InvalidInput")
        text = f"Requested subnet with cidr: {cidr} for network: {network['id']} overlaps with another subnet"
        assert text in error["message"]
    beside = {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.177.0.0/24"}}
    made = cloud.admin.good("POST", "network", "/v2.0/subnets", beside)["subnet"]
    undo(cloud.admin, "network", f"/v2.0/subnets/{made['id']}")


def test_a_full_subnet_is_409(cloud: Cloud, undo: Undo) -> None:
    made = cloud.admin.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})["network"]
    undo(cloud.admin, "network", f"/v2.0/networks/{made['id']}")
    pool = {"start": "10.79.0.5", "end": "10.79.0.5"}
    body = {"network_id": made["id"], "ip_version": 4, "cidr": "10.79.0.0/24", "allocation_pools": [pool]}
    subnet = cloud.admin.good("POST", "network", "/v2.0/subnets", {"subnet": {**body, "enable_dhcp": False}})["subnet"]
    wanted = {"network_id": made["id"], "fixed_ips": [{"subnet_id": subnet["id"]}] * 2}
    answer = cloud.admin("POST", "network", "/v2.0/ports", {"port": wanted})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "IpAddressGenerationFailure")


def test_a_subnet_for_services_gives_dhcp_no_address_unless_it_has_dhcp(cloud: Cloud, undo: Undo) -> None:
    made = cloud.admin.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})["network"]
    undo(cloud.admin, "network", f"/v2.0/networks/{made['id']}")
    body = {"network_id": made["id"], "ip_version": 4, "cidr": "10.80.0.0/24", "enable_dhcp": False}
    wanted = {"subnet": {**body, "service_types": ["compute:az1"]}}
    subnet = cloud.admin.good("POST", "network", "/v2.0/subnets", wanted)["subnet"]
    assert subnet["service_types"] == ["compute:az1"]
    port = {"network_id": made["id"], "device_owner": "network:dhcp", "fixed_ips": [{"subnet_id": subnet["id"]}]}
    alone = cloud.admin("POST", "network", "/v2.0/ports", {"port": port})
    kind = "IpAddressGenerationFailureNoMatchingSubnet"
    assert (alone.status_code, alone.json()["NeutronError"]["type"]) == (409, kind)
    other = {"subnet": {"network_id": made["id"], "ip_version": 4, "cidr": "10.81.0.0/24", "enable_dhcp": False}}
    cloud.admin.good("POST", "network", "/v2.0/subnets", other)
    beside = cloud.admin("POST", "network", "/v2.0/ports", {"port": port})
    assert (beside.status_code, beside.json()["NeutronError"]["type"]) == (400, "InvalidInput")
    cloud.admin.good("PUT", "network", f"/v2.0/subnets/{subnet['id']}", {"subnet": {"enable_dhcp": True}})
    with_dhcp = cloud.admin.good("POST", "network", "/v2.0/ports", {"port": port})["port"]
    undo(cloud.admin, "network", f"/v2.0/ports/{with_dhcp['id']}")


def test_neutron_pages_only_when_asked(cloud: Cloud, port: Port) -> None:
    made = {port()["id"], port()["id"]}
    seen: list[str] = []
    query = "limit=1&sort_key=id&sort_dir=asc"
    while query:
        body = cloud.admin.good("GET", "network", f"/v2.0/ports?{query}&project_id={cloud.tenant.project_id}")
        seen += [one["id"] for one in body["ports"]]
        if not any(link["rel"] == "next" for link in body.get("ports_links", [])):
            break
        query = f"limit=1&sort_key=id&sort_dir=asc&marker={seen[-1]}"
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_vlan_on_a_physical_network_is_there_once(cloud: Cloud, undo: Undo) -> None:
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "stretch", "provider:segmentation_id": 3999}
    made = cloud.admin.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net"), **vlan}})
    undo(cloud.admin, "network", f"/v2.0/networks/{made['network']['id']}")
    assert {key: made["network"][key] for key in vlan} == vlan
    again = cloud.admin("POST", "network", "/v2.0/networks", {"network": {"name": unique("net"), **vlan}})
    assert (again.status_code, again.json()["NeutronError"]["type"]) == (409, "VlanIdInUse")


def test_an_rbac_policy_shows_a_network_to_a_project(cloud: Cloud, undo: Undo) -> None:
    made = cloud.admin.good("POST", "network", "/v2.0/networks", {"network": {"name": unique("net")}})["network"]
    path = f"/v2.0/networks/{made['id']}"
    undo(cloud.admin, "network", path)
    assert cloud.tenant("GET", "network", path).status_code == 404
    policy = {"object_type": "network", "object_id": made["id"], "action": "access_as_shared"}
    body = {"rbac_policy": {**policy, "target_tenant": cloud.tenant.project_id}}
    shared = cloud.admin("POST", "network", "/v2.0/rbac-policies", body)
    assert shared.status_code == 201
    again = cloud.admin("POST", "network", "/v2.0/rbac-policies", body)
    assert (again.status_code, again.json()["NeutronError"]["type"]) == (409, "DuplicateRbacPolicy")
    assert cloud.tenant.good("GET", "network", path)["network"]["shared"] is True
    assert cloud.other("GET", "network", path).status_code == 404
    refused = cloud.tenant("PUT", "network", path, {"network": {"description": "mine"}})
    assert (refused.status_code, refused.json()["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
    port = cloud.tenant.good("POST", "network", "/v2.0/ports", {"port": {"network_id": made["id"]}})["port"]
    policy_path = f"/v2.0/rbac-policies/{shared.json()['rbac_policy']['id']}"
    used = cloud.admin("DELETE", "network", policy_path)
    assert (used.status_code, used.json()["NeutronError"]["type"]) == (409, "RbacPolicyInUse")
    assert cloud.tenant("DELETE", "network", f"/v2.0/ports/{port['id']}").status_code == 204
    assert cloud.admin("DELETE", "network", policy_path).status_code == 204
    assert cloud.tenant("GET", "network", path).status_code == 404


def test_an_rbac_policy_shows_a_group_to_a_project(cloud: Cloud, port: Port, undo: Undo) -> None:
    body = {"security_group": {"name": unique("lent")}}
    made = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    path = f"/v2.0/security-groups/{made['id']}"
    undo(cloud.admin, "network", path)
    assert cloud.tenant("GET", "network", path).status_code == 404
    policy = {"object_type": "security_group", "object_id": made["id"], "action": "access_as_shared"}
    wanted = {"rbac_policy": {**policy, "target_tenant": cloud.tenant.project_id}}
    shared = cloud.admin.good("POST", "network", "/v2.0/rbac-policies", wanted)["rbac_policy"]
    assert cloud.tenant.good("GET", "network", path)["security_group"]["name"] == made["name"]
    assert cloud.other("GET", "network", path).status_code == 404
    mine = port()
    change = {"port": {"security_groups": [made["id"]]}}
    cloud.admin.good("PUT", "network", f"/v2.0/ports/{mine['id']}", change)
    used = cloud.admin("DELETE", "network", f"/v2.0/rbac-policies/{shared['id']}")
    assert (used.status_code, used.json()["NeutronError"]["type"]) == (409, "RbacPolicyInUse")
    cloud.admin.good("PUT", "network", f"/v2.0/ports/{mine['id']}", {"port": {"security_groups": []}})
    # It goes with the group.
    assert cloud.admin("DELETE", "network", path).status_code == 204
    query = f"/v2.0/rbac-policies?object_id={made['id']}"
    assert cloud.admin.good("GET", "network", query)["rbac_policies"] == []


def test_neutron_says_whose_project_asks(cloud: Cloud) -> None:
    said = cloud.tenant.good("GET", "network", "/v2.0/quotas/project")
    assert said == {"project": {"project_id": cloud.tenant.project_id}}


def test_a_change_may_demand_a_revision(cloud: Cloud, network: dict[str, str]) -> None:
    path = f"/v2.0/networks/{network['id']}"
    seen = cloud.tenant.good("GET", "network", path)["network"]["revision_number"]
    body = {"network": {"description": "changed"}}
    late = cloud.tenant("PUT", "network", path, body, {"If-Match": f"revision_number={seen + 7}"})
    assert (late.status_code, late.json()["NeutronError"]["type"]) == (412, "RevisionNumberConstraintFailed")
    assert cloud.tenant("PUT", "network", path, body, {"If-Match": f"revision_number={seen}"}).status_code == 200


def test_several_rules_by_one_call(cloud: Cloud, undo: Undo) -> None:
    body = {"security_group": {"name": unique("bulk")}}
    group = cloud.tenant.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    undo(cloud.tenant, "network", f"/v2.0/security-groups/{group['id']}")
    rules = [
        {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": port,
         "port_range_max": port, "ethertype": "IPv4"}
        for port in (80, 443)
    ]  # fmt: skip
    answer = cloud.tenant("POST", "network", "/v2.0/security-group-rules", {"security_group_rules": rules})
    assert answer.status_code == 201
    assert [rule["port_range_min"] for rule in answer.json()["security_group_rules"]] == [80, 443]


def test_of_several_rules_all_are_made_or_none(cloud: Cloud, undo: Undo) -> None:
    body = {"security_group": {"name": unique("bulk")}}
    group = cloud.tenant.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    path = f"/v2.0/security-groups/{group['id']}"
    undo(cloud.tenant, "network", path)
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
    rules = [{**rule, "port_range_min": port, "port_range_max": port} for port in (80, 443)]
    cloud.tenant.good("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rules[1]})
    answer = cloud.tenant("POST", "network", "/v2.0/security-group-rules", {"security_group_rules": rules})
    assert answer.status_code == 409
    shown = cloud.tenant.good("GET", "network", path)["security_group"]["security_group_rules"]
    assert [one["port_range_min"] for one in shown if one["protocol"]] == [443]


def test_agents_are_for_operators(cloud: Cloud) -> None:
    assert cloud.tenant.good("GET", "network", "/v2.0/agents")["agents"] == []
    agents = cloud.admin.good("GET", "network", "/v2.0/agents")["agents"]
    assert all(agent["alive"] and agent["host"] for agent in agents)


def test_quotas_of_other_projects_are_for_administrators(cloud: Cloud) -> None:
    """Whether they are told is how a survey sees that our service user is one; there need not be such a project."""
    path = "/v2.0/quotas/00000000-0000-4000-8000-000000000000"
    assert cloud.tenant("GET", "network", path).status_code == 403
    assert cloud.admin.good("GET", "network", path)["quota"]["port"] != 0


def test_what_may_be_done_to_an_address_group(cloud: Cloud, undo: Undo) -> None:
    body = {"address_group": {"name": "a", "description": "tricircle:g", "addresses": ["10.0.0.5/32", "fd00::5/128"]}}
    group = cloud.admin.good("POST", "network", "/v2.0/address-groups", body)["address_group"]
    path = f"/v2.0/address-groups/{group['id']}"
    undo(cloud.admin, "network", path)
    assert sorted(group["addresses"]) == ["10.0.0.5/32", "fd00::5/128"]
    found = cloud.admin.good("GET", "network", "/v2.0/address-groups?description=tricircle:g")["address_groups"]
    assert group["id"] in {one["id"] for one in found}
    # The body is not wrapped, and neither call may be repeated: all or none.
    added = cloud.admin.good("PUT", "network", f"{path}/add_addresses", {"addresses": ["10.0.0.6"]})["address_group"]
    assert sorted(added["addresses"]) == ["10.0.0.5/32", "10.0.0.6/32", "fd00::5/128"]
    again = cloud.admin("PUT", "network", f"{path}/add_addresses", {"addresses": ["10.0.0.6/32", "10.0.0.7/32"]})
    assert (again.status_code, again.json()["NeutronError"]["type"]) == (400, "AddressesAlreadyExist")
    gone = cloud.admin("PUT", "network", f"{path}/remove_addresses", {"addresses": ["10.0.0.6/32", "10.0.0.7/32"]})
    assert (gone.status_code, gone.json()["NeutronError"]["type"]) == (404, "AddressesNotFound")
    left = cloud.admin.good("PUT", "network", f"{path}/remove_addresses", {"addresses": ["10.0.0.6/32"]})
    assert sorted(left["address_group"]["addresses"]) == ["10.0.0.5/32", "fd00::5/128"]
    wrong = cloud.admin("PUT", "network", f"{path}/add_addresses", {"addresses": ["nowhere"]})
    assert wrong.status_code == 400


def test_an_operators_rule_names_an_address_group_of_another_project(cloud: Cloud, undo: Undo) -> None:
    body = {"security_group": {"name": unique("remote"), "project_id": cloud.tenant.project_id}}
    group = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
    wanted = {"address_group": {"name": "b", "addresses": ["10.0.0.5/32"]}}
    members = cloud.admin.good("POST", "network", "/v2.0/address-groups", wanted)["address_group"]
    path = f"/v2.0/address-groups/{members['id']}"
    undo(cloud.admin, "network", path)
    undo(cloud.admin, "network", f"/v2.0/security-groups/{group['id']}")
    assert members["project_id"] != group["project_id"]
    assert cloud.tenant("GET", "network", path).status_code == 404
    rule = {
        "security_group_id": group["id"], "project_id": group["project_id"], "direction": "ingress",
        "ethertype": "IPv6", "remote_address_group_id": members["id"],
    }  # fmt: skip
    made = cloud.admin.good("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
    assert made["security_group_rule"]["remote_address_group_id"] == members["id"]
    query = f"/v2.0/security-group-rules?remote_address_group_id={members['id']}"
    assert len(cloud.admin.good("GET", "network", query)["security_group_rules"]) == 1
    used = cloud.admin("DELETE", "network", path)
    assert (used.status_code, used.json()["NeutronError"]["type"]) == (409, "AddressGroupInUse")
    unknown = cloud.admin(
        "POST", "network", "/v2.0/security-group-rules",
        {"security_group_rule": {**rule, "ethertype": "IPv4", "remote_address_group_id": group["id"]}},
    )  # fmt: skip
    assert (unknown.status_code, unknown.json()["NeutronError"]["type"]) == (404, "AddressGroupNotFound")


def test_ports_are_found_by_their_groups(cloud: Cloud, port: Port, undo: Undo) -> None:
    groups = []
    for name in ("one", "two", "none"):
        body = {"security_group": {"name": unique(name), "project_id": cloud.tenant.project_id}}
        group = cloud.admin.good("POST", "network", "/v2.0/security-groups", body)["security_group"]
        undo(cloud.admin, "network", f"/v2.0/security-groups/{group['id']}")
        groups.append(group["id"])
    both, first = port(security_groups=groups[:2])["id"], port(security_groups=groups[:1])["id"]

    def carriers(*asked: str) -> set[str]:
        query = "&".join(f"security_groups={one}" for one in asked)
        found = cloud.admin.good("GET", "network", f"/v2.0/ports?{query}&fields=id&fields=fixed_ips")["ports"]
        assert all(set(one) == {"id", "fixed_ips"} for one in found)
        return {one["id"] for one in found}

    assert carriers(groups[0]) == {both, first}
    assert carriers(groups[1]) == {both}
    assert carriers(*groups) == {both, first}
    assert carriers(groups[2]) == set()
