# SPDX-License-Identifier: Apache-2.0
"""Our driver inside the real central Neutron on MariaDB: which changes file jobs, do both stand or fall together?"""

import json
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.network_tables import Tables
from tests.functional.network_world import CONF, Json, World
from tricircle.conf.load import load

pytestmark = pytest.mark.lab


@pytest.fixture
async def tables() -> AsyncIterator[Tables]:
    opened = Tables(load(["--config-file", str(CONF)], prog="test").database.connection)
    async with opened.kept():
        yield opened


def _types(tables: Tables, resource: Json) -> list[tuple[object, bool]]:
    """Type of each job about an object, and whether it is about its end."""
    return [(row["type"], "deleted" in json.loads(str(row["payload"]))) for row in tables.jobs(resource["id"])]


def _revision(world: World, collection: str, member: str, resource: Json) -> object:
    return world.service.show(collection, member, resource["id"])["revision_number"]


async def test_changes_of_networks_and_subnets_file_jobs(world: World, tables: Tables) -> None:
    network = world.network()
    subnet = world.subnet(network)
    assert not tables.jobs(network["id"])
    world.demo.change("networks", "network", network["id"], name="new")
    assert _types(tables, network) == [("network", False)]
    assert tables.jobs(network["id"])[0]["revision"] == _revision(world, "networks", "network", network)
    world.demo.change("networks", "network", network["id"], description="nobody else's business")
    assert len(tables.jobs(network["id"])) == 1
    world.demo.change("subnets", "subnet", subnet["id"], dns_nameservers=["9.9.9.9"])
    assert tables.jobs(subnet["id"])[0]["revision"] == _revision(world, "subnets", "subnet", subnet)
    assert world.demo.delete("networks", network["id"]) == 204
    assert _types(tables, network)[1:] == [("network", True)]
    assert _types(tables, subnet)[1:] == [("subnet", True)]
    assert json.loads(str(tables.jobs(subnet["id"])[1]["payload"]))["network_id"] == network["id"]


async def test_the_end_of_a_share_files_a_job_for_the_network(world: World, tables: Tables) -> None:
    network = world.network()
    share = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared"}
    projects = [str(world.alt.make("security-groups", "security_group", name="who")["project_id"]), uuid.uuid4().hex]
    policy = world.demo.make("rbac-policies", "rbac_policy", **share, target_tenant=projects[0])
    world.service.change("networks", "network", network["id"], shared=True)
    assert not tables.jobs(network["id"]), "the next use shares"
    world.demo.change("rbac-policies", "rbac_policy", policy["id"], target_tenant=projects[1])
    assert _types(tables, network) == [("network", False)]
    world.service.change("networks", "network", network["id"], shared=False)
    assert _types(tables, network) == [("network", False)] * 2
    assert world.demo.delete("rbac-policies", policy["id"]) == 204
    assert _types(tables, network) == [("network", False)] * 3
    assert {row["project_id"] for row in tables.jobs(network["id"])} == {network["project_id"]}
    world.demo.make("rbac-policies", "rbac_policy", **share, target_tenant=projects[1])
    assert world.demo.delete("networks", network["id"]) == 204
    assert _types(tables, network)[3:] == [("network", True)], "its own job removes the copies with their shares"


async def test_the_end_of_a_share_files_a_job_for_the_group(world: World, tables: Tables) -> None:
    group = world.demo.make("security-groups", "security_group", name=uuid.uuid4().hex)
    world.made.append(("security-groups", group["id"]))
    share = {"object_type": "security_group", "object_id": group["id"], "action": "access_as_shared"}
    projects = [uuid.uuid4().hex, uuid.uuid4().hex]
    policy = world.demo.make("rbac-policies", "rbac_policy", **share, target_tenant=projects[0])
    assert not tables.jobs(group["id"]), "the next use shares"
    world.demo.change("rbac-policies", "rbac_policy", policy["id"], target_tenant=projects[1])
    assert _types(tables, group) == [("security_group", False)]
    assert world.demo.delete("rbac-policies", policy["id"]) == 204
    assert _types(tables, group) == [("security_group", False)] * 2
    assert {row["project_id"] for row in tables.jobs(group["id"])} == {group["project_id"]}
    world.demo.make("rbac-policies", "rbac_policy", **share, target_tenant=projects[1])
    assert world.demo.delete("security-groups", group["id"]) == 204
    assert _types(tables, group)[2:] == [("security_group", True), ("address_group", True)], "its share has none"


async def test_only_ports_in_a_pod_file_jobs(world: World, tables: Tables) -> None:
    network = world.network()
    world.subnet(network)
    free = world.demo.make("ports", "port", network_id=network["id"])
    world.demo.change("ports", "port", free["id"], name="x")
    assert world.demo.delete("ports", free["id"]) == 204
    assert not tables.jobs(free["id"])

    port = world.port(network, world.pods[0])
    assert not tables.jobs(port["id"]), "who sets the host makes the copy himself"
    changed = world.demo.change("ports", "port", port["id"], name="x")
    assert _types(tables, port) == [("port", False)]
    assert tables.jobs(port["id"])[0]["revision"] == changed["revision_number"]
    world.service.change("ports", "port", port["id"], **{"binding:host_id": "", "device_id": "", "device_owner": ""})
    assert len(tables.jobs(port["id"])) == 2
    assert world.demo.delete("ports", port["id"]) == 204
    assert len(tables.jobs(port["id"])) == 2


async def test_addresses_of_a_new_subnet_file_jobs(world: World, tables: Tables) -> None:
    """Those of router advertisements, which ports get at once; of no other subnet."""
    network = world.network()
    world.subnet(network)
    group = world.demo.make("security-groups", "security_group", name="g")
    world.made.append(("security-groups", group["id"]))
    free = world.demo.make("ports", "port", network_id=network["id"], security_groups=[])
    port = world.port(network, world.pods[0], security_groups=[group["id"]])
    before = len(tables.jobs(group["id"]))
    world.subnet(network, "fd00:22::/64", ip_version=6, ipv6_address_mode="dhcpv6-stateful")
    assert (tables.jobs(port["id"]), len(tables.jobs(group["id"]))) == ([], before)
    slaac = {"ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
    world.subnet(network, "fd00:23::/64", **slaac)
    shown = world.service.show("ports", "port", port["id"])
    assert len(shown["fixed_ips"]) == 2
    assert _types(tables, port) == [("port", False)]
    assert tables.jobs(port["id"])[0]["revision"] <= shown["revision_number"]
    assert _types(tables, group)[before:] == [("address_group", False)]
    assert not tables.jobs(free["id"]), "no pod has it"


async def test_security_groups_and_rules_file_jobs_for_the_group(world: World, tables: Tables) -> None:
    group = world.demo.make("security-groups", "security_group", name="g")
    assert not tables.jobs(group["id"])
    rule = world.demo.make(
        "security-group-rules", "security_group_rule", security_group_id=group["id"], direction="ingress"
    )
    world.demo.change("security-groups", "security_group", group["id"], name="h")
    assert world.demo.delete("security-group-rules", rule["id"]) == 204
    now = _revision(world, "security-groups", "security_group", group)
    assert _types(tables, group) == [("security_group", False)] * 3
    # A number that is too high would be waited for in vain.
    assert all(row["revision"] <= now for row in tables.jobs(group["id"]))
    assert world.demo.delete("security-groups", group["id"]) == 204
    assert _types(tables, group)[3:] == [("security_group", True), ("address_group", True)]


async def test_changes_of_members_file_jobs_for_their_groups(world: World, tables: Tables) -> None:
    network = world.network()
    world.subnet(network)
    groups = [world.demo.make("security-groups", "security_group", name=name) for name in ("one", "two")]
    world.made += [("security-groups", group["id"]) for group in groups]
    one, two = groups

    def filed() -> tuple[int, int]:
        found = [_types(tables, group) for group in groups]
        assert all(set(types) <= {("address_group", False)} for types in found), found
        return len(found[0]), len(found[1])

    port = world.demo.make("ports", "port", network_id=network["id"], security_groups=[one["id"]])
    assert filed() == (1, 0)
    world.demo.change("ports", "port", port["id"], name="who has it is the same")
    world.service.change("ports", "port", port["id"], **{"binding:host_id": world.pods[0].name})
    assert filed() == (1, 0)
    world.demo.change("ports", "port", port["id"], allowed_address_pairs=[{"ip_address": "10.20.0.99"}])
    assert filed() == (2, 0)
    world.demo.change("ports", "port", port["id"], security_groups=[two["id"]])
    assert filed() == (3, 1)
    world.demo.change("ports", "port", port["id"], fixed_ips=[{"ip_address": "10.20.0.77"}])
    assert filed() == (3, 2)
    assert world.demo.delete("ports", port["id"]) == 204
    assert filed() == (3, 3)


async def test_changes_of_a_tenants_address_group_file_jobs(world: World, tables: Tables) -> None:
    group = world.demo.make("address-groups", "address_group", name="offices", addresses=["192.0.2.0/24"])
    before = len(_types(tables, group))
    status, answer = world.demo(
        "PUT", f"/address-groups/{group['id']}/add_addresses", {"addresses": ["198.51.100.7/32"]}
    )
    assert status == 200, answer
    assert _types(tables, group)[before:] == [("address_group", False)]
    assert world.demo.delete("address-groups", group["id"]) == 204
    assert _types(tables, group)[-1] == ("address_group", True)


async def test_a_change_without_its_job_does_not_happen(world: World, tables: Tables) -> None:
    network = world.network(name="old")
    subnet = world.subnet(network)
    port = world.port(network, world.pods[0])
    group = world.demo.make("security-groups", "security_group", name="g")
    world.made.append(("security-groups", group["id"]))
    changes = (
        ("networks", "network", network, {"name": "new"}),
        ("subnets", "subnet", subnet, {"name": "new"}),
        ("ports", "port", port, {"name": "new"}),
        ("security-groups", "security_group", group, {"name": "new"}),
    )
    for collection, member, resource, change in changes:
        condition = f"NEW.resource_id = '{resource['id']}'"
        async with tables.failing("BEFORE INSERT", "tricircle_jobs", condition):
            status, _ = world.demo("PUT", f"/{collection}/{resource['id']}", {member: change})
            assert status >= 409, collection
            status, _ = world.demo("DELETE", f"/{collection}/{resource['id']}")
            assert status >= 403, collection
        assert world.demo.show(collection, member, resource["id"])["name"] != "new", collection
        assert not tables.jobs(resource["id"]), collection


async def test_a_job_without_its_change_does_not_exist(world: World, tables: Tables) -> None:
    """Neutron fails after our hook: the row that the hook wrote is undone with the rest."""
    network = world.network()
    subnet = world.subnet(network)
    port = world.port(network, world.pods[0])
    group = world.demo.make("security-groups", "security_group", name="g")
    world.made.append(("security-groups", group["id"]))
    for user, collection, member, table, resource in (
        (world.service, "ports", "port", "ports", port),
        (world.demo, "subnets", "subnet", "subnets", subnet),
        (world.demo, "networks", "network", "networks", network),
        (world.demo, "security-groups", "security_group", "securitygroups", group),
    ):
        if collection == "subnets":
            assert world.service.delete("ports", port["id"]) == 204
        if collection == "networks":
            assert world.demo.delete("subnets", subnet["id"]) == 204
        before = len(tables.jobs(resource["id"]))
        async with tables.failing("BEFORE DELETE", table, f"OLD.id = '{resource['id']}'"):
            assert user.delete(collection, resource["id"]) >= 500, collection
        assert user.show(collection, member, resource["id"]) is not None, collection
        assert len(tables.jobs(resource["id"])) == before, collection


async def test_changes_at_once_each_have_their_job(world: World, tables: Tables) -> None:
    network = world.network()
    with ThreadPoolExecutor(6) as threads:
        answers = list(
            threads.map(
                lambda number: world.demo("PUT", f"/networks/{network['id']}", {"network": {"name": f"n{number}"}}),
                range(6),
            )
        )
    assert [status for status, _ in answers] == [200] * 6
    rows = tables.jobs(network["id"])
    assert len(rows) == 6
    assert max(row["revision"] for row in rows) == _revision(world, "networks", "network", network)


async def test_binding_to_a_pod(world: World) -> None:
    network = world.network()
    world.subnet(network)
    port = world.port(network, world.pods[1])
    assert (port["status"], port["binding:vif_type"]) == ("DOWN", "ovs")
    assert "binding:host_id" not in world.demo.show("ports", "port", port["id"])
    cleared = world.service.change("ports", "port", port["id"], **{"binding:host_id": ""})
    assert (cleared["status"], cleared["binding:vif_type"]) == ("DOWN", "unbound")
    unknown = world.service.change("ports", "port", port["id"], **{"binding:host_id": "nowhere"})
    assert unknown["binding:vif_type"] == "binding_failed"


async def test_availability_zones_are_those_of_the_pods(world: World) -> None:
    zones = world.demo.list("availability_zones")
    assert {(zone["name"], zone["resource"]) for zone in zones} >= {("az1", "network"), ("az2", "router")}
    assert world.demo("POST", "/networks", {"network": {"availability_zone_hints": ["nowhere"]}})[0] == 404
    assert world.demo("POST", "/routers", {"router": {"availability_zone_hints": ["nowhere"]}})[0] == 404
    network = world.network(availability_zone_hints=["az2"])
    assert network["availability_zone_hints"] == ["az2"]
    agents = world.service.list("agents")
    assert {"Pod1", "Pod2"} <= {agent["host"] for agent in agents}
    assert world.service.show("agents", "agent", agents[0]["id"])["host"] == agents[0]["host"]


async def test_tenants_cannot_touch_slices(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    port = world.port(network, world.pods[0])
    await world.ports.ensure(world.pods[0], port, deadline=world.deadline())
    (held,) = world.demo.list("ports", network_id=network["id"], device_owner="network:dhcp")
    assert held["device_id"].startswith("tricircle-")
    assert "pod" not in json.dumps(held).lower()
    assert world.demo.delete("ports", held["id"]) == 409
    assert world.demo("PUT", f"/ports/{held['id']}", {"port": {"fixed_ips": []}})[0] in (403, 409)
    fake = {"network_id": network["id"], "device_owner": "network:dhcp", "device_id": held["device_id"]}
    assert world.demo("POST", "/ports", {"port": fake})[0] == 409
    # Nor do slices stand in the way of deleting the subnet.
    assert world.service.delete("ports", port["id"]) == 204
    await world.settled()
    assert world.demo.delete("subnets", subnet["id"]) == 204
    await world.until(lambda: not world.demo.list("ports", network_id=network["id"]))


async def test_routers_and_floating_ips_are_records(world: World) -> None:
    outside = world.service.make("networks", "network", name="outside", **{"router:external": True})
    world.made.append(("networks", outside["id"]))
    world.service.make("subnets", "subnet", network_id=outside["id"], cidr="203.0.113.0/24", ip_version=4)
    network = world.network()
    subnet = world.subnet(network)
    gateway = {"network_id": outside["id"]}
    router = world.demo.make("routers", "router", name="r", external_gateway_info=gateway)
    path = f"/routers/{router['id']}"
    try:
        assert world.demo("PUT", f"{path}/add_router_interface", {"subnet_id": subnet["id"]})[0] == 200
        interfaces = world.service.list("ports", device_id=router["id"])
        assert {port["status"] for port in interfaces} == {"ACTIVE"}
        port = world.demo.make("ports", "port", network_id=network["id"])
        address = world.demo.make("floatingips", "floatingip", floating_network_id=outside["id"], port_id=port["id"])
        assert address["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
        assert address["status"] == "DOWN", "no pod carries it yet"
        route = {"destination": "198.51.100.0/24", "nexthop": "10.20.0.9"}
        assert world.demo.change("routers", "router", router["id"], routes=[route])["routes"] == [route]
        world.demo.change("routers", "router", router["id"], routes=[])
        assert world.demo.delete("floatingips", address["id"]) == 204
        assert world.demo.delete("ports", port["id"]) == 204
    finally:
        world.demo("PUT", f"{path}/remove_router_interface", {"subnet_id": subnet["id"]})
        world.demo.delete("routers", router["id"])
