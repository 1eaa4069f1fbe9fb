# SPDX-License-Identifier: Apache-2.0
"""Where can a network, a subnet or a port not be? What is said then, and what a real pod honours of a port."""

from collections.abc import Awaitable

import pytest

from tests.functional.network_world import Json, World
from tricircle.errors import ConflictError, OutcomeUnknownError
from tricircle.model.routing import Routing

pytestmark = pytest.mark.lab


async def _realise(world: World, port: Json, number: int) -> Json:
    def ensured() -> Awaitable[Routing]:
        return world.ports.ensure(world.pods[number], port, details={"origin": "user"}, deadline=world.deadline())

    try:
        routing = await ensured()
    except OutcomeUnknownError:
        # A pod on a busy machine was late. What it made is found: a copy is made once, however often it is asked for.
        routing = await ensured()
    return world.inside[number].show("ports", "port", routing.pod_resource_id)


async def _refused(world: World, port: Json, number: int, words: str) -> None:
    with pytest.raises(ConflictError, match=words):
        await _realise(world, port, number)
    assert not world.marked(number, "ports", port["id"])


async def test_a_network_stays_in_the_zones_of_its_hints(world: World) -> None:
    network = world.network(availability_zone_hints=["az1"])
    world.subnet(network)
    await _refused(world, world.port(network, world.pods[1]), 1, "limited to availability zones: az1")
    assert not world.marked(1, "networks", network["id"])
    await _realise(world, world.port(network, world.pods[0]), 0)


async def test_a_local_network_says_where_it_is(world: World) -> None:
    network = world.service.make("networks", "network", name="local", **{"provider:network_type": "local"})
    world.made.append(("networks", network["id"]))
    world.subnet(network, user=world.service)
    copy = await _realise(world, world.port(network, world.pods[0], user=world.service), 0)
    assert copy["fixed_ips"][0]["ip_address"].startswith("10.20.0.")
    port = world.port(network, world.pods[1], user=world.service)
    await _refused(world, port, 1, "cannot span availability zones: it is in az1")
    # Its copy is a tunnel, which carries less: the lowest MTU on the way holds everywhere, later too.
    (made,) = world.marked(0, "networks", network["id"])
    assert made["mtu"] == world.service.show("networks", "network", network["id"])["mtu"] == 1450
    world.service.change("networks", "network", network["id"], mtu=1500)
    await world.until(lambda: world.service.show("networks", "network", network["id"])["mtu"] == 1450)
    assert world.marked(0, "networks", network["id"])[0]["mtu"] == 1450


async def test_a_flat_network_is_the_same_in_both_pods(world: World) -> None:
    values = {"provider:network_type": "flat", "provider:physical_network": "narrow"}
    # There can be one such network: a run that was cut off has left it.
    for old in world.service.list("networks", name="flat", **values):
        world.made.append(("networks", old["id"]))
    world.clean()
    await world.settled()
    world.made.clear()
    network = world.service.make("networks", "network", name="flat", **values)
    world.made.append(("networks", network["id"]))
    world.subnet(network, user=world.service)
    for number, pod in enumerate(world.pods):
        await _realise(world, world.port(network, pod, user=world.service), number)
        (copy,) = world.marked(number, "networks", network["id"])
        assert {name: copy[name] for name in values} == values


async def test_router_advertisements_stay_in_one_pod_and_dhcpv6_does_not(world: World) -> None:
    stateful, slaac = world.network(), world.network()
    for network, mode in ((stateful, "dhcpv6-stateful"), (slaac, "slaac")):
        world.subnet(network, "fd00:20::/64", ip_version=6, ipv6_address_mode=mode, ipv6_ra_mode=mode)
    shown = [await _realise(world, world.port(stateful, pod), number) for number, pod in enumerate(world.pods)]
    addresses = [{ip["ip_address"] for ip in port["fixed_ips"]} for port in shown]
    assert all(addresses)
    assert not addresses[0] & addresses[1]
    await _realise(world, world.port(slaac, world.pods[0]), 0)
    await _refused(world, world.port(slaac, world.pods[1]), 1, "router advertisements .* it is in az1")


async def test_a_network_in_two_pods_gets_no_subnet_that_can_be_in_one(world: World) -> None:
    network, other = world.network(), world.network()
    for one in (network, other):
        world.subnet(one)
    slaac = {"cidr": "fd00:20::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
    port = world.port(other, world.pods[0])
    await _realise(world, port, 0)
    later = world.subnet(other, user=world.demo, **slaac)
    await world.until(lambda: len(world.marked(0, "ports", port["id"])[0]["fixed_ips"]) == 2)
    assert len(world.marked(0, "subnets", later["id"])) == 1
    await _refused(world, world.port(other, world.pods[1]), 1, "router advertisements .* it is in az1")

    ports = [world.port(network, pod) for pod in world.pods]
    for number, one in enumerate(ports):
        await _realise(world, one, number)
    body = {"network_id": network["id"], **slaac}
    for asked in ({"subnet": body}, {"subnets": [body]}):
        status, answer = world.demo("POST", "/subnets", asked)
        said = answer["NeutronError"]
        assert (status, said["type"]) == (409, "AutomaticSubnetRefusedError"), answer
        assert f"{network['id']} is in several places already (availability zones: az1, az2)" in said["message"]
    assert [len(world.service.show("ports", "port", one["id"])["fixed_ips"]) for one in ports] == [1, 1]
    world.subnet(network, "fd00:21::/64", ip_version=6, ipv6_address_mode="dhcpv6-stateful")


async def test_a_vlan_that_a_pod_uses_is_named_to_operators_only(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    network = world.network()
    world.subnet(network)
    seen = world.service.show("networks", "network", network["id"])
    segment = {name: seen[name] for name in seen if name.startswith("provider:")}
    foreign = world.inside[0].make("networks", "network", name="foreign", **segment)
    try:
        port = world.port(network, world.pods[0])
        await _refused(world, port, 0, f"^Network {network['id']} cannot be in availability zone az1")
    finally:
        assert world.inside[0].delete("networks", foreign["id"]) == 204
    assert f"VLAN {segment['provider:segmentation_id']} of physical network stretch" in caplog.text
    await _realise(world, port, 0)


async def test_a_changed_mtu_follows(world: World) -> None:
    network = world.network(mtu=1500)
    world.subnet(network)
    await _realise(world, world.port(network, world.pods[0]), 0)
    (copy,) = world.marked(0, "networks", network["id"])
    assert copy["mtu"] == 1500
    world.demo.change("networks", "network", network["id"], mtu=1400)
    await world.until(lambda: world.marked(0, "networks", network["id"])[0]["mtu"] == 1400)


async def test_a_subnet_without_room_for_another_pod(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network, "10.20.0.0/29")
    await _realise(world, world.port(network, world.pods[0]), 0)
    ports = [world.port(network, world.pods[1])]
    # Six addresses: gateway, the first pod's DHCP, three ports. The second pod needs two, and one is left. The port
    # that goes again is in no group: its address need not wait until pods know that a member has left.
    ports.append(world.demo.make("ports", "port", network_id=network["id"], security_groups=[]))
    await _refused(world, ports[0], 1, f"availability zone az2 needs 2 of subnet {subnet['id']}")
    assert not world.marked(1, "networks", network["id"]), "nothing is made before the refusal"
    assert world.demo.delete("ports", ports[1]["id"]) == 204
    await _realise(world, ports[0], 1)


async def test_a_numa_policy_is_given_with_the_copy(world: World) -> None:
    """It cannot follow: Neutron, the central one too, lets nobody change it of a port that is bound."""
    network = world.network()
    world.subnet(network)
    for number, wanted in ((0, "required"), (1, "preferred"), (0, None)):
        fields = {} if wanted is None else {"numa_affinity_policy": wanted}
        port = world.port(network, world.pods[number], **fields)
        assert (await _realise(world, port, number))["numa_affinity_policy"] == wanted
    status, said = world.demo("PUT", f"/ports/{port['id']}", {"port": {"numa_affinity_policy": "required"}})
    assert (status, said["NeutronError"]["type"]) == (409, "PortBoundNUMAAffinityPolicy")


async def test_every_field_of_a_port_follows(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    port = world.port(network, world.pods[0])
    copy = await _realise(world, port, 0)
    fields: Json = {
        "name": "all",
        "admin_state_up": False,
        "allowed_address_pairs": [],
        "security_groups": [],
        "port_security_enabled": False,
        "extra_dhcp_opts": [{"opt_name": "tftp-server", "opt_value": "10.9.9.9", "ip_version": 4}],
        "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "10.20.0.88"}],
    }
    world.demo.change("ports", "port", port["id"], **fields)
    plain = {name: value for name, value in fields.items() if name != "fixed_ips"}

    def follows() -> bool:
        now = world.inside[0].show("ports", "port", copy["id"])
        has = [ip["ip_address"] for ip in now["fixed_ips"]]
        return has == ["10.20.0.88"] and all(now[name] == value for name, value in plain.items())

    await world.until(follows)
