# SPDX-License-Identifier: Apache-2.0
"""Servers through the whole gateway: what a boot makes where, and what a sick pod leaves behind."""

import asyncio
import time
from typing import Any

import pytest

from tests.api.doors import test_volumes as volumes
from tests.api.doors.test_sick_pods import MARK, SOON_S
from tests.api.whole import PUBLIC, Whole
from tests.asgi import AsgiClient, Said
from tricircle.testing import wire
from tricircle.testing.ailments import Ailment, Symptom

SERVERS = "/compute/v2.1/servers"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def network(cloud: Whole) -> str:
    """A tenant's network with a subnet, 10.0.0.0/24, and a flavor ``m1`` with the id 1."""
    flavor = {"flavor": {"id": "1", "name": "m1", "ram": 64, "vcpus": 1, "disk": 1}}
    assert (await cloud.admin.ask("POST", "/compute/v2.1/flavors", flavor)).status == 200
    made = await cloud.tenant.ask("POST", "/network/v2.0/networks", {"network": {"name": "net1"}})
    network_id = made.json()["network"]["id"]
    subnet = {"subnet": {"network_id": network_id, "cidr": "10.0.0.0/24", "ip_version": 4}}
    assert (await cloud.tenant.ask("POST", "/network/v2.0/subnets", subnet)).status == 201
    return str(network_id)


async def boot(cloud: Whole, client: AsgiClient, **fields: object) -> Said:
    body = {"name": "vm", "flavorRef": "1", "imageRef": cloud.image_id, **fields}
    return await client.having(openstack_api_version="compute 2.90").ask("POST", SERVERS, {"server": body})


async def booted(cloud: Whole, network: str, **fields: object) -> str:
    said = await boot(cloud, cloud.tenant, networks=[{"uuid": network}], **fields)
    assert said.status == 202, said.body
    return str(said.json()["server"]["id"])


async def shown(cloud: Whole, server_id: str) -> dict[str, Any]:
    return dict((await cloud.tenant.ask("GET", f"{SERVERS}/{server_id}")).json()["server"])


async def central_ports(cloud: Whole) -> list[dict[str, Any]]:
    return list((await cloud.tenant.ask("GET", "/network/v2.0/ports")).json()["ports"])


async def test_a_boot_has_the_address_of_the_centre(cloud: Whole, network: str) -> None:
    said = await boot(cloud, cloud.tenant, networks=[{"uuid": network}], availability_zone="az2")
    server_id = said.json()["server"]["id"]
    assert said.headers["location"] == f"{PUBLIC}{SERVERS}/{server_id}"
    (port,) = await central_ports(cloud)
    server = await shown(cloud, server_id)
    assert [one["addr"] for one in server["addresses"]["net1"]] == [port["fixed_ips"][0]["ip_address"]]
    assert server["OS-EXT-AZ:availability_zone"] == "az2"
    assert server["security_groups"] == [{"name": "default"}]
    (copy,) = [one for one in cloud.pods["Pod2"].neutron.resources["ports"].values() if one["device_id"] == server_id]
    assert (copy["mac_address"], copy["description"]) == (port["mac_address"], f"tricircle:{port['id']}")
    assert cloud.pods["Pod1"].neutron.resources["networks"] == {}


async def test_a_server_and_a_volume_without_a_zone_meet(cloud: Whole, network: str) -> None:
    first = await volumes.create(cloud.tenant)
    server = await shown(cloud, await booted(cloud, network))
    assert server["OS-EXT-AZ:availability_zone"] == first["availability_zone"]
    second = await volumes.create(cloud.tenant)
    assert second["availability_zone"] == first["availability_zone"]


async def test_two_boots_at_once_on_a_new_network_make_one_copy(cloud: Whole, network: str) -> None:
    await asyncio.gather(*(booted(cloud, network, availability_zone="az2") for _ in range(4)))
    neutron = cloud.pods["Pod2"].neutron
    assert [one["name"] for one in neutron.resources["networks"].values()] == ["net1"]
    assert len(neutron.resources["subnets"]) == 1
    assert len([one for one in neutron.resources["ports"].values() if one["device_id"]]) == 4


@pytest.mark.parametrize("symptom", [Symptom.SILENT, Symptom.FAILING, Symptom.GARBAGE, Symptom.CUT])
async def test_a_list_lacks_a_sick_pod_and_says_so(cloud: Whole, network: str, symptom: Symptom) -> None:
    ids = {zone: await booted(cloud, network, availability_zone=zone) for zone in ("az1", "az2")}
    cloud.pods["Pod2"].fall_ill(Ailment(symptom=symptom), ["compute"])
    started = time.monotonic()
    said = await cloud.tenant.ask("GET", SERVERS)
    assert time.monotonic() - started < SOON_S
    assert [one["id"] for one in said.json()["servers"]] == [ids["az1"]]
    assert said.headers[MARK] == "az2"


async def test_not_found_and_not_now_are_told_apart(cloud: Whole, network: str) -> None:
    ids = {zone: await booted(cloud, network, availability_zone=zone) for zone in ("az1", "az2")}
    assert (await cloud.tenant.ask("GET", f"{SERVERS}/{NOBODY}")).status == 404
    await cloud.ports["Pod2"].refuse()
    assert (await cloud.tenant.ask("GET", f"{SERVERS}/{ids['az1']}")).status == 200
    for server_id in (ids["az2"], NOBODY.replace("4", "5")):
        said = await cloud.tenant.ask("GET", f"{SERVERS}/{server_id}")
        assert said.status == 503
        assert int(said.headers["retry-after"]) > 0


async def test_a_boot_that_reaches_nobody_leaves_nothing_behind(cloud: Whole, network: str) -> None:
    await cloud.ports["Pod2"].refuse()
    said = await boot(cloud, cloud.tenant, networks=[{"uuid": network}], availability_zone="az2")
    assert said.status == 503
    assert int(said.headers["retry-after"]) > 0
    assert "serviceUnavailable" in said.json()
    assert await central_ports(cloud) == []
    await cloud.ports["Pod2"].accept()
    assert cloud.pods["Pod2"].nova.servers == {}
    assert cloud.pods["Pod2"].neutron.resources["ports"] == {}


async def test_a_users_own_port_outlives_a_boot_that_failed(cloud: Whole, network: str) -> None:
    body = {"port": {"network_id": network, "name": "mine"}}
    port_id = (await cloud.tenant.ask("POST", "/network/v2.0/ports", body)).json()["port"]["id"]
    await cloud.ports["Pod2"].refuse()
    said = await boot(cloud, cloud.tenant, networks=[{"port": port_id}], availability_zone="az2")
    assert said.status == 503
    (port,) = await central_ports(cloud)
    assert (port["id"], port["device_id"]) == (port_id, "")


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"availability_zone": "x"}, 400, "The requested availability zone is not available"),
        ({"flavorRef": "x"}, 400, "Flavor x could not be found."),
        ({"imageRef": NOBODY}, 400, "Can not find requested image"),
        ({"key_name": "x"}, 400, "Invalid key_name provided."),
    ],
)
async def test_bad_boots_touch_no_pod(
    cloud: Whole, network: str, fields: dict[str, object], status: int, message: str
) -> None:
    said = await boot(cloud, cloud.tenant, networks=[{"uuid": network}], **fields)
    assert (said.status, said.message) == (status, message)
    for pod in cloud.pods.values():
        assert "POST" not in {verb for service in ("compute", "network") for verb, _ in pod.calls(service)}
    assert await central_ports(cloud) == []


async def test_a_volume_is_attached_in_its_pod_and_not_across(cloud: Whole, network: str) -> None:
    server_id = await booted(cloud, network, availability_zone="az2")
    near = await volumes.create(cloud.tenant, availability_zone="az2")
    path = f"{SERVERS}/{server_id}/os-volume_attachments"
    said = await cloud.tenant.ask("POST", path, {"volumeAttachment": {"volumeId": near["id"]}})
    assert said.status == 200, said.body
    assert (await cloud.tenant.ask("GET", f"{volumes.VOLUMES}/{near['id']}")).json()["volume"]["status"] == "in-use"
    far = await volumes.create(cloud.tenant, availability_zone="az1")
    said = await cloud.tenant.ask("POST", path, {"volumeAttachment": {"volumeId": far["id"]}})
    assert 400 <= said.status < 500
    assert "Pod" not in str(said.body)


@pytest.mark.parametrize(
    "ailment",
    [
        Ailment(symptom=Symptom.GARBAGE),
        Ailment(symptom=Symptom.FAILING, status=500),
        Ailment(symptom=Symptom.FAILING, status=429),
        Ailment(symptom=Symptom.CUT),
        Ailment(symptom=Symptom.BROKEN, wire=wire.truncated, is_carried_out=True),
        Ailment(symptom=Symptom.BROKEN, wire=wire.proxy_page(502)),
        Ailment(symptom=Symptom.BROKEN, wire=wire.redirect(302, "https://canary.internal")),
    ],
    ids=["page", "500", "429", "cut", "half-json", "502-page", "302"],
)
async def test_a_boot_in_a_pod_whose_network_service_is_sick(cloud: Whole, network: str, ailment: Ailment) -> None:
    """Nova was not asked yet: it is 503, and nothing is left at the centre."""
    cloud.pods["Pod2"].fall_ill(ailment, ["network"])
    said = await boot(cloud, cloud.tenant, networks=[{"uuid": network}], availability_zone="az2")
    assert said.status == 503, said.body
    assert int(said.headers["retry-after"]) > 0
    assert cloud.pods["Pod2"].nova.servers == {}
    assert await central_ports(cloud) == []


async def test_a_limit_below_what_is_used_must_be_forced(cloud: Whole, network: str) -> None:
    await booted(cloud, network)
    path = f"/compute/v2.1/os-quota-sets/{cloud.project_id('demo')}"
    admin = cloud.admin.having(openstack_api_version="compute 2.57")
    text = "Quota limit 0 for {} must be greater than or equal to already used and reserved {}."
    for wanted, message in (
        ({"instances": 0}, text.format("instances", 1)),
        ({"key_pairs": 5, "ram": "0", "force": False}, text.format("ram", 64)),
    ):
        said = await admin.ask("PUT", path, {"quota_set": wanted})
        assert (said.status, said.message) == (400, message)
    for wanted in ({"instances": 1}, {"instances": -1}, {"instances": "0", "force": "True"}, {"key_pairs": 0}):
        assert (await admin.ask("PUT", path, {"quota_set": wanted})).status == 200, wanted
    assert (await cloud.tenant.ask("PUT", path, {"quota_set": {"instances": 0}})).status == 403
    assert (await admin.ask("PUT", path, {"quota_set": 7})).status == 400
