# SPDX-License-Identifier: Apache-2.0
"""Can a tenant, by any call of Neutron's, take addresses from a pod that uses them, or pretend to be such a port?"""

import pytest

from tests.functional.network_world import Json, World

pytestmark = pytest.mark.lab


async def _piece(world: World, network: Json) -> Json:
    """The slice port of a network whose copy is in the first pod."""
    port = world.port(network, world.pods[0])
    await world.ports.ensure(world.pods[0], port, deadline=world.deadline())
    (piece,) = world.demo.list("ports", network_id=network["id"], device_owner="network:dhcp")
    return piece


async def test_no_change_of_a_slice_is_a_tenants(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    piece = await _piece(world, network)
    path = f"/ports/{piece['id']}"
    assert world.demo.delete("ports", piece["id"]) == 409
    for change in (
        {"fixed_ips": []},
        {"fixed_ips": [{"subnet_id": subnet["id"], "ip_address": "10.20.0.200"}]},
        {"device_owner": ""},
        {"device_owner": "compute:az1"},
        {"device_id": ""},
        {"device_id": "another"},
        {"admin_state_up": False},
        {"name": "mine"},
        {"security_groups": []},
        {"port_security_enabled": False},
        {"allowed_address_pairs": [{"ip_address": "10.20.0.0/24"}]},
        {"mac_address": "fa:16:3e:aa:aa:aa"},
        {"binding:host_id": ""},
        {"project_id": network["project_id"]},
    ):
        assert world.demo("PUT", path, {"port": change})[0] in (400, 403, 409), change
    assert world.demo.show("ports", "port", piece["id"]) == piece


async def test_no_other_service_lets_a_tenant_use_a_slice(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    piece = await _piece(world, network)
    router = world.demo.make("routers", "router", name="r")
    other = world.demo.make("ports", "port", network_id=network["id"])
    trunk = world.demo.make("trunks", "trunk", port_id=other["id"])
    sub_port = {"port_id": piece["id"], "segmentation_type": "vlan", "segmentation_id": 9}
    third = world.demo.make("ports", "port", network_id=network["id"])
    try:
        added = world.demo("PUT", f"/routers/{router['id']}/add_router_interface", {"port_id": piece["id"]})
        assert added[0] in (403, 409), added
        for wanted in ({"port_id": piece["id"]}, {"port_id": third["id"], "sub_ports": [sub_port]}):
            asked = world.demo("POST", "/trunks", {"trunk": wanted})
            assert asked[0] in (403, 404, 409), asked
        asked = world.demo("PUT", f"/trunks/{trunk['id']}/add_subports", {"sub_ports": [sub_port]})
        assert asked[0] in (403, 404, 409), asked
        # The tenant's gateway, on a router of his, must not be an address of the slice either.
        gateway = {"gateway_ip": piece["fixed_ips"][0]["ip_address"]}
        changed = world.demo("PUT", f"/subnets/{subnet['id']}", {"subnet": gateway})
        assert changed[0] in (400, 409), changed
        now = world.demo.show("ports", "port", piece["id"])
        assert {**now, "updated_at": 0, "revision_number": 0} == {**piece, "updated_at": 0, "revision_number": 0}
    finally:
        world.demo.delete("trunks", trunk["id"])
        world.demo.delete("routers", router["id"])


async def test_no_port_of_a_tenant_becomes_a_slice(world: World) -> None:
    network = world.network()
    subnet = world.subnet(network)
    piece = await _piece(world, network)
    looks = {"device_owner": "network:dhcp", "device_id": piece["device_id"]}
    fake = {"network_id": network["id"], **looks}
    assert world.demo("POST", "/ports", {"port": fake})[0] == 409
    assert world.demo("POST", "/ports", {"port": {**fake, "device_id": "tricircle-anything"}})[0] == 409
    assert world.demo("POST", "/ports", {"ports": [{"network_id": network["id"]}, fake]})[0] == 409
    for first, then in (
        ({"device_owner": "network:dhcp"}, {"device_id": piece["device_id"]}),
        ({"device_id": piece["device_id"]}, {"device_owner": "network:dhcp"}),
        ({}, looks),
    ):
        status, answer = world.demo("POST", "/ports", {"port": {"network_id": network["id"], **first}})
        if status == 201:
            assert world.demo("PUT", f"/ports/{answer['port']['id']}", {"port": then})[0] in (403, 409), then
    slices = [port for port in world.demo.list("ports", network_id=network["id"]) if _is_slice(port)]
    assert [port["id"] for port in slices] == [piece["id"]]
    # With what is his a tenant may do as he likes: slices stand in nobody's way.
    for port in world.service.list("ports", network_id=network["id"]):
        assert _is_slice(port) or world.service.delete("ports", port["id"]) == 204
    await world.settled()
    assert world.demo.delete("subnets", subnet["id"]) == 204
    assert world.demo.delete("networks", network["id"]) == 204


def _is_slice(port: Json) -> bool:
    return port["device_owner"] == "network:dhcp" and str(port["device_id"]).startswith("tricircle-")
