# SPDX-License-Identifier: Apache-2.0
"""Interfaces that somebody else attaches to a tenant's server, and what operators wrote into ports of tenants.

With fake pods; on real services the same is in ``tests/functional/test_interfaces.py``.
"""

from typing import Any

import pytest

from tests.api.doors.test_servers import NOBODY, SERVERS, boot, booted, network
from tests.api.whole import Plan, Whole
from tests.asgi import Said
from tricircle.testing.ailments import Ailment, Lie, Symptom
from tricircle.testing.exchange import Asked

__all__ = ["network"]

Json = dict[str, Any]
#: What operators write for hosts with such devices.
WRITTEN: Json = {"capabilities": ["switchdev"], "trusted": "true"}


@pytest.fixture
def plan() -> Plan:
    """Of two pods, the second knows more."""
    return Plan(extensions={"Pod2": ("port-hints", "port-trusted-vif")})


async def own_port(cloud: Whole, network: str) -> Json:
    """A port that the tenant made, as the centre stores it."""
    said = await cloud.tenant.ask("POST", "/network/v2.0/ports", {"port": {"network_id": network}})
    assert said.status == 201, said.body
    return cloud.centre.neutron.resources["ports"][said.json()["port"]["id"]]


async def attach(cloud: Whole, server_id: str, **what: object) -> Said:
    """What the administrator, whose project is another, is told."""
    path = f"{SERVERS}/{server_id}/os-interface"
    return await cloud.admin.ask("POST", path, {"interfaceAttachment": what})


def copy_of(cloud: Whole, port: Json, pod: str = "Pod1") -> Json:
    """The copy in a pod."""
    held = cloud.pods[pod].neutron.resources["ports"].values()
    (found,) = [one for one in held if one["description"] == f"tricircle:{port['id']}"]
    return dict(found)


async def test_what_a_foreign_administrator_attaches_is_the_servers_projects(cloud: Whole, network: str) -> None:
    """Nothing of the administrator's project is copied, shared, bound or left."""
    demo = cloud.project_id("demo")
    server_id = await booted(cloud, network, availability_zone="az1")
    brought = await own_port(cloud, network)
    made = await attach(cloud, server_id, net_id=network)
    assert made.status == 200, made.body
    ours = cloud.centre.neutron.resources["ports"][made.json()["interfaceAttachment"]["port_id"]]
    given = await attach(cloud, server_id, port_id=brought["id"])
    assert given.status == 200, given.body
    assert {(one["project_id"], one["device_id"]) for one in (ours, brought)} == {(demo, server_id)}
    pod = cloud.pods["Pod1"].neutron
    assert {copy_of(cloud, one)["project_id"] for one in (ours, brought)} == {demo}
    default = cloud.centre.neutron.default_group(demo)["id"]
    copies = [one for one in pod.resources["security_groups"].values() if one["description"].startswith("tricircle:")]
    assert [one["description"] for one in copies] == [f"tricircle:{default}"]
    assert cloud.project_id("admin") not in {one["target_tenant"] for one in pod.resources["rbac_policies"].values()}
    for one in (ours, brought):
        path = f"{SERVERS}/{server_id}/os-interface/{one['id']}"
        assert (await cloud.admin.ask("DELETE", path)).status == 202
    await cloud.work_off()
    assert (brought["device_id"], brought["binding:host_id"]) == ("", "")
    assert ours["id"] not in cloud.centre.neutron.resources["ports"]
    assert len([one for one in pod.resources["ports"].values() if one["device_id"] == server_id]) == 1


async def test_a_refused_attach_leaves_nothing(cloud: Whole, network: str) -> None:
    server_id = await booted(cloud, network, availability_zone="az1")
    foreign = await cloud.admin.ask("POST", "/network/v2.0/ports", {"port": {"network_id": network}})
    said = await attach(cloud, server_id, port_id=foreign.json()["port"]["id"])
    text = f"Port {foreign.json()['port']['id']} not usable for instance {server_id}."
    assert (said.status, said.message) == (400, text)
    assert (await attach(cloud, server_id, port_id=NOBODY)).status == 404
    assert len(cloud.pods["Pod1"].neutron.resources["ports"]) == 1, "the server's own"


async def test_what_operators_write_of_a_port_goes_to_the_pod_and_stays(cloud: Whole, network: str) -> None:
    server_id = await booted(cloud, network, availability_zone="az1")
    port = await own_port(cloud, network)
    port["binding:profile"] = dict(WRITTEN)
    assert (await attach(cloud, server_id, port_id=port["id"])).status == 200
    assert copy_of(cloud, port)["binding:profile"] == WRITTEN
    path = f"{SERVERS}/{server_id}/os-interface/{port['id']}"
    assert (await cloud.tenant.ask("DELETE", path)).status == 202
    await cloud.work_off()
    assert (port["device_id"], port["binding:profile"]) == ("", WRITTEN)


async def test_it_stays_when_the_server_goes(cloud: Whole, network: str) -> None:
    port = await own_port(cloud, network)
    port["binding:profile"] = dict(WRITTEN)
    said = await boot(cloud, cloud.tenant, networks=[{"port": port["id"]}], availability_zone="az1")
    server_id = said.json()["server"]["id"]
    assert copy_of(cloud, port)["binding:profile"] == WRITTEN
    assert (await cloud.tenant.ask("DELETE", f"{SERVERS}/{server_id}")).status == 204
    await cloud.work_off()
    assert (port["device_id"], port["binding:profile"]) == ("", WRITTEN)


async def test_what_we_write_of_a_port_of_ours_is_in_no_pod(cloud: Whole, network: str) -> None:
    server_id = await booted(cloud, network, availability_zone="az1")
    ports = cloud.centre.neutron.resources["ports"].values()
    (ours,) = [one for one in ports if one["device_id"] == server_id]
    assert ours["binding:profile"] == {"tricircle": {"origin": "gateway", "asked_az": "az1"}}
    assert copy_of(cloud, ours)["binding:profile"] == {}


async def test_hints_go_where_they_are_known_and_are_refused_elsewhere(cloud: Whole, network: str) -> None:
    port = await own_port(cloud, network)
    port["hints"] = {"openvswitch": {"other_config": {"tx-steering": "hash"}}}
    refused = await boot(cloud, cloud.tenant, networks=[{"port": port["id"]}], availability_zone="az1")
    text = (
        f"Port {port['id']} has hints, which availability zone az1 does not know. Take them away, or use another "
        "availability zone."
    )
    assert (refused.status, refused.message) == (409, text)
    assert cloud.pods["Pod1"].neutron.resources["networks"] == {}, "nothing is made before the refusal"
    said = await boot(cloud, cloud.tenant, networks=[{"port": port["id"]}], availability_zone="az2")
    assert said.status == 202, said.body
    assert copy_of(cloud, port, "Pod2")["hints"] == port["hints"]


@pytest.mark.parametrize(("zone", "pod"), [("az1", "Pod1"), ("az2", "Pod2")])
async def test_trusted_is_a_field_where_there_is_one_and_else_a_key(
    cloud: Whole, network: str, zone: str, pod: str
) -> None:
    port = await own_port(cloud, network)
    # As Neutron shows a port that was made so.
    port |= {"trusted": True, "binding:profile": {"capabilities": ["switchdev"], "trusted": True}}
    said = await boot(cloud, cloud.tenant, networks=[{"port": port["id"]}], availability_zone=zone)
    assert said.status == 202, said.body
    copy = copy_of(cloud, port, pod)
    if pod == "Pod2":
        assert (copy["trusted"], copy["binding:profile"]) == (True, {"capabilities": ["switchdev"]})
    else:
        assert copy["binding:profile"] == port["binding:profile"]
        assert "trusted" not in copy


async def test_an_address_that_somebody_else_has(cloud: Whole, network: str) -> None:
    """Nova says 409 of an interface, 400 of a boot; who has it is nobody's business."""
    server_id = await booted(cloud, network, availability_zone="az1")
    subnet = next(iter(cloud.centre.neutron.resources["subnets"].values()))
    address = subnet["cidr"].rpartition(".")[0] + ".77"
    body = {"network_id": network, "fixed_ips": [{"ip_address": address}]}
    taken = await cloud.admin.ask("POST", "/network/v2.0/ports", {"port": body})
    assert taken.status == 201, taken.body
    asked = {"interfaceAttachment": {"net_id": network, "fixed_ips": [{"ip_address": address}]}}
    said = await cloud.tenant.ask("POST", f"{SERVERS}/{server_id}/os-interface", asked)
    fault = {"conflictingRequest": {"code": 409, "message": f"Fixed IP {address} is already in use."}}
    assert (said.status, said.json()) == (409, fault)


@pytest.mark.parametrize("status", [400, 403, 404, 409])
async def test_a_pods_own_words_about_a_network_are_nobodys_business(cloud: Whole, network: str, status: int) -> None:
    """The centre has made the port; a pod that refuses to say what it has is a pod that is away."""
    server_id = await booted(cloud, network, availability_zone="az1")
    made = await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {"name": "other"}})
    other = made.json()["network"]["id"]
    subnet = {"network_id": other, "ip_version": 4, "cidr": "10.99.0.0/24"}
    assert (await cloud.tenant.ask("POST", "/network/v2.0/subnets", {"subnet": subnet})).status == 201

    def is_about_networks(asked: Asked) -> bool:
        return asked.path.startswith("/v2.0/networks")

    ill = Ailment(symptom=Symptom.FAILING, status=status, only=is_about_networks)
    cloud.pods["Pod1"].fall_ill(ill, ["network"])
    said = await attach(cloud, server_id, net_id=other)
    assert (said.status, said.message) == (503, "A service behind this API cannot be reached. Please try again later.")
    ports = cloud.centre.neutron.resources["ports"].values()
    assert [one for one in ports if one["network_id"] == other and not one["device_owner"]] == []


@pytest.mark.parametrize("is_changed", [False, True], ids=["before the claim", "after somebody else's change"])
@pytest.mark.parametrize("is_boot", [False, True], ids=["attach", "boot"])
async def test_a_port_that_is_deleted_meanwhile_is_not_there(
    cloud: Whole, network: str, is_changed: bool, is_boot: bool
) -> None:
    """404 of an interface, 400 of a boot, in Nova's words."""
    server_id = await booted(cloud, network, availability_zone="az1")
    ports, port, seen = cloud.centre.neutron.resources["ports"], await own_port(cloud, network), list[str]()

    def concerns(asked: Asked) -> bool:
        """The claim, and what follows it."""
        if port["id"] in asked.path and (asked.method == "PUT" or seen):
            seen.append(asked.method)
            return True
        return False

    def hear(asked: Asked) -> Asked:
        if is_changed and asked.method == "PUT":
            ports[port["id"]]["revision_number"] += 1
        else:
            ports.pop(port["id"], None)
        return asked

    cloud.centre.fall_ill(Ailment(symptom=Symptom.LYING, lie=Lie(hear=hear), only=concerns), ["network"])
    if is_boot:
        said = await boot(cloud, cloud.tenant, networks=[{"port": port["id"]}], availability_zone="az1")
    else:
        said = await attach(cloud, server_id, port_id=port["id"])
    assert seen == (["PUT", "GET"] if is_changed else ["PUT"])
    assert (said.status, said.message) == (400 if is_boot else 404, f"Port id {port['id']} could not be found.")
