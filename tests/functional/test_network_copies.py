# SPDX-License-Identifier: Apache-2.0
"""Networks, subnets, security groups and ports of the centre, realised in two real pods."""

import asyncio

import pytest

from tests.functional.network_world import Json, World
from tricircle.context import ProjectId
from tricircle.model.routing import Kind, Routing

pytestmark = pytest.mark.lab


async def _realise(world: World, port: Json, number: int) -> Json:
    """The copy of a central port in a pod, as the pod shows it."""
    routing = await world.ports.ensure(world.pods[number], port, details={"origin": "user"}, deadline=world.deadline())
    return world.inside[number].show("ports", "port", routing.pod_resource_id)


async def _filled(world: World, group: Json) -> Routing:
    """The copy of a group in the first pod, with its rules."""
    owner = ProjectId(str(group["project_id"]))
    return await world.groups.ensure(world.pods[0], str(group["id"]), owner, deadline=world.deadline())


async def test_a_port_is_the_same_in_its_pod(world: World) -> None:
    network = world.network(mtu=1400)
    subnet = world.subnet(network, dns_nameservers=["9.9.9.9"])
    port = world.port(network, world.pods[0], name="p1", allowed_address_pairs=[{"ip_address": "10.99.0.0/24"}])
    copy = await _realise(world, port, 0)

    assert copy["mac_address"] == port["mac_address"]
    assert [ip["ip_address"] for ip in copy["fixed_ips"]] == [ip["ip_address"] for ip in port["fixed_ips"]]
    assert copy["allowed_address_pairs"] == port["allowed_address_pairs"]
    assert (copy["name"], copy["project_id"]) == ("p1", port["project_id"])
    assert copy["description"] == f"tricircle:{port['id']}"

    (net_copy,) = world.marked(0, "networks", network["id"])
    seen = world.service.show("networks", "network", network["id"])
    for field in ("name", "mtu", "provider:network_type", "provider:segmentation_id"):
        assert net_copy[field] == seen[field], field
    assert net_copy["project_id"] != network["project_id"]
    assert seen["availability_zones"] == [world.pods[0].az_name]

    (subnet_copy,) = world.marked(0, "subnets", subnet["id"])
    assert subnet_copy["gateway_ip"] == subnet["gateway_ip"]
    assert subnet_copy["dns_nameservers"] == ["9.9.9.9"]

    (group_id,) = copy["security_groups"]
    group = world.inside[0].show("security-groups", "security_group", group_id)
    assert group["name"] == f"tricircle-{port['security_groups'][0]}"
    original = world.service.show("security-groups", "security_group", port["security_groups"][0])
    assert len(group["security_group_rules"]) == len(original["security_group_rules"]) >= 4


async def test_pods_never_share_an_address(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    for number in (0, 1):
        await _realise(world, world.port(network, world.pods[number]), number)

    copies = [world.marked(number, "subnets", subnet["id"])[0] for number in (0, 1)]
    assert copies[0]["gateway_ip"] == subnet["gateway_ip"] != copies[1]["gateway_ip"]
    pools = [{pool["start"] for pool in copy["allocation_pools"]} for copy in copies]
    assert all(pools), "each pod needs an address for its DHCP"
    assert not pools[0] & pools[1]
    held = {ip["ip_address"] for port in world.demo.list("ports", network_id=network["id"]) for ip in port["fixed_ips"]}
    assert pools[0] | pools[1] | {copies[1]["gateway_ip"]} <= held
    # What the pods allocated by themselves is from their slices.
    for number in (0, 1):
        (net_copy,) = world.marked(number, "networks", network["id"])

        def dhcp(number: int = number, net_copy: Json = net_copy) -> list[Json]:
            return world.inside[number].list("ports", network_id=net_copy["id"], device_owner="network:dhcp")

        await world.until(dhcp)
        assert {ip["ip_address"] for port in dhcp() for ip in port["fixed_ips"]} <= pools[number]
    # Both copies are one VLAN.
    first, second = (world.marked(number, "networks", network["id"])[0] for number in (0, 1))
    assert first["provider:segmentation_id"] == second["provider:segmentation_id"]


async def test_deleting_at_the_centre_leaves_nothing_in_any_pod(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    ports = [world.port(network, world.pods[number]) for number in (0, 1)]
    for number, port in enumerate(ports):
        await _realise(world, port, number)
    net_ids = [world.marked(number, "networks", network["id"])[0]["id"] for number in (0, 1)]
    for port in ports:
        assert world.service.delete("ports", port["id"]) == 204
    assert world.demo.delete("networks", network["id"]) == 204

    def leftovers() -> list[Json]:
        return [
            thing
            for number in (0, 1)
            for thing in (
                world.marked(number, "networks", network["id"])
                + world.marked(number, "subnets", subnet["id"])
                + world.marked(number, "ports", ports[number]["id"])
                + world.inside[number].list("ports", network_id=net_ids[number])
            )
        ]

    await world.until(lambda: not leftovers())
    await world.settled()
    for kind, central_id in ((Kind.NETWORK, network["id"]), (Kind.SUBNET, subnet["id"]), (Kind.PORT, ports[0]["id"])):
        assert not await world.reach.routings.copies_of(kind, str(central_id))


async def test_changes_follow(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    port = world.port(network, world.pods[1])
    copy = await _realise(world, port, 1)
    world.demo.change("networks", "network", network["id"], name="renamed", admin_state_up=False)
    world.demo.change("subnets", "subnet", subnet["id"], dns_nameservers=["1.1.1.1"], name="s-renamed")
    group = world.demo.make("security-groups", "security_group", name=f"web-{network['id'][:6]}")
    world.made.append(("security-groups", group["id"]))
    address = {"subnet_id": subnet["id"], "ip_address": "10.20.0.77"}
    world.demo.change("ports", "port", port["id"], name="p-renamed", security_groups=[group["id"]], fixed_ips=[address])

    def agrees() -> bool:
        (net_copy,) = world.marked(1, "networks", network["id"])
        (subnet_copy,) = world.marked(1, "subnets", subnet["id"])
        now = world.inside[1].show("ports", "port", copy["id"])
        groups = world.marked(1, "security-groups", group["id"])
        return (
            (net_copy["name"], net_copy["admin_state_up"]) == ("renamed", False)
            and (subnet_copy["name"], subnet_copy["dns_nameservers"]) == ("s-renamed", ["1.1.1.1"])
            and now["name"] == "p-renamed"
            and [ip["ip_address"] for ip in now["fixed_ips"]] == ["10.20.0.77"]
            and now["security_groups"] == [copied["id"] for copied in groups]
            and [copied["name"] for copied in groups] == [group["name"]]
        )

    await world.until(agrees)


async def test_rules_follow_also_the_deleted_default_ones(world: World) -> None:
    group = world.demo.make("security-groups", "security_group", name="rules")
    other = world.demo.make("security-groups", "security_group", name="other")
    world.made += [("security-groups", other["id"]), ("security-groups", group["id"])]
    for mine, theirs in ((group, other), (other, group)):  # each names the other
        world.demo.make(
            "security-group-rules",
            "security_group_rule",
            security_group_id=mine["id"],
            direction="ingress",
            remote_group_id=theirs["id"],
        )
    for rule in group["security_group_rules"]:
        assert world.demo.delete("security-group-rules", rule["id"]) == 204
    routing, _ = await asyncio.gather(_filled(world, group), _filled(world, other))

    def rules() -> set[tuple[object, ...]]:
        copy = world.inside[0].show("security-groups", "security_group", routing.pod_resource_id)
        return {
            (rule["direction"], rule["protocol"], rule["port_range_min"], rule["remote_address_group_id"])
            for rule in copy["security_group_rules"]
        }

    (others,) = world.marked(0, "address-groups", other["id"])
    assert rules() == {("ingress", None, None, others["id"])}
    world.demo.make(
        "security-group-rules",
        "security_group_rule",
        security_group_id=group["id"],
        direction="ingress",
        protocol="tcp",
        port_range_min=22,
        port_range_max=22,
    )
    await world.until(lambda: ("ingress", "tcp", 22, None) in rules())


async def test_many_at_once_make_one_copy(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    ports = [world.port(network, world.pods[0]) for _ in range(6)]
    copies = await asyncio.gather(*(_realise(world, port, 0) for port in ports))
    assert len({copy["id"] for copy in copies}) == 6
    assert len(world.marked(0, "networks", network["id"])) == 1
    assert len(world.marked(0, "subnets", subnet["id"])) == 1
    assert len(world.marked(0, "security-groups", ports[0]["security_groups"][0])) == 1


async def test_a_lost_routing_is_found_again(world: World) -> None:
    """The process died between the POST in the pod and the bookkeeping: the next one adopts, and files a check."""
    network = world.network()
    world.subnet(network)
    port = world.port(network, world.pods[0])
    copy = await _realise(world, port, 0)
    routings = world.reach.routings
    for kind, central_id in ((Kind.PORT, port["id"]), (Kind.NETWORK, network["id"])):
        (routing,) = await routings.copies_of(kind, str(central_id))
        await routings.forget(routing.id)
    again = await _realise(world, port, 0)
    assert again["id"] == copy["id"]
    assert len(world.marked(0, "networks", network["id"])) == 1


async def test_another_project_sees_its_addresses_in_the_pod(world: World) -> None:
    """A network that its owner shares: the pod shows it to the project whose port is there, or Nova shows nothing."""
    network = world.network()
    world.subnet(network)
    alt_project = world.alt.make("networks", "network", name="probe")
    world.made.append(("networks", alt_project["id"]))
    world.demo.make(
        "rbac-policies",
        "rbac_policy",
        object_type="network",
        object_id=network["id"],
        action="access_as_shared",
        target_tenant=alt_project["project_id"],
    )
    port = world.port(network, world.pods[0], user=world.alt)
    await _realise(world, port, 0)
    (net_copy,) = world.marked(0, "networks", network["id"])
    policies = world.inside[0].list("rbac-policies", object_id=net_copy["id"])
    assert [policy["target_tenant"] for policy in policies] == [alt_project["project_id"]]
