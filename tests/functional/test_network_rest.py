# SPDX-License-Identifier: Apache-2.0
"""What else tenants use of networks: pools, scopes, shares, tags, routes, names, limits, zones. Of real services."""

import uuid

import pytest

from tests.functional.network_world import Json, Rest, World
from tricircle.model.routing import Kind

pytestmark = pytest.mark.lab


async def _realise(world: World, port: Json, number: int) -> Json:
    """The copy of a bound port, as the pod's operator sees it."""
    routing = await world.ports.ensure(world.pods[number], port, details={"origin": "user"}, deadline=world.deadline())
    shown = world.inside[number].show("ports", "port", routing.pod_resource_id)
    assert shown is not None
    return shown


def _project(user: Rest) -> str:
    return str(user.make("security-groups", "security_group", name="who")["project_id"])


async def test_routes_and_name_servers_of_a_subnet_are_the_same_in_every_pod(world: World) -> None:
    network = world.network()
    route = {"destination": "192.0.2.0/24", "nexthop": "10.20.0.9"}
    subnet = world.subnet(network, dns_nameservers=["192.0.2.53"], host_routes=[route])
    for number in (0, 1):
        await _realise(world, world.port(network, world.pods[number]), number)
    other = {"destination": "198.51.100.0/24", "nexthop": "10.20.0.8"}
    for servers, routes in ((["192.0.2.53"], [route]), (["192.0.2.54", "192.0.2.55"], [route, other]), ([], [])):
        world.demo.change("subnets", "subnet", subnet["id"], dns_nameservers=servers, host_routes=routes)

        def follow(servers: list[str] = servers, routes: list[Json] = routes) -> bool:
            copies = [world.marked(number, "subnets", subnet["id"])[0] for number in (0, 1)]
            return all(
                copy["dns_nameservers"] == servers and sorted(copy["host_routes"], key=str) == sorted(routes, key=str)
                for copy in copies
            )

        await world.until(follow)


async def test_a_subnet_from_a_pool_is_an_ordinary_one_in_pods(world: World) -> None:
    scope = world.demo.make("address-scopes", "address_scope", name="s", ip_version=4)
    pool = world.demo.make(
        "subnetpools", "subnetpool", name="p", prefixes=["10.96.0.0/16"], default_prefixlen=26,
        address_scope_id=scope["id"],
    )  # fmt: skip
    try:
        network = world.network()
        made = [
            world.demo.make("subnets", "subnet", network_id=network["id"], ip_version=4, subnetpool_id=pool["id"])
            for _ in range(2)
        ]
        assert len({one["cidr"] for one in made}) == 2
        for subnet in made:
            port = world.port(network, world.pods[0], fixed_ips=[{"subnet_id": subnet["id"]}])
            await _realise(world, port, 0)
            (copy,) = world.marked(0, "subnets", subnet["id"])
            assert (copy["cidr"], copy["subnetpool_id"]) == (subnet["cidr"], None)
        # Neutron refuses before anybody is asked: a pool in use, and what it may not give out.
        assert world.demo.delete("subnetpools", pool["id"]) == 400
        body = {"network_id": network["id"], "ip_version": 4, "subnetpool_id": pool["id"], "prefixlen": 5}
        status, said = world.demo("POST", "/subnets", {"subnet": body})
        assert (status, said["NeutronError"]["type"]) == (400, "MinPrefixSubnetAllocationError")
        world.clean()
        world.made.clear()
        assert world.demo.delete("subnetpools", pool["id"]) == 204
    finally:
        world.clean()
        world.made.clear()
        world.demo.delete("subnetpools", pool["id"])
        world.demo.delete("address-scopes", scope["id"])


def _shared_with(world: World, network: Json) -> list[set[str]]:
    """With whom each pod shares its copy."""
    found = []
    for number in (0, 1):
        (copy,) = world.marked(number, "networks", network["id"])
        policies = world.inside[number].list("rbac-policies", object_id=copy["id"], action="access_as_shared")
        found.append({str(policy["target_tenant"]) for policy in policies})
    return found


async def test_a_shared_network_is_shared_in_pods_until_its_owner_ends_it(world: World) -> None:
    """With the project that uses it, and before it does; the share at the centre can go only after its ports."""
    network = world.network()
    world.subnet(network)
    owner, friend = str(network["project_id"]), _project(world.alt)
    share = {
        "object_type": "network", "object_id": network["id"], "action": "access_as_shared", "target_tenant": friend,
    }  # fmt: skip
    assert world.alt("POST", "/ports", {"port": {"network_id": network["id"]}})[0] == 404
    policy = world.demo.make("rbac-policies", "rbac_policy", **share)
    ports = []
    for number in (0, 1):
        ports.append(world.port(network, world.pods[number], world.alt))
        copy = await _realise(world, ports[number], number)
        assert copy["project_id"] == friend
    await _realise(world, world.port(network, world.pods[1]), 1)
    assert _shared_with(world, network) == [{friend}, {owner, friend}]
    assert world.demo.delete("rbac-policies", policy["id"]) == 409
    for port in ports:
        assert world.service.delete("ports", port["id"]) == 204
    assert world.demo.delete("rbac-policies", policy["id"]) == 204
    await world.until(lambda: _shared_with(world, network) == [set(), {owner}], 120)

    # Shared once more, it works once more; and the end of another share takes nothing of this one.
    again = world.demo.make("rbac-policies", "rbac_policy", **share)
    port = world.port(network, world.pods[0], world.alt)
    await _realise(world, port, 0)
    other = world.demo.make("rbac-policies", "rbac_policy", **{**share, "target_tenant": uuid.uuid4().hex})
    assert world.demo.delete("rbac-policies", other["id"]) == 204
    await world.settled()
    assert _shared_with(world, network) == [{friend}, {owner}]
    assert world.service.delete("ports", port["id"]) == 204
    assert world.demo.delete("rbac-policies", again["id"]) == 204
    await world.until(lambda: _shared_with(world, network) == [set(), {owner}], 120)


async def test_tags_are_the_centres_and_find_things(world: World) -> None:
    network = world.network()
    world.subnet(network)
    await _realise(world, world.port(network, world.pods[0]), 0)
    word = f"tag-{uuid.uuid4().hex[:6]}"
    assert world.demo("PUT", f"/networks/{network['id']}/tags/{word}")[0] == 201
    assert [one["id"] for one in world.demo.list("networks", tags=word)] == [network["id"]]
    assert world.marked(0, "networks", network["id"])[0]["tags"] == []
    assert world.demo("DELETE", f"/networks/{network['id']}/tags/{word}")[0] == 204
    assert world.demo.list("networks", tags=word) == []


async def test_dns_names_follow_and_go(world: World) -> None:
    network = world.network()
    world.subnet(network)
    port = world.port(network, world.pods[0], dns_name="first")
    copy = await _realise(world, port, 0)
    assert copy["dns_name"] == "first"
    for name in ("second", ""):
        world.demo.change("ports", "port", port["id"], dns_name=name)

        def follows(name: str = name) -> bool:
            now = world.inside[0].show("ports", "port", copy["id"])
            return now is not None and now["dns_name"] == name

        await world.until(follows)
    await world.settled()
    # What the pod's Nova wrote of its own accord is not ours to take away.
    world.inside[0].change("ports", "port", copy["id"], dns_name="a-server")
    world.demo.change("ports", "port", port["id"], name="other")
    await world.until(lambda: world.inside[0].show("ports", "port", copy["id"])["name"] == "other")
    assert world.inside[0].show("ports", "port", copy["id"])["dns_name"] == "a-server"


async def test_the_domain_of_a_network_follows_and_goes(world: World) -> None:
    """The pod's own DNS answers to a port's name in it. Who changes ports of such a network in a pod may do so."""
    network = world.network(dns_domain="corp.example.")
    world.subnet(network)
    copy = await _realise(world, world.port(network, world.pods[0], dns_name="web"), 0)

    def domain() -> str:
        return str(world.marked(0, "networks", network["id"])[0]["dns_domain"])

    assert (domain(), copy["dns_name"]) == ("corp.example.", "web")
    for name in ("new.example.", ""):
        world.demo.change("networks", "network", network["id"], dns_domain=name)
        await world.until(lambda name=name: domain() == name)  # type: ignore[misc]
    await world.settled()


async def test_limits_are_the_centres_and_refuse_before_a_pod_is_asked(world: World) -> None:
    project_id = _project(world.demo)
    before = world.service("GET", f"/quotas/{project_id}")[1]["quota"]
    network = world.network()
    world.subnet(network)
    used = len(world.service.list("ports", project_id=project_id))
    try:
        world.service.change("quotas", "quota", project_id, port=used)
        status, said = world.demo("POST", "/ports", {"port": {"network_id": network["id"]}})
        assert (status, said["NeutronError"]["type"]) == (409, "OverQuota")
    finally:
        world.service.change("quotas", "quota", project_id, port=before["port"])
    assert not world.marked(0, "networks", network["id"])
    assert not await world.reach.routings.copies_of(Kind.NETWORK, str(network["id"]))


async def test_zones_and_agents_are_the_pods(world: World) -> None:
    zones = {(one["name"], one["state"]) for one in world.demo.list("availability_zones", resource="network")}
    assert {("az1", "available"), ("az2", "available")} <= zones
    network = world.network(availability_zone_hints=["az1", "az2"])
    world.subnet(network)
    for number in (0, 1):
        await _realise(world, world.port(network, world.pods[number]), number)
    shown = world.demo.show("networks", "network", network["id"])
    assert shown is not None
    assert set(shown["availability_zones"]) == {"az1", "az2"}
    agents = {one["host"]: one for one in world.service.list("agents")}
    for pod in world.pods:
        assert (agents[pod.name]["availability_zone"], agents[pod.name]["alive"]) == (pod.az_name, True)
    assert world.demo.list("agents") == [], "tenants see none"


async def test_flat_networks_on_several_physical_networks(world: World) -> None:
    """Only administrators may name one; each is taken once, at the centre and in the pod."""
    names = ["bridge", "stretch"]
    flat = {"provider:network_type": "flat"}
    for name in names:  # what a run that was cut off has left
        for old in world.service.list("networks", name=name, **flat):
            world.service.delete("networks", old["id"])
    await world.settled()
    status, said = world.demo("POST", "/networks", {"network": {**flat, "provider:physical_network": names[0]}})
    assert (status, said["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
    for name in names:
        network = world.service.make("networks", "network", name=name, **flat, **{"provider:physical_network": name})
        world.made.append(("networks", network["id"]))
        world.subnet(network, user=world.service)
        status, said = world.service("POST", "/networks", {"network": {**flat, "provider:physical_network": name}})
        assert (status, said["NeutronError"]["type"]) == (409, "FlatNetworkInUse")
        for number in (0, 1):
            await _realise(world, world.port(network, world.pods[number], world.service), number)
            (copy,) = world.marked(number, "networks", network["id"])
            assert (copy["provider:network_type"], copy["provider:segmentation_id"]) == ("flat", None)
